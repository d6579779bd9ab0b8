"""Saturated fraction and lateral flow from the topography (CRUNOFF='SGH')."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from dalearn.errors import InputError
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.parameters import build_parameters
from dalearn.land.state import LandParameters
from dalearn.land.topmodel import TopographicIndex, hillslope_water, saturation_tables
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.tree import select_columns, tile_columns

DTYPE = torch.float64


def index(cells: int = 1, **changes: float) -> TopographicIndex:
    values = {"minimum": 4.0, "maximum": 14.0, "mean": 7.2, "deviation": 1.6, "skewness": 1.1} | changes
    return TopographicIndex(**{name: np.full(cells, value) for name, value in values.items()})


def tables(topography: TopographicIndex) -> tuple[torch.Tensor, ...]:
    one = torch.ones(1, dtype=DTYPE)
    return saturation_tables(topography, 0.45 * one, 0.24 * one, 1.5 * one)


def test_tables_follow_from_the_distribution_of_the_index() -> None:
    """Against numerical integrals over a gamma distribution between the smallest and the largest index.

    Where the index exceeds the threshold x the soil is saturated, where it is below x - D0/M it is driest, between
    them the deficit is x - index, in units of M.
    """
    moisture, saturated, outflow = tables(index(minimum=4.3, maximum=20.0))
    scale = 0.5 * 1.1 * 1.6
    shape = (1.6 / scale) ** 2
    law = stats.gamma(shape, loc=7.2 - shape * scale, scale=scale)
    whole = law.cdf(20.0) - law.cdf(4.3)
    decay = (0.45 - 0.24) * 1.5 / 4.0
    for row in (5, 10, 20, 30, 50):
        x = 4.3 + row * 15.7 / 99.0
        driest = max(x - 4.0, 4.3)
        wet, dry = (law.cdf(20.0) - law.cdf(x)) / whole, (law.cdf(driest) - law.cdf(4.3)) / whole
        assert saturated[row, 0].item() == pytest.approx(wet, rel=1e-9)
        assert outflow[row, 0].item() == pytest.approx((1.0 - wet - dry) * decay * np.exp(-x), rel=1e-9)
        deficit, _ = integrate.quad(lambda i, x=x: (x - i) * law.pdf(i), driest, x)
        assert moisture[row, 0].item() == pytest.approx(0.45 - decay * (deficit / whole + 4.0 * dry) / 1.5, abs=1e-6)


@pytest.mark.parametrize("changes", [{}, {"skewness": -0.3, "deviation": 0.4}, {"mean": 9.0, "skewness": 0.3}])
def test_tables_run_from_saturation_to_the_dry_limit(changes: dict[str, float]) -> None:
    moisture, saturated, outflow = tables(index(**changes))
    assert moisture[0].item() == 0.45
    assert moisture[-1].item() == pytest.approx(0.24)
    assert (moisture.diff(dim=0) <= 1e-12).all()
    assert (saturated.diff(dim=0) <= 1e-12).all()
    assert saturated[0].item() == 1.0
    assert saturated[-1].item() == 0.0
    assert (outflow >= 0.0).all()
    assert outflow.isfinite().all()


def test_no_topography_is_no_saturated_fraction() -> None:
    moisture, saturated, outflow = tables(index(mean=np.nan))
    assert not saturated.any()
    assert not outflow.any()
    assert (moisture.diff(dim=0) < 0.0).all()


def two_cells(**changes: object) -> tuple[np.ndarray, LandParameters]:
    fractions = np.zeros((2, len(VEGETATION_TYPES)))
    for cell, name, share in ((0, "C3", 0.3), (0, "TEBD", 0.5), (0, "NO", 0.2), (1, "GRAS", 1.0)):
        fractions[cell, VEGETATION_TYPES.index(name)] = share
    clay, sand = np.array([0.25, 0.3]), np.array([0.3, 0.4])
    grid, parameters = build_parameters(
        fractions, clay, sand, np.full(2, 44.0), np.zeros(2), topographic_index=index(2), **changes
    )
    return grid.fraction.numpy(), parameters


def test_patches_share_the_moisture_of_their_cell_however_the_columns_are_arranged() -> None:
    fraction, parameters = two_cells()
    soil, hills = parameters.soil, parameters.topography
    moisture = torch.linspace(0.30, 0.36, 4, dtype=DTYPE).expand(14, 4).clone()
    water = hillslope_water(moisture, soil, hills)
    depth = (soil.runoff_depth_weight > 0).mul(soil.layer_thickness).sum(dim=0).numpy()
    weight = (fraction * depth)[:3]
    of_cell = (weight * moisture[0, :3].numpy()).sum() / weight.sum()
    table = hills.moisture[:, 0].numpy()
    expected = np.interp(of_cell, table[::-1], hills.saturated[:, 0].numpy()[::-1])
    np.testing.assert_allclose(water.saturated[:3], expected, rtol=1e-12)
    assert 0.0 < expected < 1.0
    flow = np.interp(of_cell, table[::-1], hills.outflow[:, 0].numpy()[::-1])
    clay = 0.25
    expected_flow = (1.55 + 32.85 * clay + 65.637 * clay**2) * soil.saturated_conductivity[0, 0] * flow
    np.testing.assert_allclose(water.lateral_flow.sum(dim=0)[0], expected_flow, rtol=1e-12)

    tiled = tile_columns(parameters, 3)
    copies = hillslope_water(tile_columns_of(moisture, 3), tiled.soil, tiled.topography)
    torch.testing.assert_close(copies.saturated, water.saturated.repeat(3))
    last = select_columns(parameters, slice(3, 4))
    alone = hillslope_water(moisture[:, 3:], last.soil, last.topography)
    torch.testing.assert_close(alone.saturated, water.saturated[3:])
    full = hillslope_water(soil.porosity, soil, hills)
    assert full.saturated.tolist() == [1.0] * 4
    assert not full.lateral_flow.any()


def tile_columns_of(values: torch.Tensor, copies: int) -> torch.Tensor:
    return torch.cat([values] * copies, dim=-1)


def test_gradients_are_finite_and_equal_differences() -> None:
    _, parameters = two_cells()
    moisture = torch.full((14, 4), 0.331, dtype=DTYPE, requires_grad=True)

    def total(values: torch.Tensor) -> torch.Tensor:
        water = hillslope_water(values, parameters.soil, parameters.topography)
        return water.saturated.sum() + 1e6 * water.lateral_flow.sum()

    (gradient,) = torch.autograd.grad(total(moisture), moisture)
    change = torch.zeros_like(moisture)
    change[2, 1] = 1e-7
    difference = (total(moisture.detach() + change) - total(moisture.detach() - change)) / 2e-7
    assert gradient[2, 1].item() == pytest.approx(difference.item(), rel=1e-5)


def test_options_need_their_maps_and_indices_must_agree() -> None:
    _, parameters = two_cells()
    with pytest.raises(InputError, match="SGH needs topographic_index_minimum"):
        LandModel(dataclasses.replace(parameters, topography=None), LandOptions(runoff="SGH"))
    with pytest.raises(InputError, match=r"topographic_index_\*: cell 0 needs minimum < mean"):
        index(mean=20.0).check()
