"""Writing SURFEX FORCING.nc files (ecosystem.md 2.2)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dalearn.forcing.series import ForcingSeries
from dalearn.io import create_variable, writing

_STATIC = {
    "LON": ("longitude", "degrees_east", "longitude"),
    "LAT": ("latitude", "degrees_north", "latitude"),
    "ZS": ("altitude", "m", "altitude"),
    "ZREF": ("temperature_height", "m", "height of the air temperature and humidity"),
    "UREF": ("wind_height", "m", "height of the wind"),
}


def write_forcing(path: Path | str, series: ForcingSeries, attributes: Mapping[str, Any] | None = None) -> None:
    """Write ``series`` as a SURFEX forcing file with dims (time, Number_of_points), whole or not at all.

    Raises InputError when the file cannot be written.
    """
    dimensions = ("time", "Number_of_points")
    with writing(path, attributes) as dataset:
        dataset.createDimension("time", series.record_count)
        dataset.createDimension("Number_of_points", series.cell_count)
        described = {"units": "s", "long_name": "time between two records"}
        create_variable(dataset, "FRC_TIME_STP", (), "f8", attributes=described)[...] = series.step
        origin = str(series.start.astype("datetime64[s]")).replace("T", " ")
        described = {"units": f"seconds since {origin}", "standard_name": "time", "calendar": "standard"}
        seconds = series.step * np.arange(series.record_count, dtype=np.float64)
        create_variable(dataset, "time", ("time",), "f8", attributes=described)[:] = seconds
        for name, (field, units, long_name) in _STATIC.items():
            described = {"units": units, "long_name": long_name}
            create_variable(dataset, name, dimensions[1:], "f8", attributes=described)[:] = getattr(series, field)
        absent = {
            "Snowf": np.zeros_like(series.records["Rainf"]),
            "CO2air": series.co2_concentration(np.arange(series.record_count)),
        }
        for name, values in {**absent, **series.records}.items():
            create_variable(dataset, name, dimensions, attributes={"coordinates": "LAT LON"})[:] = values
