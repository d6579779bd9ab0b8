"""Is this forcing?  Every doubt is an InputError with the file, the variable, the first bad value and the mend."""

import numpy as np

from dalearn.errors import InputError
from dalearn.units import same_units, units_mend
from dalearn.variables import VARIABLES

RANGE_TOLERANCE = 1e-6  # of the width of a valid range: what interpolation leaves below zero, clipped away

# what a variable usually is whose mean lies between the two numbers and that leaves its valid range
_LOOKS_LIKE = {
    "Tair": [(-60.0, 50.0, "looks like degrees Celsius: add 273.15")],
    "Qair": [
        (0.03, 30.0, "looks like g kg-1: divide by 1000"),
        (30.0, 110.0, "looks like relative humidity in %: convert it to specific humidity"),
    ],
    "PSurf": [
        (30.0, 110.0, "looks like kPa: multiply by 1000"),
        (300.0, 1100.0, "looks like hPa: multiply by 100"),
    ],
    "Rainf": [(1e-3, 1e3, "looks like mm h-1 or mm: divide by 3600 or by the seconds of a forcing step")],
    "Snowf": [(1e-3, 1e3, "looks like mm h-1 or mm: divide by 3600 or by the seconds of a forcing step")],
    "CO2air": [(100.0, 5000.0, "looks like ppm: multiply by 1.519e-6 and the density of the air")],
}


def check_units(source: str, name: str, units: str) -> None:
    """Raise InputError when a variable declares other units than those of the variable table.

    Empty units are let through: the values are checked anyway.
    """
    if units.strip() and not same_units(units, VARIABLES[name].units):
        wanted = VARIABLES[name].units
        raise InputError(f"{source}: {name} is in {units}, expected {wanted}: {units_mend(units, wanted)}")


def check_values(source: str, name: str, times: np.ndarray, values: np.ndarray, first_cell: int = 0) -> np.ndarray:
    """``values`` (record, cell), clipped to the valid range where they leave it by rounding only.

    ``first_cell`` is the number of their first cell in the file, for messages.

    Raises InputError at the first undefined value, and at the first one outside the range.
    """
    undefined = ~np.isfinite(values)
    if undefined.any():
        record, cell = _first(undefined)
        raise InputError(
            f"{source}: {name} is undefined (NaN or fill value) at {times[record]}, cell {first_cell + cell}; "
            "fill it in"
        )
    row = VARIABLES[name]
    assert row.valid_range is not None, f"{name} has no valid range in the variable table"
    low, high = row.valid_range
    margin = RANGE_TOLERANCE * (high - low)
    outside = (values < low - margin) | (values > high + margin)
    if outside.any():
        record, cell = _first(outside)
        raise InputError(
            f"{source}: {name} is {values[record, cell]:g} at {times[record]}, cell {first_cell + cell}, not within "
            f"{low:g} to {high:g} {row.units}; {_likely_mend(name, values, low)}"
        )
    return np.clip(values, low, high)


def _first(bad: np.ndarray) -> tuple[int, int]:
    """Record and cell of the first true element in time."""
    record, cell = np.unravel_index(int(np.argmax(bad)), bad.shape)
    return int(record), int(cell)


def _likely_mend(name: str, values: np.ndarray, low: float) -> str:
    mean = float(values.mean(dtype=np.float64))
    for smallest, largest, mend in _LOOKS_LIKE.get(name, []):
        if smallest <= mean <= largest:
            return mend
    if low == 0.0 and values.min() < 0.0:
        return "it cannot be negative: correct it (a wind component is not a speed; noise at night is 0)"
    return "correct the values or their units"


def check_regular(source: str, times: np.ndarray, step: int) -> None:
    """Raise InputError unless ``times`` (record,) follow each other every ``step`` seconds."""
    spacing = np.diff(times).astype("timedelta64[s]").astype(np.int64)
    if (spacing == step).all():
        return
    disorder = spacing <= 0  # looked at first: it makes gaps where no record is missing
    row = int(np.argmax(disorder if disorder.any() else spacing != step))
    before, after, gap = times[row], times[row + 1], int(spacing[row])
    if gap == 0:
        problem, mend = f"{after} comes twice", "remove one of the two records"
    elif gap < 0:
        problem, mend = f"{after} comes after {before}", "sort the records by time and remove repeated ones"
    elif gap % step == 0:
        problem = f"{gap // step - 1} record(s) are missing after {before}"
        mend = f"fill the gap up to {after}, one record every {step} s"
    else:
        problem = f"{before} and {after} are {gap} s apart while FRC_TIME_STP is {step} s"
        mend = "give records at a constant step, and that step"
    raise InputError(f"{source}: time: {problem}; {mend}")
