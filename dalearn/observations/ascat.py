"""What all ASCAT products share: names of variables, flags, probabilities, passes.

Names: H SAF H108..H119 (WARP), H121/H129/H130/H139, EUMETSAT level 2, and the optional package ``ascat``.  The flags
of the processing speak mostly of the soil moisture retrieval: only those that concern the backscatter itself reject
a sample of sigma0.
"""

from collections.abc import Mapping

import numpy as np

from dalearn.errors import InputError
from dalearn.observations.account import Account, reject
from dalearn.observations.request import ProductRequest

VALUE_NAMES = {
    "sigma0": ("backscatter40", "sigma40", "sigma0_40", "sig40"),
    "SSM": ("surface_soil_moisture", "soil_moisture", "sm", "ssm"),
}
NOISE_SUFFIXES = ("_noise", "_error", "_err")
UNITS = {"sigma0": "dB", "SSM": "%"}
FIELD_NAMES = {
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon"),
    "processing_flag": ("processing_flag", "proc_flag", "proc_flag1"),
    "confidence_flag": ("confidence_flag", "conf_flag"),
    "correction_flag": ("correction_flag", "corr_flag", "corr_flags"),
    "surface_state": ("ssf", "surface_state_flag"),
    "surface_flag": ("surface_flag",),
    "snow": ("snow_cover_probability", "snow_prob", "advf_snow_prob", "snow"),
    "frozen": ("frozen_soil_probability", "frozen_prob", "advf_frozen_prob", "frozen"),
    "wetland": ("wetland_fraction", "wetland_flag", "advf_wetland", "wetland", "inundation_or_wetland"),
    "topography": ("topographic_complexity", "topography_flag", "advf_topo", "topo"),
    "subsurface": ("subsurface_scattering_probability", "subsurface_scattering_prob"),
    "sensitivity": ("soil_moisture_sensitivity", "surface_soil_moisture_sensitivity", "sm_sens"),
    "descending": ("as_des_pass", "dir", "orbit_dir", "orbit"),
    "satellite": ("sat_id", "spacecraft_id"),
}
# bits of flags that do not describe themselves which reject a sample
HELD_BITS = {"SSM": 255, "sigma0": 4 | 8 | 16 | 32}
SMALLEST_SENSITIVITY = 1.0  # dB between dry and wet, below which there is no soil moisture to be seen
SURFACE_STATES = {2: "frozen", 3: "melting_or_water", 4: "permanent_ice"}
MASKS = {
    "snow": "snow_probability",
    "frozen": "frozen_probability",
    "wetland": "wetland_fraction",
    "topography": "topographic_complexity",
    "subsurface": "subsurface_scattering",
}
MISSING_BYTE = 255

Fields = Mapping[str, np.ndarray]


def check_quantity(request: ProductRequest) -> None:
    """Raise InputError for a quantity that ASCAT does not observe, or an unknown mask."""
    if request.quantity not in VALUE_NAMES:
        raise InputError(
            f"prepare.observations.{request.name}.quantity: ASCAT does not observe {request.quantity}; choose one of "
            f"{', '.join(VALUE_NAMES)}"
        )
    unknown = set(request.largest) - set(MASKS)
    if unknown:
        raise InputError(
            f"prepare.observations.{request.name}.largest: {sorted(unknown)[0]} is not known; choose of "
            f"{', '.join(MASKS)}"
        )


def ascat_codes(
    request: ProductRequest,
    account: Account,
    where: str,
    fields: Fields,
    meanings: Mapping[str, Mapping[int, str]],
    held_bits: Mapping[str, int] | None = None,
) -> np.ndarray:
    """Codes of the rejection of samples (sample,), 0 for the usable ones.

    ``fields``: what the product has of the keys of FIELD_NAMES, (sample,), NaN where unknown, which never rejects;
    ``meanings``: of the flags that describe themselves, mask or value -> words; ``held_bits`` by quantity: those of a
    processing flag that count against a sample where it does not (HELD_BITS).  Raises InputError when the request
    needs a field that is absent.
    """
    for name in request.largest:
        if name not in fields:
            raise InputError(
                f"{where} has no {MASKS[name]} for largest.{name}; leave it out of prepare.observations.{request.name}"
            )
    if request.passes != "both" and "descending" not in fields:
        raise InputError(f"{where} does not tell the passes; set passes of {request.name} to both")
    rejected = np.zeros(len(fields["latitude"]), np.int8)
    if request.passes != "both":
        other = 1.0 if request.passes == "ascending" else 0.0
        reject(rejected, fields["descending"] == other, account.code("other_pass"))
    if "surface_state" in fields:
        _surface_state(account, rejected, fields["surface_state"], meanings.get("surface_state", {}))
    for name, limit in request.largest.items():
        reject(rejected, fields[name] > limit, account.code(MASKS[name]))
    if request.quantity == "SSM" and "sensitivity" in fields:
        reject(rejected, fields["sensitivity"] < SMALLEST_SENSITIVITY, account.code("low_sensitivity"))
    for name in ("surface_flag", "processing_flag", "confidence_flag", "correction_flag"):
        if name in fields:
            held = _held_bits(request.quantity, name, meanings.get(name, {}), held_bits or HELD_BITS)
            bits = np.where(np.isfinite(fields[name]) & (fields[name] != MISSING_BYTE), fields[name], 0).astype(
                np.int64
            )
            reject(rejected, bits & held > 0, account.code(name))
    return rejected


def _held_bits(quantity: str, name: str, meanings: Mapping[int, str], undescribed: Mapping[str, int]) -> int:
    """The bits of a flag that reject a sample."""
    if name == "correction_flag":  # what it sets to NaN is undefined anyway
        return sum(mask for mask, meaning in meanings.items() if "backscatter_not_usable" in meaning)
    if name == "surface_flag":  # H121 and its kin: any bit of it spoils the retrieval
        return 255
    if name == "processing_flag" and not meanings:
        return undescribed[quantity]
    if quantity == "SSM":
        return 255
    if not meanings:
        return 0
    return 255 & ~sum(mask for mask, text in meanings.items() if _of_soil_moisture(text))


def _of_soil_moisture(text: str) -> bool:
    """Whether the meaning of a bit is about soil moisture alone."""
    return ("soil_moisture" in text or "sensitivity" in text) and "backscatter" not in text


def _surface_state(account: Account, rejected: np.ndarray, state: np.ndarray, meanings: Mapping[int, str]) -> None:
    for value, meaning in {**SURFACE_STATES, **meanings}.items():
        harmful = value in SURFACE_STATES or any(word in meaning for word in ("ice", "melt", "snow"))
        if harmful and "unfrozen" not in meaning:
            reject(rejected, state == value, account.code(SURFACE_STATES.get(value, meaning)))
