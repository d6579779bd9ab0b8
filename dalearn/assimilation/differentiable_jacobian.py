"""Window Jacobians that stay in the graph, so that a loss of the analysis can be differentiated.

H is a product: of the operator, evaluated on the predictors of the forecast, and of the model, d predictors / d x0.
To first order the model part is held constant: the gradient has everything but how the sensitivity of the model
itself changes with the state, a second derivative of the model.  The second-order back ends have that too: finite
differences by keeping the graph of all perturbed runs, autograd by differentiating its reverse passes.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from dalearn.assimilation.backends import (
    Linearisation,
    WindowProblem,
    differences,
    model_equivalent,
    model_equivalents,
    require_double,
    run_window,
    stack_rows,
)
from dalearn.assimilation.cell_means import column_values
from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.leaves import biomass_in_proportion
from dalearn.grid import Grid
from dalearn.land.state import LandState
from dalearn.operators import ObservationOperator


def held_differences(problem: WindowProblem) -> Linearisation:
    """Finite differences: the perturbed runs without a graph, the forecast and the operators with theirs.

    The numbers are those of ``finite_differences``.
    """
    require_double(problem)
    grid, control, state = problem.grid, problem.control, problem.state
    copies = len(control.names) + 1
    with torch.no_grad():
        eps = control.perturbation(state, problem.model.parameters, problem.perturbation)
        defined = eps != 0
        step_size = torch.where(defined, eps, torch.ones_like(eps))
        start = control.perturbed_copies(state, eps)
        moved = run_window(problem, problem.tiled_model(), start, problem.cell_of_column.repeat(copies))
        M = None
        if problem.transition:
            x = control.of(moved[len(problem.window)]).unflatten(-1, (copies, -1))  # (control at t1, copy, column)
            M = torch.where(defined, (x[:, 1:] - x[:, :1]) / step_size, 0.0)
    states = run_window(problem, problem.model, state, problem.cell_of_column)

    predictors, equivalents, rows = [], [], []
    for operator, step in zip(problem.operators, problem.steps, strict=True):
        values = column_values(operator.predictors, moved[step]).unflatten(-1, (copies, -1))
        change = grid.to_slots((values[:, 1:] - values[:, :1]) * grid.fraction)  # (predictor, control, slot, cell)
        mean = grid.cell_mean(column_values(operator.predictors, states[step]))
        y = model_equivalent(operator, mean)
        predictors.append(mean)
        equivalents.append(y)
        rows.append(grid.from_slots(model_equivalent(operator, mean[:, None, None] + change) - y))
    H = torch.where(defined, stack_rows(rows, eps) / step_size, 0.0)
    y = stack_rows(equivalents, grid.cell_mean(eps[0]))
    return Linearisation(states[len(problem.window)], tuple(predictors), y, H, M)


def held_autograd(problem: WindowProblem) -> Linearisation:
    """H by the chain rule: the operator with its graph, times one reverse pass of the model per predictor."""
    grid, control, state = problem.grid, problem.control, problem.state
    dx, states = _moved_forecast(problem)
    sensitivity: dict[tuple[int, str], Tensor] = {}
    predictors, equivalents, rows = [], [], []
    for operator, step in zip(problem.operators, problem.steps, strict=True):
        mean = grid.cell_mean(column_values(operator.predictors, states[step]))
        for name, row in zip(operator.predictors, mean, strict=True):
            if (step, name) not in sensitivity:
                sensitivity[step, name] = _reverse_pass(row, dx)
        y = model_equivalent(operator, mean)
        slope = torch.autograd.grad(y.sum(), mean, create_graph=True, materialize_grads=True)[0]  # (predictor, cell)
        of_model = torch.stack([sensitivity[step, name] for name in operator.predictors])
        rows.append((grid.to_columns(slope).unsqueeze(1) * of_model).sum(dim=0))
        predictors.append(mean)
        equivalents.append(y)
    defined = control.defined(state, problem.model.parameters)
    H = torch.where(defined, stack_rows(rows, dx.detach()), 0.0)
    y = stack_rows(equivalents, grid.fraction.new_empty(grid.cell_count))
    end = states[len(problem.window)]
    M = None
    if problem.transition:
        M = torch.where(defined, torch.stack([_reverse_pass(row, dx) for row in control.of(end)]), 0.0)
    return Linearisation(end, tuple(predictors), y, H, M)


def followed_autograd(problem: WindowProblem) -> Linearisation:
    """H from reverse passes that are themselves differentiable; for models that allow it, which run eagerly."""
    control = problem.control
    dx, states = _moved_forecast(problem)
    predictors, y = model_equivalents(problem.operators, problem.grid, [states[step] for step in problem.steps])
    end = states[len(problem.window)]
    wanted = [*y, *(control.of(end) if problem.transition else ())]
    rows = [torch.autograd.grad(row.sum(), dx, create_graph=True, materialize_grads=True)[0] for row in wanted]
    gradients = torch.where(control.defined(problem.state, problem.model.parameters), stack_rows(rows, dx), 0.0)
    H, M = gradients[: len(y)], gradients[len(y) :] if problem.transition else None
    return Linearisation(end, predictors, y, H, M)


def operator_jacobian_with_graph(
    grid: Grid, state: LandState, operators: list[ObservationOperator], control: ControlVector
) -> Tensor:
    """``operator_jacobian`` as a differentiable function of the state and of the weights of the operators."""
    dx = torch.zeros_like(control.of(state)).requires_grad_()
    moved = control.add(state, dx, biomass_in_proportion(state))
    _, y = model_equivalents(operators, grid, [moved] * len(operators))
    rows = [torch.autograd.grad(row.sum(), dx, create_graph=True, materialize_grads=True)[0] for row in y]
    return stack_rows(rows, dx.detach())


# by the word in the settings and whether second derivatives of the model are wanted
DIFFERENTIABLE_BACKENDS: dict[tuple[str, bool], Callable[[WindowProblem], Linearisation]] = {
    ("finite_differences", False): held_differences,
    ("finite_differences", True): differences,
    ("autograd", False): held_autograd,
    ("autograd", True): followed_autograd,
}


def _moved_forecast(problem: WindowProblem) -> tuple[Tensor, dict[int, LandState]]:
    """A zero increment of x0, (control, column), and the states of the window that depend on it."""
    state, control = problem.state, problem.control
    dx = torch.zeros_like(control.of(state)).requires_grad_()
    start = control.add(state, dx, biomass_in_proportion(state))
    return dx, run_window(problem, problem.model, start, problem.cell_of_column)


def _reverse_pass(row: Tensor, dx: Tensor) -> Tensor:
    """d row / d dx (control, column), cells summed since they are independent; a constant."""
    return torch.autograd.grad(row.sum(), dx, retain_graph=True, materialize_grads=True)[0]
