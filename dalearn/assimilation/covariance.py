"""Background and observation error covariances B and R (ldas_sekf.md 1.5, 1.6); both diagonal by default.

The multipliers of the soil range dw = w_fc - w_wilt are the published LDAS-Monde values (Albergel et al. 2017);
0.33 dB is Corchia et al. 2023, after Lievens et al. 2017.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from dalearn.assimilation.control import ControlVector
from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.state import LandParameters


def _published_soil_moisture() -> dict[str, float]:
    return {"WG2": 0.4} | {f"WG{layer}": 0.2 for layer in range(3, 9)}


@dataclass(frozen=True)
class BackgroundErrorSettings:
    """Standard deviation of the background error (eq. 5 and 6).

    Attributes:
        soil_moisture: per soil moisture control variable, as a fraction of dw.
        leaf_area_index: fraction of the forecast LAI where it reaches ``leaf_area_index_threshold``.
        low_leaf_area_index: m2 m-2, below that threshold.
        leaf_area_index_threshold: m2 m-2.
        correlation_length: m; errors of two soil layers whose middles are z apart have the correlation
            exp(-z / length).  None, as in SURFEX: uncorrelated.
    """

    soil_moisture: dict[str, float] = field(default_factory=_published_soil_moisture)
    leaf_area_index: float = 0.2
    low_leaf_area_index: float = 0.4
    leaf_area_index_threshold: float = 2.0
    correlation_length: float | None = None


@dataclass(frozen=True)
class ModelErrorSettings:
    """Q, the error that the model adds in one window where the covariance is carried on (1.10).

    Attributes:
        soil_moisture: standard deviation as a fraction of that of the background error.
        leaf_area_index: the same for LAI.
    """

    soil_moisture: float = 0.125
    leaf_area_index: float = 0.5


@dataclass(frozen=True)
class ObservationErrorSettings:
    """Standard deviation of the error of one observed quantity (eq. 7 and 8).

    Attributes:
        scale: the multiplier of what ``relative_to`` names.
        relative_to: ``soil_range`` (dw of the cell), ``observation`` (the observed value), ``nothing``
            (``scale`` in the units of the quantity), ``given`` (the error that comes with each observation), or
            ``operator`` (what the operator predicts for its own error at the predictors of the forecast).
        floor: smallest standard deviation, in the units of the quantity.  SURFEX has none, so that an observed
            LAI of 0 is taken as exact.
    """

    scale: float
    relative_to: Literal["nothing", "soil_range", "observation", "given", "operator"] = "nothing"
    floor: float = 0.0


def published_observation_errors() -> dict[str, ObservationErrorSettings]:
    """Albergel et al. 2017 for SSM and LAI, Corchia et al. 2023 for sigma0."""
    return {
        "sigma0": ObservationErrorSettings(0.33),
        "SSM": ObservationErrorSettings(0.5, "soil_range"),
        "LAI": ObservationErrorSettings(0.2, "observation", floor=0.01),
    }


def background_variance(
    control: ControlVector,
    leaf_area_index: Tensor,
    parameters: LandParameters,
    settings: BackgroundErrorSettings = BackgroundErrorSettings(),
) -> Tensor:
    """Diagonal of B, ``(control, column)``, (m2 m-2)^2 for LAI and (m3 m-3)^2 for WG.

    ``leaf_area_index`` (column,) is that of the forecast at the END of the window.  ``InputError`` when a soil
    moisture control variable has no error.
    """
    missing = [name for name in control.moisture_names if name not in settings.soil_moisture]
    if missing:
        raise InputError(f"background error of {', '.join(missing)} is not set: add it to background.soil_moisture")
    low = torch.full_like(leaf_area_index, settings.low_leaf_area_index)
    leafy = leaf_area_index >= settings.leaf_area_index_threshold
    deviation = {"LAI": torch.where(leafy, settings.leaf_area_index * leaf_area_index, low)}
    for name in control.moisture_names:
        deviation[name] = settings.soil_moisture[name] * parameters.soil.moisture_range
    return torch.stack([deviation[name] for name in control.names]).square()


def background_covariance(
    control: ControlVector,
    leaf_area_index: Tensor,
    parameters: LandParameters,
    settings: BackgroundErrorSettings = BackgroundErrorSettings(),
) -> Tensor:
    """B within each column: variances ``(control, column)``, or ``(control, control, column)`` with correlations.

    Arguments as in ``background_variance``.
    """
    variance = background_variance(control, leaf_area_index, parameters, settings)
    if settings.correlation_length is None:
        return variance
    deviation = variance.sqrt()
    correlation = layer_correlation(control, parameters, settings.correlation_length)
    return correlation * deviation.unsqueeze(0) * deviation.unsqueeze(1)


def layer_correlation(control: ControlVector, parameters: LandParameters, length: float) -> Tensor:
    """Correlations ``(control, control, column)``: exp(-distance / length) between soil layers, none with LAI."""
    soil = parameters.soil
    middle = soil.layer_bottom - 0.5 * soil.layer_thickness
    nowhere = torch.full_like(middle[0], torch.inf)
    depth = torch.stack([nowhere if name == "LAI" else middle[control.layer(name)] for name in control.names])
    same = torch.eye(len(control.names), dtype=torch.bool, device=depth.device).unsqueeze(-1)
    distance = torch.where(same, 0.0, (depth.unsqueeze(0) - depth.unsqueeze(1)).abs())
    return torch.exp(-distance / length)


def model_error_variance(variance: Tensor, control: ControlVector, settings: ModelErrorSettings) -> Tensor:
    """Diagonal of Q from the background variances, both ``(control, column)``."""
    factors = [settings.leaf_area_index if name == "LAI" else settings.soil_moisture for name in control.names]
    return variance * variance.new_tensor(factors).square().unsqueeze(-1)


def observation_variance(
    quantities: Sequence[str],
    observed: Tensor,
    soil_range: Tensor,
    settings: Mapping[str, ObservationErrorSettings],
    given: Tensor | None = None,
) -> Tensor:
    """Diagonal of R, ``(observation, cell)``, in the squared units of each quantity.

    ``observed`` (observation, cell) may hold NaN for missing (R is then NaN too); ``soil_range`` dw (cell,)
    m3 m-3; ``given`` (observation, cell) standard deviations that come with the observations or, for the quantities
    whose error is ``operator``, from their operators (``deviations_of_observations``).  ``InputError`` when a quantity
    has no error or an error that does not exist.
    """
    rows = []
    for k, quantity in enumerate(quantities):
        if quantity not in settings:
            raise InputError(f"observation error of {quantity} is not set: add it to observation_error")
        rule = settings[quantity]
        if rule.relative_to in ("given", "operator"):
            if given is None:
                raise InputError(f"observations of {quantity} carry no error: set observation_error.{quantity}")
            reference = given[k]
        else:
            references = {"nothing": torch.ones_like(observed[k]), "soil_range": soil_range, "observation": observed[k]}
            reference = references[rule.relative_to]
        rows.append((rule.scale * reference).abs().clamp(min=rule.floor))
    return torch.stack(rows).square()


def soil_range_of_cells(grid: Grid, parameters: LandParameters) -> Tensor:
    """dw of each cell, ``(cell,)`` m3 m-3: the texture, hence dw, is common to the patches of a cell."""
    return grid.to_slots(parameters.soil.moisture_range)[0]
