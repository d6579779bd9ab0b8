"""Limits on the increments: ldas_sekf.md 1.9 and 10.4."""

import pytest
import torch

from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.covariance import background_variance
from dalearn.assimilation.filter import analyse
from dalearn.assimilation.leaves import surfex_biomass_per_leaf_area
from dalearn.assimilation.limits import LimitSettings, limit_increment

LAI, WG3 = ControlVector(("LAI",)), ControlVector(("WG3",))


def limit(control, parameters, increment, background, **settings):
    dx, x = (torch.tensor([row], dtype=torch.float64) for row in (increment, background))
    everywhere = torch.ones_like(x, dtype=torch.bool)
    limited, hits = limit_increment(control, dx, x, everywhere, parameters, LimitSettings(**settings))
    return limited[0].tolist(), hits


def test_leaf_area_index_with_three_patches_and_all_limits(toy):
    """Section 10.4: crop, needleleaf, bare."""
    grid = toy.grid([[7, 5, 1]], [[0.5, 0.3, 0.2]])
    parameters = toy.parameters(3, vegetated=[True, True, False])
    minimum = torch.tensor([0.3, 1.0, 0.3], dtype=torch.float64)
    parameters.vegetation.minimum_leaf_area_index.copy_(minimum)
    leaves = torch.tensor([1.0, 4.0, 0.0], dtype=torch.float64)
    y = grid.cell_mean(leaves)
    assert y.item() == pytest.approx(1.7)
    B = background_variance(LAI, leaves, parameters)
    assert B.sqrt()[0, :2].tolist() == pytest.approx([0.4, 0.8])
    H = torch.where(parameters.vegetation.vegetated, grid.fraction, 0.0).reshape(1, 3, 1)
    analysis = analyse((0.5 - y).reshape(1, 1), H, B.reshape(3, 1), torch.full((1, 1), 0.01, dtype=torch.float64))
    assert analysis.gain.flatten().tolist() == pytest.approx([0.74349442, 1.78438662, 0.0], abs=5e-9)
    raw = analysis.increment.reshape(1, 3)
    assert raw[0].tolist() == pytest.approx([-0.89219331, -2.14126394, 0.0], abs=5e-9)

    defined = parameters.vegetation.vegetated.unsqueeze(0)
    limited, hits = limit_increment(LAI, raw, leaves.unsqueeze(0), defined, parameters)
    assert limited[0].tolist() == pytest.approx([-0.7, -1.0, 0.0])
    assert (leaves + limited[0]).tolist() == pytest.approx([0.3, 3.0, 0.0])
    assert hits["minimum_leaf_area_index"] == 1
    assert hits["leaf_area_index_increment"] == 1
    biomass = surfex_biomass_per_leaf_area(grid, leaves) * limited[0]
    assert biomass.tolist() == pytest.approx([-0.04740299, -0.07496252, 0.0], abs=5e-9)
    after_midnight = 4.0 + biomass[1].item() / 0.20006002
    assert after_midnight == pytest.approx(3.62529974, abs=2e-7)


def test_leaf_area_index_floor_comes_before_the_largest_increment(toy):
    """A background 2 below its minimum is lifted by 1 only; a positive increment cannot pass +1 either."""
    parameters = toy.parameters(3, minimum_leaf_area_index=0.3)
    limited, hits = limit(LAI, parameters, [0.0, 5.0, -0.2], [-1.7, 2.0, 0.2])
    assert limited == pytest.approx([1.0, 1.0, 0.1])
    assert hits["minimum_leaf_area_index"] == 2
    assert hits["leaf_area_index_increment"] == 2


def test_soil_moisture_bounds_come_before_the_largest_increment(toy):
    parameters = toy.parameters(6, porosity=0.45)
    background = [0.05, 0.40, 0.30, 0.70, 0.25, 0.0005]
    limited, hits = limit(WG3, parameters, [-0.08, 0.09, 0.30, 0.0, 0.02, 0.0], background)
    assert limited == pytest.approx([-0.049, 0.05, 0.1, -0.1, 0.02, 0.0005])
    assert hits["soil_moisture_bounds"] == 5
    assert hits["soil_moisture_increment"] == 2


def test_untouched_when_within_limits(toy):
    limited, hits = limit(WG3, toy.parameters(2), [0.01, -0.02], [0.2, 0.3])
    assert limited == [0.01, -0.02]
    assert not any(hits.values())


def test_undefined_entries_get_nothing(toy):
    increment = torch.full((1, 2), 5.0, dtype=torch.float64)
    defined = torch.tensor([[True, False]])
    limited, hits = limit_increment(WG3, increment, torch.full_like(increment, 0.2), defined, toy.parameters(2))
    assert limited[0].tolist() == pytest.approx([0.1, 0.0])
    assert hits["soil_moisture_increment"] == 1


def test_limits_are_settings(toy):
    limited, _ = limit(LAI, toy.parameters(1), [1.8], [2.0], leaf_area_index=1.5)
    assert limited == [1.5]
    limited, _ = limit(WG3, toy.parameters(1), [0.05], [0.2], soil_moisture=0.02)
    assert limited == [0.02]
