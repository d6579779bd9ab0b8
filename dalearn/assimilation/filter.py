"""The analysis step of the extended Kalman filter, for all cells at once (ldas_sekf.md 1.8).

Cells are independent.  Within a cell the state is the control variables of all its patches, n values; every
tensor has the cell axis last.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.grid import sum_in_order


class Analysis(NamedTuple):
    increment: Tensor  # dx (n, cell), in the units of x
    gain: Tensor  # K (observation, n, cell), units of x per unit of y
    innovation_covariance: Tensor  # S (observation, observation, cell), units of y squared


def analyse(departure: Tensor, H: Tensor, B: Tensor, R: Tensor) -> Analysis:
    """Best linear unbiased correction of x by the departures d = y_o - y_b (eq. 9).

    Shapes: ``departure`` (observation, cell); ``H`` (observation, n, cell); ``B`` as in ``times_covariance``; ``R``
    (observation, cell) variances, positive.  A missing observation is a row with d = 0, H = 0, R = 1
    (``mask_missing``).
    """
    BHT = times_covariance(B, H)
    S = torch.einsum("kic,lic->klc", H, BHT) + torch.diag_embed(R.mT).permute(1, 2, 0)
    gain = solve_cells(S, BHT)
    return Analysis(sum_in_order(gain * departure.unsqueeze(1), 0), gain, S)


def times_covariance(B: Tensor, H: Tensor) -> Tensor:
    """B H^T with the observation axis first, ``(observation, n, cell)``.

    ``B`` is ``(n, cell)``, variances; ``(control, control, slot, cell)``, covariances within each patch; or
    ``(n, n, cell)``, covariances of the whole cell.
    """
    if B.ndim == 2:
        return B * H
    if B.ndim == 3:
        return torch.einsum("ijc,kjc->kic", B, H)
    of_patch = H.unflatten(1, (B.shape[0], -1))
    return torch.einsum("ijsc,kjsc->kisc", B, of_patch).flatten(1, 2)


def innovation_variance(H: Tensor, B: Tensor, R: Tensor) -> Tensor:
    """Diagonal of S = H B H^T + R, ``(observation, cell)``: the variance that a departure should have."""
    return sum_in_order(H * times_covariance(B, H), 1) + R


def solve_cells(S: Tensor, right: Tensor) -> Tensor:
    """S^-1 right for every cell: ``(k, k, cell), (k, n, cell) -> (k, n, cell)``.

    One and two observations in closed form: many tiny factorisations are slow on a GPU and make it wait.
    """
    if S.shape[0] == 1:
        return right / S
    if S.shape[0] == 2:
        determinant = S[0, 0] * S[1, 1] - S[0, 1] * S[1, 0]
        first = (S[1, 1] * right[0] - S[0, 1] * right[1]) / determinant
        second = (S[0, 0] * right[1] - S[1, 0] * right[0]) / determinant
        return torch.stack([first, second])
    solution, _ = torch.linalg.solve_ex(S.permute(2, 0, 1), right.permute(2, 0, 1))
    return solution.permute(1, 2, 0)


def mask_missing(present: Tensor, departure: Tensor, H: Tensor, R: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows without an observation replaced by d = 0, H = 0, R = 1; ``present`` bool (observation, cell)."""
    return (
        torch.where(present, departure, torch.zeros_like(departure)),
        torch.where(present.unsqueeze(1), H, torch.zeros_like(H)),
        torch.where(present, R, torch.ones_like(R)),
    )
