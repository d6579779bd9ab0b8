"""Columns and parameters from maps, against the parameters of the stored SURFEX runs."""

import numpy as np
import pytest
import torch
import xarray

from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.parameters import build_parameters
from dalearn.land.radiation import surface_properties
from dalearn.land.state import LandParameters
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.tree import named_tensors


def fractions_of(*cells: dict[str, float]) -> np.ndarray:
    array = np.zeros((len(cells), len(VEGETATION_TYPES)))
    for row, cell in zip(array, cells, strict=True):
        for name, fraction in cell.items():
            row[VEGETATION_TYPES.index(name)] = fraction
    return array


def build(fractions: np.ndarray, **options) -> tuple[Grid, LandParameters]:
    cells = len(fractions)
    maps = {"clay": 0.3, "sand": 0.4, "latitude": 43.0, "longitude": 1.0}
    values = {name: options.pop(name, np.full(cells, value)) for name, value in maps.items()}
    return build_parameters(fractions, **values, **options)


def test_columns_are_ordered_by_cell_and_patch() -> None:
    grid, parameters = build(
        fractions_of({"GRAS": 0.5, "TEBD": 0.2, "SHRB": 0.3}, {"NO": 1.0}, {"C3": 0.25, "BOGR": 0.25, "GRAS": 0.5})
    )
    assert grid.cell_of_column.tolist() == [0, 0, 1, 2, 2]
    assert grid.patch_of_column.tolist() == [4, 10, 1, 7, 10]
    assert grid.fraction.tolist() == pytest.approx([0.5, 0.5, 1.0, 0.25, 0.75])
    for name, tensor in named_tensors(parameters):
        assert tensor.shape[-1] == 5, name
        assert tensor.dtype in (torch.float64, torch.bool), name
        assert tensor.to(torch.float64).isfinite().all(), name


def test_small_patches_join_the_largest() -> None:
    cells = fractions_of({"GRAS": 0.6, "C3": 0.04, "TEBD": 0.32, "NO": 0.04}, {"ROCK": 1.0})
    grid, _ = build(cells, minimum_patch_fraction=0.05)
    assert grid.patch_of_column.tolist() == [4, 10, 2]
    assert grid.fraction.tolist() == pytest.approx([0.32, 0.68, 1.0])
    # a cell without any large patch keeps its largest
    grid, _ = build(fractions_of({"GRAS": 0.4, "C3": 0.3, "NO": 0.3}), minimum_patch_fraction=0.9)
    assert (grid.patch_of_column.tolist(), grid.fraction.tolist()) == ([10], [1.0])


def test_given_depths_and_heights_replace_the_typical_ones() -> None:
    cells = fractions_of({"GRAS": 1.0}, {"GRAS": 1.0}, {"TEBD": 1.0}, {"TEBD": 1.0})
    depth = np.full(cells.shape, np.nan)
    depth[1, VEGETATION_TYPES.index("GRAS")] = 1.0
    height = np.full(cells.shape, np.nan)
    height[3, VEGETATION_TYPES.index("TEBD")] = 22.0
    _, parameters = build(cells, root_depth=depth, tree_height=height)
    assert parameters.soil.holds_water.sum(dim=0).tolist() == [9, 8, 10, 10]
    assert parameters.vegetation.fixed_height[2:].tolist() == [10.0, 22.0]


def test_soil_albedo_sees_the_vegetation_of_the_whole_cell() -> None:
    _, parameters = build(fractions_of({"NO": 0.4, "C3": 0.6}))
    vegetation = parameters.vegetation
    expected = 0.05 + (0.05 + 0.12) * (1.0 - 0.9 * 0.36)
    assert vegetation.soil_albedo_visible_dry.tolist() == pytest.approx([expected, expected], rel=1e-13)


def test_reference_heights() -> None:
    _, parameters = build(fractions_of({"NO": 1.0}), temperature_height=1.5, wind_height=2.0)
    assert (parameters.temperature_height.tolist(), parameters.wind_height.tolist()) == ([1.5], [2.0])


