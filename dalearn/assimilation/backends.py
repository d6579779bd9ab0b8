"""The window Jacobian H = d y(t1) / d x(t0) by finite differences or by reverse-mode differentiation.

Model equivalents y are those of the observation operators on cell means, so an entry of H holds the patch
fraction once (ldas_sekf.md eq. 1-3).  Patches do not exchange anything: moving one control variable in all
patches at once gives every patch its own derivative, from one model run per control variable.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dalearn.assimilation.cell_means import column_values
from dalearn.assimilation.control import ControlVector, PerturbationSettings
from dalearn.assimilation.forecast import Model, Window, states_after
from dalearn.assimilation.leaves import biomass_in_proportion
from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.state import LandState
from dalearn.operators import ObservationOperator
from dalearn.tree import detach, select_columns


@dataclass(frozen=True)
class Linearisation:
    """The forecast of a window and its sensitivity to where it started."""

    forecast: LandState  # at t1
    predictors: tuple[Tensor, ...]  # of each operator, cell means (predictor, cell)
    model_equivalent: Tensor  # y (observation, cell)
    jacobian: Tensor  # H (observation, control, column), units of y per unit of x; 0 where x is undefined
    transition: Tensor | None = None  # M = d x(t1) / d x(t0) (control at t1, control at t0, column)


@dataclass(frozen=True)
class WindowProblem:
    """One window for some of the cells: everything a Jacobian back end needs."""

    model: Model
    grid: Grid
    state: LandState
    window: Window
    cell_of_column: Tensor  # (column,) cell in the forcing; differs from that in ``grid`` for a part of the cells
    operators: Sequence[ObservationOperator]
    steps: Sequence[int]  # one per operator: its model equivalent is taken after that many steps
    control: ControlVector
    perturbation: PerturbationSettings
    tiled_model: Callable[[], Model]
    transition: bool = False  # whether M is wanted


@torch.no_grad()
def finite_differences(problem: WindowProblem) -> Linearisation:
    """One-sided differences: the control run and one perturbed run per control variable in a single batch.

    The operator sees the cell mean in which one patch has moved, exactly as if that patch alone had been
    perturbed.  ``InputError`` in float32, whose rounding is as large as the signal.
    """
    return differences(problem)


def differences(problem: WindowProblem) -> Linearisation:
    """``finite_differences`` with the graph of everything, where gradients are enabled."""
    grid, control, state = problem.grid, problem.control, problem.state
    require_double(problem)
    copies = len(control.names) + 1
    eps = control.perturbation(state, problem.model.parameters, problem.perturbation)
    start = control.perturbed_copies(state, eps)
    states = run_window(problem, problem.tiled_model(), start, problem.cell_of_column.repeat(copies))

    predictors, equivalents, rows = [], [], []
    for operator, step in zip(problem.operators, problem.steps, strict=True):
        values = column_values(operator.predictors, states[step]).unflatten(-1, (copies, -1))
        mean = grid.cell_mean(values[:, 0])  # (predictor, cell)
        change = grid.to_slots((values[:, 1:] - values[:, :1]) * grid.fraction)  # (predictor, control, slot, cell)
        y = model_equivalent(operator, mean)
        y_moved = model_equivalent(operator, mean[:, None, None] + change)
        predictors.append(mean)
        equivalents.append(y)
        rows.append(grid.from_slots(y_moved - y))
    defined = eps != 0
    step_size = torch.where(defined, eps, torch.ones_like(eps))
    H = torch.where(defined, stack_rows(rows, eps) / step_size, 0.0)
    end = states[len(problem.window)]
    M = None
    if problem.transition:
        x = control.of(end).unflatten(-1, (copies, -1))  # (control at t1, copy, column)
        M = torch.where(defined, (x[:, 1:] - x[:, :1]) / step_size, 0.0)
    forecast = select_columns(end, slice(0, grid.column_count))
    return Linearisation(forecast, tuple(predictors), stack_rows(equivalents, grid.cell_mean(eps[0])), H, M)


def autograd(problem: WindowProblem) -> Linearisation:
    """Exact derivatives: one backward pass per observed quantity, with the cells summed.

    Cells are independent, so the gradient of the sum over cells is every cell's own row of H.
    """
    grid, control = problem.grid, problem.control
    state = detach(problem.state)
    defined = control.defined(state, problem.model.parameters)
    with torch.enable_grad():
        x0 = control.of(state).requires_grad_()
        start = control.add(state, x0 - x0.detach(), biomass_in_proportion(state))
        states = run_window(problem, problem.model, start, problem.cell_of_column)
        predictors, y = model_equivalents(problem.operators, grid, [states[step] for step in problem.steps])
        end = states[len(problem.window)]
        wanted = [*y, *(control.of(end) if problem.transition else ())]
        rows = [
            torch.autograd.grad(row.sum(), x0, retain_graph=k + 1 < len(wanted), materialize_grads=True)[0]
            for k, row in enumerate(wanted)
        ]
    gradients = torch.where(defined, stack_rows(rows, x0), 0.0)
    H, M = gradients[: len(y)], gradients[len(y) :] if problem.transition else None
    return Linearisation(detach(end), tuple(mean.detach() for mean in predictors), y.detach(), H, M)


def model_equivalents(
    operators: Sequence[ObservationOperator], grid: Grid, states: Sequence[LandState]
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Cell means of the predictors (predictor, cell) of each operator, and y (observation, cell).

    ``states``: one per operator.
    """
    pairs = list(zip(operators, states, strict=True))
    predictors = tuple(grid.cell_mean(column_values(operator.predictors, state)) for operator, state in pairs)
    y = [model_equivalent(operator, means) for operator, means in zip(operators, predictors, strict=True)]
    return predictors, stack_rows(y, grid.fraction.new_empty(grid.cell_count))


