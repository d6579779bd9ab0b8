"""The analysis step: worked examples of ldas_sekf.md 10 and properties of the filter."""

import pytest
import torch

from dalearn.assimilation.filter import analyse, mask_missing


def column(*rows):
    """A float64 tensor with a cell axis of one."""
    return torch.tensor(rows, dtype=torch.float64).unsqueeze(-1)


def problem(observations=3, n=8, cells=5, seed=0):
    random = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.rand(*shape, generator=random, dtype=torch.float64)

    return (
        draw(observations, cells) - 0.5,
        draw(observations, n, cells) - 0.3,
        0.1 + draw(n, cells),
        0.05 + draw(observations, cells),
    )


def dense(departure, H, B, R):
    """The textbook formula, one cell after another."""
    increments, gains = [], []
    for c in range(departure.shape[-1]):
        h, b, r = H[..., c], torch.diag(B[..., c]), torch.diag(R[..., c])
        gain = b @ h.T @ torch.linalg.inv(h @ b @ h.T + r)
        increments.append(gain @ departure[:, c])
        gains.append(gain.T)
    return torch.stack(increments, -1), torch.stack(gains, -1)


def test_two_variables_two_observations():
    """Section 10.2."""
    H = column([0.5, -0.002], [0.0, 0.9])
    B, R, d = column(0.0016, 0.36), column(0.0025, 0.5184), column(-0.05, 0.6)
    analysis = analyse(d, H, B, R)
    expected_gain = torch.tensor([[0.27577443, -0.15884607], [0.00022062, 0.39987292]], dtype=torch.float64)
    torch.testing.assert_close(analysis.gain[..., 0], expected_gain, atol=5e-9, rtol=0)
    assert analysis.increment.flatten().tolist() == pytest.approx([-0.01365635, 0.24786606], abs=5e-9)
    assert pytest.approx(0.01678513, abs=5e-9) == 0.24786606 * 0.06771856

    diagonal = analyse(d, column([0.5, 0.0], [0.0, 0.9]), B, R)
    assert diagonal.increment.flatten().tolist() == pytest.approx([-0.01379310, 0.24], abs=5e-9)
    assert diagonal.gain[0, 0].item() == pytest.approx(0.27586207, abs=5e-9)
    assert diagonal.gain[1, 1].item() == pytest.approx(0.4, abs=5e-9)


def test_two_patches_one_observation():
    """Section 10.3: H holds the patch fraction, B does not."""
    alpha, h = torch.tensor([0.7, 0.3], dtype=torch.float64), torch.tensor([0.6, 0.2], dtype=torch.float64)
    H = (alpha * h).reshape(1, 2, 1)
    assert H.flatten().tolist() == pytest.approx([0.42, 0.06])
    y = (alpha * torch.tensor([0.22, 0.30])).sum().item()
    assert y == pytest.approx(0.244)
    analysis = analyse(column(0.20 - y), H, column(0.0016, 0.0016), column(0.0025))
    assert analysis.gain.flatten().tolist() == pytest.approx([0.24103300, 0.03443329], abs=5e-9)
    assert analysis.increment.flatten().tolist() == pytest.approx([-0.01060545, -0.00151506], abs=5e-9)


@pytest.mark.parametrize("observations", [1, 2, 3, 4])
def test_batch_equals_cell_by_cell(observations):
    """Section 10.13 g: closed forms and the batched solve against full matrices."""
    arguments = problem(observations)
    analysis = analyse(*arguments)
    increment, gain = dense(*arguments)
    torch.testing.assert_close(analysis.increment, increment, rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(analysis.gain, gain, rtol=1e-11, atol=1e-13)


def test_correlated_background_error():
    d, H, B, R = problem(2)
    full = torch.diag_embed(B.T).permute(1, 2, 0)
    torch.testing.assert_close(analyse(d, H, full, R), analyse(d, H, B, R))
    full = full + 0.01
    expected = torch.stack(
        [
            full[..., c] @ H[..., c].T @ torch.linalg.solve(
                H[..., c] @ full[..., c] @ H[..., c].T + torch.diag(R[:, c]), d[:, c]
            )
            for c in range(d.shape[-1])
        ],
        dim=-1,
    )  # fmt: skip
    torch.testing.assert_close(analyse(d, H, full, R).increment, expected)


def test_no_departure_no_increment():
    """Section 10.13 a."""
    d, H, B, R = problem()
    assert (analyse(torch.zeros_like(d), H, B, R).increment == 0).all()


def test_limits_of_observation_error():
    """Section 10.13 b and c: useless observations change nothing, perfect ones of x itself are met."""
    d, H, B, R = problem(3, 3)
    assert analyse(d, H, B, 1e12 * R).increment.abs().max() < 1e-10
    identity = torch.eye(3, dtype=torch.float64).unsqueeze(-1).expand(3, 3, d.shape[-1])
    torch.testing.assert_close(analyse(d, identity, B, 1e-14 * R).increment, d, rtol=1e-9, atol=1e-12)


def test_a_split_patch_is_two_independent_patches():
    """Section 10.13 d."""
    alpha, h, b, r, d = 0.8, 0.6, 0.0016, 0.0025, -0.04
    half = alpha / 2
    split = analyse(column(d), column([half * h, half * h]), column(b, b), column(r)).increment
    expected = half * b * h / (alpha**2 * h**2 * b / 2 + r) * d
    assert split.flatten().tolist() == pytest.approx([expected, expected])
    whole = analyse(column(d), column([alpha * h]), column(b), column(r)).increment
    assert abs(whole.item() - split[0].item()) > 1e-4


def test_permutation():
    """Section 10.13 e, for cells, control values and observations."""
    d, H, B, R = problem()
    expected = analyse(d, H, B, R)
    cells, values, rows = torch.randperm(5), torch.randperm(8), torch.randperm(3)
    permuted = analyse(d[rows][:, cells], H[rows][:, values][..., cells], B[values][:, cells], R[rows][:, cells])
    torch.testing.assert_close(permuted.increment, expected.increment[values][:, cells])
    torch.testing.assert_close(permuted.gain, expected.gain[rows][:, values][..., cells])


@pytest.mark.parametrize("observations", [2, 3])
def test_missing_observations_are_as_if_absent(observations):
    d, H, B, R = problem(observations)
    present = torch.ones_like(d, dtype=torch.bool)
    present[0] = False
    present[:, 4] = False
    broken = (
        torch.where(present, d, torch.nan),
        torch.where(present.unsqueeze(1), H, torch.nan),
        torch.where(present, R, torch.nan),
    )
    d0, H0, R0 = mask_missing(present, *broken)
    analysis = analyse(d0, H0, B, R0)
    without = analyse(d[1:], H[1:], B, R[1:]).increment
    torch.testing.assert_close(analysis.increment[:, :4], without[:, :4])
    assert (analysis.increment[:, 4] == 0).all()
    assert (analysis.gain[0] == 0).all()


def test_gradients_of_the_analysis():
    d, H, B, R = problem(2, 4, 2)
    inputs = [item.requires_grad_() for item in (d, H, B, R)]
    assert torch.autograd.gradcheck(lambda *a: analyse(*a).increment, inputs)
