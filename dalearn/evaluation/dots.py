"""Scores as dots with intervals, and predictions against observations: the figures that also suit a single cell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dalearn.evaluation.style import BLUE, GREY, quantity_label, styled, with_units


@dataclass(frozen=True)
class DotPanel:
    """One score: ``rows`` name -> (value, low, high); low and high may be NaN."""

    label: str
    rows: Mapping[str, tuple[float, float, float]]


@styled
def draw_dots(panels: Sequence[DotPanel], title: str, colours: Mapping[str, str], hollow: Sequence[str] = ()) -> Figure:
    """Panels side by side with one row per name (the same in every panel), the value written out, the interval a bar.

    ``colours`` name -> colour, blue for others; ``hollow`` names get an open dot.
    """
    names = list(panels[0].rows)
    figure = Figure(figsize=(1.6 + 4.2 * len(panels), 1.5 + 0.42 * len(names)), layout="constrained")
    axes_row = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
    height = np.arange(len(names))[::-1]
    for axes, panel in zip(axes_row, panels, strict=True):
        decimals = _decimals([value for value, *_ in panel.rows.values()])
        for y, name in zip(height, names, strict=True):
            value, low, high = panel.rows[name]
            colour = colours.get(name, BLUE)
            if np.isfinite(low) and np.isfinite(high):
                axes.hlines(y, low, high, color=colour, linewidth=2.4, alpha=0.55)
            face = "white" if name in hollow else colour
            axes.plot([value], [y], "o", color=colour, markerfacecolor=face, markeredgewidth=1.6, markersize=7)
            if np.isfinite(value):
                axes.annotate(
                    f"{value:.{decimals}f}".replace("-", "−"),
                    (value, y),
                    (0, 6),
                    textcoords="offset points",
                    ha="center",
                    va="bottom",
                    fontsize=8,
                )
        axes.set_xlabel(panel.label)
        axes.set_ylim(-0.6, len(names) - 0.2)
        axes.margins(x=0.12)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    axes_row[0].set_yticks(height, names)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _decimals(values: Sequence[float]) -> int:
    """Three, or as many as show three digits of the smallest value."""
    known = [abs(value) for value in values if np.isfinite(value) and value != 0]
    return max(3, 2 - math.floor(math.log10(min(known)))) if known else 3


@styled
def draw_scatter(
    predictions: Mapping[str, np.ndarray], observed: np.ndarray, quantity: str, units: str, title: str
) -> Figure:
    """Predicted against observed values, one panel per prediction, all samples of all cells: shade is density."""
    count = len(predictions)
    figure = Figure(figsize=(3.9 * count + 0.8, 4.4), layout="constrained")
    axes_row = np.atleast_1d(figure.subplots(1, count, sharex=True, sharey=True))
    every = np.concatenate([observed.ravel(), *(values.ravel() for values in predictions.values())])
    low, high = np.nanquantile(every, [0.001, 0.999]) if np.isfinite(every).any() else (0.0, 1.0)
    margin = 0.04 * (high - low)
    limits = (low - margin, high + margin)
    for axes, (name, values) in zip(axes_row, predictions.items(), strict=True):
        keep = np.isfinite(values) & np.isfinite(observed)
        if keep.sum() > 2000:
            axes.hexbin(
                observed[keep], values[keep], gridsize=45, extent=(*limits, *limits), bins="log", mincnt=1,
                cmap="Blues", linewidths=0,
            )  # fmt: skip
        else:
            axes.plot(observed[keep], values[keep], "o", markersize=3, color=BLUE, alpha=0.35, markeredgewidth=0)
        axes.plot(limits, limits, color=GREY, linewidth=1.0)
        axes.set(xlim=limits, ylim=limits, aspect="equal", title=name)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel(with_units(f"observed {quantity_label(quantity)}", units))
        if keep.sum() > 2:
            rmsd = np.sqrt(np.mean((values[keep] - observed[keep]) ** 2))
            correlation = np.corrcoef(values[keep], observed[keep])[0, 1]
            text = f"RMSD {rmsd:.3f}\nR {correlation:.2f}\nN {keep.sum()}".replace("-", "−")
            axes.annotate(text, (0.04, 0.97), xycoords="axes fraction", va="top", fontsize=9)
    axes_row[0].set_ylabel(with_units(f"predicted {quantity_label(quantity)}", units))
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure
