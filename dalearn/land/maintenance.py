"""Rates of the maintenance respiration of biomass in s-1 at a temperature in K (isba_ags.md 5.2)."""

import torch
from torch import Tensor

from dalearn.constants import DAY, TRIPLE_POINT

DOUBLING_RESPIRATION = 1.16e-7  # s-1 at 25 C, 1 % per day
WOODY_RESPIRATION = 1.25 / (365.0 * DAY)  # s-1 at 288 K, of fine structure
SAPWOOD_RESPIRATION = 0.0125 / (365.0 * DAY)  # s-1 at 288 K
ACTIVATION, REFERENCE_TEMPERATURE = 3500.0, 288.0  # K
LINEAR_RESPIRATION, LINEAR_SLOPE = 1.19e-4 / DAY, 0.16  # s-1 at 0 C, K-1


def doubling_rate(temperature: Tensor) -> Tensor:
    """Of herbaceous structure and, without roots and wood of their own, of the passive one: doubles every 10 K."""
    return DOUBLING_RESPIRATION * torch.exp2(0.1 * (temperature - TRIPLE_POINT - 25.0))


def woody_rate(temperature: Tensor) -> Tensor:
    """Of the structure of trees and shrubs (Kucharik et al. 2000)."""
    return WOODY_RESPIRATION * _activation(temperature)


def sapwood_rate(temperature: Tensor) -> Tensor:
    """Of living wood (Kucharik et al. 2000)."""
    return SAPWOOD_RESPIRATION * _activation(temperature)


def linear_rate(temperature: Tensor) -> Tensor:
    """Of passive structure and herbaceous roots with photosynthesis NCB: linear, 0 below -6.25 C."""
    return LINEAR_RESPIRATION * torch.clamp(1.0 + LINEAR_SLOPE * (temperature - TRIPLE_POINT), min=0.0)


def _activation(temperature: Tensor) -> Tensor:
    return torch.exp(ACTIVATION * (1.0 / REFERENCE_TEMPERATURE - 1.0 / temperature))
