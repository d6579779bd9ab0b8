"""The configuration of an experiment: one YAML file, read into ``Config`` and checked as a whole.

Paths are relative to the folder of the configuration file; what a twin or ``prepare`` makes lies in ``inputs`` of the
run directory.
The run directory itself is relative to the current directory, so that a configuration that ships with the
package writes where the user is.
"""

import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dalearn.errors import InputError
from dalearn.experiments.paths import make_paths_absolute, product_of
from dalearn.experiments.prepare_sections import PrepareConfig
from dalearn.experiments.read_config import build, change_key, plain, read_yaml
from dalearn.experiments.sections import (
    ForcingConfig,
    LandConfig,
    ObservationConfig,
    OpenLoopConfig,
    SurfaceConfig,
    as_time,
    check_positive,
    check_unique,
)
from dalearn.experiments.stage_sections import AssimilationConfig, EvaluationConfig, TrainingConfig
from dalearn.twin.settings import TwinSettings


@dataclass(kw_only=True)
class Config:
    """A whole experiment.

    Attributes:
        name: of the experiment and, by default, of its run directory ``runs/<name>``.
        run_directory: relative to the current directory.
        dtype: of the land model and the filter.
        device: ``auto`` takes a GPU where there is one.
        compile: compile the land model (it runs eagerly, and slower, where that is impossible).
        threads: of the CPU, in each process; null takes one for a few thousand columns, which more would only slow
            down, else all.
        processes: that share the cells; ``auto`` takes one per core where the domain is large enough to gain by it.
        twin: make the inputs, or null to read ``surface``, ``forcing`` and the observations from files.
        prepare: make inputs from downloaded files; what is made needs no path in the other sections.
        training, assimilation: leave a section out to leave the stage out.
        plugins: Python modules to import first, for the operators that they register; installed, or files beside
            the configuration.
    """

    name: str
    open_loop: OpenLoopConfig
    run_directory: str | None = None
    dtype: Literal["float64", "float32"] = "float64"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compile: bool = True
    threads: int | None = None
    processes: int | Literal["auto"] = "auto"
    land: LandConfig = field(default_factory=LandConfig)
    twin: TwinSettings | None = None
    prepare: PrepareConfig | None = None
    surface: SurfaceConfig | None = None
    forcing: ForcingConfig | None = None
    observations: list[ObservationConfig] = field(default_factory=list)
    training: TrainingConfig | None = None
    assimilation: AssimilationConfig | None = None
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    plugins: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name:
            raise InputError(f"name: {self.name!r} cannot name a run directory; use letters and digits")
        check_positive("configuration", threads=self.threads)
        if self.processes != "auto":
            check_positive("configuration", processes=self.processes)
        self._check_sources()
        check_unique("observations", [observation.name for observation in self.observations])
        self._check_rescaling()
        self._check_training()
        self._check_assimilation()
        for key, name in self.evaluation.in_situ_names().items():
            self._check_quantity(f"evaluation.{key}", name, "SSM")

    def observation(self, name: str, where: str = "observations") -> ObservationConfig:
        """The observations called ``name``; InputError naming the key ``where`` that asked for them."""
        for observation in self.observations:
            if observation.name == name:
                return observation
        known = ", ".join(observation.name for observation in self.observations) or "none"
        raise InputError(f"{where}: no observations are called {name!r}; known are {known}")

    def takes_trained_operator(self, name: str) -> bool:
        """Whether the trained operator is that of the observations called ``name``; rescaled ones need none."""
        if self.training is None:
            return False
        observation, learned = self.observation(name), self.observation(self.training.observations)
        return observation.quantity == learned.quantity and observation.rescale == "none"

    def rescaling_period(self, name: str) -> tuple[str, str]:
        """Start and end of the fit that rescales the observations called ``name``; InputError where there is none."""
        observation = self.observation(name)
        if observation.rescale_start is not None and observation.rescale_end is not None:
            return observation.rescale_start, observation.rescale_end
        section = self.training or self.assimilation
        if section is None:
            raise InputError(f"observations.{name}.rescale: no period to fit it on; give rescale_start and rescale_end")
        return section.start, section.end

    def assimilated_observations(self) -> list[str]:
        """Names of the observations of all experiments, each once."""
        experiments = self.assimilation.experiments if self.assimilation is not None else []
        return list(dict.fromkeys(name for experiment in experiments for name in experiment.observations))

    def run_path(self) -> Path:
        """The run directory, absolute."""
        return Path(self.run_directory or Path("runs") / self.name).expanduser().resolve()

    def used_observations(self) -> Iterator[tuple[str, str, str, str]]:
        """(name, key that uses it, start, end) for every use of observations in the configuration."""
        if self.training is not None:
            t = self.training
            yield t.observations, "training.start to training.end", t.start, t.end
            yield t.observations, "training.test_start to training.test_end", t.test_start, t.test_end
            if t.leaf_area_index != "model":
                yield t.leaf_area_index, "training.start to training.end", t.start, t.end
        if self.assimilation is not None:
            a = self.assimilation
            for name in self.assimilated_observations():
                yield name, "assimilation.start to assimilation.end", a.start, a.end
        for name in self.evaluation.in_situ_names().values():
            yield name, "open_loop.start to open_loop.end", self.open_loop.start, self.open_loop.end

    def made(self) -> set[str]:
        """The sections ``surface`` and ``forcing`` whose file ``prepare`` makes."""
        return {name for name in ("surface", "forcing") if getattr(self.prepare, name, None) is not None}

    def _check_sources(self) -> None:
        given = [name for name in ("surface", "forcing") if getattr(self, name) is not None]
        if self.twin is not None and (given or self.prepare is not None):
            raise InputError(f"{(given or ['prepare'])[0]}: the twin makes its own; leave it out, or leave out twin")
        for name in ("surface", "forcing"):
            section = getattr(self, name)
            if name in self.made():
                if section is not None and (name == "surface" or product_of(section.path or "FORCING.nc") != "FORCING"):
                    raise InputError(f"{name}.path: prepare makes it; leave it out, or leave out prepare.{name}")
            elif self.twin is None and section is None:
                raise InputError(f"key {name} is missing; add it (or twin, or prepare.{name}, to make it)")
            elif section is not None and name == "forcing" and section.path is None:
                raise InputError("key forcing.path is missing; add it (or prepare.forcing, to make it)")
        products = {product.name: product for product in self.prepare.observations} if self.prepare else {}
        for observation in self.observations:
            if observation.path is None and observation.name in products:
                observation.path = f"{observation.name}.nc"
            if observation.path is None:
                raise InputError(f"observations.{observation.name}.path is missing; add it")
            product = products.get(product_of(observation.path))
            if product is not None and product.quantity != observation.quantity:
                raise InputError(
                    f"observations.{observation.name}.quantity: {observation.quantity}, but "
                    f"prepare.observations.{product.name} makes {product.quantity}; change one of them"
                )

    def _check_quantity(self, where: str, name: str, quantity: str) -> None:
        found = self.observation(name, where).quantity
        if found != quantity:
            raise InputError(f"{where}: {name} observes {found}, {quantity} is needed here")

    def _check_inside(self, section: str, start: str, end: str) -> None:
        first, last = as_time(self.open_loop.start, "open_loop.start"), as_time(self.open_loop.end, "open_loop.end")
        if as_time(start, section) < first or as_time(end, section) > last:
            raise InputError(
                f"{section}: {start} to {end} is not inside the open loop, {self.open_loop.start} to "
                f"{self.open_loop.end}; change one of them"
            )

    def _check_rescaling(self) -> None:
        for observation in self.observations:
            if observation.rescale != "none":
                self._check_inside(f"observations.{observation.name}.rescale", *self.rescaling_period(observation.name))

    def _check_training(self) -> None:
        training = self.training
        if training is None:
            return
        self.observation(training.observations, "training.observations")
        if training.leaf_area_index != "model":
            self._check_quantity("training.leaf_area_index", training.leaf_area_index, "LAI")
        self._check_inside("training", training.start, training.end)
        self._check_inside("training.test", training.test_start, training.test_end)

    def _check_assimilation(self) -> None:
        assimilation = self.assimilation
        if assimilation is None:
            return
        self._check_inside("assimilation", assimilation.start, assimilation.end)
        if assimilation.window_start_hour % self.open_loop.output_hours:
            raise InputError(
                f"open_loop.output_hours: no output at {assimilation.window_start_hour} UTC, the end of the windows; "
                "choose a divisor of assimilation.window_start_hour"
            )
        for experiment in assimilation.experiments:
            settings = assimilation.filter_of(experiment)
            differences = settings.differentiates_windows and settings.jacobian == "finite_differences"
            if differences and self.dtype != "float64":
                raise InputError(
                    "dtype: finite differences need float64; change it, or assimilation.filter.jacobian to autograd"
                )
            where = f"assimilation.experiments.{experiment.name}.observations"
            quantities = [self.observation(name, where).quantity for name in experiment.observations]
            check_unique(where, quantities)
            if not quantities:
                raise InputError(f"{where}: none given; name at least one")
            for name in experiment.observations:
                self._check_assimilated(where, name)
        self._check_one_operator()

    def _check_one_operator(self) -> None:
        """``analysis.nc`` has room for one operator per quantity."""
        first: dict[str, str] = {}
        for name in self.assimilated_observations():
            other = first.setdefault(self.observation(name).quantity, name)
            if self.takes_trained_operator(name) != self.takes_trained_operator(other):
                raise InputError(
                    f"assimilation.experiments: {name} and {other} are the same quantity, one seen by the trained "
                    "operator and one rescaled to the model; put them in two configurations"
                )

    def _check_assimilated(self, where: str, name: str) -> None:
        observation = self.observation(name)
        learned = self.observation(self.training.observations).quantity if self.training else None
        if observation.quantity == "sigma0" and learned != "sigma0":
            raise InputError(f"{where}: {name} needs an operator for sigma0; add a training section for it")


