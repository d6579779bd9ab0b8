"""From columns to cells: the predictors of operators and the quantities that are written out."""

from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor

from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.state import Fluxes, LandParameters, LandState
from dalearn.variables import VARIABLES

_STATE_FIELDS = {item.name for item in fields(LandState)}  # type: ignore[arg-type]
_FLUX_FIELDS = {item.name for item in fields(Fluxes)}  # type: ignore[arg-type]


def column_values(names: Sequence[str], state: LandState, fluxes: Fluxes | None = None) -> Tensor:
    """The named variables of every column, ``(name, column)``, in the units of the variable table.

    ``InputError`` for a name that is neither in the state nor, when ``fluxes`` are given, a flux.
    """
    rows = []
    for name in names:
        row = VARIABLES.get(name)
        if row is not None and row.field in _STATE_FIELDS:
            values = getattr(state, row.field)
        elif row is not None and fluxes is not None and row.field in _FLUX_FIELDS:
            values = getattr(fluxes, row.field)
        else:
            raise InputError(f"{name} is not a variable of the land model state: use names like WG2, TG2, LAI")
        rows.append(values if row.layer is None else values[row.layer])
    return torch.stack(rows)


class CellMeans:
    """Fraction-weighted means of named variables over the patches of each cell.

    Columns without vegetation count with LAI 0.  Water and ice of a layer are averaged over the patches whose
    soil reaches it, NaN where none does.
    """

    def __init__(self, grid: Grid, parameters: LandParameters, names: Sequence[str]) -> None:
        self.grid = grid
        self.names = tuple(names)
        holds_water = parameters.soil.holds_water
        everywhere = torch.ones_like(holds_water[0])
        self.defined = torch.stack(
            [holds_water[VARIABLES[name].layer] if name.startswith("WG") else everywhere for name in self.names]
        )
        self.share = grid.cell_mean(self.defined.to(parameters.soil.porosity.dtype))

    def __call__(self, state: LandState, fluxes: Fluxes | None = None) -> Tensor:
        """``(name, cell)``"""
        return self.of_columns(column_values(self.names, state, fluxes))

    def of_columns(self, values: Tensor) -> Tensor:
        """Means ``(name, cell)`` of values ``(name, column)`` in the order of ``names``."""
        return self.grid.cell_mean(torch.where(self.defined, values, torch.zeros_like(values))) / self.share
