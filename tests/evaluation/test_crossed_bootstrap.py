"""Intervals of means over cells and noise seeds."""

import numpy as np
import pytest

from dalearn.evaluation.crossed_bootstrap import crossed_interval

ROWS, COLUMNS = 10, 14


def sample(rng, row_spread, column_spread, noise):
    """Values with true mean 0 and effects of rows and columns."""
    rows, columns = rng.normal(0.0, row_spread, (ROWS, 1)), rng.normal(0.0, column_spread, COLUMNS)
    return rows + columns + rng.normal(0.0, noise, (ROWS, COLUMNS))


@pytest.mark.parametrize("spreads", [(0.0, 1.0, 0.3), (1.0, 0.0, 0.3), (0.6, 0.6, 0.6)])
def test_the_true_mean_lies_inside_as_often_as_it_should(rng, spreads):
    """Some 14 and 10 values of an effect: percentile intervals of so few are a little short of 95 %."""
    inside = 0
    for number in range(300):
        _, lower, upper = crossed_interval(sample(rng, *spreads), resamples=500, seed=number)
        inside += lower <= 0.0 <= upper
    assert 0.86 < inside / 300 < 0.99


def test_shared_effects_of_columns_widen_the_interval(rng):
    """Values drawn one by one would give a spread of the mean smaller by the root of the number of rows."""
    values = sample(rng, 0.0, 1.0, 0.01)
    mean, lower, upper = crossed_interval(values)
    assert mean == pytest.approx(values.mean(), abs=1e-15)
    of_columns = values.mean(axis=0).std(ddof=1) / np.sqrt(COLUMNS)
    assert (upper - lower) / (2 * 1.96 * of_columns) == pytest.approx(1.0, abs=0.15)


def test_the_draws_follow_the_seed(rng):
    values = sample(rng, 0.5, 0.5, 0.5)
    assert crossed_interval(values) == crossed_interval(values)
    assert crossed_interval(values) != crossed_interval(values, seed=1)


def test_equal_values_have_no_width():
    assert crossed_interval(np.full((3, 4), 0.25)) == pytest.approx((0.25, 0.25, 0.25))
