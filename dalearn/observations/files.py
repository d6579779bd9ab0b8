"""Observation files: CF indexed ragged arrays in netCDF.

Dims ``sample`` and ``cell``; ``time(sample)``, ``cell_index(sample)``, ``<quantity>(sample)``,
``<quantity>_error(sample)``, ``rejected(sample)`` with 0 for a usable sample and else one of its
``flag_values``, ``latitude(cell)`` and ``longitude(cell)``.
"""

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


def write_observations(
    path: Path | str, observations: Observations, attributes: Mapping[str, Any] | None = None
) -> None:
    """Write ``observations``, whole or not at all.  Raises InputError when the file cannot be written."""
    name = observations.quantity
    with writing(path, {"featureType": "timeSeries", **(attributes or {})}) as dataset:
        dataset.createDimension("sample", len(observations))
        create_cells(dataset, observations.latitude, observations.longitude)
        create_time(dataset, "sample")[:] = seconds(observations.time)
        described = {"long_name": "cell of the sample", "instance_dimension": "cell"}
        create_variable(dataset, "cell_index", ("sample",), "i4", attributes=described)[:] = observations.cell
        described = {"units": observations.units, "coordinates": "time"}
        create_variable(dataset, name, ("sample",), "f8", attributes=described)[:] = observations.value
        described = {"units": observations.units, "long_name": f"standard deviation of the error of {name}"}
        create_variable(dataset, f"{name}_error", ("sample",), "f8", attributes=described)[:] = observations.error
        flags = {"flag_values": np.array([0], np.int8), "flag_meanings": "kept", "standard_name": "quality_flag"}
        create_variable(dataset, "rejected", ("sample",), "i1", attributes=flags)[:] = 0


def read_observations(path: Path | str, quantity: str | None = None, error: float | None = None) -> Observations:
    """Read the usable samples of ``quantity``; the only quantity of the file by default.

    ``error`` is the standard deviation given to all samples of a file that has none.

    Raises InputError for a missing variable, a cell index out of range, wrong units, or values that cannot
    be in them.  Single values out of range are rejected and counted.
    """
    source = str(path)
    with reading(path) as dataset:
        require(dataset, "time", "cell_index", "latitude", "longitude")
        name = _quantity(source, dataset, quantity)
        latitude, longitude = read_values(dataset, "latitude"), read_values(dataset, "longitude")
        cell = read_values(dataset, "cell_index")
        outside = ~((cell >= 0) & (cell < len(latitude)))
        if outside.any():
            sample = int(np.argmax(outside))
            raise InputError(
                f"{source}: cell_index is {cell[sample]:g} in sample {sample}; number the cells from 0 to "
                f"{len(latitude) - 1}"
            )
        return screened(
            source=source,
            quantity=name,
            units=str(getattr(dataset[name], "units", "")),
            time=read_time(dataset),
            cell=cell.astype(np.int64),
            value=read_values(dataset, name),
            error=_errors(source, dataset, name, error, len(cell)),
            reason=_reasons(dataset, len(cell)),
            latitude=latitude,
            longitude=longitude,
        )


def _quantity(source: str, dataset: netCDF4.Dataset, wanted: str | None) -> str:
    sampled = dataset["cell_index"].dimensions
    present = [name for name in dataset.variables if name in VARIABLES and dataset[name].dimensions == sampled]
    if wanted is not None and wanted in present:
        return wanted
    if wanted is None and len(present) == 1:
        return present[0]
    problem = f"{wanted} is missing" if wanted else "several quantities" if present else "no quantity"
    raise InputError(f"{source}: {problem}; the samples hold {', '.join(present) or 'none of sigma0, SSM, LAI'}")


def _errors(source: str, dataset: netCDF4.Dataset, name: str, error: float | None, count: int) -> np.ndarray:
    if f"{name}_error" in dataset.variables:
        return read_values(dataset, f"{name}_error")
    if error is None:
        raise InputError(
            f"{source}: variable {name}_error is missing; add it or set the observation error in the configuration"
        )
    return np.full(count, float(error))


def _reasons(dataset: netCDF4.Dataset, count: int) -> np.ndarray:
    """Why each sample was rejected when the file was made; "" for the usable ones."""
    if "rejected" not in dataset.variables:
        return np.full(count, "", dtype=object)
    flags = np.ma.filled(np.ma.asarray(dataset["rejected"][:]), -1).astype(int)
    meanings = flag_meanings(dataset["rejected"], "flag_values")
    return np.array(["" if flag == 0 else meanings.get(flag, f"flag_{flag}") for flag in flags.tolist()], dtype=object)


def flag_meanings(variable: netCDF4.Variable, attribute: str) -> dict[int, str]:
    """Value or mask of a flag variable to its meaning; ``attribute`` is flag_values or flag_masks."""
    values = getattr(variable, attribute, "")
    numbers = values.split() if isinstance(values, str) else np.atleast_1d(values).tolist()
    meanings = str(getattr(variable, "flag_meanings", "")).split()
    return {int(number): meaning for number, meaning in zip(numbers, meanings, strict=False)}
