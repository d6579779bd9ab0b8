"""What can be chosen about the twin."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dalearn.errors import InputError
from dalearn.twin.irrigation import IrrigationSettings
from dalearn.twin.kilometre.sentinel1_settings import Sentinel1Settings
from dalearn.twin.southwest import CELL_COUNT
from dalearn.twin.surface import PLACES

Region = Literal["transect", "southwest", "montpellier", "toulouse", "salamanca"]
CELLS = {"transect": len(PLACES), "southwest": CELL_COUNT}  # of the regions whose cells are always the same
KILOMETRE_KEYS = ("areas", "irrigation", "sentinel1")


@dataclass(frozen=True)
class TwinSettings:
    """Size, period and errors of the twin; the same settings give the same files.

    Attributes:
        region: ``transect``, 36 places from the Atlantic to the Mediterranean (``dalearn.twin.surface.PLACES``), or
            ``southwest``, the 247 cells of Corchia et al. (2023) (``dalearn.twin.southwest``), or ``montpellier``,
            ``toulouse``, ``salamanca``, the 1 km regions of Rojas-Munoz et al. (2023) (``dalearn.twin.kilometre``).
        areas: of a 1 km region that take part, with the cells of its stations; all cells when empty.
        irrigation: of the truth of a 1 km region; null takes the defaults.
        sentinel1: how Sentinel-1 sees a 1 km region; null takes the defaults.
        start: first day of the period, 00 UTC.
        years: length of the period in whole years; the last one serves as the test period of the demo.
        length_days: length of the period in days in place of ``years``, for short trials.
        seed: of every random number.
        cells: indices of the cells of the region (or of its areas) that take part; all when empty.
        time_step: of the truth run, s.
        spin_up: times that the truth repeats its first year, or a shorter period as a whole, before the period starts.
        rain_anomaly: true rain of each year relative to the climate (0.8 a drought, 1.2 a wet year), repeated.
        rain_variability: standard deviation of the true rain of a year, drawn from the seed, in place of
            ``rain_anomaly``; relative, None to use that.
        texture_error: relative error of clay and sand in the surface map (standard deviation).
        rain_bias: relative bias of the rain in the forcing, between cells (standard deviation).
        rain_noise: relative error of the rain of a day in the forcing (standard deviation).
        longevity_error: relative error of the leaf longevity in the model, the typical size in a cell.
        harvest_spread: standard deviation of harvest and regrowth dates between fields and years, days.
        harvest_duration: days between the first and the last field of a column.
        sigma0_error: noise of the backscatter, dB (standard deviation).
        morning_share: share of days with a backscatter observation in the morning (09:30 solar time).
        evening_share: likewise in the evening (21:30 solar time).
        lai_error: noise of the observed LAI relative to its value (standard deviation).
        lai_error_floor: smallest noise of the observed LAI, m2 m-2.
        lai_interval: days between observations of LAI.
        lai_share: share of these observations that there are, the others being lost to clouds.
        satellite_ssm_error: noise of the satellite soil wetness before it is filtered, % of saturation.
        in_situ_error: noise of the soil moisture probes, m3 m-3.
        in_situ_interval: hours between readings of the probes.
        truth_hours: hours between two times in ``truth.nc``; the observations see every hour of the truth, in a 1 km
            region those of the file alone.
    """

    region: Region = "transect"
    start: str = "2015-01-01"
    years: int = 3
    length_days: int | None = None
    seed: int = 3
    cells: tuple[int, ...] = ()
    time_step: float = 3600.0
    spin_up: int = 1
    rain_anomaly: tuple[float, ...] = (0.85, 1.15, 1.0)
    rain_variability: float | None = None
    texture_error: float = 0.12
    rain_bias: float = 0.12
    rain_noise: float = 0.12
    longevity_error: float = 0.3
    harvest_spread: float = 7.0
    harvest_duration: int = 20
    sigma0_error: float = 0.33
    morning_share: float = 0.68
    evening_share: float = 0.30
    lai_error: float = 0.2
    lai_error_floor: float = 0.0
    lai_interval: int = 10
    lai_share: float = 1.0
    satellite_ssm_error: float = 8.0
    in_situ_error: float = 0.015
    in_situ_interval: int = 3
    truth_hours: int = 1
    areas: tuple[str, ...] = ()
    irrigation: IrrigationSettings | None = None
    sentinel1: Sentinel1Settings | None = None

    def __post_init__(self) -> None:
        try:
            np.datetime64(self.start, "D")
        except ValueError as error:
            raise InputError(f"twin.start: {self.start!r} is not a date; write it as 2015-01-01") from error
        if self.years < 1:
            raise InputError(f"twin.years: {self.years} is not a number of years, choose 1 or more")
        if self.length_days is not None and self.length_days < 1:
            raise InputError(f"twin.length_days: {self.length_days} is not a number of days, choose 1 or more")
        if self.spin_up < 0:
            raise InputError(f"twin.spin_up: {self.spin_up} is negative, choose 0 or more")
        if not self.rain_anomaly or min(self.rain_anomaly) <= 0.0:
            raise InputError("twin.rain_anomaly: give at least one factor, all above 0")
        if self.rain_variability is not None and not 0.0 <= self.rain_variability < 0.5:
            raise InputError(f"twin.rain_variability: {self.rain_variability} is not in 0..0.5")
        if self.kilometre:
            object.__setattr__(self, "irrigation", self.irrigation or IrrigationSettings())
            object.__setattr__(self, "sentinel1", self.sentinel1 or Sentinel1Settings())
        else:
            self._check_cells(CELLS[self.region])
        if self.truth_hours < 1 or 24 % self.truth_hours:
            raise InputError(f"twin.truth_hours: {self.truth_hours} does not divide the day")
        for name in ("morning_share", "evening_share", "lai_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"twin.{name}: {getattr(self, name)} is not a share, choose 0..1")

    def _check_cells(self, count: int) -> None:
        wrong = [cell for cell in self.cells if not 0 <= cell < count]
        if wrong:
            raise InputError(f"twin.cells: {wrong[0]} is not a cell of {self.region}, choose from 0..{count - 1}")
        given = [name for name in KILOMETRE_KEYS if getattr(self, name)]
        if given:
            raise InputError(f"twin.{given[0]}: {self.region} is no 1 km region; leave it out, or choose one")

    @property
    def kilometre(self) -> bool:
        """Whether the region is one of 1 km."""
        return self.region not in CELLS

    @property
    def first_day(self) -> np.datetime64:
        return np.datetime64(self.start, "D")

    @property
    def end(self) -> np.datetime64:
        """The day after the period, 00 UTC."""
        return self.after(self.years) if self.length_days is None else self.first_day + self.length_days

    @property
    def days(self) -> int:
        return int((self.end - self.first_day).astype(int))

    def after(self, years: int) -> np.datetime64:
        """The first day so many years later."""
        begin = self.first_day.astype("datetime64[Y]")
        within = self.first_day.astype("datetime64[M]") - begin.astype("datetime64[M]")
        day = self.first_day - self.first_day.astype("datetime64[M]").astype("datetime64[D]")
        return ((begin + years).astype("datetime64[M]") + within).astype("datetime64[D]") + day

    @property
    def first_year(self) -> int:
        """Calendar year of the first day."""
        return int(self.first_day.astype("datetime64[Y]").astype(int)) + 1970
