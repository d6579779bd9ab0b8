"""Comparison of Jacobian back ends: agreement per control variable, share of kinks, cost."""

from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor

from dalearn.assimilation.control import DEFAULT_CONTROL, DEFAULT_PERTURBATION, ControlVector, PerturbationSettings
from dalearn.assimilation.cost import measure
from dalearn.assimilation.forecast import Model, Window, integrate
from dalearn.assimilation.jacobian import WindowJacobian, window_jacobian
from dalearn.grid import Grid
from dalearn.land.state import LandState
from dalearn.operators import ObservationOperator
from dalearn.tree import to

BACKENDS_TO_COMPARE = ("finite_differences", "autograd")
TIMED_CALLS = 3


def compare_jacobians(
    model: Model,
    grid: Grid,
    state: LandState,
    window: Window,
    operators: Sequence[ObservationOperator],
    control: ControlVector = DEFAULT_CONTROL,
    *,
    perturbation: PerturbationSettings = DEFAULT_PERTURBATION,
    chunk_cells: int | None = None,
    kink_tolerance: float = 1e-3,
) -> dict[str, Any]:
    """How far autograd and finite differences agree on one window and what each costs.

    The error of an entry is relative to the largest entry of its row of H: one observation of one cell, all
    control variables and patches.  A kink is an entry whose one-sided slopes for +eps and -eps differ by more than
    ``kink_tolerance`` of that maximum; kinks are counted, and left out of the agreement.

    Finite differences are always those of float64; in a float32 model autograd alone is timed.

    Returns:
        ``{"columns", "dtype", "agreement": {NAME: {"max_rel", "median_rel", "kink_share"}}, "cost": {BACKEND:
        {"seconds", "forward_runs", "peak_memory_bytes"}}}``; None where a control variable is defined nowhere.
        ``forward_runs`` is the time in units of one plain forecast; memory is the rise of the peak.
    """
    device = grid.fraction.device
    double = state.soil_moisture.dtype == torch.float64
    backends = BACKENDS_TO_COMPARE if double else BACKENDS_TO_COMPARE[1:]
    jacobians = {
        backend: WindowJacobian(
            grid, operators, control, backend=backend, perturbation=perturbation, chunk_cells=chunk_cells
        )
        for backend in backends
    }
    H = {}
    for backend, jacobian in jacobians.items():  # compiles, so that the timed runs do not
        H[backend] = jacobian(model, state, window).jacobian
    with torch.no_grad():
        integrate(model, grid, state, window)
        forward = measure(lambda: integrate(model, grid, state, window), device, TIMED_CALLS)
    costs = {
        backend: measure(partial(jacobian, model, state, window), device, TIMED_CALLS)
        for backend, jacobian in jacobians.items()
    }

    problem = (model, state, window, operators) if double else _in_float64(model, state, window, operators)
    slopes = [_slopes(*problem, grid, control, perturbation, chunk_cells, sign) for sign in (1.0, -1.0)]
    largest = row_maximum(grid, slopes[0])
    error = relative(H["autograd"].double() - slopes[0], largest)
    kink = relative(slopes[1] - slopes[0], largest) > kink_tolerance
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


def _slopes(
    model: Model,
    state: LandState,
    window: Window,
    operators: Sequence[ObservationOperator],
    grid: Grid,
    control: ControlVector,
    perturbation: PerturbationSettings,
    chunk_cells: int | None,
    sign: float,
) -> Tensor:
    """H by finite differences in float64, with the perturbations times ``sign``."""
    size = PerturbationSettings(sign * perturbation.soil_moisture, sign * perturbation.leaf_area_index)
    return window_jacobian(
        model, grid, state, window, operators, control, perturbation=size, chunk_cells=chunk_cells
    ).jacobian


def _in_float64(
    model: Model, state: LandState, window: Window, operators: Sequence[ObservationOperator]
) -> tuple[Model, LandState, Window, list[ObservationOperator]]:
    """The same problem, with the numbers that float32 gave it."""
    return (
        model.with_parameters(to(model.parameters, dtype=torch.float64)),
        to(state, dtype=torch.float64),
        window.to(dtype=torch.float64),
        [deepcopy(operator).double() for operator in operators],
    )


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
