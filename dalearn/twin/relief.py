"""Coasts, relief and towns of south-western France and northern Spain, drawn by hand for the twin.

A few dozen numbers in the manner of a school atlas, good to some ten kilometres: enough to put sea, mountains, plains
and towns where they are.  Nothing is taken from a data set.  Everything is (latitude, longitude) in degrees.
"""

from dataclasses import dataclass

import numpy as np

KM_PER_DEGREE = 111.2

# Waters as polygons, (longitude, latitude) of the corners.
WATERS = {
    "Atlantic": (
        (-2.50, 43.30), (-1.95, 43.31), (-1.79, 43.38), (-1.58, 43.46), (-1.50, 43.55), (-1.44, 43.75),
        (-1.35, 44.00), (-1.28, 44.30), (-1.25, 44.60), (-1.24, 44.75), (-1.20, 45.00), (-1.16, 45.30),
        (-1.12, 45.55), (-1.03, 45.62), (-1.15, 45.70), (-1.23, 45.80), (-1.10, 45.95), (-1.07, 46.05),
        (-1.15, 46.30), (-2.50, 46.30),
    ),
    "Gironde estuary": (
        (-1.10, 45.56), (-0.80, 45.35), (-0.68, 45.12), (-0.60, 45.03), (-0.62, 45.12), (-0.70, 45.35),
        (-0.88, 45.50), (-1.00, 45.62),
    ),
    "Arcachon basin": ((-1.24, 44.60), (-1.02, 44.66), (-1.10, 44.76), (-1.24, 44.78)),
    "Mediterranean": (
        (3.20, 41.80), (3.20, 42.05), (3.12, 42.15), (3.13, 42.25), (3.32, 42.32), (3.17, 42.44), (3.05, 42.55),
        (3.04, 42.75), (3.04, 42.90), (3.06, 43.05), (3.20, 43.20), (3.50, 43.28), (3.70, 43.40), (3.93, 43.53),
        (4.10, 43.56), (4.40, 43.50), (4.40, 41.80),
    ),
    "lagoons of Leucate and Sigean": ((2.96, 42.80), (3.04, 42.80), (3.04, 43.13), (2.97, 43.13)),
    "lagoon of Thau": ((3.52, 43.33), (3.70, 43.40), (3.66, 43.44), (3.50, 43.38)),
}  # fmt: skip

# Crest of the Pyrenees: longitude, latitude, height in m.
PYRENEES = np.array(
    [
        [-2.0, 43.05, 900], [-1.5, 43.12, 950], [-1.1, 43.00, 1250], [-0.7, 42.88, 1900], [-0.3, 42.80, 2350],
        [0.2, 42.70, 2550], [0.7, 42.68, 2500], [1.2, 42.62, 2450], [1.7, 42.55, 2450], [2.1, 42.48, 2250],
        [2.5, 42.45, 1750], [2.8, 42.45, 1000], [3.1, 42.45, 500],
    ]
)  # fmt: skip
PYRENEES_NORTH, PYRENEES_SOUTH = 0.24, 0.34  # degrees, half widths of the flanks
EBRO_LATITUDE, EBRO_HEIGHT = 42.7, 500.0  # the land south of the crest rises from here to this height

# Massif Central and its neighbours: latitude, longitude, height in m above the plain, half width in degrees.
MASSIFS = {
    "Sancy": (45.55, 2.80, 850, 0.30),
    "Cantal": (45.08, 2.75, 950, 0.28),
    "Aubrac": (44.65, 3.00, 800, 0.28),
    "Margeride": (44.85, 3.50, 900, 0.32),
    "Velay": (45.10, 3.95, 700, 0.30),
    "Forez and Livradois": (45.65, 3.75, 750, 0.22),
    "Mont Lozere": (44.42, 3.78, 950, 0.20),
    "Cevennes": (44.08, 3.62, 850, 0.22),
    "Larzac": (43.92, 3.15, 450, 0.25),
    "Levezou and Segala": (44.20, 2.60, 500, 0.45),
    "Lacaune": (43.70, 2.75, 580, 0.24),
    "Montagne Noire": (43.45, 2.35, 500, 0.18),
    "Corbieres": (42.90, 2.55, 350, 0.20),
    "Millevaches": (45.65, 2.00, 550, 0.45),
    "Quercy and Perigord": (44.75, 1.40, 150, 0.60),
    "Lannemezan": (43.15, 0.40, 200, 0.35),
    "hills of Gascony": (43.60, 0.60, 120, 0.70),
    "Lauragais": (43.40, 1.75, 150, 0.40),
}
PLAIN = 60.0  # m

