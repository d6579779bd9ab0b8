"""Assimilation, respiration and stomatal resistance of the canopy: ISBA-A-gs (isba_ags.md 3.2, 1.7, 1.9)."""

import dataclasses
import math
from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import LATENT_HEAT_VAPORISATION, MAXIMUM_STOMATAL_RESISTANCE, TRIPLE_POINT
from dalearn.errors import InputError
from dalearn.land.canopy import CANOPY_SCHEMES, CanopyLight, multilayer_light, three_point_light
from dalearn.land.leaf import DARK_RESPIRATION_SHARE, LeafExchange, exchange, leaf_state
from dalearn.land.state import LandParameters, VegetationParameters
from dalearn.land.stress import drought_response

MINIMUM_STOMATAL_RESISTANCE = 1e-4  # s m-1
RESPIRATION_EXTINCTION = 0.2  # of the leaf respiration of woody canopies, per unit leaf area
SMALL_LEAF_AREA = 1e-4
REFERENCE_LIGHT = 500.0  # W m-2 of PAR
REFERENCE_AIR_DENSITY = 1.2  # kg m-3
REFERENCE_LEAF_AREA_ABOVE = 0.1


class Photosynthesis(NamedTuple):
    """Exchange of the canopy with the air; ``(column,)``; zero without vegetation."""

    net_assimilation: Tensor  # AN, kg kg-1 m s-1; times the air density: kg m-2 s-1 CO2
    leaf_respiration: Tensor  # RLEAF, kg kg-1 m s-1
    mean_leaf_assimilation: Tensor  # net, per unit leaf area, of dry leaves, kg kg-1 m s-1: the daily maximum is kept
    stomatal_resistance: Tensor  # Rs of the canopy, s m-1


def leaf_deficit(
    *,
    saturation_humidity: Tensor,
    specific_humidity: Tensor,
    air_density: Tensor,
    latent_heat_flux: Tensor,
    aerodynamic_resistance: Tensor,
) -> Tensor:
    """Saturation deficit at the leaf in kg kg-1 (isba_ags.md 1.7).

    Saturation humidity at the surface temperature, specific humidity of the air (kg kg-1), latent heat flux
    (W m-2) and aerodynamic resistance (s m-1) of the previous step.
    """
    moistened = latent_heat_flux * aerodynamic_resistance / (air_density * LATENT_HEAT_VAPORISATION)
    return torch.clamp(saturation_humidity - specific_humidity - moistened, min=0.0)


def photosynthesis(
    *,
    vegetation: VegetationParameters,
    leaf_area_index: Tensor,
    stress_index: Tensor,
    surface_temperature: Tensor,
    saturation_humidity: Tensor,
    specific_humidity: Tensor,
    air_density: Tensor,
    shortwave_down: Tensor,
    cosine_zenith: Tensor,
    co2_concentration: Tensor,
    latent_heat_flux: Tensor,
    aerodynamic_resistance: Tensor,
    wet_fraction: Tensor,
    snow_fraction: Tensor | float = 0.0,
    canopy: str = "three_point",
    soil_albedo_visible: Tensor | None = None,
) -> Photosynthesis:
    """One step of A-gs for every column; all tensors ``(column,)``.

    Args:
        leaf_area_index: m2 m-2, 0 without vegetation.
        stress_index: F2 of ``stress.soil_moisture_stress``.
        surface_temperature: of the first layer at the start of the step, K.
        saturation_humidity: at that temperature, kg kg-1.
        specific_humidity: of the air, kg kg-1.
        air_density: kg m-3.
        shortwave_down: direct and diffuse, W m-2.
        cosine_zenith: of the limited zenith angle at the start of the step.
        co2_concentration: kg m-3.
        latent_heat_flux: of the whole column in the previous step, W m-2.
        aerodynamic_resistance: of the previous step, s m-1.
        wet_fraction: of the foliage.
        snow_fraction: of the vegetation, p_snv.
        canopy: ``three_point`` (SURFEX LTR_ML=F) or ``multilayer`` (LTR_ML=T).
        soil_albedo_visible: without snow; the multilayer canopy needs it.

    Raises:
        InputError: unknown canopy scheme, or a multilayer canopy without soil albedo.
    """
    leaf = leaf_state(
        vegetation=vegetation,
        drought=drought_response(stress_index, vegetation),
        is_open=stress_index > 0.0,
        temperature=surface_temperature - TRIPLE_POINT,
        deficit=leaf_deficit(
            saturation_humidity=saturation_humidity,
            specific_humidity=specific_humidity,
            air_density=air_density,
            latent_heat_flux=latent_heat_flux,
            aerodynamic_resistance=aerodynamic_resistance,
        ),
        co2_mixing_ratio=co2_concentration / air_density,
        air_density=air_density,
    )
    respiration = DARK_RESPIRATION_SHARE * leaf.maximum_assimilation
    if canopy == "three_point":
        light = three_point_light(leaf_area_index, shortwave_down, cosine_zenith)
    elif canopy == "multilayer" and soil_albedo_visible is not None:
        light = multilayer_light(leaf_area_index, shortwave_down, cosine_zenith, vegetation, soil_albedo_visible)
        respiration = respiration * _respiration_profile(light, leaf_area_index, vegetation)
    elif canopy == "multilayer":
        raise InputError("canopy: the multilayer scheme needs the visible soil albedo")
    else:
        raise InputError(f"canopy: unknown scheme {canopy!r}, choose one of {', '.join(CANOPY_SCHEMES)}")

    respiration = respiration.expand_as(light.sunlit)
    lit = exchange(leaf, light.sunlit, respiration)
    if light.shaded is not None and light.sunlit_share is not None:
        lit = _mix(lit, exchange(leaf, light.shaded, respiration), light.sunlit_share)
    assimilation, dark_respiration, conductance = ((light.weights * value).sum(dim=0) for value in lit)

    assimilation = torch.where(vegetation.vegetated, assimilation, 0.0)
    exposed_leaf_area = (1.0 - wet_fraction) * (1.0 - snow_fraction) * leaf_area_index
    resistance = 1.0 / torch.clamp(
        conductance * leaf_area_index + 1e-12,
        min=1.0 / MAXIMUM_STOMATAL_RESISTANCE,
        max=1.0 / MINIMUM_STOMATAL_RESISTANCE,
    )
    return Photosynthesis(
        net_assimilation=assimilation * exposed_leaf_area,
        leaf_respiration=torch.where(vegetation.vegetated, dark_respiration, 0.0) * exposed_leaf_area,
        mean_leaf_assimilation=assimilation,
        stomatal_resistance=torch.where(vegetation.vegetated, resistance, 0.0),
    )


