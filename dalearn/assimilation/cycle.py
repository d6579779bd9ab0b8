"""The assimilation cycle: forecast, analysis, next window.

The state is all there is: a run continued from the state at the end of a window is the uninterrupted run, bit for
bit.  The open loop is the same code without observations.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from dalearn.assimilation.ensemble import EnsembleSquareRootFilter
from dalearn.assimilation.extended import ExtendedKalmanFilter
from dalearn.assimilation.forecast import Model, Window
from dalearn.assimilation.record import Recorder, WindowRecord
from dalearn.assimilation.scheme import FilterState, Scheme
from dalearn.assimilation.settings import FilterSettings
from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.operators import ObservationOperator


class WindowValues(Protocol):
    """Values per window: a tensor ``(window, observation, cell)``, or anything indexed by window like it."""

    def __getitem__(self, window: int, /) -> Tensor: ...


def run_cycle(
    model: Model,
    grid: Grid,
    state: FilterState,
    windows: Iterable[Window],
    operators: Sequence[ObservationOperator] = (),
    observations: WindowValues | None = None,
    settings: FilterSettings | None = None,
    *,
    steps: Sequence[int] | None = None,
    observation_errors: WindowValues | None = None,
    on_window: Callable[[WindowRecord, FilterState], None] | None = None,
) -> FilterState:
    """The analysed state at the end of the last window.

    Args:
        model, grid, state: the land model, its cells and the state at the start of the first window.
        windows: forcing of consecutive windows.
        operators: one per row of ``observations``.
        observations: observed values (observation, cell) of every window in the order of ``operators``, NaN =
            missing; None for an open loop.
        settings: of the filter; the published ones when None.
        steps: per operator, the number of model steps after which its observations are valid; the window end when
            None.  A quantity that is observed several times in a window has one operator per time.
        observation_errors: standard deviations of the same shape, for quantities whose error is ``given``.
        on_window: called after every window with its record and the state from which the next window starts.

    Raises:
        InputError: settings or operators that do not fit together.
        NonFiniteError: a number that is not finite, with its cell, variable and time.
    """
    settings = settings or FilterSettings()
    check_operators(operators, settings, steps)
    scheme = create_scheme(model, grid, operators, settings, steps)
    with torch.no_grad():
        state = scheme.start(state)
        for number, window in enumerate(windows):
            observed = values_of_window(observations, number, state)
            if observed is not None and bool(observed.isnan().all()):
                observed = None
            error = values_of_window(observation_errors, number, state)
            state, record = scheme.advance(state, window, observed, error)
            if on_window:
                on_window(record, state)
    return state


def create_scheme(
    model: Model,
    grid: Grid,
    operators: Sequence[ObservationOperator],
    settings: FilterSettings,
    steps: Sequence[int] | None = None,
) -> Scheme:
    """The filter that ``settings.scheme`` names."""
    recorder = Recorder(grid, model.parameters, operators, settings.control_vector)
    if settings.scheme == "ensrf":
        return EnsembleSquareRootFilter(model, grid, operators, settings, steps, recorder)
    return ExtendedKalmanFilter(model, grid, operators, settings, steps, recorder)


def values_of_window(values: WindowValues | None, number: int, state: FilterState) -> Tensor | None:
    """The values of one window like the state; None when there are none at all."""
    return None if values is None else values[number].to(state.land.leaf_area_index)


def check_operators(
    operators: Sequence[ObservationOperator], settings: FilterSettings, steps: Sequence[int] | None
) -> None:
    """``InputError`` unless every operator has its time, its error and no double."""
    if steps is not None and len(steps) != len(operators):
        raise InputError(f"{len(steps)} observation times for {len(operators)} operators: give one for each")
    seen = set()
    for number, operator in enumerate(operators):
        quantity = operator.quantity
        key = (quantity, None if steps is None else steps[number])
        if key in seen:
            raise InputError(f"two operators for {quantity}: give each observed quantity one operator at each time")
        seen.add(key)
        if quantity not in settings.observation_error:
            raise InputError(f"observation error of {quantity} is not set: add it to observation_error")
        if settings.observation_error[quantity].relative_to == "operator" and not operator.predicts_error:
            raise InputError(
                f"observation_error.{quantity}.relative_to: operator {operator.name!r} does not predict its error; "
                "choose another operator or another rule"
            )
