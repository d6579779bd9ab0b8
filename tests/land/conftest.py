"""Soil columns for the land tests."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from dalearn.land.soil import soil_parameters
from dalearn.land.state import SoilParameters
from dalearn.land.vegetation import TYPES

SoilFactory = Callable[..., SoilParameters]


@pytest.fixture(scope="session")
def soil_of() -> SoilFactory:
    """CH78 soil of equal columns of one vegetation type."""

    def build(
        vegetation_type: str = "TEBD",
        *,
        clay: float = 0.20,
        sand: float = 0.40,
        root_depth: float = 2.0,
        columns: int = 1,
    ) -> SoilParameters:
        share = np.zeros((columns, len(TYPES["type"].tolist())))
        share[:, TYPES["type"].tolist().index(vegetation_type)] = 1.0
        depth = np.full_like(share, root_depth)
        return soil_parameters(np.full(columns, clay), np.full(columns, sand), share, depth, depth)

    return build


@pytest.fixture
def profile() -> tuple[torch.Tensor, torch.Tensor]:
    """Temperature and moisture of isba_physics.md 11.9 and 11.11, ``(14, 1)``."""
    temperature = torch.full((14, 1), 285.0, dtype=torch.float64)
    moisture = torch.full((14, 1), 0.35, dtype=torch.float64)
    temperature[:10, 0] = torch.linspace(290.0, 285.0, 10, dtype=torch.float64)
    moisture[:10, 0] = torch.linspace(0.15, 0.35, 10, dtype=torch.float64)
    return temperature, moisture
