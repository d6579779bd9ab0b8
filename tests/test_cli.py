"""The command line as users type it: help, exit codes, errors in one line, pure JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dalearn import cli
from dalearn.errors import InputError

STAGES = ("run", "demo", "open-loop", "train", "assimilate", "evaluate")
COMMANDS = (*STAGES, "jacobian", "benchmark", "parity", "parity-filter")

SITE = {
    "name": "site",
    "compile": False,
    "surface": {
        "cells": [
            {"latitude": 43.6, "longitude": 1.4, "clay": 0.2, "sand": 0.3, "vegetation": {"GRAS": 0.5, "C3": 0.5}},
            {"latitude": 44.1, "longitude": 0.6, "clay": 0.2, "sand": 0.3, "vegetation": {"C3": 1.0}},
        ]
    },
    "land": {"time_step": 3600},
    "forcing": {"path": "FORCING.nc"},
    "observations": [{"name": "LAI", "quantity": "LAI", "path": "lai.nc"}],
    "open_loop": {"start": "2015-06-01", "end": "2015-06-05"},
    "assimilation": {
        "start": "2015-06-01",
        "end": "2015-06-05",
        "experiments": [{"name": "EKF_LAI", "observations": ["LAI"]}],
    },
}


def dalearn(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dalearn", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={**os.environ, "OMP_NUM_THREADS": "1"})


def error_of(result: subprocess.CompletedProcess[str]) -> str:
    """The error of a command that found its input bad; nothing else may be printed."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("dalearn: error: ")
    return lines[0]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(SITE))
    return path


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from dalearn.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as done: status = done.code\n"
        "heavy = [name for name in ('torch', 'lightning', 'matplotlib', 'netCDF4', 'numpy') if name in sys.modules]\n"
        "print(status, heavy)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip().endswith("0 []")
    for command in COMMANDS:
        assert command in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = dalearn(command, "--help")
    assert result.returncode == 0
    assert f"dalearn {command}" in result.stdout
    assert result.stderr == ""


