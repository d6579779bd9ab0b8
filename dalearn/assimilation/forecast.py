"""Running the land model over a window: the open loop, the spin-up and every forecast of the filter."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor

from dalearn.assimilation.cell_means import CellMeans
from dalearn.grid import Grid
from dalearn.land.state import Fluxes, Forcing, LandParameters, LandState
from dalearn.tree import concatenate_columns, select_columns

# Columns that go through the whole window before the next ones: few enough that the processor keeps them near
COLUMNS_AT_ONCE = 8192


class Model(Protocol):
    """What the filter asks of a land model; ``dalearn.land.model.LandModel`` is one."""

    parameters: LandParameters

    def step(self, state: LandState, forcing: Forcing, first_of_day: bool) -> tuple[LandState, Fluxes]: ...

    def with_parameters(self, parameters: LandParameters) -> Self: ...

    def prepare_state(self, state: LandState) -> LandState: ...


class Window(Protocol):
    """The forcing of consecutive model steps; ``dalearn.land.window.ForcingWindow`` is one."""

    @property
    def first_of_day(self) -> Sequence[bool]: ...

    @property
    def times(self) -> np.ndarray: ...  # step ends, (step,) datetime64 UTC

    def __len__(self) -> int: ...

    def forcing(self, step: int, cell_of_column: Tensor) -> Forcing: ...

    def to(self, *, dtype: torch.dtype) -> Self: ...


@dataclass(frozen=True)
class Record:
    """What to record of a run: cell means of ``names`` (state variables or fluxes) after every ``every`` steps."""

    names: tuple[str, ...]
    every: int = 1


def integrate(
    model: Model, grid: Grid, state: LandState, window: Window, record: Record | None = None
) -> tuple[LandState, dict[str, Tensor]]:
    """The state at the end of ``window`` and the recorded cell means, each ``(time, cell)``.

    Times are step ends: record i is the state after step ``(i + 1) * every``, and fluxes of that step.
    """
    cuts = _cuts(grid)
    if len(cuts) == 2:
        return _integrate(model, grid, state, window, grid.cell_of_column, record)
    runs = []
    for first, last in pairwise(cuts):
        columns = grid.columns_of(first, last)
        part = model.with_parameters(select_columns(model.parameters, columns))
        cell_of_column = grid.cell_of_column[columns]
        begin = select_columns(state, columns)
        runs.append(_integrate(part, grid.part(first, last), begin, window, cell_of_column, record))
    series = {name: torch.cat([means[name] for _, means in runs], dim=-1) for name in runs[0][1]}
    return concatenate_columns([end for end, _ in runs]), series


def _integrate(
    model: Model, grid: Grid, state: LandState, window: Window, cell_of_column: Tensor, record: Record | None
) -> tuple[LandState, dict[str, Tensor]]:
    means = CellMeans(grid, model.parameters, record.names) if record else None
    rows = []
    for step in range(len(window)):
        forcing = window.forcing(step, cell_of_column)
        state, fluxes = model.step(state, forcing, window.first_of_day[step])
        if record and means and (step + 1) % record.every == 0:
            rows.append(means(state, fluxes))
    if not record or not rows:
        return state, {}
    return state, dict(zip(record.names, torch.stack(rows, dim=1), strict=True))


def _cuts(grid: Grid) -> list[int]:
    """Cells between which a domain is cut, both ends included, so that one part after the other can run the window."""
    if grid.cell_of_column.device.type != "cpu":
        return [0, grid.cell_count]
    last_of_part = grid.cell_of_column[COLUMNS_AT_ONCE - 1 :: COLUMNS_AT_ONCE].tolist()
    return sorted({0, *last_of_part, grid.cell_count})


def states_after(
    model: Model, state: LandState, window: Window, cell_of_column: Tensor, steps: Collection[int]
) -> dict[int, LandState]:
    """The states after the given numbers of steps; ``cell_of_column`` (column,) chooses the forcing of a column."""
    states = {}
    for step in range(len(window)):
        state, _ = model.step(state, window.forcing(step, cell_of_column), window.first_of_day[step])
        if step + 1 in steps:
            states[step + 1] = state
    return states
