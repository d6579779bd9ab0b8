"""Files as users download them, made in the documented layouts from one analytic atmosphere."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from dalearn.forcing.partition import mean_cosine
from dalearn.forcing.solar import cosine_zenith

START = np.datetime64("2016-06-01T00:00", "s")
HOUR = np.timedelta64(3600, "s")
LATITUDES = np.arange(44.0, 42.9, -0.25)
LONGITUDES = np.arange(-0.75, 0.76, 0.25)
INSTANTANEOUS = ("t2m", "d2m", "sp", "u10", "v10")
ACCUMULATED = ("ssrd", "fdir", "strd", "tp", "sf")
UNITS = {
    "t2m": "K", "d2m": "K", "sp": "Pa", "u10": "m s**-1", "v10": "m s**-1", "ssrd": "J m**-2", "fdir": "J m**-2",
    "strd": "J m**-2", "tp": "m", "sf": "m of water equivalent",
}  # fmt: skip


def hours(count: int, start: np.datetime64 = START) -> np.ndarray:
    return start + HOUR * np.arange(count)


def atmosphere(
    times: np.ndarray, latitude: np.ndarray = LATITUDES, longitude: np.ndarray = LONGITUDES
) -> dict[str, np.ndarray]:
    """ERA5 variables (time, latitude, longitude) float64; accumulations over the hour that ends at the stamp."""
    north, east = (axis.ravel() for axis in np.meshgrid(latitude, longitude, indexing="ij"))
    shape = (len(times), len(latitude), len(longitude))
    hour = (times - START).astype("timedelta64[s]").astype(np.float64)[:, None] / 3600.0
    sun = mean_cosine(times, 3600, north, east)
    wet = np.maximum(np.sin(2.0 * np.pi * hour / 31.0 + north / 3.0) - 0.6, 0.0)
    warm = 285.0 + 6.0 * np.cos(2.0 * np.pi * (hour - 14.5) / 24.0) - 0.7 * (north - 43.5) + 0.3 * east
    fields = {
        "t2m": warm,
        "d2m": warm - 4.0 - 2.0 * np.cos(2.0 * np.pi * (hour - 14.5) / 24.0),
        "sp": 98000.0 + 120.0 * (north - 43.5) + 5.0 * hour,
        "u10": 3.0 + np.sin(hour / 7.0) + 0.2 * east,
        "v10": -2.0 + np.cos(hour / 9.0) + 0.1 * north - 4.3,
        "ssrd": 3600.0 * 950.0 * sun,
        "fdir": 3600.0 * 700.0 * sun**1.2,
        "strd": 3600.0 * (320.0 + 15.0 * np.sin(hour / 11.0) + 0.0 * north),
        "tp": 2.0e-3 * wet,
        "sf": 0.4e-3 * wet * (north > 43.6),
    }
    return {name: np.broadcast_to(values, (len(times), len(north))).reshape(shape) for name, values in fields.items()}


def since_midnight(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Hourly accumulations as ERA5-Land gives them: from 00 UTC, the 00 UTC stamp holds all the day before."""
    hour = (times - times.astype("datetime64[D]")).astype("timedelta64[h]").astype(int)
    result = np.zeros_like(values)
    running = np.zeros(values.shape[1:])
    for row in range(len(times)):
        running = values[row] if hour[row] == 1 else running + values[row]
        result[row] = running
    return result


