"""Cells, patches and columns.

A column is a (cell, patch) pair with a positive fraction.  The land model sees columns; operators and the
filter see cells.  ``Grid`` knows which column belongs to which cell and averages columns to cells.
"""

import functools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

PATCH_COUNT = 12
PATCH_NAMES = (
    "bare soil",
    "rock",
    "permanent snow",
    "deciduous broadleaf trees",
    "needleleaf trees",
    "tropical evergreen trees",
    "C3 crops",
    "C4 crops",
    "irrigated crops",
    "C3 grassland",
    "C4 grassland",
    "wetlands and parks",
)


def sum_in_order(values: Tensor, dim: int) -> Tensor:
    """The sum along a short axis, one element after the other.

    Torch chooses the order by the lengths of the other axes, so that the number of cells would show in the last bit.
    """
    return functools.reduce(torch.add, values.unbind(dim))


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the cells are and which columns they hold.

    Shapes: ``latitude``, ``longitude`` (cell,) degrees; ``cell_of_column`` (column,) index of the cell,
    ascending; ``patch_of_column`` (column,) SURFEX patch number 1..12; ``fraction`` (column,) of the land
    area of the cell, summing to 1 in every cell.  ``first_cell`` is the number of the first cell where these are
    consecutive cells of a larger domain.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    cell_of_column: Tensor
    patch_of_column: Tensor
    fraction: Tensor
    first_cell: int = 0

    @property
    def cell_count(self) -> int:
        return len(self.latitude)

    @property
    def column_count(self) -> int:
        return len(self.cell_of_column)

    @cached_property
    def slot_count(self) -> int:
        """Largest number of patches in one cell."""
        return int(torch.bincount(self.cell_of_column.cpu(), minlength=self.cell_count).max())

    @cached_property
    def column_of_slot(self) -> Tensor:
        """(slot, cell) column index of the s-th patch of each cell; ``column_count`` where there is none."""
        table = torch.full((self.slot_count, self.cell_count), self.column_count, dtype=torch.long)
        filled = [0] * self.cell_count
        for column, cell in enumerate(self.cell_of_column.tolist()):
            table[filled[cell], cell] = column
            filled[cell] += 1
        return table.to(self.cell_of_column.device)

    def to_slots(self, values: Tensor, fill: float = 0.0) -> Tensor:
        """Columns ``(..., column)`` laid out per cell as ``(..., slot, cell)``; ``fill`` where no patch is."""
        padding = values.new_full((*values.shape[:-1], 1), fill)
        return torch.cat([values, padding], dim=-1)[..., self.column_of_slot]

    def from_slots(self, values: Tensor) -> Tensor:
        """The inverse of ``to_slots``: ``(..., slot, cell)`` back to ``(..., column)``."""
        flat = values.flatten(-2)
        position = torch.arange(self.slot_count * self.cell_count, device=values.device)
        of_column = position.new_zeros(self.column_count + 1)
        of_column[self.column_of_slot.flatten()] = position
        return flat[..., of_column[:-1]]

    def cell_mean(self, values: Tensor) -> Tensor:
        """Fraction-weighted mean ``(..., column) -> (..., cell)``; a sum over slots, so deterministic."""
        return sum_in_order(self.to_slots(values * self.fraction.to(values.dtype)), -2)

    def to_columns(self, values: Tensor) -> Tensor:
        """The value of its cell for every column, ``(..., cell) -> (..., column)``."""
        return values[..., self.cell_of_column]

    def columns_of(self, first: int, last: int) -> slice:
        """The columns of the cells ``first <= cell < last``."""
        bounds = torch.tensor([first, last], device=self.cell_of_column.device)
        return slice(*torch.searchsorted(self.cell_of_column.contiguous(), bounds).tolist())

    def part(self, first: int, last: int) -> "Grid":
        """The cells ``first <= cell < last``, which know where they lie in the whole."""
        columns = self.columns_of(first, last)
        return Grid(
            latitude=self.latitude[first:last],
            longitude=self.longitude[first:last],
            cell_of_column=self.cell_of_column[columns] - first,
            patch_of_column=self.patch_of_column[columns],
            fraction=self.fraction[columns],
            first_cell=self.first_cell + first,
        )

    def to(self, device: torch.device | str) -> "Grid":
        return Grid(
            latitude=self.latitude,
            longitude=self.longitude,
            cell_of_column=self.cell_of_column.to(device),
            patch_of_column=self.patch_of_column.to(device),
            fraction=self.fraction.to(device),
            first_cell=self.first_cell,
        )
