"""Two processes that share the cells give what one process gives, bit for bit, also after one of them was killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml

from dalearn.experiments.environment import first_host, number_of_processes
from dalearn.experiments.parts import ALIGNMENT, plan_parts, read_parts, write_parts
from dalearn.land.parameters import build_parameters
from dalearn.twin.build import twin_surface
from dalearn.twin.settings import TwinSettings

# The first 9 of these 17 cells hold 32 of the 62 columns: a cut for which nothing differs without compilation either.
CELLS = tuple(range(17))
DAYS, WINDOWS, STEPS_A_DAY = 5, 3, 24

CONFIG: dict[str, Any] = {
    "name": "shards",
    "compile": False,
    "twin": {"start": "2015-06-01", "length_days": DAYS, "spin_up": 0, "cells": list(CELLS), "lai_interval": 2},
    "land": {"time_step": 3600},
    "observations": [
        {"name": "LAI", "quantity": "LAI", "path": "lai.nc"},
        {"name": "stations", "quantity": "SSM", "path": "ssm_in_situ.nc"},
    ],
    "open_loop": {
        "start": "2015-06-01",
        "end": "2015-06-06",
        "spin_up": {"start": "2015-06-01", "end": "2015-06-02", "repetitions": 2},
        "block_days": 1,
    },
    "assimilation": {
        "start": "2015-06-02",
        "end": "2015-06-05T09:00",
        "filter": {"jacobian": "finite_differences", "ensemble": {"members": 3}},
        "experiments": [
            {"name": "EKF", "observations": ["stations", "LAI"]},
            {"name": "ENSRF", "observations": ["stations"], "filter": {"scheme": "ensrf"}},
        ],
    },
    "evaluation": {"jacobians": False},
}
COMMANDS = ("open-loop", "assimilate")
OUTPUTS = (
    "truth.nc",
    "inputs/sigma0.nc",
    "open_loop.nc",
    "analysis.nc",
    "restart/EKF.nc",
    "restart/ENSRF.nc",
    "restart/open_loop_2015-06-02T0900.nc",
    "restart/open_loop_2015-06-06T0000.nc",
)

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="forks a process that has loaded torch, which only Linux allows"
)


def environment() -> dict[str, str]:
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}


class Server:
    """The process that forks the processes of a run."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("forked_ranks.py")
        self.process = subprocess.Popen(
            [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )

    def run(self, command: str, config: Path, directory: Path, size: int, **kill: int) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        arguments = [command, str(config), "--run-directory", str(directory)]
        arguments += ["--processes", "1"] if size == 1 else []
        request = {"arguments": arguments, "size": size, "kill": kill or None}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return dict(json.loads(self.process.stdout.readline()))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    assert server.process.stdin is not None
    server.process.stdin.close()
    server.process.wait()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shards") / "shards.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    return path


@pytest.fixture(scope="module")
def one(server: Server, config: Path) -> tuple[Path, int]:
    """The run directory of one process, and its steps of the land model in the assimilation."""
    directory = config.parent / "one"
    for command in COMMANDS:
        answer = server.run(command, config, directory, 1)
        assert answer["codes"] == [0], answer["stderr"]
    return directory, answer["steps"][0]


def contents(path: Path) -> dict[str, bytes]:
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        return {
            name: repr(variable[...].tolist()).encode()
            if variable.dtype is str
            else np.asarray(variable[...]).tobytes()
            for name, variable in file.variables.items()
        }


def check_same(directory: Path, reference: Path) -> None:
    for name in OUTPUTS:
        found, expected = contents(directory / name), contents(reference / name)
        assert found.keys() == expected.keys()
        assert [variable for variable in found if found[variable] != expected[variable]] == [], name
    assert (directory / "tables" / "spin_up.csv").read_text() == (reference / "tables" / "spin_up.csv").read_text()
    assert not list((directory / "stages").glob("*.partial"))


@linux
def test_the_reference_moves_the_state(one: tuple[Path, int]) -> None:
    with netCDF4.Dataset(one[0] / "analysis.nc") as file:
        increment = np.abs(file["WG2_increment"][:])
        assert increment.shape == (2, WINDOWS, len(CELLS))
        for part in (slice(0, 9), slice(9, None)):
            assert (increment[..., part].max(axis=(1, 2)) > 1e-5).all()


@linux
def test_two_processes_give_what_one_gives(server: Server, config: Path, one: tuple[Path, int], tmp_path: Path) -> None:
    for command in COMMANDS:
        answer = server.run(command, config, tmp_path / "run", 2)
        assert answer["codes"] == [0, 0], answer["stderr"]
        assert answer["steps"][0] == answer["steps"][1]
        assert "process" not in answer["stderr"][1]
    check_same(tmp_path / "run", one[0])
    assert answer["steps"][0] <= one[1]
    assert "2 parts by 2 processes" in (tmp_path / "run" / "log.txt").read_text()


@linux
@pytest.mark.slow
@pytest.mark.parametrize(("rank", "again"), [(1, 2), (0, 1)])
def test_a_killed_process_costs_the_others_nothing(
    server: Server, config: Path, one: tuple[Path, int], tmp_path: Path, rank: int, again: int
) -> None:
    """Killed in the open loop and once more in the assimilation; then go on with ``again`` processes."""
    directory = tmp_path / "run"
    killed = [server.run("open-loop", config, directory, 2, rank=rank, step=STEPS_A_DAY * (DAYS + 3) + 5)]
    steps = [sum(answer["steps"]) for answer in killed]
    other = 1 - rank
    assert killed[0]["codes"][rank] == -signal.SIGKILL
    assert killed[0]["codes"][other] == 75
    assert "another process of the run has ended" in killed[0]["stderr"][other].splitlines()[-1]
    answer = server.run("open-loop", config, directory, again)
    assert answer["codes"] == [0] * again, answer["stderr"]
    # of both parts at most one block of a day is run twice
    both = 2 * STEPS_A_DAY * (DAYS + DAYS + 2)
    assert steps[0] + sum(answer["steps"]) - both <= 2 * STEPS_A_DAY
    answer = server.run("assimilate", config, directory, 2, rank=rank, step=STEPS_A_DAY + 5)
    assert answer["codes"][rank] == -signal.SIGKILL
    answer = server.run("assimilate", config, directory, again)
    assert answer["codes"] == [0] * again, answer["stderr"]
    check_same(directory, one[0])


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_command_stops_all_its_processes(config: Path, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    command = [sys.executable, "-m", "dalearn", "open-loop", str(config), "--run-directory", str(directory)]
    process = subprocess.Popen(
        [*command, "--processes", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    progress = directory / "stages" / "inputs.partial" / "part_0001" / "progress"
    while not progress.exists():
        assert process.poll() is None, process.stderr
        time.sleep(0.02)
    children = [
        int(entry.parent.name)
        for entry in Path("/proc").glob("[0-9]*/stat")
        if entry.read_text().rpartition(")")[2].split()[1] == str(process.pid)
    ]
    assert len(children) == 2
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert errors.splitlines()[-1] == "dalearn: terminated; the same command goes on from where it stopped"
    assert "Traceback" not in errors
    assert not any(Path(f"/proc/{child}").exists() for child in children)


@pytest.mark.slow
def test_an_error_of_any_process_is_one_line_and_exit_code_2(config: Path, tmp_path: Path) -> None:
    """The forcing of the last cell is broken after it was checked: only the process that needs it can see that."""
    directory = tmp_path / "run"
    command = [sys.executable, "-m", "dalearn", "prepare", str(config), "--run-directory", str(directory)]
    subprocess.run([*command, "--processes", "1"], env=environment(), check=True, capture_output=True)
    with netCDF4.Dataset(directory / "inputs" / "FORCING.nc", "a") as file:
        file["Tair"][50, len(CELLS) - 1] = 20.0
    record = json.loads((directory / "stages" / "inputs.json").read_text())
    record["outputs"]["inputs/FORCING.nc"] = (directory / "inputs" / "FORCING.nc").stat().st_size
    (directory / "stages" / "inputs.json").write_text(json.dumps(record))
    command[3] = "open-loop"
    result = subprocess.run([*command, "--processes", "2"], env=environment(), capture_output=True, text=True)
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("dalearn:")]
    assert f"cell {len(CELLS) - 1}, not within" in line
    assert "Traceback" not in result.stderr


def test_parts_are_even_and_aligned_where_that_is_possible(tmp_path: Path) -> None:
    surface = twin_surface(TwinSettings(cells=CELLS))
    grid, _ = build_parameters(surface.fraction, surface.clay, surface.sand, surface.latitude, surface.longitude)
    first, second = plan_parts(grid, 2)
    assert (first.first_cell, first.last_cell, second.last_cell) == (0, 9, len(CELLS))
    assert first.last_column == second.first_column == ALIGNMENT
    for count in (1, 3, 5, len(CELLS), 40):
        parts = plan_parts(grid, count)
        assert len(parts) == min(count, len(CELLS))
        assert sum(part.column_count for part in parts) == grid.column_count
        assert max(part.column_count for part in parts) <= grid.column_count / len(parts) + 5
        pieces = [grid.part(part.first_cell, part.last_cell) for part in parts]
        assert np.array_equal(np.concatenate([piece.latitude for piece in pieces]), grid.latitude)
        assert all(int(piece.cell_of_column[0]) == 0 for piece in pieces)
    write_parts(tmp_path, [first, second])
    assert read_parts(tmp_path) == [first, second]
    assert read_parts(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("names", "first"),
    [("node7", "node7"), ("node[03-07,12],login1", "node03"), ("a,b", "a"), ("r1n[4,9]-ib", "r1n4-ib")],
)
def test_first_host_of_slurm(names: str, first: str) -> None:
    assert first_host(names) == first


def test_slurm_tasks_are_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "")  # so that what is set here is undone
        monkeypatch.delenv(name)
    assert number_of_processes() == 0
    for name, value in {
        "SLURM_STEP_NUM_TASKS": "4",
        "SLURM_PROCID": "3",
        "SLURM_LOCALID": "1",
        "SLURM_STEP_NODELIST": "node[01-02]",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
        "SLURM_JOB_ID": "77",
    }.items():
        monkeypatch.setenv(name, value)
    assert number_of_processes() == 4
    assert [os.environ[name] for name in ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR")] == [
        "3", "1", "2", "node01",
    ]  # fmt: skip
