"""Samples of points (grid points of a swath, stations) on the cells of a run.

A point goes to the nearest cell.  Where points stay (cell files, stations) the nearest one of a cell speaks for it
(``other_location`` for the rest), so that the series of a cell is of one place.  Where they change from overpass to
overpass (swaths) the nearest usable one of each overpass does (``superseded``).  With ``aggregate: mean`` it is the
mean of the usable points of the overpass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dalearn.errors import InputError
from dalearn.observations.account import Account, reject
from dalearn.observations.nearest import NearestCells
from dalearn.observations.request import ProductRequest
from dalearn.observations.samples import Samples

OVERPASS = np.timedelta64(600, "s")  # samples of a cell this close in time belong to one overpass


@dataclass(frozen=True, eq=False)
class Places:
    """Where points lie: ``cell`` (point,), -1 for none, and ``distance`` (point,) km to its centre."""

    cell: np.ndarray
    distance: np.ndarray

    @property
    def primary(self) -> np.ndarray:
        """(point,) whether a point is the nearest one of its cell."""
        primary = np.zeros(len(self.cell), bool)
        order = np.lexsort((self.distance, self.cell))
        first = np.ones(len(order), bool)
        first[1:] = np.diff(self.cell[order]) != 0
        primary[order[first]] = True
        return primary & (self.cell >= 0)


def place(request: ProductRequest, cells: NearestCells, latitude: np.ndarray, longitude: np.ndarray) -> Places:
    """The cells of points (point,) in degrees."""
    return Places(*cells.query(latitude, longitude, request.tolerance_km))


def check_position(where: str, latitude: np.ndarray, longitude: np.ndarray) -> None:
    """Raise InputError for coordinates that are not degrees."""
    for name, values, most in (("latitude", latitude, 90.0), ("longitude", longitude, 360.0)):
        if not (np.abs(values) <= most).all():
            bad = values[np.argmin(np.abs(values) <= most)]
            raise InputError(f"{where}: {name} is {bad:g}; give degrees north and east")


def repeated(where: str, time: np.ndarray, series: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Which samples (sample,) repeat the one before in their series: same time, same ``value``.

    ``series`` (sample,) tells which samples belong together.  Raises InputError where a time goes back, or comes
    twice with different values.
    """
    order = np.argsort(series, kind="stable")
    together = np.diff(series[order]) == 0
    step = np.diff(time[order]).astype(np.int64)
    now, before = value[order][1:], value[order][:-1]
    same = (now == before) | (np.isnan(now) & np.isnan(before))
    for bad, problem in ((step < 0, "goes back to"), ((step == 0) & ~same, "has two different values at")):
        at = np.flatnonzero(together & bad)
        if len(at):
            raise InputError(
                f"{where} {problem} {time[order[at[0] + 1]]}; sort it, one sample a time, or copy it again"
            )
    again = np.zeros(len(time), bool)
    again[order[1:]] = together & (step == 0)
    return again


def overpasses(
    request: ProductRequest, account: Account, blocks: Sequence[Samples], distance: Sequence[np.ndarray]
) -> Iterator[Samples]:
    """One sample per cell and overpass: the nearest usable one, or the mean.  ``distance`` km, per block.

    Rejected samples pass through.  A mean needs ``valid_fraction`` of the points of the overpass to be usable.
    """
    blocks = [block for block in blocks if len(block)]
    if not blocks:
        return
    units = {block.units for block in blocks}
    if len(units) > 1:
        raise InputError(f"{blocks[0].source}: {blocks[0].variable} is in {' and '.join(sorted(units))}; separate them")
    fields = ("time", "cell", "value", "error", "rejected")
    joined_fields: dict[str, Any] = {
        name: np.concatenate([getattr(block, name) for block in blocks]) for name in fields
    }
    joined = replace(blocks[0], **joined_fields)
    away = np.concatenate([part for part in distance if len(part)])
    order = np.lexsort((joined.time, joined.cell))
    samples, away = joined.select(order), away[order]
    reject(samples.rejected, ~np.isfinite(samples.value), account.code("undefined"))
    group = np.zeros(len(samples), np.int64)
    group[1:] = np.cumsum((np.diff(samples.cell) != 0) | (np.diff(samples.time) > OVERPASS))
    if request.aggregate == "mean":
        yield from _means(request, account, samples, group)
    else:
        usable = np.flatnonzero(samples.rejected == 0)
        chosen = usable[np.lexsort((away[usable], group[usable]))]
        first = np.ones(len(chosen), bool)
        first[1:] = np.diff(group[chosen]) != 0
        rejected = samples.rejected.copy()
        rejected[chosen[~first]] = account.code("superseded")
        yield replace(samples, rejected=rejected)


def _means(request: ProductRequest, account: Account, samples: Samples, group: np.ndarray) -> Iterator[Samples]:
    yield samples.select(samples.rejected > 0)
    usable = samples.select(samples.rejected == 0)
    _, first, number = np.unique(group[samples.rejected == 0], return_index=True, return_counts=True)
    if not len(first):
        return
    points = np.bincount(group)[group[samples.rejected == 0][first]]
    start = usable.time[first]
    late = np.add.reduceat((usable.time - np.repeat(start, number)).astype(np.int64), first) // number
    too_few = number < request.valid_fraction * points
    account.leave_out("averaged", int((number - 1).sum()))
    squared = np.add.reduceat(usable.error.astype(np.float64) ** 2, first) / number
    yield replace(
        usable,
        time=start + late.astype("timedelta64[s]"),
        cell=usable.cell[first],
        value=(np.add.reduceat(usable.value.astype(np.float64), first) / number).astype(np.float32),
        error=np.sqrt(squared).astype(np.float32),
        rejected=np.where(too_few, account.code("too_few_valid"), 0).astype(np.int8),
    )
