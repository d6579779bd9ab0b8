"""The sections of a configuration file on training, assimilation and evaluation; see ``sections``."""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from dalearn.assimilation.covariance import BackgroundErrorSettings, published_observation_errors
from dalearn.assimilation.settings import FilterSettings
from dalearn.errors import InputError
from dalearn.experiments.read_config import build, overlay, plain
from dalearn.experiments.sections import as_time, check_period, check_positive, check_unique
from dalearn.learning.settings import TrainingSettings
from dalearn.operators.names import check_predictors
from dalearn.operators.predictor_range import OUT_OF_RANGE_RULES


@dataclass(kw_only=True)
class TrainingConfig:
    """The observation operator and how it is trained.

    Attributes:
        observations: name of the observations to be predicted.
        operator: a registered operator; ``options`` are those of its class.
        predictors: names from the variable table.
        leaf_area_index: ``model``, or the name of the LAI observations that replace the model's LAI as predictor.
        leaf_area_index_smoothing: days, the width of the window in which observed LAI is smoothed before it is a
            predictor; linear between the observations when null.  Noise of a predictor flattens what is learned.
        start, end: training period.
        test_start, test_end: test period, after it.
        tolerance_minutes: an open-loop output counts for an observation when it is so close in time.
        seeds: operators trained from so many initial weights; scores are means over them.
        out_of_range: what is done outside the training range of the predictors.
        settings: see ``TrainingSettings``.
    """

    observations: str
    start: str
    end: str
    test_start: str
    test_end: str
    operator: str = "network"
    options: dict[str, Any] = field(default_factory=dict)
    predictors: list[str] = field(default_factory=lambda: ["WG2", "TG2", "LAI"])
    leaf_area_index: str = "model"
    leaf_area_index_smoothing: float | None = None
    tolerance_minutes: float = 60.0
    seeds: int = 1
    out_of_range: str = "clip"
    settings: TrainingSettings = field(default_factory=TrainingSettings)

    def __post_init__(self) -> None:
        check_period("training", self.start, self.end)
        check_period("training", self.test_start, self.test_end, ("test_start", "test_end"))
        if as_time(self.test_start, "training.test_start") < as_time(self.end, "training.end"):
            raise InputError(
                f"training.test_start: {self.test_start} is before training.end {self.end}; "
                "test on samples that were not trained on"
            )
        check_predictors(self.predictors)
        if self.out_of_range not in OUT_OF_RANGE_RULES:
            raise InputError(
                f"training.out_of_range: {self.out_of_range!r} is not known; choose {', '.join(OUT_OF_RANGE_RULES)}"
            )
        check_positive("training", tolerance_minutes=self.tolerance_minutes, seeds=self.seeds)
        if self.leaf_area_index_smoothing is not None:
            check_positive("training", leaf_area_index_smoothing=self.leaf_area_index_smoothing)


