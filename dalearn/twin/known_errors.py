"""Observations of a truth whose background and observation errors are exactly those of a filter.

The likelihood of a cycle with a fixed B has a model of the world behind it: at the start of every window (or at its
end, where the increment goes there) the truth is the background of the filter plus an error drawn from B, and the
observations are the truth plus errors drawn from R.  Twins that follow it tell whether B and R can be recovered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dalearn.assimilation.backends import model_equivalents
from dalearn.assimilation.covariance import background_variance, observation_variance, soil_range_of_cells
from dalearn.assimilation.error_scales import ErrorScales
from dalearn.assimilation.extended import ExtendedKalmanFilter
from dalearn.assimilation.forecast import Model, Window, integrate
from dalearn.assimilation.leaves import biomass_in_proportion
from dalearn.assimilation.record import Recorder
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.constants import MINIMUM_SOIL_MOISTURE
from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.state import LandState
from dalearn.operators import ObservationOperator

CONSISTENT_SCHEMES = ("smoother", "end_of_window")  # whose S is the covariance of the departures


@dataclass(frozen=True)
class ObservedCycle:
    """What was observed.

    Attributes:
        observed: (window, observation, cell), NaN = missing.
        cut: share of the drawn background errors that the physical range of the variable cut.
    """

    observed: Tensor
    cut: float


@torch.no_grad()
def observe_known_errors(
    model: Model,
    grid: Grid,
    state: LandState,
    windows: Sequence[Window],
    operators: Sequence[ObservationOperator],
    settings: FilterSettings,
    scales: ErrorScales,
    share: Sequence[float],
    seed: int,
    on_window: Callable[[], None] | None = None,
) -> ObservedCycle:
    """Observe a truth around the cycle that the filter makes of these very observations.

    Args:
        model, grid, state, windows, operators, settings: of the cycle; ``settings.scheme`` one of
            ``CONSISTENT_SCHEMES``.
        scales: the true multipliers of B and R.
        share: of the windows in which each operator observes a cell, 0 to 1.
        on_window: called after every window.

    ``InputError`` for another scheme.
    """
    if settings.scheme not in CONSISTENT_SCHEMES:
        raise InputError(
            f"scheme {settings.scheme}: the departures do not have the covariance that it assumes, "
            f"use {' or '.join(CONSISTENT_SCHEMES)}"
        )
    generator = torch.Generator().manual_seed(seed)
    parameters = model.parameters
    recorder = Recorder(grid, parameters, operators, settings.control_vector)
    scheme = ExtendedKalmanFilter(model, grid, operators, settings, None, recorder)
    scheme.multipliers = multipliers = scales(grid.cell_count)
    quantities = [operator.quantity for operator in operators]
    soil_range = soil_range_of_cells(grid, parameters)
    current, rows, cut = FilterState(land=state), [], []
    for window in windows:
        background = model.prepare_state(current.land)
        if scheme.at_end:
            background, _ = integrate(model, grid, background, window)
        truth, cut_here = _disturbed(background, scheme, settings, generator)
        if not scheme.at_end:
            truth, _ = integrate(model, grid, truth, window)
        _, y = model_equivalents(operators, grid, [truth] * len(operators))
        R = observation_variance(quantities, y, soil_range, settings.observation_error)
        error = multipliers.of_observations(R).sqrt() * _normal(y, generator)
        present = torch.rand(y.shape, generator=generator, dtype=y.dtype) < y.new_tensor(share).unsqueeze(-1)
        rows.append(torch.where(present, y + error, torch.nan))
        cut.append(cut_here)
        current, _ = scheme.advance(current, window, None if not present.any() else rows[-1], None)
        if on_window:
            on_window()
    return ObservedCycle(torch.stack(rows), sum(cut) / len(cut))


def _disturbed(
    background: LandState, scheme: ExtendedKalmanFilter, settings: FilterSettings, generator: torch.Generator
) -> tuple[LandState, float]:
    """The background with an error drawn from the true B, and the share of the errors that were cut."""
    control, parameters = scheme.control, scheme.model.parameters
    variance = background_variance(control, background.leaf_area_index, parameters, settings.background)
    assert scheme.multipliers is not None
    deviation = scheme.multipliers.of_background(variance, scheme.grid).sqrt()
    drawn = deviation * _normal(deviation, generator)
    rows = []
    for name, dx, x in zip(control.names, drawn, control.of(background), strict=True):
        if name == "LAI":
            lower, upper = parameters.vegetation.minimum_leaf_area_index, torch.full_like(x, torch.inf)
        else:
            layer = control.layer(name)
            lower = torch.full_like(x, MINIMUM_SOIL_MOISTURE)
            upper = parameters.soil.porosity[layer] - background.soil_ice[layer]
        rows.append(torch.maximum(torch.minimum(x + dx, upper), torch.minimum(lower, x)) - x)
    kept = torch.stack(rows)
    defined = control.defined(background, parameters)
    share = float(((kept - drawn).abs() > 1e-9)[defined].double().mean())
    error = torch.where(defined, kept, 0.0)
    return control.add(background, error, biomass_in_proportion(background)), share


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype)
