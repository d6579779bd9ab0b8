"""The filter algebra against SURFEX SODA: stored end states and Jacobians in, gains and increments out."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr

from dalearn.assimilation.backends import Linearisation, model_equivalents
from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.covariance import ObservationErrorSettings, background_variance
from dalearn.assimilation.settings import FilterSettings
from dalearn.assimilation.update import update
from dalearn.operators import create_operator

CONTROL = ControlVector()
TOLERANCE = 1e-12


def tensor(values):
    return torch.tensor(np.asarray(values), dtype=torch.float64)


def last(values):
    """(patch, layer) to (layer, patch) with undefined entries 0."""
    return torch.nan_to_num(tensor(values)).T.contiguous()


def soda_case(toy, dataset, moisture, ice, leaves, biomass):
    """Grid, parameters and forecast of a stored case."""
    patches = [int(number) for number in dataset.patch.values]
    grid = toy.grid([patches], [dataset.alpha.values.tolist()])
    vegetated = (~np.isnan(leaves)).tolist()
    parameters = toy.parameters(len(patches), vegetated=vegetated, moisture_range=float(dataset.attrs["dw"]))
    parameters.soil.porosity.copy_(tensor(dataset.par_WSAT.values).unsqueeze(1).expand(14, len(patches)))
    parameters.vegetation.minimum_leaf_area_index.copy_(
        tensor([1.0 if number in (5, 6) else 0.3 for number in patches])
    )
    state = toy.state(parameters)
    state.soil_moisture.copy_(last(moisture))
    state.soil_ice.copy_(last(ice))
    state.leaf_area_index.copy_(torch.nan_to_num(tensor(leaves)))
    state.leaf_biomass.copy_(torch.nan_to_num(tensor(biomass)))
    return SimpleNamespace(grid=grid, parameters=parameters, state=state)


def analysis(case, H, y, observed, errors, leaf_biomass="surfex"):
    operators = [create_operator(name, cell_count=1) for name in ("wg2", "lai")]
    settings = FilterSettings(
        observation_error={
            "SSM": ObservationErrorSettings(errors[0], "soil_range"),
            "LAI": ObservationErrorSettings(errors[1], "observation", floor=0.01),
        },
        leaf_biomass=leaf_biomass,
    )
    predictors, _ = model_equivalents(operators, case.grid, [case.state] * 2)
    linear = Linearisation(case.state, predictors, tensor(y).unsqueeze(1), torch.nan_to_num(tensor(H)))
    return update(linear, tensor(observed).unsqueeze(1), case.grid, case.parameters, operators, settings)


def assert_close(ours, soda):
    np.testing.assert_allclose(ours, np.nan_to_num(soda), rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["A_0501", "B_0501", "B_0220"])
def test_single_analyses(shared, toy, name):
    with xr.open_dataset(shared / "reference" / "soda" / f"{name}.nc") as dataset:
        dataset.load()
    end = dataset.isel(run=0)
    leaves = end.end_LAI.values
    case = soda_case(toy, dataset, end.end_WG.values, end.end_WGI.values, leaves, end.end_BIOMA1.values)
    B = background_variance(CONTROL, case.state.leaf_area_index, case.parameters)
    assert_close(B[:, ~np.isnan(leaves)], dataset.B_diag.values[:, ~np.isnan(leaves)])
    for experiment in dataset.exp.values:
        stored = dataset.sel(exp=experiment)
        case.parameters.vegetation.biomass_per_leaf_area.copy_(tensor(stored.exp_xalph.values))
        result = analysis(
            case,
            dataset.H.values,
            dataset.y_b.values,
            stored.exp_y_obs.values,
            stored.exp_xerr.values.tolist(),
            "model" if experiment == "both_xalph" else "surfex",
        )
        assert_close(result.gain, stored.exp_K.values)
        assert_close(result.increment, stored.exp_incr.values)
        assert_close(result.state.leaf_biomass, stored.exp_bioma1.values)
        assert_close(CONTROL.of(result.state), stored.exp_xa.values)


def test_the_references_reach_the_limits(shared, toy):
    """Section 12.8: LAI floor in B_0220 clip_neg, porosity in A_0501 clip_pos."""
    for name, experiment, limit in (
        ("B_0220", "clip_neg", "minimum_leaf_area_index"),
        ("A_0501", "clip_pos", "soil_moisture_bounds"),
        ("A_0501", "clip_pos", "leaf_area_index_increment"),
    ):
        with xr.open_dataset(shared / "reference" / "soda" / f"{name}.nc") as dataset:
            dataset.load()
        end, stored = dataset.isel(run=0), dataset.sel(exp=experiment)
        case = soda_case(toy, dataset, end.end_WG.values, end.end_WGI.values, end.end_LAI.values, end.end_BIOMA1.values)
        errors = stored.exp_xerr.values.tolist()
        result = analysis(case, dataset.H.values, dataset.y_b.values, stored.exp_y_obs.values, errors)
        assert result.limit_hits[limit] > 0


def test_cycled_analyses(shared, toy):
    with xr.open_dataset(shared / "reference" / "soda" / "cycle_B.nc") as dataset:
        dataset.load()
    for day in range(dataset.sizes["day"]):
        stored = dataset.isel(day=day)
        prior = [stored[f"prior_{name}"].values for name in ("WG", "WGI", "LAI", "BIOMA1")]
        case = soda_case(toy, dataset, *prior)
        result = analysis(case, stored.H.values, stored.y_b.values, stored.y_obs.values, [0.5, 0.2])
        assert_close(result.gain, stored.K.values)
        assert_close(result.increment, stored.incr.values)
        assert_close(result.state.leaf_biomass, stored.post_BIOMA1.values)
        assert_close(result.state.soil_moisture[1:8].T, stored.post_WG.values[:, 1:8])
