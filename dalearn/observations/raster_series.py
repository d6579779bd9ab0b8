"""A series of raster files, one or more times each, as samples on the cells."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.io import read_time, reading
from dalearn.observations.account import Account
from dalearn.observations.nearest import NearestCells
from dalearn.observations.packed import find
from dalearn.observations.raster import PixelReader
from dalearn.observations.raster_grid import RasterGrid, read_grid
from dalearn.observations.raster_interpolation import RasterInterpolation
from dalearn.observations.raster_mean import RasterMean
from dalearn.observations.request import ProductRequest, in_period
from dalearn.observations.samples import Samples

# a product: the layer of a file, and the reader of its pixels at one step of the time dimension (None without one)
LayerOf = Callable[[netCDF4.Dataset], str]
PixelsOf = Callable[[netCDF4.Dataset, RasterGrid, str, int | None], PixelReader]
UnitsOf = Callable[[netCDF4.Dataset, str], str]

_STAMP = re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?:[T_]?(\d{2})(\d{2})(\d{2})?)?(?!\d)")


def time_in_name(path: Path) -> np.datetime64:
    """The date, with the time of day if any, in the name of a file; InputError when there is none."""
    for match in _STAMP.finditer(path.name):
        year, month, day, hour, minute, second = (part or "00" for part in match.groups())
        try:
            return np.datetime64(f"{year}-{month}-{day}T{hour}:{minute}:{second}", "s")
        except ValueError:
            continue
    raise InputError(f"{path}: variable time is missing and the name holds no date; add one (20170601)")


def times_of(path: Path, dataset: netCDF4.Dataset, layer: str) -> np.ndarray:
    """The times of a layer (step,), from its time dimension, a lone time or the name of the file."""
    leading = dataset[layer].dimensions[:-2]
    name = find(dataset, "time")
    times = np.atleast_1d(read_time(dataset, name)) if name is not None else np.array([time_in_name(path)])
    steps = len(dataset.dimensions[leading[0]]) if leading else 1
    if len(leading) > 1 or len(times) != steps:
        raise InputError(
            f"{path}: {layer} has the dimensions {dataset[layer].dimensions} with {len(times)} times; expected "
            "(time, lat, lon)"
        )
    if (np.diff(times) <= np.timedelta64(0, "s")).any():
        raise InputError(f"{path}: time goes back or repeats; sort the steps, one a time")
    return times


def raster_samples(
    request: ProductRequest,
    files: Sequence[Path],
    cells: NearestCells,
    account: Account,
    layer_of: LayerOf,
    units_of: UnitsOf,
    pixels_of: PixelsOf,
) -> Iterator[Samples]:
    """One block of samples per time, in the order of time.

    Raises InputError when two files hold the same time of the same pixels, or no file covers a cell.
    """
    order = sorted((_first_time(path, layer_of), path) for path in files)
    seen: dict[tuple, Path] = {}
    elsewhere, useful = "", False
    placed: RasterMean | RasterInterpolation | None = None
    for _, path in order:
        with reading(path) as dataset:
            layer = layer_of(dataset)
            times = times_of(path, dataset, layer)
            grid = read_grid(dataset, layer)
            if placed is None or not grid.same(placed.grid):
                kind = RasterMean if request.aggregate == "mean" else RasterInterpolation
                placed = kind(request, account, grid, cells.latitude, cells.longitude)
            if not len(placed.covered):
                elsewhere = elsewhere or _nothing_covered(request, path, grid)
                continue
            useful = True
            within = in_period(request, times)
            for step, time in enumerate(times):
                stamp = time, grid.y[0], grid.x[0], grid.y[-1], grid.x[-1]
                if stamp in seen:
                    raise InputError(f"{path}: time {time} is also in {seen[stamp].name}; give every date once")
                seen[stamp] = path
                if not within[step]:
                    account.leave_out("outside_period", len(placed.covered))
                    continue
                values = placed(pixels_of(dataset, grid, layer, step if dataset[layer].ndim > 2 else None))
                yield Samples(
                    source=str(path),
                    variable=layer,
                    units=units_of(dataset, layer),
                    time=np.full(len(values.cell), time),
                    cell=values.cell,
                    value=values.value,
                    error=values.error,
                    rejected=values.rejected,
                )
    if elsewhere and not useful:
        raise InputError(elsewhere)


def _first_time(path: Path, layer_of: LayerOf) -> np.datetime64:
    with reading(path) as dataset:
        return times_of(path, dataset, layer_of(dataset))[0]


def _nothing_covered(request: ProductRequest, path: Path, grid: RasterGrid) -> str:
    ends = slice(0, None, len(grid.y) - 1), slice(0, None, len(grid.x) - 1)
    latitude, longitude = grid.positions(*ends)
    return (
        f"{path}: {request.quantity}: the raster covers latitudes {latitude.min():.2f} to {latitude.max():.2f}, "
        f"longitudes {longitude.min():.2f} to {longitude.max():.2f} and none of the cells; give files of these cells "
        "or correct its coordinate reference system"
    )
