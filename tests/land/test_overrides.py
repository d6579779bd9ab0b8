"""Parameters given in place of those of the tables and of the texture."""

import numpy as np
import pytest
import torch

from dalearn.errors import InputError
from dalearn.land.overrides import KNOWN_NAMES
from dalearn.land.parameters import build_parameters
from dalearn.land.state import LandParameters
from dalearn.land.vegetation import TYPES, VEGETATION_TYPES
from dalearn.tree import named_tensors

CELLS = 2


def parameters(**overrides: np.ndarray) -> LandParameters:
    """Two cells of crop (column 0, 2) and forest with shrubs (column 1, 3)."""
    fractions = np.zeros((CELLS, 19))
    for name, share in (("C3", 0.5), ("TEBD", 0.375), ("SHRB", 0.125)):
        fractions[:, VEGETATION_TYPES.index(name)] = share
    cells = [np.full(CELLS, value) for value in (0.2, 0.4, 44.0, 1.0)]
    _, built = build_parameters(fractions, *cells, overrides=overrides)
    # patch 4, trees, comes before patch 7, crops
    return built


TREES, CROP = [0, 2], [1, 3]


def changed(**overrides: np.ndarray) -> dict[str, list[int]]:
    """Columns in which each parameter differs from the one without overrides."""
    differences = {}
    for (name, old), (_, new) in zip(named_tensors(parameters()), named_tensors(parameters(**overrides)), strict=True):
        where = (old != new).reshape(-1, old.shape[-1]).any(dim=0)
        if where.any():
            differences[name] = torch.nonzero(where).flatten().tolist()
    return differences


def by_type(**values: float) -> np.ndarray:
    array = np.full((CELLS, 19), np.nan)
    for name, value in values.items():
        array[:, VEGETATION_TYPES.index(name)] = value
    return array


def test_porosity_of_one_cell() -> None:
    given = {"porosity": np.array([np.nan, 0.5])}
    assert changed(**given) == {"soil.porosity": [2, 3]}
    assert (parameters(**given).soil.porosity[:, 2:] == 0.5).all()


def test_porosity_by_layer_and_field_capacity_by_type() -> None:
    layers = np.full((CELLS, 14), np.nan)
    layers[0, 3] = 0.48
    assert changed(porosity=layers) == {"soil.porosity": [0, 1]}
    soil = parameters(porosity=layers).soil
    assert soil.porosity[3, :2].tolist() == [0.48, 0.48]
    assert changed(field_capacity=by_type(C3=0.3)) == {"soil.field_capacity": CROP}


def test_mesophyll_conductance_by_table_and_by_field() -> None:
    expected = {"vegetation.mesophyll_conductance": CROP, "vegetation.reference_assimilation": CROP}
    assert changed(mesophyll=by_type(C3=2.5)) == expected
    assert changed(mesophyll_conductance=by_type(C3=2.5e-3)) == expected
    new = parameters(mesophyll=by_type(C3=2.5)).vegetation.mesophyll_conductance
    torch.testing.assert_close(new[CROP], torch.full((2,), 2.5e-3, dtype=torch.float64))


def test_types_are_averaged_with_those_that_keep_their_value() -> None:
    given = parameters(minimum_lai=by_type(SHRB=0.7)).vegetation.minimum_leaf_area_index
    torch.testing.assert_close(given[TREES], torch.full((2,), 0.75 * 0.3 + 0.25 * 0.7, dtype=torch.float64))
    assert changed(minimum_lai=by_type(SHRB=0.7)) == {"vegetation.minimum_leaf_area_index": TREES}
    given = parameters(minimum_leaf_area_index=by_type(SHRB=0.7)).vegetation.minimum_leaf_area_index
    torch.testing.assert_close(given[TREES], torch.full((2,), 0.75 * 0.3 + 0.25 * 0.7, dtype=torch.float64))


def test_root_depth_moves_roots_and_layers_of_its_columns_only() -> None:
    differences = changed(root_depth=by_type(C3=1.0))
    assert {name.split(".")[0] for name in differences} == {"soil"}
    assert set(differences) >= {"soil.root_fraction", "soil.holds_water"}
    assert all(columns == CROP for columns in differences.values())


def test_a_table_of_its_own_values_changes_nothing() -> None:
    for name in ("mesophyll", "deficit", "heat_capacity", "shading_lai", "root_extinction", "tree_height", "height"):
        table = np.tile(TYPES[name], (CELLS, 1))
        for (field, old), (_, new) in zip(
            named_tensors(parameters()), named_tensors(parameters(**{name: table})), strict=True
        ):
            torch.testing.assert_close(old, new, rtol=1e-15, atol=0.0, msg=f"{name}: {field}")


def test_masks_can_be_given() -> None:
    assert parameters(is_defensive=np.zeros(CELLS)).vegetation.is_defensive.tolist() == [False] * 4
    assert parameters().vegetation.is_defensive.tolist() == [False, True, False, True]


@pytest.mark.parametrize("name", KNOWN_NAMES)
def test_every_known_name_can_be_given(name: str) -> None:
    old = parameters()
    values = dict(named_tensors(old.vegetation)) | dict(named_tensors(old.soil))
    value = float(TYPES[name][6]) if name in TYPES else float(values[name].flatten()[0])
    parameters(**{name: np.full(CELLS, value if np.isfinite(value) else 1.0)})


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match=r"unknown parameter porosty; known are .*porosity"):
        parameters(porosty=np.ones(CELLS))
    with pytest.raises(InputError, match=r"mesophyll has shape \(2, 3\), give \(cell\) or \(cell, 19\)"):
        parameters(mesophyll=np.ones((CELLS, 3)))
    with pytest.raises(InputError, match=r"without 0 < wilting_point < field_capacity <= porosity"):
        parameters(field_capacity=np.array([0.9, np.nan]))
