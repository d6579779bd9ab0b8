"""isba_physics.md 11.6 and 11.11."""

import pytest
import torch

from dalearn.constants import GAS_CONSTANT_AIR, GAS_CONSTANT_VAPOUR, GRAVITY
from dalearn.land.energy_budget import (
    Air,
    EnergyState,
    HeatFluxes,
    SurfaceConditions,
    energy_substep,
    soil_surface_humidity,
)
from dalearn.land.interception import canopy_capacity, wet_fraction
from dalearn.land.snow_cover import snow_free_fluxes
from dalearn.land.soil_heat import interface_conductances, soil_thermal, surface_conductance, surface_inertia
from dalearn.land.turbulence import effective_wind, roughness_functions


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def example(soil_of, profile):
    """Inputs of isba_physics.md 11.11: the state, the surface, the air."""
    soil, (temperature, moisture) = soil_of(), profile
    ice = torch.zeros_like(moisture)
    thermal = soil_thermal(temperature, moisture, ice, soil)
    veg, lai, water, roughness = tensor(0.95), tensor(2.0), tensor(0.05), tensor(0.13 * 2.0 / 6.0)
    pressure, air_temperature, humidity = tensor(1.0e5), tensor(291.0), tensor(0.008)
    scale = air_temperature * GAS_CONSTANT_AIR * (1.0 + (GAS_CONSTANT_VAPOUR / GAS_CONSTANT_AIR - 1.0) * humidity)
    density = pressure / (scale + 2.0 * GRAVITY)
    kappa = 2.0 / 7.0
    air = Air(
        temperature=air_temperature,
        humidity=humidity,
        density=density,
        exner=((pressure - density * 2.0 * GRAVITY) / 1.0e5) ** kappa,
        surface_exner=(pressure / 1.0e5) ** kappa,
        surface_pressure=pressure,
        wind=effective_wind(tensor(3.0), tensor(10.0)),
        shortwave_down=tensor(500.0),
        longwave_down=tensor(330.0),
    )
    ground, composite = surface_inertia(thermal.heat_capacity[0], soil.layer_thickness[0], veg, tensor(2e-5), water)
    liquid, frozen = soil_surface_humidity(moisture[0], ice[0], soil.porosity[0], soil.field_capacity[0])
    conditions = SurfaceConditions(
        vegetation_fraction=veg,
        albedo=tensor(0.2),
        emissivity=0.97 * veg + 0.94 * (1.0 - veg),
        roughness=roughness_functions(roughness, roughness / 10.0, tensor(10.0), tensor(2.0)),
        ground_inertia=ground,
        surface_inertia=composite,
        frozen_fraction=thermal.frozen_fraction,
        ice_share=tensor(0.0),
        liquid_humidity=liquid,
        ice_humidity=frozen,
        stomatal_resistance=tensor(80.0),
        stress=tensor(0.7),
        available_interception=water,
        surface_conductance=surface_conductance(thermal.conductivity, soil),
        conductances=interface_conductances(thermal.conductivity, soil),
        capacities=thermal.heat_capacity * soil.layer_thickness / 300.0,
    )
    wet = wet_fraction(water, canopy_capacity(tensor(0.2), veg, lai), lai, roughness)
    start = EnergyState(temperature, tensor(50.0), wet, tensor(0.0), HeatFluxes(*[tensor(0.0) for _ in range(6)]))
    return start, conditions, air


def run(start: EnergyState, conditions: SurfaceConditions, air: Air) -> EnergyState:
    return energy_substep(start, conditions, air, tensor(10.0), tensor(2.0), substeps=1, time_step=300.0)


def test_example(example) -> None:
    start, conditions, air = example
    assert air.density.item() == pytest.approx(1.1910414587, rel=1e-10)
    assert conditions.liquid_humidity.item() < 0.6663017669, "the dew rule raises it to q_a / q_s"
    end = run(start, conditions, air)
    assert end.aerodynamic_resistance.item() == pytest.approx(233.06104947, rel=1e-10)
    expected = {0: 293.66813167, 1: 290.20544207, 2: 288.94310002, 9: 285.00035857}
    for layer, value in expected.items():
        assert end.temperature[layer].item() == pytest.approx(value, abs=1e-8)
    assert [part.item() for part in end.fluxes] == pytest.approx(
        [311.521606762, 13.599759517, 0.0, 0.0, 66.289419784, 44.871073276], abs=1e-9
    )
    assert snow_free_fluxes(end.fluxes).ground.item() == pytest.approx(231.632427461, abs=1e-8)


