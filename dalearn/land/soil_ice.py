"""Freezing and thawing of soil water (isba_physics.md 6)."""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import (
    DENSITY_ICE,
    DENSITY_WATER,
    FREEZING_TIME_SCALE,
    GRAVITY,
    HEAT_CAPACITY_ICE,
    LATENT_HEAT_FUSION,
    MINIMUM_SOIL_MOISTURE,
    TRIPLE_POINT,
)
from dalearn.land.state import SoilParameters

ICE_HEAT_CAPACITY = HEAT_CAPACITY_ICE * DENSITY_ICE  # J m-3 K-1
FUSION_HEAT = LATENT_HEAT_FUSION * DENSITY_WATER  # J per m3 of liquid water
SMALLEST_ICE = 1e-6  # m3 m-3, less melts at once


class PhaseChange(NamedTuple):
    """Soil after freezing or thawing, each ``(layer, column)``."""

    temperature: Tensor
    moisture: Tensor
    ice: Tensor


def freezing_potential(temperature: Tensor, saturated_potential: Tensor) -> Tensor:
    """Water potential (m) at which soil water of this temperature freezes, not above saturation."""
    depression = LATENT_HEAT_FUSION * (temperature - TRIPLE_POINT) / (GRAVITY * temperature)
    return torch.minimum(saturated_potential, depression)


def maximum_liquid_water(temperature: Tensor, soil: SoilParameters) -> Tensor:
    """Largest liquid water content (m3 m-3) that stays unfrozen at this temperature (K), section 6.1."""
    ratio = freezing_potential(temperature, soil.saturated_potential) / soil.saturated_potential
    return soil.porosity * torch.exp(-torch.log(ratio) / soil.retention_exponent)


def freeze_or_thaw(
    temperature: Tensor,
    moisture: Tensor,
    ice: Tensor,
    *,
    heat_capacity: Tensor,
    surface_insulation: Tensor,
    soil: SoilParameters,
    time_step: float,
) -> PhaseChange:
    """Exchange between liquid water and ice during ``time_step`` seconds, section 6.2.

    Args:
        temperature, moisture, ice, heat_capacity: ``(layer, column)`` in K, m3 m-3, m3 m-3, J m-3 K-1.
        surface_insulation: ``(layer, column)`` factor k, below 1 in the first layer under vegetation.

    The apparent heat capacity damps the temperature change but not the phase change, as in SURFEX.
    """
    liquid = torch.clamp(moisture, min=MINIMUM_SOIL_MOISTURE)
    potential = soil.saturated_potential * torch.exp(-soil.retention_exponent * torch.log(liquid / soil.porosity))
    excess = temperature - LATENT_HEAT_FUSION * TRIPLE_POINT / (LATENT_HEAT_FUSION - GRAVITY * potential)
    frost_potential = freezing_potential(temperature, soil.saturated_potential)
    liquid_limit = soil.porosity * torch.exp(
        -torch.log(frost_potential / soil.saturated_potential) / soil.retention_exponent
    )

    rate = time_step / FREEZING_TIME_SCALE
    cold = torch.clamp(-excess, min=0.0) * surface_insulation * ICE_HEAT_CAPACITY
    warm = torch.clamp(excess, min=0.0) * surface_insulation * ICE_HEAT_CAPACITY
    freezable = moisture - liquid_limit
    melting = rate * torch.minimum(warm, ice * FUSION_HEAT)
    freezing = rate * torch.minimum(cold, torch.clamp(freezable, min=0.0) * FUSION_HEAT)
    released = freezing - melting

    damped = (excess < 0.0) & (freezable >= 0.0) & (cold / FUSION_HEAT >= freezable)
    slope = -(TRIPLE_POINT * DENSITY_WATER * LATENT_HEAT_FUSION**2 / GRAVITY) * liquid_limit
    apparent = slope / (frost_potential * soil.retention_exponent * temperature**2)
    apparent = torch.where(damped, apparent, 0.0)
    change = released / FUSION_HEAT
    return PhaseChange(temperature + released / (heat_capacity + apparent), moisture - change, ice + change)
