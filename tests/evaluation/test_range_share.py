"""LAI above the training range, counted on a run whose LAI is set by hand."""

import numpy as np
import pytest
import xarray as xr

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.range_share import largest_trained, state_above_range
from dalearn.evaluation.run_data import RunData

TIME = np.datetime64("2015-05-30T09", "s") + np.arange(4) * np.timedelta64(1, "D")
CELLS = Cells([43.0, 43.0, 43.0], [0.0, 0.5, 1.0], ["CDM", "", "SBR"], ["crops", "crops", "forest"])


def write_operator(path):
    dataset = xr.Dataset(
        {"predictor_maximum": (("cell", "predictor"), np.array([[0.4, 3.0], [0.4, 5.0], [0.4, 1.0]]))},
        coords={"predictor": ["WG2", "LAI"]},
    )
    dataset.to_netcdf(path)
    return path


def make_run(leaves, observed):
    shape = ("experiment", "time", "cell")
    analysis = xr.Dataset(
        {"LAI_forecast": (shape, np.array([leaves])), "sigma0_observed": (shape, np.array([observed]))},
        coords={"experiment": ["EKF"], "time": TIME.astype("datetime64[ns]")},
    )
    return RunData(None, TIME, 3, None, analysis, None)


def test_share_is_of_the_summer_windows_with_an_observation_over_crops(tmp_path):
    operator = write_operator(tmp_path / "operator.nc")
    np.testing.assert_array_equal(largest_trained(operator, "LAI"), [3.0, 5.0, 1.0])
    leaves = [[9.0, 9.0, 9.0], [9.0, 9.0, 9.0], [3.5, 4.0, 9.0], [2.5, 5.5, 9.0]]
    observed = [[-9.0, -9.0, -9.0]] * 3 + [[-9.0, np.nan, -9.0]]
    statement = state_above_range(make_run(leaves, observed), "EKF", operator, CELLS)
    assert statement.value == pytest.approx(100.0 / 3.0)
    assert statement.met is None
    assert "CDM 50." in statement.detail


def test_nothing_to_count(tmp_path):
    operator = write_operator(tmp_path / "operator.nc")
    run = make_run(np.full((4, 3), 9.0), np.full((4, 3), -9.0))
    forest = Cells(CELLS.latitude, CELLS.longitude, vegetation_class=["forest"] * 3)
    assert state_above_range(run, "EKF", operator, forest) is None
    assert state_above_range(run, "EKF", tmp_path / "none.nc", CELLS) is None
    run = make_run(np.full((4, 3), 9.0), np.full((4, 3), np.nan))
    assert state_above_range(run, "EKF", operator, CELLS) is None
    xr.Dataset(attrs={"operator": "linear"}).to_netcdf(tmp_path / "other.nc")
    assert largest_trained(tmp_path / "other.nc", "LAI") is None
