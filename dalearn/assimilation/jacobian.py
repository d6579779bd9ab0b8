"""Window Jacobians for a whole domain: the choice of back end, and bounded memory by chunks of cells."""

from collections.abc import Callable, Sequence
from functools import partial

import torch

from dalearn.assimilation.backends import BACKENDS, Linearisation, WindowProblem
from dalearn.assimilation.control import DEFAULT_CONTROL, DEFAULT_PERTURBATION, ControlVector, PerturbationSettings
from dalearn.assimilation.forecast import Model, Window
from dalearn.assimilation.memory import LARGEST_STEP, automatic_chunk, saved_bytes_per_column
from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.state import LandState
from dalearn.operators import ObservationOperator
from dalearn.tree import concatenate_columns, select_columns, tile_columns


class WindowJacobian:
    """``jacobian(model, state, window) -> Linearisation`` for fixed cells, operators and control variables.

    Args:
        grid: the cells and their columns.
        operators: one per observed quantity.
        control: control variables.
        backend: ``finite_differences`` (the reference, float64) or ``autograd``.
        perturbation: sizes, for finite differences.
        chunk_cells: number of cells worked on at a time, to bound memory; found from the free memory when None.
        steps: per operator, the number of model steps after which the quantity is observed; window end when None.
        transition: compute M = d x(t1) / d x(t0) as well.
    """

    def __init__(
        self,
        grid: Grid,
        operators: Sequence[ObservationOperator],
        control: ControlVector = DEFAULT_CONTROL,
        *,
        backend: str = "finite_differences",
        perturbation: PerturbationSettings = DEFAULT_PERTURBATION,
        chunk_cells: int | None = None,
        steps: Sequence[int] | None = None,
        transition: bool = False,
    ) -> None:
        if backend not in BACKENDS:
            raise InputError(f"jacobian: {backend!r} is not known, choose one of {', '.join(BACKENDS)}")
        if chunk_cells is not None and chunk_cells < 1:
            raise InputError(f"chunk_cells is {chunk_cells}: use 1 or more, or null for as many as memory allows")
        self.grid = grid
        self.operators = list(operators)
        self.control = control
        self.backend = backend
        self.function: Callable[[WindowProblem], Linearisation] = BACKENDS[backend]
        self.perturbation = perturbation
        self.chunk_cells = chunk_cells
        self.steps = steps
        self.transition = transition
        self._prepared: tuple[Model, int, list[_Chunk]] | None = None

    def __call__(self, model: Model, state: LandState, window: Window) -> Linearisation:
        parts = [self.function(self._problem(chunk, state, window)) for chunk in self._chunks(model, state, window)]
        if len(parts) == 1:
            return parts[0]
        predictors = zip(*(part.predictors for part in parts), strict=True)
        transitions = [part.transition for part in parts if part.transition is not None]
        return Linearisation(
            forecast=concatenate_columns([part.forecast for part in parts]),
            predictors=tuple(torch.cat(means, dim=-1) for means in predictors),
            model_equivalent=torch.cat([part.model_equivalent for part in parts], dim=-1),
            jacobian=torch.cat([part.jacobian for part in parts], dim=-1),
            transition=torch.cat(transitions, dim=-1) if transitions else None,
        )

    @property
    def _copies(self) -> int:
        """Columns run for every column: the control run and one per control variable."""
        return len(self.control.names) + 1

    def chunk_size(self, model: Model, state: LandState, window: Window) -> int:
        """Cells worked on at a time: as set, or from the memory that is free now."""
        if self.chunk_cells is not None:
            return self.chunk_cells
        kept_steps, copies = (len(window), 1) if self.backend == "autograd" else (1, self._copies)
        chunk = partial(automatic_chunk, self.grid, copies=copies, item_size=state.soil_moisture.element_size())
        if chunk(LARGEST_STEP * kept_steps) == self.grid.cell_count:
            return self.grid.cell_count
        return chunk(kept_steps * saved_bytes_per_column(model, self.grid, state, window))

    def _chunks(self, model: Model, state: LandState, window: Window) -> list["_Chunk"]:
        """The chunks with their models; kept until another model or length of window comes."""
        if self._prepared is None or self._prepared[0] is not model or self._prepared[1] != len(window):
            size = self.chunk_size(model, state, window)
            starts = range(0, self.grid.cell_count, size)
            cells = [range(first, min(first + size, self.grid.cell_count)) for first in starts]
            self._prepared = model, len(window), [_Chunk(model, self.grid, part, self._copies) for part in cells]
        return self._prepared[2]

    def _problem(self, chunk: "_Chunk", state: LandState, window: Window) -> WindowProblem:
        return WindowProblem(
            model=chunk.model,
            grid=chunk.grid,
            state=state if chunk.whole else select_columns(state, chunk.columns),
            window=window,
            cell_of_column=self.grid.cell_of_column[chunk.columns],
            operators=self.operators if chunk.whole else [o.select_cells(list(chunk.cells)) for o in self.operators],
            steps=self.steps or [len(window)] * len(self.operators),
            control=self.control,
            perturbation=self.perturbation,
            tiled_model=chunk.tiled_model,
            transition=self.transition,
        )


class _Chunk:
    """Consecutive cells: their columns, their part of the grid and their models."""

    def __init__(self, model: Model, grid: Grid, cells: range, copies: int) -> None:
        self.cells = cells
        self.columns = grid.columns_of(cells.start, cells.stop)
        self.copies = copies
        self.whole = len(cells) == grid.cell_count
        self._tiled: Model | None = None
        if self.whole:
            self.grid, self.model = grid, model
            return
        self.model = model.with_parameters(select_columns(model.parameters, self.columns))
        self.grid = grid.part(cells.start, cells.stop)

    def tiled_model(self) -> Model:
        """The model of all copies; made once for the whole domain, but not kept for each of many chunks."""
        if self._tiled is not None:
            return self._tiled
        tiled = self.model.with_parameters(tile_columns(self.model.parameters, self.copies))
        self._tiled = tiled if self.whole else None
        return tiled


def window_jacobian(
    model: Model,
    grid: Grid,
    state: LandState,
    window: Window,
    operators: Sequence[ObservationOperator],
    control: ControlVector = DEFAULT_CONTROL,
    *,
    backend: str = "finite_differences",
    perturbation: PerturbationSettings = DEFAULT_PERTURBATION,
    chunk_cells: int | None = None,
    steps: Sequence[int] | None = None,
) -> Linearisation:
    """The Jacobian of one window; use ``WindowJacobian`` for several windows of the same cells."""
    jacobian = WindowJacobian(
        grid, operators, control, backend=backend, perturbation=perturbation, chunk_cells=chunk_cells, steps=steps
    )
    return jacobian(model, state, window)
