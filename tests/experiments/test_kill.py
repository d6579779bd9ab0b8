"""Kill -9 anywhere: the same command goes on and ends as if nothing had happened, bit for bit.

One uninterrupted run of a small twin experiment is the reference.  On its way it leaves a copy of the run directory as
every stage found it, so that a kill in a late stage need not repeat the early ones.  The runs are those of
``dalearn run``, forked (``forked_runs.py``) or started as a user would.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pandas as pd
import pytest
import yaml

if not sys.platform.startswith("linux"):
    pytest.skip("forks a process that has loaded torch, which only Linux allows", allow_module_level=True)

pytestmark = pytest.mark.slow

SEED = 20071101
STEPS_A_DAY = 24
DAYS = 5

CONFIG: dict[str, Any] = {
    "name": "kill",
    "compile": False,
    "twin": {"start": "2015-06-01", "length_days": DAYS, "spin_up": 0, "cells": [4, 19], "lai_interval": 2},
    "land": {"time_step": 3600, "snowfall": "as_rain"},
    "observations": [
        {"name": "sigma0", "quantity": "sigma0", "path": "sigma0.nc"},
        {"name": "LAI", "quantity": "LAI", "path": "lai.nc"},
        {"name": "SWI", "quantity": "SSM", "path": "ssm_satellite.nc"},
        {"name": "stations", "quantity": "SSM", "path": "ssm_in_situ.nc"},
    ],
    "open_loop": {
        "start": "2015-06-01",
        "end": "2015-06-06",
        "spin_up": {"start": "2015-06-01", "end": "2015-06-02", "repetitions": 2},
        "block_days": 1,
    },
    "training": {
        "observations": "sigma0",
        "start": "2015-06-01",
        "end": "2015-06-05",
        "test_start": "2015-06-05",
        "test_end": "2015-06-06",
        "settings": {"epochs": 6, "minimum_samples": 2},
    },
    "assimilation": {
        "start": "2015-06-02",
        "end": "2015-06-05T09:00",
        "experiments": [
            {"name": "EKF", "observations": ["sigma0"]},
            {"name": "EKF_SWI_LAI", "observations": ["SWI", "LAI"]},
        ],
    },
    "evaluation": {"in_situ": "stations", "jacobians": False},
}

# how many kills in which stage (None: before the first), at which kind of event
PLAN = (
    (None, "file", 1),
    ("inputs", "file", 1),
    ("inputs", "step", 1),
    ("open_loop", "file", 3),
    ("open_loop", "step", 2),
    ("train", "file", 1),
    ("train", "batch", 1),
    ("assimilate", "file", 5),
    ("assimilate", "step", 2),
    ("evaluate", "file", 3),
)
POINTS = [(stage, kind, part, parts) for stage, kind, parts in PLAN for part in range(parts)]
STAGES = ("inputs", "open_loop", "train", "assimilate", "evaluate")

# What two uninterrupted runs do not have in common either: times, in the report the run directory and the checksums of
# the inputs that the twin makes, which hold the time; and the commit, when one is made while the tests run.
CHANGING = {"log.txt", "provenance.json"}
CHANGING_ATTRIBUTES = {"history", "source"}
CHANGING_RECORD = {"finished", "seconds"}
CHANGING_TEXT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?Z?"
    r"|/\S*/kill-runs-\d+/\S*?/run\b"
    r"|>[0-9a-f]{16}<"
    r"|Commit: [0-9a-f]{40}(\+modified)?"
)


def environment() -> dict[str, str]:
    """That of a process which runs this checkout in one thread."""
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}


class Server:
    """The process that forks runs."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("forked_runs.py")
        self.process = subprocess.Popen(
            [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )

    def run(self, config: Path, directory: Path, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(
            json.dumps({"config": str(config), "directory": str(directory), **request}),
            file=self.process.stdin,
            flush=True,
        )
        return dict(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@dataclass(frozen=True)
class Reference:
    """The uninterrupted run: its ``directory``, ``snapshots`` by stage, events before each stage and in all."""

    config: Path
    directory: Path
    snapshots: Path
    begun: dict[str | None, dict[str, int]]
    events: dict[str, int]

    def events_of(self, stage: str | None, kind: str) -> int:
        """How many events a stage has; without a stage, those before the first."""
        after = STAGES[0] if stage is None else next(iter(STAGES[STAGES.index(stage) + 1 :]), None)
        end = self.events if after is None else self.begun[after]
        return end[kind] - self.begun[stage][kind]

    def start(self, stage: str | None, directory: Path) -> Path:
        """A run directory as ``stage`` found it."""
        return directory if stage is None else Path(shutil.copytree(self.snapshots / stage, directory))


@pytest.fixture(scope="module")
def reference(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    folder = tmp_path_factory.mktemp("kill-runs-")
    config = folder / "kill.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    directory = folder / "reference" / "run"
    answer = server.run(config, directory, snapshots=str(folder / "snapshots"))
    assert answer["code"] == 0, answer["stderr"]
    assert list(answer["begun"]) == list(STAGES)
    nothing = dict.fromkeys(answer["events"], 0)
    return Reference(config, directory, folder / "snapshots", {None: nothing, **answer["begun"]}, answer["events"])


@pytest.fixture
def run_directory(reference: Reference, tmp_path: Path) -> Iterator[Path]:
    """Where a run goes, beside those of the reference; removed after the test."""
    folder = reference.config.parent / tmp_path.name
    folder.mkdir()
    yield folder / "run"
    shutil.rmtree(folder)


def is_temporary(path: Path) -> bool:
    return any(re.fullmatch(r"\..+\.\d+\.tmp", part) for part in path.parts)


def files_of(directory: Path) -> dict[str, Path]:
    return {str(path.relative_to(directory)): path for path in directory.rglob("*") if path.is_file()}


def contents(path: Path) -> Any:
    """All that a whole file holds, as far as two runs have it in common; an error where it is not whole."""
    if path.suffix == ".nc":
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            attributes = {name: str(file.getncattr(name)) for name in file.ncattrs() if name not in CHANGING_ATTRIBUTES}
            return attributes, {
                name: (
                    variable.dimensions,
                    {key: str(variable.getncattr(key)) for key in variable.ncattrs()},
                    variable[...].tolist() if variable.dtype is str else np.asarray(variable[...]).tobytes(),
                )
                for name, variable in file.variables.items()
            }
    if path.suffix == ".npz":
        with np.load(path) as file:
            return {name: array.tobytes() for name, array in file.items()}
    if path.suffix == ".json":
        record = json.loads(path.read_text())
        if isinstance(record, dict) and "outputs" in record:  # the files themselves are compared, not their sizes
            record = {**record, "outputs": list(record["outputs"])}
        if isinstance(record, dict):
            record = {key: value for key, value in record.items() if key not in CHANGING_RECORD}
        return record
    if path.suffix == ".csv":
        pd.read_csv(path)
        text = path.read_text()
        assert text.endswith("\n"), path
        return text
    if path.suffix == ".yaml":
        return {**yaml.safe_load(path.read_text()), "run_directory": None, "observations": None}
    if path.suffix == ".png":
        data = path.read_bytes()
        assert data.endswith(b"IEND\xaeB`\x82"), path
        return data
    if path.suffix == ".html":
        text = path.read_text()
        assert text.endswith("</html>\n"), path
        return CHANGING_TEXT.sub("", text)
    assert path.name in {"log.txt", "lock"}, path
    return None


def check_whole(directory: Path, reference: Reference) -> None:
    """Every file under its final name is complete, and no other than that of the reference."""
    for name, path in files_of(directory).items():
        if is_temporary(Path(name)):
            continue
        found = contents(path)
        final = reference.directory / name
        if name not in CHANGING and final.exists() and not name.startswith("stages"):
            assert found == contents(final), name


def check_same(directory: Path, reference: Reference) -> None:
    """The same files as in the reference, bit for bit, and no others."""
    assert set(files_of(directory)) == set(files_of(reference.directory))
    for name, path in files_of(directory).items():
        if name not in CHANGING:
            assert contents(path) == contents(reference.directory / name), name


def test_the_reference_is_a_real_experiment(reference: Reference) -> None:
    with netCDF4.Dataset(reference.directory / "analysis.nc") as file:
        assert list(file["experiment"][:]) == ["EKF", "EKF_SWI_LAI"]
        increment = np.abs(file["WG2_increment"][:])
        assert (increment.max(axis=(1, 2)) > 1e-5).all()
        assert np.abs(file["LAI_increment"][1]).max() > 1e-3
    for stage, kind, parts in PLAN:
        assert reference.events_of(stage, kind) >= 3 * parts


@pytest.mark.parametrize("point", range(len(POINTS)))
def test_a_killed_run_goes_on_bit_for_bit(
    server: Server, reference: Reference, run_directory: Path, point: int
) -> None:
    stage, kind, part, parts = POINTS[point]
    random = np.random.default_rng([SEED, point])
    directory = reference.start(stage, run_directory)
    number = 1 + int((part + random.random()) / parts * reference.events_of(stage, kind))
    # with a delay the kill comes in the middle of a write, without one just before it
    delay = random.uniform(0.0, 0.01) if kind == "file" and part % 2 and stage != "evaluate" else None
    stops = [{"stage": stage, "kind": kind, "number": number, "delay": delay}]
    if point % 3 == 0:  # and once more soon after it went on
        stops.append({"stage": None, "kind": "file", "number": int(random.integers(1, 25)), "delay": None})
    steps = 0
    for stop in stops:
        answer = server.run(reference.config, directory, stop={**stop, "signal": signal.SIGKILL})
        assert answer["code"] == -signal.SIGKILL, answer
        steps += answer["events"]["step"]
        check_whole(directory, reference)
    answer = server.run(reference.config, directory)
    assert answer["code"] == 0, answer["stderr"]
    check_same(directory, reference)
    # done again: the day of the open loop or the window of an analysis that was under way, and the one before if its
    # files were still being written; or the truth of the twin
    repeated = steps + answer["events"]["step"] - (reference.events["step"] - reference.begun[stage]["step"])
    assert repeated <= len(stops) * (2 * STEPS_A_DAY if stage not in (None, "inputs") else DAYS * STEPS_A_DAY)


def test_real_processes_killed_one_after_the_other(reference: Reference, run_directory: Path) -> None:
    """Five commands as a user types them, four of them killed after a random time, on one run directory."""
    random = np.random.default_rng(SEED)
    command = [sys.executable, "-m", "dalearn", "run", str(reference.config), "--run-directory", str(run_directory)]
    for stage in ("inputs", "open_loop", "assimilate", "evaluate"):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment())
        record = run_directory / "stages" / f"{stage}.json"
        while not record.exists():
            assert process.poll() is None, "ended before it could be killed"
            time.sleep(0.01)
        usual = json.loads((reference.directory / "stages" / record.name).read_text())["seconds"]
        time.sleep(random.uniform(0.0, 0.3) * usual)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        check_whole(run_directory, reference)
    result = subprocess.run(command, capture_output=True, text=True, env=environment())
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{run_directory / 'report.html'}\n"
    check_same(run_directory, reference)


@pytest.mark.parametrize(
    ("stage", "kind", "number", "name"),
    [("train", "batch", 3, "SIGINT"), ("train", "batch", 5, "SIGTERM"), ("assimilate", "step", 100, "SIGTERM")],
)
def test_a_stopped_run_says_so_in_one_line_and_goes_on(
    server: Server, reference: Reference, run_directory: Path, stage: str, kind: str, number: int, name: str
) -> None:
    directory = reference.start(stage, run_directory)
    stop = {"stage": stage, "kind": kind, "number": number, "delay": None, "signal": getattr(signal, name)}
    answer = server.run(reference.config, directory, stop=stop)
    assert answer["code"] == 128 + getattr(signal, name), answer
    how = {"SIGINT": "interrupted", "SIGTERM": "terminated"}[name]
    assert answer["stderr"].splitlines()[-1] == f"dalearn: {how}; the same command goes on from where it stopped"
    assert "Traceback" not in answer["stderr"]
    check_whole(directory, reference)
    assert not any(is_temporary(Path(path)) for path in files_of(directory))
    if name == "SIGTERM":
        answer = server.run(reference.config, directory)
        assert answer["code"] == 0, answer["stderr"]
        check_same(directory, reference)


@pytest.mark.parametrize(("stage", "limit"), [("inputs", 20_000), ("assimilate", 30_000), ("evaluate", 400)])
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    server: Server, reference: Reference, run_directory: Path, stage: str, limit: int
) -> None:
    """A limit on the size of a file stands for the full disk; the log cannot be written either in the last case."""
    directory = reference.start(stage, run_directory)
    answer = server.run(reference.config, directory, file_size_limit=limit)
    assert answer["code"] == 2, answer
    *log, error = answer["stderr"].splitlines()
    assert re.fullmatch(
        r"dalearn: error: /\S+: cannot be written \(.+\); .+: make room or choose another directory", error
    )
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in log)
    check_whole(directory, reference)
    assert not any(is_temporary(Path(path)) for path in files_of(directory))
    if stage == "assimilate":
        answer = server.run(reference.config, directory)
        assert answer["code"] == 0, answer["stderr"]
        check_same(directory, reference)
