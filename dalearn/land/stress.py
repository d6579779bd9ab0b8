"""Soil moisture stress and how plants respond to it (isba_ags.md 2, isba_physics.md 5.7).

Herbaceous plants shift the deficit at which they close their stomata (Calvet 2000), trees and shrubs their
ratio of internal to ambient CO2 (Calvet et al. 2004); both either keep the mesophyll conductance and save
water (drought avoiding, "defensive") or lower it and keep transpiring ("offensive").
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.land.state import SoilParameters, VegetationParameters

DEFENSIVE_DEFICIT = 0.03  # kg kg-1
OFFENSIVE_DEFICIT = 0.30  # kg kg-1
TROPICAL_F0 = 0.74
MAXIMUM_WOODY_F0 = 0.95
WOODY_INTERCEPT = 4.7  # unstressed: f0 = (4.7 - ln gm) / 7, gm in mm s-1
STRESSED_WOODY_INTERCEPT = 2.8
WOODY_SLOPE = 7.0
SMALL_CONDUCTANCE = 1e-12  # m s-1


class SoilMoistureStress(NamedTuple):
    """How much of the water demand the roots can meet."""

    uptake: Tensor  # (layer, column), share of each layer in the stress index; sums to it
    index: Tensor  # type: ignore[assignment]  # F2, (column,), 0 dry to 1 unstressed; tuple.index is not needed here


class DroughtResponse(NamedTuple):
    """Leaf parameters under stress, at 25 C; ``(column,)``."""

    mesophyll_conductance: Tensor  # gm, m s-1
    unsaturated_ratio: Tensor  # f0, of internal to ambient CO2 (above the compensation point) without deficit
    maximum_deficit: Tensor  # Dmax, kg kg-1


def soil_moisture_stress(soil_moisture: Tensor, soil: SoilParameters) -> SoilMoistureStress:
    """Stress index from the liquid water of the layers with roots, (layer, column) m3 m-3.

    Ice does not count, nor does it narrow the range between wilting point and field capacity.
    """
    available = (soil_moisture - soil.wilting_point) / (soil.field_capacity - soil.wilting_point)
    uptake = soil.root_fraction * torch.clamp(available, min=0.0, max=1.0)
    return SoilMoistureStress(uptake, uptake.sum(dim=0))


def drought_response(index: Tensor, vegetation: VegetationParameters) -> DroughtResponse:
    """Stressed leaf parameters from the stress index F2 (column,)."""
    herbaceous = _herbaceous_response(index, vegetation)
    woody = _woody_response(index, vegetation)
    conductance, ratio, deficit = (
        torch.where(vegetation.is_woody, of_woody, of_herbaceous)
        for of_woody, of_herbaceous in zip(woody, herbaceous, strict=True)
    )
    tropical = vegetation.is_tropical_evergreen
    return DroughtResponse(
        mesophyll_conductance=torch.where(tropical, vegetation.mesophyll_conductance * index, conductance),
        unsaturated_ratio=torch.where(tropical, TROPICAL_F0, ratio),
        maximum_deficit=deficit,
    )


def herbaceous_maximum_deficit(conductance: Tensor, vegetation: VegetationParameters) -> Tensor:
    """Dmax in kg kg-1 of unstressed herbaceous plants of mesophyll conductance gm, D*(gm) of isba_ags.md 2.1."""
    return torch.exp((torch.log(1e3 * conductance) - vegetation.drought_intercept) / vegetation.drought_slope) * 1e-3


def _herbaceous_conductance(deficit: Tensor, vegetation: VegetationParameters) -> Tensor:
    """gm in m s-1 at the maximum deficit Dmax, G(D) of isba_ags.md 2.1, the inverse of D*(gm)."""
    return torch.exp(vegetation.drought_intercept + vegetation.drought_slope * torch.log(1e3 * deficit)) * 1e-3


def _herbaceous_response(index: Tensor, vegetation: VegetationParameters) -> DroughtResponse:
    """isba_ags.md 2.1 (Calvet 2000).

    Offensive plants jump where their maximum deficit, shrinking under severe stress, reaches that of defensive
    plants: at F2 = 0.03.
    """
    critical = vegetation.critical_stress
    defensive = vegetation.is_defensive
    severity = torch.clamp(index / critical, max=1.0)
    unstressed = herbaceous_maximum_deficit(vegetation.mesophyll_conductance, vegetation)
    limit = torch.where(defensive, DEFENSIVE_DEFICIT, torch.full_like(index, OFFENSIVE_DEFICIT))
    moderate = torch.maximum(index, critical)
    deficit = unstressed - (unstressed - limit) * (1.0 - moderate) / (1.0 - critical)
    conductance = _herbaceous_conductance(deficit, vegetation)

    conductance = torch.where(defensive, conductance * severity, conductance)
    deficit = torch.where(defensive, deficit, deficit * severity)

    exhausted = ~defensive & (deficit <= DEFENSIVE_DEFICIT)
    at_limit = _herbaceous_conductance(torch.full_like(index, DEFENSIVE_DEFICIT), vegetation)
    return DroughtResponse(
        mesophyll_conductance=torch.where(exhausted, at_limit * index / critical, conductance),
        unsaturated_ratio=vegetation.herbaceous_f0,
        maximum_deficit=torch.where(exhausted, DEFENSIVE_DEFICIT, deficit),
    )


def _woody_response(index: Tensor, vegetation: VegetationParameters) -> DroughtResponse:
    """isba_ags.md 2.2 (Calvet et al. 2004)."""
    critical = vegetation.critical_stress
    defensive = vegetation.is_defensive
    unstressed = vegetation.mesophyll_conductance
    unstressed_ratio = (WOODY_INTERCEPT - torch.log(1e3 * unstressed)) / WOODY_SLOPE
    # exp(2.8 - 7 f0*) is gm* lowered by the difference of the two intercepts.
    lowered = unstressed * math.exp(STRESSED_WOODY_INTERCEPT - WOODY_INTERCEPT)
    stressed = torch.where(defensive, unstressed, lowered) * torch.clamp(index / critical, max=1.0)
    stressed_ratio = (
        STRESSED_WOODY_INTERCEPT - torch.log(1e3 * torch.clamp(stressed, min=SMALL_CONDUCTANCE))
    ) / WOODY_SLOPE

    weight = torch.clamp((1.0 - index) / (1.0 - critical), max=1.0)
    severe = index < critical
    conductance = unstressed - (unstressed - stressed) * weight
    ratio = torch.where(defensive, unstressed_ratio - (unstressed_ratio - stressed_ratio) * weight, unstressed_ratio)
    return DroughtResponse(
        mesophyll_conductance=torch.where(severe, stressed, conductance),
        unsaturated_ratio=torch.where(severe, torch.clamp(stressed_ratio, max=MAXIMUM_WOODY_F0), ratio),
        maximum_deficit=vegetation.woody_maximum_deficit,
    )
