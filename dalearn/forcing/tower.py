"""Flux towers in ALMA files (PLUMBER, PALS): one point, local standard time, half-hourly or hourly.

Times become UTC and the end of the interval.  A file says which end its times are in the attribute ``time`` (with the
word start or end); else times that begin at midnight are the start, others the end.  Hourly records come out: states
are the mean of the two intervals around the hour, fluxes the mean of the hour that ends there.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import netCDF4
import numpy as np

from dalearn.constants import MOLAR_MASS_AIR, MOLAR_MASS_CO2
from dalearn.errors import InputError
from dalearn.forcing.air import air_density
from dalearn.forcing.checks import check_regular
from dalearn.forcing.convert import apply, conversion
from dalearn.forcing.humidity import saturation_vapour_pressure, specific_humidity
from dalearn.forcing.partition import rest
from dalearn.forcing.solar_phase import check_solar_phase
from dalearn.forcing.source import site
from dalearn.io import read_time, read_values, reading, require

logger = logging.getLogger("dalearn")

HOUR = 3600
RAIN_ROUNDING = 1.0e-8  # kg m-2 s-1
# ALMA name -> (kind, names in files)
VARIABLES = {
    "Tair": ("temperature", ("Tair",)),
    "Qair": ("humidity", ("Qair",)),
    "RH": ("relative_humidity", ("RH",)),
    "VPD": ("pressure", ("VPD",)),
    "PSurf": ("pressure", ("PSurf", "Psurf")),
    "Wind": ("speed", ("Wind",)),
    "Wind_N": ("speed", ("Wind_N",)),
    "Wind_E": ("speed", ("Wind_E",)),
    "SWdown": ("radiation", ("SWdown",)),
    "LWdown": ("radiation", ("LWdown",)),
    "Rainf": ("precipitation", ("Rainf",)),
    "Precip": ("precipitation", ("Precip",)),
    "Snowf": ("precipitation", ("Snowf",)),
    "CO2air": ("carbon_dioxide", ("CO2air",)),
}
FLUXES = ("SWdown", "LWdown", "Rainf", "Precip", "Snowf")
REQUIRED = ("Tair", "PSurf", "SWdown", "LWdown")
ALTERNATIVES = (("Qair", "RH", "VPD"), ("Wind", "Wind_E"), ("Precip", "Rainf"))
POSITION = {"latitude": ("latitude", "lat", "nav_lat"), "longitude": ("longitude", "lon", "nav_lon")}
ALTITUDE = ("elevation", "altitude", "ZS")
HEIGHT = ("reference_height",)
OFFSETS = ("utc_offset_h", "utc_offset_hours", "utc_offset")


class TowerFile:
    """One tower; a ``ForcingSource``.

    ``utc_offset`` (hours ahead of UTC), ``altitude`` and the heights (m) stand in where the file does not say.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        utc_offset: float | None,
        altitude: float | None,
        temperature_height: float,
        wind_height: float,
    ) -> None:
        if len(paths) != 1:
            raise InputError(f"{paths[0]} and {len(paths) - 1} more: a tower is one file; give one")
        self.path = paths[0]
        self.label, self.step = str(self.path), HOUR
        with reading(self.path) as dataset:
            require(dataset, "time", *REQUIRED[:1])
            position = {name: _number(dataset, names) for name, names in POSITION.items()}
            for name, value in position.items():
                if value is None:
                    raise InputError(f"{self.path}: {name} of the tower is missing; add it as variable or attribute")
            ends, step = self._ends(dataset, utc_offset)
            values = self._values(dataset)
            height = _number(dataset, HEIGHT)
            known = _number(dataset, ALTITUDE)
        self._names = {name: names for name, (_, names) in VARIABLES.items()}
        altitude = known if known is not None else altitude
        self.points = site(
            position["latitude"] or 0.0,
            position["longitude"] or 0.0,
            np.nan if altitude is None else altitude,
            height or temperature_height,
            height or wind_height,
        )
        check_solar_phase(
            self.label, ends, step, values["SWdown"], float(self.points.latitude[0]), float(self.points.longitude[0])
        )
        self.times, self._records = _hourly(self.label, ends, step, _completed(values))

    def read(self, rows: slice) -> dict[str, np.ndarray]:
        """See ``ForcingSource``."""
        return {name: values[rows, None].astype(np.float32) for name, values in self._records.items()}

    def origin(self, name: str, row: int) -> str:
        """See ``ForcingSource``."""
        return self.label

    def _ends(self, dataset: netCDF4.Dataset, utc_offset: float | None) -> tuple[np.ndarray, int]:
        """UTC of the end of every interval, and the seconds between them."""
        times = read_time(dataset)
        if len(times) < 3:
            raise InputError(f"{self.path}: time holds {len(times)} records; give a longer record")
        step = int(np.median(np.diff(times).astype(np.int64)))
        if step <= 0 or HOUR % step:
            raise InputError(
                f"{self.path}: time: records every {step} s do not make up hours; give half-hourly records"
            )
        check_regular(self.label, times, step)
        stated = next((float(dataset.getncattr(name)) for name in OFFSETS if name in dataset.ncattrs()), None)
        offset = stated if stated is not None else utc_offset
        if offset is None:
            raise InputError(
                f"{self.path}: time is local standard time and the file does not say how far ahead of UTC; set "
                "prepare.forcing.utc_offset_hours"
            )
        words = str(getattr(dataset, "time", "")).lower()
        midnight = times[0] == times[0].astype("datetime64[D]")
        begins = "start" in words or ("end" not in words and midnight)
        shift = -round(offset * HOUR) + (step if begins else 0)
        return times + np.timedelta64(shift, "s"), step

    def _values(self, dataset: netCDF4.Dataset) -> dict[str, np.ndarray]:
        """Every known variable in SI units, (record,) float64."""
        found = {}
        for name, (kind, names) in VARIABLES.items():
            variable = next((candidate for candidate in names if candidate in dataset.variables), None)
            if variable is None:
                continue
            values = read_values(dataset, variable)
            if values.size != values.shape[0]:
                raise InputError(f"{self.path}: {variable} has {values.size // values.shape[0]} points; give one tower")
            factor, offset, summed = conversion(
                f"{self.path}: {variable}", kind, str(getattr(dataset[variable], "units", ""))
            )
            if summed:
                raise InputError(f"{self.path}: {variable} is a sum; divide it by the seconds of its interval")
            found[name] = apply(values.ravel(), factor, offset).astype(np.float64)
            if name == "CO2air" and np.nanmean(found[name]) > 0.05:
                found[name] *= 1e-6  # without units, and far too much for kg m-3: ppm
        for name in REQUIRED:
            if name not in found:
                raise InputError(f"{self.path}: variable {name} is missing; add it")
        for alternatives in ALTERNATIVES:
            if not any(name in found for name in alternatives):
                raise InputError(f"{self.path}: variable {' or '.join(alternatives)} is missing; add one of them")
        for name, values in found.items():
            if np.isnan(values).all():
                raise InputError(f"{self.path}: {name} is undefined in all records; fill it in")
        return found


