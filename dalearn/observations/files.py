"""Observation files: CF indexed ragged arrays in netCDF.

Dims ``sample`` and ``cell``; ``time(sample)``, ``cell_index(sample)``, ``<quantity>(sample)``,
``<quantity>_error(sample)``, ``rejected(sample)`` with 0 for a usable sample and else one of its
``flag_values``, ``latitude(cell)`` and ``longitude(cell)``.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.io import (
    create_cells,
    create_time,
    create_variable,
    read_time,
    read_values,
    reading,
    require,
    seconds,
    writing,
)
from dalearn.observations.observations import Observations, screened
from dalearn.variables import VARIABLES

SAMPLES_AT_ONCE = 2_000_000


def write_observations(
    path: Path | str, observations: Observations, attributes: Mapping[str, Any] | None = None
) -> None:
    """Write ``observations``, whole or not at all.  Raises InputError when the file cannot be written."""
    name = observations.quantity
    with writing(path, {"featureType": "timeSeries", **(attributes or {})}) as dataset:
        dataset.createDimension("sample", len(observations))
        create_cells(dataset, observations.latitude, observations.longitude)
        every = slice(0, len(observations))  # of a dimension without samples, an open slice would make one
        create_time(dataset, "sample")[every] = seconds(observations.time)
        described = {"long_name": "cell of the sample", "instance_dimension": "cell"}
        create_variable(dataset, "cell_index", ("sample",), "i4", attributes=described)[every] = observations.cell
        described = {"units": observations.units, "coordinates": "time"}
        create_variable(dataset, name, ("sample",), "f8", attributes=described)[every] = observations.value
        described = {"units": observations.units, "long_name": f"standard deviation of the error of {name}"}
        create_variable(dataset, f"{name}_error", ("sample",), "f8", attributes=described)[every] = observations.error
        flags = {"flag_values": np.array([0], np.int8), "flag_meanings": "kept", "standard_name": "quality_flag"}
        create_variable(dataset, "rejected", ("sample",), "i1", attributes=flags)[every] = 0


def read_observations(
    path: Path | str,
    quantity: str | None = None,
    error: float | None = None,
    *,
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
    cells: np.ndarray | None = None,
) -> Observations:
    """Read the usable samples of ``quantity``; the only quantity of the file by default.

    ``error`` is the standard deviation given to all samples of a file that has none.  Of a large file read only the
    period ``start`` <= time < ``end`` or the ``cells`` of some numbers: the file is gone through in pieces, memory
    holds what is usable.  The others count as ``outside_period`` and ``other_cell``.

    Raises InputError for a missing variable, a cell index out of range, wrong units, or values that cannot
    be in them.  Single values out of range are rejected and counted.
    """
    source = str(path)
    with reading(path) as dataset:
        require(dataset, "time", "cell_index", "latitude", "longitude")
        name = _quantity(source, dataset, quantity)
        latitude, longitude = read_values(dataset, "latitude"), read_values(dataset, "longitude")
        wanted = np.ones(len(latitude), bool)
        if cells is not None:
            wanted[:] = False
            wanted[cells] = True
        counts: Counter[str] = Counter()
        parts = [
            _piece(source, dataset, name, error, wanted, start, end, slice(first, first + SAMPLES_AT_ONCE), counts)
            for first in range(0, max(dataset["time"].size, 1), SAMPLES_AT_ONCE)
        ]
        time, cell, value, errors = (np.concatenate(column) for column in zip(*parts, strict=True))
        return screened(
            source=source,
            quantity=name,
            units=str(getattr(dataset[name], "units", "")),
            time=time,
            cell=cell,
            value=value,
            error=errors,
            reason=np.full(len(time), "", dtype=object),
            latitude=latitude,
            longitude=longitude,
            left_out=counts,
        )


def _piece(
    source: str,
    dataset: netCDF4.Dataset,
    name: str,
    error: float | None,
    wanted: np.ndarray,
    start: np.datetime64 | None,
    end: np.datetime64 | None,
    samples: slice,
    counts: Counter[str],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Time, cell, value and error of the usable samples among ``samples``; the others are added to ``counts``."""
    time = read_time(dataset, "time", samples)
    inside = np.ones(len(time), bool)
    if start is not None:
        inside &= time >= start
    if end is not None:
        inside &= time < end
    counts["outside_period"] += int(np.count_nonzero(~inside))
    if not inside.any():
        return np.zeros(0, "datetime64[s]"), np.zeros(0, np.int64), np.zeros(0), np.zeros(0)  # no view of ``time``
    cell = read_values(dataset, "cell_index", samples)
    outside = ~((cell >= 0) & (cell < len(wanted)))
    if outside.any():
        sample = int(np.argmax(outside))
        raise InputError(
            f"{source}: cell_index is {cell[sample]:g} in sample {samples.start + sample}; number the cells from 0 to "
            f"{len(wanted) - 1}"
        )
    number = cell.astype(np.int64)
    counts["other_cell"] += int(np.count_nonzero(inside & ~wanted[number]))
    inside &= wanted[number]
    codes = _codes(dataset, samples, len(time))
    meanings = flag_meanings(dataset["rejected"], "flag_values") if "rejected" in dataset.variables else {}
    for code, times in zip(*np.unique(codes[inside & (codes != 0)], return_counts=True), strict=True):
        counts[meanings.get(int(code), f"flag_{code}")] += int(times)
    use = np.flatnonzero(inside & (codes == 0))
    value = read_values(dataset, name, samples)
    errors = _errors(source, dataset, name, error, samples, len(time))
    return time[use], number[use], value[use], errors[use]


def _quantity(source: str, dataset: netCDF4.Dataset, wanted: str | None) -> str:
    sampled = dataset["cell_index"].dimensions
    present = [name for name in dataset.variables if name in VARIABLES and dataset[name].dimensions == sampled]
    if wanted is not None and wanted in present:
        return wanted
    if wanted is None and len(present) == 1:
        return present[0]
    problem = f"{wanted} is missing" if wanted else "several quantities" if present else "no quantity"
    raise InputError(f"{source}: {problem}; the samples hold {', '.join(present) or 'none of sigma0, SSM, LAI'}")


def _errors(
    source: str, dataset: netCDF4.Dataset, name: str, error: float | None, samples: slice, count: int
) -> np.ndarray:
    if f"{name}_error" in dataset.variables:
        return read_values(dataset, f"{name}_error", samples)
    if error is None:
        raise InputError(
            f"{source}: variable {name}_error is missing; add it or set the observation error in the configuration"
        )
    return np.full(count, float(error))


def _codes(dataset: netCDF4.Dataset, samples: slice, count: int) -> np.ndarray:
    """Why each sample was rejected when the file was made, 0 for the usable ones."""
    if "rejected" not in dataset.variables:
        return np.zeros(count, np.int64)
    return np.ma.filled(np.ma.asarray(dataset["rejected"][samples]), -1).astype(np.int64)


def flag_meanings(variable: netCDF4.Variable, attribute: str) -> dict[int, str]:
    """Value or mask of a flag variable to its meaning; ``attribute`` is flag_values or flag_masks."""
    values = getattr(variable, attribute, "")
    numbers = values.split() if isinstance(values, str) else np.atleast_1d(values).tolist()
    meanings = str(getattr(variable, "flag_meanings", "")).split()
    return {int(number): meaning for number, meaning in zip(numbers, meanings, strict=False)}
