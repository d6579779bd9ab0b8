"""Seasonal linear rescaling: golden values of ldas_sekf.md 10.7, seasons, guards, frozen coefficients."""

import numpy as np
import pytest

from dalearn.observations.observations import Observations
from dalearn.observations.rescaling import fit_rescaling

START, END = np.datetime64("2007-01-01T00:00:00"), np.datetime64("2010-01-01T00:00:00")


def samples(time: np.ndarray, value: np.ndarray, cell: np.ndarray | None = None, cells: int = 1) -> Observations:
    return Observations(
        quantity="SSM",
        units="%",
        time=time.astype("datetime64[s]"),
        cell=np.zeros(len(time), int) if cell is None else cell,
        value=value,
        error=np.full(len(time), 5.0),
        latitude=np.zeros(cells),
        longitude=np.zeros(cells),
    )


def test_golden() -> None:
    time = np.datetime64("2008-05-01") + np.arange(4)
    observations = samples(time, np.array([0.1, 0.2, 0.3, 0.4]))
    rescaling = fit_rescaling(observations, np.array([0.22, 0.24, 0.28, 0.26]), START, END, minimum_pairs=4)
    np.testing.assert_allclose(rescaling.slope[[3, 4, 5], 0], 0.2)
    np.testing.assert_allclose(rescaling.intercept[[3, 4, 5], 0], 0.2)
    rescaled = rescaling.apply(observations, "m3 m-3", 0.05)
    np.testing.assert_allclose(rescaled.value, [0.22, 0.24, 0.26, 0.28])
    np.testing.assert_array_equal(rescaled.error, 0.05)
    assert rescaled.units == "m3 m-3"
    assert rescaled.counts["kept"] == 4


def test_months_without_pairs_have_no_fit() -> None:
    time = np.datetime64("2008-05-01") + np.arange(4)
    observations = samples(time, np.array([0.1, 0.2, 0.3, 0.4]))
    rescaling = fit_rescaling(observations, np.array([0.22, 0.24, 0.28, 0.26]), START, END, minimum_pairs=4)
    others = [month for month in range(12) if month not in (3, 4, 5)]
    assert np.isnan(rescaling.slope[others]).all()
    assert (rescaling.pairs[others] == 0).all()
    winter = samples(np.array(["2008-01-10", "2008-05-10"], "datetime64[s]"), np.array([0.2, 0.2]))
    rescaled = rescaling.apply(winter, "m3 m-3", 0.05)
    assert rescaled.counts == {"read": 2, "kept": 1, "not_rescaled": 1}


def test_season_takes_the_months_beside_it_in_all_years() -> None:
    """January learns from December, January and February of every training year, from nothing else."""
    time = START.astype("datetime64[D]") + np.arange(3 * 365)
    observed = np.random.default_rng(0).uniform(10.0, 60.0, len(time))
    month = time.astype("datetime64[M]").astype(int) % 12
    winter = np.isin(month, [11, 0, 1])
    model = np.where(winter, 0.1 + 0.004 * observed, 0.3 - 0.001 * observed)
    rescaling = fit_rescaling(samples(time, observed), model, START, END)
    np.testing.assert_allclose(rescaling.slope[0], 0.004)
    np.testing.assert_allclose(rescaling.intercept[0], 0.1)
    assert rescaling.pairs[0, 0] == winter.sum()
    # the ratio of two standard deviations has no sign: a model that opposes the observations is not turned round
    np.testing.assert_allclose(rescaling.slope[6], 0.001)


def test_only_the_training_period_counts(rng: np.random.Generator) -> None:
    time = START.astype("datetime64[D]") + np.arange(3 * 365)
    observed, model = rng.uniform(10.0, 60.0, len(time)), rng.uniform(0.1, 0.4, len(time))
    middle = np.datetime64("2009-01-01T00:00:00")
    first = fit_rescaling(samples(time, observed), model, START, middle)
    later = time >= middle.astype("datetime64[D]")
    other = fit_rescaling(samples(time, np.where(later, 99.0, observed)), np.where(later, 0.9, model), START, middle)
    np.testing.assert_array_equal(first.slope, other.slope)
    np.testing.assert_array_equal(first.intercept, other.intercept)


def test_moments_match_per_cell_and_guards_hold(rng: np.random.Generator) -> None:
    """Cell 0 is fitted, cell 1 has a constant observation, 2 a constant model, 3 too few pairs."""
    count = 200
    time = np.tile(np.datetime64("2008-05-01T00:00:00") + np.arange(count // 4) * np.timedelta64(1, "h"), 4)
    cell = np.repeat(np.arange(4), count // 4)
    observed = rng.uniform(10.0, 60.0, count)
    observed[cell == 1] = 33.3
    model = rng.uniform(0.1, 0.4, count)
    model[cell == 2] = 0.1 + 0.2
    model[np.flatnonzero(cell == 3)[:30]] = np.nan
    observations = samples(time, observed, cell, cells=4)
    rescaling = fit_rescaling(observations, model, START, END, minimum_pairs=21)
    assert np.isfinite(rescaling.slope[4]).tolist() == [True, False, False, False]
    assert rescaling.pairs[4].tolist() == [50, 50, 50, 20]
    rescaled = rescaling.apply(observations, "m3 m-3", np.array([0.04, 0.05, 0.06, 0.07]))
    assert rescaled.counts == {"read": count, "kept": 50, "not_rescaled": 150}
    assert rescaled.value.mean() == pytest.approx(model[cell == 0].mean())
    assert rescaled.value.std() == pytest.approx(model[cell == 0].std())
    np.testing.assert_array_equal(rescaled.error, 0.04)
