"""What a window of the cycle leaves behind, at cell level: the content of ``analysis.nc``."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dalearn.assimilation.backends import Linearisation, model_equivalent
from dalearn.assimilation.cell_means import CellMeans, column_values
from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.quality import Rejection, count_rejections
from dalearn.assimilation.update import Update
from dalearn.grid import Grid
from dalearn.land.state import LandParameters, LandState
from dalearn.operators import ObservationOperator

RECORDED_STATE = ("LAI", "WG1", "WG2", "WG3", "WG4", "WG5", "WG6", "WG7", "WG8", "TG2")


@dataclass(frozen=True)
class WindowRecord:
    """One window at cell level; everything ``(cell,)`` unless said otherwise, on the device of the model.

    Attributes:
        time: window end, UTC.
        quantities, control: names of the observation and control axes.
        forecast, analysis: cell means of ``RECORDED_STATE`` before and after the increment.
        increment: cell means of the applied increments, by control variable.
        observed: (observation, cell), NaN where missing.
        model_forecast, model_analysis: (observation, cell), the operators on the forecast and on the analysis.
        departure: (observation, cell), observed - model_forecast.
        jacobian: (observation, control, cell), H summed over patches; NaN in windows without observations.
        rejected: (observation, cell) int8, ``Rejection`` codes.
        rejections: observations per quantity and reason.
        limit_hits: how often each limit on the increments was hit.
    """

    time: np.datetime64
    quantities: tuple[str, ...]
    control: tuple[str, ...]
    forecast: dict[str, Tensor]
    analysis: dict[str, Tensor]
    increment: dict[str, Tensor]
    observed: Tensor
    model_forecast: Tensor
    model_analysis: Tensor
    departure: Tensor
    jacobian: Tensor
    rejected: Tensor
    rejections: dict[str, dict[str, int]]
    limit_hits: dict[str, int]


class Recorder:
    """Makes the records of one run."""

    def __init__(
        self, grid: Grid, parameters: LandParameters, operators: Sequence[ObservationOperator], control: ControlVector
    ) -> None:
        self.grid = grid
        self.operators = operators
        self.control = control
        self.quantities = tuple(operator.quantity for operator in operators)
        self.state_means = CellMeans(grid, parameters, RECORDED_STATE)
        self.control_means = CellMeans(grid, parameters, control.names)

    def forecast_only(self, time: np.datetime64, forecast: LandState) -> WindowRecord:
        """The record of a window without observations."""
        y = self._equivalents(forecast)
        nothing = torch.full_like(y, torch.nan)
        return WindowRecord(
            time=time,
            quantities=self.quantities,
            control=self.control.names,
            forecast=self._means(forecast),
            analysis=self._means(forecast),
            increment={name: y.new_zeros(self.grid.cell_count) for name in self.control.names},
            observed=nothing,
            model_forecast=y,
            model_analysis=y,
            departure=nothing,
            jacobian=nothing.unsqueeze(1).repeat(1, len(self.control.names), 1),
            rejected=torch.full_like(y, Rejection.MISSING, dtype=torch.int8),
            rejections={},
            limit_hits={},
        )

    def analysis(self, time: np.datetime64, linear: Linearisation, update: Update, observed: Tensor) -> WindowRecord:
        """The record of a window with observations."""
        unusable = (update.rejected == Rejection.MISSING) | (update.rejected == Rejection.NOT_FINITE)
        observed = torch.where(unusable, torch.full_like(observed, torch.nan), observed)
        increment = self.control_means.of_columns(update.increment)
        return WindowRecord(
            time=time,
            quantities=self.quantities,
            control=self.control.names,
            forecast=self._means(linear.forecast),
            analysis=self._means(update.state),
            increment=dict(zip(self.control.names, increment, strict=True)),
            observed=observed,
            model_forecast=linear.model_equivalent,
            model_analysis=self._equivalents(update.state),
            departure=observed - linear.model_equivalent,
            jacobian=self.grid.to_slots(linear.jacobian).sum(dim=-2),
            rejected=update.rejected,
            rejections=count_rejections(self.quantities, update.rejected),
            limit_hits=update.limit_hits,
        )

    def _means(self, state: LandState) -> dict[str, Tensor]:
        return dict(zip(RECORDED_STATE, self.state_means(state), strict=True))

    def _equivalents(self, state: LandState) -> Tensor:
        """y of ``state``, (observation, cell)."""
        rows = [
            model_equivalent(operator, self.grid.cell_mean(column_values(operator.predictors, state)))
            for operator in self.operators
        ]
        return torch.stack(rows) if rows else state.leaf_area_index.new_empty(0, self.grid.cell_count)