def test_version() -> None:
    result = dalearn("--version")
    assert (result.returncode, result.stdout.split()[0]) == (0, "dalearn")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("forecast",), "invalid choice: 'forecast'"),
        (("run",), "the following arguments are required: CONFIG"),
        (("run", "nothing.yaml"), "nothing.yaml: cannot be read"),
        (("jacobian", "nothing.yaml", "--columns", "0"), "'0' is not a positive whole number"),
    ],
)
def test_wrong_commands(arguments: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    assert expected in error_of(dalearn(*arguments, cwd=tmp_path))


@pytest.mark.parametrize("command", ["run", "open-loop", "train", "assimilate", "evaluate", "jacobian"])
def test_unknown_key(command: str, site: Path, tmp_path: Path) -> None:
    site.write_text(yaml.safe_dump({**SITE, "open_lop": {}}))
    error = error_of(dalearn(command, site, cwd=tmp_path))
    assert error.endswith("site.yaml: unknown key open_lop; did you mean open_loop?")
    assert [path.name for path in tmp_path.iterdir()] == ["site.yaml"]


def test_missing_input_file(site: Path, tmp_path: Path) -> None:
    error = error_of(dalearn("run", site, cwd=tmp_path))
    assert str(tmp_path / "FORCING.nc") in error
    assert [path.name for path in tmp_path.iterdir()] == ["site.yaml"]


def test_unwritable_run_directory(site: Path, tmp_path: Path) -> None:
    path = site.with_name("twin.yaml")
    content = {key: value for key, value in SITE.items() if key not in ("surface", "forcing")}
    path.write_text(yaml.safe_dump({**content, "twin": {"start": "2015-01-01", "years": 1, "cells": [0]}}))
    error = error_of(dalearn("run", path, "--run-directory", site / "run", cwd=tmp_path))
    assert f"{site / 'run'}: cannot write the run directory" in error


def test_stage_without_its_section(site: Path, tmp_path: Path) -> None:
    for name in ("FORCING.nc", "lai.nc"):
        (tmp_path / name).write_bytes(b"")
    assert "key training is missing" in error_of(dalearn("train", site, cwd=tmp_path))


def test_demo_configuration_is_shipped_with_the_package(repository: Path) -> None:
    assert cli.demo_config().is_relative_to(repository / "dalearn")
    assert (repository / "configs" / "demo.yaml").read_text() == cli.demo_config().read_text()


SHIPPED = ("demo", "corchia2023", "puaakala", "fontblanche", "fontblanche_network")
SHIPPED_KILOMETRE = ("rojas2023_montpellier", "rojas2023_toulouse", "rojas2023_salamanca")


@pytest.mark.parametrize("name", SHIPPED + SHIPPED_KILOMETRE)
def test_shipped_configurations_are_valid(name: str, repository: Path) -> None:
    from dalearn.experiments.config import load_config

    assert load_config(repository / "configs" / f"{name}.yaml").name == name


@pytest.mark.slow
def test_jacobian_prints_one_json_object(site: Path, tmp_path: Path) -> None:
    import numpy as np

    from dalearn.forcing.writer import write_forcing
    from dalearn.twin.weather import generate_weather

    latitude, longitude = np.array([43.6, 44.1]), np.array([1.4, 0.6])
    day = np.datetime64("2015-06-01", "D")
    write_forcing(tmp_path / "FORCING.nc", generate_weather(latitude, longitude, np.zeros(2), day, 5, 1, (1.0,)))
    (tmp_path / "lai.nc").write_bytes(b"")
    result = dalearn("jacobian", site, "--json", "--columns", "5", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1
    answer = json.loads(result.stdout)
    assert set(answer) == {"columns", "dtype", "agreement", "cost"}
    assert (answer["columns"], answer["dtype"]) == (5, "float64")
    assert set(answer["agreement"]) == {"LAI", *(f"WG{layer}" for layer in range(2, 9))}
    for row in answer["agreement"].values():
        assert set(row) == {"max_rel", "median_rel", "kink_share"}
        assert row["max_rel"] is None or row["max_rel"] < 2e-3
    assert set(answer["cost"]) == {"finite_differences", "autograd"}
    for row in answer["cost"].values():
        assert set(row) == {"seconds", "forward_runs", "peak_memory_bytes"}
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_benchmark_prints_one_json_object(tmp_path: Path) -> None:
    result = dalearn("benchmark", "--json", "--eager", "--columns", "8", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1
    answer = json.loads(result.stdout)
    assert set(answer) == {"machine", "device", "threads", "rows"}
    windows = [("window", backend, count) for backend in ("autograd", "finite_differences") for count in (1, 2)]
    found = [row for row in answer["rows"] if row["device"] == "cpu" and row["dtype"] == "float64"]
    assert [(row["what"], row["jacobian"], row["observed"]) for row in found] == [("forward", None, None), *windows]
    for row in answer["rows"]:
        assert (row["cells"], row["patches"], row["columns"]) == (2, 4, 8)
        assert row["seconds"] > 0
        assert row["column_steps_per_second"] > 0
        assert (row["mode"], row["compile_seconds"]) == ("eager", None)


def run_with(monkeypatch: pytest.MonkeyPatch, error: BaseException, *options: str) -> int:
    """The exit code of a command whose work fails with ``error``."""

    def fail(arguments: object) -> None:
        raise error

    monkeypatch.setattr(cli, "benchmark", fail)
    return cli.main(["benchmark", *options])


def test_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(monkeypatch, InputError("FORCING.nc: Qair is missing; add it")) == 2
    assert capsys.readouterr().err == "dalearn: error: FORCING.nc: Qair is missing; add it\n"
    assert run_with(monkeypatch, KeyboardInterrupt()) == 130
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert run_with(monkeypatch, RuntimeError("first line\nsecond line")) == 1
    assert capsys.readouterr().err == "dalearn: failed: RuntimeError: first line; add --debug for the traceback\n"
    assert run_with(monkeypatch, RuntimeError("reason"), "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_undefined_numbers_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    cli._print_json({"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": None, "e": 2}})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": {"d": None, "e": 2}}
