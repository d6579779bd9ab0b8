"""Position of the sun (isba_physics.md 1.4)."""

import numpy as np

LOWEST_SUN = np.sin(0.01)  # cosine of pi/2 - 0.01: the sun of a step that has shortwave radiation


def cosine_zenith(times: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Cosine of the solar zenith angle, not limited, negative at night: ``(time, cell)``.

    ``times`` (time,) datetime64 in UTC; ``latitude``, ``longitude`` (cell,) degrees, north and east positive.
    """
    times = np.asarray(times).astype("datetime64[s]")
    days = times.astype("datetime64[D]")
    years = times.astype("datetime64[Y]")
    hour = ((times - days).astype(np.float64) / 3600.0)[:, None]
    day = (days - years.astype("datetime64[D]")).astype(np.float64)[:, None] + hour / 24.0
    days_in_year = ((years + 1).astype("datetime64[D]") - years.astype("datetime64[D]")).astype(np.float64)[:, None]

    angle = 2.0 * np.pi * day / days_in_year
    declination = (
        0.006918
        - 0.399912 * np.cos(angle)
        + 0.070257 * np.sin(angle)
        - 0.006758 * np.cos(2.0 * angle)
        + 0.000907 * np.sin(2.0 * angle)
        - 0.002697 * np.cos(3.0 * angle)
        + 0.00148 * np.sin(3.0 * angle)
    )
    # a sundial is late by this many hours (equation of time)
    delay = (
        7.67825 * np.sin(np.deg2rad(1.00554 * day - 6.28306)) + 10.09176 * np.sin(np.deg2rad(1.93946 * day + 23.35089))
    ) / 60.0
    hour_angle = np.deg2rad(15.0 * (hour - delay + np.asarray(longitude, np.float64) / 15.0 - 12.0))
    north = np.deg2rad(np.asarray(latitude, np.float64))
    return np.sin(north) * np.sin(declination) + np.cos(north) * np.cos(declination) * np.cos(hour_angle)


def limited_cosine(cosine: np.ndarray, shortwave: np.ndarray) -> np.ndarray:
    """The cosine that the land model sees: just above the horizon at least when there is shortwave radiation
    (W m-2), not above it when there is none.  Same shapes in and out."""
    return np.where(shortwave > 0.0, np.maximum(cosine, LOWEST_SUN), np.minimum(cosine, 0.0))
