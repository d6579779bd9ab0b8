"""Daily tables (SAFRAN and the like) spread over the hours; the equations are in docs/forcing.md.

Daily rain and short wave, and daily minimum, maximum and mean temperature and mean relative humidity are those of the
table; WHEN it rains, and the long wave, are invented.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dalearn.constants import STEFAN_BOLTZMANN
from dalearn.errors import InputError
from dalearn.forcing.altitude import standard_pressure
from dalearn.forcing.daily_cycle import rain_course, solar_hours, temperature_course, vapour_course
from dalearn.forcing.humidity import saturation_vapour_pressure, specific_humidity
from dalearn.forcing.partition import mean_cosine, mean_over_step, sun_distance_factor
from dalearn.forcing.sky import SOLAR_CONSTANT, clear_sky_longwave, clear_sky_shortwave
from dalearn.forcing.source import site
from dalearn.forcing.table import DailyTable, read_table

logger = logging.getLogger("dalearn")

HOUR = 3600
CELSIUS = 273.15
MEGAJOULES_A_DAY = 1.0e6 / 86400.0  # in W m-2
CLOUD_EMISSION = 0.84  # Unsworth and Monteith (1975, doi:10.1002/qj.49710142703)
CLEARNESS_WITHOUT_SUN = 0.7  # of a day without sun, whose clouds cannot be known
SMALLEST_SUN = 1.0  # W m-2 of daily mean at the top of the atmosphere: below, a day is without sun
COLUMNS = {
    "Tair": "Tair_mean", "Qair": "RHair_mean", "PSurf": "altitude", "Wind": "WS_mean", "DIR_SWdown": "RG_sum",
    "SCA_SWdown": "RG_sum", "LWdown": "RG_sum", "Rainf": "PPT_sum", "Snowf": "PPT_sum",
}  # fmt: skip


class DailyTables:
    """Hourly forcing of a site from daily tables; a ``ForcingSource``.

    ``latitude``, ``longitude`` degrees, ``altitude`` m; the days are local days ``utc_offset`` hours ahead of UTC.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        latitude: float,
        longitude: float,
        altitude: float,
        utc_offset: float,
        temperature_height: float,
        wind_height: float,
    ) -> None:
        table = read_table(paths)
        self.label, self.step = table.source, HOUR
        self.points = site(latitude, longitude, altitude, temperature_height, wind_height)
        offset = np.timedelta64(round(utc_offset * 3600), "s")
        begin = table.date[0].astype("datetime64[s]") - offset
        self.times = begin + np.timedelta64(HOUR, "s") * np.arange(24 * len(table.date) + 1)
        sunrise, noon = solar_hours(table.date, latitude, longitude, utc_offset)
        if not 9.0 <= noon <= 15.0:
            raise InputError(
                f"{self.label}: DATE: at longitude {longitude:g} noon falls at {noon:.1f} h of the table's day; set "
                f"utc_offset_hours to that of its days, about {round(longitude / 15.0)}"
            )
        self._records = self._spread(table, sunrise, noon)

    def read(self, rows: slice) -> dict[str, np.ndarray]:
        """See ``ForcingSource``."""
        return {name: values[rows, None].astype(np.float32) for name, values in self._records.items()}

    def origin(self, name: str, row: int) -> str:
        """See ``ForcingSource``."""
        return f"{self.label}: {COLUMNS.get(name, name)}"

    def _spread(self, table: DailyTable, sunrise: np.ndarray, noon: float) -> dict[str, np.ndarray]:
        """All records by name, (record,) float64: the start of the first day, then 24 hours of every day."""
        columns = table.columns
        smallest, largest, mean = (columns[name] + CELSIUS for name in ("Tair_min", "Tair_max", "Tair_mean"))
        temperature, start = temperature_course(smallest, largest, mean, sunrise, noon)
        _report_means(table, temperature.mean(axis=1) - np.clip(mean, smallest, largest))
        saturation = saturation_vapour_pressure(temperature)
        vapour = vapour_course(saturation, _relative_humidity(columns) / 100.0)
        altitude = float(self.points.altitude[0])
        pressure = standard_pressure(np.array(altitude))
        shortwave, clearness = self._shortwave(table, altitude)
        cloud = 1.0 - clearness[:, None]
        black = STEFAN_BOLTZMANN * temperature**4
        longwave = (1.0 - CLOUD_EMISSION * cloud) * clear_sky_longwave(temperature, vapour)
        longwave += CLOUD_EMISSION * cloud * black
        hourly = {
            "Tair": temperature,
            "Qair": specific_humidity(vapour, pressure),
            "PSurf": np.full_like(temperature, float(pressure)),
            "SWdown": shortwave,
            "LWdown": longwave,
            "Precip": rain_course(columns["PPT_sum"], table.date) / HOUR,
            "Wind": np.repeat(columns["WS_mean"][:, None], 24, axis=1),
        }
        first = {name: values[0, 0] for name, values in hourly.items()} | {"Tair": start, "SWdown": 0.0, "Precip": 0.0}
        moist = np.minimum(vapour[0, 0], saturation_vapour_pressure(np.array(start)))
        first["Qair"] = specific_humidity(moist, pressure)
        return {name: np.concatenate([[first[name]], values.ravel()]) for name, values in hourly.items()}

    def _shortwave(self, table: DailyTable, altitude: float) -> tuple[np.ndarray, np.ndarray]:
        """Short wave (day, 24) W m-2 and how clear the days are, (day,) 0..1.

        The shape is that of a cloudless sky.  Clearness is relative to (0.75 + 2e-5 z) of the radiation at the top of
        the atmosphere (Allen et al. 1998, FAO 56, equation 37).
        """
        place = self.points.latitude, self.points.longitude
        hours = self.times[1:]
        shape = mean_over_step(clear_sky_shortwave, hours, HOUR, *place).reshape(-1, 24)
        top = (mean_cosine(hours, HOUR, *place) * sun_distance_factor(hours)).reshape(-1, 24).mean(axis=1)
        top *= SOLAR_CONSTANT
        mean = table.columns["RG_sum"] * MEGAJOULES_A_DAY
        impossible = mean > np.maximum(top, SMALLEST_SUN)
        if impossible.any():
            row = int(np.argmax(impossible))
            raise InputError(
                f"{self.label}: RG_sum is {table.columns['RG_sum'][row]:g} on {table.date[row]} "
                f"({int(impossible.sum())} day(s)), more than the {top[row] / MEGAJOULES_A_DAY:.1f} MJ m-2 d-1 that "
                "reach the top of the atmosphere; correct it, or its units, or the order of the days"
            )
        sunny = (top >= SMALLEST_SUN) & (shape.sum(axis=1) > 0.0)
        total = np.where(sunny, shape.mean(axis=1), 1.0)
        hourly = np.where(sunny[:, None], mean[:, None] * shape / total[:, None], 0.0)
        clear = (0.75 + 2.0e-5 * altitude) * np.where(sunny, top, 1.0)
        return hourly, np.where(sunny, np.clip(mean / clear, 0.0, 1.0), CLEARNESS_WITHOUT_SUN)


def _relative_humidity(columns: dict[str, np.ndarray]) -> np.ndarray:
    if "RHair_mean" in columns:
        return columns["RHair_mean"]
    return 0.5 * (columns["RHair_min"] + columns["RHair_max"])


def _report_means(table: DailyTable, error: np.ndarray) -> None:
    """Say how many daily means no curve through the extremes can have."""
    missed = np.abs(error) > 0.01
    if missed.any():
        logger.debug(
            "%s: the mean temperature of %d of %d days lies too close to an extreme to be met; largest error %.2f K",
            table.source, int(missed.sum()), len(error), np.abs(error).max(),
        )  # fmt: skip
