"""What is left of an LAI increment after 24 hours, against the numbers of the real SODA."""

import numpy as np
import pytest
import torch
import xarray as xr

from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.jacobian import window_jacobian
from dalearn.experiments.parity_filter import create_operators
from dalearn.experiments.retained_increments import retained_increments
from dalearn.experiments.soda_case import read_soda_case


@pytest.mark.parametrize("name", ["A_0501", "B_0501", "B_0220"])
def test_soda_windows(shared, name):
    """SODA's own rule gives the shares of SODA's stored forecasts; with the structure nearly all is kept."""
    path = shared / "reference" / "soda" / f"{name}.nc"
    with xr.open_dataset(path) as dataset:
        difference = (dataset.post_LAI.sel(exp="lai") - dataset.post_LAI.sel(exp="none")).values
        increment = dataset.exp_incr.sel(exp="lai", cv="LAI").values
    vegetated = np.isfinite(difference)
    soda = retained_increments(path, "unchanged")
    np.testing.assert_allclose([row.share for row in soda], (difference / increment)[vegetated], rtol=2e-3)
    np.testing.assert_allclose([row.increment for row in soda], increment[vegetated], rtol=2e-3)
    lasting = retained_increments(path, "with_leaves", leaf_biomass="model")
    shares = np.array([row.share for row in lasting])
    assert ((shares > 0.93) & (shares < 1.0)).all()
    if name.endswith("0501"):
        assert max(row.share for row in soda) < 0.45
        assert all(0.95 < row.sensitivity < 1.05 for row in lasting)


@torch.no_grad()
def test_a_year_of_windows(shared):
    """37 dates over a year of a C3 crop: where SODA's dLAI/dLAI is far below 1, that with structure is not."""
    case = read_soda_case(shared / "reference" / "soda" / "scan_A.nc")
    windows, operators = case.windows, create_operators(case, case.windows)
    kept = {}
    for rule in ("unchanged", "with_leaves"):
        control = ControlVector(structural_biomass=rule)
        linear = window_jacobian(windows.model, windows.grid, windows.state, windows.forcing, operators, control)
        kept[rule] = linear.jacobian[case.observed.index("LAI"), 0]
    lost = kept["unchanged"] < 0.7
    assert 12 <= lost.sum() <= 25
    assert (kept["with_leaves"] > 0.9).all()
    assert (kept["with_leaves"] < 1.05).all()
    torch.testing.assert_close(kept["with_leaves"][~lost], kept["unchanged"][~lost], atol=2e-3, rtol=0.0)
