"""Operators side by side: trained on the same open loop, scored on the same test samples.

Two choices are made on the last part of the training period, before any operator sees a test sample: how much the
observed LAI is smoothed, and nothing else.  The settings of the hierarchical network are its defaults.
"""

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch

from dalearn.evaluation.bootstrap import interval, mean_over_cells
from dalearn.evaluation.scores import common_samples, compute_scores
from dalearn.evaluation.table_parts import ScoreSettings, known_mean, with_interval
from dalearn.experiments.study_run import Results, StudyRun, predict
from dalearn.experiments.training import widen_range
from dalearn.learning.collocation import Collocation
from dalearn.learning.packing import pack_samples
from dalearn.learning.settings import TrainingSettings
from dalearn.learning.split import validation_blocks
from dalearn.learning.train import train_operator
from dalearn.operators import LinearOperator, ObservationOperator, create_operator, load_operator, save_operator

logger = logging.getLogger("dalearn")

SMOOTHING_DAYS = (None, 7.0, 10.0, 14.0, 20.0)
SELECTION_EPOCHS = 100
YEAR = np.timedelta64(365, "D")


@dataclass(frozen=True)
class Candidate:
    """One row of the study.

    Attributes:
        label: in tables and figures.
        operator: registered name; ``options`` of its class.
        smoothed: trained on smoothed LAI observations, where LAI is observed.
        predictors: those of the run when None.
        learning_rate: that of the run when None.
    """

    label: str
    operator: str
    options: Mapping[str, Any] = field(default_factory=dict)
    smoothed: bool = False
    predictors: tuple[str, ...] | None = None
    learning_rate: float | None = None

    @property
    def key(self) -> str:
        return self.label.replace(" ", "_").replace(",", "")


REFERENCE = Candidate("network per cell", "network", {"hidden_units": 40})
PROPOSED = Candidate("hierarchical network, smoothed LAI", "hierarchical_network", smoothed=True)
CANDIDATES = (
    REFERENCE,
    Candidate("network of the domain", "shared_network"),
    Candidate("linear", "linear"),
    Candidate("water cloud", "water_cloud", predictors=("WG2", "LAI"), learning_rate=0.01),
    Candidate("hierarchical network", "hierarchical_network"),
    Candidate("network per cell, smoothed LAI", "network", {"hidden_units": 40}, smoothed=True),
    PROPOSED,
)


@dataclass(frozen=True)
class Trained:
    """A trained candidate: ``test`` predictions (sample, cell) with the LAI it was trained for, ``of_model`` with that
    of the model, ``seconds`` of CPU.
    """

    candidate: Candidate
    operator: ObservationOperator
    test: np.ndarray
    of_model: np.ndarray
    seconds: float


def train_candidates(
    run: StudyRun, candidates: Sequence[Candidate], settings: TrainingSettings, patience: int | None
) -> tuple[dict[str, Trained], Collocation, pd.DataFrame]:
    """Choose the smoothing, train what has not been trained before: by label, the test samples and the choice."""
    settings = dataclasses.replace(settings, progress=False)
    folder = run.directory.path / "studies" / "operators"
    observed = run.training.leaf_area_index != "model" and "LAI" in run.training.predictors
    choices = SMOOTHING_DAYS if observed and any(candidate.smoothed for candidate in candidates) else (None,)
    selection = _select_smoothing(run, settings, Results(folder, run.mark, dataclasses.asdict(settings)), choices)
    days = selection.loc[selection["RMSD"].idxmin(), "days"] if len(selection) > 1 else None
    days = None if days is None or np.isnan(days) else float(days)
    samples = cache(run.samples)  # three of them, a hundred megabytes each at the size of the paper
    trained = {}
    for candidate in candidates:
        window = days if candidate.smoothed else None
        mark = [run.mark, dataclasses.asdict(settings), patience, dataclasses.asdict(candidate), window]
        trained[candidate.label] = _trained(run, candidate, settings, patience, window, Results(folder, *mark), samples)
    return trained, samples(leaf_area_index_smoothing=None)[1], selection


def _select_smoothing(
    run: StudyRun, settings: TrainingSettings, results: Results, choices: Sequence[float | None]
) -> pd.DataFrame:
    """Mean RMSD over cells on the last part of the training period of the proposed operator, by days of smoothing."""
    if len(choices) == 1:
        return pd.DataFrame({"days": [], "RMSD": []})
    settings = dataclasses.replace(settings, epochs=min(settings.epochs, SELECTION_EPOCHS))
    scores = []
    for days in choices:
        name = f"selection_{days or 0:g}_days"
        stored = results.get(name)
        if stored is None:
            train = run.samples(leaf_area_index_smoothing=days)[0]
            length = train.time[-1] - train.time[0]
            part = max(length / 5, YEAR) if length >= 2 * YEAR else length / 5
            early = train.time < train.time[-1] - part
            operator = _fit(run, PROPOSED, _rows(train, early), settings, None)
            late = _rows(train, ~early)
            rmsd = compute_scores(predict(operator, late.predictors), late.target).rmsd
            stored = {"rmsd": rmsd}
            results.put(name, stored)
        scores.append(known_mean(stored["rmsd"]))
        logger.info(
            "LAI smoothed over %g days: RMSD %.4f %s on the last training part", days or 0, scores[-1], run.units
        )
    return pd.DataFrame({"days": [np.nan if days is None else days for days in choices], "RMSD": scores})


def _rows(samples: Collocation, chosen: np.ndarray) -> Collocation:
    return Collocation(samples.time[chosen], samples.predictors[chosen], samples.target[chosen], 0)


