"""Forcing records in memory and their interpolation to model steps (isba_physics.md 1.4)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.forcing import interpolation
from dalearn.forcing.air import air_density, co2_mixing_ratio
from dalearn.forcing.solar import cosine_zenith, limited_cosine
from dalearn.land.window import FORCING_FIELDS, ForcingWindow

Shortwave = Literal["linear", "zenith"]


@dataclass(frozen=True, eq=False)
class ForcingSeries:
    """Forcing records every ``step`` seconds from ``start`` (UTC, datetime64[s]) on.

    ``records`` maps the ALMA names ``Tair Qair PSurf DIR_SWdown SCA_SWdown LWdown Rainf Wind`` and, where
    known, ``Snowf Wind_DIR CO2air`` to (record, cell) float32 arrays in the units of the variable table.
    Without ``Snowf`` there is no snowfall, without ``CO2air`` the air holds ``default_co2_ppm``.  The other
    arrays are (cell,) float64: degrees, and metres for the altitude and the heights of the temperature and
    wind forcing.  ``source`` names the origin in error messages.
    """

    source: str
    start: np.datetime64
    step: int
    latitude: np.ndarray
    longitude: np.ndarray
    altitude: np.ndarray
    temperature_height: np.ndarray
    wind_height: np.ndarray
    records: Mapping[str, np.ndarray]
    default_co2_ppm: float = 400.0

    @property
    def record_count(self) -> int:
        return len(self.records["Tair"])

    @property
    def cell_count(self) -> int:
        return len(self.latitude)

    @property
    def times(self) -> np.ndarray:
        """Time of every record, (record,) datetime64[s]."""
        return self.start + np.timedelta64(self.step, "s") * np.arange(self.record_count)

    @property
    def end(self) -> np.datetime64:
        """The last time a run may reach: one forcing step beyond the last record, which is repeated."""
        return self.start + np.timedelta64(self.step, "s") * self.record_count

    def select(self, cells: slice) -> "ForcingSeries":
        """The series of consecutive ``cells``; the records are views."""
        names = ("latitude", "longitude", "altitude", "temperature_height", "wind_height")
        records = {name: values[:, cells] for name, values in self.records.items()}
        return replace(self, records=records, **{name: getattr(self, name)[cells] for name in names})

    def mean_temperature(self, days: int) -> np.ndarray:
        """Mean air temperature (K) of the first ``days`` days, fewer where there are fewer, (cell,) float64."""
        records = days * (86400 // self.step)
        return np.asarray(self.records["Tair"][:records].mean(axis=0, dtype=np.float64))

    def window(
        self,
        start: np.datetime64,
        end: np.datetime64,
        time_step: float,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
        *,
        shortwave: Shortwave = "linear",
    ) -> ForcingWindow:
        """Forcing of the model steps from ``start`` to ``end``.

        Everything is the value at the BEGINNING of its step, linear in time between the records (the wind by
        its components when the direction is known), except rain and snow, which are those of the record
        that closes the forcing step.  ``shortwave="zenith"`` spreads the closing record along the course of
        the sun (LINTERP_SW) instead.  Computed in float64, then cast to ``dtype``.

        Raises InputError when the window is not inside the series or the steps do not fit the records.
        """
        pieces = self._pieces(time_step)
        first, count = self._steps(start, end, self.step // pieces)
        intervals = np.arange(first // pieces, -(-(first + count) // pieces))
        skipped = first % pieces
        fields = {
            name: values[skipped : skipped + count]
            for name, values in self._interpolate(intervals, pieces, shortwave).items()
        }
        fields["cosine_zenith"] = limited_cosine(fields["cosine_zenith"], fields["shortwave_down"])
        values = torch.empty((count, len(FORCING_FIELDS), self.cell_count), dtype=dtype)
        for position, name in enumerate(FORCING_FIELDS):
            values[:, position] = torch.from_numpy(fields[name])
        begin = start + np.arange(count) * np.timedelta64(self.step // pieces, "s")
        first_of_day = (begin - begin.astype("datetime64[D]")).astype(np.int64) < time_step
        return ForcingWindow(
            values=values.to(device), start=start, time_step=float(time_step), first_of_day=tuple(first_of_day.tolist())
        )

    def _pieces(self, time_step: float) -> int:
        """Model steps per forcing step."""
        pieces = round(self.step / time_step) if time_step > 0 else 0
        if pieces < 1 or self.step % pieces or pieces * time_step != self.step:
            raise InputError(
                f"{self.source}: a time step of {time_step:g} s does not divide the forcing step of {self.step} s; "
                "choose one that does, in whole seconds"
            )
        return pieces

    def _steps(self, start: np.datetime64, end: np.datetime64, time_step: int) -> tuple[int, int]:
        """Number of model steps from the first record to ``start`` and from there to ``end``."""
        if not self.start <= start < end <= self.end:
            raise InputError(
                f"{self.source}: {start} to {end} is not inside the forcing, which covers {self.start} to {self.end}; "
                "choose a period inside or give more forcing"
            )
        before, length = (int(span / np.timedelta64(1, "s")) for span in (start - self.start, end - start))
        if before % time_step or length % time_step:
            raise InputError(
                f"{self.source}: {start} to {end} does not fall on steps of {time_step} s counted from the first "
                f"record {self.start}; move it to such a step"
            )
        return before // time_step, length // time_step

    def first_record_co2_mixing_ratio(self, start: np.datetime64) -> np.ndarray:
        """CO2 (kg kg-1) of the forcing record in force at ``start``, (cell,) float64.

        A run that begins at ``start`` takes its reference assimilation from it (isba_ags.md 1.1).
        Raises InputError when ``start`` is not inside the series.
        """
        if not self.start <= start < self.end:
            raise InputError(
                f"{self.source}: {start} is not inside the forcing, which covers {self.start} to {self.end}; "
                "choose a start inside or give more forcing"
            )
        row = np.array([(start - self.start) // np.timedelta64(self.step, "s")])
        return (self.co2_concentration(row) / self._air_density(row))[0]

    def _interpolate(self, intervals: np.ndarray, pieces: int, shortwave: Shortwave) -> dict[str, np.ndarray]:
        """The fields of ``Forcing`` in whole forcing steps, each (interval * piece, cell); the zenith unlimited."""
        opening = np.minimum(intervals, self.record_count - 1)
        closing = np.minimum(intervals + 1, self.record_count - 1)
        piece = np.timedelta64(self.step // pieces, "s")
        begin = self.start + piece * np.arange(intervals[0] * pieces, (intervals[-1] + 1) * pieces)
        sun = cosine_zenith(begin, self.latitude, self.longitude)

        def linear(name: str) -> np.ndarray:
            return interpolation.linear(self._record(name, opening), self._record(name, closing), pieces)

        def constant(name: str) -> np.ndarray:
            return interpolation.constant(self._record(name, closing), pieces)

        def radiation(name: str) -> np.ndarray:
            if shortwave == "linear":
                return linear(name)
            return interpolation.along_the_sun(self._record(name, closing), sun, pieces)

        def wind_speed() -> np.ndarray:
            if "Wind_DIR" not in self.records:
                return linear("Wind")
            first, second = (
                (self._record("Wind", rows), self._record("Wind_DIR", rows)) for rows in (opening, closing)
            )
            return interpolation.wind_speed(first, second, pieces)

        return {
            "air_temperature": linear("Tair"),
            "specific_humidity": linear("Qair"),
            "surface_pressure": linear("PSurf"),
            "wind_speed": wind_speed(),
            "shortwave_down": radiation("DIR_SWdown") + radiation("SCA_SWdown"),
            "longwave_down": linear("LWdown"),
            "rainfall": constant("Rainf"),
            "snowfall": constant("Snowf") if "Snowf" in self.records else np.zeros_like(sun),
            "co2_concentration": interpolation.linear(
                self.co2_concentration(opening), self.co2_concentration(closing), pieces
            ),
            "cosine_zenith": sun,
        }

    def _record(self, name: str, rows: np.ndarray) -> np.ndarray:
        return self.records[name][rows].astype(np.float64)

    def _air_density(self, rows: np.ndarray) -> np.ndarray:
        temperature, humidity, pressure = (self._record(name, rows) for name in ("Tair", "Qair", "PSurf"))
        return air_density(temperature, humidity, pressure, self.temperature_height)

    def co2_concentration(self, rows: np.ndarray) -> np.ndarray:
        """CO2 of the given records, kg m-3, (row, cell) float64."""
        if "CO2air" in self.records:
            return self._record("CO2air", rows)
        return co2_mixing_ratio(self.default_co2_ppm) * self._air_density(rows)
