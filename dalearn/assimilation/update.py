"""One analysis: quality control, filter, limits (ldas_sekf.md 1.7 to 1.9)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dalearn.assimilation.backends import Linearisation
from dalearn.assimilation.covariance import background_covariance, observation_variance, soil_range_of_cells
from dalearn.assimilation.error_scales import Multipliers
from dalearn.assimilation.filter import analyse, innovation_variance, mask_missing, solve_cells
from dalearn.assimilation.leaves import surfex_biomass_per_leaf_area
from dalearn.assimilation.limits import limit_increment
from dalearn.assimilation.propagation import analysed_covariance
from dalearn.assimilation.quality import check_observations, frozen_cells, reject_unlikely
from dalearn.assimilation.settings import FilterSettings
from dalearn.grid import Grid, sum_in_order
from dalearn.land.state import LandParameters, LandState
from dalearn.operators import ObservationOperator


@dataclass(frozen=True)
class Update:
    """The outcome of one analysis.

    Attributes:
        state: analysed.
        increment: dx after the limits (control, column).
        jacobian: H of the observations used, 0 for the others (observation, control, column).
        gain: K (observation, control, column).
        rejected: ``Rejection`` codes (observation, cell).
        limit_hits: how often each limit on the increments was hit.
        departure: d of the observations used, 0 for the others (observation, cell).
        innovation_covariance: S of the observations used (observation, observation, cell).
        expected_variance: diagonal of H B H^T + R, NaN where nothing is observed (observation, cell).
        observation_variance: diagonal of R, NaN where nothing is observed (observation, cell).
        signal: diagonal of H K, the degrees of freedom for signal of each observation used (observation, cell).
        covariance: analysed covariance (n, n, cell) where one is carried on.
    """

    state: LandState
    increment: Tensor
    jacobian: Tensor
    gain: Tensor
    rejected: Tensor
    limit_hits: dict[str, int]
    departure: Tensor
    innovation_covariance: Tensor
    expected_variance: Tensor
    observation_variance: Tensor
    signal: Tensor
    covariance: Tensor | None = None

    @property
    def chi_square(self) -> Tensor:
        """d^T S^-1 d of each cell, ``(cell,)``; its mean is the number of observations when B and R are right."""
        return (self.departure * solve_cells(self.innovation_covariance, self.departure.unsqueeze(1))[:, 0]).sum(dim=0)


def update(
    linear: Linearisation,
    observed: Tensor,
    grid: Grid,
    parameters: LandParameters,
    operators: Sequence[ObservationOperator],
    settings: FilterSettings,
    observation_error: Tensor | None = None,
    *,
    background: LandState | None = None,
    covariance: Tensor | None = None,
    multipliers: Multipliers | None = None,
) -> Update:
    """The background corrected by ``observed`` (observation, cell), NaN = missing.

    By default the background is the forecast of ``linear`` at the window end, although H is the derivative with
    respect to its start: the simplified filter of LDAS-Monde (1.2).

    Args:
        observation_error: (observation, cell), standard deviations that come with the observations, for the
            quantities whose error is ``given``.
        background: the state to be corrected instead of the forecast.
        covariance: its error covariance (n, n, cell) instead of the fixed B.
        multipliers: of the standard deviations in the fixed B and in R.
    """
    control = settings.control_vector
    background = linear.forecast if background is None else background
    y, H = linear.model_equivalent, grid.to_slots(linear.jacobian).flatten(1, 2)
    quantities = [operator.quantity for operator in operators]
    usable = usable_operators(operators, linear.predictors)
    frozen = frozen_cells(grid, linear.forecast.soil_ice)
    rejected = check_observations(
        quantities, observed, y, frozen, usable, settings.quality, [operator.units for operator in operators]
    )

    B = covariance
    if B is None:
        B = background_covariance(control, background.leaf_area_index, parameters, settings.background)
        B = _of_slots(grid, B if multipliers is None else multipliers.of_background(B, grid))
    soil_range = soil_range_of_cells(grid, parameters)
    deviations = deviations_of_observations(operators, linear.predictors, settings, observation_error)
    R = observation_variance(quantities, observed, soil_range, settings.observation_error, deviations)
    if multipliers is not None:
        R = multipliers.of_observations(R)
    expected = innovation_variance(H, B, R)
    rejected = reject_unlikely(quantities, rejected, observed - y, expected, settings.quality)
    d, H, used_R = mask_missing(rejected == 0, observed - y, H, R)
    analysis = analyse(d, H, B, used_R)

    slots = (len(control.names), grid.slot_count)
    increment, hits = limit_increment(
        control,
        grid.from_slots(analysis.increment.unflatten(0, slots)),
        control.of(background),
        control.defined(background, parameters),
        parameters,
        settings.limits,
    )
    return Update(
        state=control.add(background, increment, biomass_per_leaf_area(grid, parameters, settings)),
        increment=increment,
        jacobian=grid.from_slots(H.unflatten(1, slots)),
        gain=grid.from_slots(analysis.gain.unflatten(1, slots)),
        rejected=rejected,
        limit_hits=hits,
        departure=d,
        innovation_covariance=analysis.innovation_covariance,
        expected_variance=expected,
        observation_variance=R,
        signal=sum_in_order(H * analysis.gain, 1),
        covariance=None if covariance is None else analysed_covariance(covariance, H, analysis.gain, used_R),
    )


def usable_operators(operators: Sequence[ObservationOperator], predictors: Sequence[Tensor]) -> Tensor:
    """Where each operator may be used, bool ``(observation, cell)``; counts range exits (once per analysis).

    ``predictors``: cell means (predictor, cell) of each operator.
    """
    pairs = zip(operators, predictors, strict=True)
    return torch.stack([operator.check(means.movedim(0, -1).to(operator.dtype)) for operator, means in pairs])


def deviations_of_observations(
    operators: Sequence[ObservationOperator],
    predictors: Sequence[Tensor],
    settings: FilterSettings,
    given: Tensor | None,
) -> Tensor | None:
    """``given`` (observation, cell) with the errors that operators predict in the rows that take theirs.

    ``predictors``: cell means (predictor, cell) of each operator.  None when no row needs any.  ``InputError`` from an
    operator that does not predict its error.
    """
    own = [settings.observation_error[operator.quantity].relative_to == "operator" for operator in operators]
    if not any(own):
        return given
    rows = []
    for number, (operator, means) in enumerate(zip(operators, predictors, strict=True)):
        if own[number]:
            rows.append(operator.error_deviation(means.movedim(0, -1).to(operator.dtype)).to(means.dtype))
        else:
            rows.append(torch.full_like(means[0], torch.nan) if given is None else given[number])
    return torch.stack(rows)


def biomass_per_leaf_area(grid: Grid, parameters: LandParameters, settings: FilterSettings) -> Tensor:
    """Leaf biomass that moves with an increment of LAI, kg m-2 per m2 m-2, ``(column,)``."""
    own = parameters.vegetation.biomass_per_leaf_area
    return own if settings.leaf_biomass == "model" else surfex_biomass_per_leaf_area(grid, own)


def _of_slots(grid: Grid, B: Tensor) -> Tensor:
    """Variances (control, column) as (n, cell), or covariances within the columns by slot."""
    return grid.to_slots(B).flatten(0, 1) if B.ndim == 2 else grid.to_slots(B)
