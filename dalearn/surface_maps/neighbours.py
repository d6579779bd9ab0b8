"""Filling of cells from the nearest cells that have values."""

import numpy as np

from dalearn.regular_grid import EARTH_RADIUS_KM, distance_km
from dalearn.surface_maps.target import TargetGrid


def fill_from_neighbours(
    values: np.ndarray, wanted: np.ndarray, target: TargetGrid, largest_distance_km: float
) -> np.ndarray:
    """``values`` (map, cell) with the undefined cells of the mask ``wanted`` (cell,) taken from the nearest cell.

    Cells further than ``largest_distance_km`` (centre to centre) from all defined ones stay NaN.
    """
    rows_count, columns_count = target.shape
    defined = np.isfinite(values).all(axis=0)
    missing = np.flatnonzero(wanted & ~defined)
    if not len(missing):
        return values
    degree = np.deg2rad(EARTH_RADIUS_KM)  # km in a degree of latitude
    row, column = missing // columns_count, missing % columns_count
    latitude, longitude = target.latitude[row], target.longitude[column]
    narrowest = np.cos(np.deg2rad(np.minimum(np.abs(latitude).max(), 89.0)))
    reach_rows = min(int(largest_distance_km / (target.height * degree)), rows_count - 1)
    reach_columns = min(int(largest_distance_km / (target.width * degree * narrowest)), columns_count - 1)
    nearest, donor = np.full(len(missing), np.inf), np.full(len(missing), -1)
    for north in range(-reach_rows, reach_rows + 1):
        for east in range(-reach_columns, reach_columns + 1):
            other_row, other_column = row + north, column + east
            inside = (other_row >= 0) & (other_row < rows_count) & (other_column >= 0) & (other_column < columns_count)
            other = np.where(inside, other_row * columns_count + other_column, 0)
            distance = distance_km(
                target.latitude[other // columns_count], target.longitude[other % columns_count], latitude, longitude
            )
            better = inside & defined[other] & (distance <= largest_distance_km) & (distance < nearest)
            nearest[better], donor[better] = distance[better], other[better]
    found = donor >= 0
    filled = values.copy()
    filled[:, missing[found]] = values[:, donor[found]]
    return filled
