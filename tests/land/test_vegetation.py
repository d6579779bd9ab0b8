"""The vegetation type table, the patches and the averages over types (isba_ags.md 6)."""

import numpy as np
import pytest

from dalearn.grid import PATCH_COUNT
from dalearn.land.state import VegetationParameters
from dalearn.land.vegetation import (
    BARE_TYPES,
    PATCH_OF_TYPE,
    TREE_TYPES,
    TYPES,
    VEGETATION_TYPES,
    patch_fractions,
    patch_parameters,
    ppm_to_mixing_ratio,
    types_in_patch,
)

# isba_ags.md 6.1: biomass per leaf area, kg m-2
BIOMASS_PER_LEAF_AREA = {
    "TEBD": 0.06494392,
    "BONE": 0.20006002,
    "TRBE": 0.12003361,
    "C3": 0.06771856,
    "C4": 0.09744689,
    "IRR": 0.09744689,
    "GRAS": 0.07164350,
    "TROG": 0.17686594,
    "PARK": 0.07164350,
    "TRBD": 0.06494392,
    "TEBE": 0.12000912,
    "TENE": 0.20006002,
    "BOBD": 0.06494392,
    "BOND": 0.09911785,
    "BOGR": 0.07164350,
    "SHRB": 0.06508510,
}


def share_of(**shares: float) -> np.ndarray:
    """(1, 19) shares of the named types."""
    array = np.zeros((1, len(VEGETATION_TYPES)))
    for name, share in shares.items():
        array[0, VEGETATION_TYPES.index(name)] = share
    return array


def parameters_of(share: np.ndarray) -> VegetationParameters:
    columns = len(share)
    return patch_parameters(
        share,
        np.broadcast_to(TYPES["tree_height"], share.shape),
        latitude=np.full(columns, 45.0),
        soil_albedo_visible=np.full(columns, 0.2),
        soil_albedo_near_infrared=np.full(columns, 0.3),
    )


def test_types_in_ecoclimap_order() -> None:
    assert (
        *("NO", "ROCK", "SNOW", "TEBD", "BONE", "TRBE", "C3", "C4", "IRR", "GRAS"),
        *("TROG", "PARK", "TRBD", "TEBE", "TENE", "BOBD", "BOND", "BOGR", "SHRB"),
    ) == VEGETATION_TYPES
    assert [VEGETATION_TYPES[index] for index in np.flatnonzero(BARE_TYPES)] == ["NO", "ROCK", "SNOW"]
    trees = ["TEBD", "BONE", "TRBE", "TRBD", "TEBE", "TENE", "BOBD", "BOND", "SHRB"]
    assert [VEGETATION_TYPES[index] for index in np.flatnonzero(TREE_TYPES)] == trees


def test_types_of_a_patch_share_group_pathway_and_cover() -> None:
    """The averages rely on it: one cover per patch makes SURFEX's veg-weighted means plain ones."""
    for patch in range(1, PATCH_COUNT + 1):
        members = patch == PATCH_OF_TYPE
        assert members.any()
        for name in ("group", "pathway"):
            assert len(set(TYPES[name][members])) == 1
        assert np.ptp(np.nan_to_num(TYPES["cover"][members], nan=-1.0)) == 0.0


def test_patch_fractions() -> None:
    patches = patch_fractions(share_of(NO=0.1, TEBD=0.2, SHRB=0.1, C3=0.35, GRAS=0.15, BOGR=0.1))
    expected = np.zeros(12)
    expected[[0, 3, 6, 9]] = [0.1, 0.3, 0.35, 0.25]
    np.testing.assert_allclose(patches[0], expected, rtol=1e-14)
    inside = types_in_patch(share_of(TEBD=0.2, SHRB=0.1, C3=0.7), np.array([4]))
    np.testing.assert_allclose(inside, share_of(TEBD=2.0 / 3.0, SHRB=1.0 / 3.0), rtol=1e-14)


@pytest.mark.parametrize("kind", BIOMASS_PER_LEAF_AREA)
def test_biomass_per_leaf_area_golden(kind: str) -> None:
    vegetation = parameters_of(share_of(**{kind: 1.0}))
    assert vegetation.biomass_per_leaf_area.item() == pytest.approx(BIOMASS_PER_LEAF_AREA[kind], abs=6e-9)


def test_parameters_are_averaged_before_the_functions_of_them() -> None:
    vegetation = parameters_of(share_of(TEBD=0.6, TEBE=0.1, SHRB=0.3))
    slope, offset, nitrogen = 4.83, 0.6 * 5.11 + 0.1 * 0.17 + 0.3 * 4.98, 0.6 * 2.13 + 0.1 * 1.69 + 0.3 * 2.15
    assert vegetation.biomass_per_leaf_area.item() == pytest.approx(1.0 / (slope * nitrogen + offset), rel=1e-13)
    conductance = 1e-3 * (0.6 * 1.8 + 0.1 * 1.9 + 0.3 * 1.6)
    assert vegetation.mesophyll_conductance.item() == pytest.approx(conductance, rel=1e-13)
    assert vegetation.fixed_height.item() == pytest.approx(0.6 * 10.0 + 0.1 * 12.5 + 0.3 * 2.0, rel=1e-13)
    assert vegetation.is_woody.item()
    assert not vegetation.is_defensive.item()
    # the clumping and shading of the dominant type
    assert vegetation.clumping_lower.item() == 4.0


def test_strategy_of_a_mixed_patch_is_that_of_its_majority() -> None:
    assert parameters_of(share_of(BONE=0.4, TENE=0.6)).is_defensive.item()
    leaves = parameters_of(share_of(BONE=0.5, BOND=0.5))
    assert leaves.maximum_assimilation.item() == pytest.approx(1.15e-6, rel=1e-13)
    assert leaves.woody_maximum_deficit.item() == pytest.approx(0.124, rel=1e-13)
    assert leaves.minimum_leaf_area_index.item() == 1.0


def test_flags_and_pathways() -> None:
    names = ("NO", "ROCK", "SNOW", "TEBD", "TRBE", "C3", "IRR", "TROG")
    vegetation = parameters_of(np.concatenate([share_of(**{name: 1.0}) for name in names]))
    assert vegetation.vegetated.tolist() == [False] * 3 + [True] * 5
    assert vegetation.is_woody.tolist() == [False] * 3 + [True] * 2 + [False] * 3
    assert vegetation.is_tropical_evergreen.tolist() == [name == "TRBE" for name in names]
    assert vegetation.is_crop.tolist() == [name in ("C3", "IRR") for name in names]
    assert vegetation.is_grass.tolist() == [name == "TROG" for name in names]
    assert vegetation.is_defensive.tolist() == [name in ("C3", "IRR") for name in names]
    assert vegetation.herbaceous_f0[-3:].tolist() == [0.95, 0.60, 0.60]
    assert vegetation.compensation_point[-3:].tolist() == pytest.approx(
        [ppm_to_mixing_ratio(45.0), ppm_to_mixing_ratio(2.8), ppm_to_mixing_ratio(2.8)], rel=1e-14
    )
    assert vegetation.optimum_temperature[-3:].tolist() == [25.0, 35.0, 35.0]
    assert vegetation.vegetation_heat_capacity.tolist() == pytest.approx([2e-5] * 3 + [1e-5] * 2 + [2e-5] * 3)


def test_mixing_ratio() -> None:
    """isba_ags.md 1.1."""
    assert ppm_to_mixing_ratio(400.0) == pytest.approx(6.0764e-4, abs=6e-9)
