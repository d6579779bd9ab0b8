"""Copernicus Global Land leaf area index: 1 km V1 and V2, 300 m; layers in capital or small letters.

LAI is a byte in 1/30 m2 m-2; the numbers 0 to 210 are valid, those above are flags, which the declared scale would turn
into LAI of 7 to 8.5.  Of a date that was published several times (RT0, RT1, ... RT6, then without RT) the most
consolidated file is taken.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.observations.account import Account, reject
from dalearn.observations.nearest import NearestCells
from dalearn.observations.packed import fills, find, flag_names, need, raw
from dalearn.observations.raster import PixelReader, Pixels
from dalearn.observations.raster_grid import RasterGrid
from dalearn.observations.raster_series import raster_samples
from dalearn.observations.request import ProductRequest
from dalearn.observations.samples import Samples

SCALE = 1.0 / 30.0
LARGEST_NUMBER = 210
CONSOLIDATED = 99  # what has no RT in its name comes after all RT
SEA, FILLED, SNOW_V1 = 1, 4, 2  # bits of QFLAG
_NAME = re.compile(r"LAI(?:300)?(?:-RT(?P<rt>\d))?_(?P<date>\d{8})", re.IGNORECASE)


def read_cgls_lai(
    request: ProductRequest, files: Sequence[Path], cells: NearestCells, account: Account
) -> Iterator[Samples]:
    """Samples of LAI in m2 m-2 at the date of each file."""
    if request.quantity != "LAI":
        raise InputError(f"prepare.observations.{request.name}.quantity: cgls_lai holds LAI, not {request.quantity}")

    def pixels_of(dataset: netCDF4.Dataset, grid: RasterGrid, layer: str, step: int | None) -> PixelReader:
        return lambda rows, columns: _pixels(account, dataset, layer, step, rows, columns)

    yield from raster_samples(
        request, most_consolidated(files), cells, account, lambda dataset: need(dataset, "LAI"), _units, pixels_of
    )


def most_consolidated(files: Sequence[Path]) -> list[Path]:
    """One file per date: the one with the highest RT, or none in its name.

    Files whose names are not those of the product are all kept.  InputError for two equally good ones.
    """
    best: dict[str, tuple[int, Path]] = {}
    for path in files:
        match = _NAME.search(path.name)
        date = match["date"] if match else str(path)
        rank = (int(match["rt"]) if match["rt"] is not None else CONSOLIDATED) if match else CONSOLIDATED
        if date in best and best[date][0] == rank:
            raise InputError(f"{path}: {best[date][1].name} holds the same date {date}; give one of the two")
        if date not in best or rank > best[date][0]:
            best[date] = rank, path
    return [path for _, path in best.values()]


def _units(dataset: netCDF4.Dataset, layer: str) -> str:
    """m2 m-2; the files say nothing, 1 or m2/m2.  InputError for other units or another scale."""
    path, variable = dataset.filepath(), dataset[layer]
    scale = float(getattr(variable, "scale_factor", SCALE))
    if abs(scale - SCALE) > 1e-3 * SCALE or float(getattr(variable, "add_offset", 0.0)) != 0.0:
        raise InputError(
            f"{path}: {layer} has the scale factor {scale:g}, expected 1/30; give an LAI file as published"
        )
    given = str(getattr(variable, "units", "")).strip()
    return given if given not in ("", "-", "1", "m2/m2", "m^2/m^2", "unitless") else "m2 m-2"


def _pixels(
    account: Account, dataset: netCDF4.Dataset, layer: str, step: int | None, rows: slice, columns: slice
) -> Pixels:
    index = (rows, columns) if step is None else (step, rows, columns)
    numbers = raw(dataset, layer, index)
    if numbers.dtype.kind not in "iu":
        raise InputError(
            f"{dataset.filepath()}: {layer} holds {numbers.dtype}, not the bytes of the product; flags cannot be told "
            "from values, give the file as published"
        )
    rejected = np.zeros(numbers.shape, np.int8)
    flag = find(dataset, "QFLAG")
    if flag is not None:
        bits = raw(dataset, flag, index).astype(np.int64)
        for mask, reason in _flags(dataset, flag).items():
            reject(rejected, bits & mask > 0, account.code(reason))
    reject(rejected, np.isin(numbers, fills(dataset, layer)), account.code("undefined"))
    reject(rejected, (numbers < 0) | (numbers > LARGEST_NUMBER), account.code("flag_value"))
    value = np.where(numbers <= LARGEST_NUMBER, numbers * np.float32(SCALE), np.float32(np.nan))
    return Pixels(value.astype(np.float32), None, rejected)


def _flags(dataset: netCDF4.Dataset, name: str) -> dict[int, str]:
    """Bits of QFLAG that reject a pixel.  V1 has snow where V2 has nothing, and no filling."""
    version = str(getattr(dataset, "product_version", "")) + Path(dataset.filepath()).name
    if re.search(r"V1\.", version) and "LAI300" not in version.upper():
        return {SEA: "sea", SNOW_V1: "snow"}
    described = {mask: text for mask, text in flag_names(dataset, name).items() if "fill" in text and "no" not in text}
    return {SEA: "sea", **(dict.fromkeys(described, "filled") or {FILLED: "filled"})}
