"""Splitting totals: short wave into direct and diffuse, precipitation into rain and snow."""

from collections.abc import Callable

import numpy as np

from dalearn.forcing.sky import SOLAR_CONSTANT, diffuse_fraction
from dalearn.forcing.solar import cosine_zenith

SUN_SAMPLES = 6  # positions of the sun in one forcing step
LOWEST_MEAN_COSINE = 0.02  # below, all short wave is diffuse
ALL_SNOW, ALL_RAIN = 273.15, 275.15  # K, linear between (US Army Corps of Engineers 1956, Snow Hydrology, plate 3-1)


def mean_over_step(
    function: Callable[[np.ndarray], np.ndarray],
    times: np.ndarray,
    step: int,
    latitude: np.ndarray,
    longitude: np.ndarray,
) -> np.ndarray:
    """Mean over the ``step`` seconds that end at ``times`` of a function of the cosine of the zenith angle.

    ``times`` (record,) UTC, positions (cell,) degrees; the result (record, cell).
    """
    total = np.zeros((len(times), len(latitude)))
    for sample in range(SUN_SAMPLES):
        seconds = round(step * (sample + 0.5) / SUN_SAMPLES)
        total += function(cosine_zenith(times - np.timedelta64(seconds, "s"), latitude, longitude))
    return total / SUN_SAMPLES


def mean_cosine(times: np.ndarray, step: int, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """``mean_over_step`` of the cosine itself, 0 at night."""
    return mean_over_step(lambda cosine: np.maximum(cosine, 0.0), times, step, latitude, longitude)


def split_shortwave(total: np.ndarray, cosine: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direct and diffuse part of the global radiation ``total`` (record, cell), W m-2 (Erbs et al. 1982).

    ``cosine`` (record, cell) of ``mean_cosine``; ``distance`` (record, 1), ``sun_distance_factor``.
    """
    up = cosine > LOWEST_MEAN_COSINE
    clearness = total / (SOLAR_CONSTANT * distance * np.where(up, cosine, 1.0))
    diffuse = total * np.where(up, diffuse_fraction(clearness), 1.0)
    return total - diffuse, diffuse


def sun_distance_factor(times: np.ndarray) -> np.ndarray:
    """Extraterrestrial radiation relative to its yearly mean, (record, 1) (Spencer 1971, first harmonic)."""
    day = (times.astype("datetime64[D]") - times.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)
    return (1.0 + 0.033 * np.cos(2.0 * np.pi * day / 365.25))[:, None]


def rest(total: np.ndarray, part: np.ndarray, rounding: float) -> np.ndarray:
    """``total - part``, 0 where it is negative by no more than ``rounding``; what is worse is left to be found."""
    difference = total - part
    return np.where((difference < 0.0) & (difference >= -rounding), difference.dtype.type(0.0), difference)


def snow_share(temperature: np.ndarray) -> np.ndarray:
    """Share of the precipitation that falls as snow at an air ``temperature`` in K."""
    return np.clip((ALL_RAIN - temperature) / (ALL_RAIN - ALL_SNOW), 0.0, 1.0)
