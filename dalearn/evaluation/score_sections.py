"""Sections of the report that score the runs: against observations, in situ soil moisture and the truth."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dalearn.evaluation.boxes import draw_monthly_correlation
from dalearn.evaluation.compare import STATE_VARIABLE
from dalearn.evaluation.comparison import FORECAST, OPEN_LOOP, Comparison, forecast_label
from dalearn.evaluation.dots import DotPanel, draw_dots
from dalearn.evaluation.maps import MapPanel, draw_maps, maps_make_sense
from dalearn.evaluation.operator_tables import departures
from dalearn.evaluation.page import Page
from dalearn.evaluation.report import format_number
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.scores import compute_scores, monthly_correlation
from dalearn.evaluation.series import SeriesPanel, draw_series
from dalearn.evaluation.style import dot_colour, quantity_label, run_name, with_units
from dalearn.evaluation.tables import cell_table, soil_moisture_table, station_table, summary_table
from dalearn.evaluation.twin_tables import twin_summary, twin_table
from dalearn.evaluation.wording import compare_sentence

MAXIMUM_ROWS = 30


def add_observation_scores(page: Page, run: RunData, comparison: Comparison) -> None:
    """Scores of all runs against the observations of one quantity: Tables 3-4, Figures 5, 6 and 8 of the paper."""
    quantity, settings = comparison.quantity, page.settings.scores
    used = [name for name in comparison.experiments if departures(run, quantity, name) is not None]
    page.report.subsection(f"{quantity} against observations")
    for sentence in comparison.notes:
        page.absent(sentence)
    page.report.paragraph(_independence(quantity, used, comparison.experiments))
    summary = summary_table(comparison, settings)
    score = "R" if comparison.correlation_only else f"RMSD ({comparison.units})"
    page.table(
        f"{quantity}_summary", summary,
        f"{quantity}: means over the cells, at the {format_number(comparison.sample_count)} observations common to all "
        f"runs, with {100 * settings.level:.0f} % block-bootstrap intervals. Differences are from the open loop.",
    )  # fmt: skip
    _say(page, summary, score, quantity, "observations", used)
    page.table(f"{quantity}_cells", cell_table(comparison, page.cells, settings), "Scores of every cell.", show=False)
    rows = page.cells.stations or (list(range(page.cells.count)) if page.cells.count <= MAXIMUM_ROWS else [])
    if rows:
        for experiment in comparison.experiments:
            caption = f"{quantity}: {experiment} and open loop at the stations, from west to east."
            frame = station_table(comparison, experiment, page.cells, rows, settings)
            page.table(f"{quantity}_stations_{experiment}", frame, caption)
    if not maps_make_sense(page.cells):
        panels = _dot_panels(summary, [score] if comparison.correlation_only else [score, "R"])
        title = f"{quantity_label(quantity)} against observations"
        figure = _draw_runs(panels, title)
        page.figure(f"{quantity}_scores", figure, f"{quantity}: scores with their intervals.")
        return
    for experiment in comparison.experiments:
        panels_of_map = _score_panels(comparison, experiment, page, independent=experiment not in used)
        if panels_of_map:
            caption = f"{quantity}: {experiment} against observations, and its difference from the open loop."
            page.figure(f"{quantity}_map_{experiment}", draw_maps(panels_of_map, page.cells), caption)


def add_soil_moisture_map(page: Page, comparison: Comparison) -> None:
    """Figure 8: difference of the correlation with satellite soil moisture, for all experiments."""
    if not maps_make_sense(page.cells) or not comparison.experiments:
        return
    common, minimum = comparison.common, page.settings.scores.minimum_count
    correlation = {
        label: compute_scores(values, common.observed, minimum).correlation for label, values in common.runs.items()
    }
    differences = {name: correlation[name] - correlation[OPEN_LOOP] for name in comparison.experiments}
    limit = _largest(list(differences.values()))
    panels = [
        MapPanel(f"{letter}) {name} − open loop", values, "difference in R", True, True, limit)
        for letter, (name, values) in zip("abcdef", differences.items(), strict=False)
    ]
    caption = (
        "SSM: correlation with satellite soil moisture, analysis minus open loop; blue where the analysis is closer."
    )
    page.figure("ssm_correlation_difference", draw_maps(panels, page.cells), caption)


def add_series(page: Page, run: RunData, comparisons: list[Comparison]) -> None:
    """Figure 7: series of LAI at chosen cells; all observed quantities where there is only one cell."""
    single = page.cells.count == 1
    chosen = [c for c in comparisons if single or c.quantity == "LAI"]
    if not chosen:
        page.absent("LAI: nothing to draw a series of.")
        return
    cells = list(page.settings.series_cells) or [_worst_cell(page, chosen[0])]
    for cell in cells:
        panels = [_series_panel(run, comparison, cell) for comparison in chosen]
        name, quantities = page.cells.label(cell), " and ".join(c.quantity for c in chosen)
        caption = f"{quantities} at {name}"
        caption += (
            "." if single or page.settings.series_cells else ", where the open loop is furthest from the reference."
        )
        slug = "".join(letter if letter.isalnum() else "_" for letter in name)
        page.figure(f"series_{slug}", draw_series(panels, f"{name}, state at the window ends"), caption)


def add_in_situ_scores(page: Page, comparison: Comparison) -> None:
    """Surface soil moisture against in situ observations: scores per station and Figure 9."""
    settings = page.settings.scores
    page.report.subsection("Surface soil moisture against in situ observations")
    page.report.paragraph(
        "Independent of every experiment. The probe is a point at one depth, the model a layer (1-4 cm) of a cell, so "
        "R, anomaly R (departures from a five-week mean) and ubRMSD compare the runs; bias and RMSD mostly do not."
    )
    rows = [cell for cell in range(page.cells.count) if np.isfinite(comparison.observed[:, cell]).any()]
    rows.sort(key=lambda cell: page.cells.longitude[cell])
    summary = summary_table(comparison, settings)
    page.table("ssm_in_situ_summary", summary, "In situ soil moisture: means over the stations. Differences are in R.")
    page.table(
        "ssm_in_situ_stations", soil_moisture_table(comparison, page.cells, rows, settings),
        "In situ soil moisture by station. Differences are from the open loop.", show=len(rows) <= MAXIMUM_ROWS,
    )  # fmt: skip
    base, *others = summary.to_dict("records")
    page.report.summary(
        [
            compare_sentence(row, base, "R", "Surface soil moisture", "in situ observations")
            for row in others
            if row["run"] in comparison.experiments and row["cells"]
        ]
    )
    common = comparison.common
    monthly = {
        label: monthly_correlation(values[:, rows], common.observed[:, rows], common.time)
        for label, values in common.runs.items()
        if label in (OPEN_LOOP, *comparison.experiments)
    }
    if any(np.isfinite(result.correlation).any() for result in monthly.values()):
        places = f"{len(rows)} stations" if len(rows) > 1 else page.cells.label(rows[0])
        figure = draw_monthly_correlation(monthly, f"Monthly R with in situ surface soil moisture, {places}")
        page.figure("ssm_in_situ_monthly", figure, "Monthly R over stations and years; number of values in brackets.")
    else:
        page.absent("Monthly R with in situ soil moisture: no month has ten samples.")


def add_truth_scores(page: Page, comparisons: list[Comparison]) -> None:
    """A twin against its truth: per cell, by vegetation class, and as maps of the change of the RMSD."""
    page.report.subsection("Against the truth of the twin")
    table = twin_table(comparisons, page.cells, page.settings.scores)
    page.table("twin_cells", table, "Scores of every cell against the truth.", show=False)
    summary = twin_summary(table)
    page.table(
        "twin_summary", summary, "Scores against the truth at the window ends, means over cells by dominant class."
    )
    for comparison in comparisons:
        whole = summary_table(comparison, page.settings.scores)
        base, *others = whole.to_dict("records")
        score = f"RMSD ({comparison.units})"
        page.report.summary([compare_sentence(row, base, score, comparison.quantity, "the truth") for row in others])
        if not maps_make_sense(page.cells):
            figure = _draw_runs(_dot_panels(whole, [score, "R"]), f"{comparison.quantity} against the truth")
            page.figure(f"truth_{_slug(comparison.quantity)}", figure, f"{comparison.quantity} against the truth.")
            continue
        panels = _truth_panels(comparison, page)
        caption = f"{comparison.quantity} against the truth: open loop, and analysis minus open loop (blue = closer)."
        page.figure(f"truth_{_slug(comparison.quantity)}", draw_maps(panels, page.cells), caption)


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


def _say(page: Page, summary: pd.DataFrame, score: str, quantity: str, against: str, used: list[str]) -> None:
    base, *others = summary.to_dict("records")
    lines = []
    for row in others:
        experiment = str(row["run"]).removesuffix(FORECAST)
        is_forecast = experiment != row["run"]
        if not row["cells"] or (is_forecast and experiment not in used):
            continue
        seen = "assimilated observations" if experiment in used and not is_forecast else against
        lines.append(compare_sentence(row, base, score, quantity, seen))
    page.report.summary(lines)


def _dot_panels(summary: pd.DataFrame, scores: list[str]) -> list[DotPanel]:
    records = summary.to_dict("records")
    return [
        DotPanel(
            with_units(*_split(score)),
            {run_name(row["run"]): (row[score], row[f"{score} low"], row[f"{score} high"]) for row in records},
        )
        for score in scores
    ]


def _draw_runs(panels: list[DotPanel], title: str) -> Figure:
    names = list(panels[0].rows)
    colours = {name: dot_colour(OPEN_LOOP if name == run_name(OPEN_LOOP) else name) for name in names}
    return draw_dots(panels, title, colours, [name for name in names if name.endswith(FORECAST)])


def _split(score: str) -> tuple[str, str]:
    name, _, units = score.partition(" ")
    return name, units.strip("()")


def _score_panels(comparison: Comparison, experiment: str, page: Page, independent: bool) -> list[MapPanel]:
    """RMSD of the analysis, its difference from the open loop and, where the analysis has seen the observations, the
    difference of the forecast; empty where a correlation is all there is."""
    if comparison.correlation_only:
        return []
    common, minimum = comparison.common, page.settings.scores.minimum_count
    rmsd = {label: compute_scores(values, common.observed, minimum).rmsd for label, values in common.runs.items()}
    name = quantity_label(comparison.quantity)
    shown = {"analysis": rmsd[experiment] - rmsd[OPEN_LOOP]}
    if not independent and forecast_label(experiment) in rmsd:
        shown["forecast"] = rmsd[forecast_label(experiment)] - rmsd[OPEN_LOOP]
    limit = _largest(list(shown.values()))
    label = with_units(f"{name} RMSD", comparison.units)
    panels = [MapPanel(f"a) {experiment} analysis", rmsd[experiment], label)]
    for letter, (kind, values) in zip("bc", shown.items(), strict=False):
        label = with_units("difference in RMSD", comparison.units)
        panels.append(MapPanel(f"{letter}) {kind} − open loop", values, label, True, False, limit))
    return panels


def _truth_panels(comparison: Comparison, page: Page) -> list[MapPanel]:
    common, minimum = comparison.common, page.settings.scores.minimum_count
    rmsd = {label: compute_scores(values, common.observed, minimum).rmsd for label, values in common.runs.items()}
    label = with_units(f"{comparison.quantity} RMSD", comparison.units)
    panels = [MapPanel("a) open loop", rmsd[OPEN_LOOP], label)]
    differences = {name: rmsd[name] - rmsd[OPEN_LOOP] for name in comparison.experiments}
    limit = _largest(list(differences.values()))
    for letter, (name, values) in zip("bcdefg", differences.items(), strict=False):
        label = with_units("difference in RMSD", comparison.units)
        panels.append(MapPanel(f"{letter}) {name} − open loop", values, label, True, False, limit))
    return panels


def _largest(fields: list[np.ndarray]) -> float | None:
    known = np.concatenate([np.abs(values[np.isfinite(values)]) for values in fields]) if fields else np.empty(0)
    return float(np.quantile(known, 0.98)) or None if known.size else None


def _worst_cell(page: Page, comparison: Comparison) -> int:
    common = comparison.common
    rmsd = compute_scores(common.runs[OPEN_LOOP], common.observed, page.settings.scores.minimum_count).rmsd
    candidates = page.cells.stations or list(range(page.cells.count))
    return max(candidates, key=lambda cell: np.nan_to_num(rmsd[cell], nan=-1.0))


def _series_panel(run: RunData, comparison: Comparison, cell: int) -> SeriesPanel:
    runs = {
        label: values[:, cell]
        for label, values in comparison.runs.items()
        if label in (OPEN_LOOP, *comparison.experiments)
    }
    state = STATE_VARIABLE.get(comparison.quantity)
    truth = run.of_state("truth", state) if state and comparison.reference != "truth" else None
    is_truth = comparison.reference == "truth"
    observed = None if is_truth else comparison.observed[:, cell]
    truth_here = comparison.observed[:, cell] if is_truth else None if truth is None else truth[:, cell]
    label = quantity_label(comparison.quantity)
    return SeriesPanel(label, comparison.units, comparison.time, runs, observed, truth_here)


def _slug(quantity: str) -> str:
    return quantity.lower().replace(" ", "_").replace("-", "_")
