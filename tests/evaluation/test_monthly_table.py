"""The table of monthly correlations on values that can be ordered by hand."""

import numpy as np
import pytest

from dalearn.evaluation.crossed_bootstrap import crossed_draws
from dalearn.evaluation.monthly_table import calendar_month, monthly_table, months_side_by_side
from dalearn.evaluation.scores import MonthlyCorrelation
from dalearn.evaluation.table_parts import ScoreSettings

SETTINGS = ScoreSettings(resamples=400)
MONTHS = np.array(["2015-07", "2015-12", "2016-07"], dtype="datetime64[M]")


def correlations(values):
    values = np.array(values, dtype=float)
    return MonthlyCorrelation(MONTHS, values, np.full(values.shape, 30))


def test_quartiles_and_differences_of_a_month():
    monthly = {
        "OL": correlations([[0.1, 0.2, 0.3], [0.5, 0.5, np.nan], [0.4, 0.5, np.nan]]),
        "EKF": correlations([[0.2, 0.3, 0.2], [0.6, 0.4, np.nan], [0.5, 0.6, np.nan]]),
    }
    table = monthly_table(monthly, SETTINGS).set_index(["month", "run"])
    assert list(table.index) == [("Jul", "OL"), ("Jul", "EKF"), ("Dec", "OL"), ("Dec", "EKF")]
    july = table.loc[("Jul", "EKF")]
    assert july["number"] == 5
    assert july["median R"] == pytest.approx(0.3)
    assert july["25 % R"] == pytest.approx(0.2)
    assert july["maximum R"] == pytest.approx(0.6)
    assert july["median R difference"] == pytest.approx(0.0)
    assert july["mean R difference"] == pytest.approx((0.1 + 0.1 - 0.1 + 0.1 + 0.1) / 5)
    assert july["months degraded"] == 1
    december = table.loc[("Dec", "EKF")]
    assert december["mean R difference"] == pytest.approx(0.0)
    assert december["mean R difference low"] < 0.0 < december["mean R difference high"]


def test_a_difference_that_is_the_same_everywhere_has_an_interval_of_no_width():
    base = np.linspace(0.1, 0.9, 9).reshape(3, 3)
    table = monthly_table({"OL": correlations(base), "EKF": correlations(base + 0.05)}, SETTINGS)
    of_run = table[table["run"] == "EKF"]
    for end in ("", " low", " high"):
        np.testing.assert_allclose(of_run[f"mean R difference{end}"], 0.05)


def test_months_without_values_are_left_out_and_pairs_are_common():
    monthly = {
        "OL": correlations([[np.nan] * 2, [0.5, 0.9], [np.nan] * 2]),
        "EKF": correlations([[np.nan] * 2, [0.6, np.nan], [np.nan] * 2]),
    }
    table = monthly_table(monthly, SETTINGS)
    assert list(table["month"]) == ["Dec", "Dec"]
    assert table["median R difference"][1] == pytest.approx(0.1)
    assert list(table["number"]) == [2, 1]


def test_open_loop_alone():
    table = monthly_table({"OL": correlations(np.full((3, 2), 0.5))}, SETTINGS)
    assert "median R difference" not in table
    side = months_side_by_side(table)
    assert list(side.columns) == ["month", "number", "OL median R"]


def test_side_by_side_has_one_row_per_month():
    monthly = {name: correlations(np.full((3, 2), value)) for name, value in (("OL", 0.5), ("EKF", 0.4), ("X", 0.6))}
    side = months_side_by_side(monthly_table(monthly, SETTINGS))
    assert list(side["month"]) == ["Jul", "Dec"]
    assert list(side["EKF difference"]) == pytest.approx([-0.1, -0.1])
    assert list(side["X median R"]) == pytest.approx([0.6, 0.6])


def test_calendar_months_count_from_january():
    assert list(calendar_month(correlations(np.zeros((3, 1))))) == [6, 11, 6]


def test_crossed_draws_take_whole_rows_and_columns():
    values = np.arange(12.0).reshape(3, 4)
    rows, columns = crossed_draws(values.shape, resamples=200, seed=1)
    drawn = values[rows, columns]
    assert drawn.shape == (200, 3, 4)
    steps = drawn[:, :, 1:] - drawn[:, :, :1]
    np.testing.assert_array_equal(steps, np.broadcast_to(steps[:, :1], steps.shape))
    assert set(np.unique(drawn)) == set(range(12))
    np.testing.assert_array_equal(crossed_draws((3, 4), resamples=200, seed=1)[0], rows)
