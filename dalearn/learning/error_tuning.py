"""Tuning of error scales by the likelihood of the innovations, with Fisher scoring.

The gradient is exact (reverse mode through the whole cycle), the metric is the expected information on the scales: a
step solves information x step = gradient.  It needs some five runs of the cycle where plain gradient ascent needs
dozens, and its metric says how well each scale is known (Dee 1995; Osborne 1992).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dalearn.assimilation.differentiable import DifferentiableWindow, accumulate_gradient
from dalearn.assimilation.error_scales import ErrorScales
from dalearn.errors import InputError

LARGEST_STEP = 0.7  # of the logarithm of a scale: a factor of two
DAMPING = 1.0  # added to the information of every scale: keeps what the observations do not know where it is
HALVINGS = 4


@dataclass(frozen=True)
class TuningStep:
    """One run of the cycle: ``scales`` (parameter,), their log-likelihood and whether it was taken or undone."""

    scales: Tensor
    log_likelihood: float
    accepted: bool


@dataclass(frozen=True)
class TunedErrors:
    """The result of ``tune_errors``.

    Attributes:
        steps: every run of the cycle.
        scales: (parameter,) multipliers, the control variables first, then the operators.
        width: (parameter,) standard deviation of the logarithm of each, from the information of the observations and a
            prior of ``DAMPING``: near 1 where the observations say nothing.
        information: (parameter, parameter).
        converged: whether the last step promised less than the tolerance.
    """

    steps: tuple[TuningStep, ...]
    scales: Tensor
    width: Tensor
    information: Tensor
    converged: bool


def tune_errors(
    cycle: Callable[[], Iterable[DifferentiableWindow]],
    scales: ErrorScales,
    *,
    runs: int = 12,
    tolerance: float = 0.02,
    on_step: Callable[[TuningStep], None] | None = None,
) -> TunedErrors:
    """Move ``scales`` to the maximum of the likelihood of ``cycle``.

    Args:
        cycle: starts a ``differentiable_cycle`` with these scales and with ``information``.
        scales: common to all cells; changed in place.
        runs: at most so many runs of the cycle.
        tolerance: stop when a step promises less gain of log-likelihood.
        on_step: called after every run.

    ``InputError`` for scales per cell, or a cycle without observations.
    """
    if scales.log_background.shape[1] != 1:
        raise InputError("tuning takes scales that are common to all cells: leave cell_count out")
    best, gradient, information = _evaluate(cycle, scales)
    steps = [TuningStep(_logs(scales).exp(), best, True)]
    if on_step:
        on_step(steps[-1])
    converged = False
    while len(steps) < runs:
        damped = information + DAMPING * torch.eye(len(gradient), dtype=gradient.dtype)
        move = torch.linalg.solve(damped, gradient)
        converged = 0.5 * float(move @ gradient) < tolerance
        if converged:
            break
        move = move * min(1.0, LARGEST_STEP / float(move.abs().max()))
        start = _logs(scales)
        for _ in range(min(HALVINGS, runs - len(steps))):
            _assign(scales, start + move)
            value, new_gradient, new_information = _evaluate(cycle, scales)
            steps.append(TuningStep(_logs(scales).exp(), value, value > best))
            if on_step:
                on_step(steps[-1])
            if value > best:
                best, gradient, information = value, new_gradient, new_information
                break
            move = 0.5 * move
        else:
            _assign(scales, start)
            break
    width = torch.linalg.inv(information + DAMPING * torch.eye(len(gradient), dtype=gradient.dtype)).diagonal().sqrt()
    return TunedErrors(tuple(steps), _logs(scales).exp(), width, information, converged)


def _evaluate(cycle: Callable[[], Iterable[DifferentiableWindow]], scales: ErrorScales) -> tuple[float, Tensor, Tensor]:
    """Log-likelihood, its gradient and the information, (parameter,) and (parameter, parameter)."""
    total: list[Tensor] = []

    def collected() -> Iterator[DifferentiableWindow]:
        for window in cycle():
            if window.information is not None:
                total.append(window.information.sum(dim=-1))
            yield window

    scales.zero_grad()
    loss = accumulate_gradient(collected())
    if not total:
        raise InputError("no observation in any window: nothing to tune the errors by")
    parts = (scales.log_background, scales.log_observation)
    gradient = torch.cat([torch.zeros_like(part) if part.grad is None else part.grad for part in parts])
    return -float(loss), -gradient.squeeze(-1), torch.stack(total).sum(dim=0)


def _logs(scales: ErrorScales) -> Tensor:
    return torch.cat([scales.log_background, scales.log_observation]).detach().squeeze(-1).clone()


@torch.no_grad()
def _assign(scales: ErrorScales, logs: Tensor) -> None:
    controls = len(scales.log_background)
    scales.log_background.copy_(logs[:controls].unsqueeze(-1))
    scales.log_observation.copy_(logs[controls:].unsqueeze(-1))
