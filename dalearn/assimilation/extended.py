"""The extended Kalman filters: forecast, window Jacobian, analysis (ldas_sekf.md 1).

The schemes differ in what is differentiated with respect to what, in the background error, and in where the
increment goes; see ``FilterSettings.scheme``.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dalearn.assimilation.backends import Linearisation, model_equivalents, operator_jacobian
from dalearn.assimilation.covariance import background_variance, model_error_variance
from dalearn.assimilation.error_scales import Multipliers
from dalearn.assimilation.finite import at_time, check_finite, check_finite_jacobian
from dalearn.assimilation.forecast import Model, Window, states_after
from dalearn.assimilation.jacobian import WindowJacobian
from dalearn.assimilation.propagation import diagonal_covariance, propagate
from dalearn.assimilation.record import Recorder, WindowRecord
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.assimilation.update import Update, update
from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.state import LandState
from dalearn.operators import ObservationOperator


class ExtendedKalmanFilter:
    """One window after the other; see ``FilterSettings`` for the schemes and ``run_cycle`` for the arguments."""

    def __init__(
        self,
        model: Model,
        grid: Grid,
        operators: Sequence[ObservationOperator],
        settings: FilterSettings,
        steps: Sequence[int] | None,
        recorder: Recorder,
    ) -> None:
        self.model, self.grid, self.operators, self.settings = model, grid, list(operators), settings
        self.steps, self.recorder = steps, recorder
        self.control = settings.control_vector
        self.multipliers: Multipliers | None = None
        self.at_end = settings.scheme in ("end_of_window", "ekf")
        if self.at_end and steps is not None:
            raise InputError(f"scheme {settings.scheme} observes at the window end only; use sekf or smoother")
        self.jacobian = WindowJacobian(
            grid,
            [] if self.at_end else operators,
            self.control,
            backend=settings.jacobian,
            perturbation=settings.perturbation,
            chunk_cells=settings.chunk_cells,
            steps=steps,
            transition=settings.scheme == "ekf",
        )

    def start(self, state: FilterState) -> FilterState:
        if self.settings.scheme != "ekf":
            return FilterState(land=state.land)
        return state if state.covariance is not None else replace(state, covariance=self._fixed_covariance(state.land))

    def advance(
        self, state: FilterState, window: Window, observed: Tensor | None, error: Tensor | None
    ) -> tuple[FilterState, WindowRecord]:
        return self.assimilate(state, window, observed, error)[:2]

    def assimilate(
        self, state: FilterState, window: Window, observed: Tensor | None, error: Tensor | None
    ) -> tuple[FilterState, WindowRecord, Update | None]:
        """As ``advance``, with the update itself; None without observations."""
        time = window.times[-1]
        start = self.model.prepare_state(state.land)
        if observed is None and state.covariance is None:
            return *self._forecast(start, window), None
        linear = self._linearise(start, window)
        check_finite(linear.forecast, self.grid, at_time("after the forecast ending", time))
        covariance = self._propagate(state.covariance, linear)
        if observed is None:
            y = linear.model_equivalent
            record = self.recorder.forecast_only(time, linear.forecast, y)
            return FilterState(land=linear.forecast, covariance=covariance), record, None

        smooth = self.settings.scheme == "smoother"
        result = update(
            linear, observed, self.grid, self.model.parameters, self.operators, self.settings, error,
            background=start if smooth else None, covariance=covariance,
            multipliers=self.multipliers,
        )  # fmt: skip
        used = result.rejected == 0
        quantities, when = self.recorder.quantities, at_time("at", time)
        check_finite_jacobian(linear.jacobian, used, self.grid, quantities, self.control.names, when)
        end, y = (
            self._run(result.state, window) if smooth else (result.state, self._analysed(linear, result, len(window)))
        )
        check_finite(end, self.grid, at_time("after the analysis of", time))
        record = self.recorder.analysis(time, linear, result, observed, end, y)
        return FilterState(land=end, covariance=result.covariance), record, result

    def _linearise(self, start: LandState, window: Window) -> Linearisation:
        if not self.at_end:
            return self.jacobian(self.model, start, window)
        if self.settings.scheme == "ekf":
            run = self.jacobian(self.model, start, window)
            forecast, transition = run.forecast, run.transition
        else:
            forecast, transition = self._run(start, window)[0], None
        predictors, y = model_equivalents(self.operators, self.grid, [forecast] * len(self.operators))
        H = self._operator_jacobian(forecast)
        H = torch.where(self.control.defined(forecast, self.model.parameters), H, 0.0)
        return Linearisation(forecast, predictors, y, H, transition)

    def _operator_jacobian(self, state: LandState) -> Tensor:
        return operator_jacobian(self.grid, state, self.operators, self.control)

    def _forecast(self, start: LandState, window: Window) -> tuple[FilterState, WindowRecord]:
        """A window without observations costs one run of the model."""
        end, y = self._run(start, window)
        check_finite(end, self.grid, at_time("after the forecast ending", window.times[-1]))
        return FilterState(land=end), self.recorder.forecast_only(window.times[-1], end, y)

    def _run(self, start: LandState, window: Window) -> tuple[LandState, Tensor]:
        """The state at the window end from ``start``, and the model equivalents on the way."""
        start = self.model.prepare_state(start)
        steps = self.steps or [len(window)] * len(self.operators)
        states = states_after(self.model, start, window, self.grid.cell_of_column, {*steps, len(window)})
        return states[len(window)], model_equivalents(self.operators, self.grid, [states[step] for step in steps])[1]

    def _analysed(self, linear: Linearisation, result: Update, window_length: int) -> Tensor:
        """The operators on the analysed state; before the window end, where there is none, to first order y + H dx."""
        y = model_equivalents(self.operators, self.grid, [result.state] * len(self.operators))[1]
        if self.steps is None:
            return y
        change = self.grid.to_slots(linear.jacobian * result.increment).sum(dim=(1, 2))
        at_end = torch.tensor([step == window_length for step in self.steps], device=y.device).unsqueeze(-1)
        return torch.where(at_end, y, linear.model_equivalent + change)

    def _fixed_covariance(self, state: LandState) -> Tensor:
        variance = self._variance(state)
        defined = self.control.defined(state, self.model.parameters)
        return diagonal_covariance(self.grid.to_slots(torch.where(defined, variance, 0.0)).flatten(0, 1))

    def _propagate(self, covariance: Tensor | None, linear: Linearisation) -> Tensor | None:
        if covariance is None or linear.transition is None:
            return None
        parameters, end = self.model.parameters, linear.forecast
        Q = model_error_variance(self._variance(end), self.control, self.settings.model_error)
        Q = torch.where(self.control.defined(end, parameters), Q, 0.0)
        return propagate(covariance, self.grid.to_slots(linear.transition), self.grid.to_slots(Q).flatten(0, 1))

    def _variance(self, state: LandState) -> Tensor:
        """Diagonal of the fixed B, (control, column)."""
        settings = self.settings.background
        variance = background_variance(self.control, state.leaf_area_index, self.model.parameters, settings)
        return variance if self.multipliers is None else self.multipliers.of_background(variance, self.grid)
