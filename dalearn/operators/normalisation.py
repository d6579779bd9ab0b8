"""Z-score normalisation of predictors and target, with statistics per cell or for the whole domain."""

import torch
from torch import Tensor, nn

# A standard deviation this small beside the mean is rounding noise of a constant series.
RELATIVE_NOISE = 1.0e-6


class Normalisation(nn.Module):
    """Means and standard deviations (cell, n) of the predictors and (cell,) of the target.

    With ``pooled`` the statistics are those of all cells together, shapes (1, n) and (1,).  A standard deviation
    is exactly 0 where a series never varied or the cell has too few samples: such a predictor is normalised to 0
    whatever its value, so that it has no influence and no derivative, and such a target is predicted by its mean.
    """

    predictor_mean: Tensor
    predictor_std: Tensor
    target_mean: Tensor
    target_std: Tensor

    def __init__(self, cell_count: int, predictor_count: int, dtype: torch.dtype, pooled: bool = False) -> None:
        super().__init__()
        self.pooled = pooled
        rows = 1 if pooled else cell_count
        self.register_buffer("predictor_mean", torch.zeros(rows, predictor_count, dtype=dtype))
        self.register_buffer("predictor_std", torch.ones(rows, predictor_count, dtype=dtype))
        self.register_buffer("target_mean", torch.zeros(rows, dtype=dtype))
        self.register_buffer("target_std", torch.ones(rows, dtype=dtype))

    def fit(self, predictors: Tensor, target: Tensor, enough: Tensor) -> None:
        """Statistics of ``predictors`` (sample, cell, n) where ``target`` (sample, cell) is finite.

        Cells where ``enough`` (cell,) is False get standard deviations 0; without any sample their means are
        those of the domain.  Pooled statistics use the cells with enough samples only.
        """
        valid = torch.isfinite(target)
        if self.pooled:
            valid = (valid & enough).reshape(-1, 1)
            predictors, target = predictors.reshape(-1, 1, predictors.shape[-1]), target.reshape(-1, 1)
            enough = enough.any().reshape(1)
        mean, std = _moments(predictors, valid.unsqueeze(-1))
        self.predictor_mean.copy_(mean)
        self.predictor_std.copy_(torch.where(enough.unsqueeze(-1), std, 0.0))
        mean, std = _moments(target, valid)
        self.target_mean.copy_(mean)
        self.target_std.copy_(torch.where(enough, std, 0.0))

    def normalise(self, predictors: Tensor) -> Tensor:
        """(..., cell, n) predictors as z-scores."""
        varies = self.predictor_std > 0
        scale = torch.where(varies, 1.0 / torch.where(varies, self.predictor_std, 1.0), 0.0)
        return (predictors - self.predictor_mean) * scale

    def restore(self, score: Tensor) -> Tensor:
        """(..., cell) z-scores of the target in its units."""
        return self.target_mean + self.target_std * score

    def dimensions(self) -> dict[str, tuple[str, ...]]:
        """Axis names of the stored statistics."""
        row = "domain" if self.pooled else "cell"
        return {
            "predictor_mean": (row, "predictor"),
            "predictor_std": (row, "predictor"),
            "target_mean": (row,),
            "target_std": (row,),
        }


def _moments(values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over the first axis where ``valid``; the mean over all cells where none is."""
    values = torch.where(valid, values, 0.0)
    count = valid.sum(dim=0).to(values.dtype)
    total = values.sum(dim=0)
    domain_mean = total.sum(dim=0) / count.sum(dim=0).clamp(min=1.0)
    mean = torch.where(count > 0, total / count.clamp(min=1.0), domain_mean)
    deviation = torch.where(valid, values - mean, 0.0)
    std = (deviation.square().sum(dim=0) / count.clamp(min=1.0)).sqrt()
    return mean, torch.where(std > RELATIVE_NOISE * mean.abs(), std, 0.0)
