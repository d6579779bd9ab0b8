"""isba_physics.md 3.7, 11.6."""

import math

import numpy as np
import pytest
import torch

from dalearn.land.interception import canopy_capacity, update_interception, wet_fraction


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_wet_fraction_of_low_and_high_canopies() -> None:
    capacity, half = tensor(1.0), tensor(0.5)
    assert wet_fraction(half, capacity, tensor(5.0), tensor(0.1)).item() == pytest.approx(0.6299605, abs=1e-7)
    assert wet_fraction(half, capacity, tensor(5.0), tensor(2.0)).item() == pytest.approx(1.0 / 12.0, rel=1e-12)
    for roughness in (0.1, 0.7, 2.0):
        assert wet_fraction(capacity, capacity, tensor(5.0), tensor(roughness)).item() == pytest.approx(1.0)


def test_wet_fraction_of_the_energy_example() -> None:
    """isba_physics.md 11.11: grass, LAI 2, 0.05 kg m-2."""
    capacity = canopy_capacity(tensor(0.2), tensor(0.95), tensor(2.0))
    fraction = wet_fraction(tensor(0.05), capacity, tensor(2.0), tensor(0.13 * 2.0 / 6.0))
    assert fraction.item() == pytest.approx(0.2586967296, rel=1e-9)


def test_no_canopy_is_dry_with_finite_gradients() -> None:
    water = tensor(0.0, 0.0, 0.3).requires_grad_()
    lai = tensor(0.0, 2.0, 2.0).requires_grad_()
    capacity = canopy_capacity(tensor(0.2, 0.2, 0.2), tensor(0.0, 0.95, 0.95), lai)
    fraction = wet_fraction(water, capacity, lai, tensor(0.1, 0.1, 0.1))
    assert fraction[0] == 0.0
    assert fraction[1] == 0.0
    gradients = torch.autograd.grad(fraction.sum(), (water, lai))
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("evaporation", [-1e-4, 0.0, 5e-5, 3e-3])
def test_water_is_conserved(evaporation: float) -> None:
    before, veg, rain, step = tensor(0.1), tensor(0.9), tensor(4e-4), 1800.0
    result = update_interception(
        intercepted_water=before,
        capacity=tensor(0.36),
        vegetation_fraction=veg,
        rainfall=rain,
        interception_evaporation=tensor(evaporation),
        time_step=step,
    )
    stored = (result.water - before) / step
    torch.testing.assert_close(stored + result.throughfall + evaporation, rain, rtol=0.0, atol=1e-17)
    assert 0.0 <= result.water.item() <= 0.36


def drip_of_uneven_rain(water: float, rain: float, capacity: float, mu: float, step: float) -> tuple[float, float]:
    """isba_physics.md 3.7, CRAIN='SGH', in plain numbers: drip (kg m-2 s-1) and the water left."""
    drip = 0.0
    if rain > 0.01 / step and water > 0.0:
        drip = min(rain * math.exp(mu * (water - capacity) / (rain * step)), water / step)
    if step > 300.0:
        left = water - step * drip
        if rain > 0.01 / step and left <= 1e-12:
            half = min(rain * math.exp(mu * (water - capacity) / (rain * step / 2.0)), water / (step / 2.0))
            left = water - step / 2.0 * half
        drip = 0.0
        if rain > 0.01 / step and left > 1e-12:
            drip = min(rain * math.exp(mu * (left - capacity) / (rain * step)), water / step)
    water -= step * drip
    deficit, water = min(0.0, water / step), max(0.0, water)
    return drip + max(0.0, (water - capacity) / step) + deficit, min(water, capacity)


@pytest.mark.parametrize("step", [300.0, 1800.0])
@pytest.mark.parametrize("mu", [1.0, 0.3])
def test_drip_of_uneven_rain(step: float, mu: float) -> None:
    generator = np.random.default_rng(3)
    before = generator.uniform(0.0, 0.4, 400)
    rain = generator.choice([0.0, 4e-6, 1e-4, 1e-3, 5e-3], 400)
    evaporation = generator.uniform(-2e-5, 8e-5, 400)
    result = update_interception(
        intercepted_water=torch.from_numpy(before),
        capacity=tensor(0.4).expand(400),
        vegetation_fraction=tensor(0.95).expand(400),
        rainfall=torch.from_numpy(rain),
        interception_evaporation=torch.from_numpy(evaporation),
        time_step=step,
        rain_fraction=torch.full((400,), mu, dtype=torch.float64),
    )
    for i in range(400):
        filled = before[i] + step * (0.95 * rain[i] - evaporation[i])
        drip, water = drip_of_uneven_rain(max(0.0, filled), 0.95 * rain[i], 0.4, mu, step)
        assert result.dripping[i].item() == pytest.approx(drip + min(0.0, filled / step), rel=1e-9, abs=1e-18)
        assert result.water[i].item() == pytest.approx(water, rel=1e-9, abs=1e-15)
    stored = (result.water.numpy() - before) / step
    np.testing.assert_allclose(stored + result.throughfall.numpy() + evaporation, rain, rtol=0.0, atol=1e-17)


def test_slope_of_a_nearly_dry_canopy_is_bounded():
    """Water of rounding size has the wet fraction of the power law, but not its slope of a million."""
    capacity, leaves, roughness = (torch.full((5,), value, dtype=torch.float64) for value in (0.4, 2.0, 0.1))
    water = torch.tensor([0.0, 4e-20, 1e-10, 4e-6, 0.1], dtype=torch.float64, requires_grad=True)
    fraction = wet_fraction(water, capacity, leaves, roughness)
    torch.testing.assert_close(fraction, (water / 0.4) ** (2.0 / 3.0), rtol=1e-12, atol=0.0)
    (slope,) = torch.autograd.grad(fraction.sum(), water)
    share = water.detach() / 0.4
    expected = torch.where(share < 1e-6, 100.0, (2.0 / 3.0) * share ** (-1.0 / 3.0)) / 0.4
    expected[0] = 0.0
    torch.testing.assert_close(slope, expected, rtol=1e-12, atol=0.0)


def test_rounding_leaves_no_water_and_no_derivative():
    """A canopy that dries exactly: W - dt E is 0 but for rounding."""
    water = torch.tensor([0.3, 0.3, 0.0], dtype=torch.float64, requires_grad=True)
    evaporation = torch.tensor([0.3 / 1800.0 * (1.0 - 1e-15), 0.2 / 1800.0, 0.0], dtype=torch.float64)
    left = update_interception(
        intercepted_water=water, capacity=torch.full_like(water, 0.4).detach(),
        vegetation_fraction=torch.full_like(water, 0.9).detach(), rainfall=torch.zeros(3, dtype=torch.float64),
        interception_evaporation=evaporation, time_step=1800.0,
    ).water  # fmt: skip
    assert left[0] == 0.0
    assert left[1].item() == pytest.approx(0.1)
    (slope,) = torch.autograd.grad(left.sum(), water)
    assert slope.tolist() == [0.0, 1.0, 0.0]
