"""isba_physics.md 2.4, 2.5, 4.3, 11.3, 11.7."""

import math

import pytest
import torch

from dalearn.land.soil_heat import (
    diffuse_heat,
    interface_conductances,
    soil_thermal,
    surface_inertia,
    thermal_water,
)
from dalearn.land.tridiagonal import solve_tridiagonal, stack_layers


def column(value: float) -> torch.Tensor:
    return torch.full((14, 1), value, dtype=torch.float64)


@pytest.mark.parametrize(("saturation", "conductivity"), [(0.05, 0.204215986), (0.5, 1.142643498), (1.0, 1.546802230)])
def test_conductivity(soil_of, saturation: float, conductivity: float) -> None:
    soil = soil_of()
    thermal = soil_thermal(column(285.0), soil.porosity * saturation, column(0.0), soil)
    assert thermal.conductivity[3].item() == pytest.approx(conductivity, abs=2e-9)


@pytest.mark.parametrize(("saturation", "capacity"), [(0.5, 2.0376985395e6), (1.0, 2.9890789845e6)])
def test_heat_capacity(soil_of, saturation: float, capacity: float) -> None:
    soil = soil_of()
    thermal = soil_thermal(column(285.0), soil.porosity * saturation, column(0.0), soil)
    assert thermal.heat_capacity[3].item() == pytest.approx(capacity, rel=1e-10)


def test_layers_without_water_follow_the_deepest_one(soil_of) -> None:
    soil = soil_of("C3", clay=0.37, sand=0.37, root_depth=1.5)
    assert soil.holds_water.sum().item() == 9
    moisture = column(0.30)
    liquid, ice = thermal_water(column(285.0), moisture, column(0.0), soil)
    torch.testing.assert_close(liquid[:9], moisture[:9])
    assert (liquid[9:] > 0.30).all(), "hydrostatic towards the water table: wetter with depth"
    assert (liquid[9:].diff(dim=0) > 0).all()
    assert (ice == 0.0).all()
    frozen_liquid, frozen = thermal_water(column(268.0), moisture, column(0.0), soil)
    torch.testing.assert_close(frozen_liquid[9:] + frozen[9:], liquid[9:])
    assert (frozen[9:] > 0.1).all()


def test_surface_inertia_of_the_energy_example(soil_of, profile) -> None:
    soil = soil_of()
    temperature, moisture = profile
    thermal = soil_thermal(temperature, moisture, column(0.0), soil)
    values = (torch.tensor([v], dtype=torch.float64) for v in (0.95, 2e-5, 0.05))
    ground, composite = surface_inertia(thermal.heat_capacity[0], soil.layer_thickness[0], *values)
    assert ground.item() == pytest.approx(5.81727443e-5, rel=1e-8)
    assert composite.item() == pytest.approx(9.46981889e-5, rel=1e-8)


def test_uniform_temperature_stays(soil_of) -> None:
    soil = soil_of()
    conductances = interface_conductances(column(1.0), soil)
    one = torch.ones(1, dtype=torch.float64)
    new = stack_layers(diffuse_heat(column(285.0), 285.0 * one, 0.0 * one, conductances, column(2e6)))
    torch.testing.assert_close(new, column(285.0), rtol=0.0, atol=1e-11)


def test_heat_is_conserved_below_the_first_layer(soil_of, profile) -> None:
    """isba_physics.md 11.7, exact but for the rounding of temperatures times the capacity of the deep layers."""
    soil = soil_of()
    temperature, moisture = profile
    thermal = soil_thermal(temperature, moisture, column(0.0), soil)
    conductances = interface_conductances(thermal.conductivity, soil)
    capacity = thermal.heat_capacity * soil.layer_thickness / 300.0
    surface, slope = torch.full((1,), 200.0, dtype=torch.float64), torch.full((1,), 0.3, dtype=torch.float64)
    new = stack_layers(diffuse_heat(temperature, surface, slope, conductances, capacity))
    gained = (capacity * (new - temperature))[1:].sum()
    flux = conductances[0] * (new[0] - new[1])
    assert gained.item() == pytest.approx(flux.item(), abs=1e-8)
    assert new[0].item() == pytest.approx((surface + slope * new[1]).item(), abs=1e-12)


def test_daily_wave_is_damped_like_the_analytic_solution() -> None:
    """A periodic surface temperature decays as exp(-z/D), D = sqrt(2 lam / (C omega)) = 0.11726 m."""
    layers, thickness, step = 60, 0.02, 60.0
    omega = 2.0 * math.pi / 86400.0
    between = torch.full((layers - 1, 1), 1.0 / thickness, dtype=torch.float64)
    capacity = torch.full((layers, 1), 2e6 * thickness / step, dtype=torch.float64)
    temperature = torch.full((layers, 1), 285.0, dtype=torch.float64)
    zero = torch.zeros(1, dtype=torch.float64)
    deep = []
    for k in range(6 * 1440):
        surface = torch.full((1,), 285.0 + 5.0 * math.sin(omega * (k + 1) * step), dtype=torch.float64)
        temperature = stack_layers(diffuse_heat(temperature, surface, zero, between, capacity))
        deep.append(temperature[10].item())
    amplitude = 0.5 * (max(deep[-1440:]) - min(deep[-1440:]))
    assert amplitude == pytest.approx(5.0 * math.exp(-10 * thickness / 0.11726), rel=0.02)


def test_tridiagonal_solver_equals_a_dense_one(rng) -> None:
    layers, columns = 9, 5
    lower, upper, right = (torch.from_numpy(rng.normal(size=(layers, columns))) for _ in range(3))
    diagonal = 4.0 + torch.from_numpy(rng.random((layers, columns)))
    solution = stack_layers(solve_tridiagonal(lower, diagonal, upper, right))
    for c in range(columns):
        matrix = torch.diag(diagonal[:, c]) + torch.diag(lower[1:, c], -1) + torch.diag(upper[:-1, c], 1)
        torch.testing.assert_close(solution[:, c], torch.linalg.solve(matrix, right[:, c]))
