"""Reading SURFEX FORCING.nc files (ecosystem.md 2.2)."""

from pathlib import Path
from typing import Literal

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.forcing.checks import check_regular, check_units, check_values
from dalearn.forcing.series import ForcingSeries
from dalearn.io import read_time, read_values, reading, require

REQUIRED = ("Tair", "Qair", "PSurf", "DIR_SWdown", "SCA_SWdown", "LWdown", "Rainf", "Snowf", "Wind")
OPTIONAL = ("Wind_DIR", "CO2air")
STEP_NAMES = ("FRC_TIME_STP", "FORC_TIME_STEP")
VALUES_PER_BLOCK = 1_000_000

Snowfall = Literal["as_snow", "as_rain", "error"]


def read_forcing(
    path: Path | str,
    snowfall: Snowfall = "as_snow",
    *,
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
    temperature_height: float | None = None,
    wind_height: float | None = None,
    default_co2_ppm: float = 400.0,
    cells: slice = slice(None),
) -> ForcingSeries:
    """Read the records that runs between ``start`` and ``end`` need; all of them by default.

    The file has the SURFEX layout, (time, Number_of_points) or (time, yy, xx), which becomes one axis of
    cells.  ``snowfall``: "as_snow" keeps it, "as_rain" adds it to the rain, "error" refuses it in that period.
    ``temperature_height`` and ``wind_height`` (m) stand in for ZREF and UREF where the file has none.
    Without CO2air the air holds ``default_co2_ppm`` (by volume) of CO2.  The wind is interpolated by
    components when the file has Wind_DIR.  ``cells`` are those wanted of the axis of cells; memory holds no others.

    Raises InputError for a missing variable, wrong units, values that are undefined or outside the valid
    range of the variable table, a time axis that is not regular, and a period that the file does not cover.
    """
    source = str(path)
    with reading(path) as dataset:
        require(dataset, "time", *REQUIRED, "LON", "LAT")
        space = space_of(source, dataset)
        times, step = regular_times(source, dataset)
        rows = _rows(source, times, step, start, end)
        names = [name for name in (*REQUIRED, *OPTIONAL) if name in dataset.variables]
        for name in names:
            check_units(source, name, str(getattr(dataset[name], "units", "")))
        records = {name: read_records(source, dataset, name, times, rows, cells) for name in names}
        _treat_snow(source, records, times[rows], snowfall, cells.start or 0)
        return ForcingSeries(
            source=source,
            start=times[rows.start],
            step=step,
            latitude=read_static(source, dataset, "LAT", space, valid_range=(-90.0, 90.0))[cells],
            longitude=read_static(source, dataset, "LON", space, valid_range=(-180.0, 360.0))[cells],
            altitude=read_static(source, dataset, "ZS", space, default=np.nan)[cells],
            temperature_height=read_static(
                source, dataset, "ZREF", space, valid_range=(0.1, 1000.0), default=temperature_height
            )[cells],
            wind_height=read_static(source, dataset, "UREF", space, valid_range=(0.1, 1000.0), default=wind_height)[
                cells
            ],
            records=records,
            default_co2_ppm=default_co2_ppm,
        )


def space_of(source: str, dataset: netCDF4.Dataset) -> dict[str, int]:
    """Name and length of the dimensions that become the cell axis."""
    dimensions = dataset["Tair"].dimensions
    if dimensions[:1] != dataset["time"].dimensions:
        raise InputError(f"{source}: Tair has dimensions {dimensions}; put time first: (time, Number_of_points)")
    return {name: len(dataset.dimensions[name]) for name in dimensions[1:]}


def regular_times(source: str, dataset: netCDF4.Dataset) -> tuple[np.ndarray, int]:
    """The times of the records and their spacing in seconds."""
    name = next((name for name in STEP_NAMES if name in dataset.variables), None)
    if name is None:
        raise InputError(f"{source}: variable FRC_TIME_STP is missing; add the seconds between two records")
    step = float(read_values(dataset, name).ravel()[0])
    if not (step >= 1.0 and step.is_integer()):
        raise InputError(f"{source}: {name} is {step:g}; give the whole seconds between two records")
    times = read_time(dataset)
    if not len(times):
        raise InputError(f"{source}: time holds no record; give at least one")
    check_regular(source, times, int(step))
    return times, int(step)


