"""The truth: the land model with the true land and the true weather, harvested every day, irrigated where it is so."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dalearn.grid import Grid
from dalearn.land.model import LandModel
from dalearn.land.state import LandState
from dalearn.land.window import ForcingWindow
from dalearn.twin.irrigation import Irrigation, Watering
from dalearn.twin.settings import TwinSettings
from dalearn.twin.truth import HarvestCalendar, harvest

LAYERS = 8  # soil layers whose moisture is written
DAY = np.timedelta64(1, "D")
SNAPSHOT = ("WG2", "TG2", "LAI")
IRRIGATION = "IRRIGATION"  # kg m-2 given since the time before

Progress = Callable[[int, int], None]


class TrueWeather(Protocol):
    """The weather of the truth: a ``ForcingSeries``, or what makes one block by block."""

    def window(self, start: np.datetime64, end: np.datetime64, time_step: float, dtype: torch.dtype) -> ForcingWindow:
        """See ``ForcingSeries.window``."""

    def mean_temperature(self, days: int) -> np.ndarray:
        """Mean air temperature (K) of the first ``days`` days, (cell,) float64."""


def output_names() -> list[str]:
    """Variables of the truth in the order of the result, the same as in an open loop."""
    return [f"WG{layer + 1}" for layer in range(LAYERS)] + ["TG1", "TG2", "LAI"]


@dataclass(frozen=True, eq=False)
class Snapshots:
    """What the columns were like at some times: ``values`` ``SNAPSHOT`` name -> (time, column)."""

    time: np.ndarray
    values: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class TruthRun:
    """Cell means: ``time`` (time,) datetime64[s], the END of the hour; ``values`` name -> (time, cell).

    Where the truth is irrigated ``values`` has ``IRRIGATION`` too.  ``snapshots`` where they were asked for.
    """

    time: np.ndarray
    values: dict[str, np.ndarray]
    snapshots: Snapshots | None = None


def run_truth(
    model: LandModel,
    grid: Grid,
    weather: TrueWeather,
    calendar: HarvestCalendar,
    settings: TwinSettings,
    progress: Progress | None = None,
    *,
    end: np.datetime64 | None = None,
    irrigation: Irrigation | None = None,
    snapshots: np.ndarray | None = None,
) -> TruthRun:
    """Run the period of ``settings`` after ``settings.spin_up`` repetitions of its first year.

    ``progress`` is called after every day with the days done and the days in all.  ``end``, the day after the last,
    is that of the settings when None.  Every hour is kept, of a 1 km region one in ``settings.truth_hours``;
    ``snapshots`` (time,) are whole hours at which the columns are kept.
    """
    first, end = settings.first_day, settings.end if end is None else end.astype("datetime64[D]")
    first_year = np.arange(first, min(settings.after(1), settings.end))
    period = np.arange(first, end)
    total = settings.spin_up * len(first_year) + len(period)
    done = 0
    run = _Run(model, grid, weather, calendar, irrigation.begin() if irrigation is not None else None)

    state = _cold_start(model, grid, weather)
    for date in np.tile(first_year, settings.spin_up):
        state, _ = run.day(state, date)
        done += 1
        if progress:
            progress(done, total)
    if run.watering is not None:
        run.watering = irrigation.begin() if irrigation is not None else None
    every = settings.truth_hours if settings.kilometre else 1
    names = output_names() if irrigation is None else [*output_names(), IRRIGATION]
    per_day = 24 // every
    values = np.empty((len(names), per_day * len(period), grid.cell_count), np.float32)
    kept = _Keeper(np.array([], "datetime64[s]") if snapshots is None else snapshots)
    for number, date in enumerate(period):
        state, means = run.day(state, date, every, kept)
        values[:, per_day * number : per_day * (number + 1)] = means.transpose(0, 1).numpy()
        done += 1
        if progress:
            progress(done, total)

    time = first.astype("datetime64[s]") + np.arange(1, values.shape[1] + 1) * np.timedelta64(3600 * every, "s")
    return TruthRun(time, dict(zip(names, values, strict=True)), None if snapshots is None else kept.snapshots())


def _cold_start(model: LandModel, grid: Grid, weather: TrueWeather) -> LandState:
    """A profile at the mean temperature of the first year, moist soil, some leaves."""
    year = weather.mean_temperature(365)
    temperature = grid.to_columns(torch.from_numpy(year)).to(model.parameters.soil.porosity)
    return model.initial_state(temperature=temperature)


class _Keeper:
    """Keeps the columns at ``times``."""

    def __init__(self, times: np.ndarray) -> None:
        self.times = set(times.astype("datetime64[s]").astype(np.int64).tolist())
        self.kept: list[tuple[np.datetime64, np.ndarray]] = []

    def look(self, state: LandState, time: np.datetime64) -> None:
        if int(time.astype("datetime64[s]").astype(np.int64)) in self.times:
            seen = torch.stack([state.soil_moisture[1], state.soil_temperature[1], state.leaf_area_index])
            self.kept.append((time, seen.numpy().astype(np.float32)))

    def snapshots(self) -> Snapshots:
        time = np.array([time for time, _ in self.kept], "datetime64[s]")
        values = np.array([values for _, values in self.kept]).reshape(len(time), len(SNAPSHOT), -1)
        return Snapshots(time, {name: values[:, row] for row, name in enumerate(SNAPSHOT)})


@dataclass
class _Run:
    model: LandModel
    grid: Grid
    weather: TrueWeather
    calendar: HarvestCalendar
    watering: Watering | None

    @torch.no_grad()
    def day(
        self, state: LandState, date: np.datetime64, every: int = 1, kept: _Keeper | None = None
    ) -> tuple[LandState, Tensor]:
        """One day of steps; also the cell means of one hour in ``every``, (hour, variable, cell), in the order of
        ``output_names``."""
        model, grid, watering, soil = self.model, self.grid, self.watering, self.model.parameters.soil
        time_step = model.options.time_step
        window = self.weather.window(date, date + DAY, time_step, dtype=soil.porosity.dtype)
        taken = torch.from_numpy(self.calendar.taken(date)).to(soil.porosity)
        steps_per_hour = round(3600.0 / time_step)
        if watering is not None:
            watering.new_day(state, soil, date)
        hours = []
        for step in range(len(window)):
            first_of_day = window.first_of_day[step]
            forcing = window.forcing(step, grid.cell_of_column)
            if watering is not None:
                forcing = watering.water(forcing, step // steps_per_hour, time_step)
            state, _ = model.step(state, forcing, first_of_day)
            if first_of_day:  # after the daily growth, so that bare fields stay bare all day
                state = harvest(state, taken, model.parameters)
            if (step + 1) % steps_per_hour:
                continue
            hour = (step + 1) // steps_per_hour
            if watering is not None:
                state = watering.flood(state, soil, date)
            if kept is not None:
                kept.look(state, date.astype("datetime64[s]") + np.timedelta64(3600 * hour, "s"))
            if hour % every == 0:
                leaves = state.leaf_area_index.unsqueeze(0)
                rows = [state.soil_moisture[:LAYERS], state.soil_temperature[:2], leaves]
                if watering is not None:
                    rows.append(watering.take().to(leaves).unsqueeze(0))
                hours.append(torch.cat(rows))
        return state, grid.cell_mean(torch.stack(hours))
