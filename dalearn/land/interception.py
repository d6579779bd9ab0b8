"""Water intercepted by the canopy (isba_physics.md 3.7)."""

from typing import NamedTuple

import torch
from torch import Tensor


class Interception(NamedTuple):
    """Result of one step of the canopy reservoir; ``(column,)``."""

    water: Tensor  # kg m-2, at step end
    throughfall: Tensor  # kg m-2 s-1, all water reaching the ground, may be negative
    dripping: Tensor  # kg m-2 s-1, drip plus the negative throughfall that closes the budget


def canopy_capacity(interception_coefficient: Tensor, vegetation_fraction: Tensor, leaf_area_index: Tensor) -> Tensor:
    """Largest amount the canopy holds, W_max in kg m-2."""
    return interception_coefficient * vegetation_fraction * leaf_area_index


def wet_fraction(
    intercepted_water: Tensor, capacity: Tensor, leaf_area_index: Tensor, roughness_length: Tensor
) -> Tensor:
    """Fraction of the foliage that is wet: the 2/3 power for low vegetation, a rational form for high
    vegetation, weighted by the roughness length (0.5 m low, 1 m high)."""
    holds = capacity > 0.0
    safe_capacity = torch.where(holds, capacity, torch.ones_like(capacity))
    water = torch.minimum(intercepted_water, capacity)
    share = water / safe_capacity
    wet = share > 0.0
    low = torch.where(wet, torch.exp(torch.log(torch.where(wet, share, torch.ones_like(share))) * (2.0 / 3.0)), 0.0)
    c = 1.0 + 2.0 * leaf_area_index
    high = share / ((1.0 - c) * share + c)
    weight = torch.clamp(2.0 * roughness_length - 1.0, min=0.0, max=1.0)
    fraction = torch.clamp((1.0 - weight) * low + weight * high, max=1.0)
    return torch.where(holds, fraction, 0.0)


def update_interception(
    *,
    intercepted_water: Tensor,
    capacity: Tensor,
    vegetation_fraction: Tensor,
    rainfall: Tensor,
    interception_evaporation: Tensor,
    time_step: float,
) -> Interception:
    """Add rain, remove evaporation, let the surplus drip.

    Args:
        rainfall: rain outside snow, kg m-2 s-1.
        interception_evaporation: evaporation of intercepted water, kg m-2 s-1 (negative for dew).
    """
    filled = intercepted_water + time_step * (vegetation_fraction * rainfall - interception_evaporation)
    deficit = torch.clamp(filled, max=0.0) / time_step
    filled = torch.clamp(filled, min=0.0)
    drip = torch.clamp(filled - capacity, min=0.0) / time_step
    water = torch.minimum(filled, capacity)
    dripping = drip + deficit
    return Interception(water, (1.0 - vegetation_fraction) * rainfall + dripping, dripping)
