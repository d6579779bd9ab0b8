"""Pedotransfer, thermal conductivities, layers, roots (isba_physics.md 1.2, 1.3, 2, 11.2-11.4)."""

import numpy as np
import pytest
import torch

from dalearn.errors import InputError
from dalearn.land.soil import (
    dry_conductivity,
    pedotransfer,
    soil_moisture_range,
    soil_parameters,
    solid_conductivity,
)
from dalearn.land.soil_layers import (
    LAYER_BOTTOMS,
    cumulative_roots,
    depth_weights,
    runoff_depth,
    snap_depth,
    soil_layers,
    water_depths,
)
from dalearn.land.vegetation import BARE_TYPES, TYPES, VEGETATION_TYPES


def number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize(
    ("relation", "clay", "sand", "expected"),
    [
        ("CH78", 0.33, 0.33, (0.458665, 8.022, -0.362744, 2.37496e-6, 0.213320, 0.356612)),
        ("CH78", 0.20, 0.40, (0.451105, 6.241, -0.314775, 6.64837e-6, 0.166069, 0.325880)),
        ("CH78", 0.10, 0.60, (0.429505, 4.871, -0.209894, 2.94067e-5, 0.117429, 0.262270)),
        ("CH78", 0.03, 0.92, (0.394945, 3.912, -0.109749, 2.42070e-4, 0.0643183, 0.157804)),
        ("CO84", 0.20, 0.40, (0.440800, 6.120, -0.258226, 4.21242e-6, 0.156450, 0.305027)),
        ("CO84", 0.33, 0.33, (0.445930, 8.182, -0.275867, 2.83878e-6, 0.202612, 0.339435)),
    ],
)
def test_pedotransfer_golden(relation: str, clay: float, sand: float, expected: tuple[float, ...]) -> None:
    got = pedotransfer(number(clay), number(sand), relation)
    assert [value.item() for value in got] == pytest.approx(expected, rel=6e-6)


def test_unknown_pedotransfer() -> None:
    with pytest.raises(InputError, match="unknown relation 'HYPRES', choose one of CH78, CO84"):
        pedotransfer(number(0.2), number(0.4), "HYPRES")


def test_conductivities_golden() -> None:
    porosity = pedotransfer(number(0.20), number(0.40)).porosity
    dry, solid = dry_conductivity(porosity), solid_conductivity(number(0.40))
    assert dry.item() == pytest.approx(0.204215986, abs=2e-9)
    assert solid.item() == pytest.approx(3.513602121, abs=6e-10)
    saturated = solid ** (1.0 - porosity) * 0.57**porosity
    assert saturated.item() == pytest.approx(1.546802230, abs=6e-10)
    # little quartz: the other minerals conduct better
    assert solid_conductivity(number(0.1)).item() == pytest.approx(7.7**0.133 * 3.0**0.867, rel=1e-14)


@pytest.mark.parametrize(
    ("percent", "expected"), [(10.0, 0.081739), (18.0, 0.087056), (25.0, 0.088700), (40.0, 0.088511)]
)
def test_moisture_range_golden(percent: float, expected: float) -> None:
    """ldas_sekf.md 1.4."""
    assert soil_moisture_range(number(percent / 100.0)).item() == pytest.approx(expected, abs=6e-7)


@pytest.mark.parametrize(
    ("depth", "snapped", "count", "moved"),
    [
        (0.2, 0.2, 4, {}),
        (0.5, 0.5, 6, {}),
        (1.0, 1.0, 8, {}),
        (1.1, 1.0, 8, {}),
        (1.11, 1.25, 9, {9: 1.25}),
        (1.25, 1.25, 9, {9: 1.25}),
        (1.29, 1.25, 9, {9: 1.25}),
        (1.31, 1.5, 9, {}),
        (1.5, 1.5, 9, {}),
        (1.75, 1.75, 10, {9: 1.25, 10: 1.75}),
        (2.0, 2.0, 10, {}),
        (2.04, 2.0, 10, {}),
        (2.25, 2.25, 10, {10: 2.25}),
        (2.5, 2.5, 11, {11: 2.5}),
        (2.75, 2.75, 11, {11: 2.75}),
        (3.0, 3.0, 11, {}),
        (3.5, 3.5, 11, {11: 3.5}),
        (4.0, 4.0, 12, {12: 4.0}),
        (4.5, 4.5, 12, {12: 4.5}),
        (5.0, 5.0, 12, {}),
        (5.5, 5.5, 12, {12: 5.5}),
        (6.0, 8.0, 13, {}),
        (8.0, 8.0, 13, {}),
        (8.1, 12.0, 14, {}),
    ],
)
def test_water_layers(depth: float, snapped: float, count: int, moved: dict[int, float]) -> None:
    assert snap_depth(depth) == snapped
    layers = soil_layers(np.array([depth]))
    expected = np.array(LAYER_BOTTOMS)
    for layer, bottom in moved.items():
        expected[layer - 1] = bottom
    np.testing.assert_array_equal(layers.bottom[:, 0], expected)
    assert layers.water_layers.tolist() == [count]
    assert layers.holds_water[:, 0].tolist() == [True] * count + [False] * (14 - count)
    assert (layers.thickness > 0.0).all()
    assert layers.thickness.sum() == pytest.approx(expected[-1], rel=1e-14)


