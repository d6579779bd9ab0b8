"""Water intercepted by the canopy (isba_physics.md 3.7)."""

from typing import NamedTuple

import torch
from torch import Tensor

FINE_RAIN = 0.01  # kg m-2 caught in a step; less does not make leaves drip
PREDICTION_STEP = 300.0  # s
STEEP_SHARE = 1e-6  # of the capacity
NO_WATER = 1e-12  # kg m-2; a smaller amount is rounding


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
    vegetation, weighted by the roughness length (0.5 m low, 1 m high).

    The power has no bounded slope at 0, where a canopy that dries leaves water of rounding size.  Below a share of
    ``STEEP_SHARE`` the value is that of the power, its derivative that of the chord from 0 to there.
    """
    holds = capacity > 0.0
    safe_capacity = torch.where(holds, capacity, torch.ones_like(capacity))
    water = torch.minimum(intercepted_water, capacity)
    share = water / safe_capacity
    wet, steep = share > 0.0, share < STEEP_SHARE
    base = torch.where(steep, share.detach(), share)
    power = torch.exp(torch.log(torch.where(wet, base, torch.ones_like(base))) * (2.0 / 3.0))
    chord = share * STEEP_SHARE ** (-1.0 / 3.0)
    low = torch.where(wet, power + torch.where(steep, chord - chord.detach(), 0.0), 0.0)
    c = 1.0 + 2.0 * leaf_area_index
    high = share / ((1.0 - c) * share + c)
    weight = torch.clamp(2.0 * roughness_length - 1.0, min=0.0, max=1.0)
    fraction = torch.clamp((1.0 - weight) * low + weight * high, max=1.0)
    return torch.where(holds, fraction, 0.0)


def uneven_drip(water: Tensor, capacity: Tensor, caught: Tensor, rain_fraction: Tensor, *, time_step: float) -> Tensor:
    """Drip in kg m-2 s-1 from leaves that unevenly distributed rain fills unevenly (isba_physics.md 3.7).

    Args:
        water: on the leaves after rain and evaporation, kg m-2.
        caught: rain on the vegetation, kg m-2 s-1.
        rain_fraction: part of the cell that the rain reaches.

    Steps longer than 300 s predict the water at step end, or, where that is none, at mid-step, and correct the
    drip with it.
    """
    raining = caught > FINE_RAIN / time_step
    rate = torch.where(raining, caught, 1.0)

    def drip(of: Tensor, duration: float, possible: Tensor) -> Tensor:
        fills = raining & possible
        excess = torch.where(fills, rain_fraction * (of - capacity) / (rate * duration), 0.0)
        limit = water / duration
        return torch.where(fills, torch.minimum(rate * torch.exp(excess), limit), 0.0)

    first = drip(water, time_step, water > 0.0)
    if time_step <= PREDICTION_STEP:
        return first
    predicted = water - time_step * first
    half = 0.5 * time_step
    emptied = predicted <= NO_WATER
    predicted = torch.where(raining & emptied, water - half * drip(water, half, emptied), predicted)
    return drip(predicted, time_step, predicted > NO_WATER)


def update_interception(
    *,
    intercepted_water: Tensor,
    capacity: Tensor,
    vegetation_fraction: Tensor,
    rainfall: Tensor,
    interception_evaporation: Tensor,
    time_step: float,
    rain_fraction: Tensor | None = None,
) -> Interception:
    """Add rain, remove evaporation, let the surplus drip.

    Args:
        rainfall: rain outside snow, kg m-2 s-1.
        interception_evaporation: evaporation of intercepted water, kg m-2 s-1 (negative for dew).
        rain_fraction: part of the cell that the rain reaches, over which it is exponentially distributed
            (CRAIN='SGH'), so that leaves drip before all are full; None for even rain.
    """
    caught = vegetation_fraction * rainfall
    filled = intercepted_water + time_step * (caught - interception_evaporation)
    deficit = torch.clamp(filled, max=0.0) / time_step
    filled = torch.clamp(filled, min=0.0)
    drip = torch.zeros_like(filled)
    if rain_fraction is not None:
        drip = uneven_drip(filled, capacity, caught, rain_fraction, time_step=time_step)
        filled = filled - time_step * drip
        deficit = deficit + torch.clamp(filled, max=0.0) / time_step
        filled = torch.clamp(filled, min=0.0)
    drip = drip + torch.clamp(filled - capacity, min=0.0) / time_step
    # what rounding leaves on a canopy that dries has no meaning, but its derivative would grow from step to step
    water = torch.where(filled > NO_WATER, torch.minimum(filled, capacity), 0.0)
    dripping = drip + deficit
    return Interception(water, (1.0 - vegetation_fraction) * rainfall + dripping, dripping)
