"""One variable of a netCDF file on a regular latitude-longitude grid, read piece by piece."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.io import read_values, reading
from dalearn.regular_grid import RegularGrid, regular_grid
from dalearn.surface_maps.target import TargetGrid
from dalearn.units import same_units

LATITUDE_NAMES = ("latitude", "lat", "LAT")
LONGITUDE_NAMES = ("longitude", "lon", "LON")
TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
VALUES_PER_BLOCK = 4_000_000
COVERAGE_SLACK = 1.0  # pixels that a map may end inside the grid


@dataclass(frozen=True, eq=False)
class Block:
    """A piece of a raster: its rows and columns, and the row and column of the cell that holds each, -1 outside."""

    rows: slice
    columns: slice
    cell_rows: np.ndarray
    cell_columns: np.ndarray


@dataclass(frozen=True, eq=False)
class Raster:
    """A variable with two dimensions of more than one entry, latitude and longitude.

    ``layer`` picks an entry of a further dimension: (dimension, index).
    """

    path: Path
    variable: netCDF4.Variable
    grid: RegularGrid
    dimensions: tuple[str, str]
    layer: tuple[str, int] | None = None

    @property
    def label(self) -> str:
        """``file: variable`` for messages."""
        return f"{self.path}: {self.variable.name}"

    @property
    def spacing(self) -> tuple[float, float]:
        """Size of a pixel in degrees, north-south and east-west."""
        north, east = (abs(float(axis[-1] - axis[0])) / (len(axis) - 1) for axis in self._axes)
        return north, east

    @property
    def _axes(self) -> tuple[np.ndarray, np.ndarray]:
        return self.grid.latitude, self.grid.longitude

    def is_finer_than(self, target: TargetGrid) -> bool:
        """Whether every cell holds the centre of a pixel."""
        north, east = self.spacing
        return north <= target.height * (1.0 + 1e-6) and east <= target.width * (1.0 + 1e-6)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """(row, column) float64 in the units of the file, NaN where undefined."""
        return self._ordered(read_values(self.variable.group(), self.variable.name, self._index(rows, columns)))

    def read_codes(self, rows: slice, columns: slice) -> np.ndarray:
        """(row, column) whole numbers as stored, signed bytes taken as unsigned; scale and fill are not applied."""
        self.variable.set_auto_maskandscale(False)
        values = self._ordered(np.asarray(self.variable[self._index(rows, columns)]))
        return values.view(np.uint8) if values.dtype == np.int8 else values

    def check_covers(self, target: TargetGrid) -> None:
        """InputError unless the pixels cover the cells, but for one pixel at the border."""
        north_south, east_west = self.spacing
        south, north, west, east = target.edges
        low, high = self.grid.latitude.min() - north_south / 2.0, self.grid.latitude.max() + north_south / 2.0
        left, right = self.grid.longitude.min() - east_west / 2.0, self.grid.longitude.max() + east_west / 2.0
        slack = COVERAGE_SLACK * north_south
        enough = max(south, -90.0) >= low - slack and min(north, 90.0) <= high + slack
        slack = COVERAGE_SLACK * east_west
        offset = (west - left + slack) % 360.0 - slack
        if not enough or not (self.grid.closed or offset + east - west <= right - left + slack):
            raise InputError(
                f"{self.path}: covers latitude {low:.6g} to {high:.6g} and longitude {left:.6g} to {right:.6g}, "
                f"prepare.surface.grid needs {south:.6g} to {north:.6g} and {west:.6g} to {east:.6g}; get a map of a "
                "larger area or make the grid smaller"
            )

    def blocks(self, target: TargetGrid, largest: int = VALUES_PER_BLOCK) -> Iterator[Block]:
        """The pixels in the cells, in pieces of at most about ``largest`` pixels that fit the chunks of the file."""
        cell_rows, cell_columns = target.rows_of(self.grid.latitude), target.columns_of(self.grid.longitude)
        chunk_rows, chunk_columns = self._chunk()
        for columns in _runs(cell_columns >= 0):
            width = columns.stop - columns.start
            if chunk_rows * width > largest:
                width = max(largest // chunk_rows // chunk_columns, 1) * chunk_columns
            for rows in _runs(cell_rows >= 0):
                height = max(largest // (chunk_rows * width), 1) * chunk_rows
                for row_piece in _pieces(rows, height):
                    for column_piece in _pieces(columns, width):
                        yield Block(row_piece, column_piece, cell_rows[row_piece], cell_columns[column_piece])

    def _chunk(self) -> tuple[int, int]:
        chunks = self.variable.chunking()
        if not isinstance(chunks, list):  # contiguous
            return 1, len(self.grid.longitude)
        size = dict(zip(self.variable.dimensions, chunks, strict=True))
        return size[self.dimensions[0]], size[self.dimensions[1]]

    def _index(self, rows: slice, columns: slice) -> tuple[Any, ...]:
        wanted: dict[str, Any] = {self.dimensions[0]: rows, self.dimensions[1]: columns}
        if self.layer is not None:
            wanted[self.layer[0]] = self.layer[1]
        return tuple(wanted.get(name, 0) for name in self.variable.dimensions)

    def _ordered(self, values: np.ndarray) -> np.ndarray:
        first, second = (self.variable.dimensions.index(name) for name in self.dimensions)
        return values if first < second else values.T


@contextmanager
def open_map(path: Path) -> Iterator[netCDF4.Dataset]:
    """A netCDF map; InputError also for GeoTIFF and for projected grids."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(4) in TIFF_MAGIC:
                raise InputError(f"{path}: GeoTIFF; convert it with gdal_translate -of netCDF")
    with reading(path) as dataset:
        for variable in dataset.variables.values():
            mapping = str(getattr(variable, "grid_mapping_name", "latitude_longitude"))
            if mapping != "latitude_longitude":
                raise InputError(
                    f"{path}: {variable.name}: the map is projected ({mapping}); bring it to regular latitude and "
                    "longitude with gdalwarp -t_srs EPSG:4326"
                )
        yield dataset


