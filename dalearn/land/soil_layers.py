"""Layers of the soil column, how deep its water and roots reach (isba_physics.md 1.1-1.3, 5.8).

Set up once, in float64 numpy, layers first and columns last.  Every column has 14 layers for temperature; the
first n of them hold water, with n from the root depth, and one layer bottom is moved where the wanted
depth falls between two standard ones.
"""

from typing import NamedTuple

import numpy as np

from dalearn.land.state import SOIL_LAYERS

LAYER_BOTTOMS = (0.01, 0.04, 0.10, 0.20, 0.40, 0.60, 0.80, 1.00, 1.50, 2.00, 3.00, 5.00, 8.00, 12.00)  # m
SNAPPED_DEPTHS = (1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5)  # m
# Depth of the water column (m) -> the layers (counted from 1) whose bottoms are moved and where to (m).
MOVED_BOTTOMS: dict[float, dict[int, float]] = {
    1.25: {9: 1.25},
    1.75: {9: 1.25, 10: 1.75},
    2.25: {10: 2.25},
    2.5: {11: 2.5},
    2.75: {11: 2.75},
    3.5: {11: 3.5},
    4.0: {12: 4.0},
    4.5: {12: 4.5},
    5.5: {12: 5.5},
}
RUNOFF_ROOT_SHARE = 0.90
BARE_RUNOFF_DEPTH = 0.6  # m


class SoilLayers(NamedTuple):
    """Layer geometry of each column."""

    bottom: np.ndarray  # (layer, column) m
    thickness: np.ndarray  # (layer, column) m
    node_distance: np.ndarray  # (layer, column) m, between mid-points of j and j+1; last: half a thickness
    water_layers: np.ndarray  # (column,) n, number of layers holding water
    holds_water: np.ndarray  # (layer, column) bool


class WaterDepths(NamedTuple):
    """How deep water and roots reach in each column; ``(column,)`` m."""

    hydrological: np.ndarray  # before snapping to the layers
    root: np.ndarray  # 0 without vegetation


def water_depths(
    type_share: np.ndarray, bare: np.ndarray, never_soil: np.ndarray, root_depth: np.ndarray, soil_depth: np.ndarray
) -> WaterDepths:
    """Harmonic means over the vegetation types of a column (isba_physics.md 1.2, CDGDIF='ROOT', CDGAVG='INV').

    ``type_share``, ``root_depth``, ``soil_depth`` are (column, 19); ``bare`` and ``never_soil`` (19,) tell the
    types without vegetation and, among them, rock and permanent snow.
    """
    of_type = np.where(bare, np.minimum(1.0, soil_depth), np.maximum(1.0, root_depth))
    of_type = np.where(never_soil, root_depth, of_type)
    hydrological = 1.0 / (type_share / of_type).sum(axis=1)

    rooted = type_share * ~bare
    has_roots = rooted.sum(axis=1) > 0.0
    inverse = (rooted / root_depth).sum(axis=1)
    root = np.where(has_roots, rooted.sum(axis=1) / np.where(has_roots, inverse, 1.0), 0.0)
    # The mean of equal depths must be that depth: rounding would push 8 m beyond the limit at 8 m.
    return WaterDepths(np.round(np.maximum(hydrological, root), 9), np.round(root, 9))


def snap_depth(depth: float) -> float:
    """Depth of the water column (m) that the layers can represent, from the hydrological depth (m)."""
    if depth <= 1.1:
        return min(1.0, depth)
    if depth <= SNAPPED_DEPTHS[0]:
        return SNAPPED_DEPTHS[0]
    if depth > SNAPPED_DEPTHS[-1]:
        return 8.0 if depth <= 8.0 else 12.0
    upper = next(index for index, limit in enumerate(SNAPPED_DEPTHS) if depth <= limit)
    shallow, deep = SNAPPED_DEPTHS[upper - 1], SNAPPED_DEPTHS[upper]
    return shallow if depth < 0.8 * shallow + 0.2 * deep else deep


