"""The twin as files: the inputs of an experiment and the truth that it is to find."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dalearn.forcing.series import ForcingSeries
from dalearn.forcing.writer import write_forcing
from dalearn.io import TimeSeriesWriter
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.observations.files import write_observations
from dalearn.observations.observations import Observations
from dalearn.twin.backscatter import draw_backscatter
from dalearn.twin.kilometre.build import FILES as KILOMETRE_INPUTS
from dalearn.twin.kilometre.build import (
    KilometreWorld,
    kilometre_observations,
    make_kilometre_world,
    write_kilometre_forcing,
)
from dalearn.twin.kilometre.land import kilometre_map
from dalearn.twin.kilometre.regions import REGIONS
from dalearn.twin.kilometre.sentinel1 import nearest_hours, passes
from dalearn.twin.kilometre.weather import CellWeather
from dalearn.twin.observations import observe_in_situ, observe_lai, observe_satellite_ssm, observe_sigma0
from dalearn.twin.settings import TwinSettings
from dalearn.twin.southwest import southwest_map
from dalearn.twin.surface import SurfaceMap, surface_map, write_surface
from dalearn.twin.true_land import TrueLand
from dalearn.twin.truth import rain_factor
from dalearn.twin.truth_run import IRRIGATION, Progress, Snapshots, TruthRun, run_truth
from dalearn.twin.weather import generate_weather
from dalearn.variables import VARIABLES

INPUTS = ("FORCING.nc", "surface.nc", "sigma0.nc", "lai.nc", "ssm_satellite.nc", "ssm_in_situ.nc")
WATER_GIVEN = {"units": "kg m-2", "long_name": "irrigation since the time before"}


def random_streams(seed: int) -> dict[str, np.random.Generator]:
    """One independent stream for each thing that is drawn, so that a changed setting leaves the others alone."""
    names = ("rain", "texture", "longevity", "harvest", "backscatter", "sigma0", "lai", "ssm", "in_situ", "years")
    children = np.random.SeedSequence(seed).spawn(len(names))
    return {name: np.random.default_rng(child) for name, child in zip(names, children, strict=True)}


def input_names(settings: TwinSettings) -> tuple[str, ...]:
    """Names of the files in ``inputs/``."""
    return KILOMETRE_INPUTS if settings.kilometre else INPUTS


def twin_surface(settings: TwinSettings) -> SurfaceMap:
    """The surface map of the cells that take part."""
    if settings.kilometre:
        return kilometre_map(REGIONS[settings.region], settings.areas, settings.cells)
    region = surface_map() if settings.region == "transect" else southwest_map()
    return region.select(settings.cells) if settings.cells else region


def yearly_rain(settings: TwinSettings, generator: np.random.Generator) -> tuple[float, ...]:
    """True rain of each calendar year over the average: that of the settings, or drawn, mean 1, log-normal."""
    if settings.rain_variability is None:
        return settings.rain_anomaly
    spread = float(np.sqrt(np.log1p(settings.rain_variability**2)))
    drawn = np.exp(spread * generator.standard_normal(settings.years + 2).clip(-2.0, 2.0) - 0.5 * spread**2)
    return tuple(drawn.tolist())


@dataclass(frozen=True, eq=False)
class World:
    """What model and truth share: the surface map and the weather, with the true rain."""

    surface: SurfaceMap
    weather: ForcingSeries


def make_world(settings: TwinSettings) -> World | KilometreWorld:
    """The world that the settings describe; half a minute of computing for 247 cells and 12 years."""
    surface = twin_surface(settings)
    if settings.kilometre:
        return make_kilometre_world(settings, surface, yearly_rain(settings, random_streams(settings.seed)["years"]))
    weather = generate_weather(
        surface.latitude,
        surface.longitude,
        surface.altitude,
        settings.first_day,
        settings.days,
        settings.seed,
        yearly_rain(settings, random_streams(settings.seed)["years"]),
    )
    return World(surface, weather)


def build_twin(
    directory: Path, settings: TwinSettings, *, compiled: bool = True, progress: Progress | None = None
) -> list[Path]:
    """Make the twin in ``directory``: ``inputs/`` (``INPUTS``) and ``truth.nc``; returns the files written.

    FORCING.nc holds the weather with the erroneous rain, which is what the model sees; the true rain drives the
    truth only.  ``progress`` is called with the days of the truth done and the days in all.

    The three steps can be taken one by one, and ``run_true_land`` in parts by several processes.

    Raises InputError when a file cannot be written.
    """
    world = make_world(settings)
    write_drivers(directory, settings, world)
    truth = run_true_land(
        settings, world.surface, world.weather, random_streams(settings.seed), compiled=compiled, progress=progress
    )
    write_observed(directory, settings, world.surface, truth)
    return [*(directory / "inputs" / name for name in input_names(settings)), directory / "truth.nc"]


def write_drivers(directory: Path, settings: TwinSettings, world: World | KilometreWorld) -> None:
    """Write what drives the model: surface.nc and FORCING.nc."""
    inputs = directory / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    write_surface(inputs / "surface.nc", world.surface)
    if isinstance(world, KilometreWorld):
        generator = random_streams(settings.seed)["rain"]
        write_kilometre_forcing(inputs / "FORCING.nc", settings, world, generator, _about(settings))
        return
    seen = with_rain_errors(world.weather, settings, random_streams(settings.seed)["rain"])
    write_forcing(inputs / "FORCING.nc", seen, {"title": "Weather of the twin, rain with errors", **_about(settings)})


def write_observed(directory: Path, settings: TwinSettings, surface: SurfaceMap, truth: TruthRun) -> None:
    """Write the observations of ``truth``, which holds all cells of ``surface``, and ``truth.nc``."""
    about = _about(settings)
    for name, observations in _observe(settings, surface, truth).items():
        write_observations(directory / "inputs" / name, observations, {"title": "Observations of the twin", **about})
    _write_truth(directory / "truth.nc", truth, surface, settings.truth_hours, about)


def _observe(settings: TwinSettings, surface: SurfaceMap, truth: TruthRun) -> dict[str, Observations]:
    """The observations by the names of their files."""
    random = random_streams(settings.seed)
    if settings.kilometre:
        land = TrueLand.draw(settings, surface, random_streams(settings.seed))
        return kilometre_observations(settings, surface, land.grid, truth, random)
    backscatter = draw_backscatter(surface, random["backscatter"])
    return {
        "sigma0.nc": observe_sigma0(truth, surface, backscatter, settings, random["sigma0"]),
        "lai.nc": observe_lai(truth, surface, settings, random["lai"]),
        "ssm_satellite.nc": observe_satellite_ssm(truth, surface, settings, random["ssm"]),
        "ssm_in_situ.nc": observe_in_situ(truth, surface, settings, random["in_situ"]),
    }


def _about(settings: TwinSettings) -> dict[str, str]:
    return {"twin_settings": str(dataclasses.asdict(settings))}


def with_rain_errors(weather: ForcingSeries, settings: TwinSettings, generator: np.random.Generator) -> ForcingSeries:
    factor = rain_factor(
        weather.latitude, weather.longitude, weather.times, settings.rain_bias, settings.rain_noise, generator
    )
    bounds = VARIABLES["Rainf"].valid_range
    assert bounds is not None
    rain = np.minimum(weather.records["Rainf"] * factor, bounds[1]).astype(np.float32)  # a cloudburst may be doubled
    return dataclasses.replace(weather, records={**weather.records, "Rainf": rain})


def run_true_land(
    settings: TwinSettings,
    surface: SurfaceMap,
    weather: ForcingSeries | CellWeather,
    random: dict[str, np.random.Generator],
    *,
    compiled: bool = True,
    progress: Progress | None = None,
    end: np.datetime64 | None = None,
    cells: slice = slice(None),
) -> TruthRun:
    """The truth of the cells of ``surface`` under the true ``weather``: true soils, plants and harvests.

    ``random`` are the ``random_streams`` of the settings; ``progress`` and ``end`` as in ``run_truth``.  With ``cells``
    only these are run, and their truth is the same; ``join_truth`` puts parts together.
    """
    land = TrueLand.draw(settings, surface, random).part(cells)
    model = LandModel(land.parameters, LandOptions(time_step=settings.time_step), compiled=compiled)
    return run_land(model, land, weather.select(cells), settings, progress, end=end)


def run_land(
    model: LandModel,
    land: TrueLand,
    weather: ForcingSeries | CellWeather,
    settings: TwinSettings,
    progress: Progress | None = None,
    *,
    end: np.datetime64 | None = None,
) -> TruthRun:
    """The truth of ``land`` with what the observations of its region need to be kept."""
    snapshots = nearest_hours(passes(settings)) if settings.kilometre else None
    return run_truth(
        model, land.grid, weather, land.calendar, settings, progress,
        end=end, irrigation=land.irrigation, snapshots=snapshots,
    )  # fmt: skip


def join_truth(parts: Sequence[TruthRun]) -> TruthRun:
    """The truth of the cells of all ``parts``, in their order."""

    def join(values: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        return {name: np.concatenate([part[name] for part in values], axis=1) for name in values[0]}

    kept = [part.snapshots for part in parts if part.snapshots is not None]
    snapshots = Snapshots(kept[0].time, join([part.values for part in kept])) if kept else None
    return TruthRun(parts[0].time, join([part.values for part in parts]), snapshots)


def _write_truth(path: Path, truth: TruthRun, surface: SurfaceMap, every: int, about: dict[str, str]) -> None:
    """``truth.nc``: the times that fall on a multiple of ``every`` hours of the day."""
    attributes = {"title": "Truth of the twin: cell means, state after the hour ending at the time", **about}
    hour = (truth.time - truth.time[0].astype("datetime64[D]")) // np.timedelta64(1, "h")
    rows = np.flatnonzero(hour.astype(int) % every == 0)
    described = {name: WATER_GIVEN if name == IRRIGATION else {} for name in truth.values}
    with TimeSeriesWriter(
        path, described, surface.latitude, surface.longitude, attributes=attributes, rows_per_block=720
    ) as writer:
        for first in range(0, len(rows), 720):
            part = rows[first : first + 720]
            writer.append(truth.time[part], {name: values[part] for name, values in truth.values.items()})
