"""Monthly correlations at stations as box plots: Figure 9 of Corchia et al. (2023)."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from dalearn.evaluation.monthly_table import calendar_month
from dalearn.evaluation.scores import MonthlyCorrelation
from dalearn.evaluation.style import MONTH_NAMES, run_colour, run_name, styled

_FEW = 5


@styled
def draw_monthly_correlation(monthly: Mapping[str, MonthlyCorrelation], title: str) -> Figure:
    """R of every month, station and year, grouped by calendar month, one box per run.

    Boxes are quartiles, whiskers reach minimum and maximum as in the paper; months with fewer than five values
    show the values themselves with a bar at the median.  The number of values is in brackets.
    """
    figure = Figure(figsize=(10.5, 4.4), layout="constrained")
    axes = figure.subplots()
    labels = list(monthly)
    width = 0.8 / len(labels)
    counts = np.zeros(12, dtype=int)
    for position, (label, result) in enumerate(monthly.items()):
        number = calendar_month(result)
        colour = run_colour(label, labels)
        for month in range(12):
            values = result.correlation[number == month]
            values = values[np.isfinite(values)]
            counts[month] = max(counts[month], values.size)
            draw_group(axes, month + (position - (len(labels) - 1) / 2) * width, values, 0.82 * width, colour)
    if axes.get_ylim()[0] < 0.1:
        axes.axhline(0.0, color="#555555", linewidth=0.8, zorder=1)
    axes.set_xticks(range(12), [f"{name}\n({count})" for name, count in zip(MONTH_NAMES, counts, strict=True)])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, 11.6)
    axes.set_ylabel("monthly R")
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    for edge in np.arange(0.5, 11.0):
        axes.axvline(edge, color="#EEEEEE", linewidth=0.8, zorder=0)
    handles = [Patch(facecolor=run_colour(label, labels), label=run_name(label)) for label in labels]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(labels))
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def draw_group(axes: Axes, position: float, values: np.ndarray, width: float, colour: str) -> None:
    """A box of ``values`` (value,), or the values themselves with a bar at the median where there are few."""
    if not values.size:
        return
    if values.size < _FEW:
        axes.plot(
            np.full(values.size, position), values, "o", markersize=4, color=colour, markeredgewidth=0, alpha=0.75
        )
        axes.hlines(np.median(values), position - width / 2, position + width / 2, color=colour, linewidth=2)
        return
    axes.boxplot(
        [values], positions=[position], widths=width, whis=(0, 100), patch_artist=True, manage_ticks=False,
        boxprops={"facecolor": colour, "edgecolor": colour, "alpha": 0.75},
        medianprops={"color": "black", "linewidth": 1.4},
        whiskerprops={"color": colour}, capprops={"color": colour},
    )  # fmt: skip
