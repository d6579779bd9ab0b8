"""The inputs stage: make the twin, or check the files; nothing else starts before all inputs are found good."""

import logging
from pathlib import Path
from typing import Any

import torch

from dalearn.errors import InputError
from dalearn.experiments.config import Config
from dalearn.experiments.observations import check_overlap
from dalearn.experiments.prepare import source_files
from dalearn.experiments.progress import Progress
from dalearn.experiments.provenance import file_record
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.setup import Setup
from dalearn.twin.build import build_twin

logger = logging.getLogger("dalearn")


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


def make_twin(setup: Setup, directory: RunDirectory) -> list[Path]:
    """Make the files of the twin that the configuration describes; returns them."""
    config = setup.config
    assert config.twin is not None
    torch.set_num_threads(config.threads or 1)  # a hundred columns: see Setup.use_threads
    with Progress("twin: truth", 1, "days") as progress:

        def show(done: int, total: int) -> None:
            progress.set_total(total)
            progress.update(done - progress.done)

        return build_twin(directory.path, config.twin, compiled=config.compile, progress=show)


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
