"""Copernicus Global Land soil water index, 1 km (CEURO) and 12.5 km (global): % of saturation for several T.

``time_scale`` chooses the T in days.  QFLAG is the share (%) of the measurements that the filter could have had;
``valid_fraction`` of them are needed.  SSF is the state of the surface.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.observations.account import Account, reject
from dalearn.observations.ascat import SURFACE_STATES
from dalearn.observations.cgls_soil_moisture import check_is_soil_moisture, masked, percent
from dalearn.observations.nearest import NearestCells
from dalearn.observations.packed import find, raw
from dalearn.observations.raster import PixelReader, Pixels
from dalearn.observations.raster_grid import RasterGrid
from dalearn.observations.raster_series import raster_samples
from dalearn.observations.request import ProductRequest
from dalearn.observations.samples import Samples

_LAYER = re.compile(r"SWI_?(\d{1,3})", re.IGNORECASE)


def read_cgls_swi(
    request: ProductRequest, files: Sequence[Path], cells: NearestCells, account: Account
) -> Iterator[Samples]:
    """Samples of the index for the T of the request, as SSM in % of saturation.  The product has no errors."""
    check_is_soil_moisture(request)

    def layer_of(dataset: netCDF4.Dataset) -> str:
        found = {int(match[1]): name for name in dataset.variables if (match := _LAYER.fullmatch(name))}
        if request.time_scale not in found:
            held = ", ".join(str(number) for number in sorted(found)) or "none"
            raise InputError(
                f"{dataset.filepath()}: variable SWI_{request.time_scale:03d} is missing; set time_scale of "
                f"{request.name} to one of the T of the file ({held})"
            )
        return found[request.time_scale]

    def pixels_of(dataset: netCDF4.Dataset, grid: RasterGrid, layer: str, step: int | None) -> PixelReader:
        return lambda rows, columns: _pixels(
            request, account, dataset, layer, (rows, columns) if step is None else (step, rows, columns)
        )

    yield from raster_samples(request, files, cells, account, layer_of, percent, pixels_of)


def _pixels(request: ProductRequest, account: Account, dataset: netCDF4.Dataset, layer: str, index: tuple) -> Pixels:
    shape = tuple(part.stop - part.start for part in index[-2:])
    rejected = np.zeros(shape, np.int8)
    value = masked(account, dataset, layer, index, rejected)
    state = find(dataset, "SSF")
    if state is not None:
        numbers = raw(dataset, state, index)
        for number, reason in SURFACE_STATES.items():
            reject(rejected, numbers == number, account.code(reason))
    quality = find(dataset, re.sub("SWI", "QFLAG", layer, flags=re.IGNORECASE))
    if quality is not None:
        share = masked(account, dataset, quality, index, np.ones(shape, np.int8))
        reject(rejected, share < 100.0 * request.valid_fraction, account.code("few_measurements"))
    return Pixels(value, None, rejected)
