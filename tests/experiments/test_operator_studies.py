"""The studies of architectures and operators on a run directory, as programs and piece by piece."""

import copy
import dataclasses
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from dalearn import io
from dalearn.assimilation.covariance import ObservationErrorSettings
from dalearn.errors import InputError
from dalearn.evaluation.table_parts import ScoreSettings
from dalearn.experiments.architecture_study import Architecture
from dalearn.experiments.config import load_config
from dalearn.experiments.operator_analyses import analyse_with, analysis_table, open_loop_states
from dalearn.experiments.operator_jacobians import jacobian_row, operator_derivatives
from dalearn.experiments.pipeline import Pipeline
from dalearn.experiments.study_run import Results, open_study
from dalearn.experiments.training import run_training
from dalearn.learning.collocation import Collocation
from dalearn.observations.files import write_observations
from dalearn.observations.observations import Observations
from dalearn.operators import create_operator, load_operator

from .conftest import CONFIG, LATITUDE, LONGITUDE

HOUR, DAYS = np.timedelta64(3600, "s"), 300
START = np.datetime64("2014-01-01T00:00", "s")
REFERENCE = "network per cell"


@pytest.fixture
def finished(tmp_path, rng):
    """A run directory as an open loop leaves it: 300 days of three cells whose signal is known."""
    directory = tmp_path / "run"
    (directory / "stages").mkdir(parents=True)
    time = START + np.arange(1, 24 * DAYS + 1) * HOUR
    season = np.sin(2 * np.pi * np.arange(24 * DAYS) / (24 * 100))[:, None]  # the training sees all of it
    wetness = np.cumsum(rng.normal(0.0, 0.2, (24 * DAYS, 3)), axis=0)
    fields = {
        "WG2": 0.25 - 0.05 * season + 0.05 * np.sin(wetness),
        "TG2": 287.0 + 8.0 * season + rng.normal(0.0, 1.0, (24 * DAYS, 3)),
        "LAI": 2.0 + 1.2 * season + np.zeros((24 * DAYS, 3)),
    }
    with io.TimeSeriesWriter(directory / "open_loop.nc", list(fields), LATITUDE, LONGITUDE) as writer:
        writer.append(time, fields)

    def observe(name, quantity, units, rows, values):
        count = len(rows)
        observations = Observations(
            quantity=quantity, units=units, time=np.repeat(time[rows], 3), cell=np.tile(np.arange(3), count),
            value=values.ravel(), error=np.full(3 * count, 0.3), latitude=LATITUDE, longitude=LONGITUDE,
        )  # fmt: skip
        write_observations(tmp_path / name, observations)

    rows = np.arange(8, 24 * DAYS, 12)
    signal = np.array([16.0, 14.0, 12.0]) * fields["WG2"] - np.array([0.4, 0.2, 0.1]) * fields["LAI"] - 12.0
    observe("sigma0.nc", "sigma0", "dB", rows, signal[rows] + 0.2 * rng.standard_normal((len(rows), 3)))
    rows = np.arange(9, 24 * DAYS, 240)
    observe("lai.nc", "LAI", "m2 m-2", rows, fields["LAI"][rows] * (1.0 + 0.05 * rng.standard_normal((len(rows), 3))))
    observe("in_situ.nc", "SSM", "m3 m-3", rows, fields["WG2"][rows])

    config = copy.deepcopy(CONFIG)
    config["open_loop"] = {"start": "2014-01-01", "end": "2014-10-28"}
    config["training"] |= {
        "start": "2014-01-01", "end": "2014-07-20", "test_start": "2014-07-20", "test_end": "2014-10-20",
        "leaf_area_index": "LAI", "settings": {"epochs": 4, "minimum_samples": 20},
    }  # fmt: skip
    config["assimilation"] |= {"start": "2014-07-20", "end": "2014-10-20"}
    for section in config["observations"]:
        section["path"] = str(tmp_path / section["path"])
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    for stage in ("inputs", "open_loop"):
        record = {"complete": True, "fingerprint": stage, "outputs": {}}
        (directory / "stages" / f"{stage}.json").write_text(json.dumps(record))
    return directory


def program(repository, name, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *(str(each) for each in arguments)])
    runpy.run_path(str(repository / "train" / f"{name}.py"), run_name="__main__")


