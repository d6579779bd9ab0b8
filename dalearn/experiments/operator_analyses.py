"""What an operator does to the analysis: the same filter, windows and observations, one operator after the other."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from dalearn.assimilation.covariance import ObservationErrorSettings
from dalearn.assimilation.cycle import run_cycle
from dalearn.assimilation.record import WindowRecord
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.errors import InputError
from dalearn.evaluation.bootstrap import mean_over_cells
from dalearn.evaluation.scores import common_samples, compute_scores
from dalearn.evaluation.table_parts import ScoreSettings, known_mean, with_interval
from dalearn.experiments.open_loop import DAY, state_path
from dalearn.experiments.open_loop_data import OpenLoopData
from dalearn.experiments.progress import Progress
from dalearn.experiments.restart import read_cycle
from dalearn.experiments.stage_sections import AssimilationExperiment
from dalearn.experiments.study_run import Results, StudyRun
from dalearn.experiments.window_observations import match_windows
from dalearn.io import read_time, read_values, reading
from dalearn.operators import ObservationOperator

logger = logging.getLogger("dalearn")

STATE = {"WG2": "m3 m-3", "WG4": "m3 m-3", "WG6": "m3 m-3", "LAI": "m2 m-2"}

Arrays = dict[str, np.ndarray]


def analyse_with(
    run: StudyRun, label: str, operator: ObservationOperator, days: int, error: ObservationErrorSettings | None
) -> Arrays:
    """Analyses over the first ``days`` windows of the assimilation: ``STATE`` and ``departure`` (window, cell).

    The observations are those that the training predicts, the settings those of the run, except for ``error``.  Kept
    under ``studies/``; a later call with the same operator reads them.
    """
    section = run.setup.config.assimilation
    if section is None:
        raise InputError(f"{run.directory / 'config.yaml'}: no section assimilation; add it or set analysis_days to 0")
    name = run.training.observations
    experiment = AssimilationExperiment(name=label, observations=[name])
    same = [each for each in section.experiments if each.observations == [name]]
    settings = section.filter_of(dataclasses.replace(experiment, filter=same[0].filter if same else {}))
    if error is not None:
        settings = dataclasses.replace(
            settings, observation_error={**settings.observation_error, operator.quantity: error}
        )
    weights = [(key, float(tensor.double().sum())) for key, tensor in operator.state_dict().items()]
    results = Results(
        run.directory.path / "studies" / "analyses", run.mark, days, dataclasses.asdict(settings), weights
    )
    key = label.replace(" ", "_").replace(",", "")
    stored = results.get(key)
    if stored is None:
        stored = _run(run, experiment, operator, settings, days)
        results.put(key, stored)
    return stored


def _run(
    run: StudyRun,
    experiment: AssimilationExperiment,
    operator: ObservationOperator,
    settings: FilterSettings,
    days: int,
) -> Arrays:
    setup = run.setup
    starts = setup.window_starts[:days]
    open_loop = OpenLoopData(run.directory / "open_loop.nc")
    observed = match_windows(setup, experiment, starts + DAY, open_loop)
    setup.use_threads()
    begin = read_cycle(
        state_path(run.directory.path, starts[0]), setup.grid.column_count, dtype=setup.dtype, device=setup.device
    )
    operator = operator.to(device=setup.device, dtype=setup.dtype)
    operator.out_of_range = run.training.out_of_range
    rows: list[Arrays] = []
    with Progress(experiment.name, len(starts), "windows") as progress:

        def keep(record: WindowRecord, _: FilterState) -> None:
            end = observed.rows[-1]
            k = observed.rows.index(end)
            fields = {name: record.analysis[name] for name in STATE}
            fields |= {"departure": record.departure[k], "expected": record.expected_deviation[k]}
            rows.append({name: values.cpu().numpy() for name, values in fields.items()})
            progress.update()

        run_cycle(
            setup.model,
            setup.grid,
            FilterState(land=begin.state),
            (setup.window(start, start + DAY) for start in starts),
            [operator] * len(observed.rows),
            observed.value,
            settings,
            steps=observed.steps(setup.config.land.time_step),
            observation_errors=observed.error,
            on_window=keep,
        )
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def open_loop_states(run: StudyRun, days: int) -> Arrays:
    """The open loop at the same window ends, (window, cell)."""
    return _at(run.directory / "open_loop.nc", run.setup.window_starts[:days] + DAY)


def true_states(run: StudyRun, days: int) -> Arrays | None:
    """The truth of a twin at the same window ends, (window, cell); None where it is not known."""
    path = run.directory / "truth.nc"
    return _at(path, run.setup.window_starts[:days] + DAY) if path.exists() else None


def _at(path: Path, ends: np.ndarray) -> Arrays:
    with reading(path) as file:
        time = read_time(file)
        rows = np.searchsorted(time, ends)
        if rows.max() >= len(time) or (time[rows] != ends).any():
            raise InputError(f"{path}: holds no output at {ends[0]}; the window ends must be among its times")
        first = int(rows[0])
        part = slice(first, int(rows[-1]) + 1)
        return {name: read_values(file, name, part)[rows - first] for name in STATE if name in file.variables}


def analysis_table(
    states: Mapping[str, Arrays],
    truth: Mapping[str, np.ndarray] | None,
    time: np.ndarray,
    units: str,
    reference: str,
    settings: ScoreSettings,
) -> pd.DataFrame:
    """One row per run: means over cells of the RMSD of the forecast signal from the observations and of the analysed
    state from the ``truth``, with their differences from ``reference`` and paired block-bootstrap intervals.

    ``states`` run -> arrays (window, cell), ``time`` (window,); the open loop has no departures.
    """
    rows: dict[str, dict[str, object]] = {label: {"operator": label} for label in states}
    scored: dict[str, dict[str, np.ndarray]] = {
        f"forecast RMSD ({units})": {label: run["departure"] for label, run in states.items() if "departure" in run}
    }
    for name in truth or {}:
        scored[f"{name} RMSD ({STATE[name]})"] = {
            label: run[name] - truth[name] for label, run in states.items() if truth is not None
        }
    for label, run in states.items():
        if "departure" in run:
            ratio = run["departure"] / run["expected"]
            rows[label]["departure / expected"] = float(np.sqrt(np.nanmean(ratio**2)))
    for column, errors in scored.items():
        nothing, *common = common_samples(np.zeros_like(errors[reference]), *errors.values())
        errors = dict(zip(errors, common, strict=True))
        replicates = settings.replicates(errors, nothing, time)
        rmsd = {label: compute_scores(error, nothing, settings.minimum_count).rmsd for label, error in errors.items()}
        for label in errors:
            rows[label][column] = known_mean(rmsd[label])
            gain = known_mean(rmsd[label] - rmsd[reference])
            sampled = mean_over_cells(replicates[label].rmsd - replicates[reference].rmsd)
            quantity = column.partition(" (")
            difference = f"{quantity[0]} - {reference} ({quantity[2]}"
            rows[label] |= with_interval(difference, gain, sampled, settings)
    return pd.DataFrame(list(rows.values()))
