"""How the error scales of a tuning found their values: the way of every scale, and where it ended."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from dalearn.evaluation.style import BLACK, BLUE, GREY, VERMILLION, styled

_TICKS = (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0)


@dataclass(frozen=True)
class ScaleRow:
    """One error scale relative to the true one.

    ``way`` (run,) of the accepted steps; ``width`` standard deviation of its logarithm; ``is_background``
    tells B from R, ``known`` whether the observations constrain it.
    """

    label: str
    way: np.ndarray
    width: float
    is_background: bool
    known: bool

    @property
    def colour(self) -> str:
        return GREY if not self.known else BLUE if self.is_background else VERMILLION


@styled
def draw_error_scales(rows: Sequence[ScaleRow], log_likelihood: np.ndarray, true_log_likelihood: float) -> Figure:
    """Ratio to the truth by run of the cycle, final estimates with two standard deviations, and the likelihood."""
    figure = Figure(figsize=(11.0, 4.2), layout="constrained")
    ways, final, likelihood = figure.subplots(1, 3, width_ratios=(1.0, 1.2, 0.8))
    for row in rows:
        ways.plot(row.way, color=row.colour, marker="o", markersize=3, linewidth=1.4 if row.known else 0.9)
    ways.set(title="Way of the scales", xlabel="step", ylabel="standard deviation / true one")
    _log_axis(ways, vertical=True)

    for position, row in enumerate(rows):
        error = 2.0 * row.width
        low, high = row.way[-1] * np.exp(-error), row.way[-1] * np.exp(error)
        final.plot([low, high], [position, position], color=row.colour, linewidth=1.6)
        final.plot(row.way[-1], position, "o", color=row.colour, markersize=6)
        final.plot(row.way[0], position, "o", color=row.colour, markersize=5, fillstyle="none")
    final.set_yticks(range(len(rows)), [row.label for row in rows])
    final.invert_yaxis()
    final.set(title="First guess (open) and estimate, 2 s.d.", xlabel="standard deviation / true one")
    final.set_xlim(0.22, 4.5)
    _log_axis(final, vertical=False)

    likelihood.plot(log_likelihood, color=BLACK, marker="o", markersize=3)
    likelihood.axhline(true_log_likelihood, color=GREY, linestyle="--", linewidth=1.0)
    likelihood.annotate(
        "true scales", (0.0, true_log_likelihood), xytext=(2, 4), textcoords="offset points", color=GREY, fontsize=9
    )
    likelihood.set(title="Log-likelihood", xlabel="step")
    likelihood.margins(y=0.12)
    return figure


def _log_axis(axes: Axes, *, vertical: bool) -> None:
    axis = axes.yaxis if vertical else axes.xaxis
    (axes.set_yscale if vertical else axes.set_xscale)("log", base=2)
    axis.set_major_locator(FixedLocator(_TICKS))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in _TICKS]))
    (axes.axhline if vertical else axes.axvline)(1.0, color=BLACK, linewidth=1.0, zorder=0)
