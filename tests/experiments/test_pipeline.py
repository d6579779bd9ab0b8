"""Stages as a whole: results, what is skipped, what is redone, what a killed run leaves."""

import json
import shutil
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pandas as pd
import pytest
import yaml

from dalearn.errors import InputError
from dalearn.experiments import blocks, restart
from dalearn.experiments.config import load_config
from dalearn.experiments.pipeline import Pipeline
from dalearn.experiments.run_directory import RunDirectory

from .conftest import CONFIG, Configure

ALL = ("open_loop", "train", "assimilate", "evaluate")
BEFORE_EVALUATION = ALL[:3]


def run(config: Path, directory: Path, names: tuple[str, ...] = BEFORE_EVALUATION, *, force: bool = False) -> None:
    Pipeline(load_config(config, run_directory=str(directory)), ["test"]).run(names, force=force)


def read(path: Path) -> dict[str, np.ndarray]:
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        return {name: variable[...] for name, variable in file.variables.items()}


def assert_same(first: Path, second: Path) -> None:
    """The same variables, bit for bit."""
    one, two = read(first), read(second)
    assert set(one) == set(two)
    for name, values in one.items():
        equal_nan = values.dtype.kind == "f"
        assert np.array_equal(values, two[name], equal_nan=equal_nan), name


