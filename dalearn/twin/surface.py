"""The surface map of the twin: 36 cells of 0.25 degree between the Atlantic and the Mediterranean.

Land covers follow the region: pine on sand in the Landes, maize along the Adour and the Garonne, cereals in the
Gers and the Lauragais, grassland and broadleaf forest in the hills, vineyards and scrub towards the Mediterranean
(represented by C3 crops, broadleaf trees and much bare soil).  Twelve cells carry the names of the SMOSMANIA
stations that lie in them (Corchia et al. 2023, Figure 1 and Tables 3-4).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from dalearn.io import create_cells, create_variable, writing
from dalearn.land.vegetation import VEGETATION_TYPES


@dataclass(frozen=True)
class Place:
    """One cell: station ``name`` or "", centre in degrees, ``altitude`` in m, texture as fractions of the soil,
    ``cover`` in percent by vegetation type, summing to 100."""

    name: str
    latitude: float
    longitude: float
    altitude: float
    clay: float
    sand: float
    cover: dict[str, int]


PLACES = (
    # Landes: maritime pine and maize on sand
    Place("SBR", 44.125, -0.875, 80, 0.03, 0.90, {"TENE": 74, "C4": 16, "GRAS": 10}),
    Place("", 44.375, -0.625, 75, 0.03, 0.90, {"TENE": 70, "C4": 22, "GRAS": 8}),
    Place("", 44.625, -0.875, 50, 0.04, 0.88, {"TENE": 78, "C4": 12, "GRAS": 10}),
    Place("", 43.875, -0.625, 60, 0.05, 0.82, {"TENE": 52, "C4": 36, "GRAS": 12}),
    # Adour and Chalosse: maize
    Place("URG", 43.625, -0.375, 140, 0.17, 0.35, {"C4": 46, "C3": 14, "GRAS": 24, "TEBD": 16}),
    Place("", 43.625, -0.875, 60, 0.15, 0.40, {"C4": 36, "GRAS": 32, "TENE": 20, "TEBD": 12}),
    Place("", 43.375, -0.375, 180, 0.20, 0.32, {"C4": 34, "GRAS": 42, "TEBD": 24}),
    # Armagnac and Gers: cereals, with maize in the valleys
    Place("CRD", 43.875, -0.125, 200, 0.14, 0.45, {"C3": 34, "C4": 22, "GRAS": 16, "TEBD": 20, "NO": 8}),
    Place("PRG", 43.625, 0.125, 190, 0.24, 0.25, {"C3": 50, "C4": 16, "GRAS": 22, "TEBD": 12}),
    Place("CDM", 43.875, 0.375, 130, 0.28, 0.22, {"C3": 68, "C4": 8, "GRAS": 12, "NO": 12}),
    Place("LHS", 43.625, 0.875, 210, 0.27, 0.24, {"C3": 74, "GRAS": 12, "TEBD": 6, "NO": 8}),
    Place("", 43.875, 0.625, 170, 0.27, 0.24, {"C3": 70, "C4": 8, "GRAS": 12, "NO": 10}),
    Place("", 43.625, 0.625, 200, 0.26, 0.25, {"C3": 66, "C4": 6, "GRAS": 18, "TEBD": 10}),
    Place("", 43.375, 0.625, 260, 0.24, 0.26, {"C3": 36, "GRAS": 38, "TEBD": 26}),
    # Garonne: maize and cereals
    Place("", 44.125, 0.625, 80, 0.22, 0.30, {"C3": 30, "C4": 12, "GRAS": 34, "TEBD": 24}),
    Place("SVN", 43.875, 1.125, 150, 0.22, 0.32, {"C3": 58, "C4": 18, "GRAS": 14, "NO": 10}),
    Place("", 44.125, 1.125, 150, 0.20, 0.33, {"C3": 34, "GRAS": 34, "TEBD": 32}),
    Place("", 43.375, 1.125, 190, 0.20, 0.34, {"C3": 56, "C4": 20, "GRAS": 14, "TEBD": 10}),
    # Lauragais and Ariege: cereals on clay
    Place("MNT", 43.125, 1.625, 290, 0.26, 0.26, {"C3": 64, "GRAS": 20, "TEBD": 16}),
    Place("SFL", 43.375, 1.875, 320, 0.30, 0.22, {"C3": 80, "GRAS": 10, "NO": 10}),
    Place("", 43.625, 1.625, 190, 0.27, 0.25, {"C3": 76, "GRAS": 12, "NO": 12}),
    Place("", 43.375, 1.625, 230, 0.29, 0.23, {"C3": 78, "GRAS": 12, "TEBD": 4, "NO": 6}),
    Place("", 43.625, 2.125, 230, 0.24, 0.28, {"C3": 42, "GRAS": 34, "TEBD": 24}),
    Place("", 43.125, 1.125, 300, 0.24, 0.28, {"C3": 36, "GRAS": 38, "TEBD": 26}),
    # Dordogne, Quercy and the foothills of the Massif Central
    Place("", 44.875, 0.625, 180, 0.18, 0.45, {"TEBD": 42, "GRAS": 30, "C3": 28}),
    Place("", 44.625, 1.375, 260, 0.26, 0.28, {"TEBD": 50, "GRAS": 34, "C3": 16}),
    Place("", 44.375, 2.125, 480, 0.22, 0.40, {"GRAS": 52, "TEBD": 26, "C3": 22}),
    Place("", 44.875, 2.375, 680, 0.18, 0.48, {"GRAS": 66, "TEBD": 24, "TENE": 10}),
    Place("", 44.125, 2.625, 720, 0.20, 0.45, {"GRAS": 56, "TEBD": 22, "C3": 22}),
    Place("", 43.625, 2.625, 760, 0.17, 0.50, {"TEBD": 44, "GRAS": 30, "TENE": 26}),
    # Pyrenean piedmont
    Place("", 43.125, 0.125, 480, 0.22, 0.32, {"GRAS": 42, "TEBD": 32, "C4": 26}),
    Place("", 43.125, 0.875, 420, 0.22, 0.32, {"GRAS": 46, "TEBD": 34, "C3": 20}),
    # Corbieres and Languedoc
    Place("MTM", 42.875, 2.625, 480, 0.24, 0.34, {"TEBD": 52, "GRAS": 24, "NO": 14, "TENE": 10}),
    Place("LZC", 43.125, 2.625, 80, 0.22, 0.38, {"C3": 30, "TEBD": 22, "GRAS": 18, "NO": 30}),
    Place("", 43.375, 3.375, 70, 0.22, 0.38, {"C3": 36, "TEBD": 20, "GRAS": 16, "NO": 28}),
    Place("PRD", 43.625, 3.875, 90, 0.24, 0.34, {"TEBD": 44, "C3": 22, "GRAS": 16, "NO": 18}),
)


@dataclass(frozen=True)
class SurfaceMap:
    """Places as arrays: ``latitude``, ``longitude`` (degrees), ``altitude`` (m), ``clay``, ``sand`` and station
    ``name`` are (cell,); ``fraction`` (cell, vegetation type) of the land of the cell, in the order of
    ``VEGETATION_TYPES``.  1 km regions have ``area`` and ``land_use`` (cell,) too, words that the land model does not
    know (``dalearn.twin.kilometre``)."""

    name: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    altitude: np.ndarray
    clay: np.ndarray
    sand: np.ndarray
    fraction: np.ndarray
    area: np.ndarray | None = None
    land_use: np.ndarray | None = None

    @property
    def cell_count(self) -> int:
        return len(self.name)

    def select(self, cells: Sequence[int]) -> "SurfaceMap":
        """The map of some cells, in the order of ``cells``."""
        chosen = list(cells)
        given = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return SurfaceMap(**{name: values[chosen] for name, values in given if values is not None})

    def cover(self, *types: str) -> np.ndarray:
        """(cell,) total fraction of the named vegetation types."""
        return self.fraction[:, [VEGETATION_TYPES.index(name) for name in types]].sum(axis=1)


def surface_map(places: Sequence[Place] = PLACES) -> SurfaceMap:
    """The arrays of ``places``, one cell each."""
    fraction = np.zeros((len(places), len(VEGETATION_TYPES)))
    for row, place in enumerate(places):
        for vegetation_type, percent in place.cover.items():
            fraction[row, VEGETATION_TYPES.index(vegetation_type)] = percent / 100.0
    numbers = {
        name: np.array([getattr(place, name) for place in places], dtype=float)
        for name in ("latitude", "longitude", "altitude", "clay", "sand")
    }
    return SurfaceMap(name=np.array([place.name for place in places], dtype=object), fraction=fraction, **numbers)


def write_surface(path: Path, surface: SurfaceMap) -> None:
    """Write the surface map as a run reads it; depths and heights are undefined, the land model has its table.

    Raises InputError when the file cannot be written.
    """
    by_type = ("cell", "vegetation_type")
    with writing(path, {"title": "Surface map of the twin"}) as file:
        create_cells(file, surface.latitude, surface.longitude)
        file.createDimension("vegetation_type", len(VEGETATION_TYPES))
        types = file.createVariable("vegetation_type", str, ("vegetation_type",))
        types.long_name = "ECOCLIMAP vegetation type"
        types[:] = np.array(VEGETATION_TYPES, dtype=object)
        for name, long_name, words in (
            ("name", "station in the cell", surface.name),
            ("area", "area that can be run on its own", surface.area),
            ("land_use", "what the truth does with the land of the cell", surface.land_use),
        ):
            if words is not None:
                variable = file.createVariable(name, str, ("cell",))
                variable.long_name = long_name
                variable[:] = words
        for name, long_name, units, values in (
            ("clay", "clay fraction of the soil", "1", surface.clay),
            ("sand", "sand fraction of the soil", "1", surface.sand),
            ("altitude", "altitude", "m", surface.altitude),
        ):
            create_variable(file, name, ("cell",), "f8", attributes={"long_name": long_name, "units": units})[:] = (
                values
            )
        for name, long_name, units, table in (
            ("fraction", "fraction of the land of the cell", "1", surface.fraction),
            ("root_depth", "root depth", "m", None),
            ("soil_depth", "soil depth", "m", None),
            ("tree_height", "height of trees", "m", None),
        ):
            variable = create_variable(file, name, by_type, "f8", attributes={"long_name": long_name, "units": units})
            variable[:] = np.nan if table is None else table
