"""The assimilation cycle: forecast, analysis, next window.

The state is all there is: a run continued from the state at the end of a window is the uninterrupted run, bit for
bit.  The open loop is the same code without observations.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.finite import at_time, check_finite, check_finite_jacobian
from dalearn.assimilation.forecast import Model, Window, integrate
from dalearn.assimilation.jacobian import WindowJacobian
from dalearn.assimilation.record import Recorder, WindowRecord
from dalearn.assimilation.settings import FilterSettings
from dalearn.assimilation.update import update
from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.state import LandState
from dalearn.operators import ObservationOperator


class WindowValues(Protocol):
    """Values per window: a tensor ``(window, observation, cell)``, or anything indexed by window like it."""

    def __getitem__(self, window: int, /) -> Tensor: ...


@torch.no_grad()
def run_cycle(
    model: Model,
    grid: Grid,
    state: LandState,
    windows: Iterable[Window],
    operators: Sequence[ObservationOperator] = (),
    observations: WindowValues | None = None,
    settings: FilterSettings | None = None,
    *,
    observation_errors: WindowValues | None = None,
    on_window: Callable[[WindowRecord, LandState], None] | None = None,
) -> LandState:
    """The analysed state at the end of the last window.

    Args:
        model, grid, state: the land model, its cells and the state at the start of the first window.
        windows: forcing of consecutive windows.
        operators: one per observed quantity, each quantity once.
        observations: observed values (observation, cell) of every window in the order of ``operators``, NaN =
            missing; None for an open loop.  They are taken as valid at the end of their window.
        settings: of the filter; the published ones when None.
        observation_errors: standard deviations of the same shape, for quantities whose error is ``given``.
        on_window: called after every window with its record and the state from which the next window starts.

    Raises:
        InputError: settings or operators that do not fit together.
        NonFiniteError: a number that is not finite, with its cell, variable and time.
    """
    settings = settings or FilterSettings()
    _check(operators, settings)
    control = ControlVector(settings.control)
    jacobian = WindowJacobian(
        grid,
        operators,
        control,
        backend=settings.jacobian,
        perturbation=settings.perturbation,
        chunk_cells=settings.chunk_cells,
    )
    recorder = Recorder(grid, model.parameters, operators, control)
    for number, window in enumerate(windows):
        time = window.times[-1]
        state = model.prepare_state(state)
        observed = _values(observations, number, state)
        if observed is None or bool(observed.isnan().all()):
            state, _ = integrate(model, grid, state, window)
            check_finite(state, grid, at_time("after the forecast ending", time))
            record = recorder.forecast_only(time, state)
        else:
            linear = jacobian(model, state, window)
            check_finite(linear.forecast, grid, at_time("after the forecast ending", time))
            error = _values(observation_errors, number, state)
            result = update(linear, observed, grid, model.parameters, operators, settings, error)
            used = result.rejected == 0
            check_finite_jacobian(linear.jacobian, used, grid, recorder.quantities, control.names, at_time("at", time))
            state = result.state
            check_finite(state, grid, at_time("after the analysis of", time))
            record = recorder.analysis(time, linear, result, observed)
        if on_window:
            on_window(record, state)
    return state


def _values(values: WindowValues | None, number: int, state: LandState) -> Tensor | None:
    return None if values is None else values[number].to(state.leaf_area_index)


def _check(operators: Sequence[ObservationOperator], settings: FilterSettings) -> None:
    quantities = [operator.quantity for operator in operators]
    for quantity in quantities:
        if quantities.count(quantity) > 1:
            raise InputError(f"two operators for {quantity}: give each observed quantity one operator")
        if quantity not in settings.observation_error:
            raise InputError(f"observation error of {quantity} is not set: add it to observation_error")
