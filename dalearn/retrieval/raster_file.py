"""Rasters of backscatter, NDVI and incidence -> a raster of soil moisture, which ``dalearn prepare`` puts on cells.

A file in netCDF holds ``sigma0_VV`` and ``sigma0_VH`` (dB; what the inversion needs), ``NDVI`` and ``incidence_angle``
(degrees), each (time, row, column) or (row, column), on axes in degrees or UTM.  The result is of the format
``sentinel1_raster`` (docs/observations.md): ``SSM`` and ``SSM_error`` in m3 m-3 and ``quality``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.io import create_time, create_variable, reading, seconds, writing
from dalearn.observations.packed import decoded, find, need
from dalearn.observations.raster_grid import RasterGrid, read_grid
from dalearn.observations.raster_series import times_of
from dalearn.retrieval.aggregate import block_numbers, plot_means
from dalearn.retrieval.inversion import CLASSES, QUALITY, Inversion

NAMES = {"incidence_angle": ("incidence_angle", "incidence", "theta")}
CLASS_LAYER = "a_priori_class"
PIXELS_AT_ONCE = 250_000  # some 150 MB in the hidden layer
HIGHEST_MEDIAN = 0.0  # dB; above, values are linear or not backscatter


def retrieve_raster(
    inversion: Inversion,
    source: Path,
    target: Path,
    *,
    block: int = 1,
    a_priori: str = "none",
    attributes: Mapping[str, Any] | None = None,
) -> dict[str, int]:
    """Retrieve the moisture of ``source`` and write ``target``, whole or not at all; returns how many of each quality.

    ``block``: average so many by so many pixels first (10 makes 100 m of 10 m).  ``a_priori``: class of all pixels, or
    ``file`` to take it from the variable ``a_priori_class`` (0 none, 1 dry, 2 wet; not averaged, so with ``block`` 1).

    Raises ``InputError`` for missing variables, other grids in one file, linear power, or nothing retrieved.
    """
    if block < 1 or (a_priori == "file" and block > 1):
        raise InputError(f"block is {block}: take 1 or more, and 1 with an a-priori class from the file")
    if a_priori not in (*CLASSES, "file"):
        raise InputError(f"a_priori is {a_priori!r}: use {', '.join(CLASSES)} or file")
    with reading(source) as dataset:
        layers = {name: need(dataset, *NAMES.get(name, (name,))) for name in inversion.predictors}
        known = need(dataset, CLASS_LAYER) if a_priori == "file" else None
        main = layers[inversion.predictors[0]]
        grid, times = read_grid(dataset, main), times_of(source, dataset, main)
        for layer in (*layers.values(), *([known] if known else [])):
            if dataset[layer].shape[-2:] != (len(grid.y), len(grid.x)) or dataset[layer].ndim > 3:
                raise InputError(f"{source}: {layer} is not on the pixels of {main}; bring all to one grid first")
            if dataset[layer].ndim == 3 and dataset[layer].shape[0] != len(times):
                raise InputError(
                    f"{source}: {layer} has other times than {main}; give one field per time or one for all"
                )
        if min(len(grid.y), len(grid.x)) < 2 * block:
            raise InputError(f"{source}: {main} has {len(grid.y)} by {len(grid.x)} pixels; block {block} leaves none")
        with writing(target, {"title": "surface soil moisture of plots", **(attributes or {})}) as result:
            _lay_out(result, dataset, main, grid, block)
            counts = np.zeros(len(QUALITY), np.int64)
            for step, time in enumerate(times):
                result["time"][step] = seconds(np.array([time]))[0]
                for rows in _bands(grid, block):
                    fields = {name: _field(dataset, layer, step, rows) for name, layer in layers.items()}
                    _check_units(source, layers, fields)
                    fields = _averaged(fields, block) if block > 1 else fields
                    stack = torch.from_numpy(np.stack(list(fields.values()), axis=-1))
                    number = _classes(dataset, known, step, rows, a_priori, stack.shape[:-1])
                    moisture, error, code = inversion(stack, number)
                    band = slice(rows.start // block, rows.start // block + len(stack))
                    for name, values in (("SSM", moisture), ("SSM_error", error), ("quality", code)):
                        result[name][step, band] = values.numpy()
                    counts += np.bincount(code.numpy().ravel(), minlength=len(QUALITY))
            if not counts[0]:
                told = ", ".join(f"{count} {name}" for name, count in zip(QUALITY, counts, strict=True) if count)
                raise InputError(f"{source}: no pixel gives a soil moisture ({told}); check units and ranges")
    return dict(zip(QUALITY, counts.tolist(), strict=True))


def _bands(grid: RasterGrid, block: int) -> list[slice]:
    height = max(PIXELS_AT_ONCE // len(grid.x) // block, 1) * block
    last = len(grid.y) // block * block
    return [slice(first, min(first + height, last)) for first in range(0, last, height)]


def _field(dataset: netCDF4.Dataset, layer: str, step: int, rows: slice) -> np.ndarray:
    return decoded(dataset, layer, (rows,) if dataset[layer].ndim == 2 else (step, rows)).astype(np.float64)


def _check_units(source: Path, layers: dict[str, str], fields: dict[str, np.ndarray]) -> None:
    for name, layer in layers.items():
        finite = fields[name][np.isfinite(fields[name])]
        if name.startswith("sigma0") and len(finite) and np.median(finite) > HIGHEST_MEDIAN:
            raise InputError(f"{source}: {layer} looks like linear power; take 10 log10 of it")


def _averaged(fields: dict[str, np.ndarray], block: int) -> dict[str, np.ndarray]:
    rows, columns = next(iter(fields.values())).shape
    shape = rows // block, columns // block
    numbers = block_numbers(rows, columns, block).ravel()
    means = plot_means({name: field.reshape(1, -1) for name, field in fields.items()}, numbers, shape[0] * shape[1])
    return {name: mean.reshape(shape) for name, mean in means.items()}


def _classes(
    dataset: netCDF4.Dataset, known: str | None, step: int, rows: slice, a_priori: str, shape: torch.Size
) -> torch.Tensor:
    """(row, column) numbers of the a-priori classes; a pixel without one has ``none``."""
    if known is None:
        return torch.full(shape, CLASSES.index(a_priori), dtype=torch.int64)
    return torch.from_numpy(np.nan_to_num(_field(dataset, known, step, rows)).astype(np.int64))


def _lay_out(result: netCDF4.Dataset, source: netCDF4.Dataset, main: str, grid: RasterGrid, block: int) -> None:
    result.createDimension("time", None)
    create_time(result, "time")
    names = source[main].dimensions[-2:]
    for name, axis in zip(names, (grid.y, grid.x), strict=True):
        centres = axis[: len(axis) // block * block].reshape(-1, block).mean(axis=1)
        result.createDimension(name, len(centres))
        kept = {key: value for key, value in source[name].__dict__.items() if key in ("units", "standard_name", "axis")}
        create_variable(result, name, (name,), "f8", attributes=kept)[:] = centres
    mapping = str(getattr(source[main], "grid_mapping", "")).split(":")[0].strip()
    shared = {}
    if mapping and find(source, mapping) == mapping:
        result.createVariable(mapping, "i4").setncatts(source[mapping].__dict__)
        shared = {"grid_mapping": mapping}
    for name, meaning in (("SSM", "surface soil moisture"), ("SSM_error", "standard deviation of the error of SSM")):
        described = {"long_name": meaning, "units": "m3 m-3", **shared}
        create_variable(result, name, ("time", *names), "f4", attributes=described)
    flags = {"flag_values": np.arange(len(QUALITY), dtype=np.int8), "flag_meanings": " ".join(QUALITY), **shared}
    create_variable(result, "quality", ("time", *names), "i1", attributes=flags)
