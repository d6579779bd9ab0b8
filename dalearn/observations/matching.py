"""Observations on the cells and at the times of a run, with an explicit tolerance and a full account."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from dalearn.errors import InputError
from dalearn.observations.nearest import EARTH_RADIUS, NearestCells
from dalearn.observations.observations import Observations


@dataclass(frozen=True, eq=False)
class MatchedObservations:
    """Observations as a table: ``value`` and ``error`` (time, cell), NaN where there is none.

    ``counts`` continues the account of the observations: how many are ``matched``, and how many are left out as
    ``outside_period``, ``outside_tolerance``, and ``superseded`` by, or ``averaged`` into, another one of the
    same cell and time; matched and left out add up to ``read``.
    """

    quantity: str
    units: str
    times: np.ndarray
    value: np.ndarray
    error: np.ndarray
    counts: dict[str, int]


def nearest_time(wanted: np.ndarray, times: np.ndarray, tolerance: np.timedelta64) -> np.ndarray:
    """Index of the nearest of ``times`` (ascending) for each of ``wanted``; -1 where it is beyond ``tolerance``.

    Of two equally near times the earlier one is taken.
    """
    wanted, times = np.asarray(wanted), np.asarray(times)
    after = np.clip(np.searchsorted(times, wanted), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(wanted - times[before]) <= np.abs(times[after] - wanted), before, after)
    return np.where(np.abs(wanted - times[nearest]) <= tolerance, nearest, -1)


def on_cells(
    observations: Observations, latitude: np.ndarray, longitude: np.ndarray, tolerance_km: float
) -> Observations:
    """The observations on the cells of a run, (cell,) degrees: each goes to the nearest cell.

    Samples further than ``tolerance_km`` from all cells count as ``outside_domain``; InputError when all are.
    """
    index = NearestCells(latitude, longitude)
    nearest, _ = index.query(observations.latitude, observations.longitude, tolerance_km)
    inside = observations.select(nearest[observations.cell] >= 0, "outside_domain")
    if len(observations) and not len(inside):
        used = np.unique(observations.cell)
        _, distance = index.query(observations.latitude[used], observations.longitude[used], np.pi * EARTH_RADIUS)
        raise InputError(
            f"{observations.source}: {observations.quantity}: no observation within {tolerance_km:g} km of a model "
            f"cell, the nearest is {distance.min():.1f} km away; give observations of these cells or a larger tolerance"
        )
    return replace(inside, cell=nearest[inside.cell], latitude=np.asarray(latitude), longitude=np.asarray(longitude))


def match_observations(
    observations: Observations,
    times: np.ndarray,
    tolerance: np.timedelta64,
    how: Literal["nearest", "mean"] = "nearest",
) -> MatchedObservations:
    """The observations at ``times`` (ascending datetime64), each sample used once, at the nearest time.

    Several samples of a cell within ``tolerance`` of a time: "nearest" takes the closest in time (the earlier
    of two equally close), "mean" the mean value with the root-mean-square error, not reduced by their number
    because the errors of one operator and one overpass are shared.

    Raises InputError when nothing matches.
    """
    times = np.asarray(times).astype("datetime64[s]")
    index = nearest_time(observations.time, times, tolerance)
    in_period = (observations.time >= times[0] - tolerance) & (observations.time <= times[-1] + tolerance)
    used = np.flatnonzero(index >= 0)
    if not len(used):
        raise InputError(_nothing_matches(observations, times, tolerance, bool(in_period.any())))

    distance = np.abs(observations.time[used] - times[index[used]])
    slot = index[used] * observations.cell_count + observations.cell[used]
    order = np.lexsort((observations.time[used], distance, slot))
    slots, first, number = np.unique(slot[order], return_index=True, return_counts=True)
    chosen = used[order]
    value = np.full(len(times) * observations.cell_count, np.nan)
    error = value.copy()
    if how == "nearest":
        value[slots] = observations.value[chosen[first]]
        error[slots] = observations.error[chosen[first]]
    else:
        value[slots] = np.add.reduceat(observations.value[chosen], first) / number
        error[slots] = np.sqrt(np.add.reduceat(observations.error[chosen] ** 2, first) / number)
    counts = {reason: number for reason, number in observations.counts.items() if reason != "kept"}
    counts["matched"] = len(slots)
    counts["outside_period"] = counts.get("outside_period", 0) + int((~in_period).sum())
    counts["outside_tolerance"] = int((in_period & (index < 0)).sum())
    counts["superseded" if how == "nearest" else "averaged"] = len(used) - len(slots)
    shape = (len(times), observations.cell_count)
    return MatchedObservations(
        observations.quantity, observations.units, times, value.reshape(shape), error.reshape(shape), counts
    )


def values_at(
    observations: Observations, times: np.ndarray, values: np.ndarray, tolerance: np.timedelta64
) -> np.ndarray:
    """Model ``values`` (time, cell) at the nearest of ``times``: (sample,), NaN beyond ``tolerance``."""
    index = nearest_time(observations.time, times, tolerance)
    return np.where(index >= 0, values[index, observations.cell], np.nan)


def _nothing_matches(observations: Observations, times: np.ndarray, tolerance: np.timedelta64, in_period: bool) -> str:
    start = f"{observations.source}: {observations.quantity}: "
    if not len(observations):
        account = ", ".join(f"{number} {reason}" for reason, number in observations.counts.items())
        return f"{start}no usable observation ({account}); check the file and the period"
    if not in_period:
        covered = f"{observations.time.min()} to {observations.time.max()}"
        return f"{start}the file covers {covered}, the run {times[0]} to {times[-1]}; choose a period that overlaps"
    hours = tolerance / np.timedelta64(1, "h")
    return f"{start}no observation within {hours:g} h of the times of the run; widen the tolerance or move the windows"
