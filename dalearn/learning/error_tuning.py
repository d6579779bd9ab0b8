"""Tuning of error scales by the likelihood of the innovations, with a quasi-Newton method.

The gradient is exact (reverse mode through the cycle).  The first metric is the expected information in the departures
as they are; what the scales do to later departures, by way of the analyses, often tells B from R where S alone
does not, and is learned from the gradients (the BFGS formula, Nocedal and Wright 2006, eq. 6.17).  In the end the
Hessian, from differences of gradients, says how well each scale is known.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.assimilation.differentiable import DifferentiableWindow, accumulate_gradient
from dalearn.assimilation.error_scales import ErrorScales
from dalearn.errors import InputError

LARGEST_STEP = 0.7  # of the logarithm of a scale: a factor of two
PRIOR = 1.0  # information on the logarithm of every scale before any observation: a factor of e
SUFFICIENT = 1e-4  # share of the promised gain that a step must bring (Armijo)
HALVINGS = 6
DIFFERENCE = 0.03  # of the logarithm of a scale, for the Hessian

Cycle = Callable[[], Iterable[DifferentiableWindow]]


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
        steps: every run of the cycle on the way.
        scales: (parameter,) multipliers, the control variables first, then the operators.
        width: (parameter,) standard deviation of the logarithm of each, given the observations and ``PRIOR``: near 1
            where the observations say nothing.
        information: (parameter, parameter), minus the Hessian of the log-likelihood.
        converged: whether another step promised less than the tolerance.
    """

    steps: tuple[TuningStep, ...]
    scales: Tensor
    width: Tensor
    information: Tensor
    converged: bool


def tune_errors(
    cycle: Cycle,
    scales: ErrorScales,
    *,
    runs: int = 30,
    tolerance: float = 0.05,
    on_step: Callable[[TuningStep], None] | None = None,
) -> TunedErrors:
    """Move ``scales`` to the maximum of the likelihood of ``cycle``.

    Args:
        cycle: starts a ``differentiable_cycle`` with these scales and with ``information``.
        scales: common to all cells; changed in place.
        runs: at most so many runs of the cycle on the way; the Hessian takes one more for each scale.
        tolerance: stop when a step promises less gain of log-likelihood.
        on_step: called after every run on the way.

    ``InputError`` for scales per cell, or a cycle without observations.
    """
    if scales.log_background.shape[1] != 1:
        raise InputError("tuning takes scales that are common to all cells: leave cell_count out")
    best = _evaluate(cycle, scales)
    steps = [TuningStep(_logs(scales).exp(), best.value, True)]
    if on_step:
        on_step(steps[-1])
    inverse = torch.diag(1.0 / (best.information.diagonal() + PRIOR))
    converged = False
    while not converged and len(steps) < runs:
        move = inverse @ best.gradient
        promised = float(move @ best.gradient)
        converged = 0.5 * promised < tolerance
        move = move * min(1.0, LARGEST_STEP / float(move.abs().max()))
        start, found = _logs(scales), None
        for halving in range(0 if converged else min(HALVINGS, runs - len(steps))):
            share = 0.5**halving
            _assign(scales, start + share * move)
            trial = _evaluate(cycle, scales)
            enough = trial.value >= best.value + SUFFICIENT * share * float(move @ best.gradient)
            steps.append(TuningStep(_logs(scales).exp(), trial.value, enough))
            if on_step:
                on_step(steps[-1])
            if enough:
                found = trial
                inverse = _updated_inverse(inverse, share * move, best.gradient - trial.gradient)
                best = trial
                break
        if found is None:
            _assign(scales, start)
            break
    information = _curvature(cycle, scales, best.gradient)
    width = torch.linalg.inv(information + PRIOR * torch.eye(len(information), dtype=information.dtype))
    return TunedErrors(tuple(steps), _logs(scales).exp(), width.diagonal().sqrt(), information, converged)


class _Evaluation(NamedTuple):
    value: float  # log-likelihood
    gradient: Tensor  # (parameter,)
    information: Tensor  # (parameter, parameter), that in the departures as they are


def _evaluate(cycle: Cycle, scales: ErrorScales) -> _Evaluation:
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
    return _Evaluation(-float(loss), -gradient.squeeze(-1), torch.stack(total).sum(dim=0))


def _updated_inverse(inverse: Tensor, step: Tensor, change: Tensor) -> Tensor:
    """The BFGS update of the inverse of minus the Hessian; unchanged where the curvature has the wrong sign."""
    curvature = float(step @ change)
    if curvature <= 1e-8 * float(step.norm() * change.norm()):
        return inverse
    projection = torch.eye(len(step), dtype=step.dtype) - torch.outer(step, change) / curvature
    return projection @ inverse @ projection.T + torch.outer(step, step) / curvature


def _curvature(cycle: Cycle, scales: ErrorScales, gradient: Tensor) -> Tensor:
    """Minus the Hessian by one-sided differences of gradients, made symmetric; negative directions count as flat."""
    start, rows = _logs(scales), []
    for number in range(len(gradient)):
        moved = start.clone()
        moved[number] += DIFFERENCE
        _assign(scales, moved)
        rows.append((gradient - _evaluate(cycle, scales).gradient) / DIFFERENCE)
    _assign(scales, start)
    values, vectors = torch.linalg.eigh(0.5 * (torch.stack(rows) + torch.stack(rows).T))
    return vectors @ torch.diag(values.clamp(min=0.0)) @ vectors.T


def _logs(scales: ErrorScales) -> Tensor:
    return torch.cat([scales.log_background, scales.log_observation]).detach().squeeze(-1).clone()


@torch.no_grad()
def _assign(scales: ErrorScales, logs: Tensor) -> None:
    controls = len(scales.log_background)
    scales.log_background.copy_(logs[:controls].unsqueeze(-1))
    scales.log_observation.copy_(logs[controls:].unsqueeze(-1))
