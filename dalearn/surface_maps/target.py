"""The cells of a surface map: a regular grid given by the centres of its cells."""

from dataclasses import dataclass

import numpy as np

from dalearn.regular_grid import EARTH_RADIUS_KM

EDGE_TOLERANCE = 1e-6  # of a cell: pixel centres on an edge belong to the cell north or east of it


@dataclass(frozen=True, eq=False)
class TargetGrid:
    """Cell centres ``latitude`` (row,) and ``longitude`` (column,) degrees, ascending, and the size of a cell."""

    latitude: np.ndarray
    longitude: np.ndarray
    height: float
    width: float

    @classmethod
    def from_axes(cls, latitude: tuple[float, float, float], longitude: tuple[float, float, float]) -> "TargetGrid":
        """From first, last and spacing in degrees of either axis."""
        rows, columns = (
            first + spacing * np.arange(round((last - first) / spacing) + 1)
            for first, last, spacing in (latitude, longitude)
        )
        return cls(rows, columns, latitude[2], longitude[2])

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.latitude), len(self.longitude)

    @property
    def cell_count(self) -> int:
        return len(self.latitude) * len(self.longitude)

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """South, north, west and east, degrees."""
        south, west = self.latitude[0] - self.height / 2.0, self.longitude[0] - self.width / 2.0
        return south, south + self.height * len(self.latitude), west, west + self.width * len(self.longitude)

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude of every cell (cell,), from south to north and from west to east."""
        latitude, longitude = np.meshgrid(self.latitude, self.longitude, indexing="ij")
        return latitude.ravel(), longitude.ravel()

    def cell_size(self) -> np.ndarray:
        """Square root of the area of every cell on the sphere, (cell,) km."""
        north = np.deg2rad(np.minimum(self.latitude + self.height / 2.0, 90.0))
        south = np.deg2rad(np.maximum(self.latitude - self.height / 2.0, -90.0))
        size = EARTH_RADIUS_KM * np.sqrt(np.deg2rad(self.width) * (np.sin(north) - np.sin(south)))
        return np.repeat(size, len(self.longitude))

    def rows_of(self, latitude: np.ndarray) -> np.ndarray:
        """Row of the cell that holds each latitude, -1 outside."""
        row = np.floor((latitude - self.edges[0]) / self.height + EDGE_TOLERANCE).astype(np.int64)
        return np.where((row >= 0) & (row < len(self.latitude)), row, -1)

    def columns_of(self, longitude: np.ndarray) -> np.ndarray:
        """Column of the cell that holds each longitude, in whatever turn of the circle it is given; -1 outside."""
        east = (longitude - self.edges[2]) / self.width + EDGE_TOLERANCE
        turn = 360.0 / self.width
        column = np.floor(east - turn * np.floor(east / turn)).astype(np.int64)
        return np.where(column < len(self.longitude), column, -1)
