"""The box of Corchia et al. (2023) for the twin: 0.25 degree cells from 42 to 46 N and 2 W to 4 E, without the masked.

The paper masks complex topography, water and urban areas (2.7) and keeps 247 of 384 cells.  Here a cell is left out
where more than a quarter of it is water (57 cells), where more than a quarter is built up (2), or where it is too
mountainous (80, two of them water too): more than 500 m between its lowest and highest point, or higher than 1500 m.
Frozen soil is masked in time, in the observations.
"""

from dataclasses import dataclass

import numpy as np

from dalearn.twin.land_cover import land_of_cells
from dalearn.twin.relief import Relief, relief_of_cells
from dalearn.twin.surface import SurfaceMap

SPACING = 0.25  # degrees
SOUTH, NORTH, WEST, EAST = 42.0, 46.0, -2.0, 4.0
LARGEST_WATER, LARGEST_URBAN = 0.25, 0.25  # fractions of the cell
LARGEST_RANGE, LARGEST_ALTITUDE = 500.0, 1500.0  # m
CELL_COUNT = 247

# SMOSMANIA stations of Tables 3 and 4: latitude, longitude to a tenth of the cell.
STATIONS = {
    "SBR": (44.15, -0.85),
    "URG": (43.64, -0.43),
    "CRD": (43.99, -0.05),
    "PRG": (43.67, 0.22),
    "CDM": (43.97, 0.34),
    "LHS": (43.55, 0.89),
    "SVN": (43.82, 1.18),
    "MNT": (43.19, 1.64),
    "SFL": (43.44, 1.88),
    "LZC": (43.17, 2.73),
    "MTM": (42.96, 2.53),
    "PRD": (43.72, 3.86),
}


@dataclass(frozen=True)
class Box:
    """All cells of the box from north-west to south-east, row by row: ``latitude``, ``longitude`` (cell,), their
    ``relief``, and ``masked`` reason -> (cell,) bool."""

    latitude: np.ndarray
    longitude: np.ndarray
    relief: Relief
    masked: dict[str, np.ndarray]

    @property
    def kept(self) -> np.ndarray:
        """(cell,) bool."""
        return ~np.logical_or.reduce(list(self.masked.values()))


def southwest_box() -> Box:
    """The box and its masks."""
    rows = np.arange(NORTH - SPACING / 2.0, SOUTH, -SPACING)
    columns = np.arange(WEST + SPACING / 2.0, EAST, SPACING)
    latitude, longitude = (part.ravel() for part in np.meshgrid(rows, columns, indexing="ij"))
    relief = relief_of_cells(latitude, longitude, SPACING)
    masked = {
        "water": relief.water > LARGEST_WATER,
        "urban": relief.urban > LARGEST_URBAN,
        "topography": (relief.altitude_range > LARGEST_RANGE) | (relief.altitude > LARGEST_ALTITUDE),
    }
    return Box(latitude, longitude, relief, masked)


def southwest_map() -> SurfaceMap:
    """The surface map of the cells that are kept."""
    box = southwest_box()
    latitude, longitude = box.latitude[box.kept], box.longitude[box.kept]
    fraction, clay, sand = land_of_cells(latitude, longitude)
    name = np.full(len(latitude), "", dtype=object)
    for station, (north, east) in STATIONS.items():
        here = (np.abs(latitude - north) < SPACING / 2.0) & (np.abs(longitude - east) < SPACING / 2.0)
        name[np.flatnonzero(here)] = station
    return SurfaceMap(
        name=name,
        latitude=latitude,
        longitude=longitude,
        altitude=np.round(box.relief.altitude[box.kept]),
        clay=np.round(clay, 3),
        sand=np.round(sand, 3),
        fraction=fraction,
    )