@pytest.fixture(scope="module")
def finished(small_inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of the small experiment, all stages done."""
    path = small_inputs / "finished.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    directory = tmp_path_factory.mktemp("runs") / "small"
    run(path, directory, ALL)
    return directory


def copy_of(directory: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(directory, tmp_path / "run"))


def test_run_directory_holds_what_was_agreed(finished: Path) -> None:
    for name in (
        "config.yaml",
        "provenance.json",
        "open_loop.nc",
        "operator.nc",
        "analysis.nc",
        "report.html",
        "log.txt",
    ):
        assert (finished / name).stat().st_size > 0, name
    assert list((finished / "tables").glob("*.csv"))
    assert list((finished / "figures").glob("*.png"))
    provenance = json.loads((finished / "provenance.json").read_text())
    assert {"versions", "commit", "inputs"} <= set(provenance)
    assert {Path(item["path"]).name for item in provenance["inputs"]} == {
        "FORCING.nc", "sigma0.nc", "lai.nc", "in_situ.nc"
    }  # fmt: skip
    assert all(len(item["sha256"]) == 64 and item["bytes"] > 0 for item in provenance["inputs"])


def test_open_loop_file(finished: Path) -> None:
    values = read(finished / "open_loop.nc")
    assert values["WG2"].shape == (12 * 24, 3)
    assert set(values) == {
        *(f"WG{layer}" for layer in range(1, 9)),
        "TG1",
        "TG2",
        "LAI",
        "time",
        "latitude",
        "longitude",
    }
    assert all(np.isfinite(array).all() for array in values.values())
    with netCDF4.Dataset(finished / "open_loop.nc") as file:
        assert file.Conventions == "CF-1.11"
        assert file["WG2"].units == "m3 m-3"
        times = netCDF4.num2date(file["time"][:], file["time"].units)
        assert (str(times[0]), str(times[-1])) == ("2015-06-01 01:00:00", "2015-06-13 00:00:00")
        assert "repetitions changed soil water" in file.spin_up


def test_analysis_file(finished: Path) -> None:
    values = read(finished / "analysis.nc")
    assert list(values["experiment"]) == ["EKF", "EKF_LAI"]
    assert values["sigma0_observed"].shape == (2, 4, 3)
    assert np.isfinite(values["sigma0_observed"][0]).all()
    assert np.isnan(values["sigma0_observed"][1]).all()
    assert np.isfinite(values["sigma0_model_forecast"]).all()
    departure = values["sigma0_observed"] - values["sigma0_model_forecast"]
    assert np.allclose(values["sigma0_departure"][0], departure[0], atol=1e-5)
    # the increment is what the analysis adds to the forecast, and it brings the model closer to the observation
    assert np.allclose(values["WG2"] - values["WG2_forecast"], values["WG2_increment"], atol=1e-6)
    assert np.abs(values["WG2_increment"][0]).max() > 1e-6
    residual = np.abs(values["sigma0_observed"] - values["sigma0_model_analysis"])[0]
    assert residual.mean() < np.abs(departure[0]).mean()
    for name in ("LAI", *(f"WG{layer}" for layer in range(2, 9))):
        assert np.isfinite(values[f"jacobian_sigma0_{name}"][0]).all()
        assert np.isfinite(values[f"gain_sigma0_{name}"][0]).all()
        assert np.isnan(values[f"gain_sigma0_{name}"][1]).all()
    # no limit is hit, so the cell means of K d are the increments
    unlimited = values["gain_sigma0_WG2"][0] * values["sigma0_departure"][0]
    assert np.allclose(unlimited, values["WG2_increment"][0], rtol=1e-4, atol=1e-7)
    expected, given = values["sigma0_expected_deviation"][0], values["sigma0_observation_deviation"][0]
    assert (expected > given).all()
    assert np.allclose(values["chi_square"][0], (values["sigma0_departure"][0] / expected) ** 2, rtol=1e-4)
    assert np.allclose(values["sigma0_signal"][0], 1 - (given / expected) ** 2, rtol=1e-4, atol=1e-6)
    assert set(values["sigma0_rejected"][0].ravel()) == {0}
    assert set(values["sigma0_rejected"][1].ravel()) == {1}
    assert np.isfinite(values["sigma0_open_loop"]).all()


def test_every_observation_is_accounted_for(finished: Path, small_inputs: Path) -> None:
    values = read(finished / "analysis.nc")
    assert list(values["observation"]) == ["sigma0", "LAI"]
    assert list(values["observation_quantity"]) == ["sigma0", "LAI"]
    fates = list(values["fate"])
    counts = {
        name: dict(zip(fates, values["observation_count"][row, row].tolist(), strict=True))
        for row, name in enumerate(("sigma0", "LAI"))
    }
    assert (values["observation_count"][[0, 1], [1, 0]] == -1).all()
    for number, (name, of_name) in enumerate(counts.items()):
        with netCDF4.Dataset(small_inputs / f"{name.lower()}.nc") as file:
            assert of_name["read"] == len(file.dimensions["sample"])
        assert of_name["read"] == sum(count for fate, count in of_name.items() if fate != "read")
        assert of_name["outside_period"] > 0
        assert of_name["matched"] == np.isfinite(values[f"{name}_observed"][number]).sum()
    table = pd.read_csv(finished / "tables" / "observation_counts.csv").set_index("experiment")
    assert list(table.index) == ["EKF", "EKF_LAI"]
    for name in ("left out", "rejected"):
        table[name] = table[[column for column in table if column.startswith(f"{name}: ")]].sum(axis=1)
    assert (table["read"] == table["left out"] + table["matched"]).all()
    assert (table["matched"] == table["rejected"] + table["assimilated"]).all()
    assert (table["assimilated"] > 0).all()


def test_first_forecast_starts_from_the_open_loop(finished: Path) -> None:
    analysis, open_loop = read(finished / "analysis.nc"), read(finished / "open_loop.nc")
    row = np.flatnonzero(open_loop["time"] == analysis["time"][0])[0]
    for experiment in range(2):
        assert np.allclose(analysis["WG2_forecast"][experiment, 0], open_loop["WG2"][row], rtol=1e-6)
    assert np.allclose(analysis["LAI_forecast"][1, 0], open_loop["LAI"][row], rtol=1e-5)


def test_a_finished_run_is_left_alone(finished: Path, configure: Configure, tmp_path: Path) -> None:
    directory = copy_of(finished, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*.nc")}
    run(configure(), directory, ALL)
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*.nc")} == before
    assert "open loop: done before, skipped" in (directory / "log.txt").read_text()


def test_speed_settings_do_not_make_a_run_another(finished: Path, configure: Configure, tmp_path: Path) -> None:
    directory = copy_of(finished, tmp_path)
    run(configure(compile=True, device="cpu"), directory, ALL)


def test_a_changed_setting_stops_and_says_what_to_do(finished: Path, configure: Configure, tmp_path: Path) -> None:
    directory = copy_of(finished, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*") if path.is_file()}
    with pytest.raises(InputError) as caught:
        run(configure(training__seeds=2), directory)
    message = str(caught.value)
    assert "training.seeds: 1 -> 2" in message
    assert "--force to redo train, assimilate, evaluate" in message
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*") if path.is_file()} == before


def test_force_redoes_what_the_change_affects(finished: Path, configure: Configure, tmp_path: Path) -> None:
    directory = copy_of(finished, tmp_path)
    before = {name: (directory / name).stat().st_mtime_ns for name in ("open_loop.nc", "operator.nc", "analysis.nc")}
    run(configure(training__seeds=2), directory, force=True)
    after = {name: (directory / name).stat().st_mtime_ns for name in before}
    assert after["open_loop.nc"] == before["open_loop.nc"]
    assert after["operator.nc"] > before["operator.nc"]
    assert after["analysis.nc"] > before["analysis.nc"]
    assert "seeds: 2" in (directory / "config.yaml").read_text()


def test_force_without_a_change_redoes_the_stage_and_makes_later_ones_stale(
    finished: Path, configure: Configure, tmp_path: Path
) -> None:
    directory = copy_of(finished, tmp_path)
    before = (directory / "operator.nc").stat().st_mtime_ns
    pipeline = Pipeline(load_config(configure(), run_directory=str(directory)), [])
    pipeline.run(("train",), force=True)
    assert (directory / "operator.nc").stat().st_mtime_ns > before
    assert [name for name in pipeline.stages if not pipeline.is_done(name)] == ["assimilate", "evaluate"]


def test_force_does_not_discard_what_the_command_cannot_redo(
    finished: Path, configure: Configure, tmp_path: Path
) -> None:
    directory = copy_of(finished, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="open loop, train, assimilate would have to be done again: use dalearn run"):
        run(configure(land__pedotransfer="CO84"), directory, ("evaluate",), force=True)
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*") if path.is_file()} == before


def test_a_changed_input_file_is_noticed(
    finished: Path, configure: Configure, small_inputs: Path, tmp_path: Path
) -> None:
    directory = copy_of(finished, tmp_path)
    path = configure()
    original = (small_inputs / "sigma0.nc").read_bytes()
    with netCDF4.Dataset(small_inputs / "sigma0.nc", "a") as file:
        file.comment = "another file"
    try:
        with pytest.raises(InputError, match=r"new contents of sigma0\.nc"):
            run(path, directory)
    finally:
        (small_inputs / "sigma0.nc").write_bytes(original)


def test_a_lost_output_is_made_again(finished: Path, configure: Configure, tmp_path: Path) -> None:
    directory = copy_of(finished, tmp_path)
    (directory / "operator.nc").unlink()
    run(configure(), directory, ("train",))
    assert_same(directory / "operator.nc", finished / "operator.nc")


def test_a_single_stage_needs_those_before_it(configure: Configure, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="open loop has not been done; run dalearn open-loop first"):
        run(configure(), tmp_path / "run", ("train",))


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the package may catch it."""


def kill_after(monkeypatch: pytest.MonkeyPatch, target: Any, name: str, calls: int) -> None:
    """Let ``target.name`` work ``calls`` times and then kill the run before it does anything."""
    original = getattr(target, name)
    count = 0

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count > calls:
            raise Killed
        return original(*arguments, **options)

    monkeypatch.setattr(target, name, counted)


@pytest.mark.slow
@pytest.mark.parametrize(("written", "what"), [(1, "block"), (3, "block"), (2, "restart")])
def test_a_killed_open_loop_goes_on_bit_for_bit(
    finished: Path, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int, what: str
) -> None:
    directory = tmp_path / "run"
    with monkeypatch.context() as patch:
        if what == "block":
            kill_after(patch, blocks.Blocks, "write", written)
        else:
            kill_after(patch, restart, "writing", written)
        with pytest.raises(Killed):
            run(configure(), directory, ("open_loop",))
    assert not (directory / "open_loop.nc").exists()
    run(configure(), directory, ("open_loop",))
    assert_same(directory / "open_loop.nc", finished / "open_loop.nc")
    for path in (finished / "restart").glob("open_loop_*.nc"):
        assert_same(directory / "restart" / path.name, path)
    assert (directory / "tables" / "spin_up.csv").read_text() == (finished / "tables" / "spin_up.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("windows", [1, 3, 6])
def test_a_killed_assimilation_goes_on_bit_for_bit(
    finished: Path, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: int
) -> None:
    directory = copy_of(finished, tmp_path)
    (directory / "analysis.nc").unlink()
    with monkeypatch.context() as patch:
        kill_after(patch, blocks.Blocks, "write", windows)
        with pytest.raises(Killed):
            run(configure(), directory)
    assert not (directory / "analysis.nc").exists()
    run(configure(), directory)
    assert "goes on from 2015-06-" in (directory / "log.txt").read_text()
    assert_same(directory / "analysis.nc", finished / "analysis.nc")
    assert_same(directory / "restart" / "EKF.nc", finished / "restart" / "EKF.nc")


def add(file: netCDF4.Dataset, name: str, first: int, amount: float) -> None:
    """Shift a variable by ``amount`` from index ``first`` on."""
    file[name][first:] = file[name][first:] + amount


BAD_INPUTS = {
    "missing variable": ("FORCING.nc", lambda file: file.renameVariable("Qair", "Qnone"), "variable Qair is missing"),
    "NaN": ("FORCING.nc", lambda file: file["Tair"].__setitem__((50, 1), np.nan), "Tair"),
    "wrong units": ("FORCING.nc", lambda file: add(file, "Tair", 0, -273.15), "Tair"),
    "time gap": ("FORCING.nc", lambda file: add(file, "time", 60, 7200), "time"),
    "no overlap": ("sigma0.nc", lambda file: add(file, "time", 0, -(10**8)), "choose a period that overlaps"),
}


@pytest.mark.parametrize("mistake", BAD_INPUTS)
def test_bad_input_writes_nothing(configure: Configure, small_inputs: Path, tmp_path: Path, mistake: str) -> None:
    name, spoil, expected = BAD_INPUTS[mistake]
    folder = Path(shutil.copytree(small_inputs, tmp_path / "inputs"))
    config = folder / "bad.yaml"
    config.write_text(configure().read_text())
    with netCDF4.Dataset(folder / name, "a") as file:
        spoil(file)
    with pytest.raises(InputError) as caught:
        run(config, tmp_path / "run", ALL)
    assert expected in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_foreign_directory_is_not_written_to(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("important")
    with pytest.raises(InputError, match="not empty and not a run directory"):
        run(configure(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_unwritable_directory(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(InputError, match="cannot write the run directory"):
        run(configure(), tmp_path / "file" / "run")


def test_two_runs_in_one_directory(configure: Configure, tmp_path: Path) -> None:
    other = RunDirectory(tmp_path / "run")
    other.create()
    with pytest.raises(InputError, match="another dalearn process"):
        run(configure(), tmp_path / "run")
    other.close()
