"""Variables on a regular grid, spread over netCDF files by time, by variable or both; read block by block.

Understood are both generations of the netCDF of the Copernicus data store (``time`` or ``valid_time``, ``expver`` as
a dimension or as a coordinate, ``number``) and files converted from GRIB with a forecast base time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.forcing.checks import check_regular
from dalearn.forcing.grid_file import TIME_NAMES, Window, altitude_of, crop, grid_of, kinds_of_axes, refuse_rotated
from dalearn.io import read_time, read_values, reading
from dalearn.regular_grid import RegularGrid

POSITION_TOLERANCE = 1e-3  # degrees between the axes of two files


@dataclass(frozen=True, eq=False)
class Segment:
    """A variable in one file: ``variable`` is its name there, ``times`` (record,), ``base`` of a forecast or None."""

    path: Path
    variable: str
    times: np.ndarray
    units: str
    base: np.datetime64 | None


class GriddedFiles:
    """The variables ``aliases`` (own name -> names in files) of ``paths`` around the cells.

    ``latitude``, ``longitude`` (cell,): only the part of the grid around them is read.  ``required`` variables must be
    there; all that are there must hold the same records, which must be regular.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        aliases: Mapping[str, Sequence[str]],
        required: Sequence[str],
        latitude: np.ndarray,
        longitude: np.ndarray,
    ) -> None:
        self.label = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        self._segments: dict[str, list[Segment]] = {}
        self._whole: RegularGrid | None = None
        self._source_of_grid = ""
        seen: list[str] = []
        for path in paths:
            with reading(path) as dataset:
                seen += dataset.variables
                self._scan(path, dataset, aliases)
        for name in required:
            if name not in self._segments:
                others = f" (also looked for {', '.join(aliases[name][1:])})" if len(aliases[name]) > 1 else ""
                raise InputError(
                    f"{self.label}: variable {aliases[name][0]} is missing{others}; download it too (the files have "
                    f"{', '.join(dict.fromkeys(seen))})"
                )
        assert self._whole is not None
        self.times: np.ndarray
        self.step: int
        self.grid: RegularGrid
        self._window: Window
        self.times, self.step = self._regular()
        self.grid, self._window = crop(self._source_of_grid, self._whole, latitude, longitude)

    def has(self, name: str) -> bool:
        return name in self._segments

    def units(self, name: str) -> str:
        """Units that the files declare, equal in all of them."""
        found = {segment.units: segment for segment in self._segments[name]}
        if len(found) > 1:
            (one, first), (other, second) = list(found.items())[:2]
            raise InputError(
                f"{second.path}: {second.variable} is in {other}, in {first.path} in {one}; download both alike"
            )
        return next(iter(found))

    def origin(self, name: str, row: int) -> str:
        """``file: variable`` of a record."""
        segment, _ = self._find(name, row)
        return f"{segment.path}: {segment.variable}"

    def base(self, name: str) -> np.ndarray:
        """Base time of the forecast behind every record, (record,) datetime64, NaT where the file has none."""
        result = np.full(len(self.times), np.datetime64("NaT", "s"))
        first = 0
        for segment in self._segments[name]:
            if segment.base is not None:
                result[first : first + len(segment.times)] = segment.base
            first += len(segment.times)
        return result

    def read(self, name: str, rows: slice) -> np.ndarray:
        """Records ``rows`` of a variable, (record, node) float32, NaN where undefined."""
        parts, first = [], 0
        for segment in self._segments[name]:
            inside = slice(max(rows.start - first, 0), min(rows.stop - first, len(segment.times)))
            if inside.start < inside.stop:
                parts.append(self._read(segment, inside))
            first += len(segment.times)
        return np.concatenate(parts)

    def read_accumulated(self, name: str, rows: slice, resets: np.ndarray) -> np.ndarray:
        """What fell in each of the steps that end at ``rows``, from values accumulated since the last reset.

        ``resets`` (record,): whether the accumulation began at the start of the step that ends at the record.  The
        first record of all, when it is none, has no record before it: it takes the value of the second.
        """
        before = min(rows.start, 1)
        values = self.read(name, slice(rows.start - before, rows.stop)).astype(np.float64)
        steps = values.copy()
        steps[1:] -= values[:-1]
        begins = resets[rows.start - before : rows.stop]
        steps[begins] = values[begins]
        if rows.start == 0 and not begins[0]:
            second = self.read_accumulated(name, slice(1, 2), resets) if len(self.times) > 1 else values[:1] * 0.0
            steps[0] = second[0]
        return steps[before:].astype(np.float32)

    def altitude(self) -> np.ndarray | None:
        """Altitude (node,) m from altitude or geopotential in any of the files; None when there is none."""
        for path in dict.fromkeys(segment.path for segments in self._segments.values() for segment in segments):
            with reading(path) as dataset:
                found = altitude_of(dataset, self._window)
            if found is not None:
                return found.ravel()
        return None

    def _scan(self, path: Path, dataset: netCDF4.Dataset, aliases: Mapping[str, Sequence[str]]) -> None:
        refuse_rotated(path, dataset)
        grid = grid_of(path, dataset)
        if self._whole is None:
            self._whole, self._source_of_grid = grid, str(path)
        elif not _same_grid(grid, self._whole):
            raise InputError(f"{path}: its grid differs from that of {self._source_of_grid}; download both alike")
        time_name = next((name for name in TIME_NAMES if name in dataset.variables and dataset[name].ndim == 1), None)
        if time_name is None:
            if any(alias in dataset.variables for names in aliases.values() for alias in names):
                raise InputError(f"{path}: variable valid_time or time (one dimension) is missing; download it again")
            return
        times = read_time(dataset, time_name)
        if not len(times):
            raise InputError(f"{path}: {time_name} holds no record; download it again")
        spacing = np.diff(times).astype(np.int64)
        if (spacing <= 0).any():
            check_regular(str(path), times, int(np.median(np.abs(spacing))) or 1)
        record = dataset[time_name].dimensions[0]
        for name, names in aliases.items():
            variable = next((alias for alias in names if alias in dataset.variables), None)
            if variable is not None and record in dataset[variable].dimensions:
                units = str(getattr(dataset[variable], "units", ""))
                segment = Segment(path, variable, times, units, _base_time(dataset, time_name))
                self._segments.setdefault(name, []).append(segment)

    def _regular(self) -> tuple[np.ndarray, int]:
        """Times and step that all variables share."""
        shared: np.ndarray | None = None
        reference = next(iter(self._segments.values()))
        for segments in self._segments.values():
            segments.sort(key=lambda segment: segment.times[0])
            for one, other in pairwise(segments):
                if other.times[0] <= one.times[-1]:
                    raise InputError(
                        f"{other.path}: {other.variable} at {other.times[0]} is also in {one.path}; "
                        "give every hour once (leave out preliminary data, expver 5, where there is final data)"
                    )
            times = np.concatenate([segment.times for segment in segments])
            if shared is None:
                shared = times
            elif not np.array_equal(times, shared):
                alone = np.setxor1d(times, shared)[0]
                lacking = segments[0] if alone in shared else reference[0]
                raise InputError(
                    f"{lacking.path}: {lacking.variable} has no record at {alone}, other variables have; "
                    "download the same hours for all variables"
                )
        assert shared is not None
        if len(shared) < 2:
            raise InputError(f"{self.label}: holds {len(shared)} record; give at least two")
        step = int(np.diff(shared).min().astype(np.int64))
        check_regular(self.label, shared, step)
        return shared, step

    def _find(self, name: str, row: int) -> tuple[Segment, int]:
        for segment in self._segments[name]:
            if row < len(segment.times):
                return segment, row
            row -= len(segment.times)
        raise IndexError(row)

    def _read(self, segment: Segment, rows: slice) -> np.ndarray:
        with reading(segment.path) as dataset:
            variable = dataset[segment.variable]
            axes = kinds_of_axes(str(segment.path), dataset, segment.variable)
            index: list[slice | int] = []
            kept: list[str] = []
            for dimension, kind in zip(variable.dimensions, axes, strict=True):
                whole = {"time": rows, "row": self._window[0], "column": slice(None), "expver": slice(None)}
                index.append(whole.get(kind, 0))
                if kind != "single":
                    kept.append(kind)
                elif len(dataset.dimensions[dimension]) > 1:
                    raise InputError(
                        f"{segment.path}: {segment.variable} has {len(dataset.dimensions[dimension])} entries along "
                        f"{dimension}; select one of them"
                    )
            parts = []
            for columns in self._window[1]:
                index[axes.index("column")] = columns
                parts.append(read_values(dataset, segment.variable, tuple(index), np.float32))
            values = np.concatenate(parts, axis=kept.index("column"))
        order = [kept.index(kind) for kind in ("time", "expver", "row", "column") if kind in kept]
        values = values.transpose(order)
        if "expver" in kept:  # final data first, preliminary data where there is none
            merged = values[:, 0]
            for version in range(1, values.shape[1]):
                merged = np.where(np.isnan(merged), values[:, version], merged)
            values = merged
        return values.reshape(len(values), -1)


def _base_time(dataset: netCDF4.Dataset, time_name: str) -> np.datetime64 | None:
    """When the forecast of a file began: a scalar ``forecast_reference_time``, or ``time`` beside ``valid_time``."""
    for name in ("forecast_reference_time", "time"):
        if name != time_name and name in dataset.variables and dataset[name].size == 1:
            return read_time(dataset, name).ravel()[0]
    return None


def _same_grid(one: RegularGrid, other: RegularGrid) -> bool:
    return one.shape == other.shape and all(
        np.allclose(first, second, atol=POSITION_TOLERANCE)
        for first, second in ((one.latitude, other.latitude), (one.longitude, other.longitude))
    )
