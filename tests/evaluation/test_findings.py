"""What the paper reports, beside runs whose scores are known by hand."""

import numpy as np
import pandas as pd
import pytest

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import Comparison
from dalearn.evaluation.findings import (
    class_means,
    find_backscatter,
    find_drivers,
    find_leaves,
    find_months,
    find_test_rmsd,
    find_wetness,
    findings_table,
)
from dalearn.evaluation.monthly_table import MEDIAN_DIFFERENCE
from dalearn.evaluation.neutralised import ALL, NeutralisedTest
from dalearn.evaluation.operator_test import OperatorTest
from dalearn.evaluation.published import PUBLISHED, beside_published

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


def neutralised(errors):
    return NeutralisedTest(
        "test", "sigma0", "dB", TIME, np.zeros((730, 4)), {name: SIGN * np.array(e) for name, e in errors.items()}
    )


def test_order_of_the_drivers():
    errors = {ALL: [0.3] * 4, "WG2": [0.9] * 4, "LAI": [0.7, 0.7, 0.7, 0.4], "TG2": [0.35] * 4}
    order, crops = find_drivers(neutralised(errors), CELLS, 20)
    assert order.shown
    assert crops.shown
    assert "crops 0.400, forest 0.100 dB" in crops.this_run
    order, _ = find_drivers(neutralised({**errors, "TG2": [0.8] * 4}), CELLS, 20)
    assert not order.shown
    assert find_drivers(neutralised({ALL: [0.3] * 4, "WG2": [0.9] * 4}), CELLS, 20) == []


def test_shares_of_the_test_rmsd():
    test = OperatorTest("sigma0", "dB", TIME, np.zeros((730, 4)), {"network": SIGN * np.array([0.2, 0.35, 0.38, 0.5])})
    (finding,) = find_test_rmsd(test, 20)
    assert finding.this_run == "0.3 to 0.4 dB in 50 % of the cells, above in 25 % of the cells"
    assert finding.shown is None
    assert find_test_rmsd(OperatorTest("SSM", "1", TIME, test.observed, test.predictions), 20) == []


def test_backscatter_of_the_stations_and_of_all_cells():
    errors = {"OL": [1.0] * 4, "EKF": [0.3, 0.35, 0.5, 0.9]}
    found = {finding.item + finding.paper[:3]: finding for finding in
             find_backscatter(comparison(errors, "sigma0", "dB"), "EKF", CELLS, 20)}  # fmt: skip
    assert found["Figure 5ahar"].this_run == "EKF: 50 % of the cells, open loop: 100 % of the cells"
    assert found["Figure 5bRMS"].this_run == "4 of 4"
    assert found["Figure 5bRMS"].shown
    assert found["Figure 5blar"].shown
    assert found["Table 3RMS"].shown
    errors["EKF"][3] = 1.1
    found = {finding.item + finding.paper[:3]: finding for finding in
             find_backscatter(comparison(errors, "sigma0", "dB"), "EKF", CELLS, 20)}  # fmt: skip
    assert not found["Table 3RMS"].shown
    assert found["Table 3RMS"].this_run.startswith("RMSD lower at 2 of 3")


def test_leaves_have_a_summer_bias():
    reference = np.cos(np.arange(730.0) / 40)[:, None] + np.zeros((730, 4))
    bias = {"OL": 1.5, "EKF": 0.1, "EKF_SWI_LAI": 0.6}
    runs = {name: reference + value for name, value in bias.items()}
    leaves = Comparison("LAI", "m2 m-2", "LAI observations", TIME, reference, runs)
    found = {finding.item: finding for finding in find_leaves(leaves, "EKF", "EKF_SWI_LAI", CELLS, 20)}
    assert found["Figure 7"].shown
    assert "OL 1.50, EKF 0.100, EKF_SWI_LAI 0.600 m² m⁻²" in found["Figure 7"].this_run
    runs["EKF"] = reference - 0.7
    found = {finding.item: finding for finding in find_leaves(leaves, "EKF", "EKF_SWI_LAI", CELLS, 20)}
    assert not found["Figure 7"].shown
    assert found["Figure 6b"]