def operator_jacobian(
    grid: Grid, state: LandState, operators: Sequence[ObservationOperator], control: ControlVector
) -> Tensor:
    """d y / d x of the operators alone, at the time of ``state``: H (observation, control, column)."""
    with torch.enable_grad():
        dx = torch.zeros_like(control.of(state)).requires_grad_()
        moved = control.add(detach(state), dx, biomass_in_proportion(state))
        rows = []
        for operator in operators:
            y = model_equivalent(operator, grid.cell_mean(column_values(operator.predictors, moved)))
            # operators share the path from dx to the state
            rows.append(torch.autograd.grad(y.sum(), dx, retain_graph=True, materialize_grads=True)[0])
    return stack_rows(rows, dx.detach())


BACKENDS = {"finite_differences": finite_differences, "autograd": autograd}


def model_equivalent(operator: ObservationOperator, means: Tensor) -> Tensor:
    """The operator on cell means ``(predictor, ..., cell)``: ``(..., cell)`` in the dtype of the means."""
    return operator(means.movedim(0, -1).to(operator.dtype)).to(means.dtype)


def stack_rows(rows: Sequence[Tensor], like: Tensor) -> Tensor:
    """The rows stacked; none of the shape of ``like`` when there are none."""
    return torch.stack(list(rows)) if rows else like.new_empty((0, *like.shape))


def run_window(problem: WindowProblem, model: Model, start: LandState, cell_of_column: Tensor) -> dict[int, LandState]:
    """The states at the window end and where an operator is observed, by number of steps."""
    steps = {*problem.steps, len(problem.window)}
    return states_after(model, start, problem.window, cell_of_column, steps)


def require_double(problem: WindowProblem) -> None:
    """``InputError`` unless model and operators are float64."""
    if problem.state.soil_moisture.dtype != torch.float64:
        raise InputError("finite differences need a float64 model: set dtype to float64, or jacobian to autograd")
    for operator in problem.operators:
        if operator.dtype != torch.float64:
            raise InputError(
                f"operator {operator.name!r} is {operator.dtype}, finite differences need float64: "
                "convert it with .double(), or set jacobian to autograd"
            )
