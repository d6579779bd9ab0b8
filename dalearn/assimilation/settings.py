"""Everything about the filter that a configuration can change; the defaults are the published LDAS-Monde values."""

from dataclasses import dataclass, field
from typing import Literal

from dalearn.assimilation.control import CONTROL_NAMES, PerturbationSettings
from dalearn.assimilation.covariance import (
    BackgroundErrorSettings,
    ObservationErrorSettings,
    published_observation_errors,
)
from dalearn.assimilation.limits import LimitSettings
from dalearn.assimilation.quality import QualitySettings


@dataclass(frozen=True)
class FilterSettings:
    """The simplified extended Kalman filter.

    Attributes:
        control: control variables, LAI and WG1 to WG14.
        jacobian: ``finite_differences`` (float64 only) or ``autograd``.
        perturbation: sizes of the finite-difference perturbations.
        background: background error standard deviations.
        observation_error: observation error per observed quantity.
        limits: largest increments.
        quality: what the quality control rejects.
        leaf_biomass: leaf biomass added per LAI increment: ``model`` (the ratio of the running model, so that the
            increment survives the daily update) or ``surfex`` (the default table of SURFEX, XALPH).
        chunk_cells: cells per Jacobian computation, to bound memory; found from the free memory when null.
    """

    control: tuple[str, ...] = CONTROL_NAMES
    jacobian: Literal["finite_differences", "autograd"] = "finite_differences"
    perturbation: PerturbationSettings = field(default_factory=PerturbationSettings)
    background: BackgroundErrorSettings = field(default_factory=BackgroundErrorSettings)
    observation_error: dict[str, ObservationErrorSettings] = field(default_factory=published_observation_errors)
    limits: LimitSettings = field(default_factory=LimitSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    leaf_biomass: Literal["model", "surfex"] = "model"
    chunk_cells: int | None = None
