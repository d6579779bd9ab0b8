"""Least squares training of a network with one hidden layer by Levenberg and Marquardt, as S2MP was trained.

With the residuals r, their Jacobian J and the weights w, half of r'r + ``DECAY`` w'w falls: the step solves
(M + lambda diag(M)) p = -(J'r + ``DECAY`` w) with M = J'J + ``DECAY``; lambda falls by ``DECREASE`` after a step that
helps and grows by ``INCREASE`` after one that does not (Marquardt 1963).  Without the decay hidden units become steps,
with weights of hundreds, at places that the noise chooses.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

INCREASE, DECREASE = 4.0, 0.25
LARGEST_DAMPING = 1.0e10
DECAY = 1.0e-2  # of residuals in standard deviations of the target
ROWS_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class Weights:
    """y = b2 + W2 . tanh(W1 x + b1): ``W1`` (predictor, hidden), ``b1`` and ``W2`` (hidden,), ``b2`` ()."""

    W1: Tensor
    b1: Tensor
    W2: Tensor
    b2: Tensor

    def __call__(self, scores: Tensor) -> Tensor:
        """(...,) of the z-scores ``scores`` (..., predictor)."""
        return torch.tanh(scores @ self.W1 + self.b1) @ self.W2 + self.b2

    def flat(self) -> Tensor:
        """(parameter,) all in one."""
        return torch.cat([self.W1.reshape(-1), self.b1, self.W2, self.b2.reshape(1)])

    def moved(self, step: Tensor) -> "Weights":
        """The weights after adding ``step`` (parameter,)."""
        sizes = [self.W1.numel(), len(self.b1), len(self.W2), 1]
        W1, b1, W2, b2 = torch.split(self.flat() + step, sizes)
        return Weights(W1.reshape(self.W1.shape), b1, W2, b2.squeeze())


def initial_weights(predictors: int, hidden: int, generator: torch.Generator) -> Weights:
    """Random weights for z-scores, in float64 (uniform in +-1 over the root of the number of inputs)."""

    def uniform(*shape: int, fan_in: int) -> Tensor:
        return (2.0 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1.0) / fan_in**0.5

    weights = uniform(predictors, hidden, fan_in=predictors), uniform(hidden, fan_in=predictors)
    return Weights(*weights, uniform(hidden, fan_in=hidden), torch.zeros((), dtype=torch.float64))


def jacobian(weights: Weights, scores: Tensor) -> tuple[Tensor, Tensor]:
    """(sample,) output and (sample, parameter) its derivatives, in the order of ``Weights.flat``."""
    hidden = torch.tanh(scores @ weights.W1 + weights.b1)
    to_b1 = weights.W2 * (1.0 - hidden.square())
    to_W1 = (scores.unsqueeze(-1) * to_b1.unsqueeze(-2)).flatten(1)
    derivatives = torch.cat([to_W1, to_b1, hidden, torch.ones_like(hidden[:, :1])], dim=1)
    return hidden @ weights.W2 + weights.b2, derivatives


def fit(
    weights: Weights, scores: Tensor, target: Tensor, checked: tuple[Tensor, Tensor], iterations: int, patience: int = 6
) -> tuple[Weights, list[tuple[float, float]]]:
    """Train on ``scores`` (sample, predictor) and ``target`` (sample,); the best weights on ``checked`` are returned.

    ``checked`` are the same of other samples.  Ends after ``iterations`` steps, when ``patience`` steps in a row did
    not improve the checked error, or when no step helps.  The history holds, after every step, the cost per sample and
    the mean square of the checked error.
    """
    damping = 1.0e-2
    cost, matrix, gradient = _normal_equations(weights, scores, target)
    best, smallest, since = weights, _mean_square(weights, *checked), 0
    history = [(cost / len(target), smallest)]
    for _ in range(iterations):
        while damping < LARGEST_DAMPING:
            damped = matrix + torch.diag(damping * matrix.diagonal() + 1e-12 * matrix.diagonal().max())
            trial = weights.moved(-torch.linalg.solve(damped, gradient))
            if _cost(trial, scores, target) < cost:
                break
            damping *= INCREASE
        else:
            break
        weights, damping = trial, max(damping * DECREASE, 1e-12)
        cost, matrix, gradient = _normal_equations(weights, scores, target)
        error = _mean_square(weights, *checked)
        history.append((cost / len(target), error))
        since = 0 if error < smallest * (1.0 - 1e-5) else since + 1
        if error < smallest:
            best, smallest = weights, error
        if since >= patience:
            break
    return best, history


def _normal_equations(weights: Weights, scores: Tensor, target: Tensor) -> tuple[float, Tensor, Tensor]:
    """The cost, the matrix M and the gradient."""
    flat = weights.flat()
    matrix, gradient, squares = torch.eye(len(flat), dtype=flat.dtype) * DECAY, DECAY * flat, 0.0
    for some, wanted in zip(scores.split(ROWS_AT_ONCE), target.split(ROWS_AT_ONCE), strict=True):
        output, derivatives = jacobian(weights, some)
        residual = output - wanted
        matrix += derivatives.T @ derivatives
        gradient += derivatives.T @ residual
        squares += float(residual.square().sum())
    return squares + DECAY * float(flat.square().sum()), matrix, gradient


def _cost(weights: Weights, scores: Tensor, target: Tensor) -> float:
    return _mean_square(weights, scores, target) * len(target) + DECAY * float(weights.flat().square().sum())


def _mean_square(weights: Weights, scores: Tensor, target: Tensor) -> float:
    return float((weights(scores) - target).square().mean())
