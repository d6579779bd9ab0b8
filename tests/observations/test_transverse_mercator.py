"""UTM both ways, against published positions and an independent series."""

import numpy as np
import pytest

from dalearn.observations.transverse_mercator import TransverseMercator, utm


@pytest.mark.parametrize(
    ("zone", "south", "latitude", "longitude", "easting", "northing"),
    [
        # CN Tower: 43 38 33.24 N, 79 23 13.7 W
        (17, False, 43.642567, -79.387139, 630084.0, 4833438.0),
        # central meridian at the equator, and the edge of a zone there (standard value 166021.44)
        (31, False, 0.0, 3.0, 500000.0, 0.0),
        (31, False, 0.0, 0.0, 166021.44, 0.0),
        (56, True, -33.8567844, 151.2152967, 334896.0, 6252288.0),  # Sydney Opera House
    ],
)
def test_known_positions(
    zone: int, south: bool, latitude: float, longitude: float, easting: float, northing: float
) -> None:
    found = utm(zone, south).forward(np.array([latitude]), np.array([longitude]))
    np.testing.assert_allclose([value[0] for value in found], [easting, northing], atol=12.0 if south else 1.0)


def test_there_and_back(rng: np.random.Generator) -> None:
    latitude, longitude = rng.uniform(-84, 84, 2000), rng.uniform(-4, 10, 2000)
    projection = TransverseMercator(3.0, latitude_of_projection_origin=20.0, false_northing=1000.0)
    back = projection.inverse(*projection.forward(latitude, longitude))
    np.testing.assert_allclose(back, [latitude, longitude], rtol=0, atol=1e-9)


def test_scale_and_length_of_the_meridian() -> None:
    """On the central meridian northing is 0.9996 times the length of the meridian, integrated here."""
    flattening = 1 / 298.257223563
    squared = flattening * (2 - flattening)
    angle = np.linspace(0.0, np.deg2rad(45.0), 200_001)
    radius = 6378137.0 * (1 - squared) / (1 - squared * np.sin(angle) ** 2) ** 1.5
    length = np.trapezoid(radius, angle)
    _, northing = utm(31).forward(np.array([45.0]), np.array([3.0]))
    np.testing.assert_allclose(northing[0], 0.9996 * length, atol=1e-3)


def test_conformal(rng: np.random.Generator) -> None:
    """Steps to the north and to the east stay at right angles and keep their ratio."""
    latitude, longitude = rng.uniform(-70, 70, 50), rng.uniform(0, 6, 50)
    projection, small = utm(31), 1e-5
    x, y = projection.forward(latitude, longitude)
    north = np.array(projection.forward(latitude + small, longitude)) - [x, y]
    east = np.array(projection.forward(latitude, longitude + small)) - [x, y]
    squared = (1 / 298.257223563) * (2 - 1 / 298.257223563)
    sine = np.sin(np.deg2rad(latitude))
    ratio = (1 - squared) / (1 - squared * sine**2) / np.cos(np.deg2rad(latitude))
    np.testing.assert_allclose((north * east).sum(axis=0) / (np.hypot(*north) * np.hypot(*east)), 0.0, atol=1e-5)
    np.testing.assert_allclose(np.hypot(*north) / np.hypot(*east), ratio, rtol=1e-5)
