"""Comparison of Jacobian back ends: agreement per control variable, share of kinks, cost."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from dalearn.assimilation.control import DEFAULT_CONTROL, DEFAULT_PERTURBATION, ControlVector, PerturbationSettings
from dalearn.assimilation.cost import measure
from dalearn.assimilation.forecast import Model, Window, integrate
from dalearn.assimilation.jacobian import window_jacobian
from dalearn.grid import Grid
from dalearn.land.state import LandState
from dalearn.operators import ObservationOperator


def compare_jacobians(
    model: Model,
    grid: Grid,
    state: LandState,
    window: Window,
    operators: Sequence[ObservationOperator],
    control: ControlVector = DEFAULT_CONTROL,
    *,
    perturbation: PerturbationSettings = DEFAULT_PERTURBATION,
    backends: Sequence[str] = ("finite_differences", "autograd"),
    chunk_cells: int | None = None,
    kink_tolerance: float = 1e-3,
) -> dict[str, Any]:
    """How far two back ends agree on one window and what each costs.

    The error of an entry is relative to the largest entry of its row of H: one observation of one cell, all
    control variables and patches.  A kink is an entry whose one-sided slopes for +eps and -eps differ by more than
    ``kink_tolerance`` of that maximum; kinks are counted, and left out of the agreement.

    Returns:
        ``{"columns", "dtype", "agreement": {NAME: {"max_rel", "median_rel", "kink_share"}}, "cost": {BACKEND:
        {"seconds", "forward_runs", "peak_memory_bytes"}}}``; None where a control variable is defined nowhere.
        ``forward_runs`` is the time in units of one plain forecast; memory is the rise of the peak.
    """

    def jacobian(backend: str, sign: float = 1.0) -> Tensor:
        size = PerturbationSettings(sign * perturbation.soil_moisture, sign * perturbation.leaf_area_index)
        return window_jacobian(
            model, grid, state, window, operators, control, backend=backend, perturbation=size, chunk_cells=chunk_cells
        ).jacobian

    device = grid.fraction.device
    H = {backend: jacobian(backend) for backend in backends}  # compiles, so that the timed runs do not
    with torch.no_grad():
        integrate(model, grid, state, window)
        forward = measure(lambda: integrate(model, grid, state, window), device)
    costs = {backend: measure(partial(jacobian, backend), device) for backend in backends}

    reference, other = (H[backend] for backend in backends[:2])
    largest = row_maximum(grid, reference)
    error = relative(other - reference, largest)
    kink = relative(jacobian("finite_differences", -1.0) - jacobian("finite_differences"), largest) > kink_tolerance
    defined = control.defined(state, model.parameters)
    return {
        "columns": grid.column_count,
        "dtype": str(state.soil_moisture.dtype).removeprefix("torch."),
        "agreement": {
            name: _agreement(error[:, row], kink[:, row], defined[row]) for row, name in enumerate(control.names)
        },
        "cost": {
            backend: {
                "seconds": cost.seconds,
                "forward_runs": cost.seconds / forward.seconds,
                "peak_memory_bytes": cost.peak_memory_bytes,
            }
            for backend, cost in costs.items()
        },
    }


def row_maximum(grid: Grid, H: Tensor) -> Tensor:
    """Largest |entry| of the row of H that each entry belongs to: ``(observation, control, column) -> (observation,
    1, column)``."""
    return grid.to_columns(grid.to_slots(H.abs()).amax(dim=(1, 2))).unsqueeze(1)


def relative(difference: Tensor, largest: Tensor) -> Tensor:
    """|difference| / largest, 0 where both are 0."""
    difference = difference.abs()
    empty = largest == 0
    ratio = difference / torch.where(empty, torch.ones_like(largest), largest)
    return torch.where(empty & (difference > 0), torch.full_like(ratio, torch.inf), ratio)


def _agreement(error: Tensor, kink: Tensor, defined: Tensor) -> dict[str, float | None]:
    """Of one control variable: ``error`` and ``kink`` (observation, column), ``defined`` (column,)."""
    smooth = error[:, defined][~kink[:, defined]]
    some = smooth.numel() > 0
    return {
        "max_rel": float(smooth.max()) if some else None,
        "median_rel": float(smooth.median()) if some else None,
        "kink_share": float(kink.any(dim=0)[defined].double().mean()) if bool(defined.any()) else None,
    }
