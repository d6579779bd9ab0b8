"""The nearest of many places on the sphere, without a Python loop over them.

The cells are sorted into cubes of the space in which the unit sphere lies, so that 0/180 degrees and the poles are
places like any other.  A query looks into the cubes around it; where nothing certain is found the cubes are doubled,
up to the tolerance.
"""

import numpy as np

EARTH_RADIUS = 6371.0  # km
SMALLEST_CUBE = 1e-6  # of the radius, 6 m
QUERIES_AT_ONCE = 50_000


def unit_vectors(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Points of the unit sphere, (place, 3), from degrees."""
    north, east = np.deg2rad(np.asarray(latitude, float)), np.deg2rad(np.asarray(longitude, float))
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=-1)


class NearestCells:
    """Finds the nearest of the cells (cell,) given in degrees, whichever way longitudes are counted."""

    def __init__(self, latitude: np.ndarray, longitude: np.ndarray) -> None:
        self.latitude, self.longitude = np.asarray(latitude, np.float64), np.asarray(longitude, np.float64)
        self.cells = unit_vectors(latitude, longitude)
        extent = np.sort(np.ptp(self.cells, axis=0))[1:] if len(self.cells) else np.zeros(2)
        self._spacing = float(np.sqrt(extent[0] * extent[1] / max(len(self.cells), 1)))
        self._sorted: dict[float, tuple[np.ndarray, np.ndarray]] = {}

    def query(self, latitude: np.ndarray, longitude: np.ndarray, tolerance_km: float) -> tuple[np.ndarray, np.ndarray]:
        """Nearest cell and great-circle distance in km of each place (place,).

        -1 and infinity where no cell is within ``tolerance_km``, or the place is NaN.  Of equally near cells the
        first one counts.
        """
        places = unit_vectors(latitude, longitude)
        reach = 2.0 * np.sin(min(tolerance_km / EARTH_RADIUS, np.pi) / 2.0) * (1.0 + 1e-12)
        nearest = np.full(len(places), -1, np.int64)
        squared = np.full(len(places), np.inf)
        if not len(self.cells):
            return nearest, squared
        margin = reach + 1e-12
        near = (places >= self.cells.min(axis=0) - margin) & (places <= self.cells.max(axis=0) + margin)
        open_places = np.flatnonzero(near.all(axis=1))
        size = min(max(self._spacing, SMALLEST_CUBE), max(reach, SMALLEST_CUBE))
        while len(open_places):
            for first in range(0, len(open_places), QUERIES_AT_ONCE):
                some = open_places[first : first + QUERIES_AT_ONCE]
                nearest[some], squared[some] = self._search(places[some], size)
            if size >= reach:
                break
            open_places = open_places[squared[open_places] > size**2]
            size = min(2.0 * size, reach)
        far = ~(squared <= reach**2)
        nearest[far], squared[far] = -1, np.inf
        return nearest, 2.0 * EARTH_RADIUS * np.arcsin(np.minimum(np.sqrt(squared) / 2.0, 1.0), where=~far, out=squared)

    def _search(self, places: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
        """Nearest cell within the 27 cubes around each place, and the squared chord; -1, infinity for none."""
        keys, order = self._cubes(size)
        side = self._side(size)
        cube = self._cube(places, size)
        low, high = [], []
        for x in (-1, 0, 1):
            for y in (-1, 0, 1):
                column = ((cube[:, 0] + x) * side + cube[:, 1] + y) * side + cube[:, 2]
                low.append(np.searchsorted(keys, column - 1, "left"))
                high.append(np.searchsorted(keys, column + 1, "right"))
        start, number = np.stack(low, axis=1), np.stack(high, axis=1)
        number -= start
        nearest, squared = np.full(len(places), -1, np.int64), np.full(len(places), np.inf)
        pairs = number.sum(axis=1)
        found = np.flatnonzero(pairs)
        if not len(found):
            return nearest, squared
        start, number, pairs = start[found].ravel(), number[found].ravel(), pairs[found]
        ends = np.cumsum(number)
        candidate = np.arange(ends[-1]) - np.repeat(ends - number, number)
        candidate = order[candidate + np.repeat(start, number)]
        query = np.repeat(np.arange(len(found)), pairs)
        chord = ((self.cells[candidate] - places[found][query]) ** 2).sum(axis=1)
        first = np.cumsum(pairs) - pairs
        smallest = np.minimum.reduceat(chord, first)
        tied = np.where(chord == smallest[query], candidate, len(self.cells))
        nearest[found], squared[found] = np.minimum.reduceat(tied, first), smallest
        return nearest, squared

    def _cubes(self, size: float) -> tuple[np.ndarray, np.ndarray]:
        if size not in self._sorted:
            side, cube = self._side(size), self._cube(self.cells, size)
            key = (cube[:, 0] * side + cube[:, 1]) * side + cube[:, 2]
            order = np.argsort(key, kind="stable")
            self._sorted[size] = key[order], order
        return self._sorted[size]

    @staticmethod
    def _side(size: float) -> int:
        return 2 * int(np.ceil(1.0 / size)) + 5

    @staticmethod
    def _cube(points: np.ndarray, size: float) -> np.ndarray:
        return np.floor(points / size).astype(np.int64) + int(np.ceil(1.0 / size)) + 2
