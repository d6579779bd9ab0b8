"""Maps and dot plots of the scores of a comparison."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dalearn.evaluation.comparison import FORECAST, OPEN_LOOP, Comparison, forecast_label
from dalearn.evaluation.dots import DotPanel, draw_dots
from dalearn.evaluation.maps import MapPanel
from dalearn.evaluation.scores import compute_scores
from dalearn.evaluation.style import dot_colour, quantity_label, run_name, with_units


def rmsd_panels(
    comparison: Comparison,
    experiment: str,
    minimum_count: int,
    seen: bool,
    span: tuple[float, float] | None = None,
    limit: float | None = None,
) -> list[MapPanel]:
    """Figures 5 and 6: RMSD of the analysis and its difference from the open loop.

    Where the analysis has ``seen`` the observations, the difference of the forecast follows, on the same colours.
    ``span`` and ``limit`` are the colours of other experiments, for comparison.
    """
    rmsd = rmsd_by_run(comparison, minimum_count)
    shown = {"analysis": rmsd[experiment] - rmsd[OPEN_LOOP]}
    if seen and forecast_label(experiment) in rmsd:
        shown["forecast"] = rmsd[forecast_label(experiment)] - rmsd[OPEN_LOOP]
    label = with_units(f"{quantity_label(comparison.quantity)} RMSD", comparison.units)
    first = MapPanel(f"a) {experiment} analysis", rmsd[experiment], label, span=span)
    return [first, *_differences(shown, with_units("difference in RMSD", comparison.units), "bc", limit=limit)]


def difference_limit(comparison: Comparison, minimum_count: int) -> float | None:
    """Largest magnitude on the colours of the differences in RMSD from the open loop, of all runs together."""
    rmsd = rmsd_by_run(comparison, minimum_count)
    return _limit({run: values - rmsd[OPEN_LOOP] for run, values in rmsd.items() if run != OPEN_LOOP})


def truth_panels(comparison: Comparison, minimum_count: int) -> list[MapPanel]:
    """RMSD of the open loop against the truth, and the difference of every analysis."""
    rmsd = rmsd_by_run(comparison, minimum_count)
    differences = {name: rmsd[name] - rmsd[OPEN_LOOP] for name in comparison.experiments}
    label = with_units(f"{comparison.quantity} RMSD", comparison.units)
    first = MapPanel("a) open loop", rmsd[OPEN_LOOP], label)
    return [first, *_differences(differences, with_units("difference in RMSD", comparison.units), "bcdefg")]


def correlation_panels(comparison: Comparison, minimum_count: int) -> list[MapPanel]:
    """Figure 8: difference of the correlation of every analysis from that of the open loop."""
    common = comparison.common
    correlation = {
        label: compute_scores(values, common.observed, minimum_count).correlation
        for label, values in common.runs.items()
    }
    differences = {name: correlation[name] - correlation[OPEN_LOOP] for name in comparison.experiments}
    return _differences(differences, "difference in R", "abcdef", reverse=True)


def draw_run_scores(summary: pd.DataFrame, scores: list[str], title: str) -> Figure:
    """Scores of the runs with their intervals, from a ``summary_table``; forecasts are open dots."""
    records = summary.to_dict("records")
    panels = []
    for score in scores:
        name, _, units = score.partition(" ")
        rows = {run_name(row["run"]): (row[score], row[f"{score} low"], row[f"{score} high"]) for row in records}
        panels.append(DotPanel(with_units(name, units.strip("()")), rows))
    colours = {run_name(row["run"]): dot_colour(row["run"]) for row in records}
    return draw_dots(panels, title, colours, [name for name in colours if name.endswith(FORECAST)])


def rmsd_by_run(comparison: Comparison, minimum_count: int) -> dict[str, np.ndarray]:
    """RMSD of every run, (cell,), on the samples common to all of them."""
    common = comparison.common
    return {label: compute_scores(values, common.observed, minimum_count).rmsd for label, values in common.runs.items()}


def _differences(
    fields: dict[str, np.ndarray], label: str, letters: str, reverse: bool = False, limit: float | None = None
) -> list[MapPanel]:
    limit = limit or _limit(fields)
    return [
        MapPanel(f"{letter}) {name} − open loop", values, label, True, reverse, limit)
        for letter, (name, values) in zip(letters, fields.items(), strict=False)
    ]


def _limit(fields: dict[str, np.ndarray]) -> float | None:
    known = np.concatenate([np.abs(values[np.isfinite(values)]) for values in fields.values()] or [np.empty(0)])
    return (float(np.quantile(known, 0.98)) or None) if known.size else None
