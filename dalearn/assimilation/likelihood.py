"""The likelihood of the departures of a window, and what it is worth as information on the error scales (Dee 1995).

With Gaussian errors and the right B and R, d = y_o - y is N(0, S), S = H B H^T + R, independent of earlier windows.
"""

import math

import torch
from torch import Tensor

from dalearn.assimilation.update import Update
from dalearn.grid import Grid


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


@torch.no_grad()
def expected_information(update: Update, grid: Grid) -> Tensor:
    """Fisher information of one window on the logarithms of its multipliers, (parameter, parameter, cell).

    F_ij = trace(S^-1 dS_i S^-1 dS_j) / 2, the parameters in the order control variables, operators; with B = D C D and
    D the multipliers, dS_l = H_l (B H^T)_l + its transpose over the patches, and dS_k = 2 R_k for the error of operator
    k.  This is how S itself depends on the multipliers.  What they did to the departures through earlier analyses
    adds to the information: this is a lower bound, and its inverse an upper bound of the posterior variance.
    """
    S, used = update.innovation_covariance, update.rejected == 0
    H, gain = grid.to_slots(update.jacobian), grid.to_slots(update.gain)
    BHT = torch.einsum("kjc,jlsc->klsc", S, gain)
    of_control = torch.einsum("klsc,jlsc->lkjc", H, BHT)
    R = torch.where(used, update.observation_variance, 0.0)
    of_operator = torch.diag_embed(torch.diag_embed(R.mT)).permute(1, 2, 3, 0)
    slope = torch.cat([of_control + of_control.transpose(1, 2), 2.0 * of_operator])
    relative = torch.einsum("ckl,pljc->pkjc", torch.linalg.inv(S.permute(2, 0, 1)), slope)
    return 0.5 * torch.einsum("pkjc,qjkc->pqc", relative, relative)
