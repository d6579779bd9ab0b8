"""Agreement of two long series, accumulated block by block."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Agreement:
    """Of a model with a reference, over all defined values seen so far.

    Means and second moments are merged as in Chan et al. (1983), so that the correlation of long, nearly constant
    series does not drown in rounding.
    """

    count: int = 0
    sum_difference: float = 0.0
    sum_square: float = 0.0
    largest_difference: float = 0.0
    largest_reference: float = 0.0
    mean_model: float = 0.0
    mean_reference: float = 0.0
    moment_model: float = 0.0
    moment_reference: float = 0.0
    moment_both: float = 0.0

    def add(self, model: np.ndarray, reference: np.ndarray) -> None:
        """Take in values of the same shape, both finite where either is."""
        known = np.isfinite(reference)
        x, y = model[known].astype(np.float64), reference[known].astype(np.float64)
        if not x.size:
            return
        difference = x - y
        self.sum_difference += float(difference.sum())
        self.sum_square += float(np.square(difference).sum())
        self.largest_difference = max(self.largest_difference, float(np.abs(difference).max()))
        self.largest_reference = max(self.largest_reference, float(np.abs(y).max()))
        self._merge(x, y)

    def _merge(self, x: np.ndarray, y: np.ndarray) -> None:
        mean_x, mean_y = float(x.mean()), float(y.mean())
        shift_x, shift_y = mean_x - self.mean_model, mean_y - self.mean_reference
        total = self.count + x.size
        weight = self.count * x.size / total
        self.moment_model += float(np.square(x - mean_x).sum()) + weight * shift_x**2
        self.moment_reference += float(np.square(y - mean_y).sum()) + weight * shift_y**2
        self.moment_both += float(((x - mean_x) * (y - mean_y)).sum()) + weight * shift_x * shift_y
        self.mean_model += shift_x * x.size / total
        self.mean_reference += shift_y * x.size / total
        self.count = total

    def summary(self) -> dict[str, float | int | None]:
        """``rmse bias max_abs r n reference_max``, the last the largest absolute value; None where undefined."""
        if not self.count:
            return {"rmse": None, "bias": None, "max_abs": None, "r": None, "n": 0, "reference_max": None}
        spread = float(np.sqrt(self.moment_model * self.moment_reference))
        return {
            "rmse": float(np.sqrt(self.sum_square / self.count)),
            "bias": self.sum_difference / self.count,
            "max_abs": self.largest_difference,
            "r": self.moment_both / spread if spread > 0.0 else None,
            "n": self.count,
            "reference_max": self.largest_reference,
        }
