"""Writing SURFEX FORCING.nc files (ecosystem.md 2.2)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dalearn.forcing.series import ForcingSeries
from dalearn.io import create_variable, writing

DIMENSIONS = ("time", "Number_of_points")
VALUES_PER_CHUNK = 2**18
_STATIC = {
    "LON": ("longitude", "degrees_east", "longitude"),
    "LAT": ("latitude", "degrees_north", "latitude"),
    "ZS": ("altitude", "m", "altitude"),
    "ZREF": ("temperature_height", "m", "height of the air temperature and humidity"),
    "UREF": ("wind_height", "m", "height of the wind"),
}

Write = Callable[[int, Mapping[str, np.ndarray]], None]


def rows_per_chunk(record_count: int, cells: int) -> int:
    """Records that lie together in the file; blocks of a multiple of them are written fastest."""
    return max(1, min(record_count, VALUES_PER_CHUNK // max(cells, 1)))


@contextmanager
def forcing_file(
    path: Path | str,
    *,
    start: np.datetime64,
    step: int,
    record_count: int,
    static: Mapping[str, np.ndarray],
    names: Sequence[str],
    attributes: Mapping[str, Any] | None = None,
) -> Iterator[Write]:
    """A SURFEX forcing file with dims (time, Number_of_points) to be filled, whole or not at all.

    ``static``: latitude, longitude, altitude, temperature_height and wind_height (cell,); ``names``: the variables over
    time.  The function that is yielded takes the number of the first record of a block and name -> (record, cell).
    Raises InputError when the file cannot be written.
    """
    cells = len(static["latitude"])
    with writing(path, attributes) as dataset:
        dataset.createDimension("time", record_count)
        dataset.createDimension("Number_of_points", cells)
        described = {"units": "s", "long_name": "time between two records"}
        create_variable(dataset, "FRC_TIME_STP", (), "f8", attributes=described)[...] = step
        origin = str(start.astype("datetime64[s]")).replace("T", " ")
        described = {"units": f"seconds since {origin}", "standard_name": "time", "calendar": "standard"}
        seconds = step * np.arange(record_count, dtype=np.float64)
        create_variable(dataset, "time", ("time",), "f8", attributes=described)[:] = seconds
        for name, (field, units, long_name) in _STATIC.items():
            described = {"units": units, "long_name": long_name}
            create_variable(dataset, name, DIMENSIONS[1:], "f8", attributes=described)[:] = static[field]
        rows = rows_per_chunk(record_count, cells)
        for name in names:
            create_variable(
                dataset, name, DIMENSIONS, attributes={"coordinates": "LAT LON"}, chunks=(rows, max(cells, 1))
            )

        def write(first: int, records: Mapping[str, np.ndarray]) -> None:
            for name, values in records.items():
                dataset[name][first : first + len(values)] = values

        yield write


def write_forcing(path: Path | str, series: ForcingSeries, attributes: Mapping[str, Any] | None = None) -> None:
    """Write ``series`` as a SURFEX forcing file, whole or not at all.

    Raises InputError when the file cannot be written.
    """
    absent = {
        "Snowf": np.zeros_like(series.records["Rainf"]),
        "CO2air": series.co2_concentration(np.arange(series.record_count)),
    }
    records = {**absent, **series.records}
    with forcing_file(
        path,
        start=series.start,
        step=series.step,
        record_count=series.record_count,
        static={field: getattr(series, field) for field, *_ in _STATIC.values()},
        names=list(records),
        attributes=attributes,
    ) as write:
        write(0, records)
