"""Snow as SURFEX files hold it and as the model does: heat per volume there, per area here (isba_physics.md 7.1).

Where there is no snow the files hold NaN, and the model an empty pack.
"""

from collections.abc import Mapping

import numpy as np

from dalearn.land.snow_pack import ABSENT_ALBEDO, MINIMUM_DENSITY

Values = dict[str, np.ndarray]


def snow_from_file(values: Mapping[str, np.ndarray]) -> Values:
    """``values``, SURFEX name -> array, with the snow among them as the model carries it.

    ``WSN`` kg m-2, ``RSN`` kg m-3, ``HSN`` J m-3, ``SAG`` days (..., snow_layer, column) and ``ASN_VEG`` (..., column)
    become finite everywhere, and ``HSN`` J m-2.
    """
    if "WSN" not in values:
        return dict(values)
    mass = np.nan_to_num(values["WSN"])
    snow = mass > 0.0
    density = np.where(snow, values["RSN"], MINIMUM_DENSITY)
    changed = {
        "WSN": mass,
        "RSN": density,
        "HSN": np.where(snow, values["HSN"], 0.0) * mass / density,
        "SAG": np.where(snow, values["SAG"], 0.0),
        "ASN_VEG": np.where(snow.any(axis=-2), values["ASN_VEG"], ABSENT_ALBEDO),
    }
    return dict(values) | changed


def snow_to_file(values: Mapping[str, np.ndarray]) -> Values:
    """The inverse of ``snow_from_file`` for those of its names that ``values`` holds, the ``WSN`` among them."""
    if "WSN" not in values:
        return dict(values)
    snow = values["WSN"] > 0.0
    of_pack = snow.any(axis=-2)
    changed = dict(values)
    if "HSN" in values:
        changed["HSN"] = values["HSN"] * values["RSN"] / np.where(snow, values["WSN"], 1.0)
    for name in ("RSN", "HSN", "SAG"):
        if name in values:
            changed[name] = np.where(snow, changed[name], np.nan)
    for name in ("ASN_VEG", "TSN_T"):
        if name in values:
            changed[name] = np.where(of_pack, values[name], np.nan)
    return changed
