"""Stopping at the first number that is not finite, with its cell, variable and time."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dalearn.grid import PATCH_NAMES, Grid
from dalearn.land.state import LandState
from dalearn.tree import named_tensors
from dalearn.variables import VARIABLES

_NAMES = {(row.field, row.layer): row.name for row in VARIABLES.values()}


class NonFiniteError(FloatingPointError):
    """A number of the model or the filter is not finite; the message names cell, variable and time."""


def check_finite(state: LandState, grid: Grid, when: str) -> None:
    """Raise ``NonFiniteError`` when any number of ``state`` is NaN or infinite; ``when`` ends the message."""
    bad = torch.stack([~torch.isfinite(values).all() for _, values in named_tensors(state)])
    if not bool(bad.any()):
        return
    field, values = next((name, values) for name, values in named_tensors(state) if not torch.isfinite(values).all())
    position = (~torch.isfinite(values)).nonzero()[0].tolist()
    column = position[-1]
    layer = position[0] if values.ndim > 1 else None
    patch = int(grid.patch_of_column[column])
    raise NonFiniteError(
        f"{_NAMES.get((field, layer), field)} is {float(values[tuple(position)])} in "
        f"{describe_cell(grid, int(grid.cell_of_column[column]))}, patch {patch} ({PATCH_NAMES[patch - 1]}), {when}"
    )


def check_finite_jacobian(
    H: Tensor, used: Tensor, grid: Grid, quantities: Sequence[str], names: Sequence[str], when: str
) -> None:
    """The same for H (observation, control, column) where ``used``, bool (observation, cell)."""
    bad = ~torch.isfinite(H) & grid.to_columns(used).unsqueeze(1)
    if not bool(bad.any()):
        return
    k, row, column = bad.nonzero()[0].tolist()
    raise NonFiniteError(
        f"d {quantities[k]} / d {names[row]} is {float(H[k, row, column])} in "
        f"{describe_cell(grid, int(grid.cell_of_column[column]))}, patch {int(grid.patch_of_column[column])}, {when}"
    )


def describe_cell(grid: Grid, cell: int) -> str:
    """For example ``cell 12 (43.50 N, -1.25 E)``."""
    return f"cell {grid.first_cell + cell} ({float(grid.latitude[cell]):.2f} N, {float(grid.longitude[cell]):.2f} E)"


def at_time(what: str, time: np.datetime64) -> str:
    """For example ``after the forecast ending 2015-03-02T09:00 UTC``."""
    return f"{what} {np.datetime_as_string(time, unit='m')} UTC"
