"""Soil moisture stress and drought response (isba_ags.md 2)."""

import dataclasses

import numpy as np
import pytest
import torch

from dalearn.land.parameters import build_parameters
from dalearn.land.state import LandParameters
from dalearn.land.stress import (
    drought_response,
    herbaceous_maximum_deficit,
    soil_moisture_stress,
)
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.tree import to

INDICES = (1.0, 0.6, 0.3, 0.15, 0.03, 0.0)
# isba_ags.md 2.4: gm (mm s-1), f0, Dmax (g kg-1) at each of INDICES
DROUGHT_TABLE = {
    "TEBD": [
        *((1.800000, 0.587459, 109.0), (0.925271, 0.587459, 109.0), (0.269224, 0.587459, 109.0)),
        *((0.134612, 0.686480, 109.0), (0.026922, 0.916400, 109.0), (0.0, 0.95, 109.0)),
    ],
    "BONE": [
        *((1.900000, 0.579735, 124.0), (1.900000, 0.424633, 124.0), (1.900000, 0.308307, 124.0)),
        *((0.950000, 0.407328, 124.0), (0.190000, 0.637247, 124.0), (0.0, 0.95, 124.0)),
    ],
    "TRBE": [
        *((1.200000, 0.74, 124.0), (0.720000, 0.74, 124.0), (0.360000, 0.74, 124.0)),
        *((0.180000, 0.74, 124.0), (0.036000, 0.74, 124.0), (0.0, 0.74, 124.0)),
    ],
    "C3": [
        *((1.750000, 0.95, 19.775), (1.494247, 0.95, 25.618), (1.356963, 0.95, 30.0)),
        *((0.678482, 0.95, 30.0), (0.135696, 0.95, 30.0), (0.0, 0.95, 30.0)),
    ],
    "C4": [
        *((9.800000, 0.60, 30.124), (1.944375, 0.60, 184.339), (1.258717, 0.60, 300.0)),
        *((1.258717, 0.60, 150.0), (0.983621, 0.60, 30.0), (0.0, 0.60, 30.0)),
    ],
    "IRR": [
        *((9.800000, 0.60, 30.124), (9.820659, 0.60, 30.053), (9.836214, 0.60, 30.0)),
        *((4.918107, 0.60, 30.0), (0.983621, 0.60, 30.0), (0.0, 0.60, 30.0)),
    ],
    "GRAS": [
        *((1.000000, 0.95, 49.470), (0.436203, 0.95, 192.630), (0.332865, 0.95, 300.0)),
        *((0.332865, 0.95, 150.0), (0.135696, 0.95, 30.0), (0.0, 0.95, 30.0)),
    ],
    "TROG": [
        *((6.000000, 0.60, 52.185), (1.859448, 0.60, 193.794), (1.258717, 0.60, 300.0)),
        *((1.258717, 0.60, 150.0), (0.983621, 0.60, 30.0), (0.0, 0.60, 30.0)),
    ],
}


def parameters_of(*types: str, root_depth: float = np.nan) -> LandParameters:
    """One cell, and so one column, for each vegetation type."""
    fractions = np.eye(len(VEGETATION_TYPES))[[VEGETATION_TYPES.index(kind) for kind in types]]
    cells = len(types)
    return build_parameters(
        fractions,
        np.full(cells, 0.3),
        np.full(cells, 0.4),
        np.full(cells, 45.0),
        np.zeros(cells),
        root_depth=np.full(fractions.shape, root_depth),
    )[1]


def test_stress_index_golden() -> None:
    """isba_ags.md 2.0: grass with roots to 2 m."""
    soil = parameters_of("GRAS", root_depth=2.0).soil
    soil = dataclasses.replace(
        soil,
        wilting_point=torch.full_like(soil.wilting_point, 0.15),
        field_capacity=torch.full_like(soil.field_capacity, 0.28),
    )
    moisture = 0.14 + 0.01 * torch.arange(1, 15, dtype=torch.float64)[:, None]
    assert soil_moisture_stress(moisture, soil).index.item() == pytest.approx(0.225629197, abs=1e-9)


def test_stress_limits() -> None:
    soil = parameters_of("GRAS", "TEBD", "C3", "NO").soil
    rooted = torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    wet = soil_moisture_stress(soil.porosity, soil)
    torch.testing.assert_close(wet.index, rooted, rtol=0.0, atol=1e-15)
    assert torch.equal(wet.uptake.sum(dim=0), wet.index)
    assert (wet.uptake[~soil.holds_water] == 0.0).all()
    assert torch.equal(soil_moisture_stress(0.5 * soil.wilting_point, soil).index, torch.zeros(4, dtype=torch.float64))
    half = soil_moisture_stress(0.5 * (soil.wilting_point + soil.field_capacity), soil)
    torch.testing.assert_close(half.index, 0.5 * rooted, rtol=0.0, atol=1e-14)


@pytest.mark.parametrize("kind", DROUGHT_TABLE)
def test_drought_golden(kind: str) -> None:
    vegetation = parameters_of(kind).vegetation
    for index, (conductance, ratio, deficit) in zip(INDICES, DROUGHT_TABLE[kind], strict=True):
        response = drought_response(torch.full((1,), index, dtype=torch.float64), vegetation)
        assert 1e3 * response.mesophyll_conductance.item() == pytest.approx(conductance, abs=6e-7)
        assert response.unsaturated_ratio.item() == pytest.approx(ratio, abs=6e-7)
        assert 1e3 * response.maximum_deficit.item() == pytest.approx(deficit, abs=6e-4)


