"""Observation operators side by side on the open loop of a run: skill, derivatives, cost, effect on the analysis.

Example::

    python train/operator_study.py runs/corchia2023 --analysis_days 365

writes ``tables/operator_study.csv`` (one row per operator), ``operator_study_full.csv`` (all columns and intervals),
``operator_study_cells.csv``, ``operator_study_selection.csv`` and ``figures/operator_study.png`` into the run
directory, where ``dalearn evaluate`` finds the first and the last.  What is trained or analysed is kept under
``studies/``; a killed study goes on there.
"""

import dataclasses
import logging
import time
from pathlib import Path

import pandas as pd
import torch

from dalearn.assimilation.covariance import ObservationErrorSettings
from dalearn.errors import InputError
from dalearn.evaluation.dots import DotPanel, draw_dots
from dalearn.evaluation.style import GREY, VERMILLION, quantity_label, save_figure, with_units
from dalearn.evaluation.table_parts import ScoreSettings, write_table
from dalearn.experiments.open_loop import DAY
from dalearn.experiments.operator_analyses import (
    STATE,
    analyse_with,
    analysis_table,
    open_loop_states,
    true_states,
)
from dalearn.experiments.operator_jacobians import VARIABLES, jacobian_row, true_derivatives
from dalearn.experiments.operator_study import CANDIDATES, PROPOSED, REFERENCE, Trained, score_table, train_candidates
from dalearn.experiments.program import run_program
from dalearn.experiments.study_run import StudyRun, open_study
from dalearn.learning.collocation import Collocation

LOG = logging.getLogger("dalearn")
OPEN_LOOP = "open loop"
OWN_ERROR = ", its own R"
CONCISE = (
    "operator", "weights per cell", "RMSD ({units})",
    "RMSD - {reference} ({units})", "RMSD - {reference} ({units}) low",
    "RMSD - {reference} ({units}) high", "R", "cells better (%)", "RMSD, LAI of the model ({units})",
    "d/dWG2 RMSD ({units} per m3 m-3)", "d/dLAI RMSD ({units} per m2 m-2)", "d/dWG2 wrong sign (%)",
    "forecast RMSD ({units})", "WG2 RMSD (m3 m-3)", "LAI RMSD (m2 m-2)",
    "LAI RMSD - {reference} (m2 m-2) low", "LAI RMSD - {reference} (m2 m-2) high", "training (s of CPU)",
)  # fmt: skip


def study(
    run_directory: Path,
    operators: list[str] | None = None,
    epochs: int | None = None,
    patience: int | None = None,
    analysis_days: int = 0,
    threads: int = 1,
) -> None:
    """Train and compare observation operators on the open loop in a run directory.

    Args:
        run_directory: of a run whose open loop is done.
        operators: labels of the rows to be made, the network per cell always among them; all when not given.
        epochs: at most so many; those of the run when not given.
        patience: a cell is done when so many epochs in a row did not improve it in validation; all epochs when null.
        analysis_days: run the filter of the assimilation with every operator over so many windows; 0 for none.
        threads: of the CPU.
    """
    torch.set_num_threads(threads)
    begin = time.monotonic()
    run = open_study(run_directory)
    unknown = set(operators or []) - {candidate.label for candidate in CANDIDATES}
    if unknown:
        known = "; ".join(candidate.label for candidate in CANDIDATES)
        raise InputError(f"operators: {sorted(unknown)[0]!r} is not a row of the study; choose from {known}")
    candidates = [each for each in CANDIDATES if not operators or each.label in operators or each == REFERENCE]
    if run.training.leaf_area_index == "model":
        candidates = [each for each in candidates if not each.smoothed]
    known = set(run.training.predictors)
    for each in [each for each in candidates if not set(each.predictors or known) <= known]:
        LOG.info("%s: left out, the run has no predictors %s", each.label, " ".join(each.predictors or ()))
        candidates.remove(each)
    settings = dataclasses.replace(run.training.settings, **({"epochs": epochs} if epochs else {}))
    trained, test, selection = train_candidates(run, candidates, settings, patience)
    table, cells = score_table(trained, test, run.units, ScoreSettings(), REFERENCE.label)
    table = table.merge(_derivatives(run, trained), on="operator")
    if analysis_days:
        analyses = _analyses(run, trained, analysis_days)
        table = analyses[["operator"]].merge(table, on="operator", how="left").merge(analyses, on="operator")
    for name in ("tables", "figures"):
        (run_directory / name).mkdir(exist_ok=True)
    tables = run_directory / "tables"
    write_table(cells, tables / "operator_study_cells.csv")
    write_table(selection, tables / "operator_study_selection.csv")
    write_table(table, tables / "operator_study_full.csv")
    columns = [name.format(units=run.units, reference=REFERENCE.label) for name in CONCISE]
    _draw(run, table, run_directory / "figures" / "operator_study.png")
    path = write_table(table[[name for name in columns if name in table]], tables / "operator_study.csv")
    LOG.info("%s: %.0f s", path, time.monotonic() - begin)


