"""Site files with ASCAT samples, in situ soil moisture and leaf area index in one netCDF file.

The samples of several ASCAT grid points are stored one after the other (``location_index``); ``use`` is 1 for
those that passed the screening of whoever made the file, ``reject`` says in bits why the others did not.
"""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.io import read_time, read_values, reading, require
from dalearn.observations.files import flag_meanings
from dalearn.observations.observations import Observations, screened

ASCAT_NAMES = {"sigma0": ("sigma40", "dB"), "SSM": ("ssm", "%")}


def read_ascat(path: Path | str, quantity: str = "sigma0", error: float | None = None) -> Observations:
    """The samples of ``quantity`` (sigma0 in dB or SSM in % of saturation) at the primary grid point, cell 0.

    ``error``: standard deviation given to every sample; the noise stored with it by default.  A sample is
    counted under the first bit that rejected it.
    """
    if quantity not in ASCAT_NAMES:
        raise InputError(f"{path}: ASCAT does not observe {quantity}; choose one of {', '.join(ASCAT_NAMES)}")
    name, units = ASCAT_NAMES[quantity]
    with reading(path) as dataset:
        require(dataset, "obs_time", "location_index", "location", "use", "reject", name)
        value = read_values(dataset, name)
        return screened(
            source=str(path),
            quantity=quantity,
            units=units,
            time=read_time(dataset, "obs_time"),
            cell=np.zeros(len(value), np.int64),
            value=value,
            error=read_values(dataset, f"{name}_noise") if error is None else np.full(len(value), error),
            reason=_reasons(dataset),
            **_position(dataset),
        )


def read_in_situ(path: Path | str, depth_cm: int = 5, error: float = np.nan) -> Observations:
    """Hourly in situ soil moisture (m3 m-3) at ``depth_cm``; the error is unknown unless given."""
    name = f"insitu_sm_{depth_cm:03d}cm"
    with reading(path) as dataset:
        require(dataset, "hourly_time", name)
        value = read_values(dataset, name)
        return screened(
            source=str(path),
            quantity="SSM",
            units=str(getattr(dataset[name], "units", "")),
            time=read_time(dataset, "hourly_time"),
            cell=np.zeros(len(value), np.int64),
            value=value,
            error=np.full(len(value), error),
            reason=np.full(len(value), "", dtype=object),
            **_position(dataset),
        )


def read_leaf_area_index(path: Path | str, error_fraction: float = 0.2) -> Observations:
    """Leaf area index (m2 m-2) where it was observed; assumed and proxy values count as ``not_observed``.

    The error is ``error_fraction`` of the value.
    """
    with reading(path) as dataset:
        require(dataset, "lai_time", "lai", "lai_is_observation")
        value = read_values(dataset, "lai")
        observed = read_values(dataset, "lai_is_observation") == 1.0
        return screened(
            source=str(path),
            quantity="LAI",
            units=str(getattr(dataset["lai"], "units", "")),
            time=read_time(dataset, "lai_time"),
            cell=np.zeros(len(value), np.int64),
            value=value,
            error=error_fraction * value,
            reason=np.where(observed, "", "not_observed").astype(object),
            **_position(dataset),
        )


def _position(dataset: netCDF4.Dataset) -> dict[str, Any]:
    for name in ("lat", "lon"):
        if name not in dataset.ncattrs():
            raise InputError(f"{dataset.filepath()}: attribute {name} of the site is missing; add it in degrees")
    return {"latitude": np.array([float(dataset.lat)]), "longitude": np.array([float(dataset.lon)])}


def _reasons(dataset: netCDF4.Dataset) -> np.ndarray:
    """Why a sample is not used; "" for the others."""
    primary = getattr(dataset, "primary_location", None)
    locations = np.atleast_1d(dataset["location"][:])
    if primary not in locations:
        raise InputError(
            f"{dataset.filepath()}: attribute primary_location is {primary}; name one of "
            f"{', '.join(str(location) for location in locations)}"
        )
    bits = np.asarray(dataset["reject"][:]).astype(np.int64)
    unused = np.asarray(dataset["use"][:]) != 1
    reason = np.where(unused, "not_used", "").astype(object)
    # from the last bit to the first: the first one that is set stays
    for mask, meaning in sorted(flag_meanings(dataset["reject"], "flag_masks").items(), reverse=True):
        if not meaning.endswith("(kept)"):
            reason[unused & (bits & mask > 0)] = meaning
    reason[np.asarray(dataset["location_index"][:]) != int(np.flatnonzero(locations == primary)[0])] = "other_location"
    return reason
