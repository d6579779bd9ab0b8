"""Statements on runs whose RMSD in every cell is known by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import Comparison
from dalearn.evaluation.monthly_table import MEAN_DIFFERENCE, MEDIAN_DIFFERENCE
from dalearn.evaluation.operator_test import OperatorTest
from dalearn.evaluation.statements import (
    error_of_cells,
    only_summer,
    rmsd_differences,
    state_backscatter,
    state_leaves_at_stations,
    state_leaves_in_summer,
    state_months,
    state_noise_floor,
    statement_table,
)
from dalearn.evaluation.table_parts import ScoreSettings

SETTINGS = ScoreSettings(resamples=60)
TIME = np.datetime64("2015-01-01T09", "s") + np.arange(730) * np.timedelta64(86400, "s")
SIGN = np.where(np.arange(730) % 2, 1.0, -1.0)[:, None]
CELLS = Cells(
    [43.0, 43.0, 43.25, 43.25], [0.5, 0.0, 0.0, 0.5], ["LHS", "CDM", "", "SBR"], ["crops", "crops", "crops", "forest"]
)


def comparison(errors, quantity="LAI", units="m2 m-2"):
    """Runs that miss a common reference by +-error, so that the RMSD of every cell is the error."""
    reference = np.sin(np.arange(730.0) / 50)[:, None] + np.zeros((730, 4))
    runs = {name: reference + SIGN * np.array(error) for name, error in errors.items()}
    return Comparison(quantity, units, "truth", TIME, reference, runs)


def test_noise_floor_is_judged_in_the_median_cell():
    observed = np.zeros((730, 3))
    test = OperatorTest("sigma0", "dB", TIME, observed, {"network": SIGN * np.array([0.33, 0.36, 0.66]),
                                                         "linear": SIGN * 9.0 + np.zeros(3)})  # fmt: skip
    statement = state_noise_floor(test, np.full(3, 0.33), SETTINGS)
    assert statement.value == pytest.approx(0.36 / 0.33)
    assert statement.low == pytest.approx(statement.high) == pytest.approx(statement.value)
    assert statement.met
    assert "2 of 3 cells within the mark" in statement.detail
    assert not state_noise_floor(test, np.full(3, 0.3), SETTINGS).met
    assert state_noise_floor(test, np.full(3, np.nan), SETTINGS) is None


def test_errors_of_the_observations_are_root_mean_squares_by_cell():
    observations = SimpleNamespace(cell=np.array([0, 0, 2, 2]), error=np.array([3.0, 4.0, 0.5, np.nan]))
    np.testing.assert_allclose(error_of_cells(observations, 3), [np.sqrt(12.5), np.nan, 0.5])


def test_backscatter_must_be_closer_in_every_cell():
    errors = {"OL": [1.0] * 4, "EKF forecast": [0.9, 1.1, 0.9, 0.9], "EKF": [0.5, 0.5, 0.5, 0.9]}
    analysis, forecast = state_backscatter(comparison(errors, "sigma0", "dB"), "EKF", SETTINGS)
    assert (analysis.value, analysis.mark, analysis.met) == (4, "all 4", True)
    assert (forecast.value, forecast.mark, forecast.met) == (3, "for information", None)
    assert "above 0 in 1" in forecast.detail
    errors["EKF"] = [0.5, 0.5, 0.5, 1.01]
    failed, _ = state_backscatter(comparison(errors, "sigma0", "dB"), "EKF", SETTINGS)
    assert (failed.value, failed.met) == (3, False)
    assert "0.0100 dB" in failed.detail or "0.010 dB" in failed.detail


def test_cells_without_observations_do_not_fail_the_mark():
    errors = {"OL": [1.0] * 4, "EKF": [0.5] * 4}
    compared = comparison(errors, "sigma0", "dB")
    compared.observed[:, 3] = np.nan
    (statement,) = state_backscatter(compared, "EKF", SETTINGS)
    assert (statement.value, statement.mark, statement.met) == (3, "all 3", True)
    compared = comparison(errors, "sigma0", "dB")
    compared.observed[:] = np.nan
    (statement,) = state_backscatter(compared, "EKF", SETTINGS)
    assert statement.met is False
    assert "undefined" in statement.detail


def test_leaves_at_stations_name_those_that_fail():
    truth = comparison({"OL": [1.0] * 4, "EKF": [0.5, 1.2, 2.0, 0.5]})
    statement = state_leaves_at_stations(truth, "EKF", CELLS, SETTINGS)
    assert (statement.value, statement.mark, statement.met) == (2, "all 3", False)
    assert "CDM 0.200" in statement.detail
    assert "LHS" not in statement.detail
    assert state_leaves_at_stations(truth, "EKF", Cells([43.0] * 4, [0.0] * 4), SETTINGS) is None


def test_summer_over_crops_compares_the_two_experiments():
    truth = comparison({"OL": [2.0] * 4, "EKF": [0.5, 0.7, 0.9, 9.0], "EKF_SWI_LAI": [1.0, 1.0, 0.7, 1.0]})
    summer = np.isin(TIME.astype("datetime64[M]").astype(int) % 12 + 1, (6, 7, 8))
    truth.runs["EKF"][~summer] += 50.0
    every, stations = state_leaves_in_summer(truth, "EKF", "EKF_SWI_LAI", CELLS, SETTINGS)
    assert every.value == pytest.approx((-0.5 - 0.3 + 0.2) / 3)
    assert every.met
    assert "closer in 2 of 3 cells" in every.detail
    assert stations.value == pytest.approx(-0.4)
    assert stations.met is None
    assert stations.high == pytest.approx(-0.4)
    assert only_summer(truth).time.size == 2 * 92


def test_summer_needs_crops():
    truth = comparison({"OL": [2.0] * 4, "EKF": [0.5] * 4, "EKF_SWI_LAI": [1.0] * 4})
    forest = Cells(CELLS.latitude, CELLS.longitude, CELLS.station, ["forest"] * 4)
    assert state_leaves_in_summer(truth, "EKF", "EKF_SWI_LAI", forest, SETTINGS) == []


def test_months_count_by_their_median():
    columns = {f"{name}{end}": [0.01, -0.02, -0.001] for name in (MEDIAN_DIFFERENCE, MEAN_DIFFERENCE)
               for end in ("", " low", " high")}  # fmt: skip
    columns[f"{MEDIAN_DIFFERENCE} high"] = [0.02, -0.01, 0.01]
    monthly = pd.DataFrame({"month": ["Jan", "Feb", "Mar"], "run": "EKF", **columns})
    statement = state_months(monthly, "EKF")
    assert (statement.value, statement.met) == (2, False)
    assert "Feb −0.020" in statement.detail
    assert "of the medians in 1" in statement.detail
    assert "station and year in 2" in statement.detail
    assert state_months(monthly.assign(run="other"), "EKF") is None
    assert state_months(monthly.iloc[:1], "EKF").met


def test_differences_of_cells_and_their_mean():
    truth = comparison({"OL": [1.0] * 4, "EKF": [0.5, 1.5, 0.8, 1.0]})
    value, low, high = rmsd_differences(truth, "EKF", "OL", SETTINGS)
    np.testing.assert_allclose(value, [-0.5, 0.5, -0.2, 0.0], atol=1e-12)
    np.testing.assert_allclose(low, high, atol=1e-9)
    mean, *_ = rmsd_differences(truth, "EKF", "OL", SETTINGS, mean=True)
    assert mean[0] == pytest.approx(-0.05)


def test_table_says_pass_and_fail():
    truth = comparison({"OL": [1.0] * 4, "EKF forecast": [0.5] * 4, "EKF": [0.5, 1.2, 2.0, 0.5]})
    table = statement_table(state_backscatter(truth, "EKF", SETTINGS))
    assert list(table["result"]) == ["fail", ""]
    assert list(table["value"]) == [2, 4]
