"""Running a batch of stored cases block by block and comparing every output step."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch

from dalearn.assimilation.finite import NonFiniteError
from dalearn.errors import InputError
from dalearn.experiments.parity_statistics import Agreement
from dalearn.experiments.reference_batch import Batch
from dalearn.experiments.reference_case import ReferenceCase
from dalearn.experiments.reference_names import CELL_MEAN_NAMES, as_in_file, columns_of
from dalearn.experiments.water_budget import WaterBudget
from dalearn.land.model import LandModel
from dalearn.land.state import LandState

logger = logging.getLogger("dalearn")

BLOCK_ROWS = 480

Values = dict[str, np.ndarray]


class Block(NamedTuple):
    """Output steps of a batch."""

    first: int  # row of the stored series
    values: Values  # SURFEX name -> (row, ..., column)


def run_blocks(
    model: LandModel,
    batch: Batch,
    state: LandState,
    first: int,
    last: int,
    budget: WaterBudget,
    on_row: Callable[[], None] | None = None,
) -> Iterator[Block]:
    """The model from ``state`` over the output steps ``first`` to ``last`` (exclusive).

    ``budget`` takes in every step; ``on_row`` is called after every output step.
    """
    every = batch.cases[0].steps_per_row
    cell_of_column = batch.cell_of_column
    names = list(dict.fromkeys(name for case in batch.cases for name in case.compared))
    dtype = state.soil_moisture.dtype
    for begin in range(first, last, BLOCK_ROWS):
        window = batch.window(begin, min(begin + BLOCK_ROWS, last)).to(dtype=dtype)
        rows = []
        for step in range(len(window)):
            forcing = window.forcing(step, cell_of_column)
            state, fluxes = model.step(state, forcing, window.first_of_day[step])
            budget.add(state, forcing, fluxes)
            if (step + 1) % every == 0:
                rows.append(columns_of(names, state, fluxes))
                if on_row is not None:
                    on_row()
        values = {name: torch.stack([row[name] for row in rows]).double().numpy() for name in names}
        yield Block(begin, values)


class Comparison:
    """The agreement of one case, variable by variable.

    Args:
        case: the stored run.
        strict: raise InputError where a quantity is defined on one side only; otherwise leave it out and count it, for
            float32, in which thin snow may appear or vanish a step apart.
    """

    def __init__(self, case: ReferenceCase, *, strict: bool) -> None:
        self.case = case
        self.strict = strict
        self.agreements = {name: Agreement() for name in case.compared}
        self.one_sided = dict.fromkeys(case.compared, 0)

    def add(self, first: int, columns: Mapping[str, np.ndarray]) -> tuple[Values, Values]:
        """Compare the rows from ``first`` on, ``columns`` (row, ..., column) of the model; returns the model's values
        as the file would hold them, and those of the file."""
        self._check_finite(first, columns)
        ours = as_in_file({name: columns[name] for name in self.case.compared}, self.case.parameters)
        fraction = self.case.grid.fraction.numpy()
        ours |= {name: ours[name] @ fraction for name in CELL_MEAN_NAMES if name in ours}
        count = len(next(iter(ours.values())))
        reference = self.case.series(self.case.compared, first, first + count)
        for name, agreement in self.agreements.items():
            ours[name] = self._matched(name, first, ours[name], reference[name])
            known = np.isfinite(ours[name])
            agreement.add(ours[name][known], reference[name][known])
        return ours, reference

    def _check_finite(self, first: int, columns: Mapping[str, np.ndarray]) -> None:
        for name in self.case.compared:
            bad = ~np.isfinite(columns[name])
            if bad.any():
                row, *place = np.argwhere(bad)[0].tolist()
                value, where = columns[name][row, *place], self._where(first + row, place)
                raise NonFiniteError(f"{self.case.path}: {name} of the model is {value} {where}")

    def _matched(self, name: str, first: int, model: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """``model`` without what the reference lacks."""
        one_sided = np.isfinite(model) != np.isfinite(reference)
        if not one_sided.any():
            return model
        if self.strict:
            row, *place = np.argwhere(one_sided)[0].tolist()
            raise InputError(
                f"{self.case.path}: {name} is defined on one side only {self._where(first + row, place)}: model "
                f"{model[row, *place]:.6g}, reference {reference[row, *place]:.6g}"
            )
        self.one_sided[name] += int(one_sided.sum())
        return np.where(one_sided, np.nan, model)

    def _where(self, row: int, place: list[int]) -> str:
        """For example ``at 1987-01-05T00:30 UTC, layer 3, patch 7``."""
        text = f"at {np.datetime_as_string(self.case.times[row], unit='m')} UTC"
        if len(place) > 1:
            text += f", layer {place[0] + 1}"
        return text + (f", patch {int(self.case.grid.patch_of_column[place[-1]])}" if place else "")

    def report_one_sided(self) -> None:
        """Say in the log what was left out."""
        for name, count in self.one_sided.items():
            if count:
                logger.warning(
                    "%s: %s left out where it is defined on one side only, %d values", self.case.name, name, count
                )
