"""H SAF ASCAT cell files: CF ragged arrays of the grid points of 5 x 5 degrees, contiguous or indexed.

H108..H119 (WARP grid: ``sm``, ``sigma40``, ``proc_flag``) and H121/H129/H130/H139 (Fibonacci grid:
``surface_soil_moisture``, ``backscatter40``, ``processing_flag``).  Several files are read in the order of their times:
an extension may overlap its record, what was read before counts as ``duplicate``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.io import read_time, read_values, reading
from dalearn.observations.account import Account, reject
from dalearn.observations.ascat import (
    FIELD_NAMES,
    NOISE_SUFFIXES,
    UNITS,
    VALUE_NAMES,
    ascat_codes,
    check_quantity,
)
from dalearn.observations.nearest import NearestCells
from dalearn.observations.packed import decoded, find, flag_names, need, raw, units_of
from dalearn.observations.points import Places, check_position, overpasses, place, repeated
from dalearn.observations.request import ProductRequest, in_period
from dalearn.observations.samples import Samples

SAMPLES_AT_ONCE = 1_000_000


@dataclass(frozen=True, eq=False)
class _CellFile:
    """One file: its path, first time, sample count and locations (location,), with their numbers over all files."""

    path: Path
    begin: np.datetime64
    samples: int
    latitude: np.ndarray
    longitude: np.ndarray
    identity: np.ndarray
    row_end: np.ndarray | None
    index_name: str | None


def read_hsaf_cells(
    request: ProductRequest, files: Sequence[Path], cells: NearestCells, account: Account
) -> Iterator[Samples]:
    """Samples of sigma0 (dB) or SSM (% of saturation) at the grid points of the cells."""
    check_quantity(request)
    described = sorted((_describe(path) for path in files), key=lambda file: (file.begin, str(file.path)))
    identity = np.concatenate([file.identity for file in described])
    known, first = np.unique(identity, return_index=True)
    latitude = np.concatenate([file.latitude for file in described])[first]
    longitude = np.concatenate([file.longitude for file in described])[first]
    places = place(request, cells, latitude, longitude)
    seen = np.full(len(known), np.datetime64("0001-01-01", "s"))
    blocks: list[Samples] = []
    distance: list[np.ndarray] = []
    for file in described:
        point = np.searchsorted(known, file.identity)
        for block, of_point in _blocks(request, account, file, point, places, seen):
            if request.aggregate == "mean":
                blocks.append(block)
                distance.append(places.distance[of_point])
            else:
                reject(block.rejected, ~places.primary[of_point], account.code("other_location"))
                yield block
    yield from overpasses(request, account, blocks, distance)


def _describe(path: Path) -> _CellFile:
    with reading(path) as dataset:
        latitude_name = need(dataset, *FIELD_NAMES["latitude"])
        longitude_name = need(dataset, *FIELD_NAMES["longitude"])
        latitude, longitude = decoded(dataset, latitude_name), decoded(dataset, longitude_name)
        if (
            dataset[latitude_name].dimensions == dataset[need(dataset, "time")].dimensions
            and find(dataset, "row_size", "locationIndex", "location_index") is None
        ):
            raise InputError(
                f"{path}: row_size or locationIndex is missing, positions go with the samples: a swath file is read "
                "with format eumetsat_l2"
            )
        time = dataset["time"]
        count = int(time.size)
        name = find(dataset, "location_id", "gpi")
        identity = raw(dataset, name) if name else np.round(latitude, 3) * 1e6 + np.round(longitude, 3)
        row_end, index_name = _rows(path, dataset, count)
        if row_end is not None:
            count = int(row_end[-1])
        defined = np.isfinite(latitude) & np.isfinite(longitude)
        check_position(str(path), latitude[defined], longitude[defined])  # masked locations lie nowhere
        begin = read_time(dataset, "time", slice(0, 1))
        return _CellFile(
            path, begin[0] if len(begin) else np.datetime64("9999-01-01", "s"), count, latitude, longitude,
            np.asarray(identity), row_end, index_name,
        )  # fmt: skip


def _rows(path: Path, dataset: netCDF4.Dataset, count: int) -> tuple[np.ndarray | None, str | None]:
    """End of the samples of each location (contiguous), or the name of the index of locations (indexed)."""
    name = find(dataset, "row_size")
    if name is not None:
        sizes = decoded(dataset, name)
        row_end = np.cumsum(np.where(np.isfinite(sizes) & (sizes > 0), sizes, 0)).astype(np.int64)
        held = int(row_end[-1]) if len(row_end) else 0
        # H108 ends with places for samples that never came
        if held > count or np.isfinite(read_values(dataset, "time", slice(held, count))).any():
            raise InputError(
                f"{path}: row_size adds up to {held}, the file has {count} samples; it is cut short or damaged, copy "
                "it again"
            )
        return row_end, None
    indexed = [name for name in dataset.variables if "instance_dimension" in dataset[name].ncattrs()]
    name = indexed[0] if indexed else find(dataset, "locationIndex", "location_index")
    if name is None:
        raise InputError(f"{path}: row_size or locationIndex is missing; give a cell file with ragged arrays")
    return None, name


def _blocks(
    request: ProductRequest, account: Account, file: _CellFile, point: np.ndarray, places: Places, seen: np.ndarray
) -> Iterator[tuple[Samples, np.ndarray]]:
    """Samples that lie in a cell and in the period, with their points, chunk by chunk."""
    where = f"{file.path}: time"
    before, latest = seen.copy(), np.full(len(seen), np.datetime64("0001-01-01", "s"))
    with reading(file.path) as dataset:
        for first in range(0, file.samples, SAMPLES_AT_ONCE):
            chunk = slice(first, min(first + SAMPLES_AT_ONCE, file.samples))
            of_point = point[_locations(file, dataset, chunk)]
            inside = places.cell[of_point] >= 0
            account.leave_out("outside_domain", np.count_nonzero(~inside))
            if not inside.any():
                continue
            time = read_time(dataset, "time", chunk)
            within = in_period(request, time)
            account.leave_out("outside_period", np.count_nonzero(inside & ~within))
            use = np.flatnonzero(inside & within)
            if not len(use):
                continue
            of_point, time = of_point[use], time[use]
            block = _block(request, account, file, dataset, chunk, use, time, places.cell[of_point])
            again = repeated(where, time, of_point, block.value) | (time <= before[of_point])
            if (time < latest[of_point]).any():
                raise InputError(f"{where} goes back to {time[time < latest[of_point]][0]}; sort it or copy it again")
            np.maximum.at(latest, of_point, time)
            np.maximum.at(seen, of_point, time)
            block.rejected[again] = account.code("duplicate")
            yield block, of_point


def _locations(file: _CellFile, dataset: netCDF4.Dataset, chunk: slice) -> np.ndarray:
    """Location of each sample of a chunk."""
    if file.row_end is not None:
        return np.searchsorted(file.row_end, np.arange(chunk.start, chunk.stop), side="right")
    index = raw(dataset, str(file.index_name), chunk).astype(np.int64)
    if len(index) and not (index.min() >= 0 and index.max() < len(file.latitude)):
        raise InputError(
            f"{file.path}: {file.index_name} runs from {index.min()} to {index.max()} with {len(file.latitude)} "
            "locations; it is damaged, copy it again"
        )
    return index


def _block(
    request: ProductRequest,
    account: Account,
    file: _CellFile,
    dataset: netCDF4.Dataset,
    chunk: slice,
    use: np.ndarray,
    time: np.ndarray,
    cell: np.ndarray,
) -> Samples:
    name = need(dataset, *VALUE_NAMES[request.quantity])
    if dataset[name].dimensions != dataset["time"].dimensions:
        raise InputError(
            f"{file.path}: {name} has the dimensions {dataset[name].dimensions}, time {dataset['time'].dimensions}; "
            "they must be the same"
        )
    units = units_of(dataset, name) or UNITS[request.quantity]
    noise = find(dataset, *(name + suffix for suffix in NOISE_SUFFIXES))
    fields: dict[str, np.ndarray] = {"latitude": cell}
    meanings = {}
    location = _locations(file, dataset, chunk)[use]
    for field, names in FIELD_NAMES.items():
        found = find(dataset, *names)
        if found is None or field in ("latitude", "longitude"):
            continue
        if dataset[found].dimensions == dataset["time"].dimensions:
            fields[field] = _field(dataset, found, chunk)[use]
        elif dataset[found].shape[:1] == file.latitude.shape:
            fields[field] = _of_location(dataset, found, location, time)
        else:
            continue
        meanings[field] = flag_names(dataset, found)
    value = decoded(dataset, name, chunk)[use]
    return Samples(
        source=str(file.path),
        variable=name,
        units=units,
        time=time,
        cell=cell,
        value=value.astype(np.float32),
        error=(decoded(dataset, noise, chunk)[use] if noise else np.full(len(use), np.nan)).astype(np.float32),
        rejected=ascat_codes(request, account, str(file.path), fields, meanings),
    )


def _of_location(dataset: netCDF4.Dataset, name: str, location: np.ndarray, time: np.ndarray) -> np.ndarray:
    """What is known of the place of each sample, or of its place and day of the year."""
    values = decoded(dataset, name)
    if values.ndim == 1:
        return values[location]
    day = (time.astype("datetime64[D]") - time.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    return values[location, np.minimum(day, values.shape[1] - 1)]


def _field(dataset: netCDF4.Dataset, name: str, chunk: slice) -> np.ndarray:
    """Numbers of a field; the letters A and D of passes become 0 and 1."""
    if dataset[name].dtype is str or dataset[name].dtype.kind in "SU":
        return np.where(np.char.upper(np.asarray(dataset[name][chunk]).astype(str)) == "D", 1.0, 0.0)
    return decoded(dataset, name, chunk)
