"""The cells of an experiment: from a surface map or from the configuration to a grid and land parameters.

A surface map is a netCDF file with dims (cell, vegetation_type): ``fraction``, ``clay``, ``sand``, ``latitude``,
``longitude``, the coordinate ``vegetation_type`` and, where known, ``altitude``, ``root_depth``, ``soil_depth``,
``tree_height`` and station names ``name``.  ``leaf_area_index`` (cell, vegetation_type, decade), 36 decades, is what a
model that does not grow leaves follows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dalearn.errors import InputError
from dalearn.experiments.sections import CellConfig, LandConfig
from dalearn.grid import Grid
from dalearn.io import read_values, reading, require
from dalearn.land.parameters import DECADES, build_parameters
from dalearn.land.state import LandParameters
from dalearn.land.vegetation import VEGETATION_TYPES

TYPE_FIELDS = ("root_depth", "soil_depth", "tree_height")
POSITION_TOLERANCE = 0.02  # degrees


@dataclass(frozen=True)
class Surface:
    """Land cover and soil of the cells.

    Shapes: ``fraction`` and the three depths (cell, 19) in the order of ``VEGETATION_TYPES``, m, NaN = typical of
    the type; ``leaf_area_index`` (cell, 19, 36) m2 m-2, NaN for types that a cell lacks, None where not given; the
    others (cell,), ``name`` "" where the cell has no station.
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
    leaf_area_index: np.ndarray | None = None

    @property
    def cell_count(self) -> int:
        return len(self.latitude)

    def parameters(self, land: LandConfig) -> tuple[Grid, LandParameters]:
        """The columns and their parameters, float64, forcing heights aside; InputError for values out of range."""
        prescribed = land.photosynthesis in ("AST", "NON")
        if prescribed and self.leaf_area_index is None:
            raise InputError(
                f"{self.source}: leaf_area_index is missing; land.photosynthesis {land.photosynthesis} does not grow "
                "leaves: give it by cell, vegetation_type and decade (36 a year), or choose NIT"
            )
        try:
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
            )
        except InputError as error:
            raise InputError(f"{self.source}: {error}") from error

    def check_positions(self, source: str, latitude: np.ndarray, longitude: np.ndarray) -> None:
        """InputError unless the cells of another file are these cells, within 0.02 degree."""
        if len(latitude) != self.cell_count:
            raise InputError(
                f"{source}: has {len(latitude)} cells, the surface ({self.source}) has {self.cell_count}; "
                "give files for the same cells"
            )
        apart = np.abs((np.asarray(longitude) - self.longitude + 180.0) % 360.0 - 180.0)
        apart = np.maximum(apart, np.abs(np.asarray(latitude) - self.latitude))
        if (apart > POSITION_TOLERANCE).any():
            cell = int(np.argmax(apart))
            raise InputError(
                f"{source}: cell {cell} is at {latitude[cell]:.3f} {longitude[cell]:.3f}, the surface ({self.source}) "
                f"has it at {self.latitude[cell]:.3f} {self.longitude[cell]:.3f}; order the cells alike"
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
        **{name: of_cells(name) for name in ("latitude", "longitude", "clay", "sand")},
        **{name: of_types(name) for name in TYPE_FIELDS},
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
        leaf_area = read_values(file, "leaf_area_index")[:, order] if "leaf_area_index" in file.variables else None
        names = [str(name) for name in file["name"][:]] if "name" in file.variables else [""] * len(values["clay"])
    fraction = values.pop("fraction")[:, order]
    by_type = {name: array[:, order] for name, array in by_type.items()}
    return Surface(
        source=str(path), name=tuple(names), fraction=fraction, leaf_area_index=leaf_area, **values, **by_type
    )
