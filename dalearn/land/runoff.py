"""Surface runoff before infiltration (isba_physics.md 5.8)."""

import torch
from torch import Tensor

from dalearn.constants import DENSITY_WATER
from dalearn.land.state import SoilParameters

RUNOFF_SCHEMES = ("WSAT", "DT92")


def dunne_runoff(
    water_input: Tensor, moisture: Tensor, ice: Tensor, soil: SoilParameters, *, exponent: float, time_step: float
) -> Tensor:
    """Saturation-excess runoff of the variable infiltration capacity scheme (CRUNOFF='DT92'), kg m-2 s-1.

    Args:
        water_input: water reaching the ground, kg m-2 s-1, ``(column,)``.
        moisture, ice: at step start, ``(layer, column)`` m3 m-3.
        exponent: B, the shape of the distribution of storage capacity (XUNIF_RUNOFFB).

    Moisture and porosity are means over the runoff depth; ``soil.runoff_depth_weight`` holds the weights.
    """
    weight = soil.runoff_depth_weight
    depth = (soil.layer_thickness * (weight > 0.0)).sum(dim=0)
    porosity = (weight * soil.porosity).sum(dim=0)
    wilting = (weight * soil.wilting_point).sum(dim=0)
    total = (weight * torch.where(soil.holds_water, moisture + ice, 0.0)).sum(dim=0)
    return dunne_runoff_of_means(water_input, total, porosity, wilting, depth, exponent=exponent, time_step=time_step)


def dunne_runoff_of_means(
    water_input: Tensor,
    total_water: Tensor,
    porosity: Tensor,
    wilting_point: Tensor,
    depth: Tensor,
    *,
    exponent: float,
    time_step: float,
) -> Tensor:
    """The same from means over the runoff depth (m3 m-3, m)."""
    total = torch.minimum(total_water, porosity)
    room = porosity - wilting_point
    wet = (total > wilting_point) & (water_input > 0.0)
    added = torch.clamp(water_input, min=0.0) * time_step / (DENSITY_WATER * depth)
    dryness = torch.clamp(1.0 - (total - wilting_point) / room, min=0.0, max=1.0)
    has_room = dryness > 0.0
    root = torch.where(has_room, torch.exp(torch.log(torch.where(has_room, dryness, 1.0)) / (1.0 + exponent)), 0.0)
    left = torch.clamp(root - added / ((1.0 + exponent) * room), min=0.0)
    remains = left > 0.0
    unfilled = torch.where(remains, torch.exp(torch.log(torch.where(remains, left, 1.0)) * (1.0 + exponent)), 0.0)
    runoff = torch.clamp(added - (porosity - total) + room * unfilled, min=0.0)
    runoff = runoff * depth * DENSITY_WATER / time_step
    return torch.where(wet & (runoff < water_input), runoff, 0.0)
