"""The inputs stage: make the twin, or check the files; nothing else starts before all inputs are found good."""

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.experiments.config import Config
from dalearn.experiments.crew import Crew, Share
from dalearn.experiments.observations import check_overlap
from dalearn.experiments.parts import take_part
from dalearn.experiments.prepare import source_files
from dalearn.experiments.progress import PartProgress
from dalearn.experiments.provenance import file_record
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.setup import Setup
from dalearn.files import write_whole
from dalearn.twin.build import build_twin
from dalearn.twin.truth_run import TrueLand, TruthRun

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


def make_twin(setup: Setup, directory: RunDirectory, crew: Crew) -> list[Path]:
    """Make the files of the twin that the configuration describes, its truth in parts; returns them."""
    config = setup.config
    assert config.twin is not None
    _use_threads(config)

    def run(land: TrueLand) -> TruthRun:
        parts = crew.plan("inputs", land.grid, directory)
        if len(parts) == 1:
            with PartProgress("inputs", [directory.path], 0, shown=True) as progress:
                return land.run(compiled=config.compile, progress=_show(progress))
        for part in parts:
            folder = directory.partial("inputs") / part.name
            if not (folder / TRUTH).exists():
                of_part = land.part(take_part(land.grid, part), part.cells, part.columns)
                _write_pickle(folder / LAND, of_part)
        truths = [_read_pickle(folder / TRUTH) for folder in crew.run("inputs", parts, setup, directory)]
        names = truths[0].values
        values = {name: np.concatenate([truth.values[name] for truth in truths], axis=-1) for name in names}
        return TruthRun(truths[0].time, values)

    return build_twin(directory.path, config.twin, run=run)


def run_part(share: Share) -> None:
    """Run the truth of some cells of the twin, unless it has been done, and leave it in the folder of the part."""
    if (share.folder / TRUTH).exists():
        return
    config = share.setup.config
    _use_threads(config)
    land: TrueLand = _read_pickle(share.folder / LAND)
    truth = land.run(compiled=config.compile, progress=_show(share.progress))
    _write_pickle(share.folder / TRUTH, truth)


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


def _use_threads(config: Config) -> None:
    torch.set_num_threads(config.threads or 1)  # a hundred columns: see Setup.use_threads


def check_inputs(setup: Setup) -> None:
    """Read and check everything that the experiment will use.

    Raises InputError: one line with the file, the variable and the mend.
    """
    if "forcing" not in setup.config.made():  # what was made was checked as it was written, and may be large
        forcing = setup.forcing
        logger.info(
            "forcing: %d records of %d s from %s, %d cells", forcing.record_count, forcing.step, forcing.start,
            forcing.cell_count,
        )  # fmt: skip
        logger.info("surface: %d cells, %d columns", setup.grid.cell_count, setup.grid.column_count)
    if setup.config.assimilation is not None:
        logger.info("assimilation: %d windows from %s", len(setup.window_starts), setup.window_starts[0])
    check_overlap(setup)
