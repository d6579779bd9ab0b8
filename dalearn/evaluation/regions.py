"""Parts of the domain that are drawn side by side, and cells as an image on their regular grid."""

from dataclasses import dataclass

import numpy as np

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.maps import MINIMUM_MAP_CELLS, grid_spacing, unwrapped

FILLED_SHARE = 0.5
POSITION_TOLERANCE = 0.2  # of the grid spacing
_DIGITS = 4
_NEAR = 0.5  # degrees; the number of steps between cells further apart is not certain


@dataclass(frozen=True)
class Region:
    """``cells`` (cell in region,) indices; ``name`` "" for the whole domain."""

    name: str
    cells: np.ndarray


@dataclass(frozen=True)
class Raster:
    """Cells on a regular grid: ``row``, ``column`` (cell,), ``latitude`` and ``longitude`` the edges in degrees."""

    row: np.ndarray
    column: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.latitude) - 1, len(self.longitude) - 1

    def image(self, values: np.ndarray) -> np.ndarray:
        """``values`` (cell,) as (row, column), NaN where there is no cell."""
        result = np.full(self.shape, np.nan)
        result[self.row, self.column] = values
        return result

    def outline(self, inside: np.ndarray) -> np.ndarray:
        """Sides of the cells ``inside`` (cell,) that border on others: (side, 2, 2) longitudes and latitudes."""
        mask = np.zeros((self.shape[0] + 2, self.shape[1] + 2), dtype=bool)
        mask[1:-1, 1:-1][self.row[inside], self.column[inside]] = True
        row, column = np.nonzero(mask[1:, 1:-1] != mask[:-1, 1:-1])
        across = np.stack([self._points(row, column), self._points(row, column + 1)], axis=1)
        row, column = np.nonzero(mask[1:-1, 1:] != mask[1:-1, :-1])
        along = np.stack([self._points(row, column), self._points(row + 1, column)], axis=1)
        return np.concatenate([across, along])

    def _points(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        return np.stack([self.longitude[column], self.latitude[row]], axis=-1)


def raster_of(cells: Cells, chosen: np.ndarray) -> Raster | None:
    """The ``chosen`` cells (index) on their grid; None where they do not form one, or two share a place."""
    axes = [_axis(coordinate, chosen) for coordinate in (cells.latitude, unwrapped(cells.longitude))]
    if axes[0] is None or axes[1] is None:
        return None
    (row, latitude), (column, longitude) = axes[0], axes[1]
    if len({*zip(row.tolist(), column.tolist(), strict=True)}) < len(chosen):
        return None
    return Raster(row, column, latitude, longitude)


def areas_of(cells: Cells) -> list[Region]:
    """The named sub-domains in order of appearance; the whole domain where none is named."""
    names = np.array(cells.area)
    found = [name for name in dict.fromkeys(cells.area) if name]
    return [Region(name, np.flatnonzero(names == name)) for name in found] or [whole(cells)]


def map_regions(cells: Cells) -> list[Region]:
    """What maps show: the whole domain, or its sub-domains where most of what lies between them is not in the run.

    A few single cells outside, such as stations, are then on no map.
    """
    raster = raster_of(cells, np.arange(cells.count))
    rows, columns = raster.shape if raster is not None else (1, cells.count)
    areas = areas_of(cells)
    if cells.count >= FILLED_SHARE * rows * columns or not areas[0].name:
        return [whole(cells)]
    rest = np.flatnonzero(np.array([not name for name in cells.area]))
    return areas + ([Region("elsewhere", rest)] if rest.size >= MINIMUM_MAP_CELLS else [])


def whole(cells: Cells) -> Region:
    return Region("", np.arange(cells.count))


def _axis(every: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Index of the ``chosen`` coordinates on their axis and its edges in degrees; None where they have no even steps.

    The step is that of ``every`` coordinate of the run: a sub-domain may be too sparse to show it.
    """
    steps = np.diff(np.unique(np.round(every, _DIGITS)))
    if not steps.size:
        return None
    common = grid_spacing(every)
    single = steps[np.abs(steps - common) < 0.5 * common]
    typical = float(np.median(single)) if single.size else common
    coordinate = every[chosen]
    number = np.round(steps / typical)
    near = (number > 0) & (number * typical < _NEAR)
    spacing = steps[near].sum() / number[near].sum() if near.any() else typical
    start = coordinate.min()
    index = np.round((coordinate - start) / spacing).astype(int)
    if np.any(np.abs(coordinate - start - index * spacing) > POSITION_TOLERANCE * spacing):
        return None
    return index, start + (np.arange(index.max() + 2) - 0.5) * spacing
