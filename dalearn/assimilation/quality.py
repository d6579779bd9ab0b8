"""Quality control: which observations of a window the filter may use, and why not the others.

SURFEX drops every observation of a cell when the screening layer of all its patches holds ice, and rejects
departures beyond a threshold of 999 that only fill values exceed (ldas_sekf.md 1.7).  The checks on range and
finiteness, which SURFEX lacks (gotcha 7), and on the operator come on top.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import torch
from torch import Tensor

from dalearn.grid import Grid
from dalearn.units import same_units
from dalearn.variables import VARIABLES

SCREENING_LAYER = 1  # 0-based: the second layer, 1-4 cm
PERCENT = (0.0, 100.0)
FILL_VALUES = (999.0, 1e20)  # "missing" in SURFEX observation files


class Rejection(IntEnum):
    """Flag of an observation; 0 is an observation that was assimilated."""

    ASSIMILATED = 0
    MISSING = 1
    NOT_FINITE = 2
    OUT_OF_RANGE = 3
    FROZEN = 4
    OPERATOR_UNUSABLE = 5
    DEPARTURE = 6
    UNLIKELY_DEPARTURE = 7


@dataclass(frozen=True)
class QualitySettings:
    """What the quality control rejects.

    Attributes:
        maximum_departure: largest |observation - model equivalent| per quantity, in its units; 999 for the
            quantities not named.
        maximum_normalised_departure: largest |departure| per quantity in units of its expected standard deviation
            sqrt(H B H^T + R) of the cell; no limit for the quantities not named.  Not in SURFEX.
        frozen_soil: drop all observations of a cell whose patches all have ice in the second layer.
    """

    maximum_departure: dict[str, float] = field(default_factory=dict)
    maximum_normalised_departure: dict[str, float] = field(default_factory=dict)
    frozen_soil: bool = True


def frozen_cells(grid: Grid, soil_ice: Tensor) -> Tensor:
    """Cells in which every patch has ice in the screening layer, bool ``(cell,)``; ``soil_ice`` (layer, column)."""
    least = grid.to_slots(soil_ice[SCREENING_LAYER], fill=torch.inf).amin(dim=0)
    return least > 0


def check_observations(
    quantities: Sequence[str],
    observed: Tensor,
    model_equivalent: Tensor,
    frozen: Tensor,
    operator_usable: Tensor,
    settings: QualitySettings = QualitySettings(),
    units: Sequence[str] | None = None,
) -> Tensor:
    """A ``Rejection`` code for every observation, int8 ``(observation, cell)``; the first reason that applies.

    ``observed`` and ``model_equivalent`` (observation, cell) in ``units``, by default those of the variable table,
    NaN = missing;
    ``frozen`` bool (cell,); ``operator_usable`` bool (observation, cell), false where the operator is
    untrained or outside its training range under the rule ``drop``.
    """
    missing = observed.isnan()
    for fill in FILL_VALUES:
        missing = missing | (observed == fill)
    lower, upper, largest = _bounds(quantities, units, settings, observed)
    checks = {
        Rejection.MISSING: missing,
        Rejection.NOT_FINITE: observed.isinf(),
        Rejection.OUT_OF_RANGE: (observed < lower) | (observed > upper),
        Rejection.FROZEN: (frozen & settings.frozen_soil).expand_as(observed),
        Rejection.OPERATOR_UNUSABLE: ~operator_usable,
        Rejection.DEPARTURE: ~((observed - model_equivalent).abs() <= largest),
    }
    code = torch.zeros_like(observed, dtype=torch.int8)
    for reason, rejected in reversed(checks.items()):
        code = torch.where(rejected, torch.full_like(code, reason), code)
    return code


def reject_unlikely(
    quantities: Sequence[str], code: Tensor, departure: Tensor, variance: Tensor, settings: QualitySettings
) -> Tensor:
    """``code`` with the departures flagged that are too large for their expected ``variance``.

    All (observation, cell); ``variance`` the diagonal of H B H^T + R.
    """
    largest = [settings.maximum_normalised_departure.get(quantity, torch.inf) for quantity in quantities]
    squared = departure.new_tensor(largest).square().unsqueeze(-1) * variance
    unlikely = (code == 0) & (departure.square() > squared)
    return torch.where(unlikely, torch.full_like(code, Rejection.UNLIKELY_DEPARTURE), code)


def _bounds(
    quantities: Sequence[str], units: Sequence[str] | None, settings: QualitySettings, like: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Valid range and largest departure of each quantity, ``(observation, 1)``."""
    rows = []
    for position, quantity in enumerate(quantities):
        row = VARIABLES.get(quantity)
        valid = (row.valid_range if row else None) or (-torch.inf, torch.inf)
        if row is not None and units is not None and not same_units(units[position], row.units):
            valid = PERCENT if same_units(units[position], "%") else (-torch.inf, torch.inf)
        rows.append((*valid, settings.maximum_departure.get(quantity, 999.0)))
    lower, upper, largest = torch.tensor(rows, dtype=like.dtype, device=like.device).T.unsqueeze(-1)
    return lower, upper, largest


def count_rejections(quantities: Sequence[str], code: Tensor) -> dict[str, dict[str, int]]:
    """Observations per quantity and reason, ``assimilated`` included and ``missing`` left out."""
    rows = [
        {
            quantity: {
                reason.name.lower(): int((row == reason).sum()) for reason in Rejection if reason != Rejection.MISSING
            }
        }
        for quantity, row in zip(quantities, code, strict=True)
    ]
    return total_rejections(rows)


def total_rejections(counts: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """The sum of the counts of several windows."""
    total: dict[str, dict[str, int]] = {}
    for window in counts:
        for quantity, reasons in window.items():
            summed = total.setdefault(quantity, dict.fromkeys(reasons, 0))
            for reason, count in reasons.items():
                summed[reason] += count
    return total
