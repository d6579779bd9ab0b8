"""In situ soil moisture of the International Soil Moisture Network, in m3 m-3.

Of each station the sensor at the shallowest depth within ``depth`` is taken, of several the first in the order of
their names unless ``sensor`` names one.  Only values flagged G (good) are usable.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dalearn.errors import InputError
from dalearn.observations.account import Account, reject
from dalearn.observations.ismn_archive import members
from dalearn.observations.ismn_file import Series
from dalearn.observations.nearest import NearestCells
from dalearn.observations.points import check_position, overpasses, place, repeated
from dalearn.observations.request import ProductRequest, in_period
from dalearn.observations.samples import Samples

SURFACE = (0.0, 0.1)  # m
GOOD = "G"
DEPTH_SLACK = 1e-6
_BEFORE_ALL = np.datetime64("0001-01-01", "s")


def read_ismn(
    request: ProductRequest, files: Sequence[Path], cells: NearestCells, account: Account
) -> Iterator[Samples]:
    """Samples of SSM of the stations of the cells; the error is unknown unless the request gives one."""
    if request.quantity != "SSM":
        raise InputError(f"prepare.observations.{request.name}.quantity: ismn holds SSM, not {request.quantity}")
    inside: list[tuple[Series, int, float]] = []
    for member in members(files):
        for series in member.read():
            check_position(series.source, np.array([series.latitude]), np.array([series.longitude]))
            where = place(request, cells, np.array([series.latitude]), np.array([series.longitude]))
            if where.cell[0] >= 0:
                inside.append((series, int(where.cell[0]), float(where.distance[0])))
            else:
                account.leave_out("outside_domain", len(series))
    inside.sort(key=lambda row: row[0].time[0] if len(row[0]) else np.datetime64("9999-01-01", "s"))
    reasons = _unwanted(request, [series for series, _, _ in inside])
    primary = _nearest_stations(inside)
    last: dict[tuple, np.datetime64] = {}  # an update may overlap the record before it
    blocks, distance = [], []
    for (series, cell, away), reason in zip(inside, reasons, strict=True):
        if not reason and request.aggregate != "mean" and _station(series) not in primary:
            reason = "other_location"
        block = _block(request, account, series, cell, reason)
        if len(block):
            sensor = (*_station(series), series.depth, series.sensor)
            block.rejected[block.time <= last.get(sensor, _BEFORE_ALL)] = account.code("duplicate")
            last[sensor] = max(last.get(sensor, _BEFORE_ALL), block.time.max())
        if request.aggregate == "mean":
            blocks.append(block)
            distance.append(np.full(len(block), away))
        else:
            yield block
    yield from overpasses(request, account, blocks, distance)


def _station(series: Series) -> tuple[str, str]:
    return series.network, series.station


def _nearest_stations(inside: Sequence[tuple[Series, int, float]]) -> set[tuple[str, str]]:
    """The station nearest to the centre of each cell."""
    best: dict[int, tuple[float, tuple[str, str]]] = {}
    for series, cell, away in inside:
        best[cell] = min(best.get(cell, (np.inf, ("", ""))), (away, _station(series)))
    return {station for _, station in best.values()}


def _unwanted(request: ProductRequest, series: Sequence[Series]) -> list[str]:
    """Why each series is not the one of its station, "" for the one that is.  InputError when none is."""
    shallowest, deepest = request.depth or SURFACE
    reasons = []
    for one in series:
        reasons.append("")
        if one.depth[0] < shallowest - DEPTH_SLACK or one.depth[1] > deepest + DEPTH_SLACK:
            reasons[-1] = "other_depth"
        elif request.sensor is not None and _plain(one.sensor) != _plain(request.sensor):
            reasons[-1] = "other_sensor"
    if series and all(reasons):
        _none_left(request, series, reasons, shallowest, deepest)
    chosen: dict[tuple[str, str], Series] = {}
    for one, reason in zip(series, reasons, strict=True):
        known = chosen.get(_station(one))
        if not reason and (known is None or (one.depth, one.sensor) < (known.depth, known.sensor)):
            chosen[_station(one)] = one
    for number, one in enumerate(series):
        best = chosen.get(_station(one))
        if not reasons[number] and best is not None and (one.depth, one.sensor) != (best.depth, best.sensor):
            reasons[number] = "other_depth" if one.depth != best.depth else "other_sensor"
    return reasons


def _none_left(
    request: ProductRequest, series: Sequence[Series], reasons: list[str], shallowest: float, deepest: float
) -> None:
    where, name = series[0].source, f"prepare.observations.{request.name}"
    if "other_sensor" in reasons:
        held = ", ".join(sorted({one.sensor for one in series}))
        raise InputError(f"{where}: no sensor {request.sensor}; set {name}.sensor to one of {held}")
    held = ", ".join(f"{first:g}-{last:g}" for first, last in sorted({one.depth for one in series}))
    raise InputError(
        f"{where}: soil moisture is at {held} m, not within {shallowest:g} to {deepest:g} m; set {name}.depth"
    )


def _plain(sensor: str) -> str:
    return re.sub(r"[\s_-]+", "", sensor).lower()


def _block(request: ProductRequest, account: Account, series: Series, cell: int, reason: str) -> Samples:
    again = repeated(f"{series.source}: time", series.time, np.zeros(len(series), np.int64), series.value)
    within = in_period(request, series.time)
    account.leave_out("outside_period", np.count_nonzero(~within))
    rejected = np.zeros(len(series), np.int8)
    if reason:
        rejected[:] = account.code(reason)
    first = np.array([flag.split(",")[0] for flag in series.flag], dtype=str)
    for flag in np.unique(first[series.flag != GOOD]):
        reject(rejected, (first == flag) & (series.flag != GOOD), account.code(f"flag_{flag}"))
    rejected[again] = account.code("duplicate")
    whole = Samples(
        source=series.source,
        variable="soil moisture",
        units="m3 m-3",
        time=series.time,
        cell=np.full(len(series), cell),
        value=series.value.astype(np.float32),
        error=np.full(len(series), np.nan, np.float32),
        rejected=rejected,
    )
    return whole.select(within)