def write_era5(
    path: Path,
    times: np.ndarray,
    fields: Mapping[str, np.ndarray],
    *,
    generation: str = "new",
    latitude: np.ndarray = LATITUDES,
    longitude: np.ndarray = LONGITUDES,
    expver: Any = None,
    packed: bool = False,
    units: Mapping[str, str] = UNITS,
) -> Path:
    """``generation`` new: valid_time, number and expver as coordinates; old: time since 1900, expver as dimension.

    ``expver`` old: bool (time,), which records are preliminary (5), the others being undefined there.
    """
    time_name, float_axis = ("valid_time", "f8") if generation == "new" else ("time", "f4")
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension(time_name, len(times))
        file.createDimension("latitude", len(latitude))
        file.createDimension("longitude", len(longitude))
        time = file.createVariable(time_name, "i8" if generation == "new" else "i4", (time_name,))
        if generation == "new":
            time.units, time.calendar = "seconds since 1970-01-01", "proleptic_gregorian"
            time[:] = (times - np.datetime64("1970-01-01", "s")).astype(np.int64)
            number = file.createVariable("number", "i8", ())
            number[...] = 0
            version = file.createVariable("expver", str, (time_name,))
            version[:] = np.array(["0001"] * len(times), dtype=object)
        else:
            time.units, time.calendar = "hours since 1900-01-01 00:00:00.0", "gregorian"
            time[:] = (times - np.datetime64("1900-01-01", "s")).astype("timedelta64[h]").astype(np.int64)
        for name, axis in (("latitude", latitude), ("longitude", longitude)):
            variable = file.createVariable(name, float_axis, (name,))
            variable.units = "degrees_north" if name == "latitude" else "degrees_east"
            variable[:] = axis
        dimensions: tuple[str, ...] = (time_name, "latitude", "longitude")
        if expver is not None:
            file.createDimension("expver", 2)
            file.createVariable("expver", "i4", ("expver",))[:] = [1, 5]
            dimensions = (time_name, "expver", "latitude", "longitude")
        for name, values in fields.items():
            if expver is not None:
                both = np.full((len(times), 2, *values.shape[1:]), np.nan)
                both[~expver, 0], both[expver, 1] = values[~expver], values[expver]
                values = both
            if packed:
                low, high = float(np.nanmin(values)), float(np.nanmax(values))
                variable = file.createVariable(name, "i2", dimensions, fill_value=-32767)
                variable.scale_factor, variable.add_offset = max(high - low, 1e-9) / 64000.0, 0.5 * (high + low)
                variable[:] = np.ma.array(np.nan_to_num(values), mask=np.isnan(values))
            else:
                variable = file.createVariable(name, "f4", dimensions, fill_value=np.nan)
                variable[:] = values
            variable.units = units.get(name, "1")
    return path


def write_table(path: Path, days: int = 20, separator: str = ",", date_style: str = "%Y-%m-%d", **changes: Any) -> Path:
    """A daily table; ``changes`` column -> (row, text)."""
    names = [
        "DATE", "Tair_min", "Tair_max", "Tair_mean", "RG_sum", "PPT_sum", "RHair_min", "RHair_max", "RHair_mean",
        "WS_mean",
    ]  # fmt: skip
    rows = []
    for day in range(days):
        date = (START.astype("datetime64[D]") + day).astype(object)
        values = [10 + day % 5, 22 + day % 7, 15.5 + day % 4, 18.5 + day % 6, 7.3 * (day % 3 == 0), 40, 95, 68.5, 2.5]
        rows.append([date.strftime(date_style), *(f"{value:g}" for value in values)])
    for name, (row, text) in changes.items():
        rows[row][names.index(name)] = text
    body = "\n".join(separator.join(row) for row in [names, *rows]) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(body.encode()))
    else:
        path.write_text(body)
    return path


def write_tower(path: Path, days: int = 12, offset: float = 1.0, longitude: float = 15.0, **changes: Any) -> Path:
    """A half-hourly tower at 45 N in local standard time, the end of the half hour; ``changes`` name -> values."""
    count = 48 * days
    ends = START + np.timedelta64(1800, "s") * np.arange(1, count + 1)  # local
    utc = ends - np.timedelta64(round(offset * 3600), "s")
    sun = mean_cosine(utc, 1800, np.array([45.0]), np.array([longitude]))[:, 0]
    warm = 288.0 + 5.0 * cosine_zenith(utc, np.array([45.0]), np.array([longitude]))[:, 0]
    series: dict[str, tuple[np.ndarray, str]] = {
        "Tair": (warm, "K"), "Qair": (np.full(count, 0.007), "kg/kg"), "PSurf": (np.full(count, 97000.0), "Pa"),
        "Wind": (np.full(count, 2.0), "m/s"), "SWdown": (900.0 * sun, "W/m2"),
        "LWdown": (np.full(count, 320.0), "W/m2"),
        "Rainf": (np.where(np.arange(count) % 50 == 0, 1e-4, 0.0), "kg/m2/s"),
    }  # fmt: skip
    series |= changes.pop("series", {})
    attributes = {
        "lat": 45.0,
        "lon": longitude,
        "utc_offset_h": offset,
        "time": "local standard time, end of half-hour",
    }
    attributes |= changes.pop("attributes", {})
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", count)
        time = file.createVariable("time", "i8", ("time",))
        time.units = "minutes since 2016-06-01T00:30:00"
        time[:] = 30 * np.arange(count)
        for name, (values, units) in series.items():
            if values is None:
                continue
            variable = file.createVariable(name, "f4", ("time",), fill_value=np.nan)
            variable.units = units
            variable[:] = values
        file.setncatts({name: value for name, value in attributes.items() if value is not None})
    return path
