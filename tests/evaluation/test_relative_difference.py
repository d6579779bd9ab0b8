"""Equation 2 of Rojas-Munoz et al. (2023) on series with known monthly means."""

import numpy as np
import pytest

from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.relative_difference import (
    IN_SITU,
    difference_table,
    monthly_means,
    relative_differences,
    relative_to_year,
    score_table,
)

TIME = np.arange(np.datetime64("2017-01-01T18"), np.datetime64("2020-01-01"), np.timedelta64(24, "h"))
YEAR = TIME.astype("datetime64[Y]").astype(int) + 1970
MONTH = TIME.astype("datetime64[M]").astype(int) % 12


def series(factors):
    """Monthly level 0.2 + 0.01 * month, times the factor of the year, with a deviation that averages out in a month."""
    level = (0.2 + 0.01 * MONTH) * np.array([factors[year] for year in YEAR])
    days = np.bincount(YEAR * 12 + MONTH)[YEAR * 12 + MONTH]
    day = (TIME.astype("datetime64[D]") - TIME.astype("datetime64[M]")).astype(int)
    return (level + 0.05 * (day - (days - 1) / 2) / days)[:, None]


def test_equation_2():
    mean = np.array([[0.2, 0.4], [0.3, 0.3], [0.1, np.nan]])
    found = relative_to_year(mean, np.array([2017, 2018, 2019]), 2017)
    np.testing.assert_allclose(found, [[0, 0], [0.5, -0.25], [-0.5, np.nan]])


def test_monthly_means_need_enough_samples():
    values = series({2017: 1.0, 2018: 1.0, 2019: 1.0})
    values[:25] = np.nan
    years, mean = monthly_means(values, TIME)
    assert years.tolist() == [2017, 2018, 2019]
    assert np.isnan(mean[0, 0, 0])
    np.testing.assert_allclose(mean[1:, :, 0], np.tile(0.2 + 0.01 * np.arange(12), (2, 1)))


def compared(**changes):
    observed = series({2017: 1.0, 2018: 1.2, 2019: 0.7})
    runs = {OPEN_LOOP: 2.0 * series({2017: 1.0, 2018: 1.1, 2019: 0.9}), "both": 0.5 * observed}
    return Comparison("SSM", "m3 m-3", "in situ", TIME, changes.get("observed", observed), runs)


def test_level_and_scale_of_a_place_drop_out():
    found = relative_differences(compared())
    assert found.reference == 2017
    assert found.years.tolist() == [2018, 2019]
    np.testing.assert_allclose(found.values[IN_SITU][:, :, 0], np.repeat([[0.2], [-0.3]], 12, axis=1), atol=1e-12)
    np.testing.assert_allclose(found.values[OPEN_LOOP][:, :, 0], np.repeat([[0.1], [-0.1]], 12, axis=1), atol=1e-12)
    scores = score_table(found).set_index("run")
    assert scores.loc["both", "RMSD"] == pytest.approx(0.0, abs=1e-12)
    assert scores.loc[OPEN_LOOP, "MB"] == pytest.approx((-0.1 + 0.2) / 2)
    assert scores.loc[OPEN_LOOP, "RMSD"] == pytest.approx(np.sqrt((0.1**2 + 0.2**2) / 2))
    assert scores.loc[OPEN_LOOP, "N"] == 24
    table = difference_table(found, {0: "LGC"})
    assert len(table) == 24
    assert table[(table["year"] == 2019) & (table["month"] == "Jul")][IN_SITU].item() == pytest.approx(-0.3)


def test_gaps_of_the_probe_are_gaps_of_the_model():
    """Half a wet month is missing in the probe only: the model must be averaged over the same days."""
    observed = series({2017: 1.0, 2018: 1.2, 2019: 0.7})
    model = observed.copy()
    observed[(YEAR == 2018) & (MONTH == 6)] = np.where(np.arange(31) < 15, np.nan, 0.5)[:, None]
    model[(YEAR == 2018) & (MONTH == 6)] = np.where(np.arange(31) < 15, 0.0, 0.5)[:, None]
    comparison = Comparison("SSM", "m3 m-3", "in situ", TIME, observed, {OPEN_LOOP: model})
    found = relative_differences(comparison)
    np.testing.assert_allclose(found.values[OPEN_LOOP], found.values[IN_SITU])


def test_another_reference_year_and_none():
    assert relative_differences(compared(), 2019).years.tolist() == [2017, 2018]
    assert relative_differences(compared(), 2016) is None
    one_year = np.where(YEAR[:, None] == 2018, 0.3, np.nan)
    assert relative_differences(compared(observed=one_year)) is None
    assert relative_differences(compared(observed=np.full_like(one_year, np.nan))) is None
