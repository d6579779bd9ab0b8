"""Maps and dot plots of the scores of a comparison."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dalearn.evaluation.comparison import FORECAST, OPEN_LOOP, Comparison, forecast_label
from dalearn.evaluation.dots import DotPanel, draw_dots
from dalearn.evaluation.maps import MapPanel
from dalearn.evaluation.scores import compute_scores
from dalearn.evaluation.style import dot_colour, quantity_label, run_name, with_units


def rmsd_panels(comparison: Comparison, experiment: str, minimum_count: int, seen: bool) -> list[MapPanel]:
    """Figures 5 and 6: RMSD of the analysis and its difference from the open loop.

    Where the analysis has ``seen`` the observations, the difference of the forecast follows, on the same colours.
    """
    rmsd = _rmsd(comparison, minimum_count)
    shown = {"analysis": rmsd[experiment] - rmsd[OPEN_LOOP]}
    if seen and forecast_label(experiment) in rmsd:
        shown["forecast"] = rmsd[forecast_label(experiment)] - rmsd[OPEN_LOOP]
    label = with_units(f"{quantity_label(comparison.quantity)} RMSD", comparison.units)
    first = MapPanel(f"a) {experiment} analysis", rmsd[experiment], label)
    return [first, *_differences(shown, with_units("difference in RMSD", comparison.units), "bc")]


def truth_panels(comparison: Comparison, minimum_count: int) -> list[MapPanel]:
    """RMSD of the open loop against the truth, and the difference of every analysis."""
    rmsd = _rmsd(comparison, minimum_count)
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


def _rmsd(comparison: Comparison, minimum_count: int) -> dict[str, np.ndarray]:
    common = comparison.common
    return {label: compute_scores(values, common.observed, minimum_count).rmsd for label, values in common.runs.items()}


def _differences(fields: dict[str, np.ndarray], label: str, letters: str, reverse: bool = False) -> list[MapPanel]:
    known = np.concatenate([np.abs(values[np.isfinite(values)]) for values in fields.values()] or [np.empty(0)])
    limit = (float(np.quantile(known, 0.98)) or None) if known.size else None
    return [
        MapPanel(f"{letter}) {name} − open loop", values, label, True, reverse, limit)
        for letter, (name, values) in zip(letters, fields.items(), strict=False)
    ]
