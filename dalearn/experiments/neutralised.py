"""The trained operator with its predictors held at their means, one at a time (Corchia et al. 2023, section 2.7)."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch

from dalearn.evaluation.neutralised import ALL, NeutralisedTest
from dalearn.experiments.equivalents import evaluate_operator
from dalearn.experiments.observations import read_configured
from dalearn.experiments.open_loop_data import OpenLoopData
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.samples import build_samples
from dalearn.experiments.sections import as_time
from dalearn.experiments.setup import Setup
from dalearn.learning.collocation import Collocation
from dalearn.operators import ObservationOperator, load_operator

PREDICTOR_BYTES_AT_ONCE = 200_000_000
SAMPLES_AT_ONCE = 1000  # the hidden layers of all cells for so many samples are held in memory


def neutralise(setup: Setup, directory: RunDirectory) -> list[NeutralisedTest]:
    """Predictions on the training and on the test period; nothing when the configuration trains no operator."""
    config = setup.config.training
    if config is None:
        return []
    surface = setup.surface
    operator = load_operator(directory / "operator.nc", latitude=surface.latitude, longitude=surface.longitude)
    operator.out_of_range = config.out_of_range
    periods = {"training": (config.start, config.end), "test": (config.test_start, config.test_end)}
    samples = {name: list(_in_time_parts(setup, directory, *period)) for name, period in periods.items()}
    mean = predictor_means(samples["training"])
    return [
        _predict(name, operator, parts, mean)
        for name, parts in samples.items()
        if any(len(part.time) for part in parts)
    ]


def predictor_means(parts: list[Collocation]) -> np.ndarray:
    """Mean of every predictor over the samples with a target and all predictors, (cell, n); NaN without one."""
    total, count = 0.0, 0.0
    for part in parts:
        known = np.isfinite(part.target) & np.isfinite(part.predictors).all(axis=-1)
        total = total + np.where(known[..., None], part.predictors, 0.0).sum(axis=0)
        count = count + known.sum(axis=0)[:, None]
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


@torch.no_grad()
def neutralised_predictions(
    operator: ObservationOperator, predictors: np.ndarray, mean: np.ndarray
) -> dict[str, np.ndarray]:
    """``ALL`` and every predictor -> (sample, cell) of ``predictors`` (sample, cell, n); ``mean`` (cell, n)."""
    result = {ALL: _in_parts(operator, predictors)}
    for position, name in enumerate(operator.predictors):
        changed = predictors.copy()
        changed[..., position] = mean[:, position]
        result[name] = _in_parts(operator, changed)
    return result


def split_period(start: np.datetime64, end: np.datetime64, parts: int) -> list[np.datetime64]:
    """``start``, ``end`` and the days between that split the period into about equal ``parts``, at most one a day."""
    days = np.linspace(0.0, (end - start) / np.timedelta64(1, "D"), parts + 1)[1:-1].round().astype(int)
    inner = start.astype("datetime64[D]") + np.unique(days[days > 0])
    return [start, *(moment for moment in inner.astype("datetime64[s]") if start < moment < end), end]


def _in_parts(operator: ObservationOperator, predictors: np.ndarray) -> np.ndarray:
    starts = range(0, max(len(predictors), 1), SAMPLES_AT_ONCE)
    return np.concatenate([evaluate_operator(operator, predictors[row : row + SAMPLES_AT_ONCE]) for row in starts])


def _predict(period: str, operator: ObservationOperator, parts: list[Collocation], mean: np.ndarray) -> NeutralisedTest:
    predicted = [neutralised_predictions(operator, part.predictors, mean) for part in parts]
    return NeutralisedTest(
        period,
        operator.quantity,
        operator.units,
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.target for part in parts]),
        {name: np.concatenate([values[name] for values in predicted]) for name in predicted[0]},
    )


def _in_time_parts(setup: Setup, directory: RunDirectory, start: str, end: str) -> Iterator[Collocation]:
    """The samples of the period, some time of it at once: hourly predictors of many years would fill the memory."""
    config = setup.config.training
    assert config is not None
    open_loop = OpenLoopData(directory / "open_loop.nc")
    observations = read_configured(setup, config.observations)
    leaves = None if config.leaf_area_index == "model" else read_configured(setup, config.leaf_area_index)
    first, last = as_time(start, "training"), as_time(end, "training")
    rows = open_loop.rows(first, last, np.timedelta64(0, "s"))
    size = (rows.stop - rows.start) * setup.surface.cell_count * len(config.predictors) * 8
    for begin, finish in pairwise(split_period(first, last, max(1, -(-size // PREDICTOR_BYTES_AT_ONCE)))):
        yield build_samples(config, open_loop, observations, leaves, begin, finish)
