"""The stages of an experiment, in order: which are up to date, which have to be done, and doing them."""

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dalearn.errors import InputError, Stopped
from dalearn.experiments import assimilate, inputs, open_loop
from dalearn.experiments.config import Config, settings_of
from dalearn.experiments.crew import Crew
from dalearn.experiments.evaluation import run_evaluation
from dalearn.experiments.inputs import check_inputs, input_files, input_records, make_twin
from dalearn.experiments.prepare import check_sources, prepare_inputs, prepare_settings
from dalearn.experiments.progress import clock
from dalearn.experiments.ranks import Ranks
from dalearn.experiments.read_config import plain
from dalearn.experiments.run_directory import RunDirectory, fingerprint
from dalearn.experiments.setup import Setup
from dalearn.experiments.training import run_training

logger = logging.getLogger("dalearn")

COMMANDS = {
    "inputs": "prepare",
    "open_loop": "open-loop",
    "train": "train",
    "assimilate": "assimilate",
    "evaluate": "evaluate",
}


DRIVERS = ("surface", "forcing", "prepare.surface", "prepare.forcing")
EXECUTION_KEYS = ("run_directory: ", "device: ", "compile: ", "threads: ", "processes: ")  # change no result

WORKS = {  # stages that are done in parts
    "inputs": inputs.run_part,
    "open_loop": open_loop.run_part,
    "assimilate": assimilate.run_part,
}


@dataclass(frozen=True)
class Stage:
    """``name``, the function that does it, and the stages whose results it reads."""

    name: str
    run: Callable[[Setup, RunDirectory, Crew], list[Path]]
    needs: tuple[str, ...]

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")


def stages_of(config: Config) -> list[Stage]:
    """The stages that the configuration asks for."""
    stages = [Stage("inputs", _run_inputs, ()), Stage("open_loop", open_loop.run_open_loop, ("inputs",))]
    if config.training is not None:
        stages.append(Stage("train", _alone(run_training), ("inputs", "open_loop")))
    if config.assimilation is not None:
        needs = tuple(stage.name for stage in stages)
        stages.append(Stage("assimilate", assimilate.run_assimilation, needs))
    return [*stages, Stage("evaluate", _alone(run_evaluation), tuple(stage.name for stage in stages))]


def _alone(
    run: Callable[[Setup, RunDirectory], list[Path]],
) -> Callable[[Setup, RunDirectory, Crew], list[Path]]:
    """A stage that the leader does while the others wait."""
    return lambda setup, directory, _: run(setup, directory)


def _run_inputs(setup: Setup, directory: RunDirectory, crew: Crew) -> list[Path]:
    if setup.config.prepare is not None:
        files = prepare_inputs(setup, directory)
    elif setup.config.twin is not None:
        files = make_twin(setup, directory, crew)
    else:
        return []
    check_inputs(setup, crew.ranks.size)
    return files


def fingerprints(setup: Setup, checksums: dict[str, str]) -> dict[str, str]:
    """What each stage depends on, as a hash: settings, contents of input files, the stages before it.

    ``checksums`` of the input files by use; empty for a twin, whose files follow from its settings.
    """
    config = setup.config
    stored = sorted(np.datetime_as_string(time) for time in setup.stored_states)
    source = settings_of(config, "twin", "surface", "forcing", "land", "dtype")
    drivers = {name: mark for name, mark in checksums.items() if name.startswith(DRIVERS)}
    observed = settings_of(config, "observations")
    if config.prepare is not None:
        source |= {
            f"prepare.{name}": prepare_settings(getattr(config.prepare, name)) for name in ("forcing", "surface")
        }
        observed["prepare"] = [prepare_settings(product) for product in config.prepare.observations]
    marks = {"inputs": fingerprint(source, checksums, observed)}
    marks["open_loop"] = fingerprint(source, drivers, settings_of(config, "open_loop"), stored)
    marks["train"] = fingerprint(marks["open_loop"], observed, checksums, settings_of(config, "training"))
    marks["assimilate"] = fingerprint(marks["train"], settings_of(config, "assimilation"))
    marks["evaluate"] = fingerprint(marks["assimilate"], settings_of(config, "evaluation", "name"))
    return marks


def follow(config: Config, ranks: Ranks) -> None:
    """Do the part of this process, as the one that has the ``Pipeline`` orders."""
    directory = RunDirectory(config.run_path())
    Crew(ranks, WORKS).serve(Setup(config, directory / "inputs", local_rank=ranks.local_rank), directory)


