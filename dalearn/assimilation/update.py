"""One analysis: quality control, filter, limits (ldas_sekf.md 1.7 to 1.9)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dalearn.assimilation.backends import Linearisation
from dalearn.assimilation.cell_means import column_values
from dalearn.assimilation.control import ControlVector, surfex_biomass_per_leaf_area
from dalearn.assimilation.covariance import background_variance, observation_variance, soil_range_of_cells
from dalearn.assimilation.filter import analyse, mask_missing
from dalearn.assimilation.limits import limit_increment
from dalearn.assimilation.quality import check_observations, frozen_cells
from dalearn.assimilation.settings import FilterSettings
from dalearn.grid import Grid
from dalearn.land.state import LandParameters, LandState
from dalearn.operators import ObservationOperator


@dataclass(frozen=True)
class Update:
    """The outcome of one analysis."""

    state: LandState  # analysed
    increment: Tensor  # dx after the limits (control, column)
    gain: Tensor  # K (observation, control, column)
    rejected: Tensor  # Rejection code (observation, cell)
    limit_hits: dict[str, int]


def update(
    linear: Linearisation,
    observed: Tensor,
    grid: Grid,
    parameters: LandParameters,
    operators: Sequence[ObservationOperator],
    settings: FilterSettings,
    observation_error: Tensor | None = None,
) -> Update:
    """The forecast of ``linear`` corrected by ``observed`` (observation, cell), NaN = missing.

    The increment is added at the end of the window although H is the derivative with respect to its start: the
    simplified filter of LDAS-Monde (1.2).  ``observation_error`` (observation, cell): standard deviations that
    come with the observations, for the quantities whose error is ``given``.
    """
    control = ControlVector(settings.control)
    forecast, y, H = linear.forecast, linear.model_equivalent, linear.jacobian
    quantities = [operator.quantity for operator in operators]
    usable = usable_operators(operators, grid, forecast)
    frozen = frozen_cells(grid, forecast.soil_ice)
    rejected = check_observations(quantities, observed, y, frozen, usable, settings.quality)

    B = background_variance(control, forecast.leaf_area_index, parameters, settings.background)
    soil_range = soil_range_of_cells(grid, parameters)
    R = observation_variance(quantities, observed, soil_range, settings.observation_error, observation_error)
    d, H, R = mask_missing(rejected == 0, observed - y, grid.to_slots(H).flatten(1, 2), R)
    analysis = analyse(d, H, grid.to_slots(B).flatten(0, 1), R)

    slots = (len(control.names), grid.slot_count)
    background, defined = control.of(forecast), control.defined(forecast, parameters)
    increment, hits = limit_increment(
        control,
        grid.from_slots(analysis.increment.unflatten(0, slots)),
        background,
        defined,
        parameters,
        settings.limits,
    )
    state = control.add(forecast, increment, _biomass_per_leaf_area(grid, parameters, settings))
    gain = grid.from_slots(analysis.gain.unflatten(1, slots))
    return Update(state, increment, gain, rejected, hits)


def usable_operators(operators: Sequence[ObservationOperator], grid: Grid, state: LandState) -> Tensor:
    """Where each operator may be used, bool ``(observation, cell)``; counts range exits (once per analysis)."""
    rows = []
    for operator in operators:
        means = grid.cell_mean(column_values(operator.predictors, state))
        rows.append(operator.check(means.movedim(0, -1).to(operator.dtype)))
    return torch.stack(rows)


def _biomass_per_leaf_area(grid: Grid, parameters: LandParameters, settings: FilterSettings) -> Tensor:
    own = parameters.vegetation.biomass_per_leaf_area
    return own if settings.leaf_biomass == "model" else surfex_biomass_per_leaf_area(grid, own)
