"""Backscatter of soil and plots: the limits that physics sets, and numbers worked out elsewhere."""

import math

import pytest
import torch

from dalearn.errors import InputError
from dalearn.retrieval.backscatter import POLARISATIONS, SOIL_MODELS, VEGETATION, plot_backscatter, soil_backscatter
from dalearn.retrieval.dielectric import soil_dielectric
from dalearn.retrieval.integral_equation import calibrated_length, integral_equation_backscatter

MOISTURE = torch.linspace(0.02, 0.40, 20, dtype=torch.float64)
FREQUENCY = 5.405


def number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def test_dielectric_constant_at_a_row_of_the_table():
    """4 GHz, 0.2 m3 m-3, 30 % sand, 10 % clay, by hand: 2.557 + 17.255 x 0.2 + 97.686 x 0.04 and its loss."""
    eps = soil_dielectric(number(0.2), 30.0, 10.0, 4.0)
    assert eps.real.item() == pytest.approx(2.557 + 3.451 + 3.90744)
    assert eps.imag.item() == pytest.approx(0.054 + 0.2 * 1.001 + 0.04 * 25.419)
    with pytest.raises(ValueError, match="4 to 6 GHz"):
        soil_dielectric(number(0.2), frequency=9.6)


@pytest.mark.parametrize("angle", [20.0, 40.0])
@pytest.mark.parametrize("moisture", [0.05, 0.35])
def test_smooth_soil_is_that_of_the_small_perturbation_model(angle, moisture):
    """For k s -> 0: sigma0 = 8 k^4 s^2 cos^4 |alpha|^2 L^2 / 2 exp(-(k L sin)^2), an independent solution."""
    height = number(1.0e-3)
    eps = complex(soil_dielectric(number(moisture)).item())
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    k = 2.0 * math.pi * FREQUENCY / 29.9792458
    length = calibrated_length(number(angle), height).item()
    alpha = (eps - 1.0) * (sine**2 - eps * (1.0 + sine**2)) / (eps * cosine + (eps - sine**2) ** 0.5) ** 2
    spectrum = length**2 / 2.0 * math.exp(-((k * length * sine) ** 2))
    power = 8.0 * k**4 * 1.0e-6 * cosine**4 * abs(alpha) ** 2 * spectrum
    got = integral_equation_backscatter(number(moisture), number(angle), height).item()
    assert got == pytest.approx(10.0 * math.log10(power), abs=1e-4)


def test_the_sum_has_converged():
    """The roughest plot brings more terms than it needs alone; others must not change with it."""
    heights = torch.tensor([0.5, 1.0, 2.0, 4.0], dtype=torch.float64)
    together = integral_equation_backscatter(number(0.2), number(30.0), heights)
    alone = torch.stack([integral_equation_backscatter(number(0.2), number(30.0), height) for height in heights])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("polarisation", POLARISATIONS)
@pytest.mark.parametrize("soil_model", SOIL_MODELS)
def test_wetter_is_brighter_and_less_so_under_vegetation(polarisation, soil_model):
    rises = []
    for ndvi in (0.0, 0.35, 0.7):
        sigma0 = plot_backscatter(MOISTURE, number(ndvi), number(38.0), number(1.5), polarisation, soil_model)
        assert bool((sigma0.diff() > 0).all())
        rises.append((sigma0[-1] - sigma0[0]).item())
    assert rises[0] > rises[1] > rises[2] > 0


def test_vegetation_hides_the_soil_more_in_vh():
    """Over a moderately wet soil the share of the soil in the signal at NDVI 0.7 is smaller in VH than in VV."""
    angle, height = number(38.0), number(1.5)
    share = {}
    for name in POLARISATIONS:
        soil = soil_backscatter(number(0.2), angle, height, name)
        whole = plot_backscatter(number(0.2), number(0.7), angle, height, name)
        loss = torch.exp(-2.0 * VEGETATION[name].B * 0.7 / torch.cos(torch.deg2rad(angle)))
        share[name] = (loss * 10.0 ** ((soil - whole) / 10.0)).item()
    assert share["VH"] < 0.7 * share["VV"]
    bare = plot_backscatter(number(0.2), number(0.0), angle, height, "VV")
    torch.testing.assert_close(bare, soil_backscatter(number(0.2), angle, height, "VV"))


@pytest.mark.parametrize("polarisation", POLARISATIONS)
def test_derivatives(polarisation):
    inputs = [torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in
              ([0.1, 0.3], [0.2, 0.6], [25.0, 42.0], [0.8, 3.0])]  # fmt: skip
    assert torch.autograd.gradcheck(lambda *each: plot_backscatter(*each, polarisation), inputs, atol=1e-6)


def test_what_it_refuses():
    with pytest.raises(InputError, match="use VV or VH"):
        soil_backscatter(MOISTURE, number(30.0), number(1.0), "HH")
    with pytest.raises(InputError, match="use integral_equation or empirical"):
        soil_backscatter(MOISTURE, number(30.0), number(1.0), "VV", "oh")
