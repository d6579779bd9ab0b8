"""A background error covariance that is carried from window to window, ``(n, n, cell)`` (ldas_sekf.md 1.10).

Forecast: P <- M P M^T + Q.  Analysis, in the form that stays positive whatever the gain: P <- (I - K H) P (I - K H)^T
+ K R K^T.  The model moves no error from patch to patch, but an observation of the cell correlates them.
"""

import torch
from torch import Tensor


def diagonal_covariance(variance: Tensor) -> Tensor:
    """Variances ``(n, cell)`` as a covariance matrix ``(n, n, cell)``."""
    return torch.diag_embed(variance.mT).permute(1, 2, 0)


def propagate(P: Tensor, M: Tensor, Q: Tensor) -> Tensor:
    """M P M^T + Q.

    ``P`` (n, n, cell); ``M`` (control at t1, control at t0, slot, cell), the derivatives within each patch; ``Q``
    (n, cell) variances of the model error of one window.
    """
    controls, slots = M.shape[0], M.shape[2]
    blocks = P.unflatten(1, (controls, slots)).unflatten(0, (controls, slots))
    moved = torch.einsum("ilsc,lsmtc->ismtc", M, blocks)
    moved = torch.einsum("ismtc,jmtc->isjtc", moved, M)
    return _symmetric(moved.flatten(2, 3).flatten(0, 1)) + diagonal_covariance(Q)


def analysed_covariance(P: Tensor, H: Tensor, K: Tensor, R: Tensor) -> Tensor:
    """(I - K H) P (I - K H)^T + K R K^T; ``H`` and ``K`` (observation, n, cell), ``R`` (observation, cell)."""
    identity = torch.eye(P.shape[0], dtype=P.dtype, device=P.device).unsqueeze(-1)
    kept = identity - torch.einsum("kic,kjc->ijc", K, H)
    P = torch.einsum("ijc,jkc,lkc->ilc", kept, P, kept) + torch.einsum("kic,kc,kjc->ijc", K, R, K)
    return _symmetric(P)


def _symmetric(P: Tensor) -> Tensor:
    return 0.5 * (P + P.transpose(0, 1))
