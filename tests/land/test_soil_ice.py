"""isba_physics.md 6.1, 6.2, 11.10."""

import pytest
import torch

from dalearn.constants import DENSITY_WATER, LATENT_HEAT_FUSION
from dalearn.land.soil_heat import soil_thermal
from dalearn.land.soil_ice import freeze_or_thaw, maximum_liquid_water


def column(value: float) -> torch.Tensor:
    return torch.full((14, 1), value, dtype=torch.float64)


@pytest.mark.parametrize(
    ("temperature", "limit"),
    [
        (273.16, 0.451105),
        (273.0, 0.2320465150),
        (272.16, 0.1729163929),
        (271.16, 0.1546485152),
        (268.16, 0.1332936193),
        (263.16, 0.1189228637),
    ],
)
def test_maximum_liquid_water(soil_of, temperature: float, limit: float) -> None:
    assert maximum_liquid_water(column(temperature), soil_of())[0].item() == pytest.approx(limit, abs=1e-10)


@pytest.mark.parametrize(
    ("before", "time_step", "after"),
    [
        ((271.16, 0.25, 0.0), 300.0, (271.315773, 0.249000656, 0.000999343968)),
        ((271.16, 0.16, 0.05), 300.0, (271.195940, 0.159799916, 0.0502000843)),
        ((273.66, 0.20, 0.05), 300.0, (273.581668, 0.200475692, 0.0495243081)),
        ((268.16, 0.30, 0.0), 900.0, (269.272585, 0.292159168, 0.00784083247)),
    ],
)
def test_single_layer_steps(soil_of, before, time_step, after) -> None:
    soil = soil_of()
    temperature, moisture, ice = (column(value) for value in before)
    capacity = soil_thermal(temperature, moisture, ice, soil).heat_capacity
    result = freeze_or_thaw(
        temperature, moisture, ice, heat_capacity=capacity, surface_insulation=column(1.0), soil=soil,
        time_step=time_step,
    )  # fmt: skip
    assert result.temperature[3].item() == pytest.approx(after[0], abs=1e-6)
    assert result.moisture[3].item() == pytest.approx(after[1], abs=1e-9)
    assert result.ice[3].item() == pytest.approx(after[2], abs=1e-10)


def test_thaw_conserves_water_and_energy(soil_of) -> None:
    soil = soil_of()
    temperature, moisture, ice = column(274.0), column(0.2), column(0.05)
    capacity = soil_thermal(temperature, moisture, ice, soil).heat_capacity
    result = freeze_or_thaw(
        temperature, moisture, ice, heat_capacity=capacity, surface_insulation=column(1.0), soil=soil, time_step=900.0
    )
    torch.testing.assert_close(result.moisture + result.ice, moisture + ice, rtol=0.0, atol=1e-16)
    latent = DENSITY_WATER * LATENT_HEAT_FUSION * (result.ice - ice)
    torch.testing.assert_close(capacity * (result.temperature - temperature), latent, rtol=1e-9, atol=1e-4)


@pytest.mark.parametrize("temperature", [263.16, 273.16, 273.16 - 1e-9, 283.16])
@pytest.mark.parametrize("ice", [0.0, 0.05])
def test_gradients_are_finite_around_the_melting_point(soil_of, temperature: float, ice: float) -> None:
    soil = soil_of()
    leaves = [column(value).requires_grad_() for value in (temperature, 0.2, ice)]
    result = freeze_or_thaw(
        *leaves, heat_capacity=column(2.5e6), surface_insulation=column(1.0), soil=soil, time_step=900.0
    )
    gradients = torch.autograd.grad(sum(part.sum() for part in result), leaves)
    assert all(gradient.isfinite().all() for gradient in gradients)