def test_wetness_counts_the_cells_with_a_larger_correlation():
    generator = np.random.default_rng(0)
    reference, noise = generator.standard_normal((2, 730, 4))
    runs = {"OL": reference + noise, "EKF": reference + noise * np.array([0.5, 0.5, 0.5, 2.0])}
    wetness = Comparison("SSM", "m3 m-3", "satellite", TIME, reference, runs, True)
    (finding,) = find_wetness(wetness, "EKF", 20)
    assert finding.this_run.startswith("3 of 4")
    assert finding.shown


def test_months_that_are_lost_are_named():
    rows = [
        {"month": month, "run": run, "median R": value, "25 % R": value - 0.1, MEDIAN_DIFFERENCE: 0.0}
        for run, values in {"OL": [0.5, 0.5], "EKF": [0.6, 0.4], "EKF_SWI_LAI": [0.55, 0.3]}.items()
        for month, value in zip(("Jan", "Feb"), values, strict=True)
    ]
    medians, quartiles = find_months(pd.DataFrame(rows), "EKF", "EKF_SWI_LAI")
    assert medians.this_run == "EKF above OL and EKF_SWI_LAI in 1 of 2 months (not in Feb)"
    assert not medians.shown
    assert not quartiles.shown
    assert find_months(pd.DataFrame(rows), "other", "") == []


def test_class_means_leave_out_what_is_not_there():
    means = class_means(np.array([1.0, 3.0, np.nan, 5.0]), CELLS)
    assert means == {"crops": 2.0, "forest": 5.0}


def test_findings_are_yes_no_or_open():
    test = OperatorTest("sigma0", "dB", TIME, np.zeros((730, 4)), {"network": SIGN * np.full(4, 0.35)})
    table = findings_table(find_test_rmsd(test, 20))
    assert list(table.columns) == ["item", "paper", "this run", "shown here"]
    assert list(table["shown here"]) == [""]


def test_published_stations_from_west_to_east_beside_those_of_the_run():
    errors = {"OL": [1.0, 0.8, 1.0, 0.6], "EKF": [0.3] * 4}
    table = beside_published(comparison(errors, "sigma0", "dB"), "EKF", CELLS, 20)
    assert list(table["station"]) == ["CDM", "LHS", "SBR"]
    assert list(table["OL RMSD (dB), paper"]) == [1.78, 1.62, 0.45]
    np.testing.assert_allclose(table["OL RMSD (dB), here"], [0.8, 1.0, 0.6])
    assert list(table["EKF R, paper"]) == [0.90, 0.93, 0.86]
    assert beside_published(comparison(errors, "SSM", "m3 m-3"), "EKF", CELLS, 20) is None
    assert beside_published(comparison(errors, "sigma0", "1"), "EKF", CELLS, 20) is None
    nowhere = Cells(CELLS.latitude, CELLS.longitude, ["X", "", "", ""])
    assert beside_published(comparison(errors, "sigma0", "dB"), "EKF", nowhere, 20) is None


@pytest.mark.parametrize(("quantity", "column", "bold"), [("sigma0", 0, 5), ("LAI", 1, 4)])
def test_published_numbers_agree_with_the_differences_of_the_paper(quantity, column, bold):
    """Tables 3 and 4 print the differences too; five and four stations are below -0.5."""
    differences = {name: row[1] - row[0] for name, row in PUBLISHED[quantity].items()}
    assert len(differences) == 12
    assert sum(value < -0.5 for value in differences.values()) == bold
    expected = {"CDM": (-1.44, -0.55), "SFL": (-1.96, -0.76), "PRD": (-0.67, -0.46), "SVN": (-0.22, -0.08)}
    for name, printed in expected.items():
        assert differences[name] == pytest.approx(printed[column], abs=0.0101)