def soil_layers(hydrological_depth: np.ndarray) -> SoilLayers:
    """Layers of every column from its hydrological depth (column,) in m (isba_physics.md 1.1, 1.2)."""
    bottom = np.repeat(np.array(LAYER_BOTTOMS)[:, None], len(hydrological_depth), axis=1)
    water_layers = np.empty(len(hydrological_depth), dtype=np.int64)
    for column, depth in enumerate(hydrological_depth.tolist()):
        snapped = snap_depth(depth)
        moved = MOVED_BOTTOMS.get(snapped, {})
        for layer, value in moved.items():
            bottom[layer - 1, column] = value
        distance = np.abs(bottom[1:, column] - snapped)
        # The nearest layer bottom from the second one on, the deeper of two equally near.
        nearest = np.flatnonzero(distance <= distance.min() + 1e-9)[-1]
        water_layers[column] = max(moved) if moved else nearest + 2
    thickness = np.diff(bottom, axis=0, prepend=0.0)
    node_distance = 0.5 * (thickness + np.concatenate([thickness[1:], np.zeros_like(thickness[:1])]))
    holds_water = np.arange(SOIL_LAYERS)[:, None] < water_layers
    return SoilLayers(bottom, thickness, node_distance, water_layers, holds_water)


def cumulative_roots(
    layers: SoilLayers, root_depth: np.ndarray, extinction: np.ndarray, linear: np.ndarray
) -> np.ndarray:
    """Fraction of the roots above each layer bottom, (layer, column), rounded to 1e-8 as SURFEX does.

    Jackson et al. (1996) profile with a linear part (isba_physics.md 1.3); ``root_depth`` (column,) m, 0 without
    vegetation; ``extinction`` (column,) per cm; ``linear`` (column,) weight of the linear part.
    """
    last = layers.bottom[layers.water_layers - 1, np.arange(len(root_depth))]
    rooted = root_depth > 0.0
    depth = np.where(rooted, np.minimum(root_depth, last), 1.0)
    exponential = np.minimum(1.0, (1.0 - extinction ** (100.0 * layers.bottom)) / (1.0 - extinction ** (100.0 * depth)))
    profile = linear * np.minimum(1.0, layers.bottom / depth) + (1.0 - linear) * exponential
    return np.where(rooted, np.round(profile, 8), 0.0)


def root_fractions(cumulative: np.ndarray, layers: SoilLayers) -> np.ndarray:
    """Fraction of the roots in each layer, (layer, column); 0 below the water column."""
    return np.where(layers.holds_water, np.diff(cumulative, axis=0, prepend=0.0), 0.0)


def runoff_depth(layers: SoilLayers, cumulative: np.ndarray, hydrological_depth: np.ndarray) -> np.ndarray:
    """Depth (column,) in m over which DT92 runoff averages the soil moisture (isba_physics.md 5.8).

    The bottom of the first layer above which 90 % of the roots are; 0.6 m at most without roots.
    """
    snapped = np.array([snap_depth(depth) for depth in hydrological_depth.tolist()])
    depth = np.empty_like(snapped)
    for column, count in enumerate(layers.water_layers.tolist()):
        reached = np.flatnonzero(cumulative[: count - 1, column] < RUNOFF_ROOT_SHARE)
        depth[column] = layers.bottom[reached[-1] + 1 if len(reached) else 0, column]
    return np.where(cumulative.max(axis=0) > 0.0, depth, np.minimum(BARE_RUNOFF_DEPTH, snapped))


def depth_weights(layers: SoilLayers, depth: np.ndarray) -> np.ndarray:
    """Share of each layer (layer, column) in a mean from the surface to ``depth`` (column,) m; 0 below the water
    column."""
    top = layers.bottom - layers.thickness
    overlap = np.clip(depth - top, 0.0, layers.thickness)
    return np.where(layers.holds_water, overlap / depth, 0.0)
