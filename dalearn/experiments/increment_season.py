"""One season of the twin over crops, for comparing filters: model, truth and noisy observations, all in memory.

Every noise seed is a further copy of the cells, so that a filter runs once over the season for all of them.  What
the model does not know is what the twin takes from it: soil texture, rain, leaf longevity and harvests.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dalearn.assimilation.covariance import soil_range_of_cells
from dalearn.assimilation.forecast import integrate
from dalearn.forcing.series import ForcingSeries
from dalearn.grid import Grid
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.parameters import build_parameters
from dalearn.land.photosynthesis import with_reference_assimilation
from dalearn.land.state import LandState
from dalearn.land.window import ForcingWindow
from dalearn.tree import tile_columns
from dalearn.twin.build import random_streams, run_true_land, twin_surface, with_rain_errors
from dalearn.twin.observations import SMALLEST_LAI
from dalearn.twin.sampling import LAI_HOUR
from dalearn.twin.settings import TwinSettings
from dalearn.twin.surface import SurfaceMap
from dalearn.twin.truth_run import TruthRun
from dalearn.twin.weather import generate_weather

DAY = np.timedelta64(86400, "s")
ROOT_ZONE = tuple(f"WG{layer}" for layer in range(2, 9))  # 0.01 to 1.0 m
SMALLEST_SSM, LARGEST_SSM = 0.01, 0.6  # m3 m-3, of an observation

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class SeasonSettings:
    """What is observed of which cells, when; fixed before any filter was run on it.

    Attributes:
        crop_share: smallest cover of C3 and C4 crops in a cell that takes part.
        largest_count: of cells, those with most crops; all when None.
        twin_start: first day of truth and model, after the spin-up.
        spin_up: times that both repeat their first year before it.
        start: first day of the season; the first window begins on it.
        days: length of the season.
        noise_seeds: number of draws of the observation noise.
        lai_interval, ssm_interval: days between observations.
        lai_error: standard deviation of the LAI noise relative to the true value, as in the twin and in R.
        ssm_error: of the noise of surface soil moisture, relative to dw as in R; ``satellite`` for that of the twin's
            satellite, ``TwinSettings.satellite_ssm_error`` of the true range.
    """

    crop_share: float = 0.5
    largest_count: int | None = None
    twin_start: str = "2015-01-01"
    spin_up: int = 1
    start: str = "2015-03-01"
    days: int = 153
    noise_seeds: int = 10
    lai_interval: int = 10
    ssm_interval: int = 2
    lai_error: float = 0.2
    ssm_error: float | str = 0.5

    @property
    def first_window(self) -> np.datetime64:
        return np.datetime64(self.start, "s") + LAI_HOUR * np.timedelta64(3600, "s")

    @property
    def ends(self) -> np.ndarray:
        """Window ends, (window,) datetime64[s]."""
        return self.first_window + np.arange(1, self.days + 1) * DAY


@dataclass(frozen=True, eq=False)
class Season:
    """What the filters share; ``cell`` counts seed by seed, ``place`` within a seed.

    Attributes:
        model, grid, state: of all cells, at the start of the first window.
        windows: forcing with the rain as the model sees it.
        observations: (window, observation, cell), SSM and LAI, NaN = missing.
        truth: by variable (window, place), at the window ends.
        root_zone_weights: (layer,) share of each of ``ROOT_ZONE`` in the root zone.
        places: names or positions of the cells, (place,).
        noise_seeds: number of copies.
    """

    model: LandModel
    grid: Grid
    state: LandState
    windows: list[ForcingWindow]
    observations: Tensor
    truth: dict[str, np.ndarray]
    root_zone_weights: np.ndarray
    places: list[str]
    noise_seeds: int

    def root_zone(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Soil moisture from 0.01 to 1 m in m3 m-3 from those of its layers."""
        return sum(weight * values[name] for weight, name in zip(self.root_zone_weights, ROOT_ZONE, strict=True))


@torch.no_grad()
def make_season(settings: SeasonSettings, seed: int, *, compiled: bool = True, progress: Progress) -> Season:
    """The season of the twin number ``seed``: its weather, its model errors and, from them, its observations.

    ``progress`` is called with what is done, the days done and the days in all.
    """
    twin = TwinSettings(
        start=settings.twin_start, years=1, seed=seed, spin_up=settings.spin_up, rain_anomaly=(1.0,),
        cells=crop_cells(settings),
    )  # fmt: skip
    random, surface = random_streams(seed), twin_surface(twin)
    weather = generate_weather(
        surface.latitude, surface.longitude, surface.altitude, twin.first_day, twin.days, seed, twin.rain_anomaly
    )
    seen = with_rain_errors(weather, twin, random["rain"])
    end = settings.ends[-1]
    truth = run_true_land(
        twin, surface, weather, random, compiled=compiled, end=(end + DAY).astype("datetime64[D]"),
        progress=lambda done, total: progress("truth", done, total),
    )  # fmt: skip
    rows = np.searchsorted(truth.time, settings.ends)
    grid, model = _model(surface, seen, twin, compiled)
    state = _spin_up(model, grid, seen, twin, settings.first_window, progress)
    copies = settings.noise_seeds
    windows = [seen.window(time - DAY, time, twin.time_step) for time in settings.ends]
    thickness = model.parameters.soil.layer_thickness[1 : 1 + len(ROOT_ZONE), 0].numpy()
    return Season(
        model=model.with_parameters(tile_columns(model.parameters, copies)),
        grid=tile_grid(grid, copies),
        state=tile_columns(state, copies),
        windows=[dataclasses.replace(window, values=window.values.repeat(1, 1, copies)) for window in windows],
        observations=_observations(settings, twin, truth, rows, soil_range_of_cells(grid, model.parameters).numpy()),
        truth={name: values[rows] for name, values in truth.values.items()},
        root_zone_weights=thickness / thickness.sum(),
        places=[
            name or f"{latitude:.3f} N {longitude:.3f} E"
            for name, latitude, longitude in zip(surface.name, surface.latitude, surface.longitude, strict=True)
        ],
        noise_seeds=copies,
    )


