"""Tables 1 and 2 from the files of a run directory."""

import json

import numpy as np
import xarray as xr
import yaml

from dalearn.evaluation.settings_tables import experiment_table, hyperparameter_table

CONFIG = {
    "twin": {"start": "2015-01-01"},
    "open_loop": {"start": "2007-01-01", "end": "2019-01-01"},
    "observations": [
        {"name": "radar", "quantity": "sigma0", "rescale": "none"},
        {"name": "SWI", "quantity": "SSM", "rescale": "seasonal"},
        {"name": "PROBA-V", "quantity": "LAI", "rescale": "none"},
    ],
    "training": {"observations": "radar", "operator": "network"},
    "assimilation": {
        "start": "2015-01-01",
        "end": "2019-01-01",
        "filter": {"scheme": "sekf", "control": ["LAI", "WG2"]},
        "experiments": [
            {"name": "EKF", "observations": ["radar"], "filter": {}},
            {"name": "EKF_SWI_LAI", "observations": ["SWI", "PROBA-V"], "filter": {"scheme": "ensrf"}},
        ],
    },
}


def write(path, config):
    path.write_text(yaml.safe_dump(config))
    return path


def test_experiments_with_what_they_assimilate(tmp_path):
    table = experiment_table(write(tmp_path / "config.yaml", CONFIG)).set_index("experiment")
    assert list(table.index) == ["OL", "EKF", "EKF_SWI_LAI"]
    assert table.loc["OL", "period"] == "2007-01-01 to 2019-01-01"
    assert table.loc["EKF", "assimilated observations"] == "radar (sigma0)"
    assert table.loc["EKF", "model equivalent"] == "sigma0 (network)"
    assert table.loc["EKF_SWI_LAI", "assimilated observations"] == "SWI (SSM, rescaled (seasonal)), PROBA-V (LAI)"
    assert table.loc["EKF_SWI_LAI", "model equivalent"] == "WG2, LAI"
    assert list(table["filter"]) == ["", "sekf", "ensrf"]
    assert set(table["atmospheric forcing"]) == {"synthetic weather of the twin"}


def test_open_loop_of_a_real_site(tmp_path):
    config = {"twin": None, "open_loop": CONFIG["open_loop"], "observations": None, "assimilation": None}
    table = experiment_table(write(tmp_path / "config.yaml", {**config, "forcing": {"path": "/data/FORCING.nc"}}))
    assert list(table["experiment"]) == ["OL"]
    assert table["atmospheric forcing"][0] == "FORCING.nc"
    table = experiment_table(write(tmp_path / "config.yaml", {**config, "prepare": {}, "forcing": None}))
    assert table["atmospheric forcing"][0] == "prepared from downloaded files"


def test_hyperparameters_beside_those_of_the_paper(tmp_path):
    attributes = {
        "operator": "network",
        "operator_options": json.dumps({"hidden_layers": 2, "hidden_units": 20, "activation": "tanh"}),
        "training_settings": json.dumps({"learning_rate": 1e-3, "epochs": 100, "batch_size": 64}),
        "training_period": "2015 to 2018",
    }
    dataset = xr.Dataset(
        {"trained": ("cell", np.array([1, 1, 0], dtype="int8")), "predictor_mean": ("cell", np.zeros(3)),
         "predictor_std": ("cell", np.ones(3))},
        coords={"predictor": ["WG2", "LAI"]}, attrs=attributes,
    )  # fmt: skip
    dataset.to_netcdf(tmp_path / "operator.nc")
    table = hyperparameter_table(tmp_path / "operator.nc").set_index("hyper-parameter")
    here = table["this run"]
    assert here["hidden layers"] == "2"
    assert here["number of neurons"] == "20"
    assert here["learning rate"] == "0.001"
    assert here["cells with a trained operator"] == "2"
    assert here["predictors"] == "WG2, LAI"
    assert here["preprocessing of predictors"] == "z-score normalisation"
    assert here["share of the training period for validation"] == ""
    paper = table["Corchia et al. (2023)"]
    assert list(paper[["hidden layers", "number of neurons", "learning rate", "epoch number"]]) == [
        "1", "40", "0.001", "250"
    ]  # fmt: skip
    assert paper["batch size"] == "not stated"


def test_an_operator_without_layers(tmp_path):
    xr.Dataset(attrs={"operator": "linear", "operator_options": "{}"}).to_netcdf(tmp_path / "operator.nc")
    here = hyperparameter_table(tmp_path / "operator.nc").set_index("hyper-parameter")["this run"]
    assert here["operator"] == "linear"
    assert here["hidden layers"] == here["preprocessing of predictors"] == ""