def test_drought_of_the_stored_steps() -> None:
    """isba_physics.md 11.17."""
    vegetation = parameters_of("C3").vegetation
    for index, expected in {
        1.0: (0.00175, 0.95, 0.0197747924067),
        0.831669594118: (0.00162919950624, 0.95, 0.022233668613),
        0.240016291279: (0.00108564422298, 0.95, 0.03),
    }.items():
        response = drought_response(torch.full((1,), index, dtype=torch.float64), vegetation)
        assert [value.item() for value in response] == pytest.approx(expected, rel=1e-11)


def test_woody_response_is_continuous_at_the_critical_stress() -> None:
    """isba_ags.md 7.4.7."""
    vegetation = parameters_of("TEBD", "BONE", "TENE", "SHRB").vegetation
    below, above = (
        drought_response(torch.full((4,), 0.3 + change, dtype=torch.float64), vegetation) for change in (-1e-12, 1e-12)
    )
    for left, right in zip(below, above, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-10, atol=0.0)
    unstressed = drought_response(torch.ones(4, dtype=torch.float64), vegetation)
    lowered = above.mesophyll_conductance / unstressed.mesophyll_conductance
    assert lowered.tolist() == pytest.approx([np.exp(-1.9), 1.0, 1.0, np.exp(-1.9)], rel=1e-10)
    drop = unstressed.unsaturated_ratio - above.unsaturated_ratio
    assert drop.tolist() == pytest.approx([0.0, 1.9 / 7.0, 1.9 / 7.0, 0.0], abs=1e-10)


def test_herbaceous_relation_is_its_own_inverse() -> None:
    """isba_ags.md 7.4.8: without stress the conductance is that of the table."""
    vegetation = parameters_of("C3", "C4", "IRR", "GRAS", "TROG", "PARK", "BOGR").vegetation
    response = drought_response(torch.ones(7, dtype=torch.float64), vegetation)
    torch.testing.assert_close(response.mesophyll_conductance, vegetation.mesophyll_conductance, rtol=1e-14, atol=0.0)
    deficit = herbaceous_maximum_deficit(vegetation.mesophyll_conductance, vegetation)
    torch.testing.assert_close(response.maximum_deficit, deficit, rtol=1e-14, atol=0.0)


def test_severe_drought_jumps_for_offensive_herbs_only() -> None:
    vegetation = parameters_of("GRAS", "C4", "C3").vegetation
    below, above = (
        drought_response(torch.full((3,), index, dtype=torch.float64), vegetation).mesophyll_conductance * 1e3
        for index in (0.03 - 1e-10, 0.03 + 1e-10)
    )
    assert above.tolist() == pytest.approx([0.332865, 1.258717, 0.135696], abs=6e-7)
    assert below.tolist() == pytest.approx([0.135696, 0.983621, 0.135696], abs=6e-7)


@pytest.mark.parametrize("index", [0.01, 0.1, 0.21, 0.45, 0.9])
def test_drought_gradients_match_differences(index: float) -> None:
    types = ("TEBD", "BONE", "TRBE", "C3", "C4", "IRR", "GRAS", "TROG", "SHRB", "NO")
    vegetation = parameters_of(*types).vegetation
    centre = torch.full((len(types),), index, dtype=torch.float64, requires_grad=True)
    response = drought_response(centre, vegetation)
    above, below = (drought_response(centre.detach() + step, vegetation) for step in (1e-7, -1e-7))
    for value, high, low in zip(response, above, below, strict=True):
        (gradient,) = torch.autograd.grad(value.sum(), centre, retain_graph=True, materialize_grads=True)
        difference = (high - low) / 2e-7
        torch.testing.assert_close(gradient, difference, rtol=1e-6, atol=1e-8)


def test_stress_gradient_matches_differences() -> None:
    soil = parameters_of("GRAS", "TEBD").soil
    share = torch.linspace(0.1, 0.9, 14, dtype=torch.float64)[:, None]
    moisture = soil.wilting_point + share * (soil.field_capacity - soil.wilting_point)
    variable = moisture.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(soil_moisture_stress(variable, soil).index.sum(), variable)
    for layer in (0, 1, 7, 13):
        step = torch.zeros_like(moisture)
        step[layer] = 1e-6
        difference = (
            soil_moisture_stress(moisture + step, soil).index - soil_moisture_stress(moisture - step, soil).index
        ) / 2e-6
        torch.testing.assert_close(gradient[layer], difference, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_drought_stays_finite(dtype: torch.dtype) -> None:
    vegetation = to(parameters_of(*VEGETATION_TYPES).vegetation, dtype=dtype)
    for index in (0.0, 1e-30, 1e-12, 0.03, 0.3, 1.0):
        centre = torch.full((len(VEGETATION_TYPES),), index, dtype=dtype, requires_grad=True)
        for value in drought_response(centre, vegetation):
            assert value.dtype == dtype
            assert value.isfinite().all()
            if value.requires_grad:
                (gradient,) = torch.autograd.grad(value.sum(), centre, retain_graph=True)
                assert gradient.isfinite().all()
