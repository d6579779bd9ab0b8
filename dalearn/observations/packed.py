"""Packed variables as they are stored: products declare ranges and fills that netCDF readers apply wrongly.

EUMETSAT's valid range of sigma40 masks most of it, flag bytes of Copernicus products lie above the valid range, and
xarray ignores valid ranges altogether; so the numbers are taken raw and masked here.
"""

import re
from typing import Any

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.io import FILL_THRESHOLD, require

FLOAT_FILL = -999999.0  # H SAF
INTEGER_FILLS = {"i1": -128, "u1": 255, "i2": -(2**15), "u2": 2**16 - 1, "i4": -(2**31), "u4": 2**32 - 1,
                  "i8": -(2**63)}  # fmt: skip


def find(dataset: netCDF4.Dataset, *names: str) -> str | None:
    """The first of ``names`` that the file has, in this or in small letters; None for none."""
    present = {name.lower(): name for name in reversed(list(dataset.variables))}
    for name in names:
        if name in dataset.variables:
            return name
        if name.lower() in present:
            return present[name.lower()]
    return None


def need(dataset: netCDF4.Dataset, *names: str) -> str:
    """The first of ``names`` that the file has; InputError when it has none."""
    name = find(dataset, *names)
    if name is None:
        require(dataset, " or ".join(names))
    return str(name)


def raw(dataset: netCDF4.Dataset, name: str, index: Any = slice(None)) -> np.ndarray:
    """The stored numbers, neither masked nor scaled; signed bytes that mean unsigned ones are read so."""
    require(dataset, name)
    variable = dataset[name]
    variable.set_auto_maskandscale(False)
    numbers = np.asarray(variable[index])
    if str(getattr(variable, "_Unsigned", "false")).lower() == "true" and numbers.dtype.kind == "i":
        numbers = numbers.view(numbers.dtype.str.replace("i", "u"))
    return numbers


def fills(dataset: netCDF4.Dataset, name: str) -> list[float]:
    """The stored numbers that stand for nothing."""
    variable = dataset[name]
    found = [FLOAT_FILL] if variable.dtype.kind == "f" else []
    for attribute in ("_FillValue", "missing_value"):
        if attribute in variable.ncattrs():
            found += [float(value) for value in np.atleast_1d(variable.getncattr(attribute))]
    unsigned = str(getattr(variable, "_Unsigned", "false")).lower() == "true"
    kind = ("u" if unsigned else variable.dtype.kind) + str(variable.dtype.itemsize)
    return [*found, float(INTEGER_FILLS[kind])] if kind in INTEGER_FILLS else found


def scaling(dataset: netCDF4.Dataset, name: str) -> tuple[float, float]:
    """Scale factor and offset of a variable; scales such as 1e-6 that were stored in single precision are mended."""
    scale = getattr(dataset[name], "scale_factor", 1.0)
    if isinstance(scale, np.float32):
        scale = float(str(scale))
    return float(scale), float(getattr(dataset[name], "add_offset", 0.0))


def decoded(dataset: netCDF4.Dataset, name: str, index: Any = slice(None)) -> np.ndarray:
    """Physical values as float64, NaN for fills; declared valid ranges are not applied."""
    numbers = raw(dataset, name, index)
    if numbers.dtype.kind not in "iuf":
        raise InputError(f"{dataset.filepath()}: {name} holds {numbers.dtype}, not numbers; write it as numbers")
    scale, offset = scaling(dataset, name)
    nothing = np.isin(numbers, np.array(fills(dataset, name))) if numbers.dtype.kind in "iu" else ~np.isfinite(numbers)
    values = numbers * scale + offset
    if numbers.dtype.kind == "f":
        nothing |= np.isin(numbers, fills(dataset, name)) | (np.abs(values) > FILL_THRESHOLD)
    return np.where(nothing, np.nan, values)


def flag_names(dataset: netCDF4.Dataset, name: str) -> dict[int, str]:
    """Stored value, or mask of a bit field, to its meaning as ``lower_case_words``; empty when not described."""
    variable = dataset[name]
    for attribute in ("flag_masks", "flag_values"):
        if attribute in variable.ncattrs():
            given = variable.getncattr(attribute)
            break
    else:
        return {}
    numbers = re.findall(r"-?\d+", given) if isinstance(given, str) else np.atleast_1d(given).tolist()
    meanings = str(getattr(variable, "flag_meanings", "")).replace(",", " ").split()
    return {int(value): _words(meaning) for value, meaning in zip(numbers, meanings, strict=False)}


def _words(meaning: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", meaning).lower()


def units_of(dataset: netCDF4.Dataset, name: str) -> str:
    """The units of a variable, ``%`` for the spellings of percent."""
    units = str(getattr(dataset[name], "units", "")).strip()
    plain = re.sub(r"degree of saturation|saturation|[()\s]", "", units.lower())
    return "%" if plain in ("percent", "percentage", "%") else units