def _rows(source: str, times: np.ndarray, step: int, start: np.datetime64 | None, end: np.datetime64 | None) -> slice:
    """The records from the one in force at ``start`` to the one that closes the forcing step of ``end``."""
    spacing = np.timedelta64(step, "s")
    first, last = times[0], times[-1] + spacing
    begin, finish = first if start is None else start, last if end is None else end
    if not first <= begin < finish <= last:
        raise InputError(
            f"{source}: {begin} to {finish} is not inside the forcing, which covers {first} to {last}; "
            "choose a period inside or give more forcing"
        )
    closing = -((first - finish) // spacing)
    return slice(int((begin - first) // spacing), min(int(closing) + 1, len(times)))


def read_records(
    source: str, dataset: netCDF4.Dataset, name: str, times: np.ndarray, rows: slice, cells: slice = slice(None)
) -> np.ndarray:
    """One checked variable, (record, cell) float32, read in blocks so that only the result takes much memory."""
    variable = dataset[name]
    if variable.dimensions != dataset["Tair"].dimensions:
        raise InputError(
            f"{source}: {name} has dimensions {variable.dimensions}, Tair {dataset['Tair'].dimensions}; "
            "give all forcing on the same dimensions"
        )
    total = int(np.prod(variable.shape[1:]))
    first_cell, last_cell, _ = cells.indices(total)
    result = np.empty((rows.stop - rows.start, last_cell - first_cell), np.float32)
    length = max(1, VALUES_PER_BLOCK // max(total, 1))
    for first in range(rows.start, rows.stop, length):
        block = slice(first, min(first + length, rows.stop))
        if variable.ndim == 2:
            values = read_values(dataset, name, (block, cells), np.float32)
        else:
            values = read_values(dataset, name, block, np.float32).reshape(-1, total)[:, cells]
        checked = check_values(source, name, times[block], values, first_cell)
        result[first - rows.start : block.stop - rows.start] = checked
    return result


def _treat_snow(
    source: str, records: dict[str, np.ndarray], times: np.ndarray, snowfall: Snowfall, first_cell: int
) -> None:
    """Keep the snow, refuse it, or let it fall as rain."""
    if "Snowf" not in records or snowfall == "as_snow":
        return
    snow = records.pop("Snowf")
    if snowfall == "as_rain":
        records["Rainf"] = records["Rainf"] + snow
        return
    if (snow > 0.0).any():
        record, cell = np.unravel_index(int(np.argmax(snow > 0.0)), snow.shape)
        raise InputError(
            f"{source}: Snowf is {snow[record, cell]:g} kg m-2 s-1 at {times[record]}, cell {first_cell + cell}: the "
            "run has no snow scheme; set `snow_layers: 12` (or 3), or `snowfall: as_rain` to let it fall as rain"
        )


def read_static(
    source: str,
    dataset: netCDF4.Dataset,
    name: str,
    space: dict[str, int],
    *,
    valid_range: tuple[float, float] = (-np.inf, np.inf),
    default: float | None = None,
) -> np.ndarray:
    """A variable without time for every cell, (cell,) float64; ``default`` where the file has none."""
    sizes = tuple(space.values())
    if name not in dataset.variables:
        if default is None:
            raise InputError(
                f"{source}: variable {name} is missing; add it or set the height of the forcing in the configuration"
            )
        return np.full(sizes, float(default)).ravel()
    variable = dataset[name]
    if not set(variable.dimensions) <= set(space):
        raise InputError(
            f"{source}: {name} has dimensions {variable.dimensions}, the forcing {tuple(space)}; give it on those"
        )
    shape = [length if dimension in variable.dimensions else 1 for dimension, length in space.items()]
    values = np.broadcast_to(read_values(dataset, name).reshape(shape), sizes).ravel()
    bad = ~((values >= valid_range[0]) & (values <= valid_range[1]))
    if bad.any():
        cell = int(np.argmax(bad))
        allowed = f"{valid_range[0]:g} to {valid_range[1]:g}"
        raise InputError(f"{source}: {name} is {values[cell]:g} in cell {cell}; give a number from {allowed}")
    return values.astype(np.float64)
