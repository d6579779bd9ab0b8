"""The study of lasting increments: its season, its scores and the program."""

import csv
import json
import runpy
import subprocess
import sys

import numpy as np
import pytest
import torch

from dalearn.experiments.increment_runs import LASTING, OPEN_LOOP, SODA, SeasonRun
from dalearn.experiments.increment_scores import periods, score_season, score_table
from dalearn.experiments.increment_season import SeasonSettings, crop_cells, tile_grid
from dalearn.grid import Grid
from dalearn.twin.build import twin_surface
from dalearn.twin.settings import TwinSettings


def test_the_season_is_long_enough_and_over_crops():
    settings = SeasonSettings()
    assert settings.days >= 120
    assert settings.noise_seeds == 10
    assert (settings.lai_interval, settings.ssm_interval) == (10, 2)
    chosen = twin_surface(TwinSettings(cells=crop_cells(settings)))
    assert chosen.cell_count >= 10
    assert (chosen.cover("C3", "C4") >= 0.5).all()
    assert (chosen.cover("C4") > 0.0).sum() >= 3
    assert settings.ends[0] == np.datetime64("2015-03-02T09:00")
    assert settings.ends[-1] == np.datetime64("2015-08-01T09:00")
    assert len(crop_cells(SeasonSettings(largest_count=3))) == 3


def test_copies_of_a_grid_do_not_mix():
    grid = Grid(
        latitude=np.array([43.0, 44.0]),
        longitude=np.array([0.0, 1.0]),
        cell_of_column=torch.tensor([0, 0, 1]),
        patch_of_column=torch.tensor([7, 10, 8]),
        fraction=torch.tensor([0.6, 0.4, 1.0], dtype=torch.float64),
    )
    values = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    tiled = tile_grid(grid, 3)
    means = tiled.cell_mean(torch.cat([values, 10 * values, 100 * values]))
    torch.testing.assert_close(means, torch.tensor([1.4, 3.0, 14.0, 30.0, 140.0, 300.0], dtype=torch.float64))


def season_run(values):
    """A run whose analyses are ``values`` (window, seed, place) and whose forecasts are 1 above."""
    analysis = {"LAI": values, "root zone": 0.1 * values}
    forecast = {name: of_one + 1.0 for name, of_one in analysis.items()}
    observed = np.where(np.arange(len(values))[:, None, None] == 1, values, np.nan)
    return SeasonRun(forecast, analysis, lai_increment=observed, lai_chi_square=observed**2, limit_hits={})


def test_scores_are_means_of_the_rmse_of_cells_and_seeds():
    ends = np.datetime64("2015-03-31T09:00", "s") + np.arange(4) * np.timedelta64(86400, "s")
    assert list(periods(ends)) == ["season", "2015-03", "2015-04"]
    shape = len(ends), 2, 3
    truth = {name: np.zeros((len(ends), 1, 3)) for name in ("LAI", "root zone")}
    soda = np.ones(shape)
    lasting = np.full(shape, 0.5)
    lasting[:, :, 2] = -2.0
    runs = {OPEN_LOOP: season_run(np.full(shape, 3.0)), SODA: season_run(soda), LASTING: season_run(lasting)}
    scores = {(row.state, row.variable, row.period): row for row in score_season(3, ends, runs, truth)}
    row = scores["analysis", "LAI", "season"]
    assert (row.open_loop, row.soda, row.lasting) == pytest.approx((3.0, 1.0, 1.0))
    assert (row.soda_bias, row.lasting_bias) == pytest.approx((1.0, -1.0 / 3.0))
    assert row.difference == pytest.approx(0.0, abs=1e-12)
    assert row.lower < -0.2 < 0.2 < row.upper
    assert (row.soda_chi_square, row.lasting_chi_square) == pytest.approx((1.0, 1.5))
    assert np.isnan(scores["analysis", "root zone", "season"].soda_chi_square)
    assert np.isnan(scores["analysis", "LAI", "2015-04"].soda_chi_square)
    assert row.better == pytest.approx(2.0 / 3.0)
    assert scores["forecast", "LAI", "2015-04"].soda == pytest.approx(2.0)
    assert scores["analysis", "root zone", "2015-03"].open_loop == pytest.approx(0.3)
    assert score_table(list(scores.values())).count("\n") == 1 + 6


@pytest.mark.slow
def test_the_program_runs(tmp_path, repository):
    """Eagerly, two cells and eleven days; the filters differ from the open loop and from each other."""
    program = str(repository / "train" / "increment_study.py")
    command = [sys.executable, program, "--output", str(tmp_path / "study"), "--quick", "true", "--compile", "false"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "| 3 | LAI m2 m-2 | season |" in finished.stdout
    with (tmp_path / "study" / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 * 2
    of_run = {
        label: np.array([float(row["LAI"]) for row in rows if row["run"] == label])
        for label in (OPEN_LOOP, SODA, LASTING)
    }
    assert (of_run[OPEN_LOOP][:2] == of_run[OPEN_LOOP][2:]).all(), "the open loop knows no noise"
    assert (of_run[SODA] != of_run[OPEN_LOOP]).all()
    assert (of_run[SODA] != of_run[LASTING]).all()
    study = json.loads((tmp_path / "study" / "study.json").read_text())
    increments = study["increments"]["3"]
    assert increments[LASTING]["lai_increment"] > 1.1 * increments[SODA]["lai_increment"]
    assert (tmp_path / "study" / "season.png").stat().st_size > 10_000


def test_bad_settings_are_one_line_and_exit_code_2(tmp_path, repository, monkeypatch, capsys):
    program = str(repository / "train" / "increment_study.py")
    output = tmp_path / "study"
    monkeypatch.setattr(sys, "argv", [program, "--output", str(output), "--settings.noise_seeds", "0"])
    with pytest.raises(SystemExit) as finished:
        runpy.run_path(program, run_name="__main__")
    assert finished.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "noise seed" in line
    assert not output.exists()
