"""The value of a raster at the centre of each cell: of the nearest pixel, or bilinear between valid ones."""

import numpy as np

from dalearn.observations.account import Account
from dalearn.observations.raster import PIXELS_AT_ONCE, CellValues, PixelReader
from dalearn.observations.raster_grid import RasterGrid
from dalearn.observations.request import ProductRequest


class RasterInterpolation:
    """Takes rasters of one ``grid`` to the cells ``latitude`` and ``longitude`` (cell,), in degrees.

    ``aggregate: bilinear`` weights the four pixels around a cell; the weights of the valid ones must add up to
    ``valid_fraction`` and are renormalised.  A cell less than half a pixel beyond the outer centres is still covered.
    """

    def __init__(
        self, request: ProductRequest, account: Account, grid: RasterGrid, latitude: np.ndarray, longitude: np.ndarray
    ) -> None:
        self.account, self.grid = account, grid
        self._bilinear = request.aggregate == "bilinear"
        self._least = request.valid_fraction - 1e-9 if self._bilinear else 0.5
        row, column = grid.fractional_index(latitude, longitude)
        rows, columns = len(grid.y), len(grid.x)
        across = np.ones(len(row), bool) if grid.wraps else (column >= -0.5) & (column <= columns - 0.5)
        self.covered = np.flatnonzero((row >= -0.5) & (row <= rows - 0.5) & across)
        row, column = row[self.covered], column[self.covered]
        base = np.floor if self._bilinear else np.rint
        self._row = np.clip(base(row), 0, rows - 1).astype(np.int64)
        self._column = base(column).astype(np.int64)
        self._up = np.clip(row - self._row, 0.0, 1.0) if self._bilinear else np.zeros(len(row))
        self._right = column - self._column if self._bilinear else np.zeros(len(row))

    def __call__(self, read: PixelReader) -> CellValues:
        """The values of one raster, of which ``read`` gives a window of pixels."""
        count = len(self.covered)
        sums, heaviest, reason = np.zeros((5, count)), np.zeros(count), np.zeros(count, np.int8)
        band = max(PIXELS_AT_ONCE // len(self.grid.x), 1)
        for first in range(0, len(self.grid.y), band):
            at = np.flatnonzero((self._row >= first) & (self._row < first + band))
            if len(at):
                self._gather(read, at, sums, heaviest, reason)
        weight, value, squared, other_weight, of_others = sums
        enough = weight >= self._least
        rejected = np.where(enough, 0, reason).astype(np.int8)
        if (few := ~enough & (weight > 0.0)).any():
            rejected[few] = self.account.code("too_few_valid")
        # a rejected cell keeps what its rejected pixels say
        aside = of_others / np.where(other_weight > 0.0, other_weight, np.nan)
        weight = np.where(weight > 0.0, weight, np.nan)
        mean = np.where(np.isfinite(weight), value / weight, aside)
        return CellValues(self.covered, mean.astype(np.float32), np.sqrt(squared / weight).astype(np.float32), rejected)

    def _gather(
        self, read: PixelReader, at: np.ndarray, sums: np.ndarray, heaviest: np.ndarray, reason: np.ndarray
    ) -> None:
        """Add the pixels around the cells ``at`` to the sums: weights, weighted values and squared errors of the valid
        ones, weights and weighted values of the others that have a value."""
        corners = [(0, 0), (0, 1), (1, 0), (1, 1)] if self._bilinear else [(0, 0)]
        last = len(self.grid.y) - 1
        columns = {right: self._on_raster(self._column[at] + right) for _, right in corners}
        used = np.concatenate(list(columns.values()))
        south = self._row[at]
        rows = slice(int(south.min()), int(min(south.max() + self._bilinear, last)) + 1)
        pixels = read(rows, slice(int(used.min()), int(used.max()) + 1))
        for up, right in corners:
            weight = self._up[at] if up else 1.0 - self._up[at]
            weight = weight * (self._right[at] if right else 1.0 - self._right[at])
            pixel = np.minimum(south + up, last) - rows.start, columns[right] - used.min()
            code = pixels.rejected[pixel]
            valid = np.where(code == 0, weight, 0.0)
            error = np.nan if pixels.error is None else pixels.error[pixel].astype(np.float64)
            sums[0, at] += valid
            sums[1, at] += np.where(code == 0, valid * pixels.value[pixel], 0.0)
            sums[2, at] += np.where(code == 0, valid * np.square(error), 0.0)
            aside = np.where((code > 0) & np.isfinite(pixels.value[pixel]), weight, 0.0)
            sums[3, at] += aside
            sums[4, at] += np.where(aside > 0.0, aside * pixels.value[pixel], 0.0)
            heavier = (code > 0) & (weight > heaviest[at])
            heaviest[at] = np.where(heavier, weight, heaviest[at])
            reason[at] = np.where(heavier, code, reason[at])

    def _on_raster(self, column: np.ndarray) -> np.ndarray:
        count = len(self.grid.x)
        return column % count if self.grid.wraps else np.clip(column, 0, count - 1)
