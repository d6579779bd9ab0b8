"""Synthetic training samples."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor


@dataclass
class Case:
    """``predictors`` (sample, cell, 3) WG2 TG2 LAI, ``target`` (sample, cell) dB, ``time`` (sample,)."""

    predictors: Tensor
    target: Tensor
    time: np.ndarray


@pytest.fixture
def case(rng: np.random.Generator) -> Case:
    """Two years of samples of four unlike cells; cell 1 has gaps, cell 3 has nothing but three samples."""
    count = 240
    time = np.datetime64("2012-01-01T09:00:00", "s") + (np.arange(count) * 3).astype("timedelta64[D]")
    season = np.sin(2 * np.pi * np.arange(count) * 3 / 365)[:, None]
    spread = rng.normal(size=(3, count, 4))
    moisture = (0.25 - 0.05 * season + 0.04 * spread[0]).clip(0.05, 0.45)
    temperature = 287.0 + 8.0 * season + 2.0 * spread[1]
    leaves = (2.0 + 1.2 * season + 0.2 * spread[2]).clip(0.3)
    gain = np.array([10.0, 18.0, 4.0, 10.0])
    target = -12.0 + gain * moisture * np.exp(-0.2 * leaves) + 0.1 * rng.normal(size=(count, 4))
    target[40:90, 1] = np.nan
    target[3:, 3] = np.nan
    predictors = np.stack([moisture, temperature, leaves], axis=-1)
    predictors[17, 2, 0] = np.nan
    return Case(torch.from_numpy(predictors), torch.from_numpy(target), time)
