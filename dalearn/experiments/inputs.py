"""The inputs stage: make the twin, or check the files; nothing else starts before all inputs are found good."""

import logging
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dalearn.errors import InputError
from dalearn.experiments.config import Config
from dalearn.experiments.crew import Crew, Share
from dalearn.experiments.observations import check_overlap
from dalearn.experiments.parts import plan_parts
from dalearn.experiments.prepare import source_files
from dalearn.experiments.progress import PartProgress
from dalearn.experiments.provenance import file_record
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.setup import Setup
from dalearn.files import write_whole
from dalearn.forcing.series import ForcingSeries
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.twin.build import (
    input_names,
    join_truth,
    make_world,
    random_streams,
    run_land,
    write_drivers,
    write_observed,
)
from dalearn.twin.kilometre.weather import CellWeather
from dalearn.twin.true_land import TrueLand
from dalearn.twin.truth_run import TruthRun

logger = logging.getLogger("dalearn")

LAND, TRUTH = "land.pickle", "truth.pickle"  # files of a part of the twin


def input_files(config: Config) -> dict[str, Path]:
    """The input files by the name of their use, downloaded ones included; a twin has none, it makes its own."""
    if config.twin is not None:
        return {}
    files = {}
    for name, section in (("surface", config.surface), ("forcing", config.forcing)):
        if section is not None and section.path is not None:
            files[name] = Path(section.path)
    files |= {observation.name: Path(observation.path or "") for observation in config.observations}
    made = config.run_path() / "inputs"
    return {name: path for name, path in files.items() if path.parent != made} | source_files(config)


def input_records(files: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """Path, size and checksum of every file; InputError when one is missing."""
    for name, path in files.items():
        if not path.is_file():
            raise InputError(f"{path}: no such file ({name}); correct the path in the configuration")
    found: dict[Path, dict[str, Any]] = {}
    for path in files.values():
        if path not in found:
            found[path] = file_record(path)
    return {name: found[path] for name, path in files.items()}


@dataclass(frozen=True)
class TruthPart:
    """What the truth of some cells follows from; ``water_layers`` are those of the whole domain (``LandModel``)."""

    land: TrueLand
    weather: ForcingSeries | CellWeather
    water_layers: int


def make_twin(setup: Setup, directory: RunDirectory, crew: Crew) -> list[Path]:
    """Make the files of the twin that the configuration describes, its truth in parts; returns them."""
    settings = setup.config.twin
    assert settings is not None
    _use_threads(setup.config)
    world = make_world(settings)
    write_drivers(directory.path, settings, world)
    weather = world.weather
    land = TrueLand.draw(settings, world.surface, random_streams(settings.seed))
    layers = int(land.parameters.soil.holds_water.any(dim=-1).sum())
    parts = crew.plan("inputs", land.grid, directory)
    if len(parts) == 1:
        with PartProgress("twin: truth", [directory.path], 0, shown=True) as progress:
            truth = _run_truth(setup.config, TruthPart(land, weather, layers), progress)
    else:
        for part in parts:
            folder = directory.partial("inputs") / part.name
            if not (folder / TRUTH).exists():
                _write_pickle(folder / LAND, TruthPart(land.part(part.cells), weather.select(part.cells), layers))
        truth = join_truth([_read_pickle(folder / TRUTH) for folder in crew.run("inputs", parts, setup, directory)])
    write_observed(directory.path, settings, world.surface, truth)
    return [*(directory / "inputs" / name for name in input_names(settings)), directory / "truth.nc"]


def run_part(share: Share) -> None:
    """Run the truth of some cells of the twin, unless it has been done, and leave it in the folder of the part."""
    if (share.folder / TRUTH).exists():
        return
    _use_threads(share.setup.config)
    truth = _run_truth(share.setup.config, _read_pickle(share.folder / LAND), share.progress)
    _write_pickle(share.folder / TRUTH, truth)


def _run_truth(config: Config, part: TruthPart, progress: PartProgress) -> TruthRun:
    settings, land = config.twin, part.land
    assert settings is not None
    options = LandOptions(time_step=settings.time_step)
    model = LandModel(land.parameters, options, compiled=config.compile, water_layers=part.water_layers)
    return run_land(model, land, part.weather, settings, _show(progress))


def _use_threads(config: Config) -> None:
    torch.set_num_threads(config.threads or 1)  # see Setup.use_threads


def _show(progress: PartProgress) -> Callable[[int, int], None]:
    """What the truth tells its days to."""

    def show(done: int, total: int) -> None:
        if not progress.total:
            progress.start(total, "days")
        progress.update(done - progress.done)

    return show


def _write_pickle(path: Path, value: Any) -> None:
    def save(temporary: Path) -> None:
        with temporary.open("wb") as file:
            pickle.dump(value, file, pickle.HIGHEST_PROTOCOL)

    write_whole(path, save)


def _read_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)


def check_inputs(setup: Setup, processes: int = 1) -> None:
    """Read and check everything that the experiment will use, the forcing in as many parts as there are ``processes``.

    Raises InputError: one line with the file, the variable and the mend.
    """
    if "forcing" not in setup.config.made():  # what was made was checked as it was written, and may be large
        for part in plan_parts(setup.grid, processes):
            forcing = (setup.of_part(part) if processes > 1 else setup).forcing  # memory holds no more than a part
        logger.info(
            "forcing: %d records of %d s from %s, %d cells", forcing.record_count, forcing.step, forcing.start,
            setup.grid.cell_count,
        )  # fmt: skip
        logger.info("surface: %d cells, %d columns", setup.grid.cell_count, setup.grid.column_count)
    if setup.config.assimilation is not None:
        logger.info("assimilation: %d windows from %s", len(setup.window_starts), setup.window_starts[0])
    check_overlap(setup)
