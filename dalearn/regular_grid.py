"""Regular latitude-longitude grids: axes as files have them, and bilinear weights of points between the nodes.

Latitudes may descend; longitudes may run from 0 to 360 or from -180 to 180, and may close the circle.
"""

from dataclasses import dataclass

import numpy as np

from dalearn.errors import InputError

EARTH_RADIUS_KM = 6371.0
VALUES_PER_BLOCK = 2_000_000
SPACING_TOLERANCE = 0.02  # of the spacing: what float32 axes leave


@dataclass(frozen=True, eq=False)
class RegularGrid:
    """Node positions in degrees: ``latitude`` (row,) and ``longitude`` (column,), each evenly spaced."""

    latitude: np.ndarray
    longitude: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.latitude), len(self.longitude)

    @property
    def closed(self) -> bool:
        """Whether the columns go all around the globe."""
        return _closed(self.longitude)

    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude of every node, each (row * column,), rows first."""
        latitude, longitude = np.meshgrid(self.latitude, self.longitude, indexing="ij")
        return latitude.ravel(), longitude.ravel()


@dataclass(frozen=True, eq=False)
class Weights:
    """``value(cell) = sum_k weight[k, cell] * value(node index[k, cell])``; both (k, cell), weights sum to 1."""

    index: np.ndarray
    weight: np.ndarray

    def __call__(self, values: np.ndarray, ignored: np.ndarray | None = None) -> np.ndarray:
        """``values`` (..., node) at the cells, (..., cell), in the type of ``values``.

        Nodes of the mask ``ignored`` (node,), for instance the sea of a land product, leave their weight to the
        others; a cell that has none but ignored nodes is NaN.
        """
        weight = self.weight
        if ignored is not None:
            weight = np.where(ignored[self.index], 0.0, weight)
            total = weight.sum(axis=0)
            weight = weight / np.where(total > 0.0, total, np.nan)
        result = np.zeros((*values.shape[:-1], self.index.shape[1]), np.float64)
        for node, share in zip(self.index, weight, strict=True):
            part = values[..., node].astype(np.float64)
            result += np.where(share == 0.0, 0.0, share * part)
        return result.astype(values.dtype)


def regular_grid(source: str, latitude: np.ndarray, longitude: np.ndarray) -> RegularGrid:
    """The grid of two axes (degrees); InputError unless each is even, finite and in range."""
    for name, axis, limit in (("latitude", latitude, 90.0), ("longitude", longitude, 360.0)):
        if axis.ndim != 1 or not len(axis):
            raise InputError(
                f"{source}: {name} has {axis.ndim} dimensions; a regular grid has axes of one dimension: regrid a "
                "rotated or projected grid first"
            )
        if not (np.abs(axis) <= limit + 1e-3).all():
            bad = axis[int(np.argmax(~(np.abs(axis) <= limit + 1e-3)))]
            raise InputError(f"{source}: {name} is {bad:g}, not degrees; give the coordinates in degrees")
        spacing = np.diff(axis)
        if len(spacing) and not (np.abs(spacing - spacing.mean()) <= SPACING_TOLERANCE * abs(spacing.mean())).all():
            raise InputError(f"{source}: {name} is not evenly spaced; regrid it to a regular latitude-longitude grid")
        if len(spacing) and spacing.mean() == 0.0:
            raise InputError(f"{source}: {name} repeats itself; give distinct coordinates")
    return RegularGrid(latitude.astype(np.float64), longitude.astype(np.float64))


def bilinear(source: str, grid: RegularGrid, latitude: np.ndarray, longitude: np.ndarray) -> Weights:
    """Weights of the four nodes around each cell at ``latitude``, ``longitude`` (cell,) degrees.

    Between the last row and the pole the last row is taken.  Raises InputError for a cell outside the grid.
    """
    rows, row_weight = _along_latitude(source, grid.latitude, np.asarray(latitude, np.float64))
    columns, column_weight = _along_longitude(source, grid.longitude, np.asarray(longitude, np.float64))
    index = [rows[i] * len(grid.longitude) + columns[j] for i in (0, 1) for j in (0, 1)]
    weight = [row_weight[i] * column_weight[j] for i in (0, 1) for j in (0, 1)]
    return Weights(np.stack(index), np.stack(weight))


def nearest(
    latitude: np.ndarray, longitude: np.ndarray, wanted_latitude: np.ndarray, wanted_longitude: np.ndarray
) -> tuple[Weights, np.ndarray]:
    """The point (point,) nearest to each cell (cell,), and how far away it is in km (cell,); all in degrees."""
    points, cells = _unit_vectors(latitude, longitude), _unit_vectors(wanted_latitude, wanted_longitude)
    index = np.empty(len(cells), np.int64)
    block = max(1, VALUES_PER_BLOCK // max(len(points), 1))
    for first in range(0, len(cells), block):
        index[first : first + block] = np.argmax(cells[first : first + block] @ points.T, axis=1)
    distance = distance_km(latitude[index], longitude[index], wanted_latitude, wanted_longitude)
    return Weights(index[None], np.ones((1, len(index)))), distance


def distance_km(
    latitude: np.ndarray, longitude: np.ndarray, other_latitude: np.ndarray, other_longitude: np.ndarray
) -> np.ndarray:
    """Great-circle distance of each pair of points, (point,), all in degrees."""
    chord = np.linalg.norm(_unit_vectors(latitude, longitude) - _unit_vectors(other_latitude, other_longitude), axis=-1)
    return 2.0 * EARTH_RADIUS_KM * np.arcsin(np.minimum(chord / 2.0, 1.0))


def _unit_vectors(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    north, east = np.deg2rad(latitude), np.deg2rad(longitude)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=-1)


def _along_latitude(source: str, axis: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flipped = len(axis) > 1 and axis[1] < axis[0]
    ascending = axis[::-1] if flipped else axis
    spacing = abs(axis[1] - axis[0]) if len(axis) > 1 else 0.0
    slack = SPACING_TOLERANCE * spacing
    south = -90.0 if ascending[0] - spacing < -90.0 else ascending[0] - slack
    north = 90.0 if ascending[-1] + spacing > 90.0 else ascending[-1] + slack
    outside = ~((wanted >= south) & (wanted <= north))
    if outside.any():
        raise _outside(source, "latitude", wanted[int(np.argmax(outside))], ascending[0], ascending[-1])
    low, weight = _between(ascending, np.clip(wanted, ascending[0], ascending[-1]))
    last = len(axis) - 1
    rows = np.stack([low, np.minimum(low + 1, last)])
    return (last - rows if flipped else rows), weight


def _along_longitude(source: str, axis: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    spacing = float(np.mean(np.diff(axis))) if len(axis) > 1 else 0.0
    if spacing < 0.0:
        columns, weight = _along_longitude(source, axis[::-1], wanted)
        return len(axis) - 1 - columns, weight
    slack = SPACING_TOLERANCE * spacing
    east = (wanted - axis[0] + slack) % 360.0 - slack  # degrees east of the first column
    width = axis[-1] - axis[0]
    closed = _closed(axis)
    outside = east > width + (spacing if closed else 0.0) + slack
    if outside.any():
        raise _outside(source, "longitude", wanted[int(np.argmax(outside))], axis[0], axis[-1])
    if len(axis) == 1:
        return np.zeros((2, len(wanted)), np.int64), np.stack([np.ones(len(wanted)), np.zeros(len(wanted))])
    if closed:
        place = np.clip(east, 0.0, None) / spacing
        low = np.floor(place).astype(np.int64)
        share = place - low
        return np.stack([low % len(axis), (low + 1) % len(axis)]), np.stack([1.0 - share, share])
    low, weight = _between(axis - axis[0], np.clip(east, 0.0, width))
    return np.stack([low, np.minimum(low + 1, len(axis) - 1)]), weight


def _closed(longitude: np.ndarray) -> bool:
    if len(longitude) < 2:
        return False
    spacing = abs(float(np.mean(np.diff(longitude))))
    return bool(abs(longitude[-1] - longitude[0]) + spacing * (1.0 + SPACING_TOLERANCE) >= 360.0)


def _between(axis: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the node at or below ``wanted`` on an ascending axis, and the weights of it and of the next."""
    if len(axis) == 1:
        return np.zeros(len(wanted), np.int64), np.stack([np.ones(len(wanted)), np.zeros(len(wanted))])
    low = np.clip(np.searchsorted(axis, wanted, side="right") - 1, 0, len(axis) - 2)
    share = (wanted - axis[low]) / (axis[low + 1] - axis[low])
    return low, np.stack([1.0 - share, share])


def _outside(source: str, name: str, wanted: float, first: float, last: float) -> InputError:
    return InputError(
        f"{source}: {name} of a cell is {wanted:g}, outside the grid, which covers {first:g} to {last:g}; "
        "get files for a larger area or leave the cell out"
    )
