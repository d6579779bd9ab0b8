"""The differentiable cycle on the land model itself, eagerly: gradients against central differences."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dalearn.assimilation.covariance import ObservationErrorSettings
from dalearn.assimilation.cycle import run_cycle
from dalearn.assimilation.differentiable import differentiable_cycle
from dalearn.assimilation.error_scales import ErrorScales
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.parameters import build_parameters
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.land.window import FORCING_FIELDS, ForcingWindow
from dalearn.operators import create_operator

STEPS, WINDOWS = 3, 2
CONTROL = ("LAI", "WG2", "WG3", "WG4")


def hours(number):
    """Forcing of one cell in three hourly steps of a dry, mild afternoon."""
    start = np.datetime64("2015-05-10T12:00", "s") + np.timedelta64(STEPS * number, "h")
    values = torch.zeros(STEPS, len(FORCING_FIELDS), 1, dtype=torch.float64)
    for name, value in {
        "air_temperature": 291.0 - number,
        "specific_humidity": 0.008,
        "surface_pressure": 1.0e5,
        "wind_speed": 3.0,
        "shortwave_down": 520.0 - 120.0 * number,
        "longwave_down": 330.0,
        "co2_concentration": 7.3e-4,
        "cosine_zenith": 0.7 - 0.2 * number,
    }.items():
        values[:, FORCING_FIELDS.index(name)] = value
    return ForcingWindow(values, start, 3600.0, (False,) * STEPS)


@pytest.fixture(scope="module")
def land():
    fractions = np.zeros((1, len(VEGETATION_TYPES)))
    fractions[0, VEGETATION_TYPES.index("C3")], fractions[0, VEGETATION_TYPES.index("GRAS")] = 0.6, 0.4
    grid, parameters = build_parameters(fractions, np.array([0.2]), np.array([0.4]), np.array([43.5]), np.zeros(1))
    model = LandModel(parameters, LandOptions(time_step=3600.0), compiled=False)
    state = model.initial_state(temperature=torch.full((2,), 288.0, dtype=torch.float64), leaf_area_index=2.5)
    operators = [create_operator(name, cell_count=1) for name in ("wg2", "lai")]
    windows = [hours(number) for number in range(WINDOWS)]
    y = float(grid.cell_mean(state.soil_moisture[1]))
    observed = torch.tensor([[[y - 0.01], [2.7]], [[y - 0.02], [2.2]]], dtype=torch.float64)
    return SimpleNamespace(grid=grid, model=model, state=state, operators=operators, windows=windows, observed=observed)


def gradient_and_value(land, jacobian, second_order, logs):
    settings = FilterSettings(
        scheme="smoother",
        jacobian=jacobian,
        control=CONTROL,
        observation_error={"SSM": ObservationErrorSettings(0.02), "LAI": ObservationErrorSettings(0.3)},
    )
    scales = ErrorScales(CONTROL, 2)
    with torch.no_grad():
        scales.log_background.copy_(logs[:4].unsqueeze(-1))
        scales.log_observation.copy_(logs[4:].unsqueeze(-1))
    windows = differentiable_cycle(
        land.model, land.grid, FilterState(land=land.state), land.windows, land.operators, land.observed, settings,
        scales=scales, second_order=second_order,
    )  # fmt: skip
    value = torch.stack([window.log_likelihood.sum() for window in windows]).sum()
    gradient = torch.autograd.grad(value, [scales.log_background, scales.log_observation])
    return torch.cat(gradient).squeeze(-1), float(value.detach())


@pytest.mark.parametrize("jacobian", ["finite_differences", "autograd"])
def test_gradient_of_two_windows(land, jacobian):
    """The second-order gradient is that of the likelihood; the first-order one differs by what it leaves out."""
    logs = torch.tensor([0.1, -0.2, 0.2, -0.1, 0.15, -0.15], dtype=torch.float64)
    exact, _ = gradient_and_value(land, jacobian, True, logs)
    direction = exact.sign()
    (_, above), (_, below) = (
        gradient_and_value(land, jacobian, False, logs + sign * 1e-3 * direction) for sign in (1.0, -1.0)
    )
    assert float(exact @ direction) == pytest.approx((above - below) / 2e-3, rel=1e-4)
    held, _ = gradient_and_value(land, jacobian, False, logs)
    assert (held - exact).norm() < 0.02 * exact.norm()
    assert not torch.equal(held, exact)


def test_same_analyses_as_the_cycle(land):
    settings = FilterSettings(scheme="smoother", control=CONTROL)
    start = FilterState(land=land.state)
    arguments = land.model, land.grid, start, land.windows, land.operators, land.observed, settings
    end = run_cycle(*arguments).land
    *_, last = differentiable_cycle(*arguments)
    torch.testing.assert_close(last.state.land.soil_moisture, end.soil_moisture, rtol=1e-10, atol=0)
    torch.testing.assert_close(last.state.land.leaf_area_index, end.leaf_area_index, rtol=1e-10, atol=0)
