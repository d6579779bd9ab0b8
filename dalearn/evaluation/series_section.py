"""The section of the report with time series: LAI at chosen cells, everything observed where there is one cell."""

import re

import numpy as np

from dalearn.evaluation.compare import STATE_VARIABLE
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.page import CORCHIA, Page
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.scores import compute_scores
from dalearn.evaluation.series import SeriesPanel, draw_series
from dalearn.evaluation.style import quantity_label

SHOWN_IN_PAPER = "CDM"  # the station of Figure 7


def add_series(page: Page, run: RunData, comparisons: list[Comparison]) -> None:
    """Figure 7 of Corchia et al. (2023): observations, open loop, analyses and, in a twin, the truth."""
    page.report.subsection("Time series")
    single = page.cells.count == 1
    chosen = [comparison for comparison in comparisons if single or comparison.quantity == "LAI"]
    if not chosen:
        page.absent("Time series: no LAI to compare with.")
        return
    shown = [cell for cell in page.cells.stations if page.cells.station[cell] == SHOWN_IN_PAPER]
    for cell in page.settings.series_cells or shown or (_worst_cell(page, chosen[0]),):
        panels = [_panel(run, comparison, cell) for comparison in chosen]
        name = page.cells.label(cell)
        caption = f"{', '.join(comparison.quantity for comparison in chosen)} at {name}"
        if not single and not page.settings.series_cells:
            caption += ", the station of the paper" if shown else ", where the open loop is furthest from the reference"
        if any(comparison.quantity == "LAI" for comparison in chosen):
            caption = page.as_in(CORCHIA, "Figure 7", caption)
        figure = draw_series(panels, f"{name}, state at the window ends")
        page.figure(f"series_{re.sub(r'[^0-9A-Za-z]+', '_', name)}", figure, caption + ".")


def _worst_cell(page: Page, comparison: Comparison) -> int:
    common = comparison.common
    rmsd = compute_scores(common.runs[OPEN_LOOP], common.observed, page.settings.scores.minimum_count).rmsd
    candidates = page.cells.stations or list(range(page.cells.count))
    return max(candidates, key=lambda cell: np.nan_to_num(rmsd[cell], nan=-1.0))


def _panel(run: RunData, comparison: Comparison, cell: int) -> SeriesPanel:
    runs = {label: comparison.runs[label][:, cell] for label in (OPEN_LOOP, *comparison.experiments)}
    state = STATE_VARIABLE.get(comparison.quantity)
    truth = run.of_state("truth", state) if state else None
    observed = None if comparison.reference == "truth" else comparison.observed[:, cell]
    label = quantity_label(comparison.quantity)
    return SeriesPanel(
        label, comparison.units, comparison.time, runs, observed, None if truth is None else truth[:, cell]
    )
