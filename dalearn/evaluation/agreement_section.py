"""The section of the report on satellite soil moisture and the model: Figures 12, 13 of Rojas-Munoz et al. (2023)."""

import numpy as np
import pandas as pd

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.land_use import OUTLINED, land_uses
from dalearn.evaluation.maps import MapPanel, maps_make_sense
from dalearn.evaluation.page import ROJAS_MUNOZ, Page
from dalearn.evaluation.region_maps import draw_region_maps, same_panels
from dalearn.evaluation.regions import map_regions
from dalearn.evaluation.roles import JointRoles
from dalearn.evaluation.scores import Scores, compute_scores
from dalearn.evaluation.style import with_units
from dalearn.evaluation.table_parts import known_mean

PAPER = ROJAS_MUNOZ
UNITS = "m3 m-3"
EXTREME = 0.98


def add_agreement(page: Page, comparison: Comparison, satellite: str, roles: JointRoles, kind: str) -> None:
    """R and ubRMSD of the satellite product with WG2 of the open loop, and what every analysis changes in them.

    ``kind`` is "as retrieved" or "rescaled".  Nothing is said of ubRMSD where only the correlation means something.
    """
    cells, settings = page.cells, page.settings.scores
    common = comparison.common
    score = {
        run: compute_scores(common.runs[run], common.observed, settings.minimum_count)
        for run in (OPEN_LOOP, *roles.every)
        if run in common.runs
    }
    word = kind.replace(" ", "_")
    page.report.subsection(f"{satellite} {kind} against WG2")
    page.table(
        f"agreement_{word}", agreement_table(score, cells, comparison.correlation_only),
        f"{satellite} {kind} against WG2: means over cells, differences from the open loop.",
    )  # fmt: skip
    if not maps_make_sense(cells):
        return
    marked = [f"{number}: {use}" for use, number in OUTLINED.items() if use in land_uses(cells)]
    note = f" Outlined: {', '.join(marked)}." if marked else ""
    rows = map_regions(cells)
    limits = {name: _limit(score, name) for name in ("correlation", "ubrmsd")}
    with_deviation = not comparison.correlation_only
    panels = [MapPanel(f"a) R, {satellite} and open loop", score[OPEN_LOOP].correlation, "R")]
    if with_deviation:
        panels.append(
            MapPanel(f"b) ubRMSD, {satellite} and open loop", score[OPEN_LOOP].ubrmsd, with_units("ubRMSD", UNITS))
        )
    if roles.joint in score:
        panels += _changes(score, roles.joint, "cd", limits, with_deviation)
    figure = draw_region_maps(same_panels(rows, panels), cells, f"{satellite} {kind} and WG2", marked=True)
    page.figure(
        f"agreement_map_{word}", figure,
        f"As in {PAPER}, Figure 12: {satellite} {kind} and WG2 of the open loop, and {roles.joint} minus open loop "
        f"(blue = closer to {satellite}).{note}",
    )  # fmt: skip
    alone = [run for run in roles.alone if run in score]
    if not alone:
        return
    panels = [panel for run, letters in zip(alone, ("ab", "cd"), strict=False)
              for panel in _changes(score, run, letters, limits, with_deviation)]  # fmt: skip
    figure = draw_region_maps(same_panels(rows, panels), cells, f"{satellite} {kind} and WG2", marked=True)
    page.figure(
        f"agreement_map_alone_{word}", figure,
        f"As in {PAPER}, Figure 13: {' and '.join(alone)} minus open loop, on the colours of Figure 12 (blue = closer "
        f"to {satellite}).{note}",
    )  # fmt: skip


def agreement_table(score: dict[str, Scores], cells: Cells, correlation_only: bool) -> pd.DataFrame:
    """One row per run and land use (all cells first): mean R and ubRMSD, and their differences from the open loop."""
    groups = {"all": np.ones(cells.count, dtype=bool)}
    groups |= {use: cells.with_land_use(use) for use in land_uses(cells)}
    rows = []
    base = score[OPEN_LOOP]
    for use, chosen in groups.items():
        for run, values in score.items():
            row: dict[str, object] = {
                "land use": use, "run": run, "cells": int(np.isfinite(values.correlation[chosen]).sum()),
                "R": known_mean(values.correlation[chosen]),
                "R difference": known_mean((values.correlation - base.correlation)[chosen]),
            }  # fmt: skip
            if not correlation_only:
                row[f"ubRMSD ({UNITS})"] = known_mean(values.ubrmsd[chosen])
                row[f"ubRMSD difference ({UNITS})"] = known_mean((values.ubrmsd - base.ubrmsd)[chosen])
            if run == OPEN_LOOP:
                row |= {name: np.nan for name in row if "difference" in name}
            rows.append(row)
    return pd.DataFrame(rows)


def _changes(
    score: dict[str, Scores], run: str, letters: str, limits: dict[str, float | None], with_deviation: bool
) -> list[MapPanel]:
    panels = [
        MapPanel(
            f"{letters[0]}) R, {run} − open loop", score[run].correlation - score[OPEN_LOOP].correlation,
            "difference in R", diverging=True, reverse=True, limit=limits["correlation"],
        )
    ]  # fmt: skip
    if with_deviation:
        panels.append(
            MapPanel(
                f"{letters[1]}) ubRMSD, {run} − open loop", score[run].ubrmsd - score[OPEN_LOOP].ubrmsd,
                with_units("difference in ubRMSD", UNITS), diverging=True, limit=limits["ubrmsd"],
            )
        )  # fmt: skip
    return panels


def _limit(score: dict[str, Scores], name: str) -> float | None:
    fields = [np.abs(getattr(values, name) - getattr(score[OPEN_LOOP], name)) for run, values in score.items()
              if run != OPEN_LOOP]  # fmt: skip
    known = np.concatenate([values[np.isfinite(values)] for values in fields] or [np.empty(0)])
    return (float(np.quantile(known, EXTREME)) or None) if known.size else None
