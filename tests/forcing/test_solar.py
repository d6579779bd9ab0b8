"""Solar zenith angle: golden values of isba_physics.md 11.15 and symmetries."""

import numpy as np
import pytest

from dalearn.forcing.solar import cosine_zenith, limited_cosine


@pytest.mark.parametrize(
    ("time", "latitude", "longitude", "zenith"),
    [
        ("1987-06-16T16:00", 43.484, 1.3, 0.936000399417233),
        ("1987-02-09T08:00", 43.484, 1.3, 1.419642936974374),
        ("2000-03-01T12:00", 39.346, -15.3188, 0.8684061454822615),
        ("2010-12-21T12:00", 45.0, 6.0, 1.199021733304019),
    ],
)
def test_golden_zenith(time: str, latitude: float, longitude: float, zenith: float) -> None:
    cosine = cosine_zenith(np.array([time], "datetime64[s]"), np.array([latitude]), np.array([longitude]))
    assert np.arccos(cosine[0, 0]) == pytest.approx(zenith, abs=1e-12)


def test_many_times_and_cells_at_once() -> None:
    times = np.datetime64("2008-02-28") + np.arange(0, 3 * 24).astype("timedelta64[h]")
    latitude, longitude = np.array([-60.0, 0.0, 43.0]), np.array([-179.0, 10.0, 179.0])
    together = cosine_zenith(times, latitude, longitude)
    assert together.shape == (72, 3)
    for row, time in enumerate(times):
        for cell in range(3):
            alone = cosine_zenith(np.array([time]), latitude[cell : cell + 1], longitude[cell : cell + 1])
            assert together[row, cell] == alone[0, 0]


def test_longitude_wraps() -> None:
    times = np.datetime64("2008-06-01") + np.arange(24).astype("timedelta64[h]")
    west, east = (cosine_zenith(times, np.array([20.0]), np.array([longitude])) for longitude in (-155.0, 205.0))
    np.testing.assert_allclose(west, east, atol=1e-12)


def test_polar_night_and_polar_day() -> None:
    day = np.arange(24).astype("timedelta64[h]")
    pole = np.array([89.0]), np.array([0.0])
    assert (cosine_zenith(np.datetime64("2008-12-21") + day, *pole) < 0).all()
    assert (cosine_zenith(np.datetime64("2008-06-21") + day, *pole) > 0).all()


def test_limits_follow_the_shortwave() -> None:
    cosine = np.array([-0.5, 0.005, 0.5, -0.5, 0.5])
    shortwave = np.array([10.0, 10.0, 10.0, 0.0, 0.0])
    limited = limited_cosine(cosine, shortwave)
    np.testing.assert_allclose(limited, [np.cos(np.pi / 2 - 0.01)] * 2 + [0.5, -0.5, 0.0], rtol=1e-13)
