"""Networks of different size, one per cell, trained on one open loop: Figure 2 of Corchia et al. (2023).

Their text names one layer of 40 neurons, the choice, and says that two layers of 150 neurons or more are worse; the
other widths here are ours.  Figure 2 scores the training period; test scores are what a choice should rest on.
"""

import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from dalearn.evaluation.bootstrap import mean_over_cells
from dalearn.evaluation.scores import common_samples, compute_scores
from dalearn.evaluation.table_parts import ScoreSettings, known_mean, with_interval
from dalearn.experiments.study_run import Results, StudyRun, predict
from dalearn.learning.collocation import Collocation
from dalearn.learning.packing import PackedSamples, pack_samples
from dalearn.learning.settings import TrainingSettings
from dalearn.learning.split import validation_blocks
from dalearn.learning.train import train_operator
from dalearn.operators import create_operator

logger = logging.getLogger("dalearn")

LAYERS = (1, 2)
UNITS = (10, 20, 40, 100, 150, 200)
PATIENCE = 15
CELLS_TIMES_UNITS = 10_000  # trained at a time: what a core works on stays near it
QUANTILES = {"minimum": 0.0, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "maximum": 1.0}


@dataclass(frozen=True)
class Architecture:
    layers: int
    units: int

    @property
    def name(self) -> str:
        return f"{self.layers} x {self.units}"

    def weights(self, predictors: int) -> int:
        """Number of weights and biases of one cell."""
        return (predictors + 2) * self.units + 1 + (self.layers - 1) * (self.units + 1) * self.units


PUBLISHED = Architecture(1, 40)


@dataclass(frozen=True)
class ArchitectureScores:
    """One architecture: ``training_rmsd`` (cell,), ``test`` predictions (sample, cell), epochs and seconds of CPU."""

    training_rmsd: np.ndarray
    test: np.ndarray
    epochs: int
    seconds: float


def study_architectures(
    run: StudyRun,
    architectures: Sequence[Architecture],
    settings: TrainingSettings,
    patience: int | None,
) -> tuple[dict[str, ArchitectureScores], Collocation]:
    """Train what has not been trained before; the scores by name, and the test samples."""
    train, test = run.samples()
    validation = validation_blocks(len(train.target), settings.validation_share, settings.seed, train.time)
    packed = pack_samples(train.predictors, train.target, validation)
    settings = dataclasses.replace(settings, progress=False)
    folder = run.directory.path / "studies" / "architectures"
    results = Results(folder, run.mark, dataclasses.asdict(settings), patience)
    scores = {}
    for number, architecture in enumerate(architectures, start=1):
        key = architecture.name.replace(" ", "")
        stored = results.get(key)
        if stored is None:
            stored = _train(run, architecture, packed, test, settings, patience)
            results.put(key, stored)
        score = ArchitectureScores(
            stored["training_rmsd"], stored["test"], int(stored["epochs"]), float(stored["seconds"])
        )
        scores[architecture.name] = score
        rmsd = np.nanmedian(compute_scores(score.test, test.target).rmsd)
        logger.info(
            "%d/%d: %s: median RMSD training %.3f, test %.3f %s; %d epochs, %.0f s of CPU",
            number, len(architectures), architecture.name, np.nanmedian(score.training_rmsd), rmsd, run.units,
            score.epochs, score.seconds,
        )  # fmt: skip
    return scores, test


def _train(
    run: StudyRun,
    architecture: Architecture,
    packed: PackedSamples,
    test: Collocation,
    settings: TrainingSettings,
    patience: int | None,
) -> dict[str, np.ndarray]:
    begin = time.process_time()
    observed = run.setup.config.observation(run.training.observations)
    cells = np.arange(run.setup.surface.cell_count)
    parts = np.array_split(cells, -(-len(cells) * architecture.units // CELLS_TIMES_UNITS))
    rmsd, predicted, epochs = [], [], 0
    for part in parts:
        operator = create_operator(
            "network",
            cell_count=len(part),
            predictors=run.training.predictors,
            quantity=observed.quantity,
            units=run.units or None,
            hidden_layers=architecture.layers,
            hidden_units=architecture.units,
            cell_identifiers=part.tolist(),
            dtype=torch.float32,  # half the time; the noise of an observation is a million times its rounding
        )
        result = train_operator(
            operator,
            torch.from_numpy(packed.predictors[:, part]),
            torch.from_numpy(packed.target[:, part]),
            settings,
            validation=packed.validation,
            patience=patience,
        )
        in_training = compute_scores(predict(result.operator, packed.predictors[:, part]), packed.target[:, part])
        rmsd.append(in_training.rmsd)
        predicted.append(predict(result.operator, test.predictors[:, part]))
        epochs = max(epochs, len(result.training_rmsd))
    return {
        "training_rmsd": np.concatenate(rmsd),
        "test": np.concatenate(predicted, axis=1),
        "epochs": np.array(epochs),
        "seconds": np.array(time.process_time() - begin),
    }


def architecture_tables(
    scores: Mapping[str, ArchitectureScores],
    architectures: Sequence[Architecture],
    test: Collocation,
    predictors: int,
    units: str,
    settings: ScoreSettings,
    reference: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per architecture, quantiles over cells, and one row per architecture and cell.

    The difference from ``reference`` is the mean over cells with its paired block-bootstrap interval.
    """
    observed, *predicted = common_samples(test.target, *(score.test for score in scores.values()))
    runs = dict(zip(scores, predicted, strict=True))
    replicates = settings.replicates(runs, observed, test.time)
    in_test = {name: compute_scores(values, observed, settings.minimum_count) for name, values in runs.items()}
    rows, cells = [], []
    for architecture in architectures:
        name = architecture.name
        score, of_test = scores[name], in_test[name]
        row: dict[str, object] = {
            "architecture": name,
            "layers": architecture.layers,
            "neurons": architecture.units,
            "weights per cell": architecture.weights(predictors),
            "cells": int(np.isfinite(of_test.rmsd).sum()),
            f"training RMSD ({units})": float(np.nanmedian(score.training_rmsd)),
        }
        for label, values in ((f"RMSD ({units})", of_test.rmsd), ("R", of_test.correlation)):
            row |= {f"{label} {name}": float(np.nanquantile(values, share)) for name, share in QUANTILES.items()}
        gain = of_test.rmsd - in_test[reference].rmsd
        sampled = mean_over_cells(replicates[name].rmsd - replicates[reference].rmsd)
        row |= with_interval(f"RMSD - {reference} ({units})", known_mean(gain), sampled, settings)
        row |= {f"cells better than {reference} (%)": 100.0 * known_mean(np.where(np.isfinite(gain), gain < 0, np.nan))}
        rows.append(row | {"epochs": score.epochs, "CPU (s)": score.seconds})
        cells.append(
            pd.DataFrame(
                {
                    "architecture": name,
                    "cell": np.arange(len(of_test.rmsd)),
                    f"training RMSD ({units})": score.training_rmsd,
                    f"RMSD ({units})": of_test.rmsd,
                    "R": of_test.correlation,
                    "number": of_test.count,
                }
            )
        )
    return pd.DataFrame(rows), pd.concat(cells, ignore_index=True)
