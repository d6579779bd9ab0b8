"""Maps on regular grids, as files that a user downloads have them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

PIXEL = 0.05
LATITUDES = 44.2 - PIXEL * (np.arange(28) + 0.5)  # from north to south, as most maps
LONGITUDES = -0.2 + PIXEL * (np.arange(28) + 0.5)
GRID = {"latitude": [43.25, 43.75, 0.5], "longitude": [0.25, 0.75, 0.5]}  # 2 x 2 cells of 10 x 10 pixels

Field = tuple[Any, Mapping[str, Any]]


def write_map(
    path: Path,
    fields: Mapping[str, Field],
    latitude: np.ndarray = LATITUDES,
    longitude: np.ndarray = LONGITUDES,
    *,
    names: tuple[str, str] = ("lat", "lon"),
    transposed: bool = False,
    time: bool = False,
    chunks: tuple[int, int] | None = None,
) -> Path:
    """``fields``: name -> (values that fill (latitude, longitude), attributes)."""
    with netCDF4.Dataset(path, "w") as file:
        for name, axis in zip(names, (latitude, longitude), strict=True):
            file.createDimension(name, len(axis))
            file.createVariable(name, "f8", (name,))[:] = axis
        dimensions = names[::-1] if transposed else names
        if time:
            file.createDimension("time", 1)
            dimensions = ("time", *dimensions)
        for name, (values, attributes) in fields.items():
            values = np.asarray(values)
            kind = values.dtype if values.dtype.kind in "iu" and values.dtype.itemsize < 8 else "f4"
            attributes = dict(attributes)
            variable = file.createVariable(
                name, kind, dimensions, fill_value=attributes.pop("_FillValue", None), zlib=chunks is not None,
                chunksizes=chunks,
            )  # fmt: skip
            variable.set_auto_maskandscale(False)
            variable.setncatts(attributes)
            whole = np.broadcast_to(values, (len(latitude), len(longitude)))
            variable[:] = (whole.T if transposed else whole)[None] if time else (whole.T if transposed else whole)
    return path


def land_cover() -> np.ndarray:
    """ESA-CCI classes whose shares in the 2 x 2 cells are plain.

    South-west crops; south-east half broadleaf forest, half grass; north-west 30 % water, the rest crops; north-east
    10 % urban, the rest needleleaf forest.  Crops around them.
    """
    classes = np.full((len(LATITUDES), len(LONGITUDES)), 10, np.uint8)
    classes[14:24, 14:19], classes[14:24, 19:24] = 60, 130
    classes[4:7, 4:14] = 210
    classes[4:14, 14:24] = 70
    classes[4:5, 14:24] = 190
    return classes


def write_maps(folder: Path) -> dict[str, Path]:
    """The maps of ``land_cover`` with texture and altitude, by their key in ``prepare.surface``."""
    folder.mkdir(exist_ok=True)
    return {
        "land_cover": write_map(
            folder / "cover.nc", {"lccs_class": (land_cover(), {"_FillValue": 0})}, time=True, chunks=(1, 7, 28)
        ),
        "texture": write_map(folder / "texture.nc", {"clay": (25.0, {"units": "%"}), "sand": (40.0, {"units": "%"})}),
        "altitude": write_map(folder / "dem.nc", {"elevation": (200.0, {"units": "m"})}),
    }
