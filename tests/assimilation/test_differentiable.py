"""The differentiable cycle on the toy model: gradients against central differences, numbers against run_cycle."""

import dataclasses

import numpy as np
import pytest
import torch

from dalearn.assimilation.checkpointed import CheckpointedModel
from dalearn.assimilation.control import PerturbationSettings
from dalearn.assimilation.covariance import ModelErrorSettings, ObservationErrorSettings
from dalearn.assimilation.cycle import run_cycle
from dalearn.assimilation.differentiable import accumulate_gradient, differentiable_cycle
from dalearn.assimilation.error_scales import ErrorScales
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.errors import InputError
from dalearn.operators import ObservationOperator, create_operator, register_operator

DAYS = 3
SCHEMES = ("sekf", "smoother", "end_of_window", "ekf")
BOTH = ("finite_differences", "autograd")


@register_operator("test_curved")
class CurvedOperator(ObservationOperator):
    """Non-linear in every predictor, with parameters per cell."""

    predictors = ("WG2", "TG2", "LAI")
    quantity = "sigma0"

    def __init__(self, cell_count, **options):
        super().__init__(cell_count, **options)
        self.slope = self.cell_parameter(torch.linspace(20.0, 30.0, cell_count, dtype=torch.float64))
        self.level = self.cell_parameter(-15.0)

    def forward(self, predictors):
        soil_moisture, temperature, leaves = predictors.unbind(-1)
        soil = self.slope * soil_moisture * torch.exp(-0.1 * leaves)
        return self.level + soil + 0.02 * (temperature - 285.0) ** 2


def settings_of(**changes):
    errors = {
        "SSM": ObservationErrorSettings(0.3, "soil_range"),
        "LAI": ObservationErrorSettings(0.2, "observation", floor=0.01),
        "sigma0": ObservationErrorSettings(0.33),
    }
    # large perturbations: the derivative is that of the filter as computed, and rounding is far smaller
    perturbation = PerturbationSettings(soil_moisture=0.01, leaf_area_index=0.01)
    return FilterSettings(**{"observation_error": errors, "perturbation": perturbation, **changes})


@pytest.fixture
def run(domain, toy):
    """Three windows of four steps with midnight; three operators, observations with gaps and one bad value."""
    d = domain(curvature=0.05)
    d.windows = [
        toy.window(3, steps=4, start=f"2015-06-{day + 1:02d}T21:00", seed=day) for day in range(DAYS)
    ]  # fmt: skip
    d.operators = [create_operator(name, cell_count=3) for name in ("wg2", "lai", "test_curved")]
    records = []
    run_cycle(
        d.model, d.grid, FilterState(land=d.state), d.windows, d.operators,
        on_window=lambda record, state: records.append(record.model_forecast),
    )  # fmt: skip
    noise = torch.tensor([0.02, 0.15, 0.3], dtype=torch.float64).unsqueeze(-1)
    d.observed = torch.stack(records) + noise * torch.randn(DAYS, 3, 3, dtype=torch.float64)
    d.observed[0, 1, 0] = d.observed[1, 0, 1] = d.observed[2, :, 2] = torch.nan
    d.observed[1, 0, 2] = 40.0  # out of range
    return d


def likelihood(d, settings, scales=None, state=None, **options):
    windows = differentiable_cycle(
        d.model, d.grid, FilterState(land=state or d.state), d.windows, d.operators, d.observed, settings,
        scales=scales, **options,
    )  # fmt: skip
    return torch.stack([window.log_likelihood.sum() for window in windows]).sum()


def own_scales(settings, d):
    """Multipliers that differ for everything, off 1."""
    controls = len(settings.control)
    background = np.linspace(0.7, 1.4, controls).tolist()
    return ErrorScales(settings.control, len(d.operators), background=background, observation=[1.3, 0.8, 1.1])


def assert_gradients(function, tensors, step=1e-3, rtol=1e-6):
    """The gradient of ``function`` along a direction in each tensor equals its central difference.

    The direction raises ``function`` with every element, so that nothing cancels; the differences of two steps are
    extrapolated, so that their error is of fourth order.
    """
    gradients = torch.autograd.grad(function(), tensors)
    for tensor, gradient in zip(tensors, gradients, strict=True):
        direction = gradient.sign() * (0.5 + torch.rand(gradient.shape, dtype=gradient.dtype))
        kept = tensor.detach().clone()

        @torch.no_grad()
        def value(t, tensor=tensor, direction=direction, kept=kept):
            tensor.copy_(kept + t * direction)
            result = float(function().detach())
            tensor.copy_(kept)
            return result

        def slope(t, value=value):
            return (value(t) - value(-t)) / (2.0 * t)

        expected = (4.0 * slope(step) - slope(2.0 * step)) / 3.0
        assert float((gradient * direction).sum()) == pytest.approx(expected, rel=rtol)


