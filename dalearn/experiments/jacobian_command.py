"""``dalearn jacobian``: the two Jacobian back ends on an experiment, run before or not.

Where the run directory holds the open loop and the trained operator they are used.  Otherwise the comparison is
made on a short run from a cold start, in an untrained water cloud model for the backscatter: the derivatives differ,
their agreement and their cost do not depend on it.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from dalearn.assimilation.forecast import integrate
from dalearn.errors import InputError
from dalearn.experiments.config import Config
from dalearn.experiments.equivalents import DIRECT, load_equivalents
from dalearn.experiments.jacobian import Comparison, combine, compare_window
from dalearn.experiments.open_loop import DAY, state_path
from dalearn.experiments.pipeline import Pipeline
from dalearn.experiments.restart import read_state
from dalearn.experiments.setup import Setup
from dalearn.experiments.subset import take_columns
from dalearn.forcing.writer import write_forcing
from dalearn.land.state import LandState
from dalearn.operators import ObservationOperator, create_operator
from dalearn.twin.build import make_world, twin_surface, write_drivers
from dalearn.twin.settings import TwinSettings
from dalearn.twin.surface import write_surface
from dalearn.twin.weather import generate_weather

logger = logging.getLogger("dalearn")

WARM_UP_DAYS = 30


def compare_backends(config: Config, columns: int | None = None) -> Comparison:
    """Agreement and cost of the back ends over the windows at hand, on at least ``columns`` columns (all cells once
    when None); fewer cells than there are, or some of them repeatedly."""
    if config.assimilation is None:
        raise InputError("key assimilation is missing in the configuration; add the section to compare Jacobians")
    pipeline = Pipeline(config, [])
    needed = [name for name in ("open_loop", "train") if name in pipeline.stages]
    if all(pipeline.is_done(name) for name in needed):
        logger.info("states and operators from %s", pipeline.directory.path)
        return _compare(pipeline.setup, list(_stored(pipeline)), _stored_operators(pipeline), columns)
    with _inputs(config) as folder:
        setup = Setup(config, folder)
        logger.info("nothing in %s yet: %d days from a cold start", pipeline.directory.path, WARM_UP_DAYS)
        return _compare(setup, [_warmed_up(setup)], _untrained_operators(setup), columns)


def _compare(
    setup: Setup,
    windows: Sequence[tuple[np.datetime64, LandState]],
    operators: Sequence[ObservationOperator],
    columns: int | None,
) -> Comparison:
    setup.use_threads()
    part = take_columns(setup.grid, columns) if columns is not None else None
    return combine([compare_window(setup, setup.model, state, start, operators, part) for start, state in windows])


def _stored(pipeline: Pipeline) -> Iterator[tuple[np.datetime64, LandState]]:
    setup = pipeline.setup
    for start in setup.jacobian_windows:
        path = state_path(pipeline.directory.path, start)
        yield start, read_state(path, setup.grid.column_count, dtype=setup.dtype, device=setup.device)[0]


def _stored_operators(pipeline: Pipeline) -> list[ObservationOperator]:
    names = pipeline.config.assimilated_observations()
    return list(load_equivalents(pipeline.setup, pipeline.directory, names).values())


def _untrained_operators(setup: Setup) -> list[ObservationOperator]:
    config = setup.config
    quantities = dict.fromkeys(config.observation(name).quantity for name in config.assimilated_observations())
    names = [DIRECT.get(quantity, "water_cloud") for quantity in quantities]
    operators = [create_operator(name, cell_count=setup.surface.cell_count) for name in names]
    return [operator.to(device=setup.device, dtype=setup.dtype).requires_grad_(False) for operator in operators]


@torch.no_grad()
def _warmed_up(setup: Setup) -> tuple[np.datetime64, LandState]:
    """The middle one of the windows to be compared, and the state from which it starts."""
    start = setup.jacobian_windows[len(setup.jacobian_windows) // 2]
    first = max(start - WARM_UP_DAYS * DAY, setup.forcing.times[0])
    state = setup.cold_start()
    if first < start:
        state, _ = integrate(setup.model, setup.grid, state, setup.window(first, start))
    return start, state


@contextmanager
def _inputs(config: Config) -> Iterator[Path]:
    """A folder with surface and forcing of the twin, without its truth; an unused one without a twin."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        if config.twin is not None and config.twin.kilometre:
            write_drivers(folder, config.twin, make_world(config.twin))
            folder /= "inputs"
        elif config.twin is not None:
            _write_twin_forcing(folder, config.twin)
        yield folder


def _write_twin_forcing(folder: Path, settings: TwinSettings) -> None:
    surface = twin_surface(settings)
    weather = generate_weather(
        surface.latitude,
        surface.longitude,
        surface.altitude,
        settings.first_day,
        settings.days,
        settings.seed,
        settings.rain_anomaly,
    )
    write_surface(folder / "surface.nc", surface)
    write_forcing(folder / "FORCING.nc", weather)
