"""Observations of one quantity as samples (time, cell, value, error), with an account of those left out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dalearn.errors import InputError
from dalearn.units import same_units, units_mend
from dalearn.variables import VARIABLES

PERCENT_RANGE = (0.0, 100.0)
HIGHEST_MEDIAN_SIGMA0 = 0.0  # dB; the backscatter of land at C band is far below, linear units are above


@dataclass(frozen=True, kw_only=True, eq=False)
class Observations:
    """Samples of ``quantity``, a name of the variable table.

    Shapes: ``time`` (sample,) datetime64[s] UTC; ``cell`` (sample,) index into ``latitude`` and ``longitude``
    (cell,) degrees; ``value`` and ``error`` (sample,) in ``units``, the error a standard deviation, NaN when
    unknown (such samples serve for scores only).  ``counts`` says how many samples were ``read``, how many
    are ``kept`` and how many were left out, by reason: the last two add up to the first.
    """

    quantity: str
    units: str
    time: np.ndarray
    cell: np.ndarray
    value: np.ndarray
    error: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    counts: Mapping[str, int] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        sizes = {len(values) for values in (self.time, self.cell, self.value, self.error)}
        if len(sizes) != 1 or len(self.latitude) != len(self.longitude):
            raise ValueError(f"{self.quantity}: the arrays of samples or of cells differ in length")
        if len(self) and not (self.cell.min() >= 0 and self.cell.max() < self.cell_count):
            raise ValueError(f"{self.quantity}: a sample lies in no cell")
        if not self.counts:
            object.__setattr__(self, "counts", {"read": len(self), "kept": len(self)})

    def __len__(self) -> int:
        return len(self.time)

    @property
    def cell_count(self) -> int:
        return len(self.latitude)

    def select(self, keep: np.ndarray, reason: str) -> "Observations":
        """The samples where ``keep`` (sample,) is true; the others are counted under ``reason``."""
        left_out = int(np.count_nonzero(~keep))
        counts = dict(self.counts)
        counts["kept"] = len(self) - left_out
        counts[reason] = counts.get(reason, 0) + left_out
        return replace(
            self,
            time=self.time[keep],
            cell=self.cell[keep],
            value=self.value[keep],
            error=self.error[keep],
            counts=counts,
        )

    def between(self, start: np.datetime64, end: np.datetime64) -> "Observations":
        """The samples of the period ``start`` <= time < ``end``; the others count as ``outside_period``."""
        return self.select((self.time >= start) & (self.time < end), "outside_period")


def concatenate(parts: Sequence[Observations]) -> Observations:
    """All samples of several sets of the same quantity on the same cells, in the order of time."""
    first = parts[0]
    for part in parts[1:]:
        same_cells = np.array_equal(part.latitude, first.latitude) and np.array_equal(part.longitude, first.longitude)
        if (part.quantity, part.units) != (first.quantity, first.units) or not same_cells:
            raise InputError(
                f"{part.source}: {part.quantity} in {part.units} cannot be joined with {first.quantity} in "
                f"{first.units} of {first.source}; give the same quantity, units and cells"
            )
    counts: dict[str, int] = {}
    for part in parts:
        for reason, number in part.counts.items():
            counts[reason] = counts.get(reason, 0) + number
    time, cell = (np.concatenate([getattr(part, name) for part in parts]) for name in ("time", "cell"))
    order = np.lexsort((cell, time))
    return replace(
        first,
        time=time[order],
        cell=cell[order],
        value=np.concatenate([part.value for part in parts])[order],
        error=np.concatenate([part.error for part in parts])[order],
        counts=counts,
        source=", ".join(dict.fromkeys(part.source for part in parts if part.source)),
    )


def screened(
    *,
    source: str,
    quantity: str,
    units: str,
    time: np.ndarray,
    cell: np.ndarray,
    value: np.ndarray,
    error: np.ndarray,
    reason: np.ndarray,
    latitude: np.ndarray,
    longitude: np.ndarray,
    left_out: Mapping[str, int] | None = None,
) -> Observations:
    """The usable samples in the order of time.

    ``reason`` (sample,) of str: why a sample was rejected beforehand, "" otherwise; ``left_out`` counts those that
    were rejected and are not even here.  Here ``undefined`` values,
    values ``out_of_range`` (variable table) and errors that are ``error_not_positive`` are added.  Raises
    InputError when the units are not those of the quantity, or when half of the values cannot be in them.
    """
    low, high = valid_range(source, quantity, units)
    usable = (reason == "") & np.isfinite(value)
    if usable.any():
        check_median(source, quantity, units, float(np.median(value[usable])), low, high)
    reason = reason.astype(object)
    reason[(reason == "") & ~np.isfinite(value)] = "undefined"
    reason[(reason == "") & ((value < low) | (value > high))] = "out_of_range"
    reason[(reason == "") & (error <= 0.0)] = "error_not_positive"
    keep = np.flatnonzero(reason == "")
    keep = keep[np.lexsort((cell[keep], time[keep]))]
    counts = Counter({name: number for name, number in (left_out or {}).items() if number})
    counts.update(Counter(reason[reason != ""].tolist()))
    return Observations(
        quantity=quantity,
        units=units,
        time=time[keep].astype("datetime64[s]"),
        cell=cell[keep].astype(np.int64),
        value=value[keep].astype(np.float64),
        error=error[keep].astype(np.float64),
        latitude=latitude,
        longitude=longitude,
        counts={"read": counts.total() + len(keep), "kept": len(keep), **counts},
        source=source,
    )


def valid_range(source: str, quantity: str, units: str) -> tuple[float, float]:
    """Lowest and highest value of ``quantity`` in ``units``; InputError when they are not units of it."""
    if quantity not in VARIABLES:
        raise InputError(f"{source}: {quantity} is not a quantity of the variable table; use sigma0, SSM or LAI")
    row = VARIABLES[quantity]
    if quantity == "SSM" and same_units(units, "%"):
        return PERCENT_RANGE
    if not units or not same_units(units, row.units):
        given = units or "no units"
        raise InputError(f"{source}: {quantity} is in {given}, expected {row.units}: {units_mend(units, row.units)}")
    return row.valid_range or (-np.inf, np.inf)


def check_median(source: str, quantity: str, units: str, median: float, low: float, high: float) -> None:
    """Raise InputError when a ``median`` in ``units`` says that the values are in others."""
    where = f"{source}: {quantity} has a median of {median:g} {units}"
    if quantity == "sigma0" and median > HIGHEST_MEDIAN_SIGMA0:
        raise InputError(f"{where}: looks like linear units, take 10 log10 of it")
    if quantity == "SSM" and high < median <= PERCENT_RANGE[1]:
        raise InputError(f"{where}: looks like %, give the units as % or divide by 100")
    if not low <= median <= high:
        raise InputError(f"{where}, not within {low:g} to {high:g}; correct the values or their units")
