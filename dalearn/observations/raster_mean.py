"""Means of the valid pixels of a raster in each cell, with a rule for how many must be valid.

The pixels of a cell are those in its box when the cells lie on a regular grid, else those for which it is the nearest
cell within the tolerance.
"""

from collections.abc import Callable, Iterator

import numpy as np

from dalearn.observations.account import Account
from dalearn.observations.cell_boxes import cell_boxes
from dalearn.observations.nearest import EARTH_RADIUS, NearestCells
from dalearn.observations.raster import LAND_COVER, PIXELS_AT_ONCE, CellValues, PixelReader
from dalearn.observations.raster_grid import RasterGrid
from dalearn.observations.request import ProductRequest

PIXELS_REMEMBERED = 30_000_000


class RasterMean:
    """Averages rasters of one ``grid`` over the cells ``latitude`` and ``longitude`` (cell,), in degrees.

    A mean needs ``valid_fraction`` of the pixels of its cell, those of other land covers not counted.  Cells without
    a valid pixel get the most frequent reason of their pixels.
    """

    def __init__(
        self, request: ProductRequest, account: Account, grid: RasterGrid, latitude: np.ndarray, longitude: np.ndarray
    ) -> None:
        self.request, self.account, self.grid = request, account, grid
        self.latitude, self.longitude = latitude, longitude
        self._boxes = cell_boxes(latitude, longitude)
        self._nearest = NearestCells(latitude, longitude)
        self._window = self._rows_and_columns()
        self._maps: dict[tuple[int, int], np.ndarray] = {}
        self._total = self._pixels_of_cells()
        self.covered = np.flatnonzero(self._total > 0)

    def _rows_and_columns(self) -> tuple[slice, list[slice]]:
        """The rows and the runs of columns in which pixels of the cells may lie."""
        grid = self.grid
        if grid.projection is not None:
            return slice(0, len(grid.y)), [slice(0, len(grid.x))]
        if self._boxes is not None:
            rows, columns = self._boxes.rows(grid.y) >= 0, self._boxes.columns(grid.x) >= 0
        else:
            margin = np.rad2deg(self.request.tolerance_km / EARTH_RADIUS)
            low, high = self.latitude.min() - margin, self.latitude.max() + margin
            rows = (grid.y >= low) & (grid.y <= high)
            polar = max(abs(low), abs(high)) >= 89.0
            wide = 360.0 if polar else margin / np.cos(np.deg2rad(max(abs(low), abs(high))))
            columns = np.zeros(len(grid.x), bool)
            spread = np.unique(np.round(self.longitude % 360.0, 2))
            for longitude in spread:
                columns |= np.abs((grid.x - longitude + 180.0) % 360.0 - 180.0) <= wide + 0.01
        at = np.flatnonzero(rows)
        if not len(at) or not columns.any():
            return slice(0, 0), []
        edge = np.flatnonzero(np.diff(np.concatenate([[0], columns.astype(np.int8), [0]])))
        runs = [slice(int(first), int(end)) for first, end in zip(edge[::2], edge[1::2], strict=True)]
        return slice(int(at[0]), int(at[-1]) + 1), runs

    def _windows(self) -> Iterator[tuple[slice, slice]]:
        rows, runs = self._window
        for columns in runs:
            step = max(PIXELS_AT_ONCE // (columns.stop - columns.start), 1)
            for first in range(rows.start, rows.stop, step):
                yield slice(first, min(first + step, rows.stop)), columns

    def _cells_of(self, rows: slice, columns: slice) -> np.ndarray:
        """Cell of every pixel of a window, (row, column), -1 for none."""
        key = rows.start, columns.start
        if key in self._maps:
            return self._maps[key]
        if self._boxes is not None and self.grid.projection is None:
            found = self._boxes.cells(
                self._boxes.rows(self.grid.y[rows])[:, None], self._boxes.columns(self.grid.x[columns])[None, :]
            )
        else:
            latitude, longitude = self.grid.positions(rows, columns)
            if self._boxes is not None:
                found = self._boxes.cells(self._boxes.rows(latitude), self._boxes.columns(longitude))
            else:
                near, _ = self._nearest.query(latitude.ravel(), longitude.ravel(), self.request.tolerance_km)
                found = near.reshape(latitude.shape)
        found = found.astype(np.int32)
        if sum(known.size for known in self._maps.values()) + found.size <= PIXELS_REMEMBERED:
            self._maps[key] = found
        return found

    def _pixels_of_cells(self) -> np.ndarray:
        """How many pixels each cell should have (cell,); a box partly off the raster counts those it would have."""
        total = np.zeros(len(self.latitude), np.int64)
        for rows, columns in self._windows():
            cell = self._cells_of(rows, columns).ravel()
            total += np.bincount(cell[cell >= 0], minlength=len(total))
        boxes, grid = self._boxes, self.grid
        if boxes is None or grid.projection is not None:
            return total
        turn = 360.0 * np.round((boxes.west - grid.x[0]) / 360.0)
        row = _expected(grid.y[0], abs(grid.dy), boxes.south, boxes.dy, boxes.table.shape[0], boxes.rows)
        column = _expected(grid.x[0] + turn, abs(grid.dx), boxes.west, boxes.dx, boxes.table.shape[1], boxes.columns)
        full = np.outer(row, column)
        at = boxes.table >= 0
        expected = np.zeros(len(total), np.int64)
        expected[boxes.table[at]] = full[at]
        return np.where(total > 0, np.maximum(total, expected), 0)

    def __call__(self, read: PixelReader) -> CellValues:
        """The means of one raster, of which ``read`` gives a window of pixels."""
        count = len(self.latitude)
        number, value, squared = np.zeros(count, np.int64), np.zeros(count), np.zeros(count)
        others, of_others = np.zeros(count, np.int64), np.zeros(count)
        reasons: dict[int, np.ndarray] = {}
        for rows, columns in self._windows():
            cell, pixels = self._cells_of(rows, columns).ravel(), read(rows, columns)
            rejected, values = pixels.rejected.ravel(), pixels.value.ravel()
            inside = cell >= 0
            use = inside & (rejected == 0)
            number += np.bincount(cell[use], minlength=count)
            value += np.bincount(cell[use], values[use], minlength=count)
            if pixels.error is not None:
                squared += np.bincount(cell[use], pixels.error.ravel()[use].astype(np.float64) ** 2, minlength=count)
            else:
                squared[:] = np.nan
            aside = cell[(told := inside & ~use & np.isfinite(values))]
            if len(aside):
                others += np.bincount(aside, minlength=count)
                of_others += np.bincount(aside, values[told], minlength=count)
            for code in np.flatnonzero(np.bincount(rejected[inside & ~use], minlength=1)).tolist():
                with_code = np.bincount(cell[inside & (rejected == code)], minlength=count).astype(np.int32)
                reasons[code] = reasons.get(code, 0) + with_code
        total = self._total
        if LAND_COVER in self.account.names:
            total = total - reasons.get(self.account.code(LAND_COVER), 0)
        covered = self.covered
        number, total = number[covered], total[covered]
        some = np.maximum(number, 1)
        # a rejected cell keeps what its rejected pixels say
        aside = np.where(others > 0, of_others / np.maximum(others, 1), np.nan)[covered]
        mean = np.where(number > 0, value[covered] / some, aside).astype(np.float32)
        error = np.where(number > 0, np.sqrt(squared[covered] / some), np.nan).astype(np.float32)
        rejected = np.zeros(len(covered), np.int8)
        most = np.zeros(len(covered), np.int64)
        for code, pixels_with in reasons.items():
            larger = (number == 0) & (pixels_with[covered] > most)
            rejected[larger], most[larger] = code, pixels_with[covered][larger]
        too_few = (number > 0) & (number < self.request.valid_fraction * total)
        rejected[too_few] = self.account.code("too_few_valid")
        return CellValues(covered, mean, error, rejected)


def _expected(
    start: float, step: float, edge: float, size: float, count: int, number: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """How many points of an endless axis lie in each of ``count`` boxes (box,)."""
    first = np.floor((edge - start) / step) - 1
    axis = start + step * (first + np.arange(int(np.ceil(count * size / step)) + 4))
    axis = axis[(axis >= edge - 1e-6 * size) & (axis < edge + count * size - 1e-6 * size)]
    boxes = number(axis)
    return np.bincount(boxes[boxes >= 0], minlength=count)