def crop_cells(settings: SeasonSettings) -> tuple[int, ...]:
    """Indices of the places with enough crops, in their order."""
    share = twin_surface(TwinSettings()).cover("C3", "C4")
    most = np.argsort(-share, kind="stable")[: settings.largest_count]
    return tuple(int(cell) for cell in np.sort(most) if share[cell] >= settings.crop_share - 1e-9)


def tile_grid(grid: Grid, copies: int) -> Grid:
    """``copies`` times the cells of ``grid``, one copy after the other."""
    cells = torch.arange(copies, device=grid.cell_of_column.device).repeat_interleave(grid.column_count)
    return Grid(
        latitude=np.tile(grid.latitude, copies),
        longitude=np.tile(grid.longitude, copies),
        cell_of_column=grid.cell_of_column.repeat(copies) + cells * grid.cell_count,
        patch_of_column=grid.patch_of_column.repeat(copies),
        fraction=grid.fraction.repeat(copies),
    )


def _model(surface: SurfaceMap, seen: ForcingSeries, twin: TwinSettings, compiled: bool) -> tuple[Grid, LandModel]:
    """The land as the surface map describes it."""
    grid, parameters = build_parameters(
        surface.fraction, surface.clay, surface.sand, surface.latitude, surface.longitude
    )
    heights = {
        name: grid.to_columns(torch.from_numpy(getattr(seen, name))) for name in ("temperature_height", "wind_height")
    }
    ratio = grid.to_columns(torch.from_numpy(seen.first_record_co2_mixing_ratio(twin.first_day)))
    parameters = with_reference_assimilation(dataclasses.replace(parameters, **heights), ratio)  # type: ignore[type-var, arg-type]
    return grid, LandModel(parameters, LandOptions(time_step=twin.time_step), compiled=compiled)


def _spin_up(
    model: LandModel, grid: Grid, seen: ForcingSeries, twin: TwinSettings, end: np.datetime64, progress: Progress
) -> LandState:
    """The state of the model at ``end``, from the cold start of the truth by way of its own spin-up."""
    mean = torch.from_numpy(seen.records["Tair"][: 365 * 24].mean(axis=0, dtype=np.float64))
    state = model.initial_state(temperature=grid.to_columns(mean))
    first = twin.first_day.astype("datetime64[s]")
    starts = np.concatenate([np.arange(first, twin.after(1), DAY)] * twin.spin_up + [np.arange(first, end, DAY)])
    for number, start in enumerate(starts):
        last = number == len(starts) - 1
        state, _ = integrate(model, grid, state, seen.window(start, end if last else start + DAY, twin.time_step))
        progress("model before the season", number + 1, len(starts))
    return state


def _observations(
    settings: SeasonSettings, twin: TwinSettings, truth: TruthRun, rows: np.ndarray, soil_range: np.ndarray
) -> Tensor:
    """(window, observation, cell): unbiased noise on the truth of the cell means, independent for every seed."""
    if settings.ssm_error == "satellite":
        dry, wet = np.percentile(truth.values["WG2"], (1.0, 99.0), axis=0)
        ssm_error = 0.01 * twin.satellite_ssm_error * (wet - dry)
    else:
        ssm_error = float(settings.ssm_error) * soil_range
    days = np.arange(1, len(rows) + 1)[:, None]
    ssm, lai = truth.values["WG2"][rows], truth.values["LAI"][rows]
    parts = []
    for noise in range(settings.noise_seeds):
        generator = np.random.default_rng([twin.seed, noise])
        noisy_ssm = np.clip(ssm + ssm_error * generator.standard_normal(ssm.shape), SMALLEST_SSM, LARGEST_SSM)
        noisy_lai = np.maximum(lai * (1.0 + settings.lai_error * generator.standard_normal(lai.shape)), SMALLEST_LAI)
        seen_ssm = np.where(days % settings.ssm_interval == 0, noisy_ssm, np.nan)
        parts.append(np.stack([seen_ssm, np.where(days % settings.lai_interval == 0, noisy_lai, np.nan)], axis=1))
    return torch.from_numpy(np.concatenate(parts, axis=-1))
