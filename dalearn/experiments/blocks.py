"""Long outputs in blocks: a whole file per block while a run lasts, one netCDF file at its end.

A process killed while it appends to a netCDF file can leave the file unreadable, and with it days of work.
So every block of a stage is a file of its own that takes its name when complete, and the blocks are joined
when the stage is done.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dalearn.files import write_whole
from dalearn.io import TimeSeriesWriter


class Blocks:
    """The block files of one stage in ``directory``, numbered from 0.

    A block maps names to arrays with time first; ``time`` itself is datetime64.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, number: int) -> Path:
        return self.directory / f"block_{number:05d}.npz"

    def write(self, number: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write block ``number`` as a whole or not at all, in place of an older one."""

        def save(path: Path) -> None:
            with path.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]

        write_whole(self.path(number), save)

    def read(self, number: int) -> dict[str, np.ndarray]:
        with np.load(self.path(number)) as file:
            return dict(file)


def read_parts_of_blocks(parts: Sequence[Blocks], numbers: Iterable[int]) -> Iterator[dict[str, np.ndarray]]:
    """The blocks ``numbers`` of the whole domain: those of its ``parts`` side by side, one block at a time."""
    for number in numbers:
        pieces = [part.read(number) for part in parts]
        yield {
            name: values if name == "time" else np.concatenate([piece[name] for piece in pieces], axis=-1)
            for name, values in pieces[0].items()
        }


def join_blocks(
    path: Path,
    blocks: Iterator[dict[str, np.ndarray]],
    latitude: np.ndarray,
    longitude: np.ndarray,
    attributes: Mapping[str, Any],
) -> None:
    """Write blocks of (time, cell) variables of the variable table one after the other into ``path``."""
    first = next(blocks)
    names = [name for name in first if name != "time"]
    rows = max(len(first["time"]), 24)
    with TimeSeriesWriter(path, names, latitude, longitude, attributes=attributes, rows_per_block=rows) as writer:
        for block in (first, *blocks):
            writer.append(block["time"], {name: block[name] for name in names})
