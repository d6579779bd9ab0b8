"""The ensemble square root filter: noise, one batched run of all members, analysis (ldas_sekf.md 8, eq. 18 and 19).

Where the extended filter prescribes the background error and differentiates the model, the ensemble carries its
error from window to window, and the covariances with the model equivalents come from the members at the window end.
The noise enters at the window start, the increment at the window end.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dalearn.assimilation.covariance import background_variance
from dalearn.assimilation.ensemble_noise import (
    NoiseSource,
    PerturbedPrecipitation,
    days_of,
    next_noise,
    noise_deviation,
    persistence,
)
from dalearn.assimilation.ensemble_update import (
    EnsembleForecast,
    ensemble_equivalents,
    ensemble_mean,
    update_ensemble,
)
from dalearn.assimilation.finite import at_time, check_finite
from dalearn.assimilation.forecast import Model, Window, states_after
from dalearn.assimilation.leaves import biomass_in_proportion
from dalearn.assimilation.limits import within_bounds
from dalearn.assimilation.record import Recorder, WindowRecord
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.assimilation.square_root import mean_over_members
from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.state import LandState
from dalearn.operators import ObservationOperator
from dalearn.tree import tile_columns


class EnsembleSquareRootFilter:
    """One window after the other; see ``EnsembleSettings``, and ``run_cycle`` for the arguments."""

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
        self.control, self.ensemble = settings.control_vector, settings.ensemble
        self.ensemble.check(self.control)
        self.count = self.ensemble.members
        self.source = NoiseSource(grid, self.control, self.ensemble)
        self.members_model = model.with_parameters(tile_columns(model.parameters, self.count))
        self.cell_of_column = grid.cell_of_column.repeat(self.count)

    def start(self, state: FilterState) -> FilterState:
        if state.ensemble is None:
            return FilterState(land=state.land, ensemble=tile_columns(state.land, self.count))
        columns = state.ensemble.leaf_area_index.shape[-1]
        if columns != self.count * self.grid.column_count:
            raise InputError(
                f"the state holds {columns} columns, not those of {self.count} members with {self.grid.column_count} "
                "each: set ensemble.members to what it was"
            )
        return FilterState(land=state.land, ensemble=state.ensemble, noise=state.noise)

    def advance(
        self, state: FilterState, window: Window, observed: Tensor | None, error: Tensor | None
    ) -> tuple[FilterState, WindowRecord]:
        assert state.ensemble is not None
        time = window.times[-1]
        start, noise = self._perturb(self.members_model.prepare_state(state.ensemble), state.noise, window)
        forecast = self._run(start, window)
        check_finite(forecast.mean, self.grid, at_time("in the ensemble after the forecast ending", time))
        spread = self._spread(forecast.members)
        if observed is None:
            record = self.recorder.forecast_only(time, forecast.mean, forecast.mean_equivalent)
            record = replace(record, forecast_spread=spread, analysis_spread=spread)
            return FilterState(land=forecast.mean, ensemble=forecast.members, noise=noise), record

        parameters, tiled = self.model.parameters, self.members_model.parameters
        result = update_ensemble(forecast, observed, self.grid, parameters, tiled, self.operators, self.settings, error)
        end = result.of_mean.state
        check_finite(end, self.grid, at_time("in the ensemble after the analysis of", time))
        record = self.recorder.analysis(
            time,
            forecast.linearisation(self.control),
            result.of_mean,
            observed,
            end,
            self._analysed(result.members, result.equivalent, len(window)),
        )
        record = replace(record, forecast_spread=spread, analysis_spread=self._spread(result.members))
        return FilterState(land=end, ensemble=result.members, noise=noise), record

    def _perturb(self, members: LandState, noise: Tensor | None, window: Window) -> tuple[LandState, Tensor]:
        """The members with their noise added, and the noise (control, member x column)."""
        control, tiled = self.control, self.members_model.parameters
        leaves = ensemble_mean(members, self.count).leaf_area_index
        size = noise_deviation(control, leaves, self.model.parameters, self.ensemble)
        days, correlation_time = days_of(window), self.ensemble.correlation_time
        if noise is not None and correlation_time > 0:
            size = days * size
        elif noise is None and self.ensemble.initial_spread == "background":
            size = background_variance(control, leaves, self.model.parameters, self.settings.background).sqrt()
        white = self.source.of_control(window).flatten(1).to(size)
        noise = next_noise(noise, white, persistence(days, correlation_time))
        change = torch.where(control.defined(members, tiled), size.repeat(1, self.count) * noise, 0.0)
        change = within_bounds(control, change, members, tiled)
        return control.add(members, change, biomass_in_proportion(members)), noise

    def _run(self, start: LandState, window: Window) -> EnsembleForecast:
        """All members over the window, in one batch."""
        forcing = window
        if self.ensemble.precipitation > 0:
            factor = self.source.precipitation_factor(window)
            factor = factor[:, self.grid.cell_of_column].flatten().to(start.leaf_area_index)
            forcing = PerturbedPrecipitation(window, factor)
        steps = self.steps or [len(window)] * len(self.operators)
        states = states_after(self.members_model, start, forcing, self.cell_of_column, {*steps, len(window)})
        end = states[len(window)]
        equivalents = ensemble_equivalents(self.operators, self.grid, [states[step] for step in steps], self.count)
        return EnsembleForecast(end, ensemble_mean(end, self.count), *equivalents)

    def _analysed(self, members: LandState, first_order: Tensor, window_length: int) -> Tensor:
        """The mean of the operators on the analysed members; before the window end, where there are none, to first
        order."""
        states = [members] * len(self.operators)
        y = mean_over_members(ensemble_equivalents(self.operators, self.grid, states, self.count)[1])
        if self.steps is None:
            return y
        at_end = torch.tensor([step == window_length for step in self.steps], device=y.device).unsqueeze(-1)
        return torch.where(at_end, y, first_order)

    def _spread(self, members: LandState) -> dict[str, Tensor]:
        """Standard deviation of the cell means over the members, by control variable."""
        x = self.control.of(members).unflatten(-1, (self.count, -1)).movedim(1, 0)
        deviation = self.recorder.control_means.of_columns(x).std(dim=0)
        return dict(zip(self.control.names, deviation, strict=True))
