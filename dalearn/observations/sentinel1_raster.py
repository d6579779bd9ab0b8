"""Soil moisture maps of agricultural plots from Sentinel-1 (S2MP and the like), netCDF, some 100 m or finer.

S2MP (El Hajj et al. 2017, doi:10.3390/rs9121292) holds 5 times the moisture in vol.% as bytes, 0 where there is no
estimate: give it ``scale_factor`` 0.2 and units ``vol.%`` when it is written to netCDF.  With ``land_cover`` only the
pixels of some classes count, crops and grass by default.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.observations.account import Account, reject
from dalearn.observations.land_cover_filter import LandCoverFilter
from dalearn.observations.nearest import NearestCells
from dalearn.observations.packed import decoded, fills, find, need, raw, units_of
from dalearn.observations.raster import LAND_COVER, PixelReader, Pixels
from dalearn.observations.raster_grid import RasterGrid
from dalearn.observations.raster_series import raster_samples
from dalearn.observations.request import ProductRequest
from dalearn.observations.samples import Samples

LAYERS = ("SSM", "soil_moisture", "surface_soil_moisture", "sm", "mv", "Band1")
VOLUME_PERCENT = ("vol.%", "vol. %", "vol%", "vol %", "%vol", "% vol", "volumetric %", "volumetric percent")


def read_sentinel1_raster(
    request: ProductRequest, files: Sequence[Path], cells: NearestCells, account: Account
) -> Iterator[Samples]:
    """Samples of SSM in m3 m-3 (vol.% is divided by 100), or in % of saturation as given."""
    if request.quantity != "SSM":
        raise InputError(
            f"prepare.observations.{request.name}.quantity: sentinel1_raster holds SSM, not {request.quantity}"
        )
    cover = None
    if request.land_cover is not None:
        cover = LandCoverFilter(Path(request.land_cover), request.land_cover_classes)

    def pixels_of(dataset: netCDF4.Dataset, grid: RasterGrid, layer: str, step: int | None) -> PixelReader:
        def read(rows: slice, columns: slice) -> Pixels:
            index = (rows, columns) if step is None else (step, rows, columns)
            pixels = _pixels(account, dataset, layer, index)
            if cover is not None:
                other = ~cover.wanted(grid, rows, columns)
                pixels.rejected[other] = account.code(LAND_COVER)
            return pixels

        return read

    yield from raster_samples(request, files, cells, account, lambda dataset: need(dataset, *LAYERS), _units, pixels_of)


def _units(dataset: netCDF4.Dataset, layer: str) -> str:
    given = units_of(dataset, layer)
    if not given:
        raise InputError(
            f"{dataset.filepath()}: {layer} has no units; set them (m3 m-3, vol.% or % of saturation), for S2MP vol.% "
            "with scale_factor 0.2"
        )
    return "m3 m-3" if given.lower() in VOLUME_PERCENT else given


def _pixels(account: Account, dataset: netCDF4.Dataset, layer: str, index: tuple) -> Pixels:
    variable = dataset[layer]
    if variable.dtype.kind in "iu" and "scale_factor" not in variable.ncattrs():
        raise InputError(
            f"{dataset.filepath()}: {layer} holds whole numbers without scale_factor; set it, for S2MP 0.2 with units "
            "vol.%"
        )
    factor = 0.01 if units_of(dataset, layer).lower() in VOLUME_PERCENT else 1.0
    numbers = raw(dataset, layer, index)
    value = decoded(dataset, layer, index) * factor
    rejected = np.zeros(value.shape, np.int8)
    nodata = getattr(variable, "nodata", None)
    nothing = np.isin(numbers, [*fills(dataset, layer), *([] if nodata is None else [float(nodata)])])
    reject(rejected, nothing | ~np.isfinite(value), account.code("undefined"))
    reject(rejected, numbers == 0, account.code("no_estimate"))
    noise = find(dataset, f"{layer}_noise", f"{layer}_error")
    error = (decoded(dataset, noise, index) * factor).astype(np.float32) if noise else None
    return Pixels(np.where(rejected > 0, np.nan, value).astype(np.float32), error, rejected)
