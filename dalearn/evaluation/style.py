"""How all figures look: fonts, colour-blind-safe colours, names and units as readers expect them."""

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from matplotlib import rc_context
from matplotlib.figure import Figure

from dalearn.evaluation.comparison import FORECAST, OPEN_LOOP
from dalearn.files import write_whole

# Okabe and Ito (2008): distinguishable with every common form of colour blindness.
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, GREY, BLACK = "#CC79A7", "#56B4E9", "#7A7A7A", "#1A1A1A"

OBSERVATION_COLOUR, TRUTH_COLOUR = ORANGE, BLACK
_KNOWN_RUNS = {OPEN_LOOP: BLUE, "EKF": VERMILLION, "EKF_SWI_LAI": GREEN}
_OTHER_RUNS = (PURPLE, SKY, GREY)

SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"
DPI = 150
MONTH_LETTERS = ("J", "F", "M", "A", "M", "J", "J", "A", "S", "O", "N", "D")
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": False,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.7,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.4,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.wspace": 0.03,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "hatch.color": "#CCCCCC",
    "hatch.linewidth": 0.6,
}
_QUANTITY_LABELS = {"sigma0": r"$\sigma^0_{40}$", "LAI": "LAI", "SSM": "SSM"}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Parameters = ParamSpec("Parameters")


def styled(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Decorator: draw and lay out a figure with the common settings, leaving matplotlib's own untouched."""

    @wraps(draw)
    def wrapper(*arguments: Parameters.args, **keywords: Parameters.kwargs) -> Figure:
        with rc_context(_RC):
            figure = draw(*arguments, **keywords)
            lay_out(figure)
            return figure

    return wrapper


def lay_out(figure: Figure) -> None:
    """Place everything once and keep it there: laying out again at every drawing is what takes the time."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def save_figure(figure: Figure, path: Path) -> Path:
    """Write ``figure`` as PNG, replacing ``path`` in one step."""
    with rc_context(_RC):
        write_whole(path, lambda temporary: figure.savefig(temporary, format="png"))
    return path


def run_colour(label: str, labels: list[str]) -> str:
    """Colour of a run: fixed for the runs of the paper, in order of appearance for others."""
    if label in _KNOWN_RUNS:
        return _KNOWN_RUNS[label]
    others = [name for name in labels if name not in _KNOWN_RUNS]
    return _OTHER_RUNS[others.index(label) % len(_OTHER_RUNS)]


def dot_colour(label: str) -> str:
    """Colour of a run or of the forecast of one."""
    return run_colour(label.removesuffix(FORECAST), [label.removesuffix(FORECAST)])


def run_name(label: str) -> str:
    """Label of a run in a legend."""
    return "open loop" if label == OPEN_LOOP else label


def quantity_label(quantity: str) -> str:
    """Name of an observed quantity with its symbol where it has one."""
    return _QUANTITY_LABELS.get(quantity, quantity)


def pretty_units(units: str) -> str:
    """ "m3 m-3" as m³ m⁻³."""
    return re.sub(r"(?<=[A-Za-z])(-?\d+)", lambda match: match.group(1).translate(_SUPERSCRIPTS), units)


def with_units(text: str, units: str) -> str:
    """``text`` followed by its units in brackets; unchanged without units."""
    return f"{text} ({pretty_units(units)})" if units not in ("", "1") else text
