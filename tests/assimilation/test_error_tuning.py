"""Known errors and biased operators are recovered by the gradient of the likelihood, on the toy model."""

import numpy as np
import pytest
import torch

from dalearn.assimilation.covariance import BackgroundErrorSettings, ObservationErrorSettings
from dalearn.assimilation.differentiable import accumulate_gradient, differentiable_cycle
from dalearn.assimilation.error_scales import ErrorScales
from dalearn.assimilation.quality import QualitySettings
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.errors import InputError
from dalearn.learning.error_tuning import tune_errors
from dalearn.operators import create_operator
from dalearn.twin.known_errors import observe_known_errors

CELLS, DAYS = 40, 30
CONTROL = ("LAI", "WG2", "WG8")


def settings_of(scheme):
    return FilterSettings(
        scheme=scheme,
        control=CONTROL,
        structural_biomass="with_leaves",
        background=BackgroundErrorSettings(
            soil_moisture={"WG2": 0.2, "WG8": 0.2}, leaf_area_index=0.1, low_leaf_area_index=0.2
        ),
        observation_error={
            "SSM": ObservationErrorSettings(0.01),
            "LAI": ObservationErrorSettings(0.2),
            "sigma0": ObservationErrorSettings(0.3),
        },
        quality=QualitySettings(frozen_soil=False),
    )


@pytest.fixture
def twin(toy):
    """Forty cells of one patch, a month of windows of three steps with midnight."""

    def make(scheme, operators, scales):
        grid = toy.grid([[7]] * CELLS, [[1.0]] * CELLS)
        model = toy.model(toy.parameters(CELLS), curvature=0.02)
        windows = [
            toy.window(CELLS, steps=3, start=str(np.datetime64("2015-06-01T22:00") + day), seed=day)
            for day in range(DAYS)
        ]
        settings = settings_of(scheme)
        state = toy.state(model.parameters)
        observed = observe_known_errors(
            model, grid, state, windows, operators, settings, scales, [0.8] * len(operators), seed=1
        )
        assert observed.cut < 0.02

        def cycle(scales, operators=operators, **options):
            return differentiable_cycle(
                model, grid, FilterState(land=state), windows, operators, observed.observed, settings,
                scales=scales, **options,
            )  # fmt: skip

        return cycle

    return make


@pytest.mark.parametrize("scheme", ["smoother", "end_of_window"])
def test_known_scales_are_recovered(twin, scheme):
    """From a factor of two off in both directions, within three widths, which are a few percent."""
    operators = [create_operator(name, cell_count=CELLS) for name in ("wg2", "lai")]
    truth = ErrorScales(CONTROL, 2, background=[1.2, 0.9, 1.0], observation=[0.8, 1.1])
    cycle = twin(scheme, operators, truth)
    scales = ErrorScales(CONTROL, 2, background=[0.6, 1.8, 1.0], observation=[1.6, 0.55])
    result = tune_errors(lambda: cycle(scales, information=True), scales)
    assert result.converged
    at_truth = sum(float(window.log_likelihood.detach().sum()) for window in cycle(truth))
    assert 0.0 < result.steps[-1].log_likelihood - at_truth < 10.0
    assert result.steps[0].log_likelihood < at_truth - 100.0
    assert len(result.steps) <= 10
    error = result.scales.log() - torch.tensor([1.2, 0.9, 1.0, 0.8, 1.1], dtype=torch.float64).log()
    seen = torch.tensor([True, True, False, True, True])
    assert result.width[seen].max() < 0.15
    assert (error.abs() < 3.0 * result.width)[seen].all()
    assert result.width[2] > 0.9, "the deepest layer is not seen"
    assert error[2].abs() < 0.1, "and stays where it was"


def test_a_biased_operator_is_improved(twin):
    """The level of the soil in a water cloud model, 1 dB off in half of the cells, found again by its gradient."""
    level = torch.where(torch.arange(CELLS) % 2 == 0, -16.0, -15.0).double()
    # soil moisture is observed as well: alone, the analyses would take the bias into the soil
    direct = create_operator("wg2", cell_count=CELLS)
    operators = [direct, create_operator("water_cloud", cell_count=CELLS, A=0.02, C=level)]
    scales = ErrorScales(CONTROL, 2).requires_grad_(False)
    cycle = twin("end_of_window", operators, scales)
    at_truth = -sum(float(window.log_likelihood.detach().sum()) for window in cycle(scales))

    biased = create_operator("water_cloud", cell_count=CELLS, A=0.02, C=-16.0)
    biased.requires_grad_(False)
    biased.C_logit.requires_grad_()
    optimiser = torch.optim.LBFGS([biased.C_logit], lr=1.0, max_iter=8, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        return accumulate_gradient(cycle(scales, [direct, biased]))

    first = float(loss())
    optimiser.step(loss)
    last = float(loss())
    error = (biased.parameter("C") - level).detach().abs()
    assert first - at_truth > 100.0
    assert last < at_truth, "more likely than the truth: the parameters are fitted, the truth is not"
    assert error.mean() < 0.3, "0.5 before"

    # cells are independent, so one more gradient has the curvature of each
    found, slope = biased.C_logit.detach().clone(), biased.C_logit.grad.clone()
    with torch.no_grad():
        biased.C_logit += 0.01
    loss()
    width = ((biased.C_logit.grad - slope) / 0.01).rsqrt()
    normalised = (found - operators[1].C_logit.detach()) / width
    assert 0.5 < normalised.square().mean() < 1.6, "errors of the size that the likelihood says"


def test_only_consistent_schemes_make_a_twin(twin):
    with pytest.raises(InputError, match="use smoother or end_of_window"):
        twin("sekf", [create_operator("wg2", cell_count=CELLS)], ErrorScales(CONTROL, 1))


def test_scales_per_cell_are_not_tuned(twin):
    scales = ErrorScales(CONTROL, 1, cell_count=CELLS)
    with pytest.raises(InputError, match="common to all cells"):
        tune_errors(list, scales)
    with pytest.raises(InputError, match="no window"):
        tune_errors(list, ErrorScales(CONTROL, 1))
