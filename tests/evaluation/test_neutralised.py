"""Figure 3 on predictions whose errors are known by hand."""

import numpy as np
import pytest

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.neutralised import (
    ALL,
    NeutralisedTest,
    cell_table,
    increase_of_rmsd,
    sensitivity_panels,
    sensitivity_table,
)
from dalearn.evaluation.table_parts import ScoreSettings

SETTINGS = ScoreSettings(minimum_count=4, resamples=50)
CELLS = Cells([43.0, 43.0, 43.25], [0.0, 0.25, 0.0], vegetation_class=["crops", "crops", "forest"])


@pytest.fixture
def period() -> NeutralisedTest:
    """Errors of +-e around the observations: e = 1 dB with all predictors, 3, 2 and 1.5 dB without one."""
    time = np.datetime64("2015-01-01", "s") + np.arange(40) * np.timedelta64(86400, "s")
    observed = np.sin(np.arange(40.0))[:, None] * np.array([1.0, 2.0, 3.0])
    sign = np.where(np.arange(40) % 2, 1.0, -1.0)[:, None]
    errors = {ALL: [1.0, 1.0, 1.0], "TG2": [1.5, 1.5, 0.5], "WG2": [3.0, 2.0, 3.0], "LAI": [2.0, 4.0, 2.0]}
    predictions = {name: observed + sign * np.array(error) for name, error in errors.items()}
    observed = observed.copy()
    observed[5, 0] = np.nan
    return NeutralisedTest("test", "sigma0", "dB", time, observed, predictions)


def test_increase_is_the_difference_of_the_rmsd(period):
    increase = increase_of_rmsd(period, 4)
    assert list(increase) == ["WG2", "LAI", "TG2"]
    np.testing.assert_allclose(increase["WG2"], [2.0, 1.0, 2.0])
    np.testing.assert_allclose(increase["LAI"], [1.0, 3.0, 1.0])
    np.testing.assert_allclose(increase["TG2"], [0.5, 0.5, -0.5])


def test_table_has_means_by_class_and_the_cells_where_a_predictor_matters_most(period):
    table = sensitivity_table(period, CELLS, SETTINGS).set_index(["predictor", "vegetation class"])
    assert table.loc[("LAI", "crops"), "RMSD difference (dB)"] == pytest.approx(2.0)
    assert table.loc[("LAI", "all"), "RMSD difference (dB)"] == pytest.approx(5.0 / 3.0)
    assert table.loc[("WG2", "crops"), "RMSD, neutralised (dB)"] == pytest.approx(2.5)
    assert table.loc[("WG2", "all"), "cells where it matters most"] == 2
    assert table.loc[("LAI", "all"), "cells where it matters most"] == 1
    assert table.loc[("TG2", "all"), "number"] == 119
    assert table.loc[("WG2", "all"), "RMSD difference (dB) low"] == pytest.approx(5.0 / 3.0)


def test_cells_without_samples_are_left_out(period):
    period.observed[:, 2] = np.nan
    table = sensitivity_table(period, CELLS, SETTINGS).set_index(["predictor", "vegetation class"])
    assert table.loc[("WG2", "forest"), "cells"] == 0
    assert np.isnan(table.loc[("WG2", "forest"), "RMSD difference (dB)"])
    assert table.loc[("WG2", "all"), "cells where it matters most"] == 1
    assert np.isnan(cell_table(period, CELLS, 4)["RMSD difference, LAI"][2])


def test_maps_share_colours_from_zero_in_the_order_of_the_paper(period):
    panels = sensitivity_panels(period, 4)
    assert [panel.title for panel in panels] == [
        "a) surface soil moisture", "b) leaf area index", "c) surface soil temperature"
    ]  # fmt: skip
    assert {panel.span for panel in panels} == {(0.0, 3.0)}


def test_maps_without_any_score(period):
    period.observed[:] = np.nan
    assert {panel.span for panel in sensitivity_panels(period, 4)} == {None}
