"""One file on a regular grid: its axes, its altitude, and the part of it around the cells."""

from pathlib import Path

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.io import read_values, reading
from dalearn.regular_grid import RegularGrid, bilinear, regular_grid

LATITUDE_NAMES = ("latitude", "lat", "LAT", "nav_lat")
LONGITUDE_NAMES = ("longitude", "lon", "LON", "nav_lon")
ALTITUDE_NAMES = ("ZS", "altitude", "elevation", "orography", "orog", "oro", "topo", "h")
GEOPOTENTIAL_NAMES = ("z", "geopotential", "fis")
STANDARD_GRAVITY = 9.80665
TIME_NAMES = ("valid_time", "time")

Window = tuple[slice, tuple[slice, ...]]  # rows, ranges of columns


def grid_of(path: Path, dataset: netCDF4.Dataset) -> RegularGrid:
    """The regular grid of a file; InputError naming what is missing or not regular."""
    axes = []
    for names in (LATITUDE_NAMES, LONGITUDE_NAMES):
        name = next((name for name in names if name in dataset.variables), None)
        if name is None:
            raise InputError(
                f"{path}: variable {names[0]} is missing; regrid a projected grid to latitude and longitude first"
            )
        axes.append(np.atleast_1d(read_values(dataset, name)))
    return regular_grid(str(path), *axes)


def altitude_at(path: Path, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Altitude (cell,) in m at the cells from a netCDF file of altitude or geopotential on a regular grid."""
    with reading(path) as dataset:
        grid = grid_of(path, dataset)
        values = altitude_of(dataset, (slice(None), (slice(None),)))
    if values is None:
        known = ", ".join((*ALTITUDE_NAMES, *GEOPOTENTIAL_NAMES))
        raise InputError(f"{path}: holds no altitude; name the variable one of {known}")
    return bilinear(str(path), grid, latitude, longitude)(values.ravel())


def altitude_of(dataset: netCDF4.Dataset, window: Window) -> np.ndarray | None:
    """(row, column) m of the window, or None."""
    for names, divisor in ((ALTITUDE_NAMES, 1.0), (GEOPOTENTIAL_NAMES, STANDARD_GRAVITY)):
        for name in names:
            if name in dataset.variables and dataset[name].ndim >= 2:
                values = read_values(dataset, name)
                first = values.reshape(-1, *values.shape[-2:])[0][window[0]]
                return np.concatenate([first[:, columns] for columns in window[1]], axis=1) / divisor
    return None


def kinds_of_axes(source: str, dataset: netCDF4.Dataset, name: str) -> list[str]:
    """What each dimension of a variable is: time, row, column, expver or single."""
    kinds: dict[str, str] = {}
    for names, kind in ((TIME_NAMES, "time"), (LATITUDE_NAMES, "row"), (LONGITUDE_NAMES, "column")):
        for candidate in names:
            if candidate in dataset.variables and dataset[candidate].ndim == 1:
                kinds.setdefault(dataset[candidate].dimensions[0], kind)
    kinds["expver"] = kinds.get("expver", "expver")
    found = [kinds.get(dimension, "single") for dimension in dataset[name].dimensions]
    for kind in ("time", "row", "column"):
        if found.count(kind) != 1:
            raise InputError(
                f"{source}: {name} has dimensions {dataset[name].dimensions}; it needs time, latitude and longitude"
            )
    return found


def refuse_rotated(path: Path, dataset: netCDF4.Dataset) -> None:
    for variable in dataset.variables.values():
        mapping = str(getattr(variable, "grid_mapping_name", "latitude_longitude"))
        if mapping != "latitude_longitude":
            raise InputError(
                f"{path}: {variable.name}: the grid is {mapping}; regrid it to regular latitude and longitude first"
            )


def crop(source: str, grid: RegularGrid, latitude: np.ndarray, longitude: np.ndarray) -> tuple[RegularGrid, Window]:
    """The rows and columns between which the cells lie; two ranges of columns where the cells span the seam."""
    count = len(grid.longitude)
    used = bilinear(source, grid, latitude, longitude).index
    rows = slice(int((used // count).min()), int((used // count).max()) + 1)
    columns = np.unique(used % count)
    gaps = np.diff(columns, append=columns[0] + count)
    widest = int(np.argmax(gaps))
    if not grid.closed or gaps[-1] > 1:  # nothing lies across the seam
        ranges: tuple[slice, ...] = (slice(int(columns[0]), int(columns[-1]) + 1),)
    else:
        ranges = (slice(int(columns[widest + 1]), count), slice(0, int(columns[widest]) + 1))
    east = np.concatenate([grid.longitude[part] + 360.0 * number for number, part in enumerate(ranges)])
    return RegularGrid(grid.latitude[rows], east), (rows, ranges)
