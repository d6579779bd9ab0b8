"""The cells of an experiment: from a surface map or from the configuration to a grid and land parameters.

A surface map is a netCDF file with dims (cell, vegetation_type): ``fraction``, ``clay``, ``sand``, ``latitude``,
``longitude``, the coordinate ``vegetation_type`` and, where known, ``altitude``, ``root_depth``, ``soil_depth``,
``tree_height`` and station names ``name``.  Some options need more: ``cell_size``, the topographic indices, the
albedos and the ``leaf_area_index`` of every ten days; the group ``overrides`` replaces parameters (docs/formats.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.experiments.sections import CellConfig, LandConfig
from dalearn.grid import Grid
from dalearn.io import read_values, reading, require
from dalearn.land.albedo_cycle import ALBEDO_MAPS
from dalearn.land.overrides import KNOWN_NAMES
from dalearn.land.parameters import DECADES, build_parameters
from dalearn.land.state import LandParameters
from dalearn.land.topmodel import TOPOGRAPHY_MAPS, TopographicIndex
from dalearn.land.vegetation import VEGETATION_TYPES

TYPE_FIELDS = ("root_depth", "soil_depth", "tree_height")
POSITION_TOLERANCE = 0.02  # degrees


@dataclass(frozen=True)
class Surface:
    """Land cover and soil of the cells.

    Shapes: ``fraction`` and the three depths (cell, 19) in the order of ``VEGETATION_TYPES``, m, NaN = typical of
    the type; the others (cell,), ``name`` "" where the cell has no station.  Optional: ``cell_size`` (cell,) km,
    ``topographic_index``, ``albedo_maps`` (cell, 36) or (cell, 19, 36), and ``overrides``, parameters by name.
    ``leaf_area_index`` (cell, 19, 36) m2 m-2, NaN for types that a cell lacks, None where not given.
    ``altitude`` (cell,) m, NaN where unknown.
    """

    source: str
    latitude: np.ndarray
    longitude: np.ndarray
    fraction: np.ndarray
    clay: np.ndarray
    sand: np.ndarray
    root_depth: np.ndarray
    soil_depth: np.ndarray
    tree_height: np.ndarray
    name: tuple[str, ...]
    cell_size: np.ndarray | None = None
    topographic_index: TopographicIndex | None = None
    albedo_maps: dict[str, np.ndarray] | None = None
    overrides: dict[str, np.ndarray] = field(default_factory=dict)
    leaf_area_index: np.ndarray | None = None
    altitude: np.ndarray | None = None

    @property
    def cell_count(self) -> int:
        return len(self.latitude)

    def parameters(self, land: LandConfig) -> tuple[Grid, LandParameters]:
        """The columns and their parameters, float64, forcing heights aside; InputError for values out of range and
        for an option whose maps are absent."""
        prescribed = land.photosynthesis in ("AST", "NON")
        if prescribed and self.leaf_area_index is None:
            raise InputError(
                f"{self.source}: leaf_area_index is missing; land.photosynthesis {land.photosynthesis} does not grow "
                "leaves: give it by cell, vegetation_type and decade (36 a year), or choose NIT"
            )
        try:
            if land.albedo == "CM13" and self.albedo_maps is None:
                raise InputError(f"land.albedo CM13 needs {', '.join(ALBEDO_MAPS)} (cell, decade); add them")
            if land.runoff == "SGH" and self.topographic_index is None:
                raise InputError(f"land.runoff SGH needs {', '.join(TOPOGRAPHY_MAPS)} (cell); add them")
            return build_parameters(
                self.fraction,
                self.clay,
                self.sand,
                self.latitude,
                self.longitude,
                root_depth=self.root_depth,
                soil_depth=self.soil_depth,
                tree_height=self.tree_height,
                leaf_area_index=self.leaf_area_index if prescribed else None,
                pedotransfer=land.pedotransfer,
                minimum_patch_fraction=land.minimum_patch_fraction,
                co2=land.co2,
                overrides=self.overrides,
                albedo_maps=self.albedo_maps if land.albedo == "CM13" else None,
                topographic_index=self.topographic_index if land.runoff == "SGH" else None,
                cell_size=self.cell_size,
            )
        except InputError as error:
            raise InputError(f"{self.source}: {error}") from error

    def check_positions(
        self, source: str, latitude: np.ndarray, longitude: np.ndarray, cells: slice = slice(None)
    ) -> None:
        """InputError unless the cells of another file are these ``cells``, within 0.02 degree."""
        first, last, _ = cells.indices(self.cell_count)
        if len(latitude) != last - first:
            raise InputError(
                f"{source}: has {len(latitude)} cells, the surface ({self.source}) has {last - first}; "
                "give files for the same cells"
            )
        apart = np.abs((np.asarray(longitude) - self.longitude[cells] + 180.0) % 360.0 - 180.0)
        apart = np.maximum(apart, np.abs(np.asarray(latitude) - self.latitude[cells]))
        if (apart > POSITION_TOLERANCE).any():
            cell = int(np.argmax(apart))
            raise InputError(
                f"{source}: cell {first + cell} is at {latitude[cell]:.3f} {longitude[cell]:.3f}, the surface "
                f"({self.source}) has it at {self.latitude[first + cell]:.3f} {self.longitude[first + cell]:.3f}; "
                "order the cells alike"
            )


def surface_of_cells(source: str, cells: Sequence[CellConfig]) -> Surface:
    """The surface written out in a configuration; ``source`` names it in messages."""
    fraction = np.zeros((len(cells), len(VEGETATION_TYPES)))
    for row, cell in enumerate(cells):
        for name, share in cell.vegetation.items():
            if name not in VEGETATION_TYPES:
                known = ", ".join(VEGETATION_TYPES)
                raise InputError(f"{source}: surface.cells[{row}].vegetation: unknown type {name}; known are {known}")
            fraction[row, VEGETATION_TYPES.index(name)] = share

    def of_types(name: str) -> np.ndarray:
        values = [np.nan if getattr(cell, name) is None else getattr(cell, name) for cell in cells]
        return np.repeat(np.array(values, dtype=np.float64)[:, None], len(VEGETATION_TYPES), axis=1)

    def of_cells(name: str) -> np.ndarray:
        return np.array([getattr(cell, name) for cell in cells], dtype=np.float64)

    given = [cell.leaf_area_index for cell in cells]
    leaf_area = None
    if any(values is not None for values in given):
        leaf_area = np.full((*fraction.shape, DECADES), np.nan)
        for row, values in enumerate(given):
            leaf_area[row] = np.nan if values is None else values

    return Surface(
        source=source,
        leaf_area_index=leaf_area,
        fraction=fraction,
        name=tuple(cell.name for cell in cells),
        latitude=of_cells("latitude"),
        longitude=of_cells("longitude"),
        clay=of_cells("clay"),
        sand=of_cells("sand"),
        altitude=of_cells("altitude"),
        root_depth=of_types("root_depth"),
        soil_depth=of_types("soil_depth"),
        tree_height=of_types("tree_height"),
    )


def read_surface(path: Path) -> Surface:
    """The surface map in ``path``; InputError naming what is missing or undefined."""
    with reading(path) as file:
        require(file, "vegetation_type", "fraction", "clay", "sand", "latitude", "longitude")
        types = [str(name).strip() for name in file["vegetation_type"][:]]
        if sorted(types) != sorted(VEGETATION_TYPES):
            raise InputError(f"{path}: vegetation_type must be {' '.join(VEGETATION_TYPES)}, in any order")
        order = [types.index(name) for name in VEGETATION_TYPES]
        values = {name: read_values(file, name) for name in ("latitude", "longitude", "clay", "sand", "fraction")}
        for name, array in values.items():
            if not np.isfinite(array).all():
                raise InputError(f"{path}: {name} is undefined in cell {np.argwhere(~np.isfinite(array))[0][0]}")
        undefined = np.full_like(values["fraction"], np.nan)
        by_type = {name: read_values(file, name) if name in file.variables else undefined for name in TYPE_FIELDS}
        optional = _options(file, order)
        names = [str(name) for name in file["name"][:]] if "name" in file.variables else [""] * len(values["clay"])
    fraction = values.pop("fraction")[:, order]
    by_type = {name: array[:, order] for name, array in by_type.items()}
    fields: dict[str, Any] = {**values, **by_type, **optional}
    return Surface(source=str(path), name=tuple(names), fraction=fraction, **fields)


def _options(file: netCDF4.Dataset, order: list[int]) -> dict[str, Any]:
    """The fields of ``Surface`` that some options need, from what the file has of them."""
    options: dict[str, Any] = {"overrides": _overrides(file, order)}
    if "leaf_area_index" in file.variables:
        options["leaf_area_index"] = _in_order(file, "leaf_area_index", order)
    for name in ("cell_size", "altitude"):
        if name in file.variables:
            options[name] = read_values(file, name)
    if any(name in file.variables for name in TOPOGRAPHY_MAPS):
        indices = {key: read_values(file, name) for name, key in TOPOGRAPHY_MAPS.items()}
        options["topographic_index"] = TopographicIndex(**indices)
    if any(name in file.variables for name in ALBEDO_MAPS):
        options["albedo_maps"] = {name: _in_order(file, name, order) for name in ALBEDO_MAPS}
    return options


def _overrides(file: netCDF4.Dataset, order: list[int]) -> dict[str, np.ndarray]:
    if "overrides" not in file.groups:
        return {}
    group = file.groups["overrides"]
    unknown = [name for name in group.variables if name not in KNOWN_NAMES]
    if unknown:
        raise InputError(
            f"{file.filepath()}: overrides/{unknown[0]} is no parameter; known are {', '.join(KNOWN_NAMES)}"
        )
    return {name: _in_order(group, name, order) for name in group.variables}


def _in_order(file: netCDF4.Dataset, name: str, order: list[int]) -> np.ndarray:
    """A variable with dims (cell, ...), its vegetation types in the order of ``VEGETATION_TYPES``."""
    values = read_values(file, name)
    dimensions = file[name].dimensions
    if dimensions[:1] != ("cell",):
        raise InputError(f"{file.filepath()}: {name} has dims {dimensions}; give (cell), (cell, vegetation_type), ...")
    return values[:, order] if dimensions[1:2] == ("vegetation_type",) else values
