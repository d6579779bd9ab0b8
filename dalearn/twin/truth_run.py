"""The truth: the land model with the true land and the true weather, harvested every day."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from dalearn.forcing.series import ForcingSeries
from dalearn.grid import Grid
from dalearn.land.model import LandModel
from dalearn.land.state import LandState
from dalearn.twin.settings import TwinSettings
from dalearn.twin.truth import HarvestCalendar, harvest

LAYERS = 8  # soil layers whose moisture is written
DAY = np.timedelta64(1, "D")

Progress = Callable[[int, int], None]


def output_names() -> list[str]:
    """Variables of the truth in the order of the result, the same as in an open loop."""
    return [f"WG{layer + 1}" for layer in range(LAYERS)] + ["TG1", "TG2", "LAI"]


@dataclass(frozen=True, eq=False)
class TruthRun:
    """Hourly cell means: ``time`` (time,) datetime64[s], the END of the hour; ``values`` name -> (time, cell)."""

    time: np.ndarray
    values: dict[str, np.ndarray]


def run_truth(
    model: LandModel,
    grid: Grid,
    weather: ForcingSeries,
    calendar: HarvestCalendar,
    settings: TwinSettings,
    progress: Progress | None = None,
    *,
    end: np.datetime64 | None = None,
) -> TruthRun:
    """Run the period of ``settings`` after ``settings.spin_up`` repetitions of its first year.

    ``progress`` is called after every day with the days done and the days in all.  ``end``, the day after the last,
    is that of the settings when None.
    """
    first, end = settings.first_day, settings.end if end is None else end.astype("datetime64[D]")
    first_year = np.arange(first, min(settings.after(1), settings.end))
    period = np.arange(first, end)
    total = settings.spin_up * len(first_year) + len(period)
    done = 0

    state = _cold_start(model, grid, weather)
    for date in np.tile(first_year, settings.spin_up):
        state, _ = _run_day(model, grid, weather, calendar, state, date)
        done += 1
        if progress:
            progress(done, total)
    names = output_names()
    values = np.empty((len(names), 24 * len(period), grid.cell_count), np.float32)
    for number, date in enumerate(period):
        state, means = _run_day(model, grid, weather, calendar, state, date)
        values[:, 24 * number : 24 * (number + 1)] = means.transpose(0, 1).numpy()
        done += 1
        if progress:
            progress(done, total)

    time = first.astype("datetime64[s]") + np.arange(1, values.shape[1] + 1) * np.timedelta64(3600, "s")
    return TruthRun(time, dict(zip(names, values, strict=True)))


def _cold_start(model: LandModel, grid: Grid, weather: ForcingSeries) -> LandState:
    """A profile at the mean temperature of the first year, moist soil, some leaves."""
    year = weather.records["Tair"][: 365 * 24].mean(axis=0, dtype=np.float64)
    temperature = grid.to_columns(torch.from_numpy(year)).to(model.parameters.soil.porosity)
    return model.initial_state(temperature=temperature)


@torch.no_grad()
def _run_day(
    model: LandModel,
    grid: Grid,
    weather: ForcingSeries,
    calendar: HarvestCalendar,
    state: LandState,
    date: np.datetime64,
) -> tuple[LandState, torch.Tensor]:
    """One day of steps; also the hourly cell means (hour, variable, cell) in the order of ``output_names``."""
    time_step = model.options.time_step
    window = weather.window(date, date + DAY, time_step, dtype=model.parameters.soil.porosity.dtype)
    taken = torch.from_numpy(calendar.taken(date)).to(model.parameters.soil.porosity)
    steps_per_hour = round(3600.0 / time_step)
    hours = []
    for step in range(len(window)):
        first_of_day = window.first_of_day[step]
        state, _ = model.step(state, window.forcing(step, grid.cell_of_column), first_of_day)
        if first_of_day:  # after the daily growth, so that bare fields stay bare all day
            state = harvest(state, taken, model.parameters)
        if (step + 1) % steps_per_hour == 0:
            hours.append(
                torch.cat(
                    [state.soil_moisture[:LAYERS], state.soil_temperature[:2], state.leaf_area_index.unsqueeze(0)]
                )
            )
    return state, grid.cell_mean(torch.stack(hours))
