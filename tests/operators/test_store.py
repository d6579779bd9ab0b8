"""Operators as netCDF files."""

import json

import netCDF4
import numpy as np
import pytest
import torch

from dalearn.errors import InputError
from dalearn.operators import create_operator, load_operator, save_operator
from dalearn.operators.base import _REGISTRY, ObservationOperator, register_operator

POSITIONS = {"latitude": np.array([43.0, 43.25, 43.5]), "longitude": np.array([0.0, 359.75, 1.5])}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("network", {"hidden_layers": 2, "hidden_units": 5, "activation": "tanh"}),
        ("shared_network", {}),
        ("hierarchical_network", {"hidden_units": [6, 5], "embedding": 2}),
        ("linear", {"predictors": ["WG2", "LAI"]}),
        ("water_cloud", {"incidence_angle": 30.0}),
        ("wg2", {}),
    ],
)
def test_loaded_again_it_is_the_same(name, options, dtype, tmp_path, draw, fitted):
    operator = fitted(create_operator(name, cell_count=3, dtype=dtype, out_of_range="drop", **options))
    operator.trained[1] = False
    save_operator(operator, tmp_path / "operator.nc", **POSITIONS)
    loaded = load_operator(tmp_path / "operator.nc", **POSITIONS)
    predictors = draw(operator, 20)
    assert torch.equal(loaded(predictors), operator(predictors))
    assert torch.equal(loaded.in_range(predictors), operator.in_range(predictors))
    assert loaded.options() == operator.options()
    assert (loaded.predictors, loaded.dtype) == (operator.predictors, dtype)
    assert loaded.trained.tolist() == [True, False, True]


def test_anyone_can_evaluate_the_file(tmp_path, draw, fitted):
    operator = fitted(create_operator("network", cell_count=3))
    predictors = draw(operator, 1)[0]
    save_operator(operator, tmp_path / "operator.nc", **POSITIONS, attributes={"inputs": ["a.nc"], "commit": "abc"})
    with netCDF4.Dataset(tmp_path / "operator.nc") as file:
        assert (file.Conventions, file.operator, file.quantity_units) == ("CF-1.11", "network", "dB")
        assert json.loads(file.inputs) == ["a.nc"]
        assert list(file["predictor"][:]) == ["WG2", "TG2", "LAI"]
        assert file["W1"].dimensions == ("cell", "predictor", "hidden_1")
        assert file["trained"].flag_meanings == "untrained trained"
        read = {name: np.asarray(file[name][:]) for name in file.variables if name != "predictor"}
    bounded = np.clip(predictors.numpy(), read["predictor_minimum"], read["predictor_maximum"])
    score = (bounded - read["predictor_mean"]) / read["predictor_std"]
    hidden = np.maximum(np.einsum("ci,cih->ch", score, read["W1"]) + read["b1"], 0.0)
    sigma0 = read["target_mean"] + read["target_std"] * ((hidden * read["W2"]).sum(-1) + read["b2"])
    np.testing.assert_allclose(sigma0, operator(predictors).detach().numpy(), rtol=1e-12)


def test_other_cells_are_refused(tmp_path):
    path = tmp_path / "operator.nc"
    save_operator(create_operator("network", cell_count=3), path, **POSITIONS)
    around = {**POSITIONS, "longitude": np.array([360.0, -0.25, 1.5])}
    load_operator(path, **around)
    with pytest.raises(InputError, match=r"cell 2 .* 0\.5 degrees"):
        load_operator(path, latitude=POSITIONS["latitude"] + [0.0, 0.0, 0.5], longitude=POSITIONS["longitude"])
    with pytest.raises(InputError, match="3 cells, but the grid has 1"):
        load_operator(path, latitude=np.zeros(1), longitude=np.zeros(1))


def test_absent_truncated_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "operator.nc"
    with pytest.raises(InputError, match=r"operator\.nc"):
        load_operator(path)
    save_operator(create_operator("network", cell_count=3), path, **POSITIONS)
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(InputError, match=r"operator\.nc"):
        load_operator(path)
    path.write_text("not netCDF")
    with pytest.raises(InputError, match="not a netCDF file"):
        load_operator(path)
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", 3)
    with pytest.raises(InputError, match="not an operator file"):
        load_operator(path)


@pytest.mark.parametrize(("change", "message"), [("drop", "variable b2 .* missing"), ("nan", "variable b2 holds NaN")])
def test_incomplete_weights_are_refused(change, message, tmp_path):
    path = tmp_path / "operator.nc"
    save_operator(create_operator("network", cell_count=3), path, **POSITIONS)
    with netCDF4.Dataset(path, "a") as file:
        if change == "drop":
            file.renameVariable("b2", "elsewhere")
        else:
            file["b2"][1] = np.nan
    with pytest.raises(InputError, match=message):
        load_operator(path)


def test_unwritable_directory_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="absent"):
        save_operator(create_operator("network", cell_count=3), tmp_path / "absent" / "operator.nc", **POSITIONS)
    assert list(tmp_path.iterdir()) == []


def test_an_operator_that_is_no_longer_registered_names_its_module(tmp_path):
    @register_operator("test_transient")
    class TransientOperator(ObservationOperator):
        predictors = ("LAI",)
        quantity = "LAI"

        def forward(self, predictors):
            return predictors[..., 0]

    save_operator(create_operator("test_transient", cell_count=3), tmp_path / "operator.nc", **POSITIONS)
    del _REGISTRY["test_transient"]
    with pytest.raises(InputError, match=f"unknown operator 'test_transient'.*import {__name__} first"):
        load_operator(tmp_path / "operator.nc")
