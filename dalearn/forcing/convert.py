"""Values in one of the units that files come in, to those of the variable table."""

import numpy as np

from dalearn.errors import InputError
from dalearn.units import same_units

# units -> (factor, offset) to SI, by kind of quantity; the first is what values without units are taken to be in
KINDS: dict[str, dict[str, tuple[float, float]]] = {
    "temperature": {"K": (1.0, 0.0), "degC": (1.0, 273.15)},
    "pressure": {"Pa": (1.0, 0.0), "hPa": (100.0, 0.0), "mbar": (100.0, 0.0), "kPa": (1000.0, 0.0)},
    "humidity": {"kg kg-1": (1.0, 0.0), "g kg-1": (1e-3, 0.0)},
    "relative_humidity": {"%": (0.01, 0.0), "1": (1.0, 0.0)},
    "speed": {"m s-1": (1.0, 0.0), "km h-1": (1.0 / 3.6, 0.0)},
    "direction": {"degrees": (1.0, 0.0)},
    "radiation": {"W m-2": (1.0, 0.0)},
    "precipitation": {"kg m-2 s-1": (1.0, 0.0), "mm h-1": (1.0 / 3600.0, 0.0)},
    "carbon_dioxide": {"ppm": (1e-6, 0.0), "umol mol-1": (1e-6, 0.0), "kg m-3": (1.0, 0.0)},
}
# what a quantity may be accumulated in, and the factor to that of its kind per second
ACCUMULATED: dict[str, dict[str, float]] = {
    "radiation": {"J m-2": 1.0, "kJ m-2": 1e3},
    "precipitation": {"kg m-2": 1.0, "mm": 1.0, "m": 1000.0},
}


def conversion(source: str, kind: str, units: str) -> tuple[float, float, bool]:
    """Factor and offset to SI, and whether the values are accumulated (then per second afterwards).

    ``source`` names file and variable.  Raises InputError for units that the ``kind`` has not.
    """
    for known, factor in ACCUMULATED.get(kind, {}).items():
        if units and _same(units, known):
            return factor, 0.0, True
    for known, (factor, offset) in KINDS[kind].items():
        if not units.strip() or _same(units, known):
            return factor, offset, False
    expected = ", ".join((*KINDS[kind], *ACCUMULATED.get(kind, {})))
    raise InputError(f"{source} is in {units}, which is not known for it; convert it to one of {expected}")


def _same(one: str, other: str) -> bool:
    plain = "m" if one.startswith("m of water") else one
    return same_units(plain, other)


def apply(values: np.ndarray, factor: float, offset: float) -> np.ndarray:
    """``values * factor + offset`` in float32, untouched where that changes nothing."""
    if factor == 1.0 and offset == 0.0:
        return values.astype(np.float32)
    return (values.astype(np.float64) * factor + offset).astype(np.float32)