@dataclass(kw_only=True)
class AssimilationExperiment:
    """One run of the analyses.

    Attributes:
        name: of the experiment.
        observations: names of the observations that it assimilates.
        filter: settings that differ from ``assimilation.filter``, under the same keys.
    """

    name: str
    observations: list[str]
    filter: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class AssimilationConfig:
    """The analyses.

    Attributes:
        start, end: the windows lie between them.
        window_start_hour: UTC hour at which the 24 h windows begin and end.
        experiments: what each assimilates; all start from the open loop.
        observation_hours: hours after the window start, the last one 24, at which observations are taken as valid.
        tolerance_hours: an observation counts when it is so close to one of these hours.
        filter: see ``FilterSettings``; errors that are not given keep their published values.
        block_days: windows between two restart files, which are all that a killed run can lose.
    """

    start: str
    end: str
    experiments: list[AssimilationExperiment]
    window_start_hour: int = 9
    observation_hours: list[int] = field(default_factory=lambda: [24])
    tolerance_hours: float = 3.0
    filter: FilterSettings = field(default_factory=FilterSettings)
    block_days: int = 1

    def __post_init__(self) -> None:
        check_period("assimilation", self.start, self.end)
        if not 0 <= self.window_start_hour < 24:
            raise InputError(f"assimilation.window_start_hour: {self.window_start_hour} is not an hour, 0..23")
        if not 0 < self.tolerance_hours <= 12:
            raise InputError(f"assimilation.tolerance_hours: {self.tolerance_hours} is not in 0..12")
        self._check_observation_hours()
        check_positive("assimilation", block_days=self.block_days)
        check_unique("assimilation.experiments", [experiment.name for experiment in self.experiments])
        if not self.experiments:
            raise InputError("assimilation.experiments: none given; add one, or leave the section out")
        errors = {**published_observation_errors(), **self.filter.observation_error}
        layers = {**BackgroundErrorSettings().soil_moisture, **self.filter.background.soil_moisture}
        background = replace(self.filter.background, soil_moisture=layers)
        self.filter = replace(self.filter, observation_error=errors, background=background)
        for experiment in self.experiments:
            self.filter_of(experiment)

    def _check_observation_hours(self) -> None:
        hours = self.observation_hours
        if not hours or hours[-1] != 24 or hours[0] < 1 or any(a >= b for a, b in pairwise(hours)):
            raise InputError(
                f"assimilation.observation_hours: {hours} are not ascending hours of the window, 1..24, that end with "
                "24: observations at the window end are those that are scored"
            )
        apart = min((b - a for a, b in pairwise([hours[-1] - 24, *hours])), default=24)
        if self.tolerance_hours > apart / 2:
            raise InputError(
                f"assimilation.tolerance_hours: {self.tolerance_hours:g} is more than half of the {apart} h between "
                "two observation hours; lower it"
            )

    def filter_of(self, experiment: AssimilationExperiment) -> FilterSettings:
        """The settings of ``experiment``: those of ``assimilation.filter`` with its own on top."""
        where = f"assimilation.experiments.{experiment.name}.filter"
        settings: FilterSettings = build(FilterSettings, overlay(plain(self.filter), experiment.filter), where)
        check_positive(
            where,
            chunk_cells=settings.chunk_cells,
            correlation_length=settings.background.correlation_length,
            **settings.quality.maximum_departure,
            **{f"normalised {name}": value for name, value in settings.quality.maximum_normalised_departure.items()},
        )
        if len(self.observation_hours) > 1 and settings.scheme in ("end_of_window", "ekf"):
            raise InputError(
                f"{where}.scheme: {settings.scheme} observes at the window end only; set observation_hours to [24] or "
                "the scheme to sekf, smoother or ensrf"
            )
        if settings.scheme == "ensrf":
            settings.ensemble.check(settings.control_vector)
        return settings


@dataclass(kw_only=True)
class EvaluationConfig:
    """Tables, figures and report.

    Attributes:
        in_situ: name of in situ SSM observations; null for none.
        in_situ_root_zone: name of in situ observations of soil moisture (SSM) at 30 cm, compared with WG5; null for
            none.
        tolerance_hours: in situ samples so close to a window end are averaged for it.
        jacobians: compare the two Jacobian back ends on three windows spread over the first year.
        contrast_month: month, 1..12, in which a dry and a wet year are compared.
        dry_year, wet_year: the two years; null takes the driest and the wettest of the open loop in that month.
        reference_year: of the relative differences of the root zone; null takes the first year with observations.
    """

    in_situ: str | None = None
    in_situ_root_zone: str | None = None
    tolerance_hours: float = 1.5
    jacobians: bool = True
    contrast_month: int = 7
    dry_year: int | None = None
    wet_year: int | None = None
    reference_year: int | None = None

    def __post_init__(self) -> None:
        check_positive("evaluation", tolerance_hours=self.tolerance_hours)
        if not 1 <= self.contrast_month <= 12:
            raise InputError(f"evaluation.contrast_month: {self.contrast_month} is not a month, 1..12")
        if self.dry_year is not None and self.dry_year == self.wet_year:
            raise InputError(f"evaluation.wet_year: {self.wet_year} is the dry_year too; choose another")

    def in_situ_names(self) -> dict[str, str]:
        """Key -> name of the in situ observations that are given."""
        names = {"in_situ": self.in_situ, "in_situ_root_zone": self.in_situ_root_zone}
        return {key: name for key, name in names.items() if name is not None}
