"""One analysis of an ensemble: quality control, square root filter, limits.

The largest increments bound how far the MEAN of a column moves, as they bound the one state of the extended filter;
the deviations from it follow, which only shrink.  Every member then stays within its physical range.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dalearn.assimilation.backends import Linearisation, model_equivalent
from dalearn.assimilation.cell_means import column_values
from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.covariance import observation_variance, soil_range_of_cells
from dalearn.assimilation.limits import limit_increment, within_bounds
from dalearn.assimilation.quality import check_observations, frozen_cells, reject_unlikely
from dalearn.assimilation.settings import FilterSettings
from dalearn.assimilation.square_root import analyse_ensemble, ensemble_covariance, mean_over_members
from dalearn.assimilation.update import (
    Update,
    biomass_per_leaf_area,
    deviations_of_observations,
    usable_operators,
)
from dalearn.grid import Grid
from dalearn.land.state import LandParameters, LandState
from dalearn.operators import ObservationOperator
from dalearn.tree import map_tensors


@dataclass(frozen=True)
class EnsembleForecast:
    """The ensemble at the end of a window.

    Attributes:
        members: (member x column) side by side along the column axis.
        mean: of the members.
        predictors: of each operator, cell means (predictor, member, cell).
        model_equivalent: y (member, observation, cell).
    """

    members: LandState
    mean: LandState
    predictors: tuple[Tensor, ...]
    model_equivalent: Tensor

    @property
    def count(self) -> int:
        return self.model_equivalent.shape[0]

    @property
    def mean_equivalent(self) -> Tensor:
        """(observation, cell)"""
        return mean_over_members(self.model_equivalent)

    def linearisation(self, control: ControlVector) -> Linearisation:
        """The mean as the records take a forecast; an ensemble has no Jacobian."""
        like = control.of(self.mean)
        y = self.mean_equivalent
        means = tuple(mean_over_members(values, dim=1) for values in self.predictors)
        return Linearisation(self.mean, means, y, like.new_full((len(y), *like.shape), torch.nan))


@dataclass(frozen=True)
class EnsembleUpdate:
    """The outcome of one analysis.

    Attributes:
        members: analysed.
        equivalent: of the analysed mean, to first order (observation, cell).
        of_mean: what the records take.
    """

    members: LandState
    equivalent: Tensor
    of_mean: Update


def ensemble_mean(ensemble: LandState, count: int) -> LandState:
    """The mean over ``count`` members that lie side by side along the column axis."""
    return map_tensors(lambda values: mean_over_members(values.unflatten(-1, (count, -1)), dim=-2), ensemble)


def ensemble_equivalents(
    operators: Sequence[ObservationOperator], grid: Grid, states: Sequence[LandState], count: int
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Cell means of the predictors (predictor, member, cell) of each operator, and y (member, observation, cell).

    ``states``: the ensemble for each operator.
    """
    predictors = tuple(
        grid.cell_mean(column_values(operator.predictors, state).unflatten(-1, (count, -1)))
        for operator, state in zip(operators, states, strict=True)
    )
    y = [model_equivalent(operator, means) for operator, means in zip(operators, predictors, strict=True)]
    nothing = grid.fraction.new_empty((count, 0, grid.cell_count))
    return predictors, torch.stack(y, dim=1) if y else nothing


def update_ensemble(
    forecast: EnsembleForecast,
    observed: Tensor,
    grid: Grid,
    parameters: LandParameters,
    tiled_parameters: LandParameters,
    operators: Sequence[ObservationOperator],
    settings: FilterSettings,
    observation_error: Tensor | None = None,
) -> EnsembleUpdate:
    """Analysed ensemble.

    Args:
        forecast: ensemble at the end of the window.
        observed: (observation, cell), NaN = missing.
        grid: the cells.
        parameters, tiled_parameters: of the columns and of all members' columns.
        operators: one per row of ``observed``.
        settings: of the filter.
        observation_error: standard deviations (observation, cell) of the quantities whose error is ``given``.
    """
    control, count = settings.control_vector, forecast.count
    quantities = [operator.quantity for operator in operators]
    mean = forecast.linearisation(control)
    y = forecast.model_equivalent - mean.model_equivalent
    departure = observed - mean.model_equivalent
    usable = usable_operators(operators, mean.predictors)
    # a cell counts as frozen when in every patch some member holds ice
    frozen = frozen_cells(grid, forecast.mean.soil_ice)
    rejected = check_observations(quantities, observed, mean.model_equivalent, frozen, usable, settings.quality)
    errors = deviations_of_observations(operators, mean.predictors, settings, observation_error)
    soil_range = soil_range_of_cells(grid, parameters)
    R = observation_variance(quantities, observed, soil_range, settings.observation_error, errors)
    expected = torch.diagonal(ensemble_covariance(y, y)).mT + R
    rejected = reject_unlikely(quantities, rejected, departure, expected, settings.quality)
    used = rejected == 0

    members = control.of(forecast.members).unflatten(-1, (count, -1))  # (control, member, column)
    defined = control.defined(forecast.members, tiled_parameters).unflatten(-1, (count, -1))
    everywhere = defined.all(dim=1)
    deviations = torch.where(defined, members - mean_over_members(members, dim=1).unsqueeze(1), 0.0).movedim(1, 0)
    analysis = analyse_ensemble(grid.to_slots(deviations).flatten(1, 2), y, departure, R, used)

    slots = (len(control.names), grid.slot_count)
    increment, hits = limit_increment(
        control,
        grid.from_slots(analysis.increment.unflatten(0, slots)),
        control.of(forecast.mean),
        everywhere,
        parameters,
        settings.limits,
    )
    inflation = grid.to_columns(torch.where(used.any(dim=0), settings.ensemble.inflation, 1.0))
    analysed = grid.from_slots(analysis.deviations.unflatten(1, slots)) * inflation
    change = torch.where(everywhere, increment + (analysed - deviations), 0.0).movedim(0, 1).flatten(1)
    change = within_bounds(control, change, forecast.members, tiled_parameters)
    per_leaf_area = biomass_per_leaf_area(grid, parameters, settings).repeat(count)
    analysed_members = control.add(forecast.members, change, per_leaf_area)
    gain = grid.from_slots(analysis.gain.unflatten(1, slots))
    of_mean = Update(
        state=ensemble_mean(analysed_members, count),
        increment=mean_over_members(change.unflatten(-1, (count, -1)), dim=1),
        jacobian=torch.full_like(gain, torch.nan),  # there is none
        gain=gain,
        rejected=rejected,
        limit_hits=hits,
        departure=torch.where(used, departure, 0.0),
        innovation_covariance=analysis.innovation_covariance,
        expected_variance=expected,
        observation_variance=R,
        signal=analysis.signal,
    )
    return EnsembleUpdate(analysed_members, mean.model_equivalent + analysis.equivalent_increment, of_mean)
