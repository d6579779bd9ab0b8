"""Error variances: ldas_sekf.md 1.5, 1.6, 10.5."""

import pytest
import torch

from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.covariance import (
    BackgroundErrorSettings,
    ObservationErrorSettings,
    background_variance,
    observation_variance,
    published_observation_errors,
    soil_range_of_cells,
)
from dalearn.errors import InputError
from dalearn.land.soil import soil_moisture_range


def test_leaf_area_index_rule(toy):
    """Section 10.5."""
    leaves = torch.tensor([0.5, 1.999, 2.0, 3.0, 5.0], dtype=torch.float64)
    B = background_variance(ControlVector(("LAI",)), leaves, toy.parameters(5))
    assert B.sqrt().flatten().tolist() == pytest.approx([0.4, 0.4, 0.4, 0.6, 1.0])


def test_low_leaf_area_index_does_not_scale(toy):
    leaves = torch.tensor([1.0, 4.0], dtype=torch.float64)
    settings = BackgroundErrorSettings(leaf_area_index=0.1)
    B = background_variance(ControlVector(("LAI",)), leaves, toy.parameters(2), settings)
    assert B.sqrt().flatten().tolist() == pytest.approx([0.4, 0.4])


def test_soil_moisture_in_units_of_the_soil_range(toy):
    control = ControlVector()
    B = background_variance(control, torch.full((1,), 3.0, dtype=torch.float64), toy.parameters(1, moisture_range=0.1))
    deviation = dict(zip(control.names, B.sqrt().flatten().tolist(), strict=True))
    assert deviation == pytest.approx({"LAI": 0.6, "WG2": 0.04} | {f"WG{layer}": 0.02 for layer in range(3, 9)})


def test_missing_background_error(toy):
    with pytest.raises(InputError, match="background error of WG1, WG9"):
        background_variance(ControlVector(("WG1", "WG2", "WG9")), torch.ones(1), toy.parameters(1))


def test_observation_rules():
    observed = torch.tensor([[-8.0, -9.0], [0.2, torch.nan], [3.6, 0.0]], dtype=torch.float64)
    soil_range = torch.tensor([0.10, 0.08], dtype=torch.float64)
    R = observation_variance(("sigma0", "SSM", "LAI"), observed, soil_range, published_observation_errors())
    assert R[0].sqrt().tolist() == pytest.approx([0.33, 0.33])
    assert R[1].sqrt().tolist() == pytest.approx([0.05, 0.04])
    assert R[2, 0].item() == pytest.approx(0.5184)
    assert R[2, 1].item() > 0, "an observed LAI of 0 is not exact"


def test_given_errors():
    observed, given = torch.tensor([[0.2, 0.3]]), torch.tensor([[0.03, 0.001]])
    settings = {"SSM": ObservationErrorSettings(1.0, "given", floor=0.01)}
    R = observation_variance(("SSM",), observed, torch.ones(2), settings, given)
    assert R.sqrt().flatten().tolist() == pytest.approx([0.03, 0.01])
    with pytest.raises(InputError, match="carry no error"):
        observation_variance(("SSM",), observed, torch.ones(2), settings)


def test_missing_observation_error():
    with pytest.raises(InputError, match="observation error of VOD is not set"):
        observation_variance(("VOD",), torch.ones(1, 1), torch.ones(1), published_observation_errors())


def test_soil_range_of_cells(toy):
    grid = toy.grid([[7, 10], [4]], [[0.3, 0.7], [1.0]])
    assert soil_range_of_cells(grid, toy.parameters(3, moisture_range=0.0875)).tolist() == [0.0875, 0.0875]


@pytest.mark.parametrize(("clay", "expected"), [(0.10, 0.081739), (0.18, 0.087056), (0.25, 0.088700), (0.40, 0.088511)])
def test_soil_range(clay, expected):
    """Sections 1.4 and 10.1."""
    assert soil_moisture_range(torch.tensor(clay, dtype=torch.float64)).item() == pytest.approx(expected, abs=1e-6)