def _number(dataset: netCDF4.Dataset, names: Sequence[str]) -> float | None:
    for name in names:
        if name in dataset.variables and dataset[name].size == 1:
            return float(np.ravel(read_values(dataset, name))[0])
        if name in dataset.ncattrs():
            return float(dataset.getncattr(name))
    return None


def _completed(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Specific humidity, one kind of precipitation, CO2 in kg m-3."""
    result = dict(values)
    relative, deficit = result.pop("RH", None), result.pop("VPD", None)
    if "Qair" not in result:
        saturation = saturation_vapour_pressure(result["Tair"])
        if relative is not None:
            vapour = np.clip(relative, 0.0, 1.0) * saturation
        else:
            assert deficit is not None
            vapour = np.maximum(saturation - deficit, 0.0)
        result["Qair"] = specific_humidity(vapour, result["PSurf"])
    if "Snowf" not in result:  # Rainf of a tower without Snowf is all that fell
        result["Precip"] = result.pop("Precip", result.get("Rainf", np.zeros(0)))
        result.pop("Rainf", None)
    elif "Rainf" not in result:
        result["Rainf"] = rest(result.pop("Precip"), result["Snowf"], RAIN_ROUNDING)
    else:
        result.pop("Precip", None)
    if "Wind" in result or "Wind_N" not in result:
        result.pop("Wind_E", None)
        result.pop("Wind_N", None)
    if "CO2air" in result:
        density = air_density(result["Tair"], result["Qair"], result["PSurf"], np.array(2.0))
        result["CO2air"] = result["CO2air"] * MOLAR_MASS_CO2 / MOLAR_MASS_AIR * density
    return result


def _hourly(
    source: str, ends: np.ndarray, step: int, values: dict[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Whole hours and the records there; the last state has only the interval before it."""
    pieces = HOUR // step
    into = (ends - ends.astype("datetime64[h]")).astype("timedelta64[s]").astype(np.int64)
    first = int(np.argmax(into == 0))
    if into[first] != 0 or first + 1 < pieces:
        first += pieces if into[first] == 0 else 0
    rows = np.arange(first, len(ends), pieces)
    if into[first] != 0 or len(rows) < 2:
        raise InputError(f"{source}: time: no two whole hours in the record; give a longer one on the half hours")
    following = np.minimum(rows + 1, len(ends) - 1)
    result = {}
    for name, series in values.items():
        if name in FLUXES:
            result[name] = np.mean([series[rows - back] for back in range(pieces)], axis=0)
        else:
            result[name] = 0.5 * (series[rows] + series[following])
    return ends[rows], result