def differentiated(d, settings, **options):
    """A function of nothing and the tensors it depends on: scales, operator weights and the first state."""
    scales = own_scales(settings, d)
    moisture = d.state.soil_moisture.clone().requires_grad_()
    leaves = d.state.leaf_area_index.clone().requires_grad_()

    def function():
        state = dataclasses.replace(d.state, soil_moisture=moisture, leaf_area_index=leaves)
        return likelihood(d, settings, scales, state, **options)

    weights = list(d.operators[2].parameters())
    return function, [scales.log_background, scales.log_observation, *weights, moisture, leaves]


@pytest.mark.parametrize("jacobian", BOTH)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_gradient_of_three_windows(run, scheme, jacobian):
    """With respect to B and R scales, operator weights and the first state, everything differentiated."""
    settings = settings_of(scheme=scheme, jacobian=jacobian, model_error=ModelErrorSettings(0.5, 0.5))
    assert_gradients(*differentiated(run, settings, second_order=True))


@pytest.mark.parametrize("jacobian", BOTH)
@pytest.mark.parametrize("scheme", ["smoother", "ekf"])
def test_first_order_gradient_is_exact_when_the_model_is_affine(run, toy, domain, scheme, jacobian):
    """LAI is left out of the control: the biomass that moves with it is a ratio."""
    run.model = toy.model(run.parameters)
    settings = settings_of(scheme=scheme, jacobian=jacobian, control=("WG2", "WG3", "WG4"))
    assert_gradients(*differentiated(run, settings))


@pytest.mark.parametrize("jacobian", BOTH)
def test_gradient_with_correlated_layers_and_times(run, jacobian):
    """B with correlations, two observation times, structure that follows the leaves."""
    settings = settings_of(jacobian=jacobian, scheme="smoother", structural_biomass="with_leaves")
    settings = dataclasses.replace(
        settings, background=dataclasses.replace(settings.background, correlation_length=0.3)
    )
    assert_gradients(*differentiated(run, settings, second_order=True, steps=[2, 4, 3]))


@pytest.mark.parametrize("jacobian", BOTH)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_same_numbers_as_the_cycle(run, scheme, jacobian):
    """With no multipliers, and with multipliers of 1."""
    settings = settings_of(scheme=scheme, jacobian=jacobian)
    records = []
    end = run_cycle(
        run.model, run.grid, FilterState(land=run.state), run.windows, run.operators, run.observed, settings,
        on_window=lambda record, state: records.append(record),
    )  # fmt: skip
    for scales in (None, ErrorScales(settings.control, 3)):
        windows = list(
            differentiable_cycle(
                run.model, run.grid, FilterState(land=run.state), run.windows, run.operators, run.observed, settings,
                scales=scales,
            )
        )  # fmt: skip
        torch.testing.assert_close(windows[-1].state.land.soil_moisture, end.land.soil_moisture, rtol=1e-12, atol=0)
        torch.testing.assert_close(windows[-1].state.land.leaf_area_index, end.land.leaf_area_index, rtol=1e-12, atol=0)
        for window, record in zip(windows, records, strict=True):
            assert torch.equal(window.record.rejected, record.rejected)
            assert not window.record.departure.requires_grad
            torch.testing.assert_close(window.record.jacobian, record.jacobian, rtol=1e-7, atol=1e-9)


def test_multipliers_multiply_the_errors(run):
    """Scales of the errors are the settings' own with other numbers."""
    settings = settings_of(scheme="smoother")
    background = settings.background
    doubled = dataclasses.replace(
        settings,
        background=dataclasses.replace(
            background, soil_moisture={name: 2.0 * value for name, value in background.soil_moisture.items()}
        ),
        observation_error={**settings.observation_error, "sigma0": ObservationErrorSettings(0.165)},
    )
    scales = ErrorScales(settings.control, 3, background=[1.0] + 7 * [2.0], observation=[1.0, 1.0, 0.5])
    torch.testing.assert_close(likelihood(run, settings, scales), likelihood(run, doubled), rtol=1e-13, atol=0)


