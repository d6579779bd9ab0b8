"""How much of a column is under snow, and what follows for the surface (isba_physics.md 3.2, 3.4, 7.6, 7.7)."""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import LATENT_HEAT_SUBLIMATION, LATENT_HEAT_VAPORISATION
from dalearn.land.energy_budget import HeatFluxes
from dalearn.land.snow import SnowFluxes
from dalearn.land.snow_energy import SNOW_EMISSIVITY
from dalearn.land.snow_pack import MAXIMUM_DENSITY, MINIMUM_DENSITY, SnowPack, layer_thickness
from dalearn.land.state import SoilParameters

FULL_COVER_DEPTH = 0.01  # m of snow that hide bare ground
SNOW_ROUGHNESS, SNOW_HEAT_ROUGHNESS = 1.0e-3, 1.0e-4  # m
HEATED_DEPTH = 0.6  # m of soil that share the heat that the snow leaves over
LARGEST_SURFACE_WARMING = 10.0  # K of the surface by the snow in one step


class SnowCover(NamedTuple):
    """Fractions under snow, ``(column,)``, of the state at step start and unchanged during the step."""

    total: Tensor  # p_sn
    ground: Tensor  # p_sng
    vegetation: Tensor  # p_snv


class SoilHeating(NamedTuple):
    """Heat from the snow to the soil, W m-2 of the column (section 7.6)."""

    surface: Tensor  # (column,) p_sn G_sn + F_cor,1, for the surface equation
    layers: Tensor  # (layer, column) F_cor, 0 in the first layer


class ColumnFluxes(NamedTuple):
    """Fluxes of the whole column, snow included; W m-2 and kg m-2 s-1, ``(column,)``."""

    net_radiation: Tensor
    sensible: Tensor
    latent: Tensor
    ground: Tensor  # Rn - H - LE
    soil_evaporation: Tensor
    soil_sublimation: Tensor
    vegetation: Tensor
    transpiration: Tensor
    interception: Tensor
    snow_sublimation: Tensor  # LES
    evaporation: Tensor


class ColumnSurface(NamedTuple):
    """Surface at step end; ``(column,)``."""

    temperature: Tensor  # K
    radiative_temperature: Tensor  # K
    albedo: Tensor
    emissivity: Tensor
    humidity: Tensor  # kg kg-1


def snow_fractions(pack: SnowPack, vegetation_fraction: Tensor, roughness_length: Tensor) -> SnowCover:
    """Snow fractions from the pack at the end of a step, for the next one (section 3.2).

    ``roughness_length`` (m) is that of the vegetation without snow; it and ``vegetation_fraction`` are those
    of the next step, after the daily growth.
    """
    depth = layer_thickness(pack).sum(dim=0)
    mass = pack.water_equivalent.sum(dim=0)
    density = torch.clamp(mass / torch.clamp(depth, min=1e-6), min=MINIMUM_DENSITY, max=MAXIMUM_DENSITY)
    ground = torch.clamp(depth / FULL_COVER_DEPTH, max=1.0)
    vegetation = torch.minimum(ground, mass / (mass + density * 5.0 * roughness_length))
    total = (1.0 - vegetation_fraction) * ground + vegetation_fraction * vegetation
    return SnowCover(total, ground, vegetation)


def _blend(height: Tensor, snow: float, other: Tensor, fraction: Tensor) -> Tensor:
    """Roughness length whose neutral drag at ``height`` is the mean over the snow and the rest."""
    bare = torch.clamp(torch.log(height / other) ** 2, min=1e-12)
    drag = fraction / torch.log(height / snow) ** 2 + (1.0 - fraction) / bare
    return torch.where(fraction > 0.0, height * torch.exp(-torch.rsqrt(drag)), other)


def blended_roughness(
    roughness_length: Tensor, fraction: Tensor, wind_height: Tensor, temperature_height: Tensor
) -> tuple[Tensor, Tensor]:
    """Roughness lengths for momentum and heat (m) of a column under snow in the ``fraction`` p_sn (section 3.4).

    Both the snow and the snow-free part use them.
    """
    return (
        _blend(wind_height, SNOW_ROUGHNESS, roughness_length, fraction),
        _blend(temperature_height, SNOW_HEAT_ROUGHNESS, 0.1 * roughness_length, fraction),
    )