def raster(path: Path, dataset: netCDF4.Dataset, names: Sequence[str], layer: tuple[str, int] | None = None) -> Raster:
    """The variable called one of ``names``, or else the only one on the grid of the file."""
    axes = [_axis(path, dataset, names_of_axis) for names_of_axis in (LATITUDE_NAMES, LONGITUDE_NAMES)]
    gridded = {
        name
        for name, variable in dataset.variables.items()
        if variable.dtype != str and all(axis.dimensions[0] in variable.dimensions for axis in axes if axis.ndim == 1)
    } - {axis.name for axis in axes}
    found = next((name for name in names if name in gridded), None)
    if found is None and len(gridded) == 1:
        found = next(iter(gridded))
    if found is None:
        also = f" (also looked for {', '.join(names[1:])})" if len(names) > 1 else ""
        held = ", ".join(sorted(gridded)) or "no variable with latitude and longitude"
        raise InputError(f"{path}: variable {names[0]} is missing{also}; add or rename it (the file has {held})")
    grid = regular_grid(str(path), *(np.atleast_1d(read_values(dataset, axis.name)) for axis in axes))
    if min(grid.shape) < 2:
        raise InputError(f"{path}: the map has {grid.shape[0]} x {grid.shape[1]} pixels; give at least 2 x 2")
    variable = dataset[found]
    dimensions = (axes[0].dimensions[0], axes[1].dimensions[0])
    for name, size in zip(variable.dimensions, variable.shape, strict=True):
        if name not in dimensions and size > 1 and (layer is None or name != layer[0]):
            raise InputError(f"{path}: {found} has {size} entries along {name}; select one of them")
    return Raster(path, variable, grid, dimensions, layer)


def unit_factor(source: Raster, factors: dict[str, float]) -> float:
    """What values have to be multiplied with; the first of ``factors`` is what values without units are in."""
    units = str(getattr(source.variable, "units", "")).strip()
    for known, factor in factors.items():
        if not units or same_units(units, known):
            return factor
    raise InputError(f"{source.label} is in {units}; convert it to one of {', '.join(factors)}")


def _axis(path: Path, dataset: netCDF4.Dataset, names: Sequence[str]) -> netCDF4.Variable:
    name = next((name for name in names if name in dataset.variables), None)
    if name is None:
        raise InputError(
            f"{path}: variable {names[0]} is missing; bring a projected map to regular latitude and longitude with "
            "gdalwarp -t_srs EPSG:4326"
        )
    return dataset[name]


def _runs(inside: np.ndarray) -> list[slice]:
    """The ranges in which a mask is true."""
    steps = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0, append=0))
    return [slice(int(first), int(last)) for first, last in zip(steps[::2], steps[1::2], strict=True)]


def _pieces(whole: slice, length: int) -> Iterator[slice]:
    """``whole`` cut at the multiples of ``length``."""
    inner = range((whole.start // length + 1) * length, whole.stop, length)
    for first, last in pairwise((whole.start, *inner, whole.stop)):
        yield slice(first, last)
