"""Scatter plots with R: Figures 6, 7 and 11 of Rojas-Munoz et al. (2023)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dalearn.evaluation.style import BLUE, GREY, VERMILLION, styled

MARKERS = ("o", "x", "^", "s", "D", "v", "P", "*")
MANY = 400
TEXT_ROOM = 0.3  # of the range of the samples


@dataclass(frozen=True)
class ScatterPanel:
    """``x`` and ``y`` (sample,), NaN = missing; ``text`` the numbers in the corner; ``groups`` name -> (sample,) mask
    with their ``colours``, all samples in one colour where there are none; ``fit`` draws the best linear fit."""

    title: str
    x: np.ndarray
    y: np.ndarray
    text: str = ""
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)
    fit: bool = False


@styled
def draw_scatters(
    panels: Sequence[ScatterPanel], x_label: str, y_label: str, title: str, columns: int = 4, square: bool = False
) -> Figure:
    """Panels on the same axes; ``square`` compares like with like: equal axes and the line of equality."""
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(0.6 + 3.5 * columns, 0.7 + 3.5 * rows), layout="constrained")
    every = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    for axes in every[len(panels) :]:
        axes.remove()
    limits = _limits(panels, square)
    for axes, panel in zip(every, panels, strict=False):
        _draw_panel(axes, panel, *limits, square)
    for number, axes in enumerate(every[: len(panels)]):
        if number + columns >= len(panels):
            axes.set_xlabel(x_label)
            axes.tick_params(labelbottom=True)
        if number % columns == 0:
            axes.set_ylabel(y_label)
    handles = dict(pair[::-1] for axes in figure.axes for pair in zip(*axes.get_legend_handles_labels(), strict=True))
    if handles:
        legend = figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=8)
        for handle in legend.legend_handles:
            handle.set_alpha(1.0)  # type: ignore[union-attr]
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def linear_fit(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the least squares line of ``y`` on ``x``, both (sample,); NaN where x does not vary."""
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < 2 or np.ptp(x[known]) == 0:
        return float("nan"), float("nan")
    departure = x[known] - x[known].mean()
    slope = float((departure * y[known]).sum() / (departure**2).sum())
    return slope, float(y[known].mean() - slope * x[known].mean())


def _draw_panel(
    axes: Axes, panel: ScatterPanel, x_limits: tuple[float, float], y_limits: tuple[float, float], square: bool
) -> None:
    axes.axhline(0.0, color="#DDDDDD", linewidth=0.8, zorder=0)
    axes.axvline(0.0, color="#DDDDDD", linewidth=0.8, zorder=0)
    if square:
        axes.plot(x_limits, x_limits, color=GREY, linewidth=1.0, zorder=1)
    groups = panel.groups or {"": np.ones(len(panel.x), dtype=bool)}
    for number, (name, chosen) in enumerate(groups.items()):
        if not chosen.any():
            continue
        many = len(panel.x) > MANY
        marker = MARKERS[number % len(MARKERS)]
        axes.plot(
            panel.x[chosen], panel.y[chosen], linestyle="none", marker=marker, markersize=2.6 if many else 4.6,
            color=panel.colours.get(name, BLUE), alpha=0.5 if many else 0.8, label=name or "_all", zorder=2,
            markeredgewidth=1.2 if marker == "x" else 0,
        )  # fmt: skip
    slope, intercept = linear_fit(panel.x, panel.y)
    text = panel.text
    if panel.fit and np.isfinite(slope):
        ends = np.array([np.nanmin(panel.x), np.nanmax(panel.x)])
        axes.plot(ends, intercept + slope * ends, color=VERMILLION, linewidth=1.6, zorder=3)
        text = f"y = {slope:.2f} x {'+' if intercept >= 0 else '−'} {abs(intercept):.3f}\n{text}".replace("= -", "= −")
    axes.set(xlim=x_limits, ylim=y_limits, title=panel.title)
    if square:
        axes.set_aspect("equal")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
    axes.annotate(text, (0.03, 0.97), xycoords="axes fraction", va="top", fontsize=8.5, bbox=box, zorder=4)


def _limits(panels: Sequence[ScatterPanel], square: bool) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ends of both axes; above the samples there is room for the text."""
    x, y = (np.concatenate([getattr(panel, name) for panel in panels]) for name in "xy")
    if square:
        x = y = np.concatenate([x, y])
    ends = []
    for values, room in ((x, 0.06), (y, 0.06 if square else TEXT_ROOM)):
        known = values[np.isfinite(values)]
        low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
        size = max(high - low, 1e-6)
        ends.append((float(low - 0.06 * size), float(high + room * size)))
    return ends[0], ends[1]
