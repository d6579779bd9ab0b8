"""The range of predictors an operator was trained on: know it, count when it is left, and handle it.

A network extrapolates freely outside its training range and can be worse there than a straight line, so every
operator carries the range per cell and predictor and one of four rules:

``clip``    predictors are moved to the nearest bound before the operator sees them.  The derivative with respect
            to a predictor outside its range is then exactly zero: no increment is made on its account, and a filter
            cannot bring back a state that has left it, however large the departure.
``extrapolate``  the operator goes on as its formula does, a network of ReLU neurons as straight lines; exits are
            counted.  The published operator (Corchia et al. 2023) has no bounds.
``refuse``  ``check`` stops with an error naming cell, predictor, value and range.
``drop``    ``check`` marks the cell as unusable, so that its observation is rejected; the operator itself still
            returns the raw, extrapolated value.

Bounding is part of the differentiable operator; counting is not: ``check`` is called once per analysis, never
inside a graph or for perturbed copies.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dalearn.errors import InputError

OUT_OF_RANGE_RULES = ("clip", "extrapolate", "refuse", "drop")


@dataclass(frozen=True)
class RangeReport:
    """How often the training range was left.  ``evaluated`` (cell,) checks made, ``outside`` (cell, n) exits."""

    predictors: tuple[str, ...]
    rule: str
    evaluated: Tensor
    outside: Tensor

    @property
    def share(self) -> Tensor:
        """(cell, n) share of the checked predictors that were outside; NaN where nothing was checked."""
        return self.outside.double() / self.evaluated.double().unsqueeze(-1)

    @property
    def share_per_cell(self) -> Tensor:
        """(cell,) share over all predictors of a cell; NaN where nothing was checked."""
        return self.share.mean(dim=-1)

    @property
    def share_per_predictor(self) -> dict[str, float]:
        """Share over all cells, by predictor name; NaN when nothing was checked."""
        share = self.outside.sum(dim=0).double() / self.evaluated.sum().double()
        return dict(zip(self.predictors, share.tolist(), strict=True))

    def summary(self) -> str:
        """One line for a log or a report."""
        total = int(self.evaluated.sum())
        if total == 0:
            return f"training range never checked (rule: {self.rule})"
        shares = ", ".join(f"{name} {100 * share:.2f} %" for name, share in self.share_per_predictor.items())
        return f"outside the training range ({self.rule}) in {total} evaluations: {shares}"


class PredictorRange(nn.Module):
    """Lower and upper bound (cell, n) of the predictors seen in training; infinite until fitted."""

    predictor_minimum: Tensor
    predictor_maximum: Tensor
    evaluated: Tensor
    outside: Tensor

    def __init__(self, cell_count: int, predictors: tuple[str, ...], rule: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.predictors = predictors
        self.set_rule(rule)
        shape = (cell_count, len(predictors))
        self.register_buffer("predictor_minimum", torch.full(shape, -torch.inf, dtype=dtype))
        self.register_buffer("predictor_maximum", torch.full(shape, torch.inf, dtype=dtype))
        self.register_buffer("evaluated", torch.zeros(cell_count, dtype=torch.long), persistent=False)
        self.register_buffer("outside", torch.zeros(shape, dtype=torch.long), persistent=False)

    def set_rule(self, rule: str) -> None:
        """Choose what happens outside the range; ``InputError`` for an unknown rule."""
        if rule not in OUT_OF_RANGE_RULES:
            raise InputError(f"out_of_range is {rule!r}: choose one of {', '.join(OUT_OF_RANGE_RULES)}")
        self.rule = rule

    def fit(self, predictors: Tensor, valid: Tensor) -> None:
        """Range of ``predictors`` (sample, cell, n) where ``valid`` (sample, cell); infinite without samples."""
        seen = valid.unsqueeze(-1)
        minimum = torch.where(seen, predictors, torch.inf).amin(dim=0)
        maximum = torch.where(seen, predictors, -torch.inf).amax(dim=0)
        empty = ~valid.any(dim=0).unsqueeze(-1)
        self.predictor_minimum.copy_(torch.where(empty, -torch.inf, minimum))
        self.predictor_maximum.copy_(torch.where(empty, torch.inf, maximum))

    def widen(self, predictors: Tensor) -> None:
        """Take in the finite values of ``predictors`` (sample, cell, n) as well."""
        seen = torch.isfinite(predictors)
        minimum = torch.where(seen, predictors, torch.inf).amin(dim=0)
        maximum = torch.where(seen, predictors, -torch.inf).amax(dim=0)
        self.predictor_minimum.copy_(torch.minimum(self.predictor_minimum, minimum))
        self.predictor_maximum.copy_(torch.maximum(self.predictor_maximum, maximum))

    def bound(self, predictors: Tensor) -> Tensor:
        """The predictors the operator may see: inside the range under ``clip``, untouched otherwise."""
        if self.rule != "clip":
            return predictors
        return torch.clamp(predictors, self.predictor_minimum, self.predictor_maximum)

    def contains(self, predictors: Tensor) -> Tensor:
        """(..., cell): every predictor (..., cell, n) is within its bounds, bounds included; False for NaN."""
        return ((predictors >= self.predictor_minimum) & (predictors <= self.predictor_maximum)).all(dim=-1)

    @torch.no_grad()
    def check(self, predictors: Tensor) -> Tensor:
        """Count the exits in ``predictors`` (..., cell, n) and return ``contains``; NaN predictors are not counted.

        Raises ``InputError`` under the rule ``refuse`` when a finite predictor is outside.
        """
        finite = torch.isfinite(predictors).all(dim=-1, keepdim=True)
        outside = ((predictors < self.predictor_minimum) | (predictors > self.predictor_maximum)) & finite
        if self.rule == "refuse" and bool(outside.any()):
            raise InputError(self._refusal(predictors, outside))
        self.evaluated += finite.squeeze(-1).reshape(-1, self.evaluated.shape[0]).sum(dim=0)
        self.outside += outside.reshape(-1, *self.outside.shape).sum(dim=0)
        return self.contains(predictors)

    def _refusal(self, predictors: Tensor, outside: Tensor) -> str:
        position = outside.nonzero()[0]
        cell, number = int(position[-2]), int(position[-1])
        value = float(predictors[tuple(position)])
        lower, upper = float(self.predictor_minimum[cell, number]), float(self.predictor_maximum[cell, number])
        return (
            f"cell {cell}: predictor {self.predictors[number]} = {value:.6g} is outside the training range "
            f"[{lower:.6g}, {upper:.6g}]: train on a wider period or set out_of_range to clip, extrapolate or drop"
        )

    def report(self) -> RangeReport:
        """The counts since the last ``reset``, on the CPU."""
        return RangeReport(self.predictors, self.rule, self.evaluated.cpu().clone(), self.outside.cpu().clone())

    def reset(self) -> None:
        """Forget the counts."""
        self.evaluated.zero_()
        self.outside.zero_()
