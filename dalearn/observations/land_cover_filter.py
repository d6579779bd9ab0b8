"""Which pixels of a raster are of the wanted land cover, from a map of classes (CGLS-LC100 or ESA-CCI) in netCDF."""

from pathlib import Path

import numpy as np

from dalearn.io import reading
from dalearn.observations.packed import need, raw
from dalearn.observations.raster_grid import RasterGrid, read_grid

LAYERS = ("discrete_classification", "Discrete-Classification-map", "lccs_class", "land_cover", "Band1")
PIXELS_REMEMBERED = 60_000_000


class LandCoverFilter:
    """The pixels whose nearest land cover pixel is one of ``classes``."""

    def __init__(self, path: Path, classes: list[int]) -> None:
        self.path, self.classes = path, classes
        with reading(path) as dataset:
            self.layer = need(dataset, *LAYERS)
            self.grid = read_grid(dataset, self.layer)
        self._known: dict[tuple[int, int, int, int], np.ndarray] = {}
        self._of: RasterGrid | None = None

    def wanted(self, grid: RasterGrid, rows: slice, columns: slice) -> np.ndarray:
        """(row, column) whether each pixel of a window of ``grid`` counts; false beyond the map."""
        if not grid.same(self._of):
            self._known, self._of = {}, grid
        key = rows.start, rows.stop, columns.start, columns.stop
        if key not in self._known:
            found = self._read(grid, rows, columns)
            if sum(known.size for known in self._known.values()) + found.size > PIXELS_REMEMBERED:
                return found
            self._known[key] = found
        return self._known[key]

    def _read(self, grid: RasterGrid, rows: slice, columns: slice) -> np.ndarray:
        latitude, longitude = grid.positions(rows, columns)
        row, column = (np.rint(index).astype(np.int64) for index in self.grid.fractional_index(latitude, longitude))
        inside = (row >= 0) & (row < len(self.grid.y)) & (column >= 0) & (column < len(self.grid.x))
        result = np.zeros(latitude.shape, bool)
        if inside.any():
            first, west = row[inside].min(), column[inside].min()
            window = slice(int(first), int(row[inside].max()) + 1), slice(int(west), int(column[inside].max()) + 1)
            with reading(self.path) as dataset:
                leading = (0,) * (dataset[self.layer].ndim - 2)
                codes = raw(dataset, self.layer, (*leading, *window))
            result[inside] = np.isin(codes[row[inside] - first, column[inside] - west], self.classes)
        return result
