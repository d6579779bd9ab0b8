"""The training stage: an operator from several initial weights, its baselines, and their scores."""

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dalearn.errors import InputError
from dalearn.evaluation.operator_test import OperatorTest, write_operator_test
from dalearn.evaluation.scores import compute_scores
from dalearn.evaluation.table_parts import ScoreSettings, write_table
from dalearn.experiments.baselines import climatology, linear
from dalearn.experiments.observations import read_configured
from dalearn.experiments.open_loop_data import OpenLoopData
from dalearn.experiments.operator_scores import operator_scores
from dalearn.experiments.provenance import file_attributes
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.samples import build_samples
from dalearn.experiments.sections import as_time
from dalearn.experiments.setup import Setup
from dalearn.experiments.stage_sections import TrainingConfig
from dalearn.learning.collocation import Collocation
from dalearn.learning.ensemble import train_ensemble
from dalearn.learning.record import save_training
from dalearn.learning.train import TrainingResult
from dalearn.observations.observations import Observations
from dalearn.operators import ObservationOperator, create_operator, save_operator

logger = logging.getLogger("dalearn")


def run_training(setup: Setup, directory: RunDirectory) -> list[Path]:
    """Train, choose the seed that validates best, score it on the test period; returns the files written."""
    config = setup.config.training
    assert config is not None
    observations = read_configured(setup, config.observations)
    train, test = read_samples(setup, config, directory, observations)
    results = _train(setup, config, train, observations.units)
    if config.leaf_area_index_smoothing is not None:
        as_observed = dataclasses.replace(config, leaf_area_index_smoothing=None)
        seen = read_samples(setup, as_observed, directory, observations)[0]
        for result in results:
            widen_range(result.operator, seen)
    chosen = _best(results)
    operator = results[chosen].operator
    logger.info("training: seed %d of %d validates best and is kept", chosen, len(results))

    members = [_predict(result.operator, test.predictors) for result in results]
    name = operator.name
    baselines = {
        "linear": linear(train.predictors, train.target, test.predictors),
        "climatology": climatology(train.time, train.target, test.time),
    }
    quantity, units = operator.quantity, operator.units
    scores = operator_scores(name, members, baselines, test.target, test.time, units, ScoreSettings())
    _log_scores(scores, units)
    cells = _cell_table(setup, results[chosen], train, test, members[chosen])
    tables = [
        write_table(scores, directory / "tables" / "operator_scores.csv"),
        write_table(cells, directory / "tables" / "operator_cells.csv"),
    ]
    predictions = {name: members[chosen], **baselines}
    operator_test = OperatorTest(quantity, units, test.time, test.target, predictions)
    where = {"latitude": setup.surface.latitude, "longitude": setup.surface.longitude}
    files = [directory / "operator.nc", directory / "training.nc", directory / "operator_test.nc"]
    attributes = {
        **file_attributes(f"observation operator of {setup.config.name}"),
        "training_period": f"{config.start} to {config.end}",
        "training_settings": dataclasses.asdict(config.settings),
        "seed": chosen,
    }
    save_training(results[chosen], files[1], **where)
    write_operator_test(operator_test, files[2])
    save_operator(operator, files[0], attributes=attributes, **where)
    return files + tables


def read_samples(
    setup: Setup, config: TrainingConfig, directory: RunDirectory, observations: Observations
) -> tuple[Collocation, Collocation]:
    """The samples of the training and of the test period; InputError when one has none that is complete."""
    open_loop = OpenLoopData(directory / "open_loop.nc")
    leaves = None if config.leaf_area_index == "model" else read_configured(setup, config.leaf_area_index)
    parts = []
    for label, start, end in (("training", config.start, config.end), ("test", config.test_start, config.test_end)):
        period = as_time(start, "training"), as_time(end, "training")
        samples = build_samples(config, open_loop, observations, leaves, *period)
        complete = np.isfinite(samples.target) & np.isfinite(samples.predictors).all(axis=-1)
        logger.info(
            "%s: %d samples of %s from %s to %s, %d without predictors",
            label, complete.sum(), observations.quantity, start, end,
            np.isfinite(samples.target).sum() - complete.sum() + samples.unmatched,
        )  # fmt: skip
        if not complete.any():
            raise InputError(
                f"{observations.source}: {label}: no observation of {observations.quantity} from {start} to {end} has "
                f"all predictors {', '.join(config.predictors)}; choose other periods or leaf_area_index: model"
            )
        parts.append(dataclasses.replace(samples, target=np.where(complete, samples.target, np.nan)))
    return parts[0], parts[1]


