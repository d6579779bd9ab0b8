"""Stored SURFEX runs side by side: every case is a cell, every patch a column of one batch."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree

from dalearn.experiments.reference_case import ReferenceCase
from dalearn.land.state import LandParameters, LandState
from dalearn.land.window import ForcingWindow
from dalearn.tree import named_tensors

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Batch:
    """Cases that run together; ``parameters`` and ``initial`` hold the columns of one case after the other."""

    cases: Sequence[ReferenceCase]
    parameters: LandParameters
    initial: LandState

    @property
    def cell_of_column(self) -> Tensor:
        """(column,) number of the case."""
        counts = torch.tensor([case.grid.column_count for case in self.cases])
        return torch.repeat_interleave(torch.arange(len(self.cases)), counts)

    def columns(self, number: int) -> slice:
        """The columns of a case."""
        first = sum(case.grid.column_count for case in self.cases[:number])
        return slice(first, first + self.cases[number].grid.column_count)

    def state(self, row: int) -> LandState:
        """``ReferenceCase.state`` of all cases."""
        return join_columns([case.state(row) for case in self.cases])

    def window(self, first: int, last: int) -> ForcingWindow:
        """``ReferenceCase.window`` of all cases side by side."""
        windows = [case.window(first, last) for case in self.cases]
        return replace(windows[0], values=torch.cat([window.values for window in windows], dim=-1))


def join_columns(parts: Sequence[T]) -> T:
    """Tensor dataclasses of the same kind side by side along the column (last) axis."""
    return parts[0] if len(parts) == 1 else _pytree.tree_map(lambda *tensors: torch.cat(tensors, dim=-1), *parts)


def batch_key(case: ReferenceCase) -> Hashable:
    """Cases with equal keys can run as one batch: same options, steps, length, time of day and layers."""
    second_of_day = int((case.start - case.start.astype("datetime64[D]")) / np.timedelta64(1, "s"))
    layers = tuple(len(values) for _, values in named_tensors(case.initial) if values.dim() == 2)
    return case.options.land, case.output_step, case.row_count, second_of_day, layers


def batch_cases(cases: Sequence[ReferenceCase]) -> Batch:
    """``cases``, whose keys must be equal, as one batch."""
    if len({batch_key(case) for case in cases}) != 1:
        raise ValueError("cases of one batch need the same options, steps, length and time of day")
    return Batch(
        cases, join_columns([case.parameters for case in cases]), join_columns([case.initial for case in cases])
    )