def test_standard_geometry() -> None:
    """isba_physics.md 1.1."""
    layers = soil_layers(np.array([2.0]))
    thickness = [0.01, 0.03, 0.06, 0.10, 0.20, 0.20, 0.20, 0.20, 0.50, 0.50, 1.0, 2.0, 3.0, 4.0]
    distance = [0.02, 0.045, 0.08, 0.15, 0.20, 0.20, 0.20, 0.35, 0.50, 0.75, 1.5, 2.5, 3.5, 2.0]
    np.testing.assert_allclose(layers.thickness[:, 0], thickness, rtol=1e-13)
    np.testing.assert_allclose(layers.node_distance[:, 0], distance, rtol=1e-13)


def of_types(names: tuple[str, ...], values: tuple[float, ...], elsewhere: float = 0.0) -> np.ndarray:
    """(1, 19) with ``values`` of the named types."""
    array = np.full((1, len(VEGETATION_TYPES)), elsewhere)
    array[0, [VEGETATION_TYPES.index(name) for name in names]] = values
    return array


def test_depths_are_harmonic_means() -> None:
    """isba_physics.md 1.2."""
    rock_and_snow = np.isin(TYPES["type"], ("ROCK", "SNOW"))
    trees = ("TEBD", "SHRB")
    roots = of_types(trees, (2.0, 4.0), elsewhere=1.0)
    depths = water_depths(of_types(trees, (0.25, 0.75)), BARE_TYPES, rock_and_snow, roots, roots)
    assert depths.hydrological.tolist() == pytest.approx([1.0 / (0.25 / 2.0 + 0.75 / 4.0)])
    assert depths.root.tolist() == depths.hydrological.tolist()
    for name, root, soil, expected in (
        ("NO", 0.5, 0.7, (0.7, 0.0)),
        ("NO", 0.5, 2.0, (1.0, 0.0)),
        ("ROCK", 0.2, 3.0, (0.2, 0.0)),
        ("GRAS", 0.6, 2.0, (1.0, 0.6)),
        ("TRBE", 8.0, 8.0, (8.0, 8.0)),
    ):
        root_depth, soil_depth = (of_types((name,), (depth,), elsewhere=1.0) for depth in (root, soil))
        depths = water_depths(of_types((name,), (1.0,)), BARE_TYPES, rock_and_snow, root_depth, soil_depth)
        assert (depths.hydrological[0], depths.root[0]) == expected


ROOTS = {
    # isba_physics.md 11.4 and isba_ags.md 6.5: extinction, root depth, fraction above each layer bottom
    "GRAS": (
        *(0.943, 1.5),
        [0.054491, 0.200138, 0.425145, 0.663029, 0.872640, 0.942057, 0.968125, 0.980791, 1.0, 1.0],
    ),
    "C3": (
        *(0.961, 1.5),
        [0.037478, 0.141446, 0.315933, 0.529268, 0.771786, 0.884893, 0.939596, 0.967942, 1.0, 1.0],
    ),
    "C4": (
        *(0.972, 1.5),
        [0.027314, 0.104809, 0.241566, 0.424234, 0.667520, 0.808271, 0.890918, 0.940640, 1.0, 1.0],
    ),
    "TEBD": (
        *(0.966, 2.0),
        [0.032582, 0.123880, 0.280581, 0.479843, 0.722578, 0.846602, 0.911193, 0.946028, 0.983136, 1.0],
    ),
    "deep GRAS": (
        *(0.943, 2.0),
        [0.0544004, 0.1997760, 0.4242521, 0.6612690, 0.8691848, 0.9369255, 0.9613247, 0.9723229, 0.9873649, 1.0],
    ),
}


@pytest.mark.parametrize("kind", ROOTS)
def test_roots_golden(kind: str) -> None:
    extinction, depth, expected = ROOTS[kind]
    layers = soil_layers(np.array([depth]))
    got = cumulative_roots(layers, np.array([depth]), np.array([extinction]), np.array([0.05]))
    assert got[:10, 0].tolist() == pytest.approx(expected, abs=6e-7)
    np.testing.assert_array_equal(got, np.round(got, 8))


def test_no_roots_without_vegetation() -> None:
    layers = soil_layers(np.array([1.0]))
    got = cumulative_roots(layers, np.zeros(1), np.array([0.5]), np.zeros(1))
    assert not got.any()
    assert runoff_depth(layers, got, np.array([1.0])).tolist() == [0.6]
    assert runoff_depth(soil_layers(np.array([0.2])), got, np.array([0.2])).tolist() == [0.2]


def test_depth_weights() -> None:
    layers = soil_layers(np.array([1.5, 0.2]))
    weights = depth_weights(layers, np.array([0.8, 0.2]))
    assert weights.sum(axis=0) == pytest.approx([1.0, 1.0], rel=1e-14)
    assert weights[:8, 0].tolist() == pytest.approx([*(np.array([0.01, 0.03, 0.06, 0.1, 0.2, 0.2, 0.2]) / 0.8), 0.0])
    assert (weights[4:, 1] == 0.0).all()


def test_columns_do_not_depend_on_each_other() -> None:
    names = ("GRAS", "NO", "TRBE", "SHRB", "ROCK")
    share = np.concatenate([of_types((name,), (1.0,)) for name in names])
    depth, clay, sand = np.broadcast_to(TYPES["root_depth"], share.shape), np.linspace(0.1, 0.5, 5), np.full(5, 0.4)
    together = soil_parameters(clay, sand, share, depth, depth)
    for index in range(5):
        one = slice(index, index + 1)
        alone = soil_parameters(clay[one], sand[one], share[one], depth[one], depth[one])
        for name, value in vars(alone).items():
            assert torch.equal(value, getattr(together, name)[..., one]), name