def test_architectures_from_a_run_to_tables_and_figure(finished, repository, monkeypatch, caplog):
    arguments = (finished, "--neurons", "[5, 40]")
    program(repository, "architecture_study", monkeypatch, *arguments)
    table = pd.read_csv(finished / "tables" / "architecture_study.csv")
    assert table["architecture"].tolist() == ["1 x 5", "1 x 40", "2 x 5", "2 x 40"]
    assert table["weights per cell"].tolist() == [26, 201, 56, 1841]
    reference = table[table["architecture"] == "1 x 40"]
    assert reference["RMSD - 1 x 40 (dB)"].item() == 0.0
    assert (table["RMSD (dB) minimum"] <= table["RMSD (dB) median"]).all()
    assert (table["RMSD (dB) median"] <= table["RMSD (dB) maximum"]).all()
    cells = pd.read_csv(finished / "tables" / "architecture_study_cells.csv")
    of_reference = cells[cells["architecture"] == "1 x 40"]
    assert len(of_reference) == 3
    assert reference["RMSD (dB) median"].item() == pytest.approx(of_reference["RMSD (dB)"].median(), rel=1e-4)
    assert (finished / "figures" / "architecture_study.png").stat().st_size > 10_000

    kept = finished / "studies" / "architectures" / "1x5.npz"
    before = {path.name: path.stat().st_mtime_ns for path in kept.parent.iterdir()}
    (kept.parent / "2x5.npz").unlink()
    program(repository, "architecture_study", monkeypatch, *arguments)
    after = {path.name: path.stat().st_mtime_ns for path in kept.parent.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"2x5.npz"}, "only what is missing is trained"
    pd.testing.assert_frame_equal(
        pd.read_csv(finished / "tables" / "architecture_study.csv").drop(columns="CPU (s)"),
        table.drop(columns="CPU (s)"),
    )
    program(repository, "architecture_study", monkeypatch, *arguments, "--epochs", "2")
    assert pd.read_csv(finished / "tables" / "architecture_study.csv")["epochs"].max() == 2


def test_operators_from_a_run_to_tables_and_figure(finished, repository, monkeypatch):
    program(repository, "operator_study", monkeypatch, finished, "--epochs", "12")
    table = pd.read_csv(finished / "tables" / "operator_study.csv").set_index("operator")
    assert list(table.index[:2]) == [REFERENCE, "network of the domain"]
    assert "hierarchical network, smoothed LAI" in table.index
    assert table.loc[REFERENCE, f"RMSD - {REFERENCE} (dB)"] == 0.0
    assert table.loc["linear", "RMSD (dB)"] < 0.3, "the signal is a line and its noise 0.2 dB"
    selection = pd.read_csv(finished / "tables" / "operator_study_selection.csv")
    assert len(selection) == 5
    assert selection["RMSD"].notna().all()
    full = pd.read_csv(finished / "tables" / "operator_study_full.csv").set_index("operator")
    assert full.loc["linear", "d/dWG2 (dB per m3 m-3)"] == pytest.approx(14.0, abs=3.0)
    assert (finished / "figures" / "operator_study.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", ["architecture_study", "operator_study"])
def test_a_wrong_directory_is_one_line_and_exit_code_2(name, finished, tmp_path, repository, monkeypatch, capsys):
    def refused(directory, *arguments):
        with pytest.raises(SystemExit) as stopped:
            program(repository, name, monkeypatch, directory, *arguments)
        assert stopped.value.code == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        return line

    assert "no config.yaml" in refused(tmp_path / "elsewhere")
    (finished / "stages" / "open_loop.json").unlink()
    assert "the open loop has not been done" in refused(finished)


def test_results_count_only_for_their_mark(tmp_path):
    Results(tmp_path / "kept", "a").put("one", {"values": np.arange(3.0)})
    assert Results(tmp_path / "kept", "a").get("one")["values"].tolist() == [0.0, 1.0, 2.0]
    assert Results(tmp_path / "kept", "b").get("one") is None
    assert Results(tmp_path / "kept", "a").get("two") is None


def test_derivatives_are_those_of_the_operator():
    operator = create_operator("water_cloud", cell_count=2, predictors=["WG2", "LAI"])
    predictors = np.array([[[0.25, 2.0], [0.2, 1.0]], [[0.3, 0.5], [0.15, 4.0]]])
    operator.predictor_range.predictor_minimum.copy_(torch.zeros(2, 2))
    operator.predictor_range.predictor_maximum.copy_(torch.full((2, 2), 9.0))
    found = operator_derivatives(operator, predictors)
    for number, name in enumerate(("WG2", "LAI")):
        step = np.zeros(2)
        step[number] = 1e-6
        above, below = (operator(torch.from_numpy(predictors + sign * step)) for sign in (1, -1))
        expected = ((above - below) / 2e-6).detach().numpy()
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)
    time = np.array(["2015-01-01", "2015-01-02"], dtype="datetime64[s]")
    samples = Collocation(time, predictors, np.zeros((2, 2)), 0)
    row = jacobian_row(operator, samples, {"WG2": found["WG2"] + 1.0, "LAI": -found["LAI"]})
    assert row["d/dWG2 RMSD (dB per m3 m-3)"] == pytest.approx(1.0)
    assert row["d/dLAI wrong sign (%)"] == 100.0
    assert row["d/dWG2 wrong sign (%)"] == 0.0