class Pipeline:
    """The stages of ``config`` in its run directory; ``ranks`` are the processes that share the work."""

    def __init__(self, config: Config, command: Sequence[str], ranks: Ranks | None = None) -> None:
        self.config = config
        self.command = list(command)
        self.crew = Crew(ranks if ranks is not None else Ranks(), WORKS)
        self.directory = RunDirectory(config.run_path())
        self.setup = Setup(config, self.directory / "inputs", local_rank=self.crew.ranks.local_rank)
        self.stages = {stage.name: stage for stage in stages_of(config)}
        self.inputs = input_records(input_files(config))
        self.marks = fingerprints(self.setup, {name: record["sha256"] for name, record in self.inputs.items()})

    def run(self, names: Sequence[str], *, force: bool = False) -> None:
        """Do the named stages that are not up to date, and the inputs stage before them.

        Nothing is written when an input is bad.  ``force`` redoes what a changed configuration affects; without a
        change, all named stages.  Raises InputError when a stage that is needed has not been done, or when results
        of another configuration would be overwritten without ``force``.
        """
        wanted = [stage for stage in self.stages.values() if stage.name == "inputs" or stage.name in names]
        for name in names:
            if name not in self.stages:
                section = {"train": "training", "assimilate": "assimilation"}[name]
                raise InputError(f"key {section} is missing in the configuration; add the section for this stage")
        stale = [name for name in self.stages if self.directory.is_stale(name, self.marks[name])]
        if stale and not force:
            raise InputError(self._refusal(stale))
        before = [name for name in stale if any(name in stage.needs for stage in wanted) and name not in names]
        if any(name != "inputs" for name in before):
            raise InputError(
                f"{self._refusal(stale, mend=False)}; {', '.join(self.stages[name].label for name in before)} "
                "would have to be done again: use dalearn run --force"
            )
        if force or not self.is_done("inputs"):
            self._check()
        self.directory.create()
        handler = self.directory.open_log(logger)
        try:
            if force:
                self._forget(stale or self._with_later(names))
            self.directory.write_configuration(plain(self.config))
            for stage in wanted:
                self._do(stage)
            self.crew.dismiss()
        except InputError as error:
            logger.debug("stopped: %s", error)
            raise
        except Stopped as error:
            logger.debug("stopped by signal %d", error.number)
            raise
        except Exception:
            logger.debug("stopped", exc_info=True)
            raise
        finally:
            logger.removeHandler(handler)
            handler.close()
            self.directory.close()

    def _check(self) -> None:
        """Find what is wrong with the inputs before anything is written."""
        if self.config.prepare is not None:
            check_sources(self.setup, self.directory)
        elif self.config.twin is None:
            check_inputs(self.setup, self.crew.ranks.size)

    def _do(self, stage: Stage) -> None:
        if self.is_done(stage.name):
            logger.info("%s: done before, skipped", stage.label)
            return
        for name in stage.needs:
            if not self.is_done(name):
                raise InputError(
                    f"{self.directory.path}: {self.stages[name].label} has not been done; "
                    f"run dalearn {COMMANDS[name]} first, or dalearn run for all stages"
                )
        logger.info("%s: begins", stage.label)
        begin = time.monotonic()
        if stage.name != "inputs":
            self.setup.use_threads()
        self.directory.mark_started(stage.name, self.marks[stage.name])
        files = stage.run(self.setup, self.directory, self.crew)
        if stage.name == "inputs":
            records = self.inputs or input_records({path.stem: path for path in files})
            self.directory.write_provenance(records.values(), self.command)
        seconds = time.monotonic() - begin
        self.directory.mark_complete(stage.name, self.marks[stage.name], files, seconds)
        shutil.rmtree(self.directory.partial(stage.name), ignore_errors=True)
        logger.info("%s: done in %s", stage.label, clock(seconds))

    def is_done(self, name: str) -> bool:
        """Whether the results of a stage are there and belong to this configuration."""
        return self.directory.is_complete(name, self.marks[name])

    def _with_later(self, names: Sequence[str]) -> list[str]:
        """The named stages and all that read their results."""
        return [stage.name for stage in self.stages.values() if {stage.name, *stage.needs} & set(names)]

    def _forget(self, names: Sequence[str]) -> None:
        for name in names:
            self.directory.forget(name)

    def _refusal(self, stale: Sequence[str], *, mend: bool = True) -> str:
        changes = [
            change
            for change in self.directory.configuration_changes(plain(self.config))
            if not change.startswith(EXECUTION_KEYS) and ".path: " not in change
        ]
        known = self.directory.input_checksums()
        for record in self.inputs.values():
            if record["sha256"] not in known:
                changes.append(f"new contents of {Path(record['path']).name}")
        more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
        reason = f"{self.directory.path}: was made with another configuration ({'; '.join(changes[:3])}{more})"
        if not mend:
            return reason
        stages = ", ".join(self.stages[name].label for name in stale)
        return f"{reason}; add --force to redo {stages}, or choose another --run-directory"
