"""The analysis of the ensemble square root filter, for all cells at once (ldas_sekf.md eq. 19).

Whitaker & Hamill (2002, doi:10.1175/1520-0493(2002)130<1913:EDAWPO>2.0.CO;2): the mean moves by the Kalman gain of
the ensemble, the deviations from it by a smaller one, so that their covariance is that of the Kalman filter without
observations being perturbed.  Observations have independent errors and are taken one after the other.

Cells are independent.  The member axis comes first, the cell axis last.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.assimilation.filter import solve_cells


class SquareRootAnalysis(NamedTuple):
    increment: Tensor  # of the mean (n, cell), in the units of x
    deviations: Tensor  # analysed x' (member, n, cell)
    equivalent_increment: Tensor  # of the mean of y (observation, cell), to first order
    gain: Tensor  # K (observation, n, cell), units of x per unit of y: increment = K d
    innovation_covariance: Tensor  # S (observation, observation, cell), units of y squared
    signal: Tensor  # diagonal of H K (observation, cell)


def analyse_ensemble(x: Tensor, y: Tensor, departure: Tensor, R: Tensor, present: Tensor) -> SquareRootAnalysis:
    """Correction of an ensemble by the departures of its mean, d = y_o - mean(y).

    Shapes: ``x`` (member, n, cell) and ``y`` (member, observation, cell) deviations from their means; ``departure``
    and the variances ``R`` (observation, cell); ``present`` bool (observation, cell), nothing of the other
    observations is read.
    """
    d = torch.where(present, departure, 0.0)
    R = torch.where(present, R, 1.0)
    used_y = torch.where(present, y, 0.0)
    P_yy = ensemble_covariance(used_y, used_y)
    S = P_yy + torch.diag_embed(R.mT).permute(1, 2, 0)
    gain = solve_cells(S, ensemble_covariance(used_y, x))
    signal = torch.diagonal(solve_cells(S, P_yy)).mT

    n = x.shape[1]
    z = torch.cat([x, y], dim=1)  # y is corrected like x: the next observation sees what the last one has left
    increment = torch.zeros_like(z[0])
    for k in range(y.shape[1]):
        y_k = z[:, n + k]
        innovation = d[k] - increment[n + k]
        mean_gain, reduction = gain_of_one(z, y_k, R[k])
        mean_gain = torch.where(present[k], mean_gain, 0.0)
        deviation_gain = torch.where(present[k], reduction * mean_gain, 0.0)
        increment = increment + mean_gain * torch.where(present[k], innovation, 0.0)
        z = z - deviation_gain * torch.where(present[k], y_k, 0.0).unsqueeze(1)
    return SquareRootAnalysis(increment[:n], z[:, :n], increment[n:], gain, S, signal)


def gain_of_one(z: Tensor, y: Tensor, R: Tensor) -> tuple[Tensor, Tensor]:
    """K of one observation, ``(n, cell)``, and the factor a of the gain of the deviations, ``(cell,)``.

    K = P_zy / (P_yy + R);  a = 1 / (1 + sqrt(R / (P_yy + R))).  ``z`` (member, n, cell) and ``y`` (member, cell)
    deviations, ``R`` (cell,).
    """
    variance = ensemble_covariance(y.unsqueeze(1), y.unsqueeze(1))[0, 0] + R
    K = ensemble_covariance(z, y.unsqueeze(1))[:, 0] / variance
    return K, 1.0 / (1.0 + (R / variance).sqrt())


def ensemble_covariance(a: Tensor, b: Tensor) -> Tensor:
    """Covariances ``(i, j, cell)`` of deviations (member, i, cell) and (member, j, cell), divisor members - 1."""
    return torch.einsum("mic,mjc->ijc", a, b) / (a.shape[0] - 1)


def mean_over_members(values: Tensor, dim: int = 0) -> Tensor:
    """The mean over the member axis; that of identical members is, bit for bit, each of them."""
    first = values.narrow(dim, 0, 1)
    return (first + (values - first).mean(dim=dim, keepdim=True)).squeeze(dim)
