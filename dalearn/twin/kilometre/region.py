"""What describes a region of the 1 km twins: numbers and a table, from which ``land.py`` makes the cells.

The tables are descriptions in round numbers, written for the twin after the text of Rojas-Munoz et al. (2023) and what
atlases say of the regions; nothing is taken from a data set.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.twin.weather import Climate

SPACING = 0.01  # degrees between the cells
# covers that are no vegetation type of the land model, with the types that stand for them
VINES, RICE = "VINE", "RICE"
COVERS = ("C3", "C4", "IRR", "GRAS", "TEBD", "TENE", "PARK", "NO", VINES, RICE)
STANDS_FOR = {VINES: {"TEBD": 0.6, "NO": 0.4}, RICE: {"C3": 1.0}}

Corners = tuple[tuple[float, float], ...]  # (longitude, latitude) in degrees
Box = tuple[float, float, float, float]  # south, north, west, east in degrees


@dataclass(frozen=True, eq=False)
class Region:
    """A region.

    Attributes:
        name: as in a configuration.
        box: south, north, west and east edge of the outer cells.
        lands: table of places: latitude, longitude, clay, sand (% of the soil) and the ``COVERS`` (% of the land).
        massifs: latitude, longitude, height above the plain (m) and half width (degrees) of bell-shaped mountains.
        plain: m, altitude of the land between them.
        waters: polygons of sea and lakes.
        towns: latitude, longitude, radius in km.
        karst: polygons.
        areas: boxes that can be run on their own.
        stations: latitude, longitude.
        climate: of the weather.
    """

    name: str
    box: Box
    lands: str
    massifs: Mapping[str, tuple[float, float, float, float]]
    plain: float
    waters: Mapping[str, Corners]
    towns: Mapping[str, tuple[float, float, float]]
    karst: tuple[Corners, ...]
    areas: Mapping[str, Box]
    stations: Mapping[str, tuple[float, float]]
    climate: Climate

    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitudes of the rows, from the north, and longitudes of the columns, from the west."""
        south, north, west, east = self.box
        rows, columns = round((north - south) / SPACING), round((east - west) / SPACING)
        latitude = np.round(north - SPACING * (np.arange(rows) + 0.5), 4)
        return latitude, np.round(west + SPACING * (np.arange(columns) + 0.5), 4)

    def places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Latitude and longitude (place,), clay and sand (place, 2) and ``COVERS`` (place, cover) as fractions."""
        heading, *lines = (line.split() for line in self.lands.strip().splitlines())
        if tuple(heading[5:]) != COVERS:
            raise ValueError(f"{self.name}: the columns of the table are not {' '.join(COVERS)}")
        table = np.array([line[1:] for line in lines], dtype=float)
        cover = table[:, 4:]
        return table[:, 0], table[:, 1], table[:, 2:4] / 100.0, cover / cover.sum(axis=1, keepdims=True)


def types_of_covers(cover: np.ndarray) -> np.ndarray:
    """Fractions (cell, vegetation type) of the land model from those of the ``COVERS`` (cell, cover)."""
    fraction = np.zeros((len(cover), len(VEGETATION_TYPES)))
    for column, name in enumerate(COVERS):
        for vegetation_type, share in STANDS_FOR.get(name, {name: 1.0}).items():
            fraction[:, VEGETATION_TYPES.index(vegetation_type)] += share * cover[:, column]
    return fraction
