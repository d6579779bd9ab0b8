"""ASCAT swath files in netCDF: EUMETSAT level 2 (rows x cells of the swath) and H SAF swaths (one dimension).

The declared valid range of EUMETSAT's sigma40 is wrong (+-1e7 for numbers in 1e-6 dB: -10 to 10 dB) and would mask
most of it: numbers are taken raw.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.io import read_time, reading
from dalearn.observations.account import Account
from dalearn.observations.ascat import FIELD_NAMES, NOISE_SUFFIXES, VALUE_NAMES, check_quantity
from dalearn.observations.nearest import NearestCells
from dalearn.observations.packed import decoded, find, flag_names, need, units_of
from dalearn.observations.request import ProductRequest
from dalearn.observations.samples import Samples
from dalearn.observations.swath import Swath, on_cells_of_swath

TIME_NAMES = ("utc_line_nodes", "time")


def read_eumetsat_l2(
    request: ProductRequest, files: Sequence[Path], cells: NearestCells, account: Account
) -> Iterator[Samples]:
    """Samples of sigma0 (dB) or SSM (% of saturation), one per cell and overpass."""
    check_quantity(request)
    last: dict[float, np.datetime64] = {}
    for _, path in sorted((_begin(path), path) for path in files):
        with reading(path) as dataset:
            yield from on_cells_of_swath(request, cells, account, _swath(request, path, dataset), last)


def _begin(path: Path) -> np.datetime64:
    with reading(path) as dataset:
        time = read_time(dataset, need(dataset, *TIME_NAMES))
        if not len(time):
            raise InputError(f"{path}: {need(dataset, *TIME_NAMES)} is empty; copy the file again")
        return time.min()


def _swath(request: ProductRequest, path: Path, dataset: netCDF4.Dataset) -> Swath:
    name = need(dataset, *VALUE_NAMES[request.quantity])
    time_name = need(dataset, *TIME_NAMES)
    dimensions = dataset[need(dataset, *FIELD_NAMES["latitude"])].dimensions
    lines = dataset[time_name].dimensions
    time = read_time(dataset, time_name)
    if len(dimensions) > 1 and (np.diff(time) < np.timedelta64(0, "s")).any():
        row = int(np.argmax(np.diff(time) < np.timedelta64(0, "s"))) + 1
        raise InputError(f"{path}: {time_name} goes back at line {row}; sort the lines or copy the file again")
    if len(lines) != 1 or lines[0] != dimensions[0]:
        raise InputError(f"{path}: {time_name} has the dimensions {lines}, expected ({dimensions[0]},) as latitude")
    shape = tuple(len(dataset.dimensions[dimension]) for dimension in dimensions)
    fields, meanings = {}, {}
    for field, names in FIELD_NAMES.items():
        found = find(dataset, *names)
        if found is None or dataset[found].dtype is str:
            continue
        of_field = dataset[found].dimensions
        if of_field == dimensions or (of_field == lines and of_field):
            values = decoded(dataset, found)
            fields[field] = np.broadcast_to(values.reshape(values.shape + (1,) * (len(shape) - values.ndim)), shape)
            fields[field] = fields[field].ravel()
            meanings[field] = flag_names(dataset, found)
    noise = find(dataset, *(name + suffix for suffix in NOISE_SUFFIXES))
    return Swath(
        source=str(path),
        variable=name,
        units=units_of(dataset, name),
        time=np.broadcast_to(time.reshape((-1,) + (1,) * (len(shape) - 1)), shape).ravel(),
        value=_plane(path, dataset, name, dimensions),
        noise=_plane(path, dataset, noise, dimensions) if noise else np.full(int(np.prod(shape)), np.nan),
        fields=fields,
        meanings=meanings,
    )


def _plane(path: Path, dataset: netCDF4.Dataset, name: str, dimensions: tuple[str, ...]) -> np.ndarray:
    if dataset[name].dimensions != dimensions:
        raise InputError(
            f"{path}: {name} has the dimensions {dataset[name].dimensions}, latitude {dimensions}; transpose it"
        )
    return decoded(dataset, name).ravel()
