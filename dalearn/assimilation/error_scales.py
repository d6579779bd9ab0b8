"""Trainable multipliers of the error standard deviations: of B per control variable, of R per operator.

B and R of ``covariance.py`` are the reference; a multiplier m turns a variance v into m^2 v.  The parameters are
the logarithms, so that any step of an optimiser gives positive errors and a factor of two either way is the same
distance.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dalearn.assimilation.control import CONTROL_NAMES
from dalearn.errors import InputError
from dalearn.grid import Grid


class Multipliers(NamedTuple):
    """Multipliers of standard deviations for every cell; part of the graph of an ``ErrorScales``."""

    background: Tensor  # (control, cell)
    observation: Tensor  # (observation, cell)

    def of_background(self, B: Tensor, grid: Grid) -> Tensor:
        """Scaled variances ``(control, column)`` or covariances ``(control, control, column)`` within the columns."""
        m = grid.to_columns(self.background)
        return B * (m.square() if B.ndim == 2 else m.unsqueeze(0) * m.unsqueeze(1))

    def of_observations(self, R: Tensor) -> Tensor:
        """Scaled variances ``(observation, cell)``; NaN, where nothing is observed, stays NaN."""
        missing = R.isnan()
        # a product with NaN would give the multiplier the gradient 0 x NaN
        scaled = torch.where(missing, torch.zeros_like(R), R) * self.observation.square()
        return torch.where(missing, R, scaled)


class ErrorScales(nn.Module):
    """Multipliers of the error standard deviations as trainable parameters.

    Args:
        control: names of the control variables, in the order of ``FilterSettings.control``.
        operators: number of operators, one multiplier of R for each.
        cell_count: one multiplier per cell for everything; the same for all cells when None.
        background, observation: first multipliers, a number or one per control variable or operator.
        dtype: of the parameters; that of the land model.

    Attributes:
        log_background: (control, 1) or (control, cell).
        log_observation: (observation, 1) or (observation, cell).

    ``InputError`` for multipliers that are not positive.
    """

    def __init__(
        self,
        control: Sequence[str] = CONTROL_NAMES,
        operators: int = 1,
        *,
        cell_count: int | None = None,
        background: float | Sequence[float] = 1.0,
        observation: float | Sequence[float] = 1.0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        self.control = tuple(control)
        self.log_background = _logarithms("background", background, len(self.control), cell_count, dtype)
        self.log_observation = _logarithms("observation", observation, operators, cell_count, dtype)

    def forward(self, cell_count: int) -> Multipliers:
        """The multipliers of ``cell_count`` cells."""
        return Multipliers(
            self.log_background.exp().expand(-1, cell_count), self.log_observation.exp().expand(-1, cell_count)
        )

    def check(self, control: Sequence[str], operators: int, cell_count: int) -> None:
        """``InputError`` unless the multipliers are for these control variables, operators and cells."""
        if self.control != tuple(control):
            raise InputError(f"error scales are for {', '.join(self.control)}, the filter moves {', '.join(control)}")
        if len(self.log_observation) != operators:
            raise InputError(f"error scales for {len(self.log_observation)} operators, the filter has {operators}")
        if self.log_background.shape[1] not in (1, cell_count):
            raise InputError(f"error scales for {self.log_background.shape[1]} cells, the domain has {cell_count}")


def _logarithms(
    name: str, first: float | Sequence[float], rows: int, cell_count: int | None, dtype: torch.dtype
) -> nn.Parameter:
    values = torch.as_tensor(first, dtype=dtype)
    if values.ndim and values.shape != (rows,):
        raise InputError(f"{len(values)} {name} multipliers for {rows}: give one, or one for each")
    if not bool((values > 0).all()):
        raise InputError(f"{name} multipliers of the error must be positive")
    return nn.Parameter(values.log().reshape(-1, 1).expand(rows, cell_count or 1).clone())
