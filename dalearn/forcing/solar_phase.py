"""Do the times of a record agree with the sun?  One-hour shifts and local times are the classic silent error."""

import logging

import numpy as np

from dalearn.errors import InputError
from dalearn.forcing.partition import mean_cosine

logger = logging.getLogger("dalearn")

SHORTEST_RECORD_DAYS = 5
DOUBTFUL_MINUTES = 45.0
WRONG_MINUTES = 100.0


def solar_phase(times: np.ndarray, step: int, shortwave: np.ndarray, latitude: float, longitude: float) -> float:
    """Minutes by which the mean daily course of ``shortwave`` (record,), W m-2, is behind that of the sun.

    ``times`` (record,) UTC end the steps of ``step`` seconds.  Both courses are reduced to the phase of their first
    harmonic over the day, in which the height of the sun is nearly pure.  NaN without enough sun.
    """
    cosine = mean_cosine(times, step, np.array([latitude]), np.array([longitude]))[:, 0]
    known = np.isfinite(shortwave)
    second = (times - times.astype("datetime64[D]")).astype("timedelta64[s]").astype(np.float64)
    wave = np.exp(2j * np.pi * second / 86400.0)
    measured, expected = ((series[known] * wave[known]).sum() for series in (shortwave, cosine))
    if abs(expected) < 1e-6 * max(known.sum(), 1) or abs(measured) == 0.0:
        return float("nan")
    return float(np.angle(measured / expected) / (2.0 * np.pi) * 1440.0)


def check_solar_phase(
    source: str, times: np.ndarray, step: int, shortwave: np.ndarray, latitude: float, longitude: float
) -> None:
    """InputError when the record is far from the sun; a warning when it is an hour off, which clouds could explain."""
    if len(times) * step < SHORTEST_RECORD_DAYS * 86400:
        return
    late = solar_phase(times, step, shortwave, latitude, longitude)
    if abs(late) > WRONG_MINUTES:
        raise InputError(
            f"{source}: SWdown is {late / 60.0:+.1f} h late on the sun at longitude {longitude:g}; correct "
            "utc_offset_hours or the longitude"
        )
    if abs(late) > DOUBTFUL_MINUTES:
        logger.warning("%s: SWdown is %+.0f min late on the sun; check times and utc_offset_hours", source, late)
