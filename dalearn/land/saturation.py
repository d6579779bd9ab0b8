"""Saturation vapour pressure and specific humidity (isba_physics.md 3.5).

Over ice at and below the triple point, over liquid water above (SURFEX option CQSAT='NEW'); the slope
jumps by 1.9 % at the triple point.
"""

import math

import torch
from torch import Tensor

from dalearn.constants import (
    GAS_CONSTANT_AIR,
    GAS_CONSTANT_VAPOUR,
    HEAT_CAPACITY_ICE,
    HEAT_CAPACITY_LIQUID,
    HEAT_CAPACITY_VAPOUR,
    LATENT_HEAT_SUBLIMATION,
    LATENT_HEAT_VAPORISATION,
    TRIPLE_POINT,
    VAPOUR_PRESSURE_TRIPLE_POINT,
)

EPSILON = GAS_CONSTANT_AIR / GAS_CONSTANT_VAPOUR


def _coefficients(heat_capacity: float, latent_heat: float) -> tuple[float, float, float]:
    gamma = (heat_capacity - HEAT_CAPACITY_VAPOUR) / GAS_CONSTANT_VAPOUR
    beta = latent_heat / GAS_CONSTANT_VAPOUR + gamma * TRIPLE_POINT
    alpha = math.log(VAPOUR_PRESSURE_TRIPLE_POINT) + beta / TRIPLE_POINT + gamma * math.log(TRIPLE_POINT)
    return alpha, beta, gamma


WATER = _coefficients(HEAT_CAPACITY_LIQUID, LATENT_HEAT_VAPORISATION)
ICE = _coefficients(HEAT_CAPACITY_ICE, LATENT_HEAT_SUBLIMATION)


def _select(temperature: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    over_ice = temperature <= TRIPLE_POINT
    return tuple(  # type: ignore[return-value]
        torch.where(over_ice, temperature.new_full((), ice), temperature.new_full((), water))
        for ice, water in zip(ICE, WATER, strict=True)
    )


def saturation_vapour_pressure(temperature: Tensor) -> Tensor:
    """Saturation vapour pressure in Pa at ``temperature`` in K, any shape."""
    alpha, beta, gamma = _select(temperature)
    return torch.exp(alpha - beta / temperature - gamma * torch.log(temperature))


def ice_saturation_vapour_pressure(temperature: Tensor) -> Tensor:
    """Saturation vapour pressure over ice in Pa whatever the temperature in K."""
    alpha, beta, gamma = ICE
    return torch.exp(alpha - beta / temperature - gamma * torch.log(temperature))


def _humidity(vapour_pressure: Tensor, pressure: Tensor) -> Tensor:
    share = vapour_pressure / pressure
    return EPSILON * share / (1.0 + (EPSILON - 1.0) * share)


def saturation_specific_humidity(temperature: Tensor, pressure: Tensor) -> Tensor:
    """Saturation specific humidity in kg kg-1 at ``temperature`` (K) and ``pressure`` (Pa)."""
    return _humidity(saturation_vapour_pressure(temperature), pressure)


def saturation_humidity_and_slope(temperature: Tensor, pressure: Tensor) -> tuple[Tensor, Tensor]:
    """Saturation specific humidity (kg kg-1) and its derivative with temperature (kg kg-1 K-1)."""
    _, beta, gamma = _select(temperature)
    share = saturation_vapour_pressure(temperature) / pressure
    denominator = 1.0 + (EPSILON - 1.0) * share
    humidity = EPSILON * share / denominator
    slope = (beta / temperature - gamma) / temperature * humidity / denominator
    return humidity, slope