def load_config(path: Path, *, run_directory: str | None = None, changes: Sequence[str] = ()) -> Config:
    """The configuration in ``path``, its paths made absolute.

    ``run_directory`` replaces that of the file, ``changes`` (``twin.areas=[ales]``) other keys.  Raises InputError, one
    line naming the file and the key.
    """
    content = read_yaml(path)
    for change in changes:
        change_key(content, change)
    try:
        config = build(Config, content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if run_directory is not None:
        config.run_directory = run_directory
    _import_plugins(path, config.plugins)
    make_paths_absolute(config, path.resolve().parent)
    return config


def _import_plugins(path: Path, names: list[str]) -> None:
    """Import the modules that register operators of the user's own."""
    beside = str(path.resolve().parent)
    if names and beside not in sys.path:
        sys.path.append(beside)
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name.split(".")[0]:
                raise
            raise InputError(f"{path}: plugins: no module {name!r}; install it or put {name}.py beside it") from error


def settings_of(config: Config, *sections: str) -> dict[str, Any]:
    """Named sections as plain values without paths, for the fingerprint of a stage."""

    def without_paths(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_paths(item) for key, item in value.items() if key != "path"}
        return [without_paths(item) for item in value] if isinstance(value, list) else value

    return {section: without_paths(plain(getattr(config, section))) for section in sections}


def window_starts(config: AssimilationConfig) -> np.ndarray:
    """Start of every 24 h window between ``start`` and ``end``, (window,) datetime64[s]."""
    day, hour = np.timedelta64(86400, "s"), np.timedelta64(config.window_start_hour * 3600, "s")
    start = as_time(config.start, "assimilation.start")
    first = start.astype("datetime64[D]").astype("datetime64[s]") + hour
    first = first + day if first < start else first
    return np.arange(first, as_time(config.end, "assimilation.end") - day + np.timedelta64(1, "s"), day)
