"""Consistency of errors: known truth, B and R, and the analysis step of the filter itself."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from dalearn.assimilation.filter import analyse, innovation_variance, mask_missing, solve_cells
from dalearn.evaluation.bootstrap import bootstrap_ratio
from dalearn.evaluation.consistency import (
    CHI_SQUARE,
    LEFT_OUT,
    SIGNAL,
    SIGNAL_PER_OBSERVATION,
    ratio_with_interval,
    successive,
)
from dalearn.evaluation.filter_tables import filter_diagnostics, monthly_diagnostics
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.table_parts import ScoreSettings

WINDOWS, CELLS = 400, 12
QUANTITIES = ("sigma0", "SSM", "LAI")
SLOPES = torch.tensor([[14.0, 0.0, 0.35], [1.0, 0.2, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
B = torch.tensor([0.03, 0.02, 0.5], dtype=torch.float64) ** 2
R = torch.tensor([0.33, 0.03, 0.6], dtype=torch.float64) ** 2
TIME = np.datetime64("2015-01-01T09", "s") + np.arange(WINDOWS) * np.timedelta64(86400, "s")
SETTINGS = ScoreSettings(resamples=200)


def linear_run(rows=QUANTITIES, given_R=1.0, given_B=1.0, present=0.6, seed=0):
    """A run of the linear filter with true errors B and R, in the form of analysis.nc.

    The filter is given its B and R times the factors; any subset of the observations is missing at any time.
    """
    random = torch.Generator().manual_seed(seed)
    chosen = [QUANTITIES.index(row) for row in rows]
    count = WINDOWS * CELLS

    def noise(n):
        return torch.randn(n, count, generator=random, dtype=torch.float64)

    H = SLOPES[chosen].unsqueeze(-1).expand(len(rows), 3, count)
    error = B.sqrt().unsqueeze(-1) * noise(3)
    departure = R[chosen].sqrt().unsqueeze(-1) * noise(len(rows)) - torch.einsum("kic,ic->kc", H, error)
    used = torch.rand(len(rows), count, generator=random) < present
    used_B = given_B * B.unsqueeze(-1).expand(3, count)
    used_R = given_R * R[chosen].unsqueeze(-1).expand(len(rows), count)
    expected = innovation_variance(H, used_B, used_R)
    d, masked_H, masked_R = mask_missing(used, departure, H, used_R)
    analysis = analyse(d, masked_H, used_B, masked_R)
    change = torch.einsum("kic,ic->kc", H, analysis.increment)
    chi_square = (d * solve_cells(analysis.innovation_covariance, d.unsqueeze(1))[:, 0]).sum(dim=0)
    signal = (masked_H * analysis.gain).sum(dim=1)

    def field(values, known):
        return torch.where(known, values, torch.nan).reshape(1, WINDOWS, CELLS).numpy()

    dimensions = ("experiment", "time", "cell")
    variables = {"chi_square": (dimensions, field(chi_square, used.any(dim=0)))}
    for k, row in enumerate(rows):
        columns = {
            "observed": departure[k], "departure": departure[k], "model_analysis": change[k],
            "expected_deviation": expected[k].sqrt(), "observation_deviation": used_R[k].sqrt(), "signal": signal[k],
        }  # fmt: skip
        variables |= {f"{row}_{name}": (dimensions, field(values, used[k])) for name, values in columns.items()}
        flag = torch.where(used[k], 0.0, 1.0).reshape(1, WINDOWS, CELLS).numpy()
        variables[f"{row}_rejected"] = (dimensions, flag)
    dataset = xr.Dataset(variables, coords={"experiment": ["EKF"]})
    return RunData(Path("run"), TIME, CELLS, None, dataset, None), (masked_H, masked_R, used_B, used)


def diagnostics(*rows, **changes):
    run, _ = linear_run(*([rows] if rows else []), **changes)
    return filter_diagnostics(run, rows or QUANTITIES, SETTINGS).set_index("quantity")


def test_the_right_errors_give_ratios_of_one():
    table = diagnostics()
    assert list(table.index) == [*QUANTITIES, "all"]
    types = table.loc[list(QUANTITIES)]
    for name in ("observation error ratio", "background error ratio", "departure size ratio"):
        assert np.abs(types[name] - 1).max() < 0.06, name
        # the interval is no wider than what it is for: some 3000 independent observations
        assert ((types[f"{name} high"] - types[f"{name} low"]) < 0.25).all()
    assert np.abs(table[CHI_SQUARE] - 1).max() < 0.06
    assert (table[f"{CHI_SQUARE} low"] < table[CHI_SQUARE]).all()
    assert (table[CHI_SQUARE] < table[f"{CHI_SQUARE} high"]).all()
    assert np.abs(types["departure autocorrelation"]).max() < 0.06
    used = torch.sqrt(R).numpy()
    assert types["observation error used"].to_numpy() == pytest.approx(used)
    assert types["observation error diagnosed"].to_numpy() == pytest.approx(used, rel=0.06)


@pytest.mark.parametrize(("given_R", "given_B"), [(4.0, 1.0), (0.25, 1.0), (1.0, 4.0), (1.0, 0.25)])
def test_wrong_errors_move_the_ratios_as_theory_says(given_R, given_B):
    """One observation: E[d_oa d_ob] / R and E[d_ab d_ob] / H B H^T are both S_true / S_used."""
    for row in QUANTITIES:
        table = diagnostics(row, given_R=given_R, given_B=given_B).loc[row]
        k = QUANTITIES.index(row)
        of_state = (SLOPES[k] ** 2 * B).sum()
        expected = float((of_state + R[k]) / (given_B * of_state + given_R * R[k]))
        assert (expected < 1) == (given_R * given_B > 1)
        for name in ("observation error ratio", "background error ratio", "departure size ratio"):
            assert table[name] == pytest.approx(np.sqrt(expected), rel=0.05)
            assert (table[f"{name} high"] < 1) == (expected < 1)
            assert (table[f"{name} low"] > 1) == (expected > 1)
        assert table[CHI_SQUARE] == pytest.approx(expected, rel=0.1)
        assert (table[f"{CHI_SQUARE} high"] < 1) == (expected < 1)
        assert (table[f"{CHI_SQUARE} low"] > 1) == (expected > 1)


@pytest.mark.parametrize("factor", [4.0, 0.25])
def test_wrong_observation_errors_of_several_types_show_in_chi_square(factor):
    table = diagnostics(given_R=factor)
    assert ((table[CHI_SQUARE] < 1) == (factor > 1)).all()
    assert ((table.loc[list(QUANTITIES), "observation error ratio"] < 1) == (factor > 1)).all()


def test_signal_is_the_trace_of_the_influence_matrix():
    run, (H, used_R, used_B, used) = linear_run()
    table = filter_diagnostics(run, QUANTITIES, SETTINGS).set_index("quantity")
    total = np.zeros(3)
    for cell in range(H.shape[-1]):
        of_cell = used[:, cell].numpy()
        h = H[of_cell, :, cell].numpy()
        b, r = np.diag(used_B[:, cell].numpy()), np.diag(used_R[of_cell, cell].numpy())
        total[of_cell] += np.diag(h @ b @ h.T @ np.linalg.inv(h @ b @ h.T + r))
    assert table.loc[list(QUANTITIES), SIGNAL].to_numpy() == pytest.approx(total, rel=1e-9)
    assert table.loc["all", SIGNAL] == pytest.approx(total.sum(), rel=1e-9)
    assert table.loc["all", "number"] == int(used.sum())
    assert table.loc["all", SIGNAL_PER_OBSERVATION] == pytest.approx(total.sum() / int(used.sum()))
    monthly = monthly_diagnostics(run, QUANTITIES)
    assert monthly[SIGNAL].sum() == pytest.approx(total.sum(), rel=1e-9)
    assert monthly["number"].sum() == int(used.sum())
    assert sorted(monthly["month"].unique()) == list(range(1, 13))


def test_a_runaway_window_does_not_hide_the_others():
    run, _ = linear_run()
    before = filter_diagnostics(run, QUANTITIES, SETTINGS).set_index("quantity").loc["sigma0"]
    window, cell = np.argwhere(np.isfinite(run.analysis["sigma0_departure"].values[0]))[0]
    run.analysis["sigma0_expected_deviation"][0, window, cell] = 3000.0
    after = filter_diagnostics(run, QUANTITIES, SETTINGS).set_index("quantity").loc["sigma0"]
    assert before[LEFT_OUT] == 0
    assert after[LEFT_OUT] == 1
    for name in ("background error used", "background error diagnosed", "observation error diagnosed"):
        assert after[name] == pytest.approx(before[name], rel=5e-3), name


def test_a_quantity_that_is_never_there_has_no_row():
    run, _ = linear_run()
    for name in list(run.analysis):
        if name.startswith("SSM"):
            run.analysis[name][:] = np.nan
    table = filter_diagnostics(run, QUANTITIES, SETTINGS)
    assert list(table["quantity"]) == ["sigma0", "LAI", "all"]


def test_autocorrelation_joins_each_departure_with_the_next_one():
    random = np.random.default_rng(0)
    series = np.empty((3000, 4))
    series[0] = random.standard_normal(4)
    for step in range(1, 3000):
        series[step] = 0.7 * series[step - 1] + np.sqrt(1 - 0.49) * random.standard_normal(4)
    dense = ratio_with_interval("r", *successive(series + 5.0), np.arange(3000).astype("datetime64[D]"), SETTINGS)
    assert dense["r"] == pytest.approx(0.7, abs=0.03)
    assert dense["r low"] < 0.7 < dense["r high"]
    sparse = np.full((6000, 4), np.nan)
    sparse[::2] = series  # gaps change nothing
    product, square = successive(sparse)
    assert np.nansum(product) / np.nansum(square) == pytest.approx(
        np.nansum(successive(series)[0]) / np.nansum(successive(series)[1])
    )
    assert np.isfinite(product).sum() == np.isfinite(square).sum() == 2999 * 4
    product, _ = successive(np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, 2.0]]))
    np.testing.assert_allclose(product, [[-1.0, np.nan], [np.nan, np.nan], [np.nan, np.nan]])


def test_ratio_replicates_are_ratios_of_resampled_sums():
    random = np.random.default_rng(1)
    above, below = random.standard_normal((2, 50, 3)) ** 2
    above[::3, 1] = np.nan
    time = np.arange(50).astype("datetime64[D]")
    assert bootstrap_ratio(below, below, time, block=5, resamples=20) == pytest.approx(np.ones(20))
    twice = bootstrap_ratio(2 * above, below, time, block=5, resamples=20)
    assert twice == pytest.approx(2 * bootstrap_ratio(above, below, time, block=5, resamples=20))
    assert twice.std() > 0
    assert np.isnan(bootstrap_ratio(above * np.nan, below, time, resamples=3)).all()


def test_the_interval_of_a_ratio_covers_the_truth():
    random = np.random.default_rng(2)
    time = np.arange(200).astype("datetime64[D]")
    settings = ScoreSettings(resamples=200, block_days=5)
    covered = 0
    for _ in range(200):
        square = random.standard_normal((200, 2)) ** 2
        result = ratio_with_interval("chi", square, np.ones_like(square), time, settings)
        covered += result["chi low"] < 1.0 < result["chi high"]
    assert 0.87 <= covered / 200 <= 0.99


def test_few_windows_have_a_value_and_no_interval():
    result = ratio_with_interval("x", np.ones((5, 1)), np.full((5, 1), 4.0), TIME[:5], SETTINGS, root=True)
    assert result["x"] == 0.5
    assert np.isnan(result["x low"])
