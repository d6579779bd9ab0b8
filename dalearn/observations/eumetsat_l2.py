"""ASCAT swath files in netCDF: EUMETSAT level 2 (rows x cells of the swath) and H SAF swaths (one dimension).

Three traps of EUMETSAT's files, all seen in real ones:

* the declared valid range of sigma40 (+-1e7 for numbers in 1e-6 dB: -10 to 10 dB) would mask much of it: numbers are
  taken raw;
* ``as_des_pass`` is 1 where the satellite flies north, though its attribute says 1 = descending: the direction is taken
  from the latitudes;
* a row of ``proc_flag1`` holds the two bytes of each flag of the left half of the swath one after the other, and
  nothing of the right half: the left half is put in its place, the right half has no processing flag.
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
from dalearn.observations.swath import LEVEL_2_BITS, Swath, on_cells_of_swath

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
    value = _plane(path, dataset, name, dimensions)
    if len(shape) == 2:
        fields["descending"] = _southward(fields["latitude"].reshape(shape)).ravel()
        if "processing_flag" in fields:
            flags = _flags_in_place(fields["processing_flag"].reshape(shape), np.isfinite(value).reshape(shape))
            fields["processing_flag"] = flags.ravel()
    noise = find(dataset, *(name + suffix for suffix in NOISE_SUFFIXES))
    return Swath(
        source=str(path),
        variable=name,
        units=units_of(dataset, name),
        time=np.broadcast_to(time.reshape((-1,) + (1,) * (len(shape) - 1)), shape).ravel(),
        value=value,
        noise=_plane(path, dataset, noise, dimensions) if noise else np.full(int(np.prod(shape)), np.nan),
        fields=fields,
        meanings=meanings,
        held_bits=LEVEL_2_BITS,
    )


def _southward(latitude: np.ndarray) -> np.ndarray:
    """1 where the middle of the swath moves south, 0 where it moves north, (row, cell); NaN for a single line."""
    if len(latitude) < 2:
        return np.full(latitude.shape, np.nan)
    step = np.gradient(latitude[:, latitude.shape[1] // 2])
    return np.repeat((step < 0.0).astype(np.float64)[:, None], latitude.shape[1], axis=1)


def _flags_in_place(flags: np.ndarray, retrieved: np.ndarray) -> np.ndarray:
    """Flags (row, cell) of the nodes they belong to, NaN where there is none.

    A flag that is missing (NaN) where there is a retrieval tells that the bytes are not in their places.
    """
    half = flags.shape[1] // 2
    if not (np.isnan(flags) & retrieved).any():
        return flags
    placed = np.full(flags.shape, np.nan)
    low = flags[:, 1 : 2 * half : 2]
    if not (np.isnan(low) & retrieved[:, :half]).any():
        placed[:, :half] = low
    return placed


def _plane(path: Path, dataset: netCDF4.Dataset, name: str, dimensions: tuple[str, ...]) -> np.ndarray:
    if dataset[name].dimensions != dimensions:
        raise InputError(
            f"{path}: {name} has the dimensions {dataset[name].dimensions}, latitude {dimensions}; transpose it"
        )
    return decoded(dataset, name).ravel()
