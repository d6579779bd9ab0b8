"""Parts of the domain: consecutive cells that one process runs on its own.

Cells do not interact, so a part is an experiment of its own on its cells; putting the parts one after the other gives
the whole.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from dalearn.files import write_text
from dalearn.grid import Grid

ALIGNMENT = 32  # columns; a multiple of those that a processor treats at once, see ``plan_parts``
UNEVENNESS = 0.05  # of a part, by which a cut may move to be aligned

PARTS_FILE = "parts.json"


@dataclass(frozen=True)
class Part:
    """Cells and columns ``first <= number < last`` of the domain; ``number`` counts the parts from 0."""

    number: int
    first_cell: int
    last_cell: int
    first_column: int
    last_column: int

    @property
    def cells(self) -> slice:
        return slice(self.first_cell, self.last_cell)

    @property
    def columns(self) -> slice:
        return slice(self.first_column, self.last_column)

    @property
    def column_count(self) -> int:
        return self.last_column - self.first_column

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"part_{self.number:04d}"


def plan_parts(grid: Grid, count: int) -> list[Part]:
    """At most ``count`` parts with about the same number of columns, none empty.

    Torch computes powers of most elements with vector instructions and of the last ones, which do not fill a vector,
    with another function that may differ in the last bit.  Compiled blocks have no such ends; without them a cut at a
    multiple of ``ALIGNMENT`` columns leaves every column in the company it has in the whole domain, so a cut moves
    there where that costs little balance.
    """
    per_cell = np.bincount(grid.cell_of_column.cpu().numpy(), minlength=grid.cell_count)
    ends = np.concatenate([[0], np.cumsum(per_cell)])  # columns before each cell
    total, count = int(ends[-1]), min(count, grid.cell_count)
    cuts = [0]
    for number in range(1, count):
        wanted = number * total / count
        choices = np.arange(cuts[-1] + 1, grid.cell_count - (count - number) + 1)
        distance = np.abs(ends[choices] - wanted)
        aligned = (ends[choices] % ALIGNMENT == 0) & (distance <= UNEVENNESS * total / count)
        if aligned.any():
            distance = np.where(aligned, distance, np.inf)
        cuts.append(int(choices[np.argmin(distance)]))
    cuts.append(grid.cell_count)
    return [
        Part(number, first, last, int(ends[first]), int(ends[last]))
        for number, (first, last) in enumerate(pairwise(cuts))
    ]


def write_parts(folder: Path, parts: Sequence[Part]) -> None:
    """Keep the parts of a stage, for a run that is continued with another number of processes."""
    write_text(folder / PARTS_FILE, json.dumps([asdict(part) for part in parts]))


def read_parts(folder: Path) -> list[Part] | None:
    """What ``write_parts`` kept; None where it kept nothing."""
    path = folder / PARTS_FILE
    return [Part(**item) for item in json.loads(path.read_text())] if path.exists() else None
