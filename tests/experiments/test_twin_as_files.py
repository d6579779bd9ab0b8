"""The files of a twin, given as paths in place of the section ``twin``, make the same experiment."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml

from dalearn.experiments.config import load_config
from dalearn.experiments.pipeline import Pipeline

STAGES = ("open_loop", "train", "assimilate")
FILES = {"sigma0": "sigma0.nc", "LAI": "lai.nc", "SWI": "ssm_satellite.nc", "stations": "ssm_in_situ.nc"}


def short(repository: Path) -> dict[str, Any]:
    """configs/corchia2023.yaml for three cells (Condom, Mouthoumet and one in the Landes) and nine days of June."""
    content = yaml.safe_load((repository / "configs" / "corchia2023.yaml").read_text())
    content["compile"] = False
    content["twin"] |= {
        "cells": [85, 129, 238], "start": "2007-06-01", "years": 1, "length_days": 10, "spin_up": 0, "lai_interval": 2,
        "time_step": 3600,
    }  # fmt: skip
    content["land"]["time_step"] = 3600
    content["observations"][2] |= {"rescale": "none"}  # a fit by month takes months
    content["open_loop"] |= {
        "start": "2007-06-01", "end": "2007-06-10", "block_days": 4,
        "spin_up": {"start": "2007-06-01", "end": "2007-06-02", "repetitions": 1},
    }  # fmt: skip
    content["training"] |= {
        "start": "2007-06-01", "end": "2007-06-07", "test_start": "2007-06-07", "test_end": "2007-06-10",
        "settings": {"epochs": 3, "minimum_samples": 4},
    }  # fmt: skip
    content["assimilation"] |= {
        "start": "2007-06-07", "end": "2007-06-10",
        "experiments": [{"name": "EKF", "observations": ["sigma0"]}, {"name": "EKF_LAI", "observations": ["LAI"]}],
    }  # fmt: skip
    return content


def run(path: Path, content: dict[str, Any], directory: Path) -> Path:
    path.write_text(yaml.safe_dump(content))
    Pipeline(load_config(path, run_directory=str(directory)), ["test"]).run(STAGES)
    return directory


@pytest.fixture(scope="module")
def with_twin(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("with_twin")
    return run(folder / "short.yaml", short(repository), folder / "run")


@pytest.mark.parametrize("name", ["open_loop.nc", "operator.nc", "analysis.nc"])
def test_the_experiment_is_the_same(with_twin: Path, without_twin: Path, name: str) -> None:
    with netCDF4.Dataset(with_twin / name) as one, netCDF4.Dataset(without_twin / name) as other:
        assert set(one.variables) == set(other.variables)
        assert len(one.variables) > 5
        for variable in one.variables:
            first, second = (
                np.ma.filled(np.ma.asarray(file[variable][...]).astype(object), -1) for file in (one, other)
            )
            assert np.array_equal(first.astype(str), second.astype(str)), variable


@pytest.fixture(scope="module")
def without_twin(with_twin: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same configuration, ``twin`` replaced by ``surface`` and ``forcing``, and paths to what the twin made."""
    content = short(repository)
    del content["twin"]
    made = with_twin / "inputs"
    content["surface"] = {"path": str(made / "surface.nc")}
    content["forcing"] = {"path": str(made / "FORCING.nc")}
    for observation in content["observations"]:
        observation["path"] = str(made / FILES[observation["name"]])
    folder = tmp_path_factory.mktemp("without_twin")
    return run(folder / "short.yaml", content, folder / "run")
