"""The assimilation stage: every experiment from the state of the open loop, window by window.

The processes of the run do parts of the domain, each in a folder of its own, and the parts are joined at the end.

After every window (``block_days``) its record and a restart file are written, in this order, while the next window is
computed; a later run goes on from the restart file and gives, bit for bit, what the uninterrupted run gives.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from dalearn.assimilation.cycle import run_cycle
from dalearn.assimilation.record import RECORDED_STATE, WindowRecord
from dalearn.assimilation.scheme import FilterState, carried_tensors, filter_state
from dalearn.errors import InputError
from dalearn.experiments.analysis_file import OBSERVATION_TEXTS, write_analysis
from dalearn.experiments.background import BackgroundWriter
from dalearn.experiments.blocks import Blocks, read_parts_of_blocks
from dalearn.experiments.crew import Crew, Share
from dalearn.experiments.equivalents import evaluate_operator, load_equivalents
from dalearn.experiments.open_loop import DAY, state_path
from dalearn.experiments.open_loop_data import OpenLoopData
from dalearn.experiments.provenance import file_attributes
from dalearn.experiments.restart import CycleRestart, read_cycle, read_state, write_cycle, write_state
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.setup import Setup
from dalearn.experiments.stage_sections import AssimilationExperiment
from dalearn.experiments.window_observations import (
    ObservationRow,
    WindowObservations,
    match_windows,
    read_window_observations,
    write_window_observations,
)
from dalearn.operators import ObservationOperator
from dalearn.tree import concatenate_columns

logger = logging.getLogger("dalearn")

OBSERVATION_ROWS = (*OBSERVATION_TEXTS, "signal", "rejected")  # fields of WindowRecord with a row per observation
WINDOWS_AT_ONCE = 30

Arrays = dict[str, np.ndarray]


def run_assimilation(setup: Setup, directory: RunDirectory, crew: Crew) -> list[Path]:
    """Run what is left of all experiments, in parts, and write ``analysis.nc``; returns the files that it leaves."""
    section = setup.config.assimilation
    assert section is not None
    ends = setup.window_starts + DAY
    operators = load_equivalents(setup, directory, setup.config.assimilated_observations())
    for quantity, operator in operators.items():
        unknown = [name for name in operator.predictors if name not in RECORDED_STATE]
        if unknown:
            raise InputError(
                f"training.predictors: {unknown[0]} is not kept by the assimilation ({quantity}); "
                f"use some of {', '.join(RECORDED_STATE)}"
            )
    open_loop = OpenLoopData(directory / "open_loop.nc")
    partial = directory.partial("assimilate")
    accounts = {}
    observed: list[ObservationRow] = []
    for experiment in section.experiments:
        observations = match_windows(setup, experiment, ends, open_loop)
        accounts[experiment.name] = observations.accounts
        observed += observations.rows
        write_window_observations(partial / f"{experiment.name}.npz", observations)
    parts = crew.plan("assimilate", setup.grid, directory)
    folders = crew.run("assimilate", parts, setup, directory)
    equivalents = {
        quantity: _open_loop_equivalent(operator, open_loop, ends) for quantity, operator in operators.items()
    }
    path = directory / "analysis.nc"
    title = file_attributes(f"analyses of {setup.config.name}")
    filters = [section.filter_of(experiment) for experiment in section.experiments]
    control = list(dict.fromkeys(name for settings in filters for name in settings.control))
    rows = {row.name: operators[row.quantity] for row in observed}
    numbers = range(-(-len(ends) // section.block_days))
    blocks = {
        experiment.name: read_parts_of_blocks([Blocks(folder / experiment.name) for folder in folders], numbers)
        for experiment in section.experiments
    }
    write_analysis(path, setup.surface, ends, blocks, equivalents, {**operators, **rows}, control, title, accounts)
    files = [path]
    for experiment in section.experiments:
        sources = [_restart(folder, experiment) for folder in folders]
        states = [read_state(source, part.column_count)[0] for source, part in zip(sources, parts, strict=True)]
        attributes = file_attributes(f"state after the last window of {experiment.name}")
        files.append(directory / "restart" / f"{experiment.name}.nc")
        write_state(files[-1], concatenate_columns(states), ends[-1], attributes)
    return files


def run_part(share: Share) -> None:
    """Run what is left of all experiments on some cells, and leave it in the folder of the part."""
    setup, directory, folder, progress = share.setup, share.directory, share.folder, share.progress
    setup.use_threads()
    section = setup.config.assimilation
    assert section is not None
    operators = load_equivalents(setup, directory, setup.config.assimilated_observations())
    begins = {experiment.name: _begin(setup, directory, folder, experiment) for experiment in section.experiments}
    total, done = len(setup.window_starts), sum(begin.windows_done for begin in begins.values())
    progress.start(total * len(section.experiments), "windows", done)
    for experiment in section.experiments:
        path = directory.partial("assimilate") / f"{experiment.name}.npz"
        observations = read_window_observations(path, setup.cells)
        _run_experiment(setup, folder, experiment, begins[experiment.name], observations, operators, progress.update)


def _restart(folder: Path, experiment: AssimilationExperiment) -> Path:
    """Where a part keeps what the next window of ``experiment`` begins with."""
    return folder / experiment.name / "restart.nc"


def _begin(setup: Setup, directory: RunDirectory, folder: Path, experiment: AssimilationExperiment) -> CycleRestart:
    """What the next window of ``experiment`` begins with: the state of the open loop or what is left of a run."""
    path = _restart(folder, experiment)
    if path.exists():
        begin = read_cycle(path, setup.grid.column_count, dtype=setup.dtype, device=setup.device)
        logger.info("%s: goes on from %s", experiment.name, begin.time)
        return begin
    path = state_path(directory.path, setup.window_starts[0])
    return read_cycle(path, setup.total_columns, columns=setup.columns, dtype=setup.dtype, device=setup.device)


def _run_experiment(
    setup: Setup,
    folder: Path,
    experiment: AssimilationExperiment,
    begin: CycleRestart,
    observations: WindowObservations,
    operators: dict[str, ObservationOperator],
    progress: Callable[[], None],
) -> None:
    """Run what is left of one experiment."""
    section = setup.config.assimilation
    assert section is not None
    done, total = begin.windows_done, len(setup.window_starts)
    windows = (setup.window(start, start + DAY) for start in setup.window_starts[done:])
    with BackgroundWriter() as background:
        writer = _BlockWriter(
            Blocks(folder / experiment.name),
            _restart(folder, experiment),
            done,
            total,
            section.block_days,
            operators,
            observations.rows,
            background,
            progress,
        )
        run_cycle(
            setup.model,
            setup.grid,
            filter_state(begin.state, begin.carried),
            windows,
            [operators[row.quantity] for row in observations.rows],
            observations.value[done:],
            section.filter_of(experiment),
            steps=observations.steps(setup.config.land.time_step),
            observation_errors=observations.error[done:],
            on_window=writer.window,
        )


class _BlockWriter:
    """Gathers window records into blocks and has them written; ``done`` windows were finished by an earlier run."""

    def __init__(
        self,
        blocks: Blocks,
        restart: Path,
        done: int,
        total: int,
        block_windows: int,
        operators: dict[str, ObservationOperator],
        observed: Sequence[ObservationRow],
        background: BackgroundWriter,
        progress: Callable[[], None],
    ) -> None:
        self.blocks, self.restart, self.done, self.total = blocks, restart, done, total
        self.block_windows, self.operators, self.observed = block_windows, operators, observed
        self.background, self.progress = background, progress
        self.records: list[WindowRecord] = []

    def window(self, record: WindowRecord, state: FilterState) -> None:
        """Take the record of a window and the state at its end."""
        self.records.append(record)
        self.done += 1
        if self.done % self.block_windows == 0 or self.done == self.total:
            number = (self.done - 1) // self.block_windows
            self.background.submit(self._write, number, self.records, state, self.done)
            self.records = []
        self.progress()

    def _write(self, number: int, records: Sequence[WindowRecord], state: FilterState, done: int) -> None:
        rows = [_arrays(record, self.operators, self.observed) for record in records]
        self.blocks.write(number, {name: np.stack([row[name] for row in rows]) for name in rows[0]})
        restart = CycleRestart(state.land, records[-1].time, done, carried_tensors(state))
        write_cycle(self.restart, restart, file_attributes("analysis"))


def _arrays(
    record: WindowRecord, operators: dict[str, ObservationOperator], observed: Sequence[ObservationRow]
) -> Arrays:
    """What ``analysis.nc`` holds of a window; every array (cell,) except ``time``.

    Model equivalents of quantities that the experiment does not assimilate come from the cell means of its
    forecast and analysis, so that every run can be compared with every observation.
    """

    def array(values: torch.Tensor) -> np.ndarray:
        return values.detach().cpu().numpy()

    states = {
        "forecast": {name: array(values) for name, values in record.forecast.items()},
        "analysis": {name: array(values) for name, values in record.analysis.items()},
    }
    arrays: Arrays = {"time": np.asarray(record.time)}
    arrays |= states["analysis"]
    arrays |= {f"{name}_forecast": values for name, values in states["forecast"].items()}
    arrays |= {f"{name}_increment": array(values) for name, values in record.increment.items()}
    arrays["chi_square"] = array(record.chi_square)
    for k, row in enumerate(observed):
        arrays |= {f"{row.name}_{name}": array(getattr(record, name)[k]) for name in OBSERVATION_ROWS}
        for number, name in enumerate(record.control):
            arrays[f"jacobian_{row.name}_{name}"] = array(record.jacobian[k, number])
            arrays[f"gain_{row.name}_{name}"] = array(record.gain[k, number])
    for quantity, operator in operators.items():
        if quantity not in record.quantities:
            for when, means in states.items():
                predictors = np.stack([means[name] for name in operator.predictors], axis=-1)
                arrays[f"{quantity}_model_{when}"] = evaluate_operator(operator, predictors)
    return arrays


def _open_loop_equivalent(operator: ObservationOperator, open_loop: OpenLoopData, ends: np.ndarray) -> np.ndarray:
    """The operator on the open loop at the window ends, (window, cell); of its outputs memory holds a month."""
    parts = []
    for some in np.array_split(np.searchsorted(open_loop.time, ends), -(-len(ends) // WINDOWS_AT_ONCE)):
        first, last = int(some[0]), int(some[-1]) + 1
        means = open_loop.read(operator.predictors, slice(first, last))
        predictors = np.stack([means[name][some - first] for name in operator.predictors], axis=-1)
        parts.append(evaluate_operator(operator, predictors))
    return np.concatenate(parts)
