"""Figures of the Kalman gain, and of chi-square and degrees of freedom for signal over the year."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.consistency import CHI_SQUARE, SIGNAL_PER_OBSERVATION
from dalearn.evaluation.diagnostics import LAYER_DEPTHS, draw_control_by_month
from dalearn.evaluation.maps import MapPanel, maps_make_sense
from dalearn.evaluation.region_maps import draw_cell_maps
from dalearn.evaluation.style import MONTH_LETTERS, quantity_label, run_colour, styled, with_units
from dalearn.variables import VARIABLES

MAPPED = ("LAI", "WG2", "WG4", "WG6")
_MARKERS, _LINES = ("o", "s", "^", "D", "v"), ("-", "--", ":", "-.")


def draw_gain(
    gains: Mapping[str, np.ndarray], time: np.ndarray, quantity: str, units: str, cells: Cells, title: str
) -> Figure:
    """Mean gain of every cell over the windows with an observation, or its seasonal cycle where a map shows nothing.

    ``gains`` control variable -> (time, cell), NaN in windows without an observation; ``units`` of the quantity.  Maps
    are of ``MAPPED`` where there are more control variables than that.
    """
    if not maps_make_sense(cells):
        labels = (_label("WG", "WG2", quantity, units), _label("LAI", "LAI", quantity, units))
        return draw_control_by_month(gains, time, labels, cells.vegetation_class, title)
    names = [name for name in gains if name in MAPPED] if len(gains) > len(MAPPED) else list(gains)
    panels = []
    for letter, name in zip("abcdefgh", names, strict=False):
        depth = f", {LAYER_DEPTHS[name]}" if name in LAYER_DEPTHS else ""
        scale, text = (1e3, "10⁻³ ") if depth else (1.0, "")  # the numbers below a colour bar have to be short
        label = _label(name, name, quantity, units, text)
        values = scale * _mean_of_cells(gains[name])
        panels.append(MapPanel(f"{letter}) {name}{depth}", values, label, diverging=True))
    return draw_cell_maps(panels, cells)


@styled
def draw_consistency_by_month(table: pd.DataFrame, title: str) -> Figure:
    """Chi-square and degrees of freedom for signal per observation by calendar month, from ``monthly_diagnostics``."""
    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    axes_row = figure.subplots(1, 2)
    experiments = list(dict.fromkeys(table["experiment"]))
    quantities = list(dict.fromkeys(table["quantity"]))
    panels = (
        (CHI_SQUARE, "χ² per observation"),
        (SIGNAL_PER_OBSERVATION, "degrees of freedom for signal\nper observation"),
    )
    for axes, (column, of_axis) in zip(axes_row, panels, strict=True):
        for (experiment, quantity), part in table.groupby(["experiment", "quantity"], sort=False):
            values = np.full(12, np.nan)
            values[part["month"].to_numpy() - 1] = part[column]
            kind = quantities.index(quantity)
            label = f"{experiment}: {quantity_label(quantity)}"
            axes.plot(
                range(12), values, color=run_colour(experiment, experiments), label=label, markersize=4,
                marker=_MARKERS[kind % len(_MARKERS)], linestyle=_LINES[kind % len(_LINES)],
            )  # fmt: skip
        axes.set_ylabel(of_axis)
        axes.set_xticks(range(12), MONTH_LETTERS)
        axes.set_xlim(-0.5, 11.5)
        axes.set_ylim(0, axes.get_ylim()[1])
        axes.grid(axis="y")
        axes.set_axisbelow(True)
    axes_row[0].axhline(1.0, color="#555555", linewidth=0.8, zorder=1)
    handles, names = axes_row[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower left", ncols=4)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _label(name: str, of_units: str, quantity: str, units: str, scale: str = "") -> str:
    return with_units(f"K of {name} for {quantity_label(quantity)}", f"{scale}{VARIABLES[of_units].units} per {units}")


def _mean_of_cells(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
