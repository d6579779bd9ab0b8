"""Observation errors that the operator predicts: R per observation, its checks and its gradient."""

import dataclasses

import pytest
import torch

from dalearn.assimilation.covariance import ObservationErrorSettings
from dalearn.assimilation.cycle import run_cycle
from dalearn.assimilation.differentiable import differentiable_cycle
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.errors import InputError
from dalearn.operators import create_operator

from .test_differentiable import assert_gradients

OWN = {"sigma0": ObservationErrorSettings(0.9, "operator"), "LAI": ObservationErrorSettings(0.3)}


@pytest.fixture
def run(domain, toy):
    """Two windows of three cells; a network that predicts its error, and LAI with an error of its own."""
    d = domain(curvature=0.05)
    d.windows = [toy.window(3, start=f"2015-06-0{day + 1}T09:00", seed=day) for day in range(2)]
    operator = create_operator("hierarchical_network", cell_count=3, hidden_units=[4, 4], embedding=2)
    mean, spread = torch.tensor([0.25, 288.0, 2.0]).double(), torch.tensor([0.2, 15.0, 2.0]).double()
    samples = mean + spread * torch.linspace(-1, 1, 80).double()[:, None, None] * torch.ones(3, 3).double()
    operator.fit_statistics(samples, 15.0 * samples[..., 0] - samples[..., 2] - 12.0)
    with torch.no_grad():
        operator.error.level.copy_(torch.tensor([0.3, 0.5, 0.8]).log())
        operator.error.slope.copy_(torch.tensor([0.2, -0.1, 0.3]))
    d.operators = [operator, create_operator("lai", cell_count=3)]
    d.observed = torch.tensor([[[-10.0, -9.0, -8.5], [2.0, torch.nan, 1.0]]] * 2).double()
    return d


def cycle(d, settings):
    records = []
    run_cycle(
        d.model, d.grid, FilterState(land=d.state), d.windows, d.operators, d.observed, settings,
        on_window=lambda record, _: records.append(record),
    )  # fmt: skip
    return records


@pytest.mark.parametrize("scheme", ["sekf", "end_of_window", "ensrf"])
def test_r_is_what_the_operator_predicts_at_the_forecast(run, scheme):
    record = cycle(run, FilterSettings(scheme=scheme, observation_error=OWN))[0]
    predictors = torch.stack([record.forecast[name] for name in run.operators[0].predictors], dim=-1)
    expected = 0.9 * run.operators[0].error_deviation(predictors)
    torch.testing.assert_close(record.observation_deviation[0], expected)
    assert record.observation_deviation[1, 0].item() == pytest.approx(0.3)
    assert len(set(record.observation_deviation[0].tolist())) == 3, "every observation has its own"


def test_a_larger_predicted_error_means_a_smaller_gain(run):
    settings = FilterSettings(observation_error=OWN)
    before = cycle(run, settings)[0].gain[0]
    with torch.no_grad():
        run.operators[0].error.level.add_(1.0)
    after = cycle(run, settings)[0].gain[0]
    moved = before.abs() > 1e-12
    assert bool((after.abs() < before.abs())[moved].all())
    assert bool(moved.any())


def test_operators_without_an_error_are_refused(run):
    run.operators[0] = create_operator("linear", cell_count=3)
    with pytest.raises(InputError, match=r"observation_error\.sigma0\.relative_to: operator 'linear' does not predict"):
        cycle(run, FilterSettings(observation_error=OWN))


@pytest.mark.parametrize("jacobian", ["finite_differences", "autograd"])
def test_the_likelihood_knows_the_predicted_error(run, jacobian):
    settings = FilterSettings(scheme="end_of_window", jacobian=jacobian, observation_error=OWN)
    settings = dataclasses.replace(settings)
    error = run.operators[0].error

    def likelihood():
        windows = differentiable_cycle(
            run.model, run.grid, FilterState(land=run.state), run.windows, run.operators, run.observed, settings
        )
        return torch.stack([window.log_likelihood.sum() for window in windows]).sum()

    assert_gradients(likelihood, [error.level, error.slope, error.curvature], rtol=1e-5)