def test_surface_balance_closes(example) -> None:
    """G = (T1 - T1o) / (C_T dt) + (C_G / C_T) F12, section 4.3."""
    start, conditions, air = example
    end = run(start, conditions, air)
    conduction = conditions.surface_conductance * (end.temperature[0] - end.temperature[1])
    storage = (end.temperature[0] - start.temperature[0]) / (conditions.surface_inertia * 300.0)
    balance = storage + conditions.ground_inertia / conditions.surface_inertia * conduction
    assert conduction.item() == pytest.approx(166.883407568, abs=1e-7)
    assert snow_free_fluxes(end.fluxes).ground.item() == pytest.approx(balance.item(), abs=1e-9)


def test_soil_surface_humidity() -> None:
    porosity, capacity = tensor(0.45, 0.45, 0.45), tensor(0.32, 0.32, 0.32)
    moisture = tensor(0.001, 0.161, 0.321)
    liquid, frozen = soil_surface_humidity(moisture, tensor(0.0, 0.0, 0.0), porosity, capacity)
    torch.testing.assert_close(liquid, tensor(0.0, 0.5, 1.0), rtol=0.0, atol=1e-12)
    assert (frozen == 0.0).all()


def test_leaves_almost_dry_have_no_steep_derivative_in_float32(example) -> None:
    """The wet fraction shrinks to what the water allows: its derivative is 0 there and 1 where it does not shrink.

    A demand found as the difference of two equal fluxes would be a rounding error here.
    """
    columns = 2000

    def many(value):
        if isinstance(value, tuple):
            return type(value)(*map(many, value))
        return value.float().expand(*value.shape[:-1], columns)

    start, conditions, air = map(many, example)
    air = air._replace(temperature=torch.linspace(280.0, 300.0, columns))
    wet = torch.logspace(-9, -5, columns, dtype=torch.float32).flip(0).requires_grad_()
    conditions = conditions._replace(available_interception=torch.full((columns,), 1e-10))
    end = energy_substep(
        start._replace(wet_fraction=wet), conditions, air, torch.tensor(10.0), torch.tensor(2.0),
        substeps=1, time_step=300.0,
    )  # fmt: skip
    shrunk = end.wet_fraction < wet
    assert 0 < shrunk.sum() < columns
    (slope,) = torch.autograd.grad(end.wet_fraction.sum(), wet)
    assert slope.min() > -1e-4
    assert slope.max() < 1.0 + 1e-4


def test_canopy_does_not_evaporate_more_than_it_holds(example) -> None:
    start, conditions, air = example
    plenty = run(start, conditions, air)
    short = run(start, conditions._replace(available_interception=tensor(1e-4)), air)
    assert plenty.wet_fraction.item() == start.wet_fraction.item()
    assert short.wet_fraction.item() < 0.1 * start.wet_fraction.item()
    lost = 300.0 * (short.fluxes.vegetation - short.fluxes.transpiration) / 2.5008e6
    assert lost.item() < 300.0 * (plenty.fluxes.vegetation - plenty.fluxes.transpiration).item() / 2.5008e6


def test_autograd_equals_central_differences(example) -> None:
    start, conditions, air = example

    def surface(first: torch.Tensor) -> torch.Tensor:
        temperature = torch.cat([first[None], start.temperature[1:]], dim=0)
        end = run(start._replace(temperature=temperature), conditions, air)
        return torch.cat([end.temperature[:3, 0], end.fluxes.sensible, end.fluxes.vegetation])

    first = start.temperature[0]
    gradient = torch.autograd.functional.jacobian(surface, first)[:, 0]
    difference = (surface(first + 1e-5) - surface(first - 1e-5)) / 2e-5
    torch.testing.assert_close(gradient, difference, rtol=1e-6, atol=1e-8)
