"""From the land cover and soil maps of the cells to the columns and their parameters."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.albedo_cycle import albedo_cycle
from dalearn.land.overrides import Overrides
from dalearn.land.photosynthesis import with_reference_assimilation
from dalearn.land.radiation import dry_soil_albedo
from dalearn.land.soil import soil_parameters
from dalearn.land.state import LandParameters
from dalearn.land.topmodel import TopographicIndex, dry_limit, dry_limit_of_properties, topography
from dalearn.land.vegetation import (
    BARE_TYPES,
    TREE_TYPES,
    TYPES,
    VEGETATION_TYPES,
    patch_fractions,
    patch_parameters,
    ppm_to_mixing_ratio,
    types_in_patch,
)

FRACTION_TOLERANCE = 1e-3
DECADES = 36  # of the leaf area climatology
DEFAULT_CO2 = 400.0  # ppm


def build_parameters(
    fractions: np.ndarray,
    clay: np.ndarray,
    sand: np.ndarray,
    latitude: np.ndarray,
    longitude: np.ndarray,
    *,
    root_depth: np.ndarray | None = None,
    soil_depth: np.ndarray | None = None,
    tree_height: np.ndarray | None = None,
    leaf_area_index: np.ndarray | None = None,
    pedotransfer: str = "CH78",
    temperature_height: float = 2.0,
    wind_height: float = 10.0,
    minimum_patch_fraction: float = 0.0,
    co2: float = DEFAULT_CO2,
    overrides: Mapping[str, np.ndarray] | None = None,
    albedo_maps: Mapping[str, np.ndarray] | None = None,
    topographic_index: TopographicIndex | None = None,
    cell_size: np.ndarray | None = None,
) -> tuple[Grid, LandParameters]:
    """The columns of the cells and everything about them that does not change, in float64.

    A column is a patch with a positive fraction; columns are ordered by cell, then by patch number.

    Args:
        fractions: vegetation type fractions of the land of each cell (cell, 19) in the order of
            ``vegetation.VEGETATION_TYPES``, summing to 1.
        clay: clay fraction (cell,), 0..1.
        sand: sand fraction (cell,), 0..1.
        latitude: (cell,) degrees north.
        longitude: (cell,) degrees east.
        root_depth: (cell, 19) m; NaN, or no array, takes the typical depth of the type.
        soil_depth: (cell, 19) m, likewise.
        tree_height: (cell, 19) m, likewise; read for trees and shrubs only.
        leaf_area_index: (cell, 19, 36) m2 m-2, of each type in each decade of the year, for models that do not grow
            leaves; read where the type has a positive fraction.
        pedotransfer: ``CH78`` or ``CO84``.
        temperature_height: height of the air temperature and humidity above the ground, m.
        wind_height: height of the wind, m.
        minimum_patch_fraction: patches below this fraction of the cell go to its largest patch (SURFEX's
            XRM_PATCH), whose parameters stay as they are.
        co2: CO2 of the air in ppm, of which the reference assimilation is made (isba_ags.md 1.9).
        overrides: parameters in place of those of tables and texture, see ``overrides.Overrides``.
        albedo_maps: albedos of every ten days (CALBEDO='CM13'), see ``albedo_cycle.albedo_cycle``.
        topographic_index: of the cells (CRUNOFF='SGH').
        cell_size: (cell,) square root of the area in km, for the distribution of rain (CRAIN='SGH'); None for less
            than 15 km.

    Raises:
        InputError: a value out of range, with the cell and the variable.
    """
    fractions = _checked_fractions(fractions)
    cells = len(fractions)
    clay = _checked_texture("clay", clay, cells)
    sand = _checked_texture("sand", sand, cells)
    _check_texture_sum(clay, sand)
    latitude = _checked_range("latitude", latitude, cells, -90.0, 90.0)
    longitude = _checked_range("longitude", longitude, cells, -180.0, 360.0)
    root_depth = _or_typical("root_depth", root_depth, cells)
    soil_depth = _or_typical("soil_depth", soil_depth, cells)
    tree_height = _or_typical("tree_height", tree_height, cells)

    patches = _merge_small_patches(patch_fractions(fractions), minimum_patch_fraction)
    cell, patch_index = np.nonzero(patches > 0.0)
    share = types_in_patch(fractions[cell], patch_index + 1)

    given = Overrides(overrides or {}, cell, share)
    table = given.table()
    depths = {"root_depth": root_depth, "soil_depth": soil_depth, "tree_height": tree_height}
    of_columns = {name: given.of_types(name, values[cell]) for name, values in depths.items()}
    vegetated_fraction = 1.0 - fractions[:, BARE_TYPES].sum(axis=1)
    albedo = dry_soil_albedo(torch.from_numpy(sand[cell]), torch.from_numpy(vegetated_fraction[cell]))
    vegetation = patch_parameters(
        share,
        of_columns["tree_height"],
        latitude=latitude[cell],
        soil_albedo_visible=albedo.visible.numpy(),
        soil_albedo_near_infrared=albedo.near_infrared.numpy(),
        table=table,
    )
    vegetation = given.vegetation(vegetation)
    soil = soil_parameters(
        clay[cell], sand[cell], share, of_columns["root_depth"], of_columns["soil_depth"], pedotransfer, table
    )
    soil = given.soil(soil)
    dry = (soil.field_capacity[0] <= soil.wilting_point[0]).numpy()
    if dry.any():
        worst = int(cell[dry][0])
        raise InputError(
            f"clay, sand: cell {worst} has {clay[worst]:.3g} and {sand[worst]:.3g}, for which {pedotransfer} leaves "
            "no water between wilting point and field capacity; correct the texture of this cell"
        )

    columns = len(cell)
    grid = Grid(
        latitude=latitude,
        longitude=longitude,
        cell_of_column=torch.from_numpy(cell),
        patch_of_column=torch.from_numpy(patch_index + 1),
        fraction=torch.from_numpy(patches[cell, patch_index]),
    )
    parameters = LandParameters(
        soil=soil,
        vegetation=vegetation,
        temperature_height=torch.full((columns,), temperature_height, dtype=torch.float64),
        wind_height=torch.full((columns,), wind_height, dtype=torch.float64),
        cell_size=None if cell_size is None else torch.from_numpy(_checked_size(cell_size, cells)[cell]),
        albedo_cycle=None if albedo_maps is None else albedo_cycle(albedo_maps, cell, share),
        leaf_area_climatology=None
        if leaf_area_index is None
        else _climatology(leaf_area_index, fractions, cell, share),
    )
    if topographic_index is not None:
        clay_fraction, sand_fraction = torch.from_numpy(clay[cell]), torch.from_numpy(sand[cell])
        dry_soil = dry_limit(clay_fraction, sand_fraction, pedotransfer)
        if {"porosity", "field_capacity"} & set(given.values):
            dry_soil = dry_limit_of_properties(soil)
        hills = topography(topographic_index, grid, soil, clay=clay[cell], dry=dry_soil)
        parameters = dataclasses.replace(parameters, topography=hills)
    mixing_ratio = torch.full((columns,), ppm_to_mixing_ratio(co2), dtype=torch.float64)
    return grid, with_reference_assimilation(parameters, mixing_ratio)


def _climatology(values: np.ndarray, fractions: np.ndarray, cell: np.ndarray, share: np.ndarray) -> torch.Tensor:
    """Leaf area index of the columns in each decade (36, column) from that of the types (isba_ags.md 6.4)."""
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (*fractions.shape, DECADES):
        raise InputError(
            f"leaf_area_index: has shape {values.shape}, give {(*fractions.shape, DECADES)} as "
            "(cell, vegetation type, decade)"
        )
    present = (fractions > 0.0) & ~BARE_TYPES
    wrong = present[..., None] & ~((values >= 0.0) & np.isfinite(values))
    if wrong.any():
        where, kind, decade = np.argwhere(wrong)[0]
        raise InputError(
            f"leaf_area_index: cell {where} has {values[where, kind, decade]:.6g} for {VEGETATION_TYPES[kind]} in "
            f"decade {decade + 1}; give a value >= 0"
        )
    of_types = np.where(present[..., None], values, 0.0)[cell]
    return torch.from_numpy(np.ascontiguousarray(np.einsum("cv,cvd->dc", share, of_types)))


def _merge_small_patches(patches: np.ndarray, minimum: float) -> np.ndarray:
    """Fractions (cell, 12) with the patches below ``minimum`` given to the largest patch of the cell."""
    largest = patches.argmax(axis=1)
    rows = np.arange(len(patches))
    small = patches < minimum
    small[rows, largest] = False
    merged = np.where(small, 0.0, patches)
    merged[rows, largest] += np.where(small, patches, 0.0).sum(axis=1)
    return merged


def _checked_fractions(fractions: np.ndarray) -> np.ndarray:
    """Fractions as float64, summing to 1 exactly."""
    fractions = np.asarray(fractions, dtype=np.float64)
    types = len(VEGETATION_TYPES)
    if fractions.ndim != 2 or fractions.shape[1] != types or len(fractions) == 0:
        raise InputError(f"fraction: has shape {fractions.shape}, give (cell, {types}) with at least one cell")
    wrong = ~((fractions >= 0.0) & (fractions <= 1.0 + FRACTION_TOLERANCE))
    if wrong.any():
        cell, kind = np.argwhere(wrong)[0]
        raise InputError(
            f"fraction: cell {cell} has {fractions[cell, kind]:.6g} for {VEGETATION_TYPES[kind]}; give 0..1"
        )
    total = fractions.sum(axis=1)
    wrong = np.abs(total - 1.0) > FRACTION_TOLERANCE
    if wrong.any():
        cell = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"fraction: those of cell {cell} sum to {total[cell]:.6g}; give fractions of its land that sum to 1"
        )
    return fractions / total[:, None]


def _checked_range(name: str, values: np.ndarray, cells: int, lower: float, upper: float, hint: str = "") -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (cells,):
        raise InputError(f"{name}: has shape {values.shape}, give one value for each of the {cells} cells")
    wrong = ~((values >= lower) & (values <= upper))
    if wrong.any():
        cell = int(np.flatnonzero(wrong)[0])
        raise InputError(f"{name}: cell {cell} has {values[cell]:.6g}; give {lower:g}..{upper:g}{hint}")
    return values


def _checked_texture(name: str, values: np.ndarray, cells: int) -> np.ndarray:
    return _checked_range(name, values, cells, 0.0, 1.0, " (a fraction, not a percentage)")


def _checked_size(values: np.ndarray, cells: int) -> np.ndarray:
    return _checked_range("cell_size", values, cells, 1e-3, 1e3, " km")


def _check_texture_sum(clay: np.ndarray, sand: np.ndarray) -> None:
    wrong = clay + sand > 1.0 + FRACTION_TOLERANCE
    if wrong.any():
        cell = int(np.flatnonzero(wrong)[0])
        raise InputError(f"clay, sand: cell {cell} has {clay[cell]:.3g} and {sand[cell]:.3g}; their sum exceeds 1")
    if (clay == 0.0).any():
        cell = int(np.flatnonzero(clay == 0.0)[0])
        raise InputError(
            f"clay: cell {cell} has none, so no wilting point and no soil moisture range; give at least 0.01"
        )


def _or_typical(name: str, values: np.ndarray | None, cells: int) -> np.ndarray:
    """(cell, 19) depths or heights in m with the typical one of the type where none is given."""
    typical = np.broadcast_to(TYPES[name], (cells, len(VEGETATION_TYPES)))
    if values is None:
        return typical
    values = np.asarray(values, dtype=np.float64)
    if values.shape != typical.shape:
        raise InputError(f"{name}: has shape {values.shape}, give {typical.shape} as (cell, vegetation type)")
    chosen = np.where(np.isnan(values), typical, values)
    needed = TREE_TYPES if name == "tree_height" else np.ones(len(VEGETATION_TYPES), dtype=bool)
    wrong = ~(chosen > 0.0) & needed
    if wrong.any():
        cell, kind = np.argwhere(wrong)[0]
        raise InputError(f"{name}: cell {cell} has {chosen[cell, kind]:.6g} m for {VEGETATION_TYPES[kind]}; give > 0")
    return chosen
