"""What the soil moisture products of the Copernicus Global Land Service share: bytes in 0.5 % with flags above 200."""

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.observations.account import Account, reject
from dalearn.observations.packed import fills, flag_names, raw, scaling, units_of
from dalearn.observations.request import ProductRequest

LARGEST_NUMBER = 200


def check_is_soil_moisture(request: ProductRequest) -> None:
    """Raise InputError unless the request is for SSM."""
    if request.quantity != "SSM":
        raise InputError(
            f"prepare.observations.{request.name}.quantity: {request.format} holds SSM, not {request.quantity}"
        )


def percent(dataset: netCDF4.Dataset, layer: str) -> str:
    """The units of a layer, which must be %."""
    units = units_of(dataset, layer)
    if units != "%":
        raise InputError(f"{dataset.filepath()}: {layer} is in {units or 'no units'}, expected %; give it as published")
    return units


def masked(account: Account, dataset: netCDF4.Dataset, layer: str, index: tuple, rejected: np.ndarray) -> np.ndarray:
    """Values of a layer in %, float32, NaN above the valid numbers; the flags are told in ``rejected``."""
    numbers = raw(dataset, layer, index)
    if numbers.dtype.kind not in "iu":
        raise InputError(
            f"{dataset.filepath()}: {layer} holds {numbers.dtype}, not the bytes of the product; flags cannot be told "
            "from values, give the file as published"
        )
    for number, meaning in flag_names(dataset, layer).items():
        reject(rejected, numbers == number, account.code(meaning))
    reject(rejected, np.isin(numbers, fills(dataset, layer)), account.code("undefined"))
    reject(rejected, (numbers < 0) | (numbers > LARGEST_NUMBER), account.code("flag_value"))
    scale, offset = scaling(dataset, layer)
    valid = (numbers >= 0) & (numbers <= LARGEST_NUMBER)
    return np.where(valid, numbers * np.float32(scale) + np.float32(offset), np.float32(np.nan)).astype(np.float32)
