"""Meteorological seasons of samples."""

from collections.abc import Mapping

import numpy as np

SEASONS: Mapping[str, tuple[int, ...]] = {"DJF": (12, 1, 2), "MAM": (3, 4, 5), "JJA": (6, 7, 8), "SON": (9, 10, 11)}
ALL = "all"


def month_of(time: np.ndarray) -> np.ndarray:
    """Calendar month 1..12 of ``time`` datetime64, same shape."""
    return np.asarray(time).astype("datetime64[M]").astype(int) % 12 + 1


def year_of(time: np.ndarray) -> np.ndarray:
    """Calendar year of ``time`` datetime64, same shape."""
    return np.asarray(time).astype("datetime64[Y]").astype(int) + 1970


def season_masks(time: np.ndarray) -> dict[str, np.ndarray]:
    """Which of ``time`` (time,) belong to each season, and to ``ALL``: (time,) booleans."""
    month = month_of(time)
    return {name: np.isin(month, months) for name, months in SEASONS.items()} | {ALL: np.ones(len(time), dtype=bool)}
