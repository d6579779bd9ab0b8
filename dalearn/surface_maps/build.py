"""The surface map of a regular grid from maps of land cover, soil and altitude.

Vegetation types are those of the land of a cell: water and urban areas are taken out and the rest is scaled to 1.
Soil, altitude and the other maps are means over the land pixels of the cell.  Cells that are mostly water, too urban,
too high, or that lack a value which the model needs are left out and counted by reason.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.land.vegetation import TREE_TYPES, VEGETATION_TYPES
from dalearn.surface_maps.aggregate import Quantity, cell_means
from dalearn.surface_maps.cover import FRACTION_UNITS, Cover, open_cover
from dalearn.surface_maps.neighbours import fill_from_neighbours
from dalearn.surface_maps.raster import open_map, raster, unit_factor
from dalearn.surface_maps.target import TargetGrid

TEXTURE_NAMES = {
    "clay": ("clay", "CLAY", "clay_fraction", "clay_content"),
    "sand": ("sand", "SAND", "sand_fraction", "sand_content"),
}
TEXTURE_UNITS = {**FRACTION_UNITS, "kg kg-1": 1.0, "g kg-1": 1e-3, "% weight": 0.01}
ALTITUDE_NAMES = ("altitude", "elevation", "ZS", "orography", "topo", "dem", "Band1")
TREE_HEIGHT_NAMES = ("tree_height", "canopy_height", "height", "Band1")
METRES = {"m": 1.0}
ALBEDO_NAMES = (
    "vegetation_albedo_visible",
    "vegetation_albedo_near_infrared",
    "soil_albedo_visible_dry",
    "soil_albedo_near_infrared_dry",
)
ALTITUDE_RANGE = (-500.0, 9000.0)
TREE_HEIGHT_RANGE = (0.0, 130.0)
TEXTURE_SUM_TOLERANCE = 0.011  # maps in whole % may be off by one
KNOWN_SHARE = 0.5  # of the pixels of a cell that must have a class
FOREST_TYPES = TREE_TYPES & (np.array(VEGETATION_TYPES) != "SHRB")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Files of the maps; ``classes`` is the legend of ``land_cover``."""

    land_cover: Path
    texture: Path
    altitude: Path
    classes: str
    tree_height: Path | None = None
    albedo: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Which cells are left out, how far texture may come from, and the C4 share of crops (None: by latitude)."""

    largest_water_fraction: float
    largest_urban_fraction: float
    largest_altitude: float
    fill_distance_km: float
    c4_crop_fraction: float | None = None


@dataclass(frozen=True, kw_only=True)
class SurfaceMaps:
    """The cells that are kept.

    ``latitude``, ``longitude`` degrees, ``cell_size`` km, ``altitude`` m, ``clay``, ``sand``, ``water_fraction``,
    ``urban_fraction`` (cell,); ``fraction`` (cell, 19) sums to 1; ``tree_height`` (cell, 19) m, NaN where unknown,
    None without a map; ``overrides`` (cell,) by the name of a parameter; ``counts``: read, kept, left out by reason.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    cell_size: np.ndarray
    fraction: np.ndarray
    clay: np.ndarray
    sand: np.ndarray
    altitude: np.ndarray
    water_fraction: np.ndarray
    urban_fraction: np.ndarray
    tree_height: np.ndarray | None = None
    overrides: dict[str, np.ndarray] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def build_surface(target: TargetGrid, sources: Sources, rules: Rules) -> SurfaceMaps:
    """Read the maps and bring them to the cells of ``target``.

    Raises InputError: one line with the file, the variable and the mend.
    """
    with open_cover(sources.land_cover, sources.classes, target, rules.c4_crop_fraction) as cover:
        texture = _texture(sources.texture, target, cover)
        altitude = _one_map(sources.altitude, ALTITUDE_NAMES, METRES, ALTITUDE_RANGE, target, cover)
        height = None
        if sources.tree_height is not None:
            height = _tree_height(sources.tree_height, target, cover)
        albedo = _albedo(sources.albedo, target, cover) if sources.albedo is not None else {}

    land = cover.types.sum(axis=1)
    left_out: dict[str, np.ndarray] = {
        "without land cover": cover.known < KNOWN_SHARE,
        "water": cover.water > rules.largest_water_fraction,
        "urban": cover.urban > rules.largest_urban_fraction,
        "without land": land <= 0.0,
        "without altitude": ~np.isfinite(altitude),
        "too high": altitude > rules.largest_altitude,
    }
    kept = ~np.logical_or.reduce(list(left_out.values()))
    gaps = kept & ~np.isfinite(texture).all(axis=0)
    texture = fill_from_neighbours(texture, kept, target, rules.fill_distance_km)
    left_out["without texture"] = ~np.isfinite(texture).all(axis=0)
    counts = _account(left_out, int((gaps & ~left_out["without texture"]).sum()))
    kept &= ~left_out["without texture"]
    if not kept.any():
        account = ", ".join(f"{number} {reason}" for reason, number in counts.items() if number)
        raise InputError(f"{sources.land_cover}: no cell of prepare.surface.grid is left ({account}); move the grid or "
                         "relax the limits of prepare.surface")  # fmt: skip

    latitude, longitude = target.cells()
    fraction = cover.types[kept] / land[kept, None]
    clay, sand = texture[:, kept] / np.maximum(texture[:, kept].sum(axis=0), 1.0)
    tree_height = None
    if height is not None:
        tree_height = np.where(FOREST_TYPES & (fraction > 0.0), height[kept, None], np.nan)
    return SurfaceMaps(
        latitude=latitude[kept],
        longitude=longitude[kept],
        cell_size=target.cell_size()[kept],
        fraction=fraction,
        clay=clay,
        sand=sand,
        altitude=altitude[kept],
        water_fraction=cover.water[kept],
        urban_fraction=cover.urban[kept],
        tree_height=tree_height,
        overrides={name: values[kept] for name, values in albedo.items()},
        counts=counts,
    )


