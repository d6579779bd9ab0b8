"""The analysis of the ensemble square root filter: worked example, exact Kalman covariances, missing observations."""

import pytest
import torch

from dalearn.assimilation.filter import analyse
from dalearn.assimilation.square_root import analyse_ensemble, ensemble_covariance, mean_over_members

CELLS = 5


def column(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def ensemble():
    """Seven members of four variables, of which three combinations are observed."""
    random = torch.Generator().manual_seed(4)
    x = torch.randn(7, 4, CELLS, generator=random, dtype=torch.float64)
    x = x - mean_over_members(x)
    H = torch.randn(3, 4, CELLS, generator=random, dtype=torch.float64)
    y = torch.einsum("kic,mic->mkc", H, x)
    d = torch.randn(3, CELLS, generator=random, dtype=torch.float64)
    R = 0.1 + torch.rand(3, CELLS, generator=random, dtype=torch.float64)
    return x, y, d, R, H


def test_worked_example():
    """ldas_sekf.md 10.11."""
    x = torch.stack([column(0.20, 0.24, 0.28), column(0.30, 0.31, 0.35)], dim=1).unsqueeze(-1)
    mean = mean_over_members(x)
    deviations = x - mean
    departure, R = column(0.20).unsqueeze(-1) - mean[:1], torch.full((1, 1), 0.0025, dtype=torch.float64)
    result = analyse_ensemble(deviations, deviations[:, :1], departure, R, torch.ones(1, 1, dtype=torch.bool))
    close = {"rtol": 0, "atol": 5e-9}
    torch.testing.assert_close(result.innovation_covariance[0, 0], column(0.0016 + 0.0025))
    torch.testing.assert_close(result.gain[0, :, 0], column(0.39024390, 0.24390244), **close)
    torch.testing.assert_close((mean + result.increment)[:, 0], column(0.22439024, 0.31024390), **close)
    torch.testing.assert_close(result.deviations[:, 0, 0], column(-0.03123475, 0.0, 0.03123475), **close)
    torch.testing.assert_close(result.deviations[:, 1, 0], column(-0.01452172, -0.01, 0.02452172), **close)
    assert result.deviations[:, 0, 0].var().item() == pytest.approx(0.00097561, abs=5e-9)
    torch.testing.assert_close(result.equivalent_increment, result.increment[:1])


def test_is_the_kalman_filter_of_its_own_covariance(ensemble):
    """One observation after the other gives the mean and the covariance of all at once, deviations unperturbed."""
    x, y, d, R, H = ensemble
    P = ensemble_covariance(x, x)
    result = analyse_ensemble(x, y, d, R, torch.ones_like(d, dtype=torch.bool))
    expected = analyse(d, H, P, R)
    torch.testing.assert_close(result.increment, expected.increment)
    torch.testing.assert_close(result.gain, expected.gain)
    torch.testing.assert_close(result.innovation_covariance, expected.innovation_covariance)
    KH = torch.einsum("kic,kjc->ijc", expected.gain, H)
    torch.testing.assert_close(
        ensemble_covariance(result.deviations, result.deviations), P - torch.einsum("ijc,jkc->ikc", KH, P)
    )
    torch.testing.assert_close(result.signal, torch.einsum("kic,kic->kc", H, expected.gain))
    torch.testing.assert_close(result.deviations.sum(dim=0), torch.zeros_like(P[0]), atol=1e-14, rtol=0)
    torch.testing.assert_close(result.equivalent_increment, torch.einsum("kic,ic->kc", H, result.increment))


@pytest.mark.parametrize("kept", [[], [0], [2], [0, 2], [1, 2]])
def test_missing_observations_are_as_if_not_there(ensemble, kept):
    x, y, d, R, _ = ensemble
    present = torch.zeros_like(d, dtype=torch.bool)
    present[kept, 1:] = True
    gone = ~present
    holes = torch.where(gone, torch.nan, d), torch.where(gone, torch.nan, R)
    result = analyse_ensemble(x, torch.where(gone, torch.nan, y), *holes, present)
    fewer = analyse_ensemble(x[..., 1:], y[:, kept, 1:], d[kept, 1:], R[kept, 1:], present[kept, 1:])
    for name in ("increment", "deviations"):
        torch.testing.assert_close(getattr(result, name)[..., 1:], getattr(fewer, name))
        assert torch.equal(result.deviations[..., 0], x[..., 0])
        assert (result.increment[:, 0] == 0).all()
    assert (result.gain[..., 0] == 0).all()
    torch.testing.assert_close(result.gain[kept, :, 1:], fewer.gain)
    assert (result.signal[gone] == 0).all()


def test_limits_of_the_observation_error(ensemble):
    """An exact observation takes the mean to itself and leaves no spread; a useless one changes nothing."""
    x, _, d, R, _ = ensemble
    present = torch.ones(1, CELLS, dtype=torch.bool)
    exact = analyse_ensemble(x, x[:, :1], d[:1], 1e-16 * R[:1], present)
    torch.testing.assert_close(exact.increment[0], d[0])
    assert exact.deviations[:, 0].abs().max() < 1e-7
    useless = analyse_ensemble(x, x[:, :1], d[:1], 1e16 * R[:1], present)
    assert useless.increment.abs().max() < 1e-14
    torch.testing.assert_close(useless.deviations, x)


def test_members_without_spread_do_not_move(ensemble):
    x, y, d, R, _ = ensemble
    result = analyse_ensemble(0 * x, 0 * y, d, R, torch.ones_like(d, dtype=torch.bool))
    assert (result.increment == 0).all()
    assert (result.deviations == 0).all()


def test_mean_of_identical_members_is_each_of_them():
    value = torch.rand(1, 1000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.equal(mean_over_members(value.expand(7, -1)), value[0])
    assert torch.equal(mean_over_members(value.expand(7, -1).mT, dim=1), value[0])
