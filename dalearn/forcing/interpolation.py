"""Values at the model steps between two forcing records (isba_physics.md 1.4).

``first`` and ``second`` are the records that open and close each forcing step, (interval, cell); the result
is (interval * pieces, cell), the value at the BEGINNING of each of the ``pieces`` model steps.
"""

import numpy as np

ZENITH_SHIFT = 0.1  # rad, added to the zenith angle before the sun is shared out
STRONGEST_SUN = 1300.0  # W m-2 at the zenith
SMALLEST_MEAN_COSINE = 0.01


def linear(first: np.ndarray, second: np.ndarray, pieces: int) -> np.ndarray:
    """Linear in time."""
    weight = (np.arange(pieces) / pieces)[:, None]
    return (first[:, None] + weight * (second - first)[:, None]).reshape(-1, first.shape[-1])


def constant(second: np.ndarray, pieces: int) -> np.ndarray:
    """The closing record in every step."""
    return np.repeat(second, pieces, axis=0)


def wind_speed(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], pieces: int) -> np.ndarray:
    """Speed of a wind whose components are linear in time; each record is a speed and a direction in degrees."""
    (opening, closing), (opening_angle, closing_angle) = zip(first, second, strict=True)
    east = linear(opening * np.sin(np.deg2rad(opening_angle)), closing * np.sin(np.deg2rad(closing_angle)), pieces)
    north = linear(opening * np.cos(np.deg2rad(opening_angle)), closing * np.cos(np.deg2rad(closing_angle)), pieces)
    return np.hypot(east, north)


def along_the_sun(second: np.ndarray, cosine_zenith: np.ndarray, pieces: int) -> np.ndarray:
    """Shortwave radiation of the closing record shared out in proportion to the height of the sun (LINTERP_SW).

    ``cosine_zenith`` (interval * pieces, cell), not limited, at the beginning of each step.
    """
    zenith = np.arccos(np.clip(cosine_zenith, -1.0, 1.0))
    height = np.maximum(np.cos(zenith + ZENITH_SHIFT), 0.0)
    mean = constant(height.reshape(-1, pieces, height.shape[-1]).mean(axis=1), pieces)
    dark = mean < SMALLEST_MEAN_COSINE
    share = np.where(dark, 0.0, height / np.where(dark, 1.0, mean))
    return np.minimum(constant(second, pieces) * share, STRONGEST_SUN * np.maximum(cosine_zenith, 0.0))
