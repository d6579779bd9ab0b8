"""Limits on the increments, in the order SURFEX applies them (ldas_sekf.md 1.9).

LAI: first not below the minimum of the patch, then at most +-1.  Soil moisture: first within the absolute
minimum and the porosity, then at most +-0.1.  The order matters: the second limit may undo the first.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dalearn.assimilation.control import ControlVector
from dalearn.constants import MINIMUM_SOIL_MOISTURE
from dalearn.land.state import LandParameters, LandState


@dataclass(frozen=True)
class LimitSettings:
    """Largest increments of one analysis.

    Attributes:
        leaf_area_index: m2 m-2.
        soil_moisture: m3 m-3.
    """

    leaf_area_index: float = 1.0
    soil_moisture: float = 0.1


LIMIT_NAMES = ("minimum_leaf_area_index", "leaf_area_index_increment", "soil_moisture_bounds",
               "soil_moisture_increment")  # fmt: skip


def limit_increment(
    control: ControlVector,
    increment: Tensor,
    background: Tensor,
    defined: Tensor,
    parameters: LandParameters,
    settings: LimitSettings = LimitSettings(),
) -> tuple[Tensor, dict[str, int]]:
    """The increment within its limits, ``(control, column)``, and how often each limit was hit.

    ``increment`` and ``background`` (control, column) in the units of x; ``defined`` bool (control, column):
    undefined entries get exactly 0.  The upper bound of soil moisture ignores ice, as in SURFEX.
    """
    hits = dict.fromkeys(LIMIT_NAMES, 0)
    rows = []
    for name, dx, x, exists in zip(control.names, increment, background, defined, strict=True):
        if name == "LAI":
            state_limit, size_limit, largest = LIMIT_NAMES[0], LIMIT_NAMES[1], settings.leaf_area_index
            admissible = torch.maximum(dx, parameters.vegetation.minimum_leaf_area_index - x)
        else:
            state_limit, size_limit, largest = LIMIT_NAMES[2], LIMIT_NAMES[3], settings.soil_moisture
            porosity = parameters.soil.porosity[control.layer(name)]
            admissible = torch.minimum(torch.maximum(dx, MINIMUM_SOIL_MOISTURE - x), porosity - x)
        limited = admissible.clamp(-largest, largest)
        hits[state_limit] += int((exists & (admissible != dx)).sum())
        hits[size_limit] += int((exists & (limited != admissible)).sum())
        rows.append(torch.where(exists, limited, torch.zeros_like(limited)))
    return torch.stack(rows), hits


def within_bounds(control: ControlVector, change: Tensor, state: LandState, parameters: LandParameters) -> Tensor:
    """``change`` (control, column) cut where x would leave its physical range.

    LAI not below the minimum of the patch; liquid water between 0.001 and what porosity leaves beside the ice.  What
    lies outside already is not moved on that account.
    """
    soil, rows = parameters.soil, []
    for name, dx, x in zip(control.names, change, control.of(state), strict=True):
        if name == "LAI":
            lower, upper = parameters.vegetation.minimum_leaf_area_index, torch.full_like(x, torch.inf)
        else:
            layer = control.layer(name)
            lower, upper = torch.full_like(x, MINIMUM_SOIL_MOISTURE), soil.porosity[layer] - state.soil_ice[layer]
        room_below, room_above = torch.clamp(lower - x, max=0.0), torch.clamp(upper - x, min=0.0)
        rows.append(torch.minimum(torch.maximum(dx, room_below), room_above))
    return torch.stack(rows)
