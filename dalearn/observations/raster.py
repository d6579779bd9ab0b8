"""Rasters on the cells of a run: the mean of the valid pixels of a cell, the nearest pixel, or bilinear.

Rasters are read in bands of rows, so that memory does not grow with their size.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

PIXELS_AT_ONCE = 2_000_000
LAND_COVER = "land_cover"


@dataclass(frozen=True, eq=False)
class Pixels:
    """A window of a raster, all (row, column): float32 ``value`` and ``error`` (None when the product has none), int8
    ``rejected`` with codes of the account.
    """

    value: np.ndarray
    error: np.ndarray | None
    rejected: np.ndarray


PixelReader = Callable[[slice, slice], Pixels]


@dataclass(frozen=True, eq=False)
class CellValues:
    """What a raster says of the cells that it covers, all (covered,): their numbers, values, errors and codes."""

    cell: np.ndarray
    value: np.ndarray
    error: np.ndarray
    rejected: np.ndarray
