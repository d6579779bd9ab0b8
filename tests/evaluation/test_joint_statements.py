"""Statements on soil moisture and LAI assimilated together: met, and not met where the numbers say so."""

import numpy as np
import pytest

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.joint_findings import find_contrast
from dalearn.evaluation.joint_statements import (
    land_use_table,
    score_differences,
    state_agreement,
    state_root_zone,
    state_truth,
)
from dalearn.evaluation.roles import JointRoles
from dalearn.evaluation.root_zone_change import RootZoneChange, deviation_replicates
from dalearn.evaluation.table_parts import ScoreSettings
from dalearn.evaluation.year_contrast import YearContrast

ROLES = JointRoles("SSM", "LAI", "both")
SETTINGS = ScoreSettings(resamples=60)
USES = ["flooded", "sprinkled", "karst", "rain-fed"]
CELLS = Cells([43.0, 43.1, 43.2, 43.3], [4.0, 4.1, 4.2, 4.3], land_use=USES)
TIME = np.datetime64("2018-01-01T18", "s") + np.arange(300) * np.timedelta64(86400, "s")


def changes(moisture, leaves, both):
    """Constant sizes of the change of WG5 over irrigated cells; a tenth of them elsewhere."""
    place = np.array([1.0, 1.0, 0.1, 0.1]) * np.ones((300, 1))
    return RootZoneChange(TIME, {"SSM": moisture * place, "LAI": leaves * place, "both": both * place})


def test_both_together_move_the_root_zone_furthest():
    first, second, *summer, third = state_root_zone(changes(0.001, 0.01, 0.012), ROLES, CELLS, SETTINGS)
    assert [statement.met for statement in summer] == [None, None]
    assert summer[1].value == pytest.approx(0.002)
    assert (first.met, second.met, third.met) == (True, True, True)
    assert first.value == pytest.approx(0.011)
    assert second.value == pytest.approx(0.002)
    assert second.low == pytest.approx(0.002)
    assert third.value == pytest.approx(1 / 12)
    assert "flooded (1 cells): both 0.012" in first.detail


def test_not_met_where_one_alone_moves_it_further():
    first, second, *_, third = state_root_zone(changes(0.009, 0.015, 0.012), ROLES, CELLS, SETTINGS)
    assert (first.met, second.met, third.met) == (True, False, False)
    assert second.value == pytest.approx(-0.003)


def test_a_difference_within_the_noise_is_not_a_finding():
    generator = np.random.default_rng(5)
    both, alone = (0.01 + 0.001 * generator.standard_normal((len(TIME), 4)) for _ in range(2))
    both += 1e-6 - (both - alone)[:, :2].mean()  # above the other on average, by next to nothing
    change = RootZoneChange(TIME, {"SSM": 0.1 * both, "LAI": alone, "both": both})
    _, second, *_ = state_root_zone(change, ROLES, CELLS, SETTINGS)
    assert second.value > 0 > second.low
    assert second.met is False
    assert "not told apart" in second.detail


def test_truth_by_land_use():
    comparison, error = compared({"SSM": 0.9, "LAI": 1.0, "both": 0.5})
    table = land_use_table(comparison, ROLES, CELLS, SETTINGS).set_index("land use")
    assert list(table["cells"]) == [sum(use == name for use in CELLS.land_use) for name in table.index]
    cells = [cell for cell, use in enumerate(CELLS.land_use) if use == "flooded"]
    found = table.loc["flooded", "ubRMSD (m3 m-3), both − " + OPEN_LOOP]
    assert found == pytest.approx(-0.5 * error[:, cells].std(axis=0).mean())
    assert table.loc["flooded", "R, LAI − " + OPEN_LOOP] == pytest.approx(0.0, abs=1e-12)


def test_nothing_is_said_of_irrigated_cells_where_none_is_known():
    plain = Cells(CELLS.latitude, CELLS.longitude)
    statements = state_root_zone(changes(0.001, 0.01, 0.012), ROLES, plain, SETTINGS)
    assert len(statements) == 1
    assert "over all cells" in statements[0].statement


def test_summer_is_that_of_the_windows():
    """A change that is there in winter only does not count for June to August."""
    change = changes(0.001, 0.01, 0.012)
    july = change.time >= np.datetime64("2018-06-01")
    values = dict(change.change) | {"both": np.where(july[:, None], 0.0, change.change["both"])}
    _, whole, _, summer, _ = state_root_zone(RootZoneChange(TIME, values), ROLES, CELLS, SETTINGS)
    assert summer.value == pytest.approx(-0.01)
    assert whole.value > summer.value
    assert not change.only([]).time.size


