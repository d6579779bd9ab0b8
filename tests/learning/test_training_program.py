"""The runnable training program, from files to files."""

import runpy
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import torch

from dalearn import io
from dalearn.operators import load_operator

LATITUDE, LONGITUDE = np.array([43.0, 43.25]), np.array([1.0, 1.25])
HOURS = 24 * 200


@pytest.fixture
def files(tmp_path, rng):
    """An open loop of 200 days and two daily observations per cell, one of them rejected now and then."""
    time = np.datetime64("2010-01-01T01:00", "s") + np.arange(HOURS).astype("timedelta64[h]")
    series = {
        "WG2": rng.uniform(0.1, 0.4, (HOURS, 2)),
        "TG2": rng.uniform(275, 300, (HOURS, 2)),
        "LAI": rng.uniform(0.5, 4.0, (HOURS, 2)),
    }
    with io.TimeSeriesWriter(tmp_path / "open_loop.nc", list(series), LATITUDE, LONGITUDE) as writer:
        writer.append(time, series)
    step = np.repeat(np.arange(8, HOURS, 12), 2)
    cell = np.tile([0, 1], len(step) // 2)
    rejected = (rng.uniform(size=len(step)) < 0.1).astype(np.int8)
    sigma0 = -14.0 + 20.0 * series["WG2"][step, cell] + 5.0 * rejected
    with io.writing(tmp_path / "sigma0.nc") as file:
        io.create_cells(file, LATITUDE, LONGITUDE)
        file.createDimension("sample", len(step))
        io.create_time(file, "sample")[:] = io.seconds(time[step])
        for name, dtype, values in (("cell_index", "i4", cell), ("rejected", "i1", rejected), ("sigma0", "f4", sigma0)):
            io.create_variable(file, name, ("sample",), dtype)[:] = values
    return tmp_path


def arguments(directory: Path, *extra: str) -> list[str]:
    return [
        *("--open_loop", str(directory / "open_loop.nc"), "--observations", str(directory / "sigma0.nc")),
        *("--output", str(directory / "trained"), "--start", "2010-01-01", "--end", "2010-07-01"),
        *("--settings.epochs", "40", "--settings.batch_size", "32", "--settings.learning_rate", "0.01", *extra),
    ]


def test_trains_from_files_to_files(files, repository):
    program = str(repository / "train" / "train_operator.py")
    command = [sys.executable, program, *arguments(files, "--operator", "linear")]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "2 of 2 cells trained" in finished.stderr
    operator = load_operator(files / "trained" / "operator.nc", latitude=LATITUDE, longitude=LONGITUDE)
    predictors = torch.tensor([[0.25, 288.0, 2.0], [0.2, 280.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(operator(predictors), torch.tensor([-9.0, -10.0]).double(), atol=0.05, rtol=0.0)
    with netCDF4.Dataset(files / "trained" / "operator.nc") as file:
        assert file.training_epochs == "40"
        assert file.period == "2010-01-01 to 2010-07-01"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--operator", "netwrk"), "did you mean network?"),
        (("--predictors", "[WG2, WG3]"), "variable WG3 is missing"),
        (("--start", "2009-01-01", "--end", "2010-01-01"), "no output between"),
        (("--start", "yesterday"), "is not a date"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(extra, message, files, repository, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train_operator.py", *arguments(files, *extra)])
    with pytest.raises(SystemExit) as finished:
        runpy.run_path(str(repository / "train" / "train_operator.py"), run_name="__main__")
    assert finished.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert not (files / "trained").exists()
