"""Which operator sees which observations: the trained one its own kind, the direct one what is rescaled."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dalearn.errors import InputError
from dalearn.experiments.config import Config, load_config
from dalearn.experiments.equivalents import load_equivalents
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.setup import Setup
from dalearn.operators import create_operator, save_operator

from .conftest import CONFIG, LATITUDE, LONGITUDE

OBSERVATIONS = [
    {"name": "index", "quantity": "SSM", "path": "ssm.nc"},
    {"name": "rescaled", "quantity": "SSM", "path": "ssm.nc", "rescale": "seasonal"},
    {"name": "LAI", "quantity": "LAI", "path": "lai.nc"},
]


def config_of(tmp_path: Path, **experiments: list[str]) -> Config:
    content: dict[str, Any] = copy.deepcopy(CONFIG)
    content["observations"] = OBSERVATIONS
    content["training"]["observations"] = "index"
    content["evaluation"] = {}
    content["assimilation"]["experiments"] = [
        {"name": name, "observations": observations} for name, observations in experiments.items()
    ]
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_config(path, run_directory=str(tmp_path / "run"))


@pytest.mark.parametrize(("name", "operator"), [("rescaled", "wg2"), ("index", "linear")])
def test_operator_of_each_series(name: str, operator: str, tmp_path: Path) -> None:
    trained = create_operator("linear", cell_count=3, predictors=["WG2"], quantity="SSM", units="%")
    directory = RunDirectory(tmp_path / "run")
    directory.path.mkdir()
    save_operator(trained, directory / "operator.nc", latitude=LATITUDE, longitude=LONGITUDE)
    config = config_of(tmp_path, EKF=[name, "LAI"])
    operators = load_equivalents(Setup(config, directory / "inputs"), directory, config.assimilated_observations())
    assert {quantity: item.name for quantity, item in operators.items()} == {"SSM": operator, "LAI": "lai"}
    assert operators["SSM"].units == ("%" if name == "index" else "m3 m-3")
    assert np.isclose(float(operators["LAI"].trained.double().mean()), 1.0)


def test_one_operator_per_quantity(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"rescaled and index are the same quantity, one .* two configurations"):
        config_of(tmp_path, first=["index"], second=["rescaled"])