def compared(shares, observed_noise=0.0):
    """Runs whose error over all cells is ``shares`` of one error series; a bias that ubRMSD and R must not see."""
    generator = np.random.default_rng(1)
    truth = 0.25 + 0.05 * generator.standard_normal((300, 4))
    error = 0.04 * generator.standard_normal((300, 4))
    runs = {OPEN_LOOP: truth + error} | {name: truth + share * error + 0.02 for name, share in shares.items()}
    observed = truth + observed_noise * generator.standard_normal((300, 4))
    return Comparison("SSM", "m3 m-3", "truth", TIME, observed, runs), error


def test_wetness_closer_to_the_truth():
    comparison, error = compared({"SSM": 0.9, "LAI": 1.0, "both": 0.5})
    statements = state_truth(comparison, ROLES, CELLS, SETTINGS)
    rise, fall = statements[:2]
    assert (rise.met, fall.met) == (True, True)
    assert fall.value == pytest.approx(-0.5 * error[:, :2].std(axis=0).mean())
    assert fall.low < fall.value < fall.high < 0
    assert [statement.met for statement in statements[2:]] == [None] * 4
    assert "2 of 2 cells" in rise.detail


def test_wetness_further_from_the_truth():
    comparison, _ = compared({"SSM": 0.9, "LAI": 1.0, "both": 1.3})
    rise, fall = state_truth(comparison, ROLES, CELLS, SETTINGS)[:2]
    assert (rise.met, fall.met) == (False, False)


def test_agreement_over_flooded_and_karst():
    better, _ = compared({"both": 0.5}, 0.01)
    flooded_r, flooded_spread, karst_r, karst_spread = state_agreement(better, "S1", ROLES, CELLS, SETTINGS)
    assert (flooded_r.met, flooded_spread.met) == (True, True)
    assert (karst_r.met, karst_spread.met) == (False, False)
    worse, _ = compared({"both": 1.2}, 0.01)
    assert [s.met for s in state_agreement(worse, "S1", ROLES, CELLS, SETTINGS)] == [False, False, True, True]
    neutral, _ = compared({"both": 1.0}, 0.01)
    assert [s.met for s in state_agreement(neutral, "S1", ROLES, CELLS, SETTINGS)] == [False, False, True, True]


def test_deviation_of_a_resample_is_that_of_its_samples():
    """Blocks of the whole period would give the deviation itself; a constant difference has none."""
    generator = np.random.default_rng(2)
    difference = 0.3 + 0.02 * generator.standard_normal((300, 2))
    difference[:, 1] = 0.3
    drawn = deviation_replicates(difference, TIME, ScoreSettings(resamples=400))
    assert drawn[:, 0].mean() == pytest.approx(difference[:, 0].std(), rel=0.02)
    np.testing.assert_allclose(drawn[:, 1], 0.0, atol=1e-8)
    assert np.isnan(deviation_replicates(np.full((300, 2), np.nan), TIME, SETTINGS)).all()


def test_score_differences_skip_cells_without_samples():
    comparison, _ = compared({"both": 0.5})
    comparison.observed[:, 1] = np.nan
    found = score_differences(comparison, "both", np.array([True, True, False, False]), SETTINGS)
    assert found["R"].cells == found["ubRMSD"].cells == 1
    assert np.isfinite(found["R"].low)


def test_findings_of_the_contrast():
    generator = np.random.default_rng(3)
    water = 0.01 * generator.standard_normal(200)
    noise = generator.standard_normal(200)
    change = {
        "WG5": {OPEN_LOOP: np.full(200, -0.05), "SSM": -0.05 + 0.1 * water, "LAI": -0.05 + water,
                "both": -0.05 + 1.2 * water},
        "LAI": {OPEN_LOOP: np.zeros(200), "SSM": noise, "LAI": -30.0 * water, "both": -30.0 * water + noise},
    }  # fmt: skip
    drier, effect, correlation = find_contrast(YearContrast(7, 2019, 2018, change), ROLES)
    assert (drier.shown, effect.shown, correlation.shown) == (True, True, True)
    assert "Jul 2019 − Jul 2018: WG5 lower in 100 %" in drier.this_run
    change["WG5"] = {name: values + 0.1 for name, values in change["WG5"].items()}
    change["WG5"]["SSM"] = 0.05 + 2.0 * water
    drier, effect, _ = find_contrast(YearContrast(7, 2019, 2018, change), ROLES)
    assert (drier.shown, effect.shown) == (False, False)