# Built-up areas: latitude, longitude, radius in km of the disc of the same area.
TOWNS = {
    "Bordeaux": (44.84, -0.60, 12.5),
    "Toulouse": (43.60, 1.44, 12.0),
    "Montpellier": (43.60, 3.87, 5.5),
    "Clermont-Ferrand": (45.78, 3.10, 7.0),
    "Bayonne and Biarritz": (43.48, -1.52, 6.0),
    "Pamplona": (42.81, -1.64, 4.5),
    "Pau": (43.30, -0.37, 5.0),
    "Limoges": (45.83, 1.26, 5.0),
    "Perpignan": (42.70, 2.89, 5.0),
    "La Rochelle": (46.15, -1.15, 4.5),
}


@dataclass(frozen=True)
class Relief:
    """What the land of each cell looks like, all (cell,): ``altitude`` mean, m; ``altitude_range`` highest minus lowest
    point, m; ``water`` and ``urban`` fractions of the cell."""

    altitude: np.ndarray
    altitude_range: np.ndarray
    water: np.ndarray
    urban: np.ndarray


def relief_of_cells(latitude: np.ndarray, longitude: np.ndarray, spacing: float, points: int = 15) -> Relief:
    """Relief of the square cells of ``spacing`` degrees around the centres (cell,), from ``points`` squared in each."""
    offset = spacing * ((np.arange(points) + 0.5) / points - 0.5)
    north, east = (part.ravel()[None, :] for part in np.meshgrid(offset, offset, indexing="ij"))
    at = latitude[:, None] + north, longitude[:, None] + east
    height = altitude_of(*at)
    return Relief(
        altitude=height.mean(axis=1),
        altitude_range=np.ptp(height, axis=1),
        water=is_water(*at).mean(axis=1),
        urban=is_town(*at).mean(axis=1),
    )


def is_water(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Whether points (any shape) lie in one of ``WATERS``."""
    inside = np.zeros(np.shape(latitude), bool)
    for corners in WATERS.values():
        inside |= in_polygon(latitude, longitude, np.array(corners))
    return inside


def in_polygon(latitude: np.ndarray, longitude: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Even-odd rule: a line to the east crosses the sides an odd number of times; ``corners`` (corner, 2) lon, lat."""
    inside = np.zeros(np.shape(latitude), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        between = (latitude >= min(y0, y1)) & (latitude < max(y0, y1))
        inside ^= between & (longitude < x0 + (latitude - y0) / (y1 - y0) * (x1 - x0))
    return inside


def is_town(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Whether points (any shape) lie in one of ``TOWNS``."""
    inside = np.zeros(np.shape(latitude), bool)
    for north, east, radius in TOWNS.values():
        inside |= _degrees_apart(latitude, longitude, north, east) * KM_PER_DEGREE < radius
    return inside


def altitude_of(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Altitude (m) of points of any shape: the plain, bell-shaped massifs, and the wall of the Pyrenees."""
    height = np.full(np.shape(latitude), PLAIN)
    for north, east, rise, width in MASSIFS.values():
        height = height + rise * np.exp(-((_degrees_apart(latitude, longitude, north, east) / width) ** 2))
    crest = np.interp(longitude, PYRENEES[:, 0], PYRENEES[:, 1])
    top = np.interp(longitude, PYRENEES[:, 0], PYRENEES[:, 2])
    beyond = latitude - crest
    flank = np.where(beyond > 0.0, PYRENEES_NORTH, PYRENEES_SOUTH)
    spain = EBRO_HEIGHT * np.clip((crest + 0.1 - latitude) / 0.2, 0.0, 1.0) * np.clip((2.6 - longitude) / 0.5, 0.0, 1.0)
    return height + np.maximum(spain, top * np.exp(-((beyond / flank) ** 2)))


def _degrees_apart(latitude: np.ndarray, longitude: np.ndarray, north: float, east: float) -> np.ndarray:
    """Distance in degrees of latitude."""
    return np.hypot(latitude - north, (longitude - east) * np.cos(np.radians(44.0)))
