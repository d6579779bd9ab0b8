"""Reading the open loop of a run directory."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from dalearn.io import read_time, read_values, reading


class OpenLoopData:
    """``open_loop.nc``; ``time`` (time,) datetime64[s], the end of the hours it was written at."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def time(self) -> np.ndarray:
        with reading(self.path) as file:
            return read_time(file)

    def rows(self, start: np.datetime64, end: np.datetime64, margin: np.timedelta64) -> slice:
        """The outputs from ``start`` to ``end``, ``margin`` beyond them included."""
        first, last = np.searchsorted(self.time, [start - margin, end + margin])
        return slice(int(first), int(last))

    def read(self, names: Sequence[str], rows: slice = slice(None)) -> dict[str, np.ndarray]:
        """Cell means of the named variables, each (time, cell) float32."""
        with reading(self.path) as file:
            return {name: read_values(file, name, rows, np.float32) for name in names}
