"""The error of an operator as a function of its predictors: a standard deviation per sample.

Where vegetation is dense or soils are wet the same operator errs more than elsewhere, and some cells are better
described than others.  With z-scores z of the predictors::

    log sigma = level_g + sum_i (slope_i z_i + curvature_i z_i^2)

level_g per cell, the rest common to the domain.  It is fitted on samples that the operator was not fitted on, by the
likelihood of a normal distribution; levels are shrunk to their mean as if ``PRIOR_SAMPLES`` samples had shown it.
"""

import torch
from torch import Tensor, nn

PRIOR_SAMPLES = 200.0
LARGEST_RATIO = 3.0  # of sigma to that of the cell: a parabola must not run away at the edge of the training range
ITERATIONS = 100


class PredictedError(nn.Module):
    """Parameters ``level`` (cell,), ``slope`` and ``curvature`` (predictor,).

    The operator itself does not depend on them, so its training leaves them alone; the likelihood of the innovations
    does (``differentiable_cycle``).
    """

    def __init__(self, cell_count: int, predictor_count: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.zeros(cell_count, dtype=dtype))
        self.slope = nn.Parameter(torch.zeros(predictor_count, dtype=dtype))
        self.curvature = nn.Parameter(torch.zeros(predictor_count, dtype=dtype))

    def forward(self, score: Tensor) -> Tensor:
        """Standard deviations (..., cell) at the z-scores ``score`` (..., cell, n), in the units of the errors."""
        return _deviation(score, self.level, self.slope, self.curvature)

    @torch.no_grad()
    def fit(self, score: Tensor, error: Tensor, valid: Tensor) -> None:
        """Maximum likelihood for ``error`` (sample, cell) at ``score`` (sample, cell, n) where ``valid``.

        Cells without a valid sample get the mean level; nothing changes without any.
        """
        count = valid.sum(dim=0)
        total = int(count.sum())
        if total == 0:
            return
        dtype = torch.float64
        score, error = score.to(dtype), torch.where(valid, error, 0.0).to(dtype)
        common = 0.5 * (error.square().sum() / total).clamp(min=torch.finfo(torch.float32).tiny).log()
        level, slope, curvature = (
            torch.zeros_like(values, dtype=dtype).requires_grad_()
            for values in (self.level, self.slope, self.curvature)
        )
        mean = common.clone().requires_grad_()
        parameters = [mean, level, slope, curvature]
        optimiser = torch.optim.LBFGS(parameters, max_iter=ITERATIONS, line_search_fn="strong_wolfe")

        def negative_log_likelihood() -> Tensor:
            optimiser.zero_grad()
            with torch.enable_grad():
                sigma = _deviation(score, mean + level, slope, curvature)
                of_samples = torch.where(valid, sigma.log() + 0.5 * (error / sigma).square(), 0.0).sum()
                loss = (of_samples + PRIOR_SAMPLES * level.square().sum()) / total
                loss.backward()
            return loss

        optimiser.step(negative_log_likelihood)
        self.level.copy_((mean + level).detach())
        self.slope.copy_(slope.detach())
        self.curvature.copy_(curvature.detach())

    def dimensions(self) -> dict[str, tuple[str, ...]]:
        """Axis names of the stored coefficients."""
        return {"level": ("cell",), "slope": ("predictor",), "curvature": ("predictor",)}


def _deviation(score: Tensor, level: Tensor, slope: Tensor, curvature: Tensor) -> Tensor:
    change = score @ slope + score.square() @ curvature
    limit = torch.log(change.new_tensor(LARGEST_RATIO))
    return torch.exp(level + limit * torch.tanh(change / limit))
