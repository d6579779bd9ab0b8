"""Analyses and forecasts of limited-area models (AROME and the like) on a regular latitude-longitude grid.

Names are those of GRIB, CF or ALMA.  A flux in J m-2 or kg m-2 is accumulated: from the base time of its forecast
where the file gives one (``forecast_reference_time``, or a scalar ``time`` beside ``valid_time``), else over the step
that ends at the stamp.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dalearn.errors import InputError
from dalearn.forcing.convert import apply, conversion
from dalearn.forcing.gridded import GriddedFiles
from dalearn.forcing.humidity import saturation_vapour_pressure, specific_humidity
from dalearn.forcing.partition import rest
from dalearn.forcing.source import Points

# own name -> (kind, names in files)
VARIABLES = {
    "Tair": ("temperature", ("t2m", "2t", "tas", "Tair", "T2M", "air_temperature")),
    "Qair": ("humidity", ("q2m", "2sh", "sh2", "huss", "Qair", "Q2M", "specific_humidity")),
    "RH": ("relative_humidity", ("r2", "2r", "hurs", "RH", "HU2M", "relative_humidity")),
    "Td": ("temperature", ("d2m", "2d", "tdps", "TD2M")),
    "PSurf": ("pressure", ("sp", "ps", "PSurf", "Psurf", "PRES", "surface_air_pressure")),
    "Wind_E": ("speed", ("u10", "10u", "uas", "Wind_E", "U10M")),
    "Wind_N": ("speed", ("v10", "10v", "vas", "Wind_N", "V10M")),
    "Wind": ("speed", ("si10", "10si", "ws10", "sfcWind", "Wind", "FF10M", "wind_speed")),
    "Wind_DIR": ("direction", ("wdir10", "10wdir", "Wind_DIR", "DD10M")),
    "SWdown": ("radiation", ("ssrd", "rsds", "SWdown", "dswrf", "FLSOLAIRE_D")),
    "DIR_SWdown": ("radiation", ("fdir", "rsdsdir", "DIR_SWdown")),
    "LWdown": ("radiation", ("strd", "rlds", "LWdown", "dlwrf", "FLTHERM_D")),
    "Precip": ("precipitation", ("tp", "pr", "Precip", "tirf_total")),
    "Rainf": ("precipitation", ("tirf", "rain", "Rainf", "lsrr", "EAU")),
    "Snowf": ("precipitation", ("tsnowp", "sf", "prsn", "snow", "Snowf", "NEIGE")),
}
REQUIRED = ("Tair", "PSurf", "SWdown", "LWdown")
ALTERNATIVES = (("Qair", "RH", "Td"), ("Wind_E", "Wind"), ("Precip", "Rainf"))
SHORTWAVE_ROUNDING, RAIN_ROUNDING = 2.0, 6.0e-6  # W m-2, kg m-2 s-1: between two packed sums
DRY = {"precipitation": 1e-3, "radiation": 3600.0}  # kg m-2, J m-2: rounding of an accumulation, below zero


class AromeFiles:
    """Files around the cells (``latitude``, ``longitude`` (cell,) degrees); a ``ForcingSource``."""

    def __init__(
        self,
        paths: Sequence[Path],
        latitude: np.ndarray,
        longitude: np.ndarray,
        *,
        temperature_height: float,
        wind_height: float,
    ) -> None:
        aliases = {name: names for name, (_, names) in VARIABLES.items()}
        self.files = GriddedFiles(paths, aliases, REQUIRED, latitude, longitude)
        self.label, self.times, self.step = self.files.label, self.files.times, self.files.step
        for names in ALTERNATIVES:
            if not any(map(self.files.has, names)):
                known = "; ".join(", ".join(VARIABLES[name][1]) for name in names)
                raise InputError(f"{self.label}: {' or '.join(names)} is missing (looked for {known}); add it")
        if self.files.has("Wind_E") != self.files.has("Wind_N"):
            lacking = "Wind_N" if self.files.has("Wind_E") else "Wind_E"
            raise InputError(f"{self.label}: {lacking} is missing, its other component is there; add it")
        self._conversions = {
            name: conversion(self.files.origin(name, 0), kind, self.files.units(name))
            for name, (kind, _) in VARIABLES.items()
            if self.files.has(name)
        }
        self._resets = {name: self._begins(name) for name, (*_, summed) in self._conversions.items() if summed}
        north, east = self.files.grid.nodes()
        altitude = self.files.altitude()
        self.points = Points(
            north,
            east,
            np.full(len(north), np.nan) if altitude is None else altitude,
            np.full(len(north), temperature_height),
            np.full(len(north), wind_height),
            self.files.grid,
        )

    def read(self, rows: slice) -> dict[str, np.ndarray]:
        """See ``ForcingSource``."""
        values = {name: self._read(name, rows) for name in self._conversions}
        pressure = values["PSurf"].astype(np.float64)
        if "Qair" not in values:
            if "RH" in values:
                saturation = saturation_vapour_pressure(values["Tair"].astype(np.float64))
                vapour = np.clip(values["RH"], 0.0, 1.0) * saturation
            else:
                vapour = saturation_vapour_pressure(values["Td"].astype(np.float64))
            values["Qair"] = specific_humidity(vapour, pressure).astype(np.float32)
        if "Wind_E" in values:
            values.pop("Wind", None)
            values.pop("Wind_DIR", None)
        if "DIR_SWdown" in values:
            total = values.pop("SWdown")
            values["SCA_SWdown"] = rest(total, values["DIR_SWdown"], SHORTWAVE_ROUNDING)
        if "Precip" in values and "Snowf" in values:
            total = values.pop("Precip")
            values["Rainf"] = rest(total, values["Snowf"], RAIN_ROUNDING)
        elif "Precip" not in values and "Snowf" not in values:
            values["Precip"] = values.pop("Rainf")
        elif "Precip" in values:
            values.pop("Rainf", None)
        return {name: array for name, array in values.items() if name not in ("RH", "Td")}

    def origin(self, name: str, row: int) -> str:
        """See ``ForcingSource``."""
        for candidate in (name, *_BEHIND.get(name, ())):
            if self.files.has(candidate):
                return self.files.origin(candidate, row)
        return self.label

    def _read(self, name: str, rows: slice) -> np.ndarray:
        factor, offset, summed = self._conversions[name]
        if not summed:
            return apply(self.files.read(name, rows), factor, offset)
        amount = apply(self.files.read_accumulated(name, rows, self._resets[name]), factor, offset)
        falls = amount < -DRY[VARIABLES[name][0]]
        if falls.any():
            row = rows.start + int(np.argmax(falls.any(axis=1)))
            raise InputError(
                f"{self.files.origin(name, row)} falls at {self.times[row]} although it accumulates from the base "
                "time of the forecast; give hourly sums without a base time, or the forecasts as they are"
            )
        return np.where(amount < 0.0, np.float32(0.0), amount) / np.float32(self.step)

    def _begins(self, name: str) -> np.ndarray:
        """Whether an accumulation begins at the start of each step."""
        base = self.files.base(name)
        unknown = np.isnat(base)
        begins = unknown | (self.times - base == np.timedelta64(self.step, "s"))
        changes = np.concatenate([[False], base[1:] != base[:-1]]) & ~unknown
        if (changes & ~begins).any():
            row = int(np.argmax(changes & ~begins))
            raise InputError(
                f"{self.files.origin(name, row)} at {self.times[row]} accumulates from {base[row]}, and the record "
                "before is of another forecast; give the first steps of every forecast too"
            )
        return begins


_BEHIND = {
    "Qair": ("RH", "Td"), "Wind": ("Wind_E",), "Wind_DIR": ("Wind_E",), "DIR_SWdown": ("SWdown",),
    "SCA_SWdown": ("SWdown",), "Rainf": ("Precip",), "Snowf": ("Precip", "Rainf"),
}  # fmt: skip
