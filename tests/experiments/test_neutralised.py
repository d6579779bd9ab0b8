"""Predictors held at their means: a straight line tells by hand what each of them contributes."""

import numpy as np
import torch

from dalearn.evaluation.neutralised import ALL
from dalearn.experiments import neutralised as module
from dalearn.experiments.neutralised import neutralised_predictions, predictor_means, split_period
from dalearn.learning.collocation import Collocation
from dalearn.operators import create_operator

SLOPES = np.array([[20.0, 0.0, 0.5], [10.0, 0.02, 1.0]])


def samples(count, seed=0):
    """Predictors (sample, cell, n) of plausible size and the target of a straight line per cell."""
    generator = np.random.default_rng(seed)
    shape = (count, 2)
    predictors = np.stack(
        [generator.uniform(0.1, 0.4, shape), generator.uniform(275, 300, shape), generator.uniform(0.3, 5.0, shape)],
        axis=-1,
    )
    target = (predictors * SLOPES).sum(axis=-1) - 12.0
    return predictors, target


def test_predictions_with_a_predictor_at_its_mean(monkeypatch):
    monkeypatch.setattr(module, "SAMPLES_AT_ONCE", 7)
    predictors, target = samples(60)
    operator = create_operator("linear", cell_count=2)
    operator.fit(torch.from_numpy(predictors), torch.from_numpy(target))
    mean = predictors.mean(axis=0)
    predicted = neutralised_predictions(operator, predictors, mean)
    assert list(predicted) == [ALL, "WG2", "TG2", "LAI"]
    np.testing.assert_allclose(predicted[ALL], target, atol=1e-6)
    for position, name in enumerate(operator.predictors):
        lost = SLOPES[:, position] * (predictors[..., position] - mean[:, position])
        np.testing.assert_allclose(predicted[ALL] - predicted[name], lost, atol=1e-6)


def test_means_are_over_the_samples_with_a_target_in_all_parts():
    predictors, target = samples(30)
    target[3, 0] = np.nan
    predictors[5, 0, 2] = np.nan
    time = np.datetime64("2015-01-01", "s") + np.arange(30) * np.timedelta64(1, "D")
    parts = [Collocation(time[rows], predictors[rows], target[rows], 0) for rows in (slice(0, 11), slice(11, 30))]
    used = [row for row in range(30) if row not in (3, 5)]
    mean = predictor_means(parts)
    np.testing.assert_allclose(mean[0], predictors[used, 0].mean(axis=0))
    np.testing.assert_allclose(mean[1], predictors[:, 1].mean(axis=0))
    empty = [Collocation(time, predictors, np.full_like(target, np.nan), 0)]
    assert np.isnan(predictor_means(empty)).all()


def test_a_cell_without_a_mean_is_undefined():
    predictors, target = samples(60)
    operator = create_operator("linear", cell_count=2)
    operator.fit(torch.from_numpy(predictors), torch.from_numpy(target))
    mean = predictors.mean(axis=0)
    mean[1] = np.nan
    predicted = neutralised_predictions(operator, predictors, mean)
    assert np.isfinite(predicted["WG2"][:, 0]).all()
    assert np.isnan(predicted["WG2"][:, 1]).all()


def test_periods_are_split_at_midnight_without_gaps():
    start, end = np.datetime64("2015-01-01T00", "s"), np.datetime64("2015-01-11T00", "s")
    assert split_period(start, end, 1) == [start, end]
    edges = split_period(start, end, 4)
    assert [str(edge)[8:10] for edge in edges] == ["01", "03", "06", "09", "11"]
    assert split_period(start, end, 100) == [start + np.timedelta64(day, "D") for day in range(11)]
    assert split_period(start, start + np.timedelta64(6, "h"), 5) == [start, start + np.timedelta64(6, "h")]