def widen_range(operator: ObservationOperator, seen: Collocation) -> None:
    """Let ``operator`` be used wherever LAI was observed as well as where it was smoothed.

    Smoothed peaks are lower than the leaf area of the model often is in the analysis; where the range of an operator is
    left its derivative is zero, and with it the correction of the leaves that are too many.
    """
    complete = np.where(np.isfinite(seen.target)[..., None], seen.predictors, np.nan)
    operator.predictor_range.widen(torch.from_numpy(complete).to(operator.dtype))


def _train(setup: Setup, config: TrainingConfig, samples: Collocation, units: str) -> list[TrainingResult]:
    observed = setup.config.observation(config.observations)
    operator = create_operator(
        config.operator,
        cell_count=setup.surface.cell_count,
        predictors=config.predictors,
        quantity=observed.quantity,
        units=units or None,
        out_of_range=config.out_of_range,
        **config.options,
    )
    return train_ensemble(
        operator,
        torch.from_numpy(samples.predictors),
        torch.from_numpy(samples.target),
        config.settings,
        seeds=range(config.seeds),
        time=samples.time,
    )


def _best(results: list[TrainingResult]) -> int:
    """The member with the smallest validation error, the median over cells of each cell's best epoch."""

    def error(result: TrainingResult) -> float:
        best = torch.where(result.validation_rmsd.isnan(), torch.inf, result.validation_rmsd).amin(dim=0)
        known: Tensor = best[torch.isfinite(best)]
        return float(known.median()) if known.numel() else float("inf")

    errors = [error(result) for result in results]
    return errors.index(min(errors))


@torch.no_grad()
def _predict(operator: ObservationOperator, predictors: np.ndarray) -> np.ndarray:
    """(sample, cell), NaN where the operator is not trained."""
    values = operator(torch.from_numpy(predictors).to(operator.dtype))
    return torch.where(operator.trained, values, torch.nan).double().numpy()


def _cell_table(
    setup: Setup, result: TrainingResult, train: Collocation, test: Collocation, predicted: np.ndarray
) -> pd.DataFrame:
    """Scores of the kept operator by cell."""
    in_training = compute_scores(_predict(result.operator, train.predictors), train.target)
    in_test = compute_scores(predicted, test.target)
    return pd.DataFrame(
        {
            "cell": np.arange(setup.surface.cell_count),
            "latitude": setup.surface.latitude,
            "longitude": setup.surface.longitude,
            "station": setup.surface.name,
            "trained": result.trained.numpy(),
            "best_epoch": result.best_epoch.numpy(),
            "training_number": in_training.count,
            "training_rmsd": in_training.rmsd,
            "training_r": in_training.correlation,
            "test_number": in_test.count,
            "test_rmsd": in_test.rmsd,
            "test_r": in_test.correlation,
        }
    )


def _log_scores(table: pd.DataFrame, units: str) -> None:
    """The scores on the test period with their intervals, one line each."""
    for row in table.to_dict("records"):
        rmsd, correlation = (
            [row[f"{name}{end}"] for end in ("", " low", " high")] for name in (f"RMSD ({units})", "R")
        )
        logger.info(
            "test: %s: RMSD %.3f (%.3f to %.3f) %s, R %.3f (%.3f to %.3f)",
            row["operator"], *rmsd, units, *correlation,
        )  # fmt: skip