def test_an_architecture_counts_its_weights():
    for layers, units in ((1, 40), (2, 7), (3, 5)):
        operator = create_operator("network", cell_count=1, hidden_layers=layers, hidden_units=units)
        assert Architecture(layers, units).weights(3) == sum(weight.numel() for weight in operator.parameters())


@pytest.mark.slow
def test_the_filter_runs_with_one_operator_after_the_other(small_inputs, tmp_path):
    path = small_inputs / "study.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    directory = tmp_path / "run"
    Pipeline(load_config(path, run_directory=str(directory)), ["test"]).run(["open_loop"])
    run = open_study(directory)
    operator = create_operator("water_cloud", cell_count=3, dtype=torch.float32).requires_grad_(False)
    small, large = (
        analyse_with(run, f"R {scale}", operator, 2, ObservationErrorSettings(scale)) for scale in (0.1, 10.0)
    )
    open_loop = open_loop_states(run, 2)
    assert small["WG2"].shape == open_loop["WG2"].shape == (2, 3)
    moved = {"small": np.abs(small["WG2"] - open_loop["WG2"]), "large": np.abs(large["WG2"] - open_loop["WG2"])}
    assert moved["small"].mean() > 3.0 * moved["large"].mean() > 0.0
    assert np.isfinite(small["departure"]).all()
    again = analyse_with(run, "R 0.1", operator, 2, ObservationErrorSettings(0.1))
    np.testing.assert_array_equal(again["LAI"], small["LAI"])
    with pytest.raises(InputError, match="does not predict its error"):
        analyse_with(run, "own", operator, 2, ObservationErrorSettings(1.0, "operator"))


def test_training_on_smoothed_leaves_keeps_the_range_of_the_observed(finished):
    run = open_study(finished)
    observed = run.samples()[0]
    smoothed = run.samples(leaf_area_index_smoothing=14.0)[0]
    run.setup.config.training = dataclasses.replace(run.training, leaf_area_index_smoothing=14.0)
    run_training(run.setup, run.directory)
    bounds = load_operator(finished / "operator.nc").predictor_range
    highest = [np.nanmax(samples.predictors[..., 2], axis=0) for samples in (observed, smoothed)]
    assert (highest[1] < highest[0]).all(), "smoothing lowers the peaks"
    np.testing.assert_allclose(bounds.predictor_maximum[:, 2], highest[0])


def test_analyses_are_scored_against_the_truth_and_one_another(rng):
    time = np.datetime64("2015-01-01T09:00", "s") + np.arange(90) * np.timedelta64(1, "D")
    truth = {name: rng.uniform(0.1, 0.3, (90, 4)) for name in ("WG2", "LAI")}
    noise = rng.standard_normal((90, 4))
    departure = 0.4 * rng.standard_normal((90, 4))
    departure[5:9, 1] = np.nan
    expected = np.full((90, 4), 0.4)
    states = {
        "open loop": {name: values + 0.05 for name, values in truth.items()},
        "a": {name: values + 0.02 * noise for name, values in truth.items()}
        | {"departure": departure, "expected": expected},
        "b": {name: values + 0.03 * noise for name, values in truth.items()}
        | {"departure": 0.9 * departure, "expected": expected},
    }
    table = analysis_table(states, truth, time, "dB", "a", ScoreSettings(resamples=200)).set_index("operator")
    assert list(table.index) == ["open loop", "a", "b"]
    assert table.loc["open loop", "WG2 RMSD (m3 m-3)"] == pytest.approx(0.05)
    expected_rmsd = np.sqrt(((0.03 * noise) ** 2).mean(axis=0)).mean()
    assert table.loc["b", "LAI RMSD (m2 m-2)"] == pytest.approx(expected_rmsd)
    assert table.loc["b", "LAI RMSD - a (m2 m-2)"] == pytest.approx(expected_rmsd / 3.0)
    assert table.loc["b", "LAI RMSD - a (m2 m-2) low"] > 0.0
    assert np.isnan(table.loc["open loop", "forecast RMSD (dB)"])
    rmsd = table["forecast RMSD (dB)"]
    assert rmsd["b"] == pytest.approx(0.9 * rmsd["a"])
    assert table.loc["a", "departure / expected"] == pytest.approx(np.sqrt(np.nanmean((departure / 0.4) ** 2)))


def test_the_path_of_a_run_is_that_of_its_files(finished):
    run = open_study(Path(finished))
    train, test = run.samples()
    assert train.time[-1] < np.datetime64("2014-07-20") <= test.time[0]
    assert run.observation_error == pytest.approx(0.33)
    other = run.samples(leaf_area_index_smoothing=10.0)[0]
    assert np.array_equal(np.isfinite(other.target), np.isfinite(train.target))
    assert not np.array_equal(other.predictors[..., 2], train.predictors[..., 2])
