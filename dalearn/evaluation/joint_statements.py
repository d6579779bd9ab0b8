"""Statements on Rojas-Munoz et al. (2023): what soil moisture and LAI assimilated together do, with marks.

Some land is irrigated in the truth of the twin and not in the model.  A difference that is to be above or below 0 must
be so with its whole interval; other marks are met by the number itself.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from dalearn.evaluation.bootstrap import interval, mean_over_cells
from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.land_use import FLOODED, IRRIGATED, KARST, land_uses
from dalearn.evaluation.report import format_number
from dalearn.evaluation.roles import JointRoles
from dalearn.evaluation.root_zone_change import RootZoneChange, deviation_replicates
from dalearn.evaluation.scores import compute_scores
from dalearn.evaluation.seasons import SEASONS
from dalearn.evaluation.statements import INFORMATION, Statement, at_cells
from dalearn.evaluation.style import pretty_units
from dalearn.evaluation.table_parts import ScoreSettings, known_mean

WATER = "m3 m-3"
ABOVE, BELOW = "surely above 0", "surely below 0"
LITTLE = 0.5  # of the change of WG5 that soil moisture and LAI make together
# Neutral over karst: a fifth of the rise of R and a third of the fall of ubRMSD of the paper over the Camargue.
NEUTRAL_R, NEUTRAL_DEVIATION = 0.01, 0.001


class Difference(NamedTuple):
    """Mean over cells of a score of a run minus that of the open loop, the ends of its interval, cells that improve."""

    value: float
    low: float
    high: float
    better: int
    cells: int


def state_root_zone(
    change: RootZoneChange, roles: JointRoles, cells: Cells, settings: ScoreSettings
) -> list[Statement]:
    """Whether both together move WG5 over irrigated cells further than either alone, and soil moisture alone little.

    The summer, when the land is irrigated, is for information.
    """
    irrigated = cells.with_land_use(*IRRIGATED)
    statements = []
    for period, words in ((change, ""), (change.only(SEASONS["JJA"]), ", June to August")):
        for other in roles.alone if irrigated.any() and len(period.time) else []:
            value, drawn = period.difference(roles.joint, other, irrigated, settings)
            low, high = interval(drawn, value, settings.level)
            marked = period is change
            statements.append(
                Statement(
                    f"mean absolute change of WG5 from the open loop over the {irrigated.sum()} irrigated cells"
                    f"{words}: {roles.joint} minus {other}",
                    ABOVE if marked else INFORMATION, value, WATER, float(low), float(high),
                    bool(low > 0) if marked else None,
                    _by_use(period, [roles.joint, other], cells) + _doubt(low, high),
                )
            )  # fmt: skip
    if roles.moisture:
        every = np.ones(cells.count, dtype=bool)
        value, drawn = change.ratio(roles.moisture, roles.joint, every, settings)
        low, high = interval(drawn, value, settings.level)
        means = ", ".join(f"{name} {format_number(change.mean(name, every))}" for name in roles.every)
        statements.append(
            Statement(
                f"mean absolute change of WG5 from the open loop over all cells: {roles.moisture} over {roles.joint}",
                f"below {LITTLE}", value, "1", float(low), float(high), value < LITTLE,
                f"Mean change: {means} {pretty_units(WATER)}.",
            )
        )  # fmt: skip
    return statements


def state_truth(truth: Comparison, roles: JointRoles, cells: Cells, settings: ScoreSettings) -> list[Statement]:
    """R and ubRMSD of WG2 against the truth over irrigated cells; marked for both together, else for information."""
    irrigated = cells.with_land_use(*IRRIGATED)
    statements = []
    for run in (roles.joint, *roles.alone):
        if run not in truth.runs or not irrigated.any():
            continue
        marked = run == roles.joint
        for score, found in score_differences(truth, run, irrigated, settings).items():
            wanted = found.low > 0 if score == "R" else found.high < 0
            mark = ABOVE if score == "R" else BELOW
            statements.append(
                Statement(
                    f"{score} of WG2 against the truth over the {irrigated.sum()} irrigated cells: {run} minus open "
                    "loop",
                    mark if marked else INFORMATION, found.value, "1" if score == "R" else WATER, found.low, found.high,
                    wanted if marked else None, f"Better in {found.better} of {found.cells} cells."
                    + _doubt(found.low, found.high),
                )
            )  # fmt: skip
    return statements


def state_agreement(
    retrieved: Comparison, satellite: str, roles: JointRoles, cells: Cells, settings: ScoreSettings
) -> list[Statement]:
    """R and ubRMSD of the satellite product with WG2: better over flooded cells, neutral or worse over karst."""
    marks = {
        FLOODED: {"R": (ABOVE, lambda found: found.low > 0), "ubRMSD": (BELOW, lambda found: found.high < 0)},
        KARST: {
            "R": (f"at most {NEUTRAL_R}", lambda found: found.value <= NEUTRAL_R),
            "ubRMSD": (f"at least −{NEUTRAL_DEVIATION}", lambda found: found.value >= -NEUTRAL_DEVIATION),
        },
    }
    statements = []
    for use, of_score in marks.items():
        chosen = cells.with_land_use(use)
        if not chosen.any() or roles.joint not in retrieved.runs:
            continue
        for score, found in score_differences(retrieved, roles.joint, chosen, settings).items():
            if not np.isfinite(found.value) or (score != "R" and retrieved.correlation_only):
                continue
            mark, met = of_score[score]
            statements.append(
                Statement(
                    f"{score} of {satellite} with WG2 over the {chosen.sum()} {use} cells: {roles.joint} minus open "
                    "loop",
                    mark, found.value, "1" if score == "R" else WATER, found.low, found.high, met(found),
                    f"Better in {found.better} of {found.cells} cells; the experiment assimilated {satellite}."
                    + _doubt(found.low, found.high),
                )
            )  # fmt: skip
    return statements


def land_use_table(truth: Comparison, roles: JointRoles, cells: Cells, settings: ScoreSettings) -> pd.DataFrame:
    """R and ubRMSD of WG2 against the truth by land use: open loop, and every run minus it; means over cells."""
    rows = []
    for use in land_uses(cells):
        chosen = np.flatnonzero(cells.with_land_use(use))
        common = at_cells(truth, chosen).common
        scores = {
            name: compute_scores(common.runs[name], common.observed, settings.minimum_count)
            for name in (OPEN_LOOP, *roles.every)
            if name in common.runs
        }
        base = scores.pop(OPEN_LOOP)
        row: dict[str, object] = {"land use": use, "cells": len(chosen)}
        for label, score in (("R", "correlation"), (f"ubRMSD ({WATER})", "ubrmsd")):
            row[f"{label}, {OPEN_LOOP}"] = known_mean(getattr(base, score))
            for name, found in scores.items():
                row[f"{label}, {name} − {OPEN_LOOP}"] = known_mean(getattr(found, score) - getattr(base, score))
        rows.append(row)
    return pd.DataFrame(rows)


def score_differences(
    comparison: Comparison, run: str, chosen: np.ndarray, settings: ScoreSettings
) -> dict[str, Difference]:
    """R and ubRMSD of ``run`` minus those of the open loop, means over the ``chosen`` cells (cell,) mask."""
    common = at_cells(comparison, np.flatnonzero(chosen)).common
    runs = {name: common.runs[name] for name in (run, OPEN_LOOP)}
    score = {name: compute_scores(values, common.observed, settings.minimum_count) for name, values in runs.items()}
    drawn = {
        name: replicates.correlation
        for name, replicates in settings.replicates(runs, common.observed, common.time).items()
    }
    spread = {name: deviation_replicates(values - common.observed, common.time, settings)
              for name, values in runs.items()}  # fmt: skip
    return {
        "R": _difference(
            score[run].correlation - score[OPEN_LOOP].correlation, drawn[run] - drawn[OPEN_LOOP], 1.0, settings
        ),
        "ubRMSD": _difference(
            score[run].ubrmsd - score[OPEN_LOOP].ubrmsd, spread[run] - spread[OPEN_LOOP], -1.0, settings
        ),
    }


def _difference(by_cell: np.ndarray, drawn: np.ndarray, good: float, settings: ScoreSettings) -> Difference:
    known = np.isfinite(by_cell)
    value = known_mean(by_cell)
    low, high = interval(mean_over_cells(drawn[:, known]), value, settings.level)
    return Difference(value, float(low), float(high), int((good * by_cell > 0).sum()), int(known.sum()))


def _doubt(low: float | np.ndarray, high: float | np.ndarray) -> str:
    """A sentence where the interval of a difference does not tell it from none."""
    return " The interval contains 0: not told apart from no difference." if low <= 0 <= high else ""


def _by_use(change: RootZoneChange, runs: list[str], cells: Cells) -> str:
    parts = []
    for use in IRRIGATED:
        chosen = cells.with_land_use(use)
        if chosen.any():
            means = ", ".join(f"{run} {format_number(change.mean(run, chosen))}" for run in runs)
            parts.append(f"{use} ({chosen.sum()} cells): {means}")
    return f"{'; '.join(parts)} {pretty_units(WATER)}."
