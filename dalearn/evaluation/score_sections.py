"""Sections of the report that score the runs: against observations, in situ soil moisture and the truth."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dalearn.evaluation.boxes import draw_monthly_correlation
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison, forecast_label
from dalearn.evaluation.filter_tables import read_departures
from dalearn.evaluation.key_numbers import key_rows
from dalearn.evaluation.maps import maps_make_sense
from dalearn.evaluation.monthly_table import monthly_table, months_side_by_side
from dalearn.evaluation.page import CORCHIA, Page
from dalearn.evaluation.panels import (
    correlation_panels,
    difference_limit,
    draw_run_scores,
    rmsd_panels,
    truth_panels,
)
from dalearn.evaluation.region_maps import draw_cell_maps
from dalearn.evaluation.report import format_number
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.scores import monthly_correlation
from dalearn.evaluation.style import pretty_units, quantity_label
from dalearn.evaluation.tables import cell_table, class_table, soil_moisture_table, station_table, summary_table

TABLES = {"sigma0": "Table 3", "LAI": "Table 4"}
FIGURES = {"sigma0": "Figure 5", "LAI": "Figure 6"}
BOLD_RMSD, BOLD_R = -0.5, 0.4  # differences printed in bold in Tables 3 and 4
MAXIMUM_ROWS = 30
SATURATED_SHARE = 0.02


def add_observation_scores(page: Page, run: RunData, comparison: Comparison) -> None:
    """All runs against the observations of one quantity: Tables 3-4, Figures 5, 6 and 8 of the paper."""
    quantity, settings, cells = comparison.quantity, page.settings.scores, page.cells
    used = [name for name in comparison.experiments if read_departures(run, quantity, name) is not None]
    page.report.subsection(f"{quantity} against observations")
    for sentence in comparison.notes:
        page.absent(sentence)
    page.report.paragraph(_independence(quantity, used, comparison.experiments))
    summary = summary_table(comparison, settings)
    page.table(
        f"{quantity}_summary", summary,
        f"{quantity}: means over the cells, at the {format_number(comparison.sample_count)} observations common to all "
        f"runs, with {100 * settings.level:.0f} % block-bootstrap intervals. A run without further word is the "
        "analysis; differences are from the open loop, bold where the interval does not contain 0.",
    )  # fmt: skip
    table = cell_table([comparison], cells, settings)
    page.table(f"{quantity}_cells", table, f"{quantity}: scores of every cell.", show=False)
    if cells.count > 1:
        page.table(f"{quantity}_classes", class_table(table), f"{quantity}: by dominant vegetation class.")
    forecasts = {forecast_label(name): "observations" for name in used if forecast_label(name) in comparison.runs}
    analyses = {name: "assimilated observations" if name in used else "observations" for name in comparison.experiments}
    score = "R" if comparison.correlation_only else "RMSD"
    page.key_numbers += key_rows(comparison, summary, table, forecasts | analyses, score)
    _add_station_tables(page, comparison)
    if not maps_make_sense(cells):
        scores = ["R"] if comparison.correlation_only else [f"RMSD ({comparison.units})", "R"]
        figure = draw_run_scores(summary, scores, f"{quantity_label(quantity)} against observations")
        page.figure(f"{quantity}_scores", figure, f"{quantity}: scores with their intervals; open dots are forecasts.")
        return
    if not comparison.correlation_only:
        limit = difference_limit(comparison, settings.minimum_count)
        for name in comparison.experiments:
            panels = rmsd_panels(
                comparison, name, settings.minimum_count, name in used, page.map_spans.get(quantity), limit
            )
            caption = (
                f"{quantity}: RMSD of {name}, and difference from the open loop (blue = closer to the observations). "
                "Colours are those of the other experiments."
            )
            caption = _with_item(page, FIGURES, quantity, caption)
            page.figure(f"{quantity}_map_{name}", draw_cell_maps(panels, cells), caption)


def add_wetness_scores(page: Page, comparison: Comparison) -> None:
    """Figure 8: correlation with satellite soil moisture as it was retrieved, as numbers and as maps."""
    settings, cells = page.settings.scores, page.cells
    page.report.subsection("Surface soil moisture against satellite soil moisture as retrieved")
    summary = summary_table(comparison, settings)
    page.table(
        "SSM_wetness_summary", summary,
        "R with satellite soil moisture before any rescaling to the model: means over the cells.",
    )  # fmt: skip
    if comparison.experiments and maps_make_sense(cells):
        figure = draw_cell_maps(correlation_panels(comparison, settings.minimum_count), cells)
        caption = "R with satellite soil moisture, analysis − open loop (blue = closer to the observations)."
        page.figure("SSM_correlation_difference", figure, page.as_in(CORCHIA, "Figure 8", caption))


def _add_station_tables(page: Page, comparison: Comparison) -> None:
    rows = page.cells.stations or (list(range(page.cells.count)) if page.cells.count <= MAXIMUM_ROWS else [])
    for experiment in comparison.experiments if rows else []:
        frame = station_table(comparison, experiment, page.cells, rows, page.settings.scores)
        place = "at the stations, from west to east" if page.cells.stations else "by cell"
        name = f"{comparison.quantity}_stations_{experiment}"
        caption = f"{comparison.quantity}: {experiment} (analysis) and open loop {place}."
        beyond = _beyond(frame, comparison) if page.paper == CORCHIA else ""
        page.table(name, frame, _with_item(page, TABLES, comparison.quantity, caption + beyond))


def _with_item(page: Page, items: Mapping[str, str], quantity: str, text: str) -> str:
    return page.as_in(CORCHIA, items[quantity], text) if quantity in items else text


def _beyond(frame: pd.DataFrame, comparison: Comparison) -> str:
    """Which rows have the differences that the paper prints in bold, as a sentence."""
    if comparison.quantity not in TABLES or comparison.correlation_only:
        return ""
    limit, units = BOLD_RMSD, pretty_units(comparison.units)
    large = frame["station"][frame[f"RMSD difference ({comparison.units})"] < limit]
    text = f" RMSD difference below {format_number(limit)} {units} (bold in the paper): {', '.join(large) or 'none'}."
    if comparison.quantity == "sigma0":
        large = frame["station"][frame["R difference"] >= BOLD_R]
        text += f" R difference of {BOLD_R} or more (bold in the paper): {', '.join(large) or 'none'}."
    return text


def _independence(quantity: str, used: list[str], experiments: list[str]) -> str:
    other = [name for name in experiments if name not in used]
    sentences = []
    if used:
        sentences.append(
            f"{' and '.join(used)} assimilated these observations: the analysis has seen them, its scores say how well "
            "it fits; the forecast, before the increment of the same window, has not."
        )
    if other:
        sentences.append(f"{' and '.join(other)} did not assimilate {quantity}: these observations are independent.")
    return " ".join(sentences) or "No experiment was run: scores of the open loop only."


def add_in_situ_scores(page: Page, comparison: Comparison) -> pd.DataFrame | None:
    """Surface soil moisture against in situ observations: scores per station and Figure 9; returns the monthly R."""
    settings = page.settings.scores
    page.report.subsection("Surface soil moisture against in situ observations")
    page.report.paragraph(
        "Independent of every experiment. The probe is a point at one depth, the model a layer (1-4 cm) of a cell, so "
        "R, anomaly R (departures from a five-week mean) and ubRMSD compare the runs; bias and RMSD mostly do not."
    )
    for sentence in comparison.notes:
        page.absent(sentence)
    rows = [cell for cell in range(page.cells.count) if np.isfinite(comparison.observed[:, cell]).any()]
    rows.sort(key=lambda cell: page.cells.longitude[cell])
    for cell in rows:
        share, highest = share_at_maximum(comparison.observed[:, cell])
        if share > SATURATED_SHARE:
            page.report.missing(
                f"{page.cells.label(cell)}: the probe stands at its highest value ({highest:.3f}) in "
                f"{100 * share:.0f} % of the samples; it may be saturated, and scores there say less."
            )
    summary = summary_table(comparison, settings)
    page.table("SSM_in_situ_summary", summary, "In situ soil moisture: means over the stations.")
    page.table(
        "SSM_in_situ_stations", soil_moisture_table(comparison, page.cells, rows, settings),
        "In situ soil moisture by station. Differences are from the open loop.", show=len(rows) <= MAXIMUM_ROWS,
    )  # fmt: skip
    # Without RMSD a cell counts as improved by its R, the score that means something here.
    table = cell_table([comparison], page.cells, settings).assign(RMSD=np.nan)
    against = dict.fromkeys(comparison.experiments, "in situ observations")
    page.key_numbers += key_rows(comparison, summary, table, against, "R")
    common = comparison.common
    monthly = {
        label: monthly_correlation(common.runs[label][:, rows], common.observed[:, rows], common.time)
        for label in (OPEN_LOOP, *comparison.experiments)
    }
    if not any(np.isfinite(result.correlation).any() for result in monthly.values()):
        page.absent("Monthly R with in situ soil moisture: no month has enough samples.")
        return None
    places = f"{len(rows)} stations" if len(rows) > 1 else page.cells.label(rows[0])
    figure = draw_monthly_correlation(monthly, f"Monthly R with in situ surface soil moisture, {places}")
    caption = (
        "R within each month over stations and years, boxes at the quartiles, whiskers at minimum and maximum; number "
        "of values in brackets."
    )
    page.figure("SSM_in_situ_monthly", figure, page.as_in(CORCHIA, "Figure 9", caption))
    table = monthly_table(monthly, settings)
    caption = page.as_in(CORCHIA, "Figure 9", "quartiles and differences by month.")
    page.table("SSM_in_situ_monthly", table, caption, show=False)
    page.report.table(
        months_side_by_side(table),
        "Median R of each month over stations and years, and the difference of the medians from the open loop with "
        f"{100 * settings.level:.0f} % intervals from drawing stations and years.",
    )
    return table


def share_at_maximum(values: np.ndarray) -> tuple[float, float]:
    """Share of the finite ``values`` within 0.001 of the highest, and the highest: a saturated probe has many."""
    known = values[np.isfinite(values)]
    highest = float(known.max())
    return float(np.mean(known > highest - 1e-3)), highest


def add_truth_scores(page: Page, comparisons: list[Comparison]) -> None:
    """A twin against its truth: per cell, by vegetation class, and as maps of the change of the RMSD."""
    settings = page.settings.scores
    page.report.subsection("Against the truth of the twin")
    table = cell_table(comparisons, page.cells, settings)
    page.table("twin_cells", table, "Scores of every cell against the truth.", show=False)
    caption = "Scores of the analyses against the truth at the window ends, means over cells by dominant vegetation."
    page.table("twin_classes", class_table(table), caption)
    for comparison in comparisons:
        quantity, summary = comparison.quantity, summary_table(comparison, settings)
        cells_of_quantity: pd.DataFrame = table[table["quantity"] == quantity]
        against = dict.fromkeys(comparison.experiments, "truth")
        page.key_numbers += key_rows(comparison, summary, cells_of_quantity, against, "RMSD")
        if maps_make_sense(page.cells):
            figure = draw_cell_maps(truth_panels(comparison, settings.minimum_count), page.cells)
            caption = f"{quantity} against the truth: open loop, and analysis − open loop (blue = closer to the truth)."
        else:
            figure = draw_run_scores(summary, [f"RMSD ({comparison.units})", "R"], f"{quantity} against the truth")
            caption = f"{quantity} against the truth."
        page.figure(f"truth_{quantity.replace(' ', '_').replace('-', '_')}", figure, caption)
