"""What a window of the cycle leaves behind, at cell level: the content of ``analysis.nc``."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from dalearn.assimilation.backends import Linearisation
from dalearn.assimilation.cell_means import CellMeans
from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.quality import Rejection, count_rejections
from dalearn.assimilation.update import Update
from dalearn.grid import Grid, sum_in_order
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
        expected_deviation: (observation, cell), sqrt(H B H^T + R), what the filter takes for the size of a departure.
        observation_deviation: (observation, cell), sqrt(R).
        signal: (observation, cell), degrees of freedom for signal, the diagonal of H K.
        chi_square: (cell,), d^T S^-1 d over the observations used; NaN where there are none.
        jacobian: (observation, control, cell), H summed over patches; NaN in windows without observations.
        gain: (observation, control, cell), cell means of K; NaN as above and where the observation was not used.
        rejected: (observation, cell) int8, ``Rejection`` codes.
        rejections: observations per quantity and reason.
        limit_hits: how often each limit on the increments was hit.
        forecast_spread, analysis_spread: standard deviations of the cell means over the members of an ensemble, by
            control variable; empty where there is no ensemble.
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
    expected_deviation: Tensor
    observation_deviation: Tensor
    signal: Tensor
    chi_square: Tensor
    jacobian: Tensor
    gain: Tensor
    rejected: Tensor
    rejections: dict[str, dict[str, int]]
    limit_hits: dict[str, int]
    forecast_spread: dict[str, Tensor] = field(default_factory=dict)
    analysis_spread: dict[str, Tensor] = field(default_factory=dict)


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

    def forecast_only(self, time: np.datetime64, forecast: LandState, y: Tensor) -> WindowRecord:
        """The record of a window without observations; ``y`` (observation, cell) model equivalents."""
        nothing = torch.full_like(y, torch.nan)
        per_control = nothing.unsqueeze(1).repeat(1, len(self.control.names), 1)
        means = self.means(forecast)
        return WindowRecord(
            time=time,
            quantities=self.quantities,
            control=self.control.names,
            forecast=means,
            analysis=means,
            increment={name: y.new_zeros(self.grid.cell_count) for name in self.control.names},
            observed=nothing,
            model_forecast=y,
            model_analysis=y,
            departure=nothing,
            expected_deviation=nothing,
            observation_deviation=nothing,
            signal=nothing,
            chi_square=y.new_full((self.grid.cell_count,), torch.nan),
            jacobian=per_control,
            gain=per_control,
            rejected=torch.full_like(y, Rejection.MISSING, dtype=torch.int8),
            rejections={},
            limit_hits={},
        )

    def analysis(
        self,
        time: np.datetime64,
        linear: Linearisation,
        update: Update,
        observed: Tensor,
        analysis: LandState,
        y_analysis: Tensor,
    ) -> WindowRecord:
        """The record of a window with observations.

        ``analysis`` the state at the window end and ``y_analysis`` (observation, cell) its model equivalents.
        """
        missing = (update.rejected == Rejection.MISSING) | (update.rejected == Rejection.NOT_FINITE)
        unused = update.rejected != Rejection.ASSIMILATED
        increment = self.control_means.of_columns(update.increment)
        gain = torch.stack([self.control_means.of_columns(of_one) for of_one in update.gain])
        return WindowRecord(
            time=time,
            quantities=self.quantities,
            control=self.control.names,
            forecast=self.means(linear.forecast),
            analysis=self.means(analysis),
            increment=dict(zip(self.control.names, increment, strict=True)),
            observed=_without(observed, missing),
            model_forecast=linear.model_equivalent,
            model_analysis=y_analysis,
            departure=_without(observed - linear.model_equivalent, missing),
            expected_deviation=_without(update.expected_variance.sqrt(), missing),
            observation_deviation=_without(update.observation_variance.sqrt(), missing),
            signal=_without(update.signal, unused),
            chi_square=_without(update.chi_square, unused.all(dim=0)),
            jacobian=sum_in_order(self.grid.to_slots(linear.jacobian), -2),
            gain=_without(gain, unused.unsqueeze(1)),
            rejected=update.rejected,
            rejections=count_rejections(self.quantities, update.rejected),
            limit_hits=update.limit_hits,
        )

    def means(self, state: LandState) -> dict[str, Tensor]:
        """Cell means of ``RECORDED_STATE``."""
        return dict(zip(RECORDED_STATE, self.state_means(state), strict=True))


def _without(values: Tensor, left_out: Tensor) -> Tensor:
    return torch.where(left_out, torch.full_like(values, torch.nan), values)
