"""SURFEX forcing files as a source: one or several in a row, points as they are."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.forcing.checks import check_regular, check_units
from dalearn.forcing.reader import OPTIONAL, REQUIRED, read_records, read_static, regular_times, space_of
from dalearn.forcing.source import Points
from dalearn.io import reading, require


class SurfexFiles:
    """FORCING.nc files that follow each other in time, all with the same points; a ``ForcingSource``.

    The heights (m) stand in where a file has no ZREF and UREF.  A record that ends one file and begins the next
    counts once.
    """

    def __init__(self, paths: Sequence[Path], *, temperature_height: float, wind_height: float) -> None:
        parts = []
        for path in paths:
            with reading(path) as dataset:
                require(dataset, "time", *REQUIRED, "LON", "LAT")
                space = space_of(str(path), dataset)
                times, step = regular_times(str(path), dataset)
                names = [name for name in (*REQUIRED, *OPTIONAL) if name in dataset.variables]
                for name in names:
                    check_units(str(path), name, str(getattr(dataset[name], "units", "")))
                points = _points(str(path), dataset, space, temperature_height, wind_height)
                parts.append((path, times, step, names, points))
        parts.sort(key=lambda part: part[1][0])
        first, self.step, self.points = parts[0][0], parts[0][2], parts[0][4]
        self.label = str(first) if len(parts) == 1 else f"{first} and {len(parts) - 1} more"
        self._names = parts[0][3]
        for path, _, step, names, points in parts[1:]:
            if step != self.step or names != self._names or not _same_points(points, self.points):
                raise InputError(f"{path}: step, variables or points differ from those of {first}; give files alike")
        self._files = [(path, times) for path, times, *_ in parts]
        self._starts = [0]
        for (_, times), (_, after) in pairwise(self._files):
            shared = int(times[-1] == after[0])
            self._starts.append(self._starts[-1] + len(times) - shared)
        self.times = np.concatenate(
            [times[: stop - start] for (_, times), (start, stop) in zip(self._files, self._bounds(), strict=True)]
        )
        check_regular(self.label, self.times, self.step)

    def _bounds(self) -> list[tuple[int, int]]:
        """First record and the one after the last of every file in the whole."""
        ends = [*self._starts[1:], self._starts[-1] + len(self._files[-1][1])]
        return list(zip(self._starts, ends, strict=True))

    def read(self, rows: slice) -> dict[str, np.ndarray]:
        """See ``ForcingSource``."""
        parts = []
        for (path, times), (start, stop) in zip(self._files, self._bounds(), strict=True):
            inside = slice(max(rows.start - start, 0), min(rows.stop, stop) - start)
            if inside.start < inside.stop:
                with reading(path) as dataset:
                    parts.append({name: read_records(str(path), dataset, name, times, inside) for name in self._names})
        return {name: np.concatenate([part[name] for part in parts]) for name in self._names}

    def origin(self, name: str, row: int) -> str:
        """See ``ForcingSource``."""
        for (path, _), (start, stop) in zip(self._files, self._bounds(), strict=True):
            if start <= row < stop:
                return str(path)
        raise IndexError(row)


def _points(
    source: str, dataset: netCDF4.Dataset, space: dict[str, int], temperature_height: float, wind_height: float
) -> Points:
    def height(name: str, default: float) -> np.ndarray:
        return read_static(source, dataset, name, space, valid_range=(0.1, 1000.0), default=default)

    return Points(
        latitude=read_static(source, dataset, "LAT", space, valid_range=(-90.0, 90.0)),
        longitude=read_static(source, dataset, "LON", space, valid_range=(-180.0, 360.0)),
        altitude=read_static(source, dataset, "ZS", space, default=np.nan),
        temperature_height=height("ZREF", temperature_height),
        wind_height=height("UREF", wind_height),
    )


def _same_points(one: Points, other: Points) -> bool:
    pairs = ((one.latitude, other.latitude), (one.longitude, other.longitude))
    return all(len(a) == len(b) and np.allclose(a, b, atol=1e-4) for a, b in pairs)