def test_every_cell_may_have_its_own(run):
    """The gradient with respect to a common multiplier is the sum of those of the cells."""
    settings = settings_of(scheme="smoother")
    common, own = ErrorScales(settings.control, 3), ErrorScales(settings.control, 3, cell_count=3)
    for scales in (common, own):
        likelihood(run, settings, scales).backward()
    for name, parameter in common.named_parameters():
        of_cells = own.get_parameter(name).grad
        assert of_cells.shape[1] == 3
        torch.testing.assert_close(of_cells.sum(dim=1, keepdim=True), parameter.grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("jacobian", BOTH)
def test_checkpointed_steps_change_nothing_but_the_memory(run, toy, jacobian):
    settings = settings_of(scheme="smoother", jacobian=jacobian)
    gradients, steps = [], []
    for checkpointed in (False, True):
        run.model.runs.clear()
        function, tensors = differentiated(run, settings, checkpointed=checkpointed)
        gradients.append(torch.autograd.grad(function(), tensors))
        steps.append(len(run.model.runs))
    perturbed = 4 * DAYS if jacobian == "finite_differences" else 0
    assert steps[0] == 2 * 4 * DAYS + perturbed
    # nothing depends on the state after the last window
    assert steps[1] - steps[0] >= 2 * 4 * DAYS - 4, "every step is run again"
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain, rtol=1e-13, atol=0)
    assert isinstance(CheckpointedModel(run.model).with_parameters(run.parameters), CheckpointedModel)


def test_truncation_cuts_the_history(run):
    """Blocks of one window: each window's gradient from its own start; blocks of all windows: the whole gradient."""
    settings = settings_of(scheme="smoother")
    scales = ErrorScales(settings.control, 3)

    def gradient(**options):
        scales.zero_grad()
        cycle = differentiable_cycle(
            run.model, run.grid, FilterState(land=run.state), run.windows, run.operators, run.observed, settings,
            scales=scales, **options,
        )  # fmt: skip
        total = accumulate_gradient(cycle)
        return total, torch.cat([scales.log_background.grad, scales.log_observation.grad])

    total, whole = gradient()
    same_total, blocks = gradient(truncate_every=DAYS)
    torch.testing.assert_close((same_total, blocks), (total, whole), rtol=1e-13, atol=1e-15)
    cut_total, cut = gradient(truncate_every=1)
    torch.testing.assert_close(cut_total, total, rtol=1e-13, atol=0)
    assert not torch.allclose(cut, whole, rtol=1e-3)

    separate = torch.zeros_like(whole)
    state = FilterState(land=run.state)
    for day in range(DAYS):
        part = scales.zero_grad() or next(
            iter(
                differentiable_cycle(
                    run.model, run.grid, state, run.windows[day : day + 1], run.operators, run.observed[day : day + 1],
                    settings, scales=scales,
                )
            )
        )  # fmt: skip
        (-part.log_likelihood.sum()).backward()
        separate += torch.cat([scales.log_background.grad, scales.log_observation.grad])
        state = FilterState(land=dataclasses.replace(part.state.land, **detached(part.state.land)))
    torch.testing.assert_close(cut, separate, rtol=1e-13, atol=1e-15)


def detached(land):
    names = (field.name for field in dataclasses.fields(land))
    return {name: value.detach() for name in names if (value := getattr(land, name)) is not None}


def test_the_callers_gradient_mode_is_left_alone(run):
    with torch.no_grad():
        for window in differentiable_cycle(
            run.model, run.grid, FilterState(land=run.state), run.windows, run.operators, run.observed,
            scales=ErrorScales(operators=3),
        ):  # fmt: skip
            assert not torch.is_grad_enabled()
            assert window.log_likelihood.requires_grad


def test_windows_without_observations(run):
    run.observed.fill_(torch.nan)
    settings = settings_of()
    windows = list(
        differentiable_cycle(
            run.model, run.grid, FilterState(land=run.state), run.windows, run.operators, run.observed, settings
        )
    )
    assert all(torch.equal(window.log_likelihood, torch.zeros(3).double()) for window in windows)
    assert float(accumulate_gradient(windows)) == 0.0


def test_what_has_no_derivative_is_refused(run):
    def start(settings, **options):
        return differentiable_cycle(
            run.model, run.grid, FilterState(land=run.state), run.windows, run.operators, run.observed, settings,
            **options,
        )  # fmt: skip

    with pytest.raises(InputError, match="scheme ensrf has no derivative"):
        start(settings_of(scheme="ensrf"))
    with pytest.raises(InputError, match="chunk_cells"):
        start(settings_of(chunk_cells=1))
    with pytest.raises(InputError, match="truncate_every is 0"):
        start(settings_of(), truncate_every=0)
    with pytest.raises(InputError, match="for 2 operators"):
        start(settings_of(), scales=ErrorScales(operators=2))
    with pytest.raises(InputError, match="checkpointed steps have no second derivative"):
        start(settings_of(jacobian="autograd"), checkpointed=True, second_order=True)
    run.parameters.soil.porosity.requires_grad_()
    with pytest.raises(InputError, match="require a gradient"):
        start(settings_of(), checkpointed=True)
    run.parameters.soil.porosity.requires_grad_(False)
    with pytest.raises(InputError, match="no window"):
        accumulate_gradient([])
    run.model.compiled = True
    with pytest.raises(InputError, match="no second derivative"):
        start(settings_of(jacobian="autograd"), second_order=True)
