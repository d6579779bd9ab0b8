"""Time series of one cell: Figure 7 of Corchia et al. (2023), for any quantity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from dalearn.evaluation.comparison import OPEN_LOOP
from dalearn.evaluation.style import (
    BLACK,
    OBSERVATION_COLOUR,
    TRUTH_COLOUR,
    run_colour,
    run_name,
    styled,
    with_units,
)

_LONG = 800


@dataclass(frozen=True)
class SeriesPanel:
    """One quantity of one cell: ``runs`` label -> (time,), ``observed`` and ``truth`` (time,) where there are any."""

    label: str
    units: str
    time: np.ndarray
    runs: Mapping[str, np.ndarray]
    observed: np.ndarray | None = None
    truth: np.ndarray | None = None


@styled
def draw_series(panels: Sequence[SeriesPanel], title: str) -> Figure:
    """Panels over one time axis: observations as dots, truth black, open loop and experiments as lines."""
    figure = Figure(figsize=(10.5, 1.0 + 2.7 * len(panels)), layout="constrained")
    axes_column = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True))
    for axes, panel in zip(axes_column, panels, strict=True):
        _draw_panel(axes, panel)
    handles: dict[str, Artist] = {}
    for axes in axes_column:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(list(handles.values()), list(handles), loc="outside upper right", ncols=len(handles))
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _draw_panel(axes: Axes, panel: SeriesPanel) -> None:
    if panel.truth is not None:
        axes.plot(panel.time, panel.truth, color=TRUTH_COLOUR, linewidth=1.0, label="truth", zorder=2)
    labels = list(panel.runs)
    for label, values in panel.runs.items():
        style = "--" if label == OPEN_LOOP else "-"
        colour = run_colour(label, labels)
        width = 1.4 if len(panel.time) < _LONG else 1.0
        axes.plot(panel.time, values, style, color=colour, linewidth=width, label=run_name(label), zorder=3, alpha=0.9)
    if panel.observed is not None:
        known = np.isfinite(panel.observed)
        sparse = known.sum() < len(panel.time) / 4
        axes.plot(
            panel.time[known], panel.observed[known], linestyle="none", marker="o", markersize=4.2 if sparse else 2.8,
            markerfacecolor=OBSERVATION_COLOUR, markeredgecolor=BLACK if sparse else "none", markeredgewidth=0.4,
            label="observations", zorder=4 if sparse else 1,
        )  # fmt: skip
    axes.set_ylabel(with_units(panel.label, panel.units))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    locator = AutoDateLocator(minticks=5, maxticks=10)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
