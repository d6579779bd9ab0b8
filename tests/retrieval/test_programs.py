"""The two programs, from the command line: train on a small database, retrieve a scene with what was trained."""

import csv
import runpy
import sys

import netCDF4
import numpy as np
import pytest


@pytest.fixture
def program(repository, monkeypatch):
    """Runs ``train/<name>.py`` with arguments; returns its exit code."""

    def run(name: str, *arguments: str) -> int:
        path = repository / "train" / f"{name}.py"
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return run


def write_scene(path):
    with netCDF4.Dataset(path, "w") as dataset:
        for name, units in (("lat", "degrees_north"), ("lon", "degrees_east")):
            dataset.createDimension(name, 4)
            dataset.createVariable(name, "f8", (name,))[:] = 43.0 + 0.001 * np.arange(4)
            dataset[name].units = units
        for name, value in (("sigma0_VV", -11.0), ("sigma0_VH", -19.0), ("NDVI", 0.3), ("incidence_angle", 38.0)):
            dataset.createVariable(name, "f4", ("lat", "lon"))[:] = value


def test_train_then_retrieve(program, tmp_path):
    few = ("--database.samples", "4000", "--test.samples", "2000", "--inversion.starts", "1")
    assert program("train_retrieval", "--output", str(tmp_path), *few, "--inversion.polarisations", "[VV,VH]") == 0
    with (tmp_path / "skill_VVVH.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["RMSE"]) < 0.055
    write_scene(tmp_path / "S1_20180501T060000.nc")
    trained = str(tmp_path / "retrieval_VVVH.nc")
    scenes = ("--files", str(tmp_path / "S1_*.nc"), "--block", "2")
    assert program("retrieve_moisture", "--inversion", trained, *scenes, "--output", str(tmp_path / "plots")) == 0
    with netCDF4.Dataset(tmp_path / "plots" / "S1_20180501T060000.nc") as dataset:
        moisture = np.asarray(dataset["SSM"][:])
        assert dataset["time"][0] == np.datetime64("2018-05-01T06:00:00", "s").astype(int)
    assert moisture.shape == (1, 2, 2)
    assert ((moisture > 0.05) & (moisture < 0.35)).all()


def test_errors_are_one_line(program, tmp_path, capsys, repository):
    assert program("train_retrieval", "--output", str(tmp_path), "--test.seed", "1") == 2
    assert capsys.readouterr().err.startswith("error: test.seed is 1")
    shipped = str(repository / "checkpoints" / "retrieval_VV.nc")
    missing = ("--files", str(tmp_path / "*.nc"), "--output", str(tmp_path / "plots"))
    assert program("retrieve_moisture", "--inversion", shipped, *missing) == 2
    assert "no such file" in capsys.readouterr().err
    write_scene(tmp_path / "scene.nc")
    assert program("retrieve_moisture", "--inversion", shipped, *missing[:2], "--output", str(tmp_path)) == 2
    assert "would replace it" in capsys.readouterr().err
