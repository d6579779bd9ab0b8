"""The nearest cell agrees with a search through all of them, everywhere on the sphere."""

import numpy as np
import pytest

from dalearn.observations.nearest import EARTH_RADIUS, NearestCells


def distances(latitude: np.ndarray, longitude: np.ndarray, cells: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Great-circle distance (place, cell) in km by the spherical law of cosines in extended precision."""
    north, east = (np.deg2rad(values.astype(np.longdouble))[:, None] for values in (latitude, longitude))
    other_north, other_east = (np.deg2rad(values.astype(np.longdouble))[None, :] for values in cells)
    across = np.sin((east - other_east) / 2) ** 2 * np.cos(north) * np.cos(other_north)
    return 2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.sin((north - other_north) / 2) ** 2 + across)).astype(float)


@pytest.mark.parametrize(
    ("south", "north", "west", "east"),
    [(42, 46, -2, 4), (-10, 10, 170, 190), (85, 90, 0, 360), (-90, -88, -180, 180), (-90, 90, -180, 180)],
)
@pytest.mark.parametrize("tolerance", [5.0, 60.0, 3000.0])
def test_equals_a_full_search(
    rng: np.random.Generator, south: float, north: float, west: float, east: float, tolerance: float
) -> None:
    cells = rng.uniform(south, north, 400), rng.uniform(west, east, 400)
    latitude, longitude = (
        rng.uniform(max(south - 1, -90), min(north + 1, 90), 700),
        rng.uniform(west - 1, east + 1, 700),
    )
    nearest, distance = NearestCells(*cells).query(latitude, longitude, tolerance)
    expected = distances(latitude, longitude, cells)
    smallest = expected.min(axis=1)
    np.testing.assert_array_equal(nearest >= 0, smallest <= tolerance)
    found = nearest >= 0
    np.testing.assert_allclose(distance[found], smallest[found], rtol=1e-9, atol=1e-6)
    np.testing.assert_array_equal(nearest[found], expected.argmin(axis=1)[found])
    assert np.isinf(distance[~found]).all()


def test_longitudes_may_be_counted_either_way() -> None:
    cells = NearestCells(np.array([0.0, 0.0]), np.array([359.9, 180.0]))
    nearest, distance = cells.query(np.array([0.0, 0.0]), np.array([0.05, -179.95]), 20.0)
    assert nearest.tolist() == [0, 1]
    np.testing.assert_allclose(distance, np.deg2rad([0.15, 0.05]) * EARTH_RADIUS)


def test_a_place_that_is_not_defined() -> None:
    nearest, distance = NearestCells(np.array([90.0]), np.zeros(1)).query(np.array([np.nan, 90.0]), np.zeros(2), 20.0)
    assert nearest.tolist() == [-1, 0]
    assert distance.tolist() == [np.inf, 0.0]


def test_of_equally_near_cells_the_first() -> None:
    cells = NearestCells(np.array([1.0, -1.0, 1.0]), np.zeros(3))
    assert cells.query(np.zeros(1), np.zeros(1), 200.0)[0].tolist() == [0]


def test_many_places_on_a_fine_grid() -> None:
    latitude, longitude = (axis.ravel() for axis in np.meshgrid(np.arange(42, 45, 0.01), np.arange(0, 3, 0.01)))
    nearest, distance = NearestCells(latitude, longitude).query(latitude[::7] + 0.003, longitude[::7] - 0.002, 15.0)
    np.testing.assert_array_equal(nearest, np.arange(len(latitude))[::7])
    assert distance.max() < 0.5
