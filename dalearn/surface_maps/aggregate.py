"""From the pixels of maps to the cells that hold their centres, block by block."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dalearn.errors import InputError
from dalearn.regular_grid import RegularGrid, bilinear
from dalearn.surface_maps.legends import Legend
from dalearn.surface_maps.raster import VALUES_PER_BLOCK, Block, Raster
from dalearn.surface_maps.target import TargetGrid

LARGEST_CODE = 255
Counted = Callable[[np.ndarray, np.ndarray], np.ndarray]  # latitudes, longitudes -> (row, column) mask


@dataclass(frozen=True, eq=False)
class Quantity:
    """A map of numbers: ``factor`` makes them SI, then they must lie in ``low`` to ``high``.

    The value ``ignored`` stands for nothing.
    """

    source: Raster
    factor: float
    low: float
    high: float
    ignored: float | None = None

    def values(self, rows: slice, columns: slice) -> np.ndarray:
        """(row, column), NaN where undefined; InputError for a value out of range."""
        values = self.source.read(rows, columns) * self.factor
        wrong = (values < self.low) | (values > self.high)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            latitude = self.source.grid.latitude[rows][row]
            longitude = self.source.grid.longitude[columns][column]
            units = str(getattr(self.source.variable, "units", "")) or "no units"
            raise InputError(
                f"{self.source.label} is {values[row, column] / self.factor:g} ({units}) at {latitude:.4f} "
                f"{longitude:.4f}, outside {self.low / self.factor:g} to {self.high / self.factor:g}; correct the "
                "values, their units or their fill value"
            )
        if self.ignored is not None:
            values[values == self.ignored] = np.nan
        return values


class ClassMap:
    """A map of classes and the places of each of them."""

    def __init__(self, source: Raster, legend: Legend) -> None:
        for name in ("scale_factor", "add_offset"):
            if hasattr(source.variable, name):
                raise InputError(f"{source.label} has a {name}; give a map of the codes of {legend.name}")
        self.source = source
        self.legend = legend
        self.position = np.full(LARGEST_CODE + 1, -1)
        self.position[legend.codes] = np.arange(len(legend.codes))
        self.fill = getattr(source.variable, "_FillValue", np.nan)
        if source.variable.dtype == np.int8:
            self.fill = np.asarray(self.fill).astype(np.int8).view(np.uint8)

    def classes(self, rows: slice, columns: slice) -> np.ndarray:
        """Number of the class in the legend, (row, column); InputError for a code that it lacks."""
        codes = self.source.read_codes(rows, columns)
        known = (codes >= 0) & (codes <= LARGEST_CODE)
        whole = np.where(known, codes, 0).astype(np.int64)
        number = np.where(known & (whole == codes), self.position[whole], -1)
        number[(codes == self.fill) | (codes != codes)] = np.flatnonzero(self.legend.no_data)[0]
        if (number < 0).any():
            row, column = np.argwhere(number < 0)[0]
            raise InputError(
                f"{self.source.label} is {codes[row, column]:g} at {self.source.grid.latitude[rows][row]:.4f} "
                f"{self.source.grid.longitude[columns][column]:.4f}, no class of {self.legend.name}; set "
                "prepare.surface.classes to the legend of this map, or correct it"
            )
        return number

    def counts(self, target: TargetGrid) -> np.ndarray:
        """Pixels of every class in every cell, (cell, class)."""
        total = np.zeros((*target.shape, len(self.legend.codes)), np.uint32)
        for block in self.source.blocks(target):
            number = self.classes(block.rows, block.columns)
            place, corner = _places(block)
            shape = (corner[0].stop - corner[0].start, corner[1].stop - corner[1].start, total.shape[2])
            key = place.ravel() * shape[2] + number.ravel()
            total[corner] += np.bincount(key, minlength=int(np.prod(shape))).reshape(shape).astype(np.uint32)
        return total.reshape(target.cell_count, -1)

    def where(self, wanted: np.ndarray) -> Counted:
        """A function that tells where the nearest pixel belongs to one of the ``wanted`` classes (class,)."""

        def mask(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
            rows, columns = self._nearest(latitude, longitude)
            seams = np.flatnonzero(np.abs(np.diff(columns)) > len(self.source.grid.longitude) // 2) + 1
            inside = np.empty((len(rows), len(columns)), bool)
            east = 0
            for part in np.split(columns, seams):
                for band in _bands(rows, VALUES_PER_BLOCK // (int(np.ptp(part)) + 1)):
                    inside[band, east : east + len(part)] = wanted[self._window(rows[band], part)]
                east += len(part)
            return inside

        return mask

    def _window(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Classes at these rows and columns, read as one rectangle."""
        north, east = (slice(int(index.min()), int(index.max()) + 1) for index in (rows, columns))
        return self.classes(north, east)[np.ix_(rows - north.start, columns - east.start)]

    def _nearest(self, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        grid = self.source.grid
        count = len(grid.longitude)
        north = (grid.latitude[-1] - grid.latitude[0]) / (len(grid.latitude) - 1)
        east = (grid.longitude[-1] - grid.longitude[0]) / (count - 1)
        rows = np.rint((latitude - grid.latitude[0]) / north).astype(np.int64)
        turned = np.sign(east) * (longitude - grid.longitude[0])
        half = abs(east) / 2.0
        columns = np.rint(((turned + half) % 360.0 - half) / abs(east)).astype(np.int64)
        columns = columns % count if grid.closed else np.clip(columns, 0, count - 1)
        return np.clip(rows, 0, len(grid.latitude) - 1), columns


def cell_means(
    quantities: Sequence[Quantity],
    target: TargetGrid,
    *,
    counted: Counted | None = None,
    check: Callable[[list[np.ndarray]], None] | None = None,
) -> np.ndarray:
    """Mean of maps of one file over the pixels of each cell, (map, cell), NaN where there is none.

    A pixel counts where all maps are defined and, if given, ``counted`` says so.  Maps with pixels larger than the
    cells are interpolated between the pixels instead.  ``check`` sees the values of the maps, piece by piece.
    """
    source = quantities[0].source
    source.check_covers(target)
    if not source.is_finer_than(target):
        return _interpolated(quantities, target, check)
    sums = np.zeros((len(quantities), *target.shape))
    numbers = np.zeros(target.shape)
    for block in source.blocks(target):
        values = [quantity.values(block.rows, block.columns) for quantity in quantities]
        if check is not None:
            check(values)
        defined = np.logical_and.reduce([np.isfinite(array) for array in values])
        if counted is not None:
            defined &= counted(source.grid.latitude[block.rows], source.grid.longitude[block.columns])
        place, corner = _places(block)
        shape = (corner[0].stop - corner[0].start, corner[1].stop - corner[1].start)
        inside, size = place[defined], int(np.prod(shape))
        numbers[corner] += np.bincount(inside, minlength=size).reshape(shape)
        for total, array in zip(sums, values, strict=True):
            total[corner] += np.bincount(inside, array[defined], minlength=size).reshape(shape)
    means = sums / np.where(numbers > 0.0, numbers, np.nan)
    return means.reshape(len(quantities), -1)


def _bands(rows: np.ndarray, largest: int) -> Iterator[slice]:
    """Cuts evenly spaced ``rows`` so that a band spans about ``largest`` rows, one row at least."""
    spread = int(np.ptp(rows)) + 1
    length = max(len(rows) * largest // spread, 1)
    for first in range(0, len(rows), length):
        yield slice(first, first + length)


def _interpolated(
    quantities: Sequence[Quantity], target: TargetGrid, check: Callable[[list[np.ndarray]], None] | None
) -> np.ndarray:
    """Bilinear between the pixels around the centre of each cell, (map, cell); undefined pixels leave their weight."""
    source = quantities[0].source
    south, north, *_ = target.edges
    margin = 2.0 * source.spacing[0]
    near = np.flatnonzero((source.grid.latitude >= south - margin) & (source.grid.latitude <= north + margin))
    rows = slice(int(near[0]), int(near[-1]) + 1)
    values = [quantity.values(rows, slice(None)) for quantity in quantities]
    if check is not None:
        check(values)
    undefined = np.logical_or.reduce([np.isnan(array) for array in values]).ravel()
    grid = RegularGrid(source.grid.latitude[rows], source.grid.longitude)
    weights = bilinear(str(source.path), grid, *target.cells())
    return np.stack([weights(array.ravel(), undefined) for array in values])


def _places(block: Block) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Number of the cell of each pixel, counted in the rectangle of cells that the block touches; that rectangle."""
    first, last = int(block.cell_rows.min()), int(block.cell_rows.max())
    west, east = int(block.cell_columns.min()), int(block.cell_columns.max())
    place = (block.cell_rows - first)[:, None] * (east - west + 1) + (block.cell_columns - west)
    return place, (slice(first, last + 1), slice(west, east + 1))
