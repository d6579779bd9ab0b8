"""ERA5 and ERA5-Land, hourly on single levels (ecosystem.md 2.4).

In ERA5 an accumulation covers the hour that ENDS at its stamp.  In ERA5-Land it runs from 00 UTC: the stamp 01 holds
the first hour, the stamp 00 the whole day before.  Dewpoint and pressure give the humidity, over water as in the IFS.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dalearn.errors import InputError
from dalearn.forcing.gridded import GriddedFiles
from dalearn.forcing.humidity import saturation_vapour_pressure, specific_humidity
from dalearn.forcing.partition import rest
from dalearn.forcing.solar import cosine_zenith
from dalearn.forcing.source import Points
from dalearn.units import same_units

HOUR = 3600
ALIASES = {
    "t2m": ("t2m", "2t", "VAR_2T"),
    "d2m": ("d2m", "2d", "VAR_2D"),
    "sp": ("sp", "SP"),
    "u10": ("u10", "10u", "VAR_10U"),
    "v10": ("v10", "10v", "VAR_10V"),
    "ssrd": ("ssrd", "SSRD"),
    "fdir": ("fdir", "FDIR"),
    "strd": ("strd", "STRD"),
    "tp": ("tp", "TP"),
    "sf": ("sf", "SF"),
}
REQUIRED = ("t2m", "d2m", "sp", "u10", "v10", "ssrd", "strd", "tp")
UNITS = {
    "t2m": "K", "d2m": "K", "sp": "Pa", "u10": "m s-1", "v10": "m s-1", "ssrd": "J m-2", "fdir": "J m-2",
    "strd": "J m-2", "tp": "m", "sf": "m",
}  # fmt: skip
ORIGIN = {
    "Tair": "t2m", "Qair": "d2m", "PSurf": "sp", "Wind": "u10", "Wind_DIR": "u10", "DIR_SWdown": "ssrd",
    "SCA_SWdown": "ssrd", "LWdown": "strd", "Rainf": "tp", "Snowf": "sf",
}  # fmt: skip
PACKING_NOISE = {"ssrd": HOUR, "fdir": HOUR, "strd": HOUR, "tp": 1e-5, "sf": 1e-5}  # J m-2, m: below zero and harmless
SHORTWAVE_ROUNDING, RAIN_ROUNDING = 2.0, 6.0e-6  # W m-2, kg m-2 s-1: between two packed sums
NIGHT_COSINE = -0.05  # the sun is well below the horizon
NIGHT_SHORTWAVE = 20.0  # W m-2, more than any noise


class Era5:
    """ERA5 (``land=False``) or ERA5-Land files around the cells; a ``ForcingSource``.

    ``latitude``, ``longitude`` (cell,) degrees; the heights in m.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        latitude: np.ndarray,
        longitude: np.ndarray,
        *,
        land: bool,
        temperature_height: float,
        wind_height: float,
    ) -> None:
        self.files = GriddedFiles(paths, ALIASES, REQUIRED, latitude, longitude)
        self.land = land
        self.label, self.times, self.step = self.files.label, self.files.times, self.files.step
        if self.step != HOUR:
            raise InputError(
                f"{self.label}: time: records every {self.step} s, whose accumulations leave hours out; "
                "download every hour"
            )
        for name, units in UNITS.items():
            self._check_units(name, units)
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
        hour = (self.times - self.times.astype("datetime64[D]")).astype("timedelta64[h]").astype(int)
        self._resets = hour == 1 if land else np.ones(len(hour), bool)

    def read(self, rows: slice) -> dict[str, np.ndarray]:
        """See ``ForcingSource``."""
        read = self.files.read
        pressure = read("sp", rows)
        vapour = saturation_vapour_pressure(read("d2m", rows).astype(np.float64))
        result = {
            "Tair": read("t2m", rows),
            "PSurf": pressure,
            "Qair": specific_humidity(vapour, pressure.astype(np.float64)).astype(np.float32),
            "Wind_E": read("u10", rows),
            "Wind_N": read("v10", rows),
            "LWdown": self._flux("strd", rows),
        }
        shortwave = self._flux("ssrd", rows)
        self._check_night(shortwave, rows)
        if self.files.has("fdir"):
            direct = self._flux("fdir", rows)
            result |= {"DIR_SWdown": direct, "SCA_SWdown": rest(shortwave, direct, SHORTWAVE_ROUNDING)}
        else:
            result["SWdown"] = shortwave
        total = self._flux("tp", rows) * np.float32(1000.0)
        if self.files.has("sf"):
            snow = self._flux("sf", rows) * np.float32(1000.0)
            result |= {"Rainf": rest(total, snow, RAIN_ROUNDING), "Snowf": snow}
        else:
            result["Precip"] = total
        return result

    def origin(self, name: str, row: int) -> str:
        """See ``ForcingSource``."""
        variable = ORIGIN.get(name, "t2m")
        return self.files.origin(variable if self.files.has(variable) else "tp", row)

    def _flux(self, name: str, rows: slice) -> np.ndarray:
        """An accumulation per second of its hour, (record, node), packing noise below zero taken away."""
        amount = self.files.read_accumulated(name, rows, self._resets)
        noise = PACKING_NOISE[name]
        falls = amount < -noise
        if self.land and falls.any():
            row = rows.start + int(np.argmax(falls.any(axis=1)))
            raise InputError(
                f"{self.files.origin(name, row)} falls at {self.times[row]} within a day, but ERA5-Land accumulates "
                "from 00 UTC: for hourly accumulations set format: era5"
            )
        return np.where((amount < 0.0) & ~falls, np.float32(0.0), amount) / np.float32(HOUR)

    def _check_night(self, shortwave: np.ndarray, rows: slice) -> None:
        """Sunshine at night means accumulations since 00 UTC, or times that are not UTC."""
        cosine = np.full(shortwave.shape, -1.0)
        for part in (0.0, 0.5, 1.0):
            moments = self.times[rows] - np.timedelta64(round(part * HOUR), "s")
            cosine = np.maximum(cosine, cosine_zenith(moments, self.points.latitude, self.points.longitude))
        shines = (cosine < NIGHT_COSINE) & (shortwave > NIGHT_SHORTWAVE)
        if shines.any():
            row, node = np.unravel_index(int(np.argmax(shines)), shines.shape)
            mend = "check that the times are UTC" if self.land else "if they accumulate from 00 UTC set era5_land"
            raise InputError(
                f"{self.files.origin('ssrd', rows.start + int(row))} gives {shortwave[row, node]:.0f} W m-2 in the "
                f"hour that ends at {self.times[rows.start + int(row)]}, at night; {mend}"
            )

    def _check_units(self, name: str, wanted: str) -> None:
        if not self.files.has(name):
            return
        units = self.files.units(name)
        plain = "m" if units.startswith("m of water") else units
        if plain and not same_units(plain, wanted):
            raise InputError(
                f"{self.files.origin(name, 0)} is in {units}, ERA5 has {wanted}: download hourly single levels as "
                "they are, without conversion"
            )
