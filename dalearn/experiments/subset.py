"""A part of an experiment, or more than the whole: any cells, repeated as often as wanted, ready to be run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import torch

from dalearn.grid import Grid
from dalearn.land.model import LandModel
from dalearn.land.state import LandState
from dalearn.land.window import ForcingWindow
from dalearn.operators import ObservationOperator
from dalearn.tree import select_columns


@dataclass(frozen=True)
class Subset:
    """``cells`` of ``grid``, one after the other; a cell may come more than once."""

    cells: tuple[int, ...]
    columns: torch.Tensor  # (column,) index into the columns of the whole
    grid: Grid

    def model(self, model: LandModel) -> LandModel:
        return model.with_parameters(select_columns(model.parameters, self.columns))

    def state(self, state: LandState) -> LandState:
        return select_columns(state, self.columns)

    def window(self, window: ForcingWindow) -> ForcingWindow:
        return replace(window, values=window.values[..., list(self.cells)])

    def operators(self, operators: Sequence[ObservationOperator]) -> list[ObservationOperator]:
        return [operator.select_cells(list(self.cells)) for operator in operators]


def take_cells(grid: Grid, cells: Sequence[int]) -> Subset:
    """The chosen cells of ``grid``."""
    of_cell = [torch.nonzero(grid.cell_of_column == cell).flatten() for cell in range(grid.cell_count)]
    columns = torch.cat([of_cell[cell] for cell in cells])
    lengths = torch.tensor([len(of_cell[cell]) for cell in cells])
    index = np.array(cells)
    part = Grid(
        latitude=grid.latitude[index],
        longitude=grid.longitude[index],
        cell_of_column=torch.repeat_interleave(torch.arange(len(cells)), lengths).to(grid.cell_of_column.device),
        patch_of_column=grid.patch_of_column[columns],
        fraction=grid.fraction[columns],
    )
    return Subset(tuple(cells), columns, part)


def take_columns(grid: Grid, columns: int) -> Subset:
    """As many cells, from the first on and round again, as give at least ``columns`` columns."""
    per_cell = torch.bincount(grid.cell_of_column.cpu(), minlength=grid.cell_count).tolist()
    cells: list[int] = []
    total = 0
    for number in count():
        if total >= columns:
            return take_cells(grid, cells)
        cells.append(number % grid.cell_count)
        total += per_cell[cells[-1]]
    raise AssertionError
