"""The likelihood of departures and the information in it, against torch.distributions and by sampling."""

import pytest
import torch
from torch.distributions import MultivariateNormal

from dalearn.assimilation.covariance import BackgroundErrorSettings, ObservationErrorSettings
from dalearn.assimilation.error_scales import ErrorScales, Multipliers
from dalearn.assimilation.filter import analyse, mask_missing
from dalearn.assimilation.jacobian import window_jacobian
from dalearn.assimilation.likelihood import expected_information, innovation_log_likelihood
from dalearn.assimilation.settings import FilterSettings
from dalearn.assimilation.update import update
from dalearn.errors import InputError
from dalearn.operators import create_operator


def problem(observations, n=6, cells=7):
    """Departures, H, B and R of cells in which every subset of observations is missing somewhere."""
    random = torch.Generator().manual_seed(5)

    def draw(*shape):
        return torch.rand(*shape, generator=random, dtype=torch.float64)

    present = torch.tensor([[(cell + 1) >> k & 1 == 1 for cell in range(cells)] for k in range(observations)])
    departure = torch.where(present, draw(observations, cells) - 0.5, torch.nan)
    R = torch.where(present, 0.05 + draw(observations, cells), torch.nan)
    return present, departure, draw(observations, n, cells) - 0.3, 0.1 + draw(n, cells), R


@pytest.mark.parametrize("observations", [1, 2, 3])
def test_equals_the_normal_density_of_what_is_observed(observations):
    present, departure, H, B, R = problem(observations)
    d, masked_H, masked_R = mask_missing(present, departure, H, R)
    S = analyse(d, masked_H, B, masked_R).innovation_covariance
    likelihood = innovation_log_likelihood(d, S, present)
    for cell in range(present.shape[1]):
        kept = present[:, cell]
        h = H[kept][:, :, cell]
        expected = torch.tensor(0.0, dtype=torch.float64)
        if kept.any():
            covariance = h @ torch.diag(B[:, cell]) @ h.T + torch.diag(R[kept, cell])
            normal = MultivariateNormal(torch.zeros(int(kept.sum())).double(), covariance)
            expected = normal.log_prob(departure[kept, cell])
        torch.testing.assert_close(likelihood[cell], expected, rtol=1e-12, atol=1e-12)


def test_missing_observations_have_no_gradient():
    present, departure, H, B, R = problem(2)
    scales = ErrorScales(["x"] * 6, 2)
    multipliers = scales(7)
    scaled = multipliers.of_observations(R)
    assert torch.equal(scaled.isnan(), ~present)
    d, masked_H, masked_R = mask_missing(present, departure, H, scaled)
    S = analyse(d, masked_H, B * multipliers.background.square(), masked_R).innovation_covariance
    innovation_log_likelihood(d, S, present).sum().backward()
    assert torch.isfinite(scales.log_observation.grad).all()
    assert (scales.log_background.grad != 0).all()


def test_information_is_the_expected_curvature(domain):
    """Minus the mean second derivative of the log-likelihood over many draws of d; one observation is missing."""
    d = domain()
    operators = [create_operator(name, cell_count=3) for name in ("wg2", "lai")]
    settings = FilterSettings(
        scheme="smoother",
        control=("LAI", "WG2", "WG3"),
        background=BackgroundErrorSettings(correlation_length=0.05),
        observation_error={"SSM": ObservationErrorSettings(0.02), "LAI": ObservationErrorSettings(0.3)},
    )
    linear = window_jacobian(d.model, d.grid, d.state, d.window, operators, settings.control_vector)
    observed = linear.model_equivalent + 0.01
    observed[1, 2] = torch.nan
    scales = ErrorScales(settings.control, 2, background=[0.7, 1.3, 2.0], observation=[1.5, 0.6])

    def updated(multipliers):
        return update(
            linear, observed, d.grid, d.parameters, operators, settings, background=d.state, multipliers=multipliers
        )

    reference = updated(scales(3))
    used, S = reference.rejected == 0, reference.innovation_covariance.detach()
    assert used.sum() == 5
    factor = torch.linalg.cholesky(S.permute(2, 0, 1))
    draws = (factor @ torch.randn(3, 2, 100_000, dtype=torch.float64)).movedim(0, -1)  # (observation, draw, cell)
    draws = torch.where(used.unsqueeze(1), draws, 0.0)
    # the mean of d d^T is all that the mean of the likelihood depends on
    mean = torch.einsum("kdc,ldc->klc", draws, draws) / draws.shape[1]

    def mean_likelihood(logs):
        m = logs.exp().unsqueeze(-1).expand(-1, 3)
        S = updated(Multipliers(m[:3], m[3:])).innovation_covariance.permute(2, 0, 1)
        trace = torch.einsum("ckl,lkc->", torch.linalg.inv(S), mean)
        return -0.5 * (trace + torch.logdet(S).sum())

    logs = torch.cat([scales.log_background, scales.log_observation]).detach().squeeze(-1)
    curvature = torch.autograd.functional.hessian(mean_likelihood, logs)
    information = expected_information(reference, d.grid).sum(dim=-1)
    assert information.diagonal().min() > 1e-3
    torch.testing.assert_close(information, -curvature, atol=0.01 * float(information.max()), rtol=0.02)


def test_error_scales_are_checked():
    with pytest.raises(InputError, match="must be positive"):
        ErrorScales(["LAI"], 1, background=0.0)
    with pytest.raises(InputError, match="3 observation multipliers for 2"):
        ErrorScales(["LAI"], 2, observation=[1.0, 2.0, 3.0])
    scales = ErrorScales(["LAI"], 2, cell_count=4, observation=[1.0, 2.0])
    assert scales.log_background.shape == (1, 4)
    torch.testing.assert_close(scales(4).observation[:, 2], torch.tensor([1.0, 2.0]).double())
    with pytest.raises(InputError, match="error scales are for LAI, the filter moves WG2"):
        scales.check(["WG2"], 2, 4)
    with pytest.raises(InputError, match="for 2 operators, the filter has 1"):
        scales.check(["LAI"], 1, 4)
    with pytest.raises(InputError, match="for 4 cells, the domain has 3"):
        scales.check(["LAI"], 2, 3)
