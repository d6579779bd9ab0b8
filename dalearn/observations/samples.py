"""Samples of a product on the cells, on their way from a reader to the file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dalearn.observations.account import Account, reject
from dalearn.observations.observations import check_median, valid_range
from dalearn.observations.request import ProductRequest, errors_of_samples

LARGEST_CHECKED = 100_000  # values that stand for a block when its units are checked


@dataclass(frozen=True, eq=False)
class Samples:
    """A block of samples.

    Shapes: all (sample,).  ``time`` datetime64[s] UTC, ``cell`` index of the cell, ``value`` and ``error`` float32
    in ``units``, NaN where there is none, ``rejected`` int8, 0 or a code of the account.  ``variable`` is the name
    in the ``source`` file.
    """

    source: str
    variable: str
    units: str
    time: np.ndarray
    cell: np.ndarray
    value: np.ndarray
    error: np.ndarray
    rejected: np.ndarray

    def __len__(self) -> int:
        return len(self.time)

    def select(self, index: np.ndarray) -> "Samples":
        """The samples of an index or a mask."""
        fields = ("time", "cell", "value", "error", "rejected")
        return replace(self, **{name: getattr(self, name)[index] for name in fields})


def screen(request: ProductRequest, account: Account, blocks: Iterator[Samples]) -> Iterator[Samples]:
    """The blocks with their errors, and with the codes of ``undefined``, ``out_of_range`` and
    ``error_not_positive`` samples.  Raises InputError when the values cannot be in the units of the quantity.
    """
    for block in blocks:
        where = f"{block.source}: {block.variable}"
        low, high = valid_range(where, request.quantity, block.units)
        rejected = block.rejected.copy()
        reject(rejected, ~np.isfinite(block.value), account.code("undefined"))
        usable = np.flatnonzero(rejected == 0)
        if len(usable):
            some = block.value[usable[:: len(usable) // LARGEST_CHECKED + 1]]
            check_median(where, request.quantity, block.units, float(np.median(some)), low, high)
        reject(rejected, (block.value < low) | (block.value > high), account.code("out_of_range"))
        error = errors_of_samples(request, block.value, block.error)
        reject(rejected, error <= 0.0, account.code("error_not_positive"))
        yield replace(block, error=error, rejected=rejected)
