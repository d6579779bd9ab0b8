"""Observations put on the window ends of a run."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from dalearn.observations.matching import nearest_time


class ObservationSeries(Protocol):
    """What the evaluation reads of an observation object: arrays over samples, ``cell`` an index.

    ``counts``: how many samples were "read", how many are "kept", how many were left out by reason.
    """

    @property
    def quantity(self) -> str: ...
    @property
    def units(self) -> str: ...
    @property
    def time(self) -> np.ndarray: ...
    @property
    def cell(self) -> np.ndarray: ...
    @property
    def value(self) -> np.ndarray: ...
    @property
    def error(self) -> np.ndarray: ...
    @property
    def counts(self) -> Mapping[str, int]: ...


def match_to_times(
    observations: ObservationSeries, time: np.ndarray, cell_count: int, tolerance_hours: float
) -> np.ndarray:
    """Mean of the samples within ``tolerance_hours`` of each time: (time, cell), NaN where there is none.

    ``time`` (time,) datetime64, ascending.  A sample belongs to the nearest time only (to the earlier of two
    equally near ones); samples without a finite value or with a cell outside the run are left out.
    """
    time = np.asarray(time).astype("datetime64[s]")
    cell = np.asarray(observations.cell)
    value = np.asarray(observations.value, dtype=np.float64)
    nearest = nearest_time(np.asarray(observations.time).astype("datetime64[s]"), time, _seconds(tolerance_hours))
    used = (nearest >= 0) & np.isfinite(value) & (cell >= 0) & (cell < cell_count)
    total = np.zeros((len(time), cell_count))
    count = np.zeros((len(time), cell_count))
    np.add.at(total, (nearest[used], cell[used]), value[used])
    np.add.at(count, (nearest[used], cell[used]), 1.0)
    return np.where(count > 0, total / np.maximum(count, 1.0), np.nan)


def nearest_rows(wanted: np.ndarray, available: np.ndarray, tolerance_hours: float = 1.5) -> np.ndarray:
    """Index in ``available`` nearest to each of ``wanted`` (both ascending datetime64); -1 beyond the tolerance."""
    wanted, available = (np.asarray(times).astype("datetime64[s]") for times in (wanted, available))
    return nearest_time(wanted, available, _seconds(tolerance_hours))


def _seconds(hours: float) -> np.timedelta64:
    return np.timedelta64(round(hours * 3600.0), "s")
