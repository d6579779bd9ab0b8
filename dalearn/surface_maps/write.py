"""The file of a surface map (docs/formats.md)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dalearn.io import create_cells, create_variable, writing
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.surface_maps.build import SurfaceMaps

_ATTRIBUTES = {
    "fraction": {"units": "1", "long_name": "share of the vegetation type in the land of the cell"},
    "clay": {"units": "1", "standard_name": "volume_fraction_of_clay_in_soil", "long_name": "clay fraction"},
    "sand": {"units": "1", "standard_name": "volume_fraction_of_sand_in_soil", "long_name": "sand fraction"},
    "altitude": {"units": "m", "standard_name": "surface_altitude", "long_name": "mean altitude of the land"},
    "cell_size": {"units": "km", "long_name": "square root of the area of the cell"},
    "water_fraction": {"units": "1", "long_name": "share of water in the cell, not in fraction"},
    "urban_fraction": {"units": "1", "long_name": "share of urban areas in the cell, not in fraction"},
    "tree_height": {"units": "m", "long_name": "height of the trees"},
}


def write_surface(path: Path, maps: SurfaceMaps, attributes: Mapping[str, Any]) -> None:
    """Write the map whole or not at all; InputError when the file cannot be written."""
    account = "; ".join(f"{reason}: {number}" for reason, number in maps.counts.items())
    with writing(path, {**attributes, "cells": account}) as dataset:
        create_cells(dataset, maps.latitude, maps.longitude)
        dataset.createDimension("vegetation_type", len(VEGETATION_TYPES))
        types = dataset.createVariable("vegetation_type", str, ("vegetation_type",))
        types[:] = np.array(VEGETATION_TYPES, dtype=object)
        for name, described in _ATTRIBUTES.items():
            values = getattr(maps, name)
            if values is not None:
                dimensions = ("cell", "vegetation_type")[: values.ndim]
                create_variable(dataset, name, dimensions, "f8", attributes=described)[:] = values
        if maps.overrides:
            group = dataset.createGroup("overrides")
            for name, values in maps.overrides.items():
                create_variable(group, name, ("cell",), "f8", attributes={"units": "1"})[:] = values
