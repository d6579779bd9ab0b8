"""Explicit snow, ISBA-ES: one step of the pack (isba_physics.md 7.1 to 7.3).

The pack is a column per unit area of the land column: its heat budget takes unweighted fluxes, and the snow
fraction p_sn weights only the mass lost by sublimation, the rain that falls on it and what the soil and the
aggregated fluxes receive (7.4).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import (
    DAY,
    DENSITY_WATER,
    LATENT_HEAT_FUSION,
    LATENT_HEAT_SUBLIMATION,
    TRIPLE_POINT,
)
from dalearn.land.energy_budget import Air
from dalearn.land.snow_compaction import compact, drift
from dalearn.land.snow_energy import snow_exchange, solve_snow_heat
from dalearn.land.snow_layers import MINIMUM_DEPTH, add_snowfall, check_layer_count, fresh_snow_density, regrid
from dalearn.land.snow_pack import (
    ABSENT_ALBEDO,
    MAXIMUM_DENSITY,
    MINIMUM_DENSITY,
    Layers,
    SnowPack,
    layer_heat,
    layer_thickness,
    split_warmth,
    warmth,
)
from dalearn.land.snow_radiation import MINIMUM_OPTICAL_THICKNESS, light_in_snow, snow_albedo
from dalearn.land.snow_water import WetLayers, melt, percolate, sublimate
from dalearn.land.state import Forcing
from dalearn.land.turbulence import Roughness

REMOVAL_DEPTH = 1.1e-6  # m, less snow than this at the end of a step is given to the soil
# a layer that computes harmlessly in columns without snow
_STAND_IN_THICKNESS, _STAND_IN_DENSITY, _STAND_IN_TEMPERATURE = 0.1, 200.0, 268.0


class SnowSurface(NamedTuple):
    """What lies under and around the pack at step start; ``(column,)``."""

    fraction: Tensor  # p_sn of the state at step start
    roughness: Roughness  # of the lengths blended with snow (section 3.4)
    wind_height: Tensor  # m
    temperature_height: Tensor  # m
    soil_temperature: Tensor  # of the first soil layer, K
    soil_conductivity: Tensor  # of the first soil layer, W m-1 K-1
    soil_thickness: Tensor  # of the first soil layer, m
    soil_albedo: Tensor  # snow-free broadband albedo of the column
    permanent_fraction: Tensor  # share of the permanent snow type in the column
    forest_fraction: Tensor  # share of trees and shrubs


class SnowFluxes(NamedTuple):
    """Results of a step of the pack; ``(column,)``.

    Heat fluxes in W m-2 per unit area of snow, to be weighted with p_sn (7.4, 7.7); water fluxes in kg m-2 s-1.
    """

    net_radiation: Tensor
    sensible: Tensor
    latent: Tensor  # Ls E
    sublimation: Tensor  # E per unit area of snow
    surface_heat: Tensor  # G_s = Rn - H - Ls E
    ground_heat: Tensor  # G_sn, conduction and light to the soil
    correction_heat: Tensor  # F_c, to be spread over the upper soil
    melt_outflow: Tensor  # M per unit area of the column, melt and rain that leave the pack
    excess_sublimation: Tensor  # E_cor per unit area of the column, to be taken from the soil
    rain_outside: Tensor  # (1 - p_sn) rain
    friction_velocity_squared: Tensor  # m2 s-2
    surface_temperature: Tensor  # of the first layer at step end, K; the triple point without snow
    surface_humidity: Tensor  # saturation at the surface temperature of step start, kg kg-1
    fallen_heat: Tensor  # h_SR, J m-2 that came with the snowfall


def _stand_in(layers: Layers, solved: Tensor) -> Layers:
    """The layers, with harmless ones in columns that are not solved."""
    thickness = torch.where(solved, layers.thickness, _STAND_IN_THICKNESS)
    density = torch.where(solved, layers.density, _STAND_IN_DENSITY)
    cold = torch.full_like(density, _STAND_IN_TEMPERATURE)
    heat = torch.where(solved, layers.heat, layer_heat(cold, torch.zeros_like(cold), density, thickness))
    return Layers(thickness, density, heat, torch.where(solved, layers.age, 0.0))


def snow_step(
    pack: SnowPack, forcing: Forcing, air: Air, surface: SnowSurface, *, time_step: float
) -> tuple[SnowPack, SnowFluxes]:
    """Advance the pack by ``time_step`` seconds, in one step without sub-steps.

    Args:
        pack: at step start, with 3 or 12 layers.
        forcing: rain and snow of the step, forcing wind and zenith angle; all snow falls into the pack.
        air: the atmosphere, with the wind of section 3.8.
        surface: soil, roughness and snow fraction at step start.

    Returns:
        The pack at step end, and its fluxes.  A column without snow and snowfall keeps its empty pack and has
        zero fluxes.

    Raises:
        InputError: another number of layers.
    """
    check_layer_count(pack.density.shape[0])
    p_sn = surface.fraction
    fallen = forcing.snowfall * time_step
    rain = p_sn * forcing.rainfall
    initial_depth = layer_thickness(pack).sum(dim=0)
    initial_mass = pack.water_equivalent.sum(dim=0)
    present = initial_depth > 0.0
    solved = (initial_depth >= MINIMUM_DEPTH) | (fallen / MAXIMUM_DENSITY >= MINIMUM_DEPTH)

    fresh = fresh_snow_density(forcing.air_temperature, forcing.wind_speed)
    reflecting = snow_albedo(
        torch.where(present, pack.density[0], fresh),
        torch.where(present, pack.age[0], 0.0),
        surface.permanent_fraction,
        forcing.surface_pressure,
    )
    albedo = torch.where(present, pack.albedo, reflecting.total)
    layers, depth, fallen_heat = add_snowfall(pack, forcing.snowfall, fresh, time_step)
    stand_in_depth = _STAND_IN_THICKNESS * pack.density.shape[0]
    layers = regrid(_stand_in(layers, solved), torch.where(solved, depth, stand_in_depth))
    heat = layers.heat.sum(dim=0)
    warm = warmth(layers.heat, layers.density, layers.thickness)
    temperature, liquid = split_warmth(warm, layers.density, layers.thickness)
    layers = compact(layers, temperature, liquid, time_step)
    layers = drift(layers, forcing.wind_speed, surface.forest_fraction, time_step)

    floored = torch.clamp(layers.thickness, min=MINIMUM_OPTICAL_THICKNESS)
    light = light_in_snow(
        bands=reflecting.bands * (albedo / reflecting.total),
        thickness=floored,
        density=layers.density,
        age=layers.age,
        shortwave_down=forcing.shortwave_down,
        soil_albedo=surface.soil_albedo,
        permanent_fraction=surface.permanent_fraction,
        cosine_zenith=forcing.cosine_zenith,
    )
    exchange = snow_exchange(temperature[0], air, surface.roughness, surface.wind_height, surface.temperature_height)
    budget = solve_snow_heat(
        temperature=temperature,
        thickness=floored,
        density=layers.density,
        albedo=albedo,
        light=light,
        exchange=exchange,
        air=air,
        soil_temperature=surface.soil_temperature,
        soil_conductivity=surface.soil_conductivity,
        soil_thickness=surface.soil_thickness,
        time_step=time_step,
    )
    vanishes = budget.surface - light.transmitted >= -heat / time_step

    solved_temperature = torch.where(vanishes, temperature, budget.temperature)
    wet, unused_heat = melt(WetLayers(layers.thickness, layers.density, solved_temperature, liquid))
    wet, outflow = percolate(wet, rain * (time_step / DENSITY_WATER))
    (thickness, density, temperature, liquid), excess = sublimate(
        wet, p_sn * budget.evaporation, forcing.air_temperature, time_step
    )
    new_albedo = snow_albedo(density[0], layers.age[0], surface.permanent_fraction, forcing.surface_pressure).total
    remains = solved & ~vanishes & (thickness.sum(dim=0) >= REMOVAL_DEPTH)

    def of_pack(value: Tensor, otherwise: float) -> Tensor:
        return torch.where(remains, value, otherwise)

    new_pack = SnowPack(
        water_equivalent=of_pack(density * thickness, 0.0),
        density=of_pack(density, MINIMUM_DENSITY),
        heat_content=of_pack(layer_heat(temperature, liquid, density, thickness), 0.0),
        age=of_pack(layers.age + time_step / DAY, 0.0),
        albedo=of_pack(new_albedo, ABSENT_ALBEDO),
    )

    def of_solved(value: Tensor) -> Tensor:
        return torch.where(solved, value, 0.0)

    net_radiation, sensible = of_solved(budget.net_radiation), of_solved(budget.sensible)
    # a pack that goes in this step loses no more vapour than it had
    supply = initial_mass / time_step + forcing.snowfall
    evaporation = of_solved(budget.evaporation)
    evaporation = torch.where(remains, evaporation, torch.minimum(evaporation, supply))
    latent = LATENT_HEAT_SUBLIMATION * evaporation
    surface_heat = net_radiation - sensible - latent
    initial_heat = pack.heat_content.sum(dim=0)
    released = (initial_heat - LATENT_HEAT_FUSION * fallen) / time_step + surface_heat
    all_water = torch.clamp(supply - p_sn * evaporation + rain, min=0.0)
    return new_pack, SnowFluxes(
        net_radiation=net_radiation,
        sensible=sensible,
        latent=latent,
        sublimation=evaporation,
        surface_heat=surface_heat,
        ground_heat=torch.where(remains, budget.ground + light.transmitted, released),
        correction_heat=of_pack(budget.capping + unused_heat / time_step, 0.0),
        melt_outflow=torch.where(remains, outflow * (DENSITY_WATER / time_step), all_water),
        excess_sublimation=of_pack(excess, 0.0),
        rain_outside=forcing.rainfall - rain,
        friction_velocity_squared=of_solved(exchange.drag * forcing.wind_speed**2),
        surface_temperature=of_pack(temperature[0], TRIPLE_POINT),
        surface_humidity=exchange.humidity,
        fallen_heat=fallen_heat,
    )