def _columns(run: StudyRun, samples: Collocation, names: Sequence[str]) -> Collocation:
    """``samples`` with the predictors ``names`` of those of the run."""
    index = [run.training.predictors.index(name) for name in names]
    return dataclasses.replace(samples, predictors=samples.predictors[..., index])


def _trained(
    run: StudyRun,
    candidate: Candidate,
    settings: TrainingSettings,
    patience: int | None,
    days: float | None,
    results: Results,
    samples: Callable[..., tuple[Collocation, Collocation]],
) -> Trained:
    path = results.folder / f"{candidate.key}.nc"
    stored = results.get(candidate.key)
    if stored is None or not path.exists():
        names = list(candidate.predictors or run.training.predictors)
        train, test = (_columns(run, part, names) for part in samples(leaf_area_index_smoothing=days))
        of_model = _columns(run, samples(leaf_area_index="model", leaf_area_index_smoothing=None)[1], names)
        begin = time.process_time()
        operator = _fit(run, candidate, train, settings, patience)
        seconds = time.process_time() - begin
        if days is not None:
            widen_range(operator, _columns(run, samples(leaf_area_index_smoothing=None)[0], names))
        surface = run.setup.surface
        save_operator(operator, path, latitude=surface.latitude, longitude=surface.longitude)
        # both samplings hold the same observations in the same order, whatever the LAI
        stored = {
            "test": predict(operator, test.predictors),
            "of_model": predict(operator, of_model.predictors),
            "seconds": np.array(seconds),
        }
        results.put(candidate.key, stored)
    logger.info("%s: %.0f s of CPU", candidate.label, float(stored["seconds"]))
    return Trained(candidate, load_operator(path), stored["test"], stored["of_model"], float(stored["seconds"]))


def _fit(
    run: StudyRun, candidate: Candidate, train: Collocation, settings: TrainingSettings, patience: int | None
) -> ObservationOperator:
    observed = run.setup.config.observation(run.training.observations)
    operator = create_operator(
        candidate.operator,
        cell_count=run.setup.surface.cell_count,
        predictors=candidate.predictors or run.training.predictors,
        quantity=observed.quantity,
        units=run.units or None,
        out_of_range=run.training.out_of_range,
        dtype=torch.float32,
        **candidate.options,
    )
    if isinstance(operator, LinearOperator):
        operator.double().fit(
            torch.from_numpy(train.predictors), torch.from_numpy(train.target), settings.minimum_samples
        )
        return operator.requires_grad_(False)
    if candidate.learning_rate is not None:
        settings = dataclasses.replace(settings, learning_rate=candidate.learning_rate)
    validation = validation_blocks(len(train.target), settings.validation_share, settings.seed, train.time)
    packed = pack_samples(train.predictors, train.target, validation)
    return train_operator(
        operator,
        torch.from_numpy(packed.predictors),
        torch.from_numpy(packed.target),
        settings,
        validation=packed.validation,
        patience=patience,
    ).operator


def score_table(
    trained: Mapping[str, Trained], test: Collocation, units: str, settings: ScoreSettings, reference: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per operator, means over cells with intervals, and one row per operator and cell.

    All on the same samples.  Differences from ``reference`` have paired block-bootstrap intervals; a cell counts as
    better or worse for sure where its own interval does not contain 0.
    """
    names = list(trained)
    inputs = {
        "": [trained[name].test for name in names],
        ", LAI of the model": [trained[name].of_model for name in names],
    }
    every = [values for group in inputs.values() for values in group]
    observed = common_samples(test.target, *every)[0]
    rows: dict[str, dict[str, object]] = {
        name: {
            "operator": name,
            "weights per cell": _weights_per_cell(trained[name].operator),
            "cells": int((np.isfinite(observed).sum(axis=0) >= settings.minimum_count).sum()),
            "number": int(np.isfinite(observed).sum()),
        }
        for name in names
    }
    cells = []
    for which, predictions in inputs.items():
        runs = dict(zip(names, predictions, strict=True))
        replicates = settings.replicates(runs, observed, test.time)
        scores = {
            name: compute_scores(np.where(np.isfinite(observed), values, np.nan), observed, settings.minimum_count)
            for name, values in runs.items()
        }
        for name in names:
            score, sampled, row = scores[name], replicates[name], rows[name]
            label = f"RMSD{which} ({units})"
            row |= with_interval(label, known_mean(score.rmsd), mean_over_cells(sampled.rmsd), settings)
            gain, sampled_gain = score.rmsd - scores[reference].rmsd, sampled.rmsd - replicates[reference].rmsd
            difference = f"RMSD{which} - {reference} ({units})"
            row |= with_interval(difference, known_mean(gain), mean_over_cells(sampled_gain), settings)
            if which:
                continue
            row |= with_interval("R", known_mean(score.correlation), mean_over_cells(sampled.correlation), settings)
            low, high = interval(sampled_gain, gain, settings.level)
            known = np.isfinite(gain)
            row |= {
                f"median RMSD ({units})": float(np.nanmedian(score.rmsd)),
                "cells better (%)": 100.0 * float((gain[known] < 0).mean()),
                "surely better (%)": 100.0 * float((high[known] < 0).mean()),
                "surely worse (%)": 100.0 * float((low[known] > 0).mean()),
            }
            table = {
                "operator": name,
                "cell": np.arange(len(gain)),
                f"RMSD ({units})": score.rmsd,
                "R": score.correlation,
            }
            cells.append(
                pd.DataFrame({**table, difference: gain, f"{difference} low": low, f"{difference} high": high})
            )
    for name in names:
        rows[name]["training (s of CPU)"] = trained[name].seconds
    return pd.DataFrame(list(rows.values())), pd.concat(cells, ignore_index=True)


def _weights_per_cell(operator: ObservationOperator) -> float:
    return sum(weight.numel() for weight in operator.parameters()) / operator.cell_count