def reference_assimilation(vegetation: VegetationParameters, co2_mixing_ratio: Tensor) -> Tensor:
    """Leaf assimilation under optimal conditions, ANMAX in kg kg-1 m s-1 ``(column,)`` (isba_ags.md 1.9).

    ``co2_mixing_ratio`` in kg kg-1 is the CO2 concentration of the first forcing record of a run divided by the
    air density of that record.  The extinction of the respiration is that of a woody canopy for every type.
    """
    unstressed = torch.ones_like(vegetation.mesophyll_conductance)
    drought = drought_response(unstressed, vegetation)._replace(mesophyll_conductance=vegetation.mesophyll_conductance)
    leaf = leaf_state(
        vegetation=vegetation,
        drought=drought,
        is_open=unstressed > 0.0,
        temperature=vegetation.optimum_temperature,
        deficit=torch.zeros_like(unstressed),
        co2_mixing_ratio=co2_mixing_ratio,
        air_density=REFERENCE_AIR_DENSITY,
    )
    extinction = math.exp(-RESPIRATION_EXTINCTION * REFERENCE_LEAF_AREA_ABOVE)
    respiration = DARK_RESPIRATION_SHARE * extinction * leaf.maximum_assimilation
    return exchange(leaf, REFERENCE_LIGHT * unstressed, respiration).net_assimilation


def with_reference_assimilation(parameters: LandParameters, co2_mixing_ratio: Tensor) -> LandParameters:
    """The parameters with ``reference_assimilation`` set for the CO2 mixing ratio (kg kg-1) of each column."""
    reference = reference_assimilation(parameters.vegetation, co2_mixing_ratio)
    vegetation = dataclasses.replace(parameters.vegetation, reference_assimilation=reference)
    return dataclasses.replace(parameters, vegetation=vegetation)


def _respiration_profile(light: CanopyLight, leaf_area_index: Tensor, vegetation: VegetationParameters) -> Tensor:
    """Factor on the leaf respiration at each level of a multilayer canopy: less below, in woody patches only."""
    if light.leaf_area_above is None:
        return torch.ones_like(light.sunlit)
    profile = torch.exp(-RESPIRATION_EXTINCTION * light.leaf_area_above)
    return torch.where(vegetation.is_woody, profile / torch.clamp(leaf_area_index, min=SMALL_LEAF_AREA), 1.0)


def _mix(sunlit: LeafExchange, shaded: LeafExchange, sunlit_share: Tensor) -> LeafExchange:
    return LeafExchange(
        *(sunlit_share * lit + (1.0 - sunlit_share) * dark for lit, dark in zip(sunlit, shaded, strict=True))
    )
