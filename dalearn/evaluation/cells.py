"""What the evaluation knows about the cells: where they are, their names and what grows there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dalearn.errors import InputError

_CLASS_OF_VEGETATION_TYPE = {
    "NO": "bare", "ROCK": "bare", "SNOW": "bare",
    "TEBD": "forest", "BONE": "forest", "TRBE": "forest", "TRBD": "forest", "TEBE": "forest", "TENE": "forest",
    "BOBD": "forest", "BOND": "forest", "SHRB": "forest",
    "C3": "crops", "C4": "crops", "IRR": "crops",
    "GRAS": "grass", "TROG": "grass", "BOGR": "grass", "PARK": "grass",
}  # fmt: skip
VEGETATION_CLASSES = ("crops", "forest", "grass", "bare")
_NAMES = ("station", "vegetation_class", "area", "land_use")


@dataclass(frozen=True)
class Cells:
    """The cells of a run.

    ``latitude``, ``longitude`` (cell,) degrees north and east; ``station`` (cell,) names, "" where there is no
    station; ``vegetation_class`` (cell,) one of ``VEGETATION_CLASSES`` or "" where unknown; ``area`` (cell,) the name
    of the sub-domain and ``land_use`` (cell,) what is done with the land ("flooded", "karst", ...), "" where unknown.
    All names may be left out.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    station: Sequence[str] = ()
    vegetation_class: Sequence[str] = ()
    area: Sequence[str] = ()
    land_use: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "latitude", np.atleast_1d(np.asarray(self.latitude, dtype=np.float64)))
        object.__setattr__(self, "longitude", np.atleast_1d(np.asarray(self.longitude, dtype=np.float64)))
        for field in _NAMES:
            names = tuple(str(name) for name in getattr(self, field)) or ("",) * self.count
            object.__setattr__(self, field, names)
        sizes = {len(getattr(self, field)) for field in ("latitude", "longitude", *_NAMES)}
        if len(sizes) != 1:
            raise InputError(f"cells: latitude, longitude, {', '.join(_NAMES)} differ in length: {sizes}")

    @property
    def count(self) -> int:
        return len(self.latitude)

    @cached_property
    def stations(self) -> list[int]:
        """Cells with a station, from west to east as in Tables 3 and 4 of Corchia et al. (2023)."""
        named = [cell for cell in range(self.count) if self.station[cell]]
        return sorted(named, key=lambda cell: (self.longitude[cell], self.station[cell]))

    def with_land_use(self, *names: str) -> np.ndarray:
        """Which cells have one of these land uses, (cell,) boolean."""
        return np.isin(np.array(self.land_use), names)

    def label(self, cell: int) -> str:
        """Station name, or the coordinates where there is none."""
        return self.station[cell] or format_position(self.latitude[cell], self.longitude[cell])


def format_position(latitude: float, longitude: float) -> str:
    """43.62°N 0.88°W."""
    north = "N" if latitude >= 0 else "S"
    longitude = (longitude + 180.0) % 360.0 - 180.0
    east = "E" if longitude >= 0 else "W"
    return f"{abs(latitude):.2f}°{north} {abs(longitude):.2f}°{east}"


def dominant_class(fraction: np.ndarray, vegetation_types: Sequence[str]) -> list[str]:
    """Vegetation class with the largest fraction in each cell.

    ``fraction`` (cell, vegetation_type), ``vegetation_types`` the ECOCLIMAP names (NO, ROCK, ... SHRB) of its
    columns.  The types are summed to ``VEGETATION_CLASSES`` first; trees and shrubs are forest.
    """
    unknown = [name for name in vegetation_types if name not in _CLASS_OF_VEGETATION_TYPE]
    if unknown:
        known = ", ".join(_CLASS_OF_VEGETATION_TYPE)
        raise InputError(f"vegetation_type: unknown {', '.join(unknown)}; known are {known}")
    of_type = np.array([VEGETATION_CLASSES.index(_CLASS_OF_VEGETATION_TYPE[name]) for name in vegetation_types])
    filled = np.nan_to_num(np.asarray(fraction, dtype=np.float64))
    sums = np.stack([filled[:, of_type == index].sum(axis=1) for index in range(len(VEGETATION_CLASSES))], axis=1)
    return [VEGETATION_CLASSES[index] for index in sums.argmax(axis=1)]