def heat_soil_from_snow(
    *,
    fraction: Tensor,
    ground_heat: Tensor,
    correction_heat: Tensor,
    surface_inertia: Tensor,
    heat_capacity: Tensor,
    soil: SoilParameters,
    time_step: float,
) -> SoilHeating:
    """Where the heat that leaves the pack enters the soil (section 7.6).

    The correction is spread over the surface and the upper 0.6 m in proportion to their heat capacity, and so
    is the ground heat flux where it alone would change the surface by 10 K in ``time_step`` (s).

    Args:
        ground_heat, correction_heat: G_sn and F_c of the snow step, W m-2 of snow.
        surface_inertia: C_T at step start, K m2 J-1.
        heat_capacity: of the soil layers at step start, ``(layer, column)`` J m-3 K-1.
    """
    bottom = soil.layer_bottom
    reach = torch.clamp(bottom[-1], max=HEATED_DEPTH)
    overlap = torch.clamp(torch.minimum(bottom, reach) - (bottom - soil.layer_thickness), min=0.0)
    capacity = heat_capacity * overlap
    capacity = torch.cat([(1.0 / surface_inertia)[None], capacity[1:]], dim=0)
    share = capacity / capacity.sum(dim=0)
    direct, correction = fraction * ground_heat, fraction * correction_heat
    spread = time_step * surface_inertia * direct.abs() >= LARGEST_SURFACE_WARMING
    heating = share * (correction + torch.where(spread, direct, 0.0))
    surface = heating[0] + torch.where(spread, 0.0, direct)
    return SoilHeating(surface, torch.cat([torch.zeros_like(heating[:1]), heating[1:]], dim=0))


def snow_free_fluxes(soil: HeatFluxes) -> ColumnFluxes:
    """Fluxes of a column without snow."""
    latent = soil.soil_evaporation + soil.soil_sublimation + soil.vegetation
    return ColumnFluxes(
        net_radiation=soil.net_radiation,
        sensible=soil.sensible,
        latent=latent,
        ground=soil.net_radiation - soil.sensible - latent,
        soil_evaporation=soil.soil_evaporation,
        soil_sublimation=soil.soil_sublimation,
        vegetation=soil.vegetation,
        transpiration=soil.transpiration,
        interception=soil.vegetation - soil.transpiration,
        snow_sublimation=torch.zeros_like(latent),
        evaporation=(soil.soil_evaporation + soil.vegetation) / LATENT_HEAT_VAPORISATION
        + soil.soil_sublimation / LATENT_HEAT_SUBLIMATION,
    )


def column_fluxes(soil: HeatFluxes, snow: SnowFluxes, cover: SnowCover) -> ColumnFluxes:
    """Fluxes of the column from those per unit snow-free area and per unit area of snow (section 7.7)."""
    bare, ground, leaves = 1.0 - cover.total, 1.0 - cover.ground, 1.0 - cover.vegetation
    uncovered = snow_free_fluxes(
        HeatFluxes(
            net_radiation=bare * soil.net_radiation,
            sensible=bare * soil.sensible,
            soil_evaporation=ground * soil.soil_evaporation,
            soil_sublimation=ground * soil.soil_sublimation,
            vegetation=leaves * soil.vegetation,
            transpiration=leaves * soil.transpiration,
        )
    )
    net_radiation = uncovered.net_radiation + cover.total * snow.net_radiation
    sensible = uncovered.sensible + cover.total * snow.sensible
    latent = uncovered.latent + cover.total * snow.latent
    return uncovered._replace(
        net_radiation=net_radiation,
        sensible=sensible,
        latent=latent,
        ground=net_radiation - sensible - latent,
        snow_sublimation=cover.total * snow.latent,
        evaporation=uncovered.evaporation + cover.total * snow.sublimation,
    )


def column_surface(
    soil_part: ColumnSurface, snow: SnowFluxes, initial_albedo: Tensor, cover: SnowCover
) -> ColumnSurface:
    """Surface of the column from that of its snow-free part (section 7.7).

    ``initial_albedo`` is that of the pack at step start; the temperatures are those of step end.
    """
    p_sn = cover.total
    bare = 1.0 - p_sn
    emissivity = bare * soil_part.emissivity + p_sn * SNOW_EMISSIVITY
    emitted = bare * soil_part.emissivity * soil_part.temperature**4
    emitted = emitted + p_sn * SNOW_EMISSIVITY * snow.surface_temperature**4
    return ColumnSurface(
        temperature=bare * soil_part.temperature + p_sn * snow.surface_temperature,
        radiative_temperature=torch.sqrt(torch.sqrt(emitted / emissivity)),
        albedo=bare * soil_part.albedo + p_sn * initial_albedo,
        emissivity=emissivity,
        humidity=bare * soil_part.humidity + p_sn * snow.surface_humidity,
    )
