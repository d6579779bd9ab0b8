"""The likelihood of the departures of a window, what it is worth as information on the error scales (Dee 1995).

With Gaussian errors and the right B and R, d = y_o - y is N(0, S), S = H B H^T + R, independent of earlier windows.
"""

import math

import torch
from torch import Tensor

from dalearn.assimilation.error_scales import Multipliers


def innovation_log_likelihood(departure: Tensor, innovation_covariance: Tensor, used: Tensor) -> Tensor:
    """-(d^T S^-1 d + log det S + m log 2 pi) / 2 of every cell, ``(cell,)``; 0 where no observation is used.

    Args:
        departure: d (observation, cell), in the units of each quantity.
        innovation_covariance: S (observation, observation, cell).
        used: bool (observation, cell); m counts them.  The rows of the others hold d = 0 and the unit matrix in S
            (``filter.mask_missing``), so that they add nothing.

    ``torch.linalg.LinAlgError`` when S is not positive definite.
    """
    factor = torch.linalg.cholesky(innovation_covariance.permute(2, 0, 1))
    whitened = torch.linalg.solve_triangular(factor, departure.mT.unsqueeze(-1), upper=False).squeeze(-1)
    count = used.sum(dim=0).to(departure.dtype)
    log_determinant = 2.0 * factor.diagonal(dim1=1, dim2=2).log().sum(dim=-1)
    return -0.5 * (whitened.square().sum(dim=-1) + log_determinant + count * math.log(2.0 * math.pi))


def expected_information(innovation_covariance: Tensor, multipliers: Multipliers) -> Tensor:
    """Fisher information of one window on the logarithms of its multipliers, (parameter, parameter, cell).

    F_ij = trace(S^-1 dS_i S^-1 dS_j) / 2, the parameters in the order background, observation.  It holds how S itself
    depends on the multipliers of this window.  What they did to the departures through earlier analyses adds to
    the information, so this is a lower bound; its inverse is an upper bound of the posterior variance.

    ``innovation_covariance`` (observation, observation, cell) must come from ``multipliers`` with its graph.
    """
    S = innovation_covariance
    inverse = torch.linalg.inv(S.detach().permute(2, 0, 1))
    rows = [[_log_derivative(S[k, j], multipliers) for j in range(len(S))] for k in range(len(S))]
    slope = torch.stack([torch.stack(row) for row in rows])  # (observation, observation, parameter, cell)
    relative = torch.einsum("ckl,ljpc->kjpc", inverse, slope)
    return 0.5 * torch.einsum("kjpc,jkqc->pqc", relative, relative)


def _log_derivative(entry: Tensor, multipliers: Multipliers) -> Tensor:
    """d entry / d log m, (parameter, cell): cells are independent, so the sum over cells has each one's own."""
    gradients = torch.autograd.grad(entry.sum(), multipliers, retain_graph=True, materialize_grads=True)
    return torch.cat([gradient * m.detach() for gradient, m in zip(gradients, multipliers, strict=True)])
