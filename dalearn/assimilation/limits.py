"""Limits on the increments, in the order SURFEX applies them (ldas_sekf.md 1.9).

LAI: first not below the minimum of the patch, then at most +-1.  Soil moisture: first within the absolute
minimum and the porosity, then at most +-0.1.  The order matters: the second limit may undo the first.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dalearn.assimilation.control import ControlVector
from dalearn.constants import MINIMUM_SOIL_MOISTURE
from dalearn.land.state import LandParameters


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
