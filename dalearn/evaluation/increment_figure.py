"""Leaf area index over a season with two rules for its increments, and the errors of the day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter, MonthLocator, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dalearn.evaluation.style import BLACK, BLUE, GREEN, VERMILLION, styled, with_units

COLOURS = (BLUE, VERMILLION, GREEN)


@dataclass(frozen=True)
class IncrementPanel:
    """One season, everything (window,): the window ends, the mean true LAI, and by run the mean LAI over cells and
    noise seeds, its RMSE over them (m2 m-2) and that of root-zone soil moisture (m3 m-3)."""

    name: str
    time: np.ndarray
    truth: np.ndarray
    leaf_area: Mapping[str, np.ndarray]
    leaf_area_error: Mapping[str, np.ndarray]
    root_zone_error: Mapping[str, np.ndarray]


@styled
def draw_increments(panels: Sequence[IncrementPanel], title: str) -> Figure:
    """One row for each season: mean LAI, its error of the day, that of the root zone."""
    figure = Figure(figsize=(13.0, 1.0 + 3.0 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 3, squeeze=False)
    for row, panel in zip(axes, panels, strict=True):
        row[0].plot(date2num(panel.time), panel.truth, color=BLACK, linewidth=2.0)
        _draw(row[0], panel.time, panel.leaf_area, f"{panel.name}: " + with_units("mean LAI", "m2 m-2"))
        _draw(row[1], panel.time, panel.leaf_area_error, with_units("RMSE of LAI", "m2 m-2"))
        _draw(row[2], panel.time, panel.root_zone_error, with_units("RMSE of root-zone moisture", "m3 m-3"))
    handles = [Line2D([], [], color=BLACK, linewidth=2.0, label="truth")]
    handles += [
        Line2D([], [], color=colour, label=label) for label, colour in zip(panels[0].leaf_area, COLOURS, strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    figure.suptitle(title, ha="left", x=0.01)
    return figure


def _draw(axes: Axes, time: np.ndarray, runs: Mapping[str, np.ndarray], title: str) -> None:
    for values, colour in zip(runs.values(), COLOURS, strict=False):
        axes.plot(date2num(time), values, color=colour)
    axes.set_title(title)
    axes.set_ylim(bottom=0.0)
    axes.set_xlim(date2num(time[0]), date2num(time[-1]))
    locator = MonthLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
