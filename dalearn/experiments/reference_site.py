"""The land of a stored SURFEX or SODA run: one vegetation type per patch, texture and heights from the attributes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import netCDF4
import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.forcing.series import ForcingSeries
from dalearn.grid import Grid
from dalearn.io import read_values, require
from dalearn.land.parameters import build_parameters
from dalearn.land.state import LandParameters
from dalearn.land.vegetation import VEGETATION_TYPES

logger = logging.getLogger("dalearn")

FORCING_NAMES = ("Tair", "Qair", "PSurf", "DIR_SWdown", "SCA_SWdown", "LWdown", "Rainf", "Snowf", "Wind", "CO2air")
SITE_ATTRIBUTES = ("lat", "lon", "zs", "clay", "sand", "zref", "uref")
HEIGHT_PER_ROUGHNESS = 1.0 / 0.13
TOLERANCE = 1e-6  # relative, of the parameters that a file holds


@dataclass(frozen=True)
class Patches:
    """The patches of a run, in the order of the file.

    ``share`` (cell, patch) fractions; depths and heights (patch,) in m, NaN for those typical of the vegetation type.
    """

    numbers: Sequence[int]
    types: Sequence[str]
    share: np.ndarray
    root_depth: np.ndarray
    soil_depth: np.ndarray
    tree_height: np.ndarray


def site_attributes(source: str, dataset: netCDF4.Dataset) -> dict[str, float]:
    """``SITE_ATTRIBUTES`` of the file; InputError naming the first one that is missing."""
    for name in SITE_ATTRIBUTES:
        if name not in dataset.ncattrs():
            raise InputError(f"{source}: global attribute {name} is missing; give a stored SURFEX or SODA case")
    return {name: float(dataset.getncattr(name)) for name in SITE_ATTRIBUTES}


def read_columns(dataset: netCDF4.Dataset, name: str, index: Any = slice(None), dtype: Any = np.float64) -> np.ndarray:
    """Values ``[time,] [layer,] patch`` of a variable, whatever the order of its last two dimensions in the file."""
    values = read_values(dataset, name, index, dtype)
    dimensions = dataset[name].dimensions
    if "patch" in dimensions and dimensions[-1] != "patch":
        values = np.moveaxis(values, dimensions.index("patch") - len(dimensions), -1)
    return values


def build_site(
    source: str, site: Mapping[str, float], patches: Patches, pedotransfer: str
) -> tuple[Grid, LandParameters]:
    """Grid and parameters of the cells of ``patches.share``, which differ in nothing but the fractions.

    Raises InputError for a vegetation type that is not known and for patches out of order.
    """
    cells, kinds = len(patches.share), len(VEGETATION_TYPES)
    fractions = np.zeros((cells, kinds))
    by_type: dict[str, Any] = {
        name: np.full((cells, kinds), np.nan) for name in ("root_depth", "soil_depth", "tree_height")
    }
    for position, kind in enumerate(patches.types):
        if kind not in VEGETATION_TYPES:
            raise InputError(
                f"{source}: vegtype {kind!r} is not known; the known ones are {', '.join(VEGETATION_TYPES)}"
            )
        index = VEGETATION_TYPES.index(kind)
        fractions[:, index] = patches.share[:, position]
        for name, values in by_type.items():
            values[:, index] = getattr(patches, name)[position]
    try:
        grid, parameters = build_parameters(
            fractions,
            *(np.full(cells, site[name]) for name in ("clay", "sand", "lat", "lon")),
            **by_type,
            pedotransfer=pedotransfer,
            temperature_height=site["zref"],
            wind_height=site["uref"],
        )
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    if grid.patch_of_column.tolist() != [*patches.numbers] * cells:
        raise InputError(
            f"{source}: patch is {[*patches.numbers]} with vegtype {[*patches.types]}; give every patch once, in "
            "ascending order, with a vegetation type that belongs to it"
        )
    return grid, parameters


def stored_depths(dataset: netCDF4.Dataset, count: int) -> dict[str, np.ndarray]:
    """``root_depth``, ``soil_depth`` and ``tree_height`` (patch,) in m from the parameters of the file.

    NaN where the file holds none; patches without roots get the depth of their soil.
    """
    found = {
        name: read_columns(dataset, f"par_{name}") if f"par_{name}" in dataset.variables else np.full(count, np.nan)
        for name in ("DROOT_DIF", "DG2_DIF", "Z0VEG")
    }
    roots = found["DROOT_DIF"]
    return {
        "root_depth": np.where(roots > 0.0, roots, found["DG2_DIF"]),
        "soil_depth": found["DG2_DIF"],
        "tree_height": HEIGHT_PER_ROUGHNESS * found["Z0VEG"],
    }


def check_parameters(source: str, dataset: netCDF4.Dataset, parameters: LandParameters) -> None:
    """Say in the log where the parameters of the file are not those of the model, ``parameters`` of one cell."""
    soil, vegetation = parameters.soil, parameters.vegetation
    water, vegetated = soil.holds_water, vegetation.vegetated
    derived = {
        "par_DG": (soil.layer_bottom, water),
        "par_ROOTFRAC": (torch.cumsum(soil.root_fraction, 0), water & vegetated),
        "par_WSAT": (soil.porosity, water),
        "par_WFC": (soil.field_capacity, water),
        "par_WWILT": (soil.wilting_point, water),
        "par_RUNOFFD": (soil.layer_thickness[0] / soil.runoff_depth_weight[0], torch.ones_like(vegetated)),
        "par_CV": (vegetation.vegetation_heat_capacity, vegetated),
        "par_WRMAX_CF": (vegetation.interception_coefficient, vegetated),
    }
    for name, (ours, where) in derived.items():
        if name not in dataset.variables:
            continue
        stored = read_columns(dataset, name)
        if "patch" not in dataset[name].dimensions:
            stored = stored[:, None]
        difference = np.abs(ours.numpy() - stored)[where.numpy()]
        if not (difference <= TOLERANCE * np.abs(ours.numpy()).max()).all():
            logger.warning("%s: %s differs from that of the model by up to %.3g", source, name, np.max(difference))


def forcing_series(
    source: str, site: Mapping[str, float], start: np.datetime64, step: float, records: Mapping[str, np.ndarray]
) -> ForcingSeries:
    """The forcing of one cell, ``records`` ALMA name -> (record,) float32.

    Raises InputError for an undefined value.
    """
    for name, values in records.items():
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise InputError(f"{source}: forcing {name} is undefined at record {row}; fill it in")
    return ForcingSeries(
        source=source,
        start=start,
        step=int(step),
        latitude=np.array([site["lat"]]),
        longitude=np.array([site["lon"]]),
        altitude=np.array([site["zs"]]),
        temperature_height=np.array([site["zref"]]),
        wind_height=np.array([site["uref"]]),
        records={name: np.asarray(values, np.float32)[:, None] for name, values in records.items()},
    )


def read_records(dataset: netCDF4.Dataset, prefix: str = "", index: Any = slice(None)) -> dict[str, np.ndarray]:
    """``FORCING_NAMES`` of the file and the direction of the wind if it is there, (record,) float32."""
    require(dataset, *(prefix + name for name in FORCING_NAMES))
    names = (*FORCING_NAMES, *(["Wind_DIR"] if f"{prefix}Wind_DIR" in dataset.variables else []))
    return {name: read_values(dataset, prefix + name, index, np.float32) for name in names}


def utc_time(source: str, name: str, text: str) -> np.datetime64:
    """A time like ``1987-05-01 09:00:00 UTC`` of the attribute ``name``."""
    try:
        return np.datetime64(text.removesuffix("UTC").strip().replace(" ", "T"), "s")
    except ValueError:
        raise InputError(f'{source}: attribute {name} is "{text}"; give a UTC time like 1987-05-01 09:00:00') from None
