"""Copernicus Global Land surface soil moisture, 1 km, from Sentinel-1: % of saturation once a day."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import netCDF4
import numpy as np

from dalearn.observations.account import Account
from dalearn.observations.cgls_soil_moisture import check_is_soil_moisture, masked, percent
from dalearn.observations.nearest import NearestCells
from dalearn.observations.packed import find, need
from dalearn.observations.raster import PixelReader, Pixels
from dalearn.observations.raster_grid import RasterGrid
from dalearn.observations.raster_series import raster_samples
from dalearn.observations.request import ProductRequest
from dalearn.observations.samples import Samples


def read_cgls_ssm(
    request: ProductRequest, files: Sequence[Path], cells: NearestCells, account: Account
) -> Iterator[Samples]:
    """Samples of SSM in % of saturation, the error from the noise layer; the stamp of the file stands for the day."""
    check_is_soil_moisture(request)

    def pixels_of(dataset: netCDF4.Dataset, grid: RasterGrid, layer: str, step: int | None) -> PixelReader:
        return lambda rows, columns: _pixels(
            account, dataset, layer, (rows, columns) if step is None else (step, rows, columns)
        )

    yield from raster_samples(request, files, cells, account, lambda dataset: need(dataset, "ssm"), percent, pixels_of)


def _pixels(account: Account, dataset: netCDF4.Dataset, layer: str, index: tuple) -> Pixels:
    shape = tuple(part.stop - part.start for part in index[-2:])
    rejected = np.zeros(shape, np.int8)
    value = masked(account, dataset, layer, index, rejected)
    noise = find(dataset, "ssm_noise")
    error = masked(account, dataset, noise, index, np.ones(shape, np.int8)) if noise else None
    return Pixels(value, error, rejected)
