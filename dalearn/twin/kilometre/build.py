"""The files of a 1 km twin: drivers before the truth is run, observations after it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dalearn.forcing.prepare import write_plan
from dalearn.grid import Grid
from dalearn.observations.observations import Observations
from dalearn.retrieval.inversion_file import load_inversion
from dalearn.twin.kilometre.regions import REGIONS
from dalearn.twin.kilometre.sentinel1 import draw_plots, observe_sentinel1
from dalearn.twin.kilometre.weather import (
    CellWeather,
    KilometreWeather,
    draw_region_weather,
    plan_cells,
    seen_rain_factor,
    weather_of_cells,
)
from dalearn.twin.observations import observe_in_situ, observe_lai
from dalearn.twin.settings import TwinSettings
from dalearn.twin.surface import SurfaceMap
from dalearn.twin.truth_run import TruthRun

FILES = ("FORCING.nc", "surface.nc", "ssm_s1.nc", "lai.nc", "ssm_in_situ.nc", "sm30_in_situ.nc")
SHIPPED_INVERSION = Path(__file__).parents[3] / "checkpoints" / "retrieval_VV.nc"


@dataclass(frozen=True, eq=False)
class KilometreWorld:
    """What model and truth share: the surface map and the weather, with the true rain."""

    surface: SurfaceMap
    source: KilometreWeather

    @property
    def weather(self) -> CellWeather:
        """The true weather on the cells."""
        return CellWeather(plan_cells(self.source, self.surface))


def make_kilometre_world(settings: TwinSettings, surface: SurfaceMap, rain: tuple[float, ...]) -> KilometreWorld:
    """The world of a 1 km region; ``rain`` of each year over the average."""
    region = REGIONS[settings.region]
    return KilometreWorld(surface, weather_of_cells(region, draw_region_weather(region, settings, rain), surface))


def write_kilometre_forcing(
    path: Path, settings: TwinSettings, world: KilometreWorld, generator: np.random.Generator, about: dict[str, str]
) -> None:
    """Write FORCING.nc with the rain of a forecast, block by block."""
    factor = seen_rain_factor(world.source.drawn, settings, generator)
    plan = plan_cells(world.source.with_rain_factor(factor), world.surface)
    write_plan(plan, path, {"title": "Weather of the twin on 1/40 degree, rain with errors, at the cells", **about})


def kilometre_observations(
    settings: TwinSettings,
    surface: SurfaceMap,
    grid: Grid,
    truth: TruthRun,
    random: dict[str, np.random.Generator],
) -> dict[str, Observations]:
    """The observations of the truth by the name of their file; ``grid`` is that of the truth."""
    assert truth.snapshots is not None
    assert settings.sentinel1 is not None
    plots = draw_plots(settings, surface, grid, random["backscatter"])
    inversion = load_inversion(settings.sentinel1.inversion or SHIPPED_INVERSION)
    root_zone = replace(truth, values={"WG2": truth.values["WG5"], "WG3": truth.values["WG5"],
                                       "TG2": truth.values["TG2"]})  # fmt: skip
    return {
        "ssm_s1.nc": observe_sentinel1(truth.snapshots, surface, plots, inversion, settings, random["sigma0"]),
        "lai.nc": observe_lai(truth, surface, settings, random["lai"]),
        "ssm_in_situ.nc": observe_in_situ(truth, surface, settings, random["in_situ"]),
        "sm30_in_situ.nc": observe_in_situ(root_zone, surface, settings, random["ssm"]),
    }
