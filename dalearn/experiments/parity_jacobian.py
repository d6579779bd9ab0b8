"""Window Jacobians of the model against those that SODA made from perturbed runs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dalearn.assimilation.backends import Linearisation
from dalearn.assimilation.comparison import relative, row_maximum
from dalearn.assimilation.control import DEFAULT_CONTROL, PerturbationSettings
from dalearn.assimilation.jacobian import window_jacobian
from dalearn.experiments.soda_case import SodaCase, Windows
from dalearn.operators import ObservationOperator

KINK_TOLERANCE = 1e-3  # of the row maximum
OTHER_STEPS = ("x01", "neg")  # SODA's own Jacobians with a tenth of the perturbation and with its negative


def linearise(
    windows: Windows, operators: Sequence[ObservationOperator], backend: str, *, sign: float = 1.0
) -> Linearisation:
    """The forecast of ``windows`` and its Jacobian with SODA's perturbations, or with their negative."""
    size = PerturbationSettings()
    return window_jacobian(
        windows.model,
        windows.grid,
        windows.model.prepare_state(windows.state),
        windows.forcing,
        operators,
        backend=backend,
        perturbation=PerturbationSettings(sign * size.soil_moisture, sign * size.leaf_area_index),
    )


def compare_jacobians(
    case: SodaCase, windows: Windows, finite_differences: Tensor, operators: Sequence[ObservationOperator]
) -> dict[str, Any]:
    """``{"finite_differences"|"autograd": {"max_rel", "max_abs", "kinks"}}`` over all windows of ``case``.

    ``windows`` with the states at their starts; ``finite_differences`` (observation, control, column) from there.
    Relative errors are those of the row maximum: one observation of one window.  A difference quotient is as well
    defined on a kink as elsewhere, so that kinks are left out of the error of ``autograd`` only.
    """
    stored = case.stored_columns("H")
    backward = linearise(windows, operators, "finite_differences", sign=-1.0).jacobian
    exact = linearise(windows, operators, "autograd").jacobian
    kink = find_kinks(case, finite_differences, backward)
    return {
        "finite_differences": _errors(case, finite_differences - stored, torch.zeros_like(kink)),
        "autograd": _errors(case, exact - stored, kink),
    }


def find_kinks(case: SodaCase, forward: Tensor, backward: Tensor) -> Tensor:
    """Where H has no derivative, bool (observation, control, column).

    There the one-sided differences for the two signs of the perturbation, or SODA's own with another perturbation,
    differ by more than ``KINK_TOLERANCE`` of the row maximum.
    """
    stored = case.stored_columns("H")
    largest = row_maximum(case.windows.grid, stored)
    kink = relative(backward - forward, largest) > KINK_TOLERANCE
    for other in _other_steps(case):
        kink = kink | (relative(other - stored, largest) > KINK_TOLERANCE)
    return kink


def _other_steps(case: SodaCase) -> list[Tensor]:
    if "fd_H" not in case.names:
        return []
    labels, values = case.labels("fd"), case.stored_columns("fd_H")
    return [values[labels.index(label)] for label in OTHER_STEPS if label in labels]


def _errors(case: SodaCase, difference: Tensor, kink: Tensor) -> dict[str, Any]:
    smooth = ~kink
    largest = row_maximum(case.windows.grid, case.stored_columns("H"))
    return {
        "max_rel": _largest(relative(difference, largest)[smooth]),
        "max_abs": _largest(difference[smooth].abs()),
        "kinks": name_entries(case, kink),
    }


def _largest(values: Tensor) -> float | None:
    return float(values.max()) if values.numel() else None


def name_entries(case: SodaCase, chosen: Tensor) -> list[str]:
    """The ``chosen`` entries of H, bool (observation, control, column), by name.

    For example ``dLAI/dWG5, patch 7, 1987-07-15T09:00``, the start of the window.
    """
    grid = case.windows.grid
    names = []
    for observation, control, column in chosen.nonzero().tolist():
        start = np.datetime_as_string(case.starts[int(grid.cell_of_column[column])], unit="m")
        quotient = f"d{case.observed[observation]}/d{DEFAULT_CONTROL.names[control]}"
        names.append(f"{quotient}, patch {int(grid.patch_of_column[column])}, {start}")
    return names
