"""Jarvis resistance in closed form, and its derivatives in corners (isba_physics.md 3.9, isba_ags.md 6.2)."""

import numpy as np
import pytest
import torch
from torch import Tensor

from dalearn.land.jarvis import jarvis
from dalearn.land.parameters import build_parameters
from dalearn.land.state import VegetationParameters
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.tree import to

DTYPE = torch.float64
RSMIN = {"TEBD": 150.0, "BONE": 150.0, "TRBE": 175.0, "SHRB": 150.0, "C3": 40.0, "GRAS": 40.0, "BOGR": 40.0}
RSMIN |= {"C4": 120.0, "IRR": 120.0, "TROG": 120.0, "PARK": 40.0}


def vegetation_of(*types: str) -> VegetationParameters:
    fractions = np.eye(len(VEGETATION_TYPES))[[VEGETATION_TYPES.index(kind) for kind in types]]
    cells = len(types)
    return build_parameters(fractions, np.full(cells, 0.3), np.full(cells, 0.4), np.full(cells, 45.0), np.zeros(cells))[
        1
    ].vegetation


def resistance(vegetation: VegetationParameters, **changes: float) -> Tensor:
    values = {
        "leaf_area_index": 3.0,
        "stress_index": 1.0,
        "air_temperature": 298.15,
        "saturation_humidity": 0.02,
        "specific_humidity": 0.02,
        "shortwave_down": 600.0,
    } | changes
    columns = vegetation.latitude
    return jarvis(
        vegetation=vegetation, **{name: torch.full_like(columns, value) for name, value in values.items()}
    ).stomatal_resistance


@pytest.mark.parametrize("kind", RSMIN)
def test_closed_form(kind: str) -> None:
    tree = RSMIN[kind] >= 150.0
    vegetation, smallest, scale = vegetation_of(kind), RSMIN[kind], 30.0 if tree else 100.0
    light = 1.1 * 600.0 / (scale * 3.0)
    lit = (light + smallest / 5000.0) / (1.0 + light)
    assert resistance(vegetation).item() == pytest.approx(smallest / (3.0 * lit), rel=1e-11)
    changes = {"stress_index": 0.4, "air_temperature": 288.15, "specific_humidity": 0.012}
    humidity = 1.0 - 0.04 * 8.0 if tree else 1.0
    expected = smallest / (3.0 * lit * 0.4 * humidity * (1.0 - 0.0016 * 100.0))
    assert resistance(vegetation, **changes).item() == pytest.approx(min(expected, 5000.0), rel=1e-11)


def test_bounds() -> None:
    grass = vegetation_of("GRAS")
    assert resistance(grass, shortwave_down=0.0).item() == pytest.approx(5000.0 / 3.0, rel=1e-11)
    assert resistance(grass, shortwave_down=0.0, leaf_area_index=0.5).item() == pytest.approx(5000.0, rel=1e-14)
    assert resistance(grass, leaf_area_index=0.0).item() == pytest.approx(5000.0, rel=1e-14)
    assert resistance(grass, stress_index=0.0).item() == pytest.approx(5000.0, rel=1e-14)
    assert resistance(grass, air_temperature=260.0).item() == pytest.approx(5000.0, rel=1e-14), "too cold"
    tree = vegetation_of("TEBD")
    assert resistance(tree, specific_humidity=0.0, saturation_humidity=0.03).item() == pytest.approx(5000.0, rel=1e-14)
    assert resistance(vegetation_of("NO", "ROCK", "SNOW")).tolist() == [0.0, 0.0, 0.0]


def test_no_carbon() -> None:
    vegetation = vegetation_of("C3", "NO")
    one = torch.ones(2, dtype=DTYPE)
    leaves = jarvis(
        vegetation=vegetation,
        leaf_area_index=one,
        stress_index=one,
        air_temperature=290.0 * one,
        saturation_humidity=0.01 * one,
        specific_humidity=0.005 * one,
        shortwave_down=500.0 * one,
    )
    for value in leaves[:3]:
        assert torch.equal(value, torch.zeros(2, dtype=DTYPE))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("leaf_area", [0.0, 1e-6, 4.0])
@pytest.mark.parametrize("shortwave", [0.0, 800.0])
@pytest.mark.parametrize("stress", [0.0, 0.5])
def test_gradients_are_finite(dtype: torch.dtype, leaf_area: float, shortwave: float, stress: float) -> None:
    vegetation = to(vegetation_of(*VEGETATION_TYPES), dtype=dtype)
    inputs = {
        "leaf_area_index": leaf_area,
        "stress_index": stress,
        "air_temperature": 273.16,
        "saturation_humidity": 0.004,
        "specific_humidity": 0.004,
        "shortwave_down": shortwave,
    }
    tensors = {name: torch.full_like(vegetation.latitude, value).requires_grad_() for name, value in inputs.items()}
    total = jarvis(vegetation=vegetation, **tensors).stomatal_resistance.sum()
    for name, gradient in zip(tensors, torch.autograd.grad(total, list(tensors.values())), strict=True):
        assert gradient.isfinite().all(), name


def test_gradients_match_differences() -> None:
    vegetation = vegetation_of("TEBD", "C3", "GRAS")
    point = {"leaf_area_index": 2.0, "stress_index": 0.6, "air_temperature": 291.0, "specific_humidity": 0.015}
    for name, value in point.items():
        step = 1e-6 * value
        slope = (
            resistance(vegetation, **point | {name: value + step})
            - resistance(vegetation, **point | {name: value - step})
        ) / (2.0 * step)
        tensors = {key: torch.full((3,), number, dtype=DTYPE) for key, number in point.items()}
        tensors |= {
            "saturation_humidity": torch.full((3,), 0.02, dtype=DTYPE),
            "shortwave_down": torch.full((3,), 600.0, dtype=DTYPE),
        }
        tensors[name].requires_grad_()
        total = jarvis(vegetation=vegetation, **tensors).stomatal_resistance.sum()
        (gradient,) = torch.autograd.grad(total, tensors[name])
        torch.testing.assert_close(gradient, slope, rtol=1e-7, atol=1e-7)
