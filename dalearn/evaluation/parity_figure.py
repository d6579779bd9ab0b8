"""Overlay of a model and its reference, variable by variable, with their difference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

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
    figure = Figure(figsize=(9.0 * _PER_ROW, 1.0 + 1.7 * rows), layout="constrained")
    axes = figure.subplots(rows, 2 * _PER_ROW, squeeze=False, width_ratios=(2.2, 1.0) * _PER_ROW)
    for number, panel in enumerate(panels):
        row, position = divmod(number, _PER_ROW)
        _draw_series(axes[row, 2 * position], panel)
        _draw_difference(axes[row, 2 * position + 1], panel)
    for empty in axes.ravel()[2 * len(panels) :]:
        empty.set_visible(False)
    figure.legend(
        handles=[
            Line2D([], [], color=BLACK, linewidth=4.0, alpha=0.3, label="reference"),
            Line2D([], [], color=BLACK, linewidth=0.9, label="model"),
            *_layer_handles(panels),
        ],
        loc="outside upper right",
        ncols=6,
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def _layer_handles(panels: Sequence[ParityPanel]) -> list[Line2D]:
    longest = max((panel.labels for panel in panels), key=len, default=())
    pairs = zip(longest, _COLOURS, strict=False)
    return [Line2D([], [], color=colour, linewidth=2.0, label=label) for label, colour in pairs if label]


def _draw_series(axes: Axes, panel: ParityPanel) -> None:
    for line, colour in zip(range(panel.model.shape[1]), _COLOURS, strict=False):
        axes.plot(panel.time, panel.reference[:, line], color=colour, linewidth=4.0, alpha=0.3)
        axes.plot(panel.time, panel.model[:, line], color=colour, linewidth=0.7)
    axes.set_ylabel(with_units(panel.name, panel.units))
    _finish(axes)


def _draw_difference(axes: Axes, panel: ParityPanel) -> None:
    difference = panel.model.astype(np.float64) - panel.reference
    for line, colour in zip(range(difference.shape[1]), _COLOURS, strict=False):
        axes.plot(panel.time, difference[:, line], color=colour, linewidth=0.7)
    largest = np.nanmax(np.abs(difference))
    axes.set_title(f"model − reference, at most {largest:.2g}", fontsize=9)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    _finish(axes)


def _finish(axes: Axes) -> None:
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    locator = AutoDateLocator(minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
