"""What finite differences and autograd return on and off the kinks that docs/kinks.md lists."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from dalearn.constants import TRIPLE_POINT
from dalearn.land.growth import floor_leaf_area_index
from dalearn.land.interception import update_interception
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.parameters import build_parameters
from dalearn.land.saturation import saturation_specific_humidity
from dalearn.land.soil_water import infiltrate
from dalearn.land.state import Forcing, LandParameters
from dalearn.land.stress import drought_response, soil_moisture_stress
from dalearn.land.turbulence import drag_coefficient, heat_conductance, richardson_number, roughness_functions
from dalearn.land.vegetation import VEGETATION_TYPES

DTYPE = torch.float64
Function = Callable[[Tensor], Tensor]


def tensor(value: float) -> Tensor:
    return torch.tensor([value], dtype=DTYPE)


def parameters(vegetation_type: str = "GRAS") -> LandParameters:
    share = np.eye(19)[[VEGETATION_TYPES.index(vegetation_type)]]
    return build_parameters(share, *(np.array([value]) for value in (0.2, 0.4, 44.0, 1.0)))[1]


@dataclass(frozen=True)
class Kink:
    """A function of one number, where its slope changes, and the slopes: below, above and by autograd."""

    function: Function
    position: float
    below: float
    above: float
    autograd: float
    step: float = 1e-7


def wilting_point(layer: int = 3) -> Kink:
    soil = parameters().soil
    low, high = soil.wilting_point[layer, 0].item(), soil.field_capacity[layer, 0].item()

    def index(value: Tensor) -> Tensor:
        moisture = torch.cat([soil.field_capacity[:layer], value[None], soil.field_capacity[layer + 1 :]])
        return soil_moisture_stress(moisture, soil).index

    slope = soil.root_fraction[layer, 0].item() / (high - low)
    return Kink(index, low, 0.0, slope, slope)


def field_capacity() -> Kink:
    low = wilting_point()
    return Kink(low.function, parameters().soil.field_capacity[3, 0].item(), low.above, 0.0, low.above)


def leaf_area_floor() -> Kink:
    vegetation = parameters("TENE").vegetation
    return Kink(lambda lai: floor_leaf_area_index(lai, vegetation), 1.0, 0.0, 1.0, 0.5)


def canopy(field: str) -> Function:
    def after(water: Tensor) -> Tensor:
        result = update_interception(
            intercepted_water=water, capacity=tensor(0.25), vegetation_fraction=tensor(0.5), rainfall=tensor(0.0),
            interception_evaporation=tensor(0.0), time_step=1800.0,
        )  # fmt: skip
        return getattr(result, field)

    return after


def infiltration() -> Kink:
    soil = parameters().soil
    moisture = torch.full((14, 1), 0.2, dtype=DTYPE)
    room = ((soil.porosity[0] - moisture[0]) * soil.layer_thickness[0]).item()
    slope = 1.0 / soil.layer_thickness[0, 0].item()

    def first_layer(amount: Tensor) -> Tensor:
        return infiltrate(moisture, soil.porosity, amount, soil)[0][0]

    return Kink(first_layer, room, slope, 0.0, 0.5 * slope)


def freezing_point() -> Kink:
    pressure = tensor(9e4)

    def humidity(temperature: Tensor) -> Tensor:
        return saturation_specific_humidity(temperature, pressure)

    def slope(offset: float) -> float:
        at = tensor(TRIPLE_POINT + offset).requires_grad_()
        return torch.autograd.grad(humidity(at), at)[0].item()

    return Kink(humidity, TRIPLE_POINT, slope(-1e-9), slope(1e-9), slope(-1e-9), step=1e-5)


def richardson_cap() -> Kink:
    def number(temperature: Tensor) -> Tensor:
        return richardson_number(
            air_temperature=temperature, air_humidity=tensor(0.0), air_exner=tensor(1.0),
            surface_temperature=tensor(280.0), surface_humidity=tensor(0.0), surface_exner=tensor(1.0),
            wind=tensor(1.0), wind_height=tensor(10.0), temperature_height=tensor(2.0),
        )  # fmt: skip

    # Ri = g u^2 (Ta - Ts) / [0.5 (Ta + Ts) U^2 z] = 0.2
    scale = 0.2 * 0.5 * 2.0 / (9.80665 * 100.0)
    at = 280.0 * (1.0 + scale) / (1.0 - scale)
    slope = 9.80665 * 100.0 / (0.5 * 2.0) * 2.0 * 280.0 / (at + 280.0) ** 2
    return Kink(number, at, slope, 0.0, slope)


KINKS: dict[str, Kink] = {
    "wilting point": wilting_point(),
    "field capacity": field_capacity(),
    "leaf area floor": leaf_area_floor(),
    "canopy full, water": Kink(canopy("water"), 0.25, 1.0, 0.0, 0.5),
    "canopy full, drip": Kink(canopy("dripping"), 0.25, 0.0, 1.0 / 1800.0, 1.0 / 1800.0),
    "first layer full": infiltration(),
    "freezing point of the saturation humidity": freezing_point(),
}
CAPPED = {**KINKS, "cap of the Richardson number": richardson_cap()}


def slope_of(function: Function, position: float) -> float:
    at = tensor(position).requires_grad_()
    return torch.autograd.grad(function(at).sum(), at)[0].item()


def difference(function: Function, lower: float, upper: float) -> float:
    return ((function(tensor(upper)) - function(tensor(lower))) / (upper - lower)).item()


@pytest.mark.parametrize("name", CAPPED)
def test_one_sided_differences_differ_across_the_kink_and_autograd_agrees_off_it(name: str) -> None:
    kink = CAPPED[name]
    f, x, h = kink.function, kink.position, kink.step
    below, above = difference(f, x - h, x), difference(f, x, x + h)
    scale = max(abs(kink.below), abs(kink.above))
    assert below == pytest.approx(kink.below, rel=1e-4, abs=1e-6 * scale)
    assert above == pytest.approx(kink.above, rel=1e-4, abs=1e-6 * scale)
    assert abs(above - below) > 0.05 * scale
    assert difference(f, x - h, x + h) == pytest.approx(0.5 * (below + above), rel=1e-4)
    for side in (-20.0 * h, 20.0 * h):
        centre = difference(f, x + side - h, x + side + h)
        assert slope_of(f, x + side) == pytest.approx(centre, rel=1e-4, abs=1e-6 * scale)


@pytest.mark.parametrize("name", KINKS)
def test_autograd_on_the_kink_is_the_documented_one(name: str) -> None:
    kink = KINKS[name]
    assert slope_of(kink.function, kink.position) == pytest.approx(kink.autograd, rel=1e-9)


def test_neutral_stratification_has_one_slope_but_an_infinite_curvature() -> None:
    """Differences on the unstable side approach the slope like the square root of their step."""
    roughness = roughness_functions(tensor(0.1), tensor(0.01), tensor(10.0), tensor(2.0))

    def conductance(richardson: Tensor) -> Tensor:
        return heat_conductance(richardson, tensor(3.0), roughness)

    exact = slope_of(conductance, 0.0)
    assert difference(conductance, 0.0, 1e-8) == pytest.approx(exact, rel=1e-5)
    wrong = [abs(difference(conductance, -h, 0.0) / exact - 1.0) for h in (1e-4, 1e-6)]
    assert wrong[0] > 0.01
    assert wrong[1] == pytest.approx(0.1 * wrong[0], rel=0.1)
    assert slope_of(lambda number: drag_coefficient(number, roughness), 0.0) == 0.0
    assert slope_of(conductance, -1e-3) == pytest.approx(difference(conductance, -1.001e-3, -0.999e-3), rel=1e-4)


def test_drought_strategy_jumps() -> None:
    """Offensive grass at F2 = 0.03: the step is missed by autograd, and differences across it grow without limit."""
    vegetation = parameters().vegetation

    def conductance(index: Tensor) -> Tensor:
        return drought_response(index, vegetation).mesophyll_conductance

    jumps = [(conductance(tensor(0.03 + h)) - conductance(tensor(0.03 - h))).item() for h in (1e-4, 1e-6)]
    assert abs(jumps[0]) > 1e-4
    assert jumps[1] == pytest.approx(jumps[0], rel=0.05)
    for index in (0.028, 0.032):
        near = difference(conductance, index - 1e-6, index + 1e-6)
        assert slope_of(conductance, index) == pytest.approx(near, rel=1e-6, abs=1e-12)


def test_dew_switch_jumps_and_each_side_has_its_slope() -> None:
    """chi at q_s = q_a: the latent heat flux follows the new temperature with other weights on either side."""
    model = LandModel(parameters(), LandOptions(time_step=300.0), compiled=False)
    state = model.initial_state(temperature=tensor(288.0), leaf_area_index=3.0)
    pressure = tensor(9.9e4)
    saturated = saturation_specific_humidity(state.soil_temperature[0], pressure).item()

    def latent_heat(humidity: Tensor) -> Tensor:
        forcing = Forcing(
            air_temperature=tensor(289.0), specific_humidity=humidity, surface_pressure=pressure,
            wind_speed=tensor(3.0), shortwave_down=tensor(500.0), longwave_down=tensor(330.0), rainfall=tensor(0.0),
            snowfall=tensor(0.0), co2_concentration=tensor(7.5e-4), cosine_zenith=tensor(0.6),
        )  # fmt: skip
        return model.step(state, forcing, False)[1].latent_heat

    jumps = [(latent_heat(tensor(saturated + h)) - latent_heat(tensor(saturated - h))).item() for h in (1e-6, 1e-8)]
    assert abs(jumps[1]) > 0.1
    assert jumps[1] == pytest.approx(jumps[0], rel=0.1)
    for offset in (-1e-4, 1e-4):
        centre = difference(latent_heat, saturated + offset - 1e-8, saturated + offset + 1e-8)
        assert slope_of(latent_heat, saturated + offset) == pytest.approx(centre, rel=1e-4)


@pytest.mark.parametrize(
    ("function", "gradient"),
    [
        (lambda x: torch.minimum(x, tensor(1.0)), 0.5),
        (lambda x: torch.maximum(x, tensor(1.0)), 0.5),
        (lambda x: torch.clamp(x, min=1.0), 1.0),
        (lambda x: torch.clamp(x, max=1.0), 1.0),
        (lambda x: torch.where(x > 1.0, 2.0 * x, 3.0 * x), 3.0),
        (lambda x: torch.stack([x, tensor(1.0)]).amax(dim=0), 0.5),
        (lambda x: (x - 1.0).abs(), 0.0),
    ],
)
def test_rules_of_torch_at_a_tie(function: Function, gradient: float) -> None:
    assert slope_of(function, 1.0) == gradient
