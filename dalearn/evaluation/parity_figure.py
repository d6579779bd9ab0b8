"""Overlay of a model and its reference, variable by variable, with their difference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from dalearn.evaluation.style import BLACK, BLUE, GREEN, ORANGE, VERMILLION, styled, with_units

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE)
_PER_ROW = 2  # variables side by side, each with its difference


@dataclass(frozen=True)
class ParityPanel:
    """One variable: ``time`` (time,), ``reference`` and ``model`` (time, line), one label per line ("" for none)."""

    name: str
    units: str
    time: np.ndarray
    labels: Sequence[str]
    reference: np.ndarray
    model: np.ndarray


@styled
def draw_parity(panels: Sequence[ParityPanel], title: str) -> Figure:
    """Reference as a broad pale line under the thin line of the model; to the right model - reference."""
    rows = -(-len(panels) // _PER_ROW)
    height = 1.0 + 1.5 * rows
    figure = Figure(figsize=(9.0 * _PER_ROW, height))
    axes = figure.subplots(rows, 2 * _PER_ROW, squeeze=False, width_ratios=(2.2, 1.0) * _PER_ROW)
    # fixed margins: finding them for a hundred axes takes longer than drawing them
    figure.subplots_adjust(0.04, 0.5 / height, 0.99, 1.0 - 0.9 / height, 0.2, 0.5)
    for number, panel in enumerate(panels):
        row, position = divmod(number, _PER_ROW)
        _draw_series(axes[row, 2 * position], panel)
        _draw_difference(axes[row, 2 * position + 1], panel)
        for drawn in axes[row, 2 * position : 2 * position + 2]:
            _finish(drawn, panel.time, labelled=number >= len(panels) - _PER_ROW)
    for empty in axes.ravel()[2 * len(panels) :]:
        empty.set_visible(False)
    handles = [
        Line2D([], [], color=BLACK, linewidth=4.0, alpha=0.3, label="reference"),
        Line2D([], [], color=BLACK, linewidth=0.9, label="model"),
        *_layer_handles(panels),
    ]
    figure.legend(handles=handles, loc="upper right", ncols=6)
    figure.suptitle(title, x=0.01, y=1.0 - 0.15 / height, ha="left", va="top", fontsize=12)
    return figure


def _layer_handles(panels: Sequence[ParityPanel]) -> list[Line2D]:
    longest = max((panel.labels for panel in panels), key=len, default=())
    pairs = zip(longest, _COLOURS, strict=False)
    return [Line2D([], [], color=colour, linewidth=2.0, label=label) for label, colour in pairs if label]


def _draw_series(axes: Axes, panel: ParityPanel) -> None:
    time = date2num(panel.time)
    for line, colour in zip(range(panel.model.shape[1]), _COLOURS, strict=False):
        axes.plot(time, panel.reference[:, line], color=colour, linewidth=4.0, alpha=0.3)
        axes.plot(time, panel.model[:, line], color=colour, linewidth=0.7)
    axes.set_title(with_units(panel.name, panel.units), fontsize=10)


def _draw_difference(axes: Axes, panel: ParityPanel) -> None:
    difference = panel.model.astype(np.float64) - panel.reference
    time = date2num(panel.time)
    for line, colour in zip(range(difference.shape[1]), _COLOURS, strict=False):
        axes.plot(time, difference[:, line], color=colour, linewidth=0.7)
    axes.set_title(f"model − reference, at most {np.nanmax(np.abs(difference)):.2g}", fontsize=10, loc="right")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))


def _finish(axes: Axes, time: np.ndarray, *, labelled: bool) -> None:
    """The time axis, with its labels only where the last panel of a column is."""
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.set_xlim(date2num(time[0]), date2num(time[-1]))
    locator = AutoDateLocator(minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator) if labelled else NullFormatter())