def _account(left_out: dict[str, np.ndarray], filled: int) -> dict[str, int]:
    """Cells read, kept and left out, each for the first reason that applies."""
    open_cells = np.ones(len(next(iter(left_out.values()))), bool)
    reasons = {}
    for reason, mask in left_out.items():
        reasons[reason] = int((open_cells & mask).sum())
        open_cells &= ~mask
    return {"read": len(open_cells), "kept": int(open_cells.sum()), **reasons, "texture from neighbours": filled}


def _texture(path: Path, target: TargetGrid, cover: Cover) -> np.ndarray:
    """Clay and sand, (2, cell) fractions."""
    with open_map(path) as dataset:
        quantities = []
        for name, names in TEXTURE_NAMES.items():
            source = raster(path, dataset, names)
            if source.variable.name not in names:
                raise InputError(f"{path}: variable {name} is missing; add or rename it")
            quantities.append(Quantity(source, unit_factor(source, TEXTURE_UNITS), 0.0, 1.0))

        def check(values: list[np.ndarray]) -> None:
            total = values[0] + values[1]
            if (total > 1.0 + TEXTURE_SUM_TOLERANCE).any():
                raise InputError(f"{path}: clay and sand sum to {np.nanmax(total):.3f}, more than 1; correct them")

        return _means(quantities, target, cover, check)


def _means(
    quantities: list[Quantity],
    target: TargetGrid,
    cover: Cover,
    check: Callable[[list[np.ndarray]], None] | None = None,
) -> np.ndarray:
    """Means over the land, (map, cell)."""
    return cell_means(quantities, target, counted=cover.land, check=check)


def _one_map(
    path: Path,
    names: tuple[str, ...],
    factors: dict[str, float],
    limits: tuple[float, float],
    target: TargetGrid,
    cover: Cover,
) -> np.ndarray:
    """(cell,) mean over the land."""
    with open_map(path) as dataset:
        source = raster(path, dataset, names)
        return _means([Quantity(source, unit_factor(source, factors), *limits)], target, cover)[0]


def _tree_height(path: Path, target: TargetGrid, cover: Cover) -> np.ndarray:
    """(cell,) mean over the forest, m; a height of 0 is a pixel without trees."""
    with open_map(path) as dataset:
        source = raster(path, dataset, TREE_HEIGHT_NAMES)
        quantity = Quantity(source, unit_factor(source, METRES), *TREE_HEIGHT_RANGE, ignored=0.0)
        return cell_means([quantity], target, counted=cover.forest)[0]


def _albedo(path: Path, target: TargetGrid, cover: Cover) -> dict[str, np.ndarray]:
    """(cell,) by the name of the parameter."""
    with open_map(path) as dataset:
        names = [name for name in ALBEDO_NAMES if name in dataset.variables]
        if not names:
            raise InputError(f"{path}: none of {', '.join(ALBEDO_NAMES)} is there; add or rename them")
        return {name: _albedo_of(path, dataset, name, target, cover) for name in names}


def _albedo_of(path: Path, dataset: netCDF4.Dataset, name: str, target: TargetGrid, cover: Cover) -> np.ndarray:
    source = raster(path, dataset, (name,))
    return _means([Quantity(source, unit_factor(source, FRACTION_UNITS), 0.0, 1.0)], target, cover)[0]
