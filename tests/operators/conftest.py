"""Fixtures for the observation operators."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from dalearn.operators import ObservationOperator

# typical mean and standard deviation of each predictor
CLIMATE = {"WG2": (0.25, 0.06), "TG2": (288.0, 7.0), "LAI": (2.0, 0.7)}


@pytest.fixture
def draw(rng: np.random.Generator) -> Callable[[ObservationOperator, int], Tensor]:
    """Plausible predictors (sample, cell, n) for an operator."""

    def predictors(operator: ObservationOperator, samples: int) -> Tensor:
        mean, std = np.array([CLIMATE[name] for name in operator.predictors]).T
        shape = (samples, operator.cell_count, len(operator.predictors))
        return torch.from_numpy(mean + std * rng.uniform(-1.5, 1.5, shape)).to(operator.dtype)

    return predictors


@pytest.fixture
def fitted(draw: Callable) -> Callable[[ObservationOperator], ObservationOperator]:
    """The operator with statistics of plausible samples, as after training."""

    def fit(operator: ObservationOperator) -> ObservationOperator:
        predictors = draw(operator, 60)
        target = -10.0 + 8.0 * predictors[..., 0] + torch.linspace(0, 0.4, 60, dtype=operator.dtype).unsqueeze(1)
        operator.fit_statistics(predictors, target)
        return operator

    return fit