def _derivatives(run: StudyRun, trained: dict[str, Trained]) -> pd.DataFrame:
    """All operators at the same predictors, those of the run."""
    names = ["WG2", "TG2", "LAI"]
    test = run.samples(predictors=names)[1]
    truth = true_derivatives(run, test.predictors, test.time)
    rows = []
    for label, each in trained.items():
        if set(VARIABLES) <= set(each.operator.predictors) <= set(names):
            order = [names.index(name) for name in each.operator.predictors]
            samples = Collocation(test.time, test.predictors[..., order], test.target, 0)
            rows.append({"operator": label, **jacobian_row(each.operator, samples, truth)})
    return pd.DataFrame(rows)


def _analyses(run: StudyRun, trained: dict[str, Trained], days: int) -> pd.DataFrame:
    """The open loop, and the filter with every operator; with its own R too where it predicts its error."""
    states = {OPEN_LOOP: open_loop_states(run, days)}
    for label, each in trained.items():
        states[label] = analyse_with(run, label, each.operator, days, None)
        if each.candidate == PROPOSED:
            own = ObservationErrorSettings(1.0, "operator")
            states[label + OWN_ERROR] = analyse_with(run, label + OWN_ERROR, each.operator, days, own)
    ends = run.setup.window_starts[:days] + DAY
    return analysis_table(states, true_states(run, days), ends, run.units, REFERENCE.label, ScoreSettings())


def _draw(run: StudyRun, table: pd.DataFrame, path: Path) -> None:
    quantity = quantity_label(run.setup.config.observation(run.training.observations).quantity)
    panels = [
        DotPanel(with_units("test RMSD", run.units), _intervals(table, f"RMSD ({run.units})")),
        DotPanel(
            with_units("the same, LAI of the model", run.units),
            _intervals(table, f"RMSD, LAI of the model ({run.units})"),
        ),
    ]
    for name in ("WG2", "LAI"):
        column = f"{name} RMSD ({STATE[name]})"
        if column in table:
            panels.append(DotPanel(with_units(f"{name} of the analysis, RMSD", STATE[name]), _intervals(table, column)))
    colours = {PROPOSED.label: VERMILLION, PROPOSED.label + OWN_ERROR: VERMILLION, OPEN_LOOP: GREY}
    save_figure(draw_dots(panels, f"{quantity} operators", colours), path)


def _intervals(table: pd.DataFrame, column: str) -> dict[str, tuple[float, float, float]]:
    rows = table.to_dict("records")
    nothing = float("nan")
    return {
        row["operator"]: (row[column], row.get(f"{column} low", nothing), row.get(f"{column} high", nothing))
        for row in rows
    }


if __name__ == "__main__":
    run_program(study, positional=True)
