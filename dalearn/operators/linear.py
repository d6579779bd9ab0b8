"""A straight line per cell in the z-scored predictors: the baseline every learned operator has to beat."""

from typing import Any

import torch
from torch import Tensor

from dalearn.operators.base import ObservationOperator, register_operator
from dalearn.operators.normalisation import Normalisation


@register_operator("linear")
class LinearOperator(ObservationOperator):
    """``target z-score = slope . predictor z-scores + intercept``; ``slope`` (cell, n), ``intercept`` (cell,)."""

    needs_training = True
    predictors = ("WG2", "TG2", "LAI")
    quantity = "sigma0"

    def __init__(self, cell_count: int, **options: Any) -> None:
        super().__init__(cell_count, **options)
        self.normalisation = Normalisation(cell_count, len(self.predictors), self.dtype)
        self.slope = self.cell_parameter(0.0, len(self.predictors))
        self.intercept = self.cell_parameter(0.0)

    def forward(self, predictors: Tensor) -> Tensor:
        score = (self.normalisation.normalise(predictors) * self.slope).sum(dim=-1) + self.intercept
        return self.normalisation.restore(score)

    def fit_normalisation(self, predictors: Tensor, target: Tensor, enough: Tensor) -> None:
        """Z-score statistics of the training samples (shapes as in ``fit_statistics``)."""
        self.normalisation.fit(predictors, target, enough)

    @torch.no_grad()
    def fit(self, predictors: Tensor, target: Tensor, minimum_samples: int = 1) -> None:
        """Least squares in closed form, range and normalisation included; arguments as in ``fit_statistics``.

        Predictors that never vary or repeat another one get the solution of least norm.
        """
        self.fit_statistics(predictors, target, minimum_samples)
        valid = torch.isfinite(target) & torch.isfinite(predictors).all(dim=-1)
        score = self.normalisation.normalise(torch.where(valid.unsqueeze(-1), predictors, 0.0))
        score = torch.where(valid.unsqueeze(-1), score, 0.0)
        std = self.normalisation.target_std
        departure = torch.where(valid, target - self.normalisation.target_mean, 0.0)
        departure = departure / torch.where(std > 0, std, 1.0)
        gram = torch.einsum("sci,scj->cij", score, score)
        slope = torch.linalg.pinv(gram, hermitian=True) @ torch.einsum("sci,sc->ci", score, departure).unsqueeze(-1)
        self.slope.copy_(torch.where(self.trained.unsqueeze(-1), slope.squeeze(-1), 0.0))
        self.intercept.zero_()

    def dimensions(self) -> dict[str, tuple[str, ...]]:
        named = super().dimensions()
        named.update({f"normalisation.{key}": axes for key, axes in self.normalisation.dimensions().items()})
        return {**named, "slope": ("cell", "predictor"), "intercept": ("cell",)}
