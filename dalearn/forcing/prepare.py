"""From a source of forcing to a SURFEX forcing file on the cells, block by block."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dalearn.errors import InputError
from dalearn.forcing.altitude import correct_altitude
from dalearn.forcing.checks import check_values
from dalearn.forcing.partition import mean_cosine, snow_share, split_shortwave, sun_distance_factor
from dalearn.forcing.source import ForcingSource, Points
from dalearn.forcing.writer import forcing_file, rows_per_chunk
from dalearn.regular_grid import Weights, bilinear, distance_km, nearest

HOUR = 3600
VALUES_PER_BLOCK = 1_000_000
POINT_TOLERANCE_KM = 2.5
CALM = 1e-6  # m s-1: below, the wind has no direction

DirectShortwave = Literal["erbs", "all"]


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of the model: all (cell,), degrees and metres, altitude NaN where unknown."""

    latitude: np.ndarray
    longitude: np.ndarray
    altitude: np.ndarray


@dataclass(frozen=True, eq=False)
class ForcingPlan:
    """What ``write_plan`` is going to do, checked: the records ``rows`` of ``source``, brought to the cells.

    ``rise`` (cell,) m is the way up from the source to the cell where the altitude is corrected, else None; ``static``
    is what the file says of the cells.
    """

    source: ForcingSource
    rows: slice
    cells: Cells
    weights: Weights
    static: Mapping[str, np.ndarray]
    rise: np.ndarray | None
    direct_shortwave: DirectShortwave


def plan_forcing(
    source: ForcingSource,
    cells: Cells,
    *,
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
    altitude_correction: bool = False,
    source_altitude: np.ndarray | None = None,
    direct_shortwave: DirectShortwave = "erbs",
) -> ForcingPlan:
    """Check that ``source`` covers cells and period; nothing is written.

    ``start``, ``end``: all records by default.  ``source_altitude`` (cell,) m: of the source at the cells, in place of
    what the source knows.  Raises InputError, one line, for what cannot be done.
    """
    if source.step != HOUR:
        raise InputError(f"{source.label}: time: records every {source.step} s; give hourly records")
    points = source.points
    if points.grid is not None:
        weights = bilinear(source.label, points.grid, cells.latitude, cells.longitude)
    else:
        weights, distance = _points_of_cells(points, cells)
        if (distance > POINT_TOLERANCE_KM).any():
            cell = int(np.argmax(distance))
            raise InputError(
                f"{source.label}: the nearest point is {distance[cell]:.1f} km from cell {cell} at "
                f"{cells.latitude[cell]:.4f} {cells.longitude[cell]:.4f}; correct one of the positions"
            )
    altitude = weights(points.altitude) if source_altitude is None else source_altitude
    if altitude_correction:
        _need_altitude(source, "the source", altitude, "set prepare.forcing.altitude_file (or altitude)")
        _need_altitude(source, "the surface", cells.altitude, "add altitude to the cells of the surface")
    static = {
        "latitude": cells.latitude,
        "longitude": cells.longitude,
        "altitude": cells.altitude if altitude_correction else np.where(
            np.isfinite(altitude), altitude, cells.altitude
        ),
        "temperature_height": weights(points.temperature_height),
        "wind_height": weights(points.wind_height),
    }  # fmt: skip
    return ForcingPlan(
        source=source,
        rows=_rows(source, start, end),
        cells=cells,
        weights=weights,
        static=static,
        rise=cells.altitude - altitude if altitude_correction else None,
        direct_shortwave=direct_shortwave,
    )


