"""The runnable program that tunes error scales on the twin, in its quick form."""

import json
import runpy
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_quick_tuning_writes_its_results(tmp_path, repository):
    program = str(repository / "train" / "tune_errors.py")
    command = [sys.executable, program, "--output", str(tmp_path / "tuned"), "--quick", "true"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    document = json.loads((tmp_path / "tuned" / "scales.json").read_text())
    assert document["runs_of_the_cycle"] == 2
    assert document["log_likelihood"][-1] > document["log_likelihood"][0], "the one step goes uphill"
    assert set(document["scales"]) == {"B LAI", "B WG2", "B WG3", "B WG4", "B WG6", "R SSM", "R LAI"}
    assert document["scales"]["B WG6"]["constrained"] is False
    assert (tmp_path / "tuned" / "scales.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("extra", "message"),
    [(("--cells", "[99]"), "the twin has the cells 0 to 35"), (("--start", "yesterday"), "is not a date")],
)
def test_bad_input_is_one_line_and_exit_code_2(extra, message, tmp_path, repository, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tune_errors.py", "--output", str(tmp_path / "tuned"), *extra])
    with pytest.raises(SystemExit) as finished:
        runpy.run_path(str(repository / "train" / "tune_errors.py"), run_name="__main__")
    assert finished.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert not (tmp_path / "tuned").exists()
