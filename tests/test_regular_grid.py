"""Bilinear weights: exact on planes, across the seam of longitudes, at the poles, whatever the order of the axes."""

import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.regular_grid import bilinear, nearest, regular_grid


def plane(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    return 3.0 + 0.7 * latitude - 0.2 * longitude


@pytest.mark.parametrize("south_first", [True, False])
@pytest.mark.parametrize("west_first", [True, False])
def test_a_plane_is_met_everywhere(south_first: bool, west_first: bool, rng: np.random.Generator) -> None:
    latitude, longitude = np.arange(40.0, 45.01, 0.5), np.arange(-3.0, 4.01, 0.25)
    grid = regular_grid("x", latitude[:: 1 if south_first else -1], longitude[:: 1 if west_first else -1])
    north, east = rng.uniform(40.0, 45.0, 200), rng.uniform(-3.0, 4.0, 200)
    weights = bilinear("x", grid, north, east)
    np.testing.assert_allclose(weights.weight.sum(axis=0), 1.0)
    np.testing.assert_allclose(weights(plane(*grid.nodes())), plane(north, east), atol=1e-10)
    # nodes themselves, the last ones included
    corners = bilinear("x", grid, np.array([40.0, 45.0]), np.array([4.0, -3.0]))
    np.testing.assert_allclose(corners(plane(*grid.nodes())), plane(np.array([40.0, 45.0]), np.array([4.0, -3.0])))


@pytest.mark.parametrize("first", [0.0, -180.0])
def test_across_the_seam(first: float) -> None:
    grid = regular_grid("x", np.arange(-90.0, 90.1, 1.0), first + np.arange(0.0, 360.0, 1.0))
    wave = np.cos(np.deg2rad(grid.nodes()[1]))
    east = np.array([-0.5, 359.5, 0.25, 179.75, -179.75, 180.0])
    values = bilinear("x", grid, np.full(6, 10.0), east)(wave)
    np.testing.assert_allclose(values, np.cos(np.deg2rad(east)), atol=1e-4)
    np.testing.assert_allclose(values[0], values[1])


def test_poles() -> None:
    """Without a row at the pole, the last row holds up to it; beyond a regional grid there is nothing."""
    grid = regular_grid("x", np.arange(-89.5, 89.6, 1.0), np.arange(0.5, 360.0, 1.0))
    rows = grid.nodes()[0]
    np.testing.assert_allclose(bilinear("x", grid, np.array([90.0, -90.0]), np.zeros(2))(rows), [89.5, -89.5])
    regional = regular_grid("x", np.arange(40.0, 45.0, 1.0), np.arange(0.0, 5.0, 1.0))
    for north, east, name in ((45.5, 1.0, "latitude"), (42.0, -0.5, "longitude"), (42.0, 4.5, "longitude")):
        with pytest.raises(InputError, match=f"{name} of a cell .* outside the grid"):
            bilinear("file", regional, np.array([north]), np.array([east]))


def test_undefined_nodes() -> None:
    grid = regular_grid("x", np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    weights = bilinear("x", grid, np.array([0.5, 0.0]), np.array([0.5, 0.0]))
    values = np.array([1.0, np.nan, 3.0, 5.0])
    np.testing.assert_allclose(weights(values)[1], 1.0)  # a node without weight does no harm
    assert np.isnan(weights(values)[0])
    np.testing.assert_allclose(weights(values, np.isnan(values)), [3.0, 1.0])
    assert np.isnan(weights(values, np.ones(4, bool))).all()


@pytest.mark.parametrize(
    ("latitude", "problem"),
    [
        (np.array([0.0, 1.0, 2.5]), "not evenly spaced"),
        (np.array([0.0, 500.0]), "not degrees"),
        (np.array([[0.0, 1.0]]), "2 dimensions"),
        (np.array([1.0, 1.0]), "repeats"),
    ],
)
def test_no_regular_grid(latitude: np.ndarray, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        regular_grid("file.nc", latitude, np.array([0.0, 1.0]))


def test_nearest_point_across_the_date_line() -> None:
    weights, distance = nearest(
        np.array([10.0, 10.0, -60.0]), np.array([179.9, 170.0, 0.0]), np.array([10.0, -60.0]), np.array([-179.9, 0.0])
    )
    np.testing.assert_array_equal(weights.index[0], [0, 2])
    np.testing.assert_allclose(
        distance, [6371.0 * np.deg2rad(0.2 * np.cos(np.deg2rad(10.0))), 0.0], rtol=1e-4, atol=1e-4
    )
