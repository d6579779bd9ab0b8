"""The cycle with its graph: the likelihood of the observations of many windows as a differentiable function.

It depends on the multipliers of B and R, on the weights of the operators, on the parameters of the land model and on
the first state.  Tuning by the likelihood of the innovations is that of Dee (1995); here the gradient runs through
the analyses and forecasts of the windows before, too.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dalearn.assimilation.checkpointed import CheckpointedModel
from dalearn.assimilation.cycle import WindowValues, check_operators, values_of_window
from dalearn.assimilation.differentiable_jacobian import DIFFERENTIABLE_BACKENDS, operator_jacobian_with_graph
from dalearn.assimilation.error_scales import ErrorScales
from dalearn.assimilation.extended import ExtendedKalmanFilter
from dalearn.assimilation.forecast import Model, Window
from dalearn.assimilation.likelihood import expected_information, innovation_log_likelihood
from dalearn.assimilation.record import Recorder, WindowRecord
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.compilation import compilation_available
from dalearn.land.state import LandState
from dalearn.operators import ObservationOperator
from dalearn.tree import detach

DIFFERENTIABLE_SCHEMES = ("sekf", "smoother", "end_of_window", "ekf")


@dataclass(frozen=True)
class DifferentiableWindow:
    """One window of a differentiable cycle.

    Attributes:
        log_likelihood: (cell,) of the observations used, with its graph; 0 where there are none.
        state: from which the next window starts, with its graph.
        record: what happened, without a graph.
        information: Fisher information on the logarithms of the multipliers, (parameter, parameter, cell), where it
            was asked for; see ``expected_information``.
        ends_block: the next window starts from a state without history.
    """

    log_likelihood: Tensor
    state: FilterState
    record: WindowRecord
    information: Tensor | None
    ends_block: bool


def differentiable_cycle(
    model: Model,
    grid: Grid,
    state: FilterState,
    windows: Iterable[Window],
    operators: Sequence[ObservationOperator],
    observations: WindowValues,
    settings: FilterSettings | None = None,
    *,
    scales: ErrorScales | None = None,
    steps: Sequence[int] | None = None,
    observation_errors: WindowValues | None = None,
    second_order: bool = False,
    checkpointed: bool = False,
    truncate_every: int | None = None,
    information: bool = False,
) -> Iterator[DifferentiableWindow]:
    """``run_cycle`` with the graph of everything, one window after the other.

    Arguments as in ``run_cycle``, and

    Args:
        scales: multipliers of B and R; those of the settings as they are when None.
        second_order: differentiate how the sensitivity of the model changes with the state as well.  With
            ``autograd`` the model must run eagerly; with ``finite_differences`` the perturbed runs keep their graph.
        checkpointed: keep the states between the model steps only, and run each step again in the backward pass; no
            gradient with respect to the parameters of the land model.
        truncate_every: after so many windows the state loses its history, so that the gradient runs back through at
            most so many windows, and the graph of a block may be freed by its backward pass.
        information: compute the Fisher information on the multipliers.

    What decides rather than computes has no derivative: quality control, limits that are reached, the threshold in
    the error of LAI.

    Raises:
        InputError: as ``run_cycle``, and a scheme or an option that has no derivative.
        NonFiniteError: a number that is not finite, with its cell, variable and time.
    """
    settings = settings or FilterSettings()
    check_operators(operators, settings, steps)
    _check(model, grid, operators, settings, scales, second_order, truncate_every)
    if checkpointed and second_order and settings.jacobian == "autograd":
        raise InputError("checkpointed steps have no second derivative: set checkpointed or second_order to false")
    if checkpointed:
        model = CheckpointedModel(model)
    recorder = Recorder(grid, model.parameters, operators, settings.control_vector)
    scheme = DifferentiableFilter(model, grid, operators, settings, steps, recorder, scales, second_order)
    return _windows(scheme, state, windows, observations, observation_errors, truncate_every, information)


def accumulate_gradient(windows: Iterable[DifferentiableWindow]) -> Tensor:
    """The negative log-likelihood of all windows, (); its gradient is added to ``.grad`` of what it depends on.

    One backward pass at the end of every block (``truncate_every``), which frees the graph of the block.
    """
    total: Any = None
    block: Any = None
    for window in windows:
        loss = -window.log_likelihood.sum()
        block = loss if block is None else block + loss
        if window.ends_block:
            total = _backward(block, total)
            block = None
    total = total if block is None else _backward(block, total)
    if total is None:
        raise InputError("no window: the likelihood needs at least one")
    return total


class DifferentiableFilter(ExtendedKalmanFilter):
    """An extended Kalman filter that keeps the graph, and multiplies its errors by ``scales``."""

    def __init__(
        self,
        model: Model,
        grid: Grid,
        operators: Sequence[ObservationOperator],
        settings: FilterSettings,
        steps: Sequence[int] | None,
        recorder: Recorder,
        scales: ErrorScales | None,
        second_order: bool,
    ) -> None:
        super().__init__(model, grid, operators, settings, steps, recorder)
        self.scales = scales
        self.jacobian.function = DIFFERENTIABLE_BACKENDS[settings.jacobian, second_order]
        self.jacobian.chunk_cells = grid.cell_count  # operators of a chunk are copies, with weights of their own

    def begin_window(self) -> None:
        """The multipliers anew: the graph of the last ones goes with the block it was used in."""
        self.multipliers = None if self.scales is None else self.scales(self.grid.cell_count)

    def _operator_jacobian(self, state: LandState) -> Tensor:
        return operator_jacobian_with_graph(self.grid, state, self.operators, self.control)


def _windows(
    scheme: DifferentiableFilter,
    state: FilterState,
    windows: Iterable[Window],
    observations: WindowValues,
    observation_errors: WindowValues | None,
    truncate_every: int | None,
    information: bool,
) -> Iterator[DifferentiableWindow]:
    for number, window in enumerate(windows):
        # not around the yield: the caller's own choice must hold between windows
        with torch.enable_grad():
            scheme.begin_window()
            if number == 0:
                state = scheme.start(state)
            observed = values_of_window(observations, number, state)
            if observed is not None and bool(observed.isnan().all()):
                observed = None
            error = values_of_window(observation_errors, number, state)
            state, record, update = scheme.assimilate(state, window, observed, error)
            log_likelihood = record.departure.new_zeros(scheme.grid.cell_count)
            known = None
            if update is not None:
                S, used = update.innovation_covariance, update.rejected == 0
                log_likelihood = innovation_log_likelihood(update.departure, S, used)
                known = expected_information(update, scheme.grid) if information else None
        ends_block = truncate_every is not None and (number + 1) % truncate_every == 0
        yield DifferentiableWindow(log_likelihood, state, _without_graph(record), known, ends_block)
        if ends_block:
            state = detach(state)


def _backward(loss: Tensor, total: Tensor | None) -> Tensor:
    if loss.requires_grad:
        loss.backward()
    return loss.detach() if total is None else total + loss.detach()


def _without_graph(record: WindowRecord) -> WindowRecord:
    def detached(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.detach()
        return {name: detached(item) for name, item in value.items()} if isinstance(value, dict) else value

    return dataclasses.replace(
        record, **{field.name: detached(getattr(record, field.name)) for field in dataclasses.fields(record)}
    )


def _check(
    model: Model,
    grid: Grid,
    operators: Sequence[ObservationOperator],
    settings: FilterSettings,
    scales: ErrorScales | None,
    second_order: bool,
    truncate_every: int | None,
) -> None:
    if settings.scheme not in DIFFERENTIABLE_SCHEMES:
        known = ", ".join(DIFFERENTIABLE_SCHEMES)
        raise InputError(f"scheme {settings.scheme} has no derivative here: set scheme to one of {known}")
    if settings.chunk_cells is not None and settings.chunk_cells < grid.cell_count:
        raise InputError("a differentiable cycle takes all cells at once: set chunk_cells to null and use fewer cells")
    compiled = getattr(model, "compiled", False) and compilation_available()
    if second_order and settings.jacobian == "autograd" and compiled:
        raise InputError(
            "the compiled land model has no second derivative: set compiled to false, jacobian to "
            "finite_differences, or second_order to false"
        )
    if truncate_every is not None and truncate_every < 1:
        raise InputError(f"truncate_every is {truncate_every}: use 1 window or more, or null for all of them")
    if scales is not None:
        scales.check(settings.control, len(operators), grid.cell_count)
