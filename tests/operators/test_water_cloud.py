"""The water cloud model against the hand-checked numbers of the filter specification (10.8)."""

import math

import pytest
import torch

from dalearn.errors import InputError
from dalearn.operators import create_operator

GOLDEN = {"A": 0.05, "B": 0.15, "C": -16.0, "D": 40.0}


def sample(soil_moisture, leaf_area_index):
    return torch.tensor([[soil_moisture, leaf_area_index]], dtype=torch.float64, requires_grad=True)


def test_golden_value_and_derivatives():
    predictors = sample(0.25, 2.0)
    sigma0 = create_operator("water_cloud", cell_count=1, **GOLDEN)(predictors)
    (gradient,) = torch.autograd.grad(sigma0.sum(), predictors)
    assert sigma0.item() == pytest.approx(-8.05830837, abs=1e-8)
    assert gradient[0].tolist() == pytest.approx([29.3583821, -0.28991873], abs=1e-7)


def test_bare_soil():
    assert create_operator("water_cloud", cell_count=1, **GOLDEN)(sample(0.25, 0.0)).item() == pytest.approx(-6.0)


@pytest.mark.parametrize(("soil_moisture", "sign"), [(0.05, 1.0), (0.35, -1.0)])
def test_derivatives_follow_equation_15(soil_moisture, sign):
    leaf_area_index, cosine = 3.0, math.cos(math.radians(40.0))
    predictors = sample(soil_moisture, leaf_area_index)
    sigma0 = create_operator("water_cloud", cell_count=1, **GOLDEN)(predictors)
    (gradient,) = torch.autograd.grad(sigma0.sum(), predictors)
    a, b, c, d = GOLDEN.values()
    transmissivity = math.exp(-2 * b * leaf_area_index / cosine)
    soil = 10 ** ((c + d * soil_moisture) / 10)
    total = a * leaf_area_index * cosine * (1 - transmissivity) + transmissivity * soil
    brace = a * cosine * (1 - transmissivity) + 2 * b / cosine * transmissivity * (a * leaf_area_index * cosine - soil)
    expected = [d * transmissivity * soil / total, 10 / math.log(10) / total * brace]
    assert gradient[0].tolist() == pytest.approx(expected, rel=1e-10)
    assert math.copysign(1.0, gradient[0, 1].item()) == sign


def test_parameters_are_per_cell_and_stay_in_their_ranges():
    values = torch.tensor([20.0, 70.0])
    operator = create_operator("water_cloud", cell_count=2, D=values)
    torch.testing.assert_close(operator.parameter("D"), values.double())
    operator.D_logit.data += 50.0
    assert operator.parameter("D").tolist() == pytest.approx([80.0, 80.0])


def test_parameters_outside_their_ranges_and_other_predictors_are_refused():
    with pytest.raises(InputError, match=r"D must be inside \(15, 80\)"):
        create_operator("water_cloud", cell_count=1, D=90.0)
    with pytest.raises(InputError, match="soil moisture and LAI"):
        create_operator("water_cloud", cell_count=1, predictors=["WG2", "TG2", "LAI"])
    with pytest.raises(InputError, match="incidence_angle"):
        create_operator("water_cloud", cell_count=1, incidence_angle=95.0)