def test_reference_assimilation_follows_the_carbon_dioxide() -> None:
    low, high = (
        build(fractions_of({"C3": 1.0}), co2=co2)[1].vegetation.reference_assimilation for co2 in (370.0, 420.0)
    )
    assert (high > low).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clay": np.array([0.3, 37.0])}, r"clay: cell 1 has 37; give 0..1 \(a fraction, not a percentage\)"),
        ({"sand": np.array([np.nan, 0.3])}, "sand: cell 0 has nan"),
        ({"clay": np.array([0.3, 0.8])}, "clay, sand: cell 1 has 0.8 and 0.4; their sum exceeds 1"),
        ({"clay": np.array([0.0, 0.3])}, "clay: cell 0 has none"),
        ({"clay": np.array([0.3])}, r"clay: has shape \(1,\), give one value for each of the 2 cells"),
        ({"latitude": np.array([0.0, 91.0])}, "latitude: cell 1 has 91; give -90..90"),
        ({"pedotransfer": "HYPRES"}, "pedotransfer: unknown relation 'HYPRES'"),
        ({"root_depth": np.zeros((2, 19))}, "root_depth: cell 0 has 0 m for NO; give > 0"),
        ({"tree_height": np.zeros((2, 5))}, r"tree_height: has shape \(2, 5\)"),
        ({"clay": np.array([0.3, 0.99]), "sand": np.zeros(2)}, "clay, sand: cell 1 has 0.99 and 0, for which CH78"),
    ],
)
def test_bad_maps(changes: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(fractions_of({"GRAS": 1.0}, {"C3": 1.0}), **changes)


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        (fractions_of({"GRAS": 1.0}, {"C3": 0.8}), "fraction: those of cell 1 sum to 0.8"),
        (fractions_of({"GRAS": 1.2, "C3": -0.2}), "fraction: cell 0 has -0.2 for C3; give 0..1"),
        (fractions_of({"GRAS": np.nan}), "fraction: cell 0 has nan for GRAS"),
        (np.ones((3, 12)) / 12.0, r"fraction: has shape \(3, 12\), give \(cell, 19\)"),
        (np.ones((0, 19)), r"fraction: has shape \(0, 19\)"),
    ],
)
def test_bad_fractions(fractions: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(fractions)


CASES = (
    *("bare_hapex", "grass_hapex", "c3_hapex", "broadleaf_hapex", "conifer_eses1999", "grass_itamp2003"),
    *("grass_alps2400", "mixed_hapex", "option_grass_dt92"),
)
INITIAL_LEAF_AREA = {"NO": 0.0, "C3": 0.5, "TEBD": 3.0, "TENE": 3.0}


@pytest.mark.parametrize("case", CASES)
def test_parameters_of_the_stored_runs(shared, case: str) -> None:
    with xarray.open_dataset(shared / "reference" / "surfex" / f"{case}.nc", decode_times=False) as data:
        stored = {name: data[name].values for name in data.data_vars if str(name).startswith("par_")}
        types = [str(name) for name in data["vegtype"].values]
        attributes = dict(data.attrs)
    cell = fractions_of({kind: float(f) for kind, f in zip(types, stored["par_PATCH"], strict=True)})
    grid, parameters = build(
        cell,
        clay=np.array([attributes["clay"]]),
        sand=np.array([attributes["sand"]]),
        pedotransfer="CO84" if "CO84" in attributes["model"] else "CH78",
    )
    soil, vegetation = parameters.soil, parameters.vegetation
    np.testing.assert_allclose(grid.fraction.numpy(), stored["par_PATCH"], rtol=1e-13)
    for name, value in (
        ("par_WSAT", soil.porosity),
        ("par_WFC", soil.field_capacity),
        ("par_WWILT", soil.wilting_point),
    ):
        np.testing.assert_allclose(value[:, 0].numpy(), stored[name], rtol=1e-13, err_msg=name)

    bottom, roots = (stored[name].reshape(-1, len(types)) for name in ("par_DG", "par_ROOTFRAC"))
    water = np.isfinite(roots)
    np.testing.assert_array_equal(soil.holds_water.numpy()[: len(water)], water)
    np.testing.assert_allclose(soil.layer_bottom.numpy()[: len(bottom)], bottom, rtol=1e-13)
    cumulative = soil.root_fraction.cumsum(dim=0).numpy()[: len(roots)]
    np.testing.assert_allclose(cumulative[water], roots[water], rtol=0.0, atol=1e-14)

    # the first layer lies within the runoff depth, so its weight tells that depth
    depth = soil.layer_thickness[0] / soil.runoff_depth_weight[0]
    np.testing.assert_allclose(depth.numpy(), stored["par_RUNOFFD"], rtol=1e-13)
    np.testing.assert_allclose(soil.runoff_depth_weight.sum(dim=0).numpy(), 1.0, rtol=1e-13)

    vegetated = np.isfinite(stored["par_CV"])
    assert vegetated.tolist() == vegetation.vegetated.tolist()
    for name, value in (
        ("par_CV", vegetation.vegetation_heat_capacity),
        ("par_WRMAX_CF", vegetation.interception_coefficient),
    ):
        np.testing.assert_allclose(value.numpy()[vegetated], stored[name][vegetated], rtol=1e-13, err_msg=name)

    # the stored cover, roughness and emissivity are those of the leaf area the run was prepared with
    grass = 6.0 * stored["par_Z0VEG"] / 0.13
    area = [INITIAL_LEAF_AREA.get(kind, height) for kind, height in zip(types, grass, strict=True)]
    surface = surface_properties(torch.tensor(area, dtype=torch.float64), vegetation)
    np.testing.assert_allclose(surface.vegetation_fraction.numpy(), stored["par_VEG"], rtol=1e-13)
    np.testing.assert_allclose(surface.roughness_length.numpy(), stored["par_Z0VEG"], rtol=1e-13)
    np.testing.assert_allclose(surface.emissivity.numpy(), stored["par_EMIS_ISBA"], rtol=1e-13)
