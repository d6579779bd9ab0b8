"""The cells of a regular grid as boxes between latitudes and longitudes."""

from dataclasses import dataclass

import numpy as np

SAME = 1e-6  # degrees; also the share of a box by which an edge may be missed


@dataclass(frozen=True, eq=False)
class CellBoxes:
    """Boxes of ``dy`` by ``dx`` degrees from ``south`` and ``west`` (edges); ``table`` (row, column) holds the number
    of the cell, -1 where there is none (sea, left out).
    """

    south: float
    west: float
    dy: float
    dx: float
    table: np.ndarray

    def rows(self, latitude: np.ndarray) -> np.ndarray:
        """Row of the box of each latitude, -1 outside."""
        row = np.floor((latitude - self.south) / self.dy + SAME).astype(np.int64)
        return np.where((row >= 0) & (row < self.table.shape[0]), row, -1)

    def columns(self, longitude: np.ndarray) -> np.ndarray:
        """Column of the box of each longitude, counted either way, -1 outside."""
        column = np.floor(((longitude - self.west + SAME) % 360.0) / self.dx + SAME).astype(np.int64)
        return np.where(column < self.table.shape[1], column, -1)

    def cells(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Cell of every pair of ``rows`` and ``columns``, which broadcast; -1 outside."""
        found = self.table[rows, columns]
        return np.where((rows >= 0) & (columns >= 0), found, -1)


def cell_boxes(latitude: np.ndarray, longitude: np.ndarray) -> CellBoxes | None:
    """The boxes of cells (cell,) that lie on a regular grid; None for other cells, single ones for instance."""
    rows = _levels(latitude)
    west = _start(longitude)
    columns = _levels((longitude - west + SAME) % 360.0 - SAME)
    if rows is None or columns is None:
        return None
    south, dy, row = rows
    first, dx, column = columns
    if len(np.unique(row * (column.max() + 1) + column)) < len(row):
        return None
    table = np.full((int(row.max()) + 1, int(column.max()) + 1), -1, np.int64)
    table[row, column] = np.arange(len(row))
    return CellBoxes(south - dy / 2.0, west + first - dx / 2.0, dy, dx, table)


def _start(longitude: np.ndarray) -> float:
    """The westernmost longitude: the one after the largest gap round the globe."""
    around = np.unique(np.round(np.asarray(longitude) % 360.0, 9))
    gaps = np.diff(np.append(around, around[0] + 360.0))
    return float(around[(int(np.argmax(gaps)) + 1) % len(around)])


def _levels(values: np.ndarray) -> tuple[float, float, np.ndarray] | None:
    """First value, spacing and number of each of evenly spaced values with holes; None when they are not."""
    levels = np.unique(np.round(values, 6))
    if len(levels) < 2:
        return None
    smallest = float(np.diff(levels).min())
    number = np.round((levels - levels[0]) / smallest)
    spacing = float(levels[-1] - levels[0]) / float(number[-1])
    if not (np.abs(levels - levels[0] - number * spacing) <= 1e-3 * spacing).all():
        return None
    return float(levels[0]), spacing, np.round((np.asarray(values) - levels[0]) / spacing).astype(np.int64)