def write_plan(
    plan: ForcingPlan,
    path: Path,
    attributes: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] = lambda records: None,
) -> None:
    """Carry out ``plan``; the file appears whole or not at all.  ``progress`` is told the records of every block.

    Raises InputError at the first value that is undefined or cannot be.
    """
    source, first = plan.source, plan.rows.start
    count = plan.rows.stop - first
    cells, nodes = len(plan.cells.latitude), len(source.points.latitude)
    chunk = rows_per_chunk(count, cells)
    length = max(VALUES_PER_BLOCK // max(cells, nodes) // chunk, 1) * chunk
    ignored = _never_defined(plan)
    records = block_on_cells(plan, slice(first, min(first + length, plan.rows.stop)), ignored)
    with forcing_file(
        path,
        start=source.times[first],
        step=source.step,
        record_count=count,
        static=plan.static,
        names=list(records),
        attributes=attributes,
    ) as write:
        for begin in range(first, plan.rows.stop, length):
            if begin > first:
                records = block_on_cells(plan, slice(begin, min(begin + length, plan.rows.stop)), ignored)
            write(begin - first, records)
            progress(len(records["Tair"]))


def _never_defined(plan: ForcingPlan) -> np.ndarray | None:
    """Nodes of a grid that have no data, such as the sea of a land product: those undefined in the first record."""
    if plan.source.points.grid is None:
        return None
    first = plan.source.read(slice(plan.rows.start, plan.rows.start + 1))
    ignored = np.isnan(first["Tair"][0])
    usable = ~ignored[plan.weights.index] & (plan.weights.weight > 0.0)
    if not usable.any(axis=0).all():
        cell = int(np.argmin(usable.any(axis=0)))
        raise InputError(
            f"{plan.source.origin('Tair', plan.rows.start)} is undefined (sea, or fill value) all around cell {cell} "
            f"({plan.cells.latitude[cell]:.4f} {plan.cells.longitude[cell]:.4f}) at "
            f"{plan.source.times[plan.rows.start]}; "
            "leave the cell out or download the data again"
        )
    return ignored if ignored.any() else None


def block_on_cells(plan: ForcingPlan, rows: slice, ignored: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The checked records ``rows`` on the cells under the names of a forcing file, (record, cell) float32.

    ``ignored`` (node,): nodes without data, which leave their weight to the others.
    """
    given = plan.source.read(rows)
    values = {name: plan.weights(array, ignored) for name, array in given.items()}
    del given
    if plan.rise is not None:
        values = correct_altitude(values, plan.rise)
    times = plan.source.times[rows]
    values = _joined_wind(_split_precipitation(_split_sun(plan, values, times)))
    return {
        name: check_values(plan.source.origin(name, rows.start), name, times, array) for name, array in values.items()
    }


def _split_sun(plan: ForcingPlan, values: dict[str, np.ndarray], times: np.ndarray) -> dict[str, np.ndarray]:
    if "SWdown" not in values:
        return values
    total = values.pop("SWdown")
    if plan.direct_shortwave == "all":
        return {**values, "DIR_SWdown": total, "SCA_SWdown": np.zeros_like(total)}
    cosine = mean_cosine(times, plan.source.step, plan.cells.latitude, plan.cells.longitude)
    direct, diffuse = split_shortwave(total.astype(np.float64), cosine, sun_distance_factor(times))
    return {**values, "DIR_SWdown": direct.astype(np.float32), "SCA_SWdown": diffuse.astype(np.float32)}


def _split_precipitation(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if "Precip" in values:
        total = values.pop("Precip")
        snow = (total * snow_share(values["Tair"])).astype(np.float32)
        return {**values, "Rainf": total - snow, "Snowf": snow}
    return values if "Snowf" in values else {**values, "Snowf": np.zeros_like(values["Rainf"])}


def _joined_wind(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if "Wind_E" not in values:
        return values
    east, north = values.pop("Wind_E"), values.pop("Wind_N")
    speed = np.hypot(east, north)
    direction = np.where(speed > CALM, np.rad2deg(np.arctan2(-east, -north)) % 360.0, 0.0)
    return {**values, "Wind": speed, "Wind_DIR": direction.astype(np.float32)}


def _points_of_cells(points: Points, cells: Cells) -> tuple[Weights, np.ndarray]:
    """The point of each cell and how far away it is in km.

    Points in the order of the cells stay in it, since several may lie at one place (bands of altitude); else the
    nearest one counts.
    """
    if len(points.latitude) == len(cells.latitude):
        apart = distance_km(points.latitude, points.longitude, cells.latitude, cells.longitude)
        if (apart <= POINT_TOLERANCE_KM).all():
            order = np.arange(len(apart))[None]
            return Weights(order, np.ones(order.shape)), apart
    return nearest(points.latitude, points.longitude, cells.latitude, cells.longitude)


def _need_altitude(source: ForcingSource, whose: str, altitude: np.ndarray, mend: str) -> None:
    if not np.isfinite(altitude).all():
        cell = int(np.argmin(np.isfinite(altitude)))
        raise InputError(f"{source.label}: altitude_correction: no altitude of {whose} in cell {cell}; {mend}")


def _rows(source: ForcingSource, start: np.datetime64 | None, end: np.datetime64 | None) -> slice:
    """The records from ``start`` to ``end``, both included."""
    times, step = source.times, np.timedelta64(source.step, "s")
    begin = times[0] if start is None else start
    finish = times[-1] if end is None else end
    if not times[0] <= begin < finish <= times[-1] + step:
        raise InputError(
            f"{source.label}: time: {begin} to {finish} is wanted, the records go from {times[0]} to {times[-1]}; "
            "give more files or shorten prepare.forcing.start to end"
        )
    first, last = int((begin - times[0]) // step), int(-((times[0] - finish) // step))
    return slice(first, min(last + 1, len(times)))
