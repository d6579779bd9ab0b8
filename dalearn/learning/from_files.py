"""Train an operator from an open-loop file and an observation file, both in the formats of the package."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dalearn import io
from dalearn.errors import InputError
from dalearn.learning.collocation import Collocation, collocate
from dalearn.learning.record import save_training
from dalearn.learning.settings import TrainingSettings
from dalearn.learning.train import TrainingResult, train_operator
from dalearn.operators import ObservationOperator, save_operator
from dalearn.operators.store import check_same_cells


@dataclass(frozen=True)
class ModelOutput:
    """``time`` (time,) datetime64[s], ``values`` (time, cell, n), ``latitude`` and ``longitude`` (cell,)."""

    time: np.ndarray
    values: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray


def read_model_output(path: Path, names: tuple[str, ...], start: np.datetime64, end: np.datetime64) -> ModelOutput:
    """The variables ``names`` (time, cell) of an open loop from ``start`` up to but not including ``end``."""
    with io.reading(path) as dataset:
        io.require(dataset, "time", "latitude", "longitude", *names)
        time = io.read_time(dataset)
        first, last = np.searchsorted(time, [start, end])
        if first == last:
            raise InputError(f"{path}: no output between {start} and {end} (it covers {time[:1]} to {time[-1:]})")
        period = slice(int(first), int(last))
        values = np.stack([io.read_values(dataset, name, period, np.float32) for name in names], axis=-1)
        latitude, longitude = io.read_values(dataset, "latitude"), io.read_values(dataset, "longitude")
    return ModelOutput(time[period], values, latitude, longitude)


def read_pairs(path: Path, quantity: str, model: ModelOutput) -> Collocation:
    """The kept observations of ``quantity`` in an indexed ragged file, paired with the model output in time."""
    with io.reading(path) as dataset:
        io.require(dataset, "cell_index", "latitude", "longitude", quantity)
        time, observed = io.read_time(dataset), io.read_values(dataset, quantity)
        cell = np.asarray(dataset["cell_index"][:], dtype=np.int64)
        kept = np.asarray(dataset["rejected"][:]) == 0 if "rejected" in dataset.variables else np.isfinite(observed)
        latitude, longitude = io.read_values(dataset, "latitude"), io.read_values(dataset, "longitude")
    check_same_cells(path, (latitude, longitude), (model.latitude, model.longitude))
    within = kept & (time >= model.time[0]) & (time <= model.time[-1])
    if not within.any():
        raise InputError(
            f"{path}: no {quantity} between {model.time[0]} and {model.time[-1]}; check that the periods overlap"
        )
    return collocate(model.time, model.values, time[within], cell[within], observed[within])


def train_from_files(
    operator: ObservationOperator,
    model: ModelOutput,
    pairs: Collocation,
    output: Path,
    settings: TrainingSettings,
    attributes: dict[str, str],
) -> TrainingResult:
    """Train ``operator`` on ``pairs``, write ``operator.nc`` and ``training.nc`` into the directory ``output``."""
    result = train_operator(
        operator, torch.from_numpy(pairs.predictors), torch.from_numpy(pairs.target), settings, time=pairs.time
    )
    positions = {"latitude": model.latitude, "longitude": model.longitude}
    save_training(result, output / "training.nc", **positions)
    save_operator(result.operator, output / "operator.nc", **positions, attributes=attributes)
    return result
