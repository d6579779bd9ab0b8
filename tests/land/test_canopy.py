"""Golden numbers and limits of the light in the canopy (isba_ags.md 3.1, 3.3, 3.4)."""

import math

import numpy as np
import pytest
import torch

from dalearn.land.canopy import LAYER_BOTTOMS, CanopyLight, multilayer_light, three_point_light
from dalearn.land.parameters import build_parameters
from dalearn.land.state import VegetationParameters
from dalearn.land.vegetation import VEGETATION_TYPES


def vegetation_of(*types: str) -> VegetationParameters:
    """One cell, and so one column, for each vegetation type."""
    fractions = np.eye(len(VEGETATION_TYPES))[[VEGETATION_TYPES.index(kind) for kind in types]]
    cells = len(types)
    return build_parameters(fractions, np.full(cells, 0.3), np.full(cells, 0.4), np.full(cells, 45.0), np.zeros(cells))[
        1
    ].vegetation


def test_three_point_light_golden() -> None:
    leaf_area = torch.full((1,), 3.0, dtype=torch.float64)
    light = three_point_light(leaf_area, torch.full_like(leaf_area, 600.0), torch.full_like(leaf_area, math.cos(0.7)))
    assert light.sunlit[:, 0].tolist() == pytest.approx([51.468204, 108.833503, 231.121990], abs=5e-7)
    assert light.weights.sum().item() == pytest.approx(1.0, rel=1e-15)


def test_leafless_canopy_sees_all_light() -> None:
    leaf_area = torch.zeros(1, dtype=torch.float64)
    light = three_point_light(leaf_area, torch.full_like(leaf_area, 600.0), torch.full_like(leaf_area, 0.3))
    assert light.sunlit[:, 0].tolist() == [288.0, 288.0, 288.0]


def tebd_light(leaf_area: float, shortwave: float = 600.0) -> CanopyLight:
    area = torch.full((1,), leaf_area, dtype=torch.float64)
    cosine = torch.full_like(area, math.cos(0.7))
    return multilayer_light(
        area, torch.full_like(area, shortwave), cosine, vegetation_of("TEBD"), torch.full_like(area, 0.10)
    )


def test_multilayer_light_golden() -> None:
    """isba_ags.md 3.3."""
    light = tebd_light(3.0)
    assert light.shaded is not None
    assert light.sunlit_share is not None
    absorbed = [
        *(10.33528, 9.407839, 14.714537, 20.87141, 27.333126, 32.695797, 34.707256, 41.080031, 25.664783, 6.161019),
    ]
    sunlit = [
        *(84.973345, 53.434451, 59.079868, 66.974753, 77.348397, 90.059897, 104.221797),
        *(165.709001, 166.836754, 161.035195),
    ]
    shaded = [
        *(42.546197, 28.148446, 33.224223, 40.747948, 50.99268, 63.833092, 78.366152, 97.430139, 83.968653, 0.0),
    ]
    share = [0.200725, 0.222822, 0.257208, 0.310989, 0.387273, 0.487175, 0.606677, 0.733531, 0.883678, 0.977482]
    assert light.sunlit[:, 0].tolist() == pytest.approx(sunlit, abs=1e-6)
    assert light.shaded[:, 0].tolist() == pytest.approx(shaded, abs=1e-6)
    assert light.sunlit_share[:, 0].tolist() == pytest.approx(share, abs=1e-6)
    assert light.weights.sum().item() == pytest.approx(1.0, rel=1e-14)
    # per unit leaf area the layer absorbs what its sunlit leaves get per transmission and diffuse share
    from_above = light.shaded[:-1, 0] / light.sunlit[:-1, 0]
    fraction = (
        from_above * (1.0 / light.sunlit_share[:-1, 0]) / (1.0 - from_above + from_above / light.sunlit_share[:-1, 0])
    )
    got = light.shaded[:-1, 0] / fraction * light.weights[:-1, 0] * 3.0
    assert got.tolist() == pytest.approx(absorbed[:-1], abs=2e-6)
    assert sum(absorbed) / 288.0 == pytest.approx(0.774205, abs=1e-6)


def test_multilayer_limits() -> None:
    # all leaves of a sparse canopy count as sunlit, and it absorbs in proportion to its leaf area
    sparse, sparser = tebd_light(2e-4), tebd_light(1e-4)
    assert torch.equal(sparse.sunlit_share, torch.ones_like(sparse.sunlit))
    total = [(light.sunlit * light.weights).sum().item() for light in (sparse, sparser)]
    assert total[0] == pytest.approx(total[1], rel=1e-3)
    assert torch.equal(tebd_light(3.0, shortwave=0.0).sunlit, torch.zeros(10, 1, dtype=torch.float64))
    share = tebd_light(4.0).sunlit_share
    assert share is not None
    assert (share.diff(dim=0) > 0.0).all()


def test_multilayer_points_are_gauss_legendre() -> None:
    points, _ = np.polynomial.legendre.leggauss(10)
    assert LAYER_BOTTOMS[1:] == pytest.approx((points[1:] + 1.0) / 2.0, rel=1e-14)
