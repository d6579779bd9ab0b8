"""Everything about the filter that a configuration can change; the defaults are the published LDAS-Monde values."""

from dataclasses import dataclass, field
from typing import Literal

from dalearn.assimilation.control import CONTROL_NAMES, ControlVector, PerturbationSettings
from dalearn.assimilation.covariance import (
    BackgroundErrorSettings,
    ModelErrorSettings,
    ObservationErrorSettings,
    published_observation_errors,
)
from dalearn.assimilation.ensemble_settings import EnsembleSettings
from dalearn.assimilation.limits import LimitSettings
from dalearn.assimilation.quality import QualitySettings


@dataclass(frozen=True)
class FilterSettings:
    """The filter; by default the simplified extended Kalman filter of SURFEX SODA.

    Attributes:
        scheme: what is differentiated, with which background error, and where the increment goes.

            * ``sekf``: H = d y / d x(t0), fixed B, increment at the window end, as SODA does;
            * ``smoother``: the same H and B, increment at the window start, and the window is run again;
            * ``end_of_window``: H = d y / d x(t1), fixed B, increment at the window end;
            * ``ekf``: as before with B carried from window to window, M B M^T + Q and after the analysis
              (I - K H) B (I - K H)^T + K R K^T;
            * ``ensrf``: no derivative; the ensemble square root filter, covariances from an ensemble of model runs.
        control: control variables, LAI and WG1 to WG14.
        jacobian: ``finite_differences`` (float64 only) or ``autograd``.
        perturbation: sizes of the finite-difference perturbations.
        background: background error.
        model_error: Q of the scheme ``ekf``.
        ensemble: of the scheme ``ensrf``.
        observation_error: observation error per observed quantity.
        limits: largest increments.
        quality: what the quality control rejects.
        leaf_biomass: leaf biomass added per LAI increment: ``model`` (the ratio of the running model, so that the
            increment survives the daily update) or ``surfex`` (the default table of SURFEX, XALPH).
        structural_biomass: active structural biomass stays ``unchanged`` when LAI is moved (SURFEX), or moves
            ``with_leaves`` along the nitrogen dilution law, so that an LAI increment lasts; the LAI background error
            should then be smaller (docs/parity.md).
        chunk_cells: cells per Jacobian computation, to bound memory; found from the free memory when null.
    """

    scheme: Literal["sekf", "smoother", "end_of_window", "ekf", "ensrf"] = "sekf"
    control: tuple[str, ...] = CONTROL_NAMES
    jacobian: Literal["finite_differences", "autograd"] = "finite_differences"
    perturbation: PerturbationSettings = field(default_factory=PerturbationSettings)
    background: BackgroundErrorSettings = field(default_factory=BackgroundErrorSettings)
    model_error: ModelErrorSettings = field(default_factory=ModelErrorSettings)
    ensemble: EnsembleSettings = field(default_factory=EnsembleSettings)
    observation_error: dict[str, ObservationErrorSettings] = field(default_factory=published_observation_errors)
    limits: LimitSettings = field(default_factory=LimitSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    leaf_biomass: Literal["model", "surfex"] = "model"
    structural_biomass: Literal["unchanged", "with_leaves"] = "unchanged"
    chunk_cells: int | None = None

    @property
    def control_vector(self) -> ControlVector:
        return ControlVector(self.control, self.structural_biomass)

    @property
    def differentiates_windows(self) -> bool:
        """Whether the scheme needs the derivative of the model over a window."""
        return self.scheme in ("sekf", "smoother", "ekf")
