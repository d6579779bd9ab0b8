"""What covers the cells: vegetation types, water and urban areas, from classes or from maps of fractions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.surface_maps.aggregate import ClassMap, Counted, Quantity, cell_means
from dalearn.surface_maps.legends import COVERS, LEGENDS, types_of_covers
from dalearn.surface_maps.raster import open_map, raster, unit_factor
from dalearn.surface_maps.target import TargetGrid

OWN_NAMES = {
    "esa_cci": ("lccs_class",),
    "cgls_lc100": ("discrete_classification", "Discrete-Classification-map"),
}
SHARED_NAMES = ("land_cover", "Band1")
FRACTION_UNITS = {"1": 1.0, "fraction": 1.0, "%": 0.01}
SUM_TOLERANCE = 0.02


@dataclass(frozen=True, eq=False)
class Cover:
    """Shares of the cells.

    ``types`` (cell, 19), ``water`` and ``urban`` (cell,) sum to 1 where anything is known; ``known`` (cell,) is the
    share of the pixels that say something.  ``land`` and ``forest`` tell where land and forest are, None where the
    source has no classes.
    """

    types: np.ndarray
    water: np.ndarray
    urban: np.ndarray
    known: np.ndarray
    land: Counted | None = None
    forest: Counted | None = None


@contextmanager
def open_cover(path: Path, classes: str, target: TargetGrid, c4_crop_fraction: float | None) -> Iterator[Cover]:
    """The cover of the cells from ``path``, which stays open for its masks."""
    with open_map(path) as dataset:
        if classes == "ecoclimap":
            yield _cover_of_fractions(path, dataset, target)
        else:
            yield _cover_of_classes(path, dataset, classes, target, c4_crop_fraction)


def _cover_of_classes(
    path: Path, dataset: netCDF4.Dataset, classes: str, target: TargetGrid, c4_crop_fraction: float | None
) -> Cover:
    legend = LEGENDS[classes]
    source = raster(path, dataset, (*OWN_NAMES[classes], *SHARED_NAMES))
    other = next((name for name, names in OWN_NAMES.items() if name != classes and source.variable.name in names), None)
    if other is not None:
        raise InputError(
            f"{source.label} has the classes of {other}; set prepare.surface.classes to {other}, not {classes}"
        )
    if not source.is_finer_than(target):
        raise InputError(
            f"{source.label}: its pixels of {source.spacing[0]:g} degrees are larger than the cells; take a finer map "
            "or larger cells in prepare.surface.grid"
        )
    source.check_covers(target)
    places = ClassMap(source, legend)
    counts = places.counts(target)
    pixels, known = counts.sum(axis=1), counts[:, ~legend.no_data].sum(axis=1)
    shares = counts / np.maximum(known, 1)[:, None]
    covers = shares @ legend.covers
    latitude, _ = target.cells()
    return Cover(
        types=types_of_covers(covers, latitude, c4_crop_fraction),
        water=covers[:, COVERS.index("water")],
        urban=covers[:, COVERS.index("urban")],
        known=known / np.maximum(pixels, 1),
        land=places.where(legend.land),
        forest=places.where(legend.forest),
    )


def _cover_of_fractions(path: Path, dataset: netCDF4.Dataset, target: TargetGrid) -> Cover:
    if "fraction" not in dataset.variables or "vegetation_type" not in dataset.variables:
        raise InputError(
            f"{path}: fraction (vegetation_type, latitude, longitude) or its coordinate vegetation_type is missing; "
            "prepare.surface.classes ecoclimap needs them"
        )
    names = [str(name).strip() for name in dataset["vegetation_type"][:]]
    if sorted(names) != sorted(VEGETATION_TYPES):
        raise InputError(f"{path}: vegetation_type must be {' '.join(VEGETATION_TYPES)}, in any order")

    def means(variable: str, layer: tuple[str, int] | None = None) -> np.ndarray:
        source = raster(path, dataset, (variable,), layer)
        return cell_means([Quantity(source, unit_factor(source, FRACTION_UNITS), 0.0, 1.0)], target)[0]

    dimension = dataset["vegetation_type"].dimensions[0]
    types = np.stack([means("fraction", (dimension, names.index(name))) for name in VEGETATION_TYPES], axis=1)
    water, urban = (
        means(name) if name in dataset.variables else np.zeros(target.cell_count)
        for name in ("water_fraction", "urban_fraction")
    )
    total = types.sum(axis=1) + water + urban
    known = np.isfinite(total)
    wrong = known & (np.abs(total - 1.0) > SUM_TOLERANCE)
    if wrong.any():
        cell = int(np.argmax(wrong))
        latitude, longitude = (axis[cell] for axis in target.cells())
        raise InputError(
            f"{path}: fraction, water_fraction and urban_fraction sum to {total[cell]:.3f} around {latitude:.4f} "
            f"{longitude:.4f}; they must sum to 1"
        )
    scale = np.where(known, total, 1.0)
    types, water, urban = (np.nan_to_num(array) for array in (types / scale[:, None], water / scale, urban / scale))
    return Cover(types, water, urban, known.astype(np.float64))
