"""What studies of operators share: samples of a finished open loop, and results that survive a kill."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.experiments.config import load_config, settings_of
from dalearn.experiments.observations import read_configured
from dalearn.experiments.run_directory import RunDirectory, fingerprint
from dalearn.experiments.setup import Setup
from dalearn.experiments.stage_sections import TrainingConfig
from dalearn.experiments.training import read_samples
from dalearn.files import write_whole
from dalearn.learning.collocation import Collocation
from dalearn.operators import ObservationOperator
from dalearn.operators.names import check_predictors

PREDICTION_CHUNK = 256  # samples at a time: bounds the memory of wide networks


@dataclasses.dataclass(frozen=True)
class StudyRun:
    """A run directory whose open loop is done; ``mark`` changes with anything that its samples depend on."""

    setup: Setup
    directory: RunDirectory
    training: TrainingConfig
    units: str
    mark: str

    def samples(self, **changes: Any) -> tuple[Collocation, Collocation]:
        """Those of the training and of the test period, with ``changes`` of the section ``training``."""
        config = dataclasses.replace(self.training, **changes)
        check_predictors(config.predictors)
        observations = read_configured(self.setup, config.observations)
        return read_samples(self.setup, config, self.directory, observations)

    @property
    def observation_error(self) -> float | None:
        """Standard deviation that the filter takes for the observations, where it is a number."""
        section = self.setup.config.assimilation
        quantity = self.setup.config.observation(self.training.observations).quantity
        rule = section.filter.observation_error.get(quantity) if section is not None else None
        return rule.scale if rule is not None and rule.relative_to == "nothing" else None


def open_study(path: Path) -> StudyRun:
    """The run in the directory ``path``; InputError unless its open loop is done and it has a section ``training``."""
    if not (path / "config.yaml").exists():
        raise InputError(f"{path}: no config.yaml: give the run directory of dalearn run")
    config = load_config(path / "config.yaml", run_directory=str(path))
    directory = RunDirectory(path)
    records = [directory.stage_record(stage) for stage in ("inputs", "open_loop")]
    if any(record is None or not record["complete"] for record in records):
        raise InputError(f"{path}: the open loop has not been done; run dalearn open-loop first")
    if config.training is None:
        raise InputError(f"{path / 'config.yaml'}: key training is missing; add the section")
    setup = Setup(config, path / "inputs")
    marks = [record["fingerprint"] for record in records if record is not None]
    mark = fingerprint(marks, settings_of(config, "training", "observations"))
    units = read_configured(setup, config.training.observations).units
    return StudyRun(setup, directory, config.training, units, mark)


class Results:
    """Arrays by name, one file each in ``folder``, that count as long as ``mark`` is the same."""

    def __init__(self, folder: Path, *mark: Any) -> None:
        self.folder, self.mark = folder, fingerprint(*mark)
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str) -> dict[str, np.ndarray] | None:
        """What ``put`` stored under ``name``; None when nothing that counts is there."""
        path = self.folder / f"{name}.npz"
        if not path.exists():
            return None
        with np.load(path) as stored:
            if str(stored["mark"]) != self.mark:
                return None
            return {key: stored[key] for key in stored.files if key != "mark"}

    def put(self, name: str, arrays: Mapping[str, np.ndarray | float]) -> None:
        """Store ``arrays`` whole or not at all."""

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                whole: dict[str, Any] = {"mark": self.mark, **arrays}
                np.savez_compressed(file, **whole)

        write_whole(self.folder / f"{name}.npz", write)


@torch.no_grad()
def predict(operator: ObservationOperator, predictors: np.ndarray) -> np.ndarray:
    """(sample, cell) float32; NaN where a predictor of ``predictors`` (sample, cell, n) or the training is missing."""
    parts = []
    for start in range(0, len(predictors), PREDICTION_CHUNK):
        part = torch.from_numpy(predictors[start : start + PREDICTION_CHUNK]).to(operator.dtype)
        known = torch.isfinite(part).all(dim=-1) & operator.trained
        parts.append(torch.where(known, operator(part.nan_to_num()), torch.nan).float().numpy())
    return np.concatenate(parts)
