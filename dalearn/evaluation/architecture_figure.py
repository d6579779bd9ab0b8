"""Networks of different size as box plots over cells: Figure 2 of Corchia et al. (2023)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from dalearn.evaluation.style import BLUE, GREY, VERMILLION, styled, with_units

_WORDS = {1: "one layer", 2: "two layers", 3: "three layers"}


@styled
def draw_architectures(cells: pd.DataFrame, units: str, title: str, chosen: str, error: float | None) -> Figure:
    """RMSD of the training and the test period and R of the test period, one column of panels per number of layers.

    ``cells`` has a row per architecture ("layers x neurons") and cell, as ``architecture_tables`` makes it.  Boxes are
    quartiles over cells, whiskers reach minimum and maximum as in the paper; ``error`` draws the dashed line.
    """
    names = list(dict.fromkeys(cells["architecture"]))
    layers = sorted({int(name.split(" x ")[0]) for name in names})
    figure = Figure(figsize=(1.5 + 4.4 * len(layers), 6.6), layout="constrained")
    panels = figure.subplots(2, len(layers), sharey="row", squeeze=False)
    for column, count in enumerate(layers):
        here = [name for name in names if int(name.split(" x ")[0]) == count]
        for row, (label, parts) in enumerate(
            {
                with_units("RMSD", units): [(f"training RMSD ({units})", GREY), (f"RMSD ({units})", BLUE)],
                "R": [("R", BLUE)],
            }.items()
        ):
            axes = panels[row, column]
            for position, name in enumerate(here):
                of_name = cells[cells["architecture"] == name]
                for part, (score, colour) in enumerate(parts):
                    shift = 0.36 * (part - (len(parts) - 1) / 2)
                    colour = VERMILLION if name == chosen and colour == BLUE else colour
                    _box(axes, position + shift, of_name[score].to_numpy(), 0.3 if len(parts) > 1 else 0.5, colour)
            if error is not None and row == 0:
                axes.axhline(error, color=VERMILLION, linestyle="--", linewidth=1.2, zorder=1)
            axes.set_xticks(range(len(here)), [name.split(" x ")[1] for name in here])
            axes.grid(axis="y")
            axes.set_axisbelow(True)
            if column == 0:
                axes.set_ylabel(label)
            if row == 0:
                axes.set_title(_WORDS.get(count, f"{count} layers"))
            else:
                axes.set_xlabel("neurons per layer")
    handles = [
        Patch(facecolor=GREY, label="training period"),
        Patch(facecolor=BLUE, label="test period"),
        Patch(facecolor=VERMILLION, label=f"test period, {chosen} (published)"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _box(axes: Axes, position: float, values: np.ndarray, width: float, colour: str) -> None:
    known = values[np.isfinite(values)]
    if known.size:
        axes.boxplot(
            [known], positions=[position], widths=width, whis=(0, 100), patch_artist=True, manage_ticks=False,
            boxprops={"facecolor": colour, "edgecolor": colour, "alpha": 0.75},
            medianprops={"color": "black", "linewidth": 1.4},
            whiskerprops={"color": colour}, capprops={"color": colour},
        )  # fmt: skip
