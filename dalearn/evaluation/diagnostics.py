"""Figures of what the filter did: Jacobians, increments, departures, and how the operators were trained."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from dalearn.evaluation.style import (
    BLUE,
    DIVERGING,
    GREEN,
    GREY,
    MONTH_LETTERS,
    PURPLE,
    VERMILLION,
    pretty_units,
    quantity_label,
    styled,
    with_units,
)

LAYER_DEPTHS = {
    "WG1": "0-1 cm", "WG2": "1-4 cm", "WG3": "4-10 cm", "WG4": "10-20 cm", "WG5": "20-40 cm", "WG6": "40-60 cm",
    "WG7": "60-80 cm", "WG8": "80-100 cm",
}  # fmt: skip
_CLASS_COLOURS = {"crops": VERMILLION, "forest": GREEN, "grass": BLUE, "bare": GREY, "": PURPLE}


def _legend_below(axes: Axes, columns: int) -> None:
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=columns, fontsize=8, columnspacing=1.0, handlelength=1.3
    )


def by_calendar_month(values: np.ndarray, time: np.ndarray, statistic: str = "mean") -> np.ndarray:
    """Statistic of ``values`` (time, ...) over all samples of each calendar month: (12,), NaN where there is none.

    ``statistic``: "mean", "lower" or "upper" (quartiles).
    """
    month = np.asarray(time).astype("datetime64[M]").astype(int) % 12
    result = np.full(12, np.nan)
    for number in range(12):
        known = values[month == number]
        known = known[np.isfinite(known)]
        if known.size:
            quantile = {"lower": 0.25, "upper": 0.75}.get(statistic)
            result[number] = known.mean() if quantile is None else np.quantile(known, quantile)
    return result


def draw_jacobian(
    jacobians: Mapping[str, np.ndarray],
    time: np.ndarray,
    quantity: str,
    units: str,
    vegetation_class: Sequence[str],
    title: str,
) -> Figure:
    """Seasonal cycle of dQ/dV, ``jacobians`` V -> (time, cell): derivatives of the quantity at the window end with
    respect to the control variable at the window start, summed over patches."""
    symbol = quantity_label(quantity)
    labels = (
        f"∂{symbol} / ∂WG  ({pretty_units(f'{units} per m3 m-3')})",
        f"∂{symbol} / ∂LAI  ({pretty_units(f'{units} per m2 m-2')})",
    )
    return draw_control_by_month(jacobians, time, labels, vegetation_class, title)


@styled
def draw_control_by_month(
    fields: Mapping[str, np.ndarray],
    time: np.ndarray,
    labels: tuple[str, str],
    vegetation_class: Sequence[str],
    title: str,
) -> Figure:
    """Seasonal cycles by control variable: soil layers on the left, leaf area index by vegetation class on the right.

    ``fields`` V -> (time, cell); ``labels`` of the axes of soil moisture and of leaf area index.  Lines are means,
    shades quartiles over cells and days.
    """
    layers = [name for name in fields if name.startswith("WG")]
    has_leaves = "LAI" in fields
    figure = Figure(figsize=(10.5, 4.4), layout="constrained")
    axes_row = np.atleast_1d(figure.subplots(1, bool(layers) + has_leaves))
    months = np.arange(12)
    if layers:
        colours = colormaps["viridis"](np.linspace(0.0, 0.88, max(len(layers), 2)))
        for colour, name in zip(colours, layers, strict=False):
            label = f"{name}, {LAYER_DEPTHS[name]}" if name in LAYER_DEPTHS else name
            axes_row[0].plot(
                months, by_calendar_month(fields[name], time), marker="o", markersize=4, color=colour, label=label
            )
        axes_row[0].set_ylabel(labels[0])
        _legend_below(axes_row[0], 3)
        axes_row[0].set_title("soil moisture by layer")
    if has_leaves:
        classes = np.asarray(vegetation_class)
        for name in dict.fromkeys(sorted(vegetation_class)):
            values = fields["LAI"][:, classes == name]
            colour = _CLASS_COLOURS.get(name, PURPLE)
            label = (
                f"{name or 'all cells'} ({(classes == name).sum()} cell{'s' if (classes == name).sum() > 1 else ''})"
            )
            lower, upper = (by_calendar_month(values, time, end) for end in ("lower", "upper"))
            axes_row[-1].fill_between(months, lower, upper, color=colour, alpha=0.15, linewidth=0)
            axes_row[-1].plot(
                months, by_calendar_month(values, time), marker="o", markersize=4, color=colour, label=label
            )
        axes_row[-1].set_ylabel(labels[1])
        _legend_below(axes_row[-1], 3)
        axes_row[-1].set_title("leaf area index by dominant vegetation")
    for axes in axes_row:
        axes.axhline(0.0, color="#555555", linewidth=0.8, zorder=1)
        axes.set_xticks(months, MONTH_LETTERS)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


@styled
def draw_increments(increments: Mapping[str, Mapping[str, np.ndarray]], time: np.ndarray, title: str) -> Figure:
    """Mean increment by soil layer and month (colours), and of leaf area index by month (bars), per experiment.

    ``increments`` experiment -> V -> (time, cell), applied increments averaged over windows WITH an increment.
    """
    experiments = list(increments)
    figure = Figure(figsize=(max(6.2, 5.2 * len(experiments)), 5.6), layout="constrained")
    grid = figure.subplots(2, len(experiments), squeeze=False, sharey="row", height_ratios=(2.0, 1.1))
    layers = [name for name in LAYER_DEPTHS if any(name in fields for fields in increments.values())]
    tables = {name: 1e3 * _monthly_increments(fields, layers, time) for name, fields in increments.items()}
    largest = max((np.nanmax(np.abs(table)) for table in tables.values() if np.isfinite(table).any()), default=1.0)
    for column, (name, table) in enumerate(tables.items()):
        axes = grid[0, column]
        image = axes.pcolormesh(
            np.arange(13) - 0.5, np.arange(len(layers) + 1) - 0.5, table, cmap=DIVERGING.removesuffix("_r"),
            vmin=-largest, vmax=largest,
        )  # fmt: skip
        axes.set_yticks(range(len(layers)), [f"{layer}\n{LAYER_DEPTHS[layer]}" for layer in layers], fontsize=8.5)
        axes.set_xticks(range(12), MONTH_LETTERS)
        axes.set_title(name)
        bars = grid[1, column]
        leaves = increments[name].get("LAI")
        if leaves is not None:
            mean = by_calendar_month(_applied(leaves), time)
            bars.bar(range(12), mean, width=0.7, color=np.where(mean < 0, VERMILLION, BLUE))
        bars.axhline(0.0, color="#555555", linewidth=0.8)
        bars.set_xticks(range(12), MONTH_LETTERS)
        bars.set_xlim(-0.5, 11.5)
        bars.grid(axis="y")
        bars.set_axisbelow(True)
    grid[0, 0].invert_yaxis()
    grid[1, 0].set_ylabel(with_units("LAI increment", "m2 m-2"))
    bar = figure.colorbar(image, ax=list(grid[0]), pad=0.01, aspect=22)
    bar.set_label(f"increment ({pretty_units('10⁻³ m3 m-3')})")
    bar.outline.set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


@styled
def draw_innovations(departures: Mapping[str, np.ndarray], quantity: str, units: str, title: str) -> Figure:
    """Histograms of observation minus model, one outline per entry (open loop, forecast, analysis)."""
    figure = Figure(figsize=(7.4, 4.2), layout="constrained")
    axes = figure.subplots()
    known = {name: values[np.isfinite(values)] for name, values in departures.items()}
    known = {name: values for name, values in known.items() if values.size}
    every = np.concatenate(list(known.values()))
    limit = float(np.quantile(np.abs(every), 0.995))
    bins = int(np.clip(np.sqrt(every.size / len(known)), 15, 60))
    edges = np.linspace(-limit, limit, bins + 1).tolist()
    for (name, values), colour, style in zip(
        known.items(), (BLUE, VERMILLION, GREEN, PURPLE), ("--", "-", "-", "-"), strict=False
    ):
        label = f"{name}: mean {values.mean():+.3f}, s.d. {values.std():.3f}, N {values.size}".replace("-", "−")
        axes.hist(
            values, edges, density=True, histtype="step", linewidth=1.6, color=colour, linestyle=style, label=label
        )
    axes.axvline(0.0, color="#555555", linewidth=0.8)
    axes.set_xlabel(with_units(f"observation − model, {quantity_label(quantity)}", units))
    axes.set_ylabel(f"density (per {pretty_units(units)})" if units else "density")
    axes.set_xlim(-limit, limit)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    figure.legend(loc="outside lower left", ncols=1)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


@styled
def draw_training(losses: Mapping[str, np.ndarray], label: str, title: str) -> Figure:
    """Training curves: median over cells (line) and quartiles (shade) of each (epoch, cell) or (epoch,) array."""
    figure = Figure(figsize=(7.4, 3.8), layout="constrained")
    axes = figure.subplots()
    for (name, values), colour in zip(losses.items(), (BLUE, VERMILLION, GREEN, PURPLE), strict=False):
        values = values.reshape(len(values), -1)
        values = values[:, np.isfinite(values).any(axis=0)]
        lower, middle, upper = np.nanquantile(values, [0.25, 0.5, 0.75], axis=1)
        epoch = np.arange(1, len(values) + 1)
        axes.fill_between(epoch, lower, upper, color=colour, alpha=0.15, linewidth=0)
        axes.plot(epoch, middle, color=colour, label=name)
    axes.set(xlabel="epoch", ylabel=label)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(axis="y")
    axes.legend()
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _monthly_increments(fields: Mapping[str, np.ndarray], layers: Sequence[str], time: np.ndarray) -> np.ndarray:
    missing = np.full(12, np.nan)
    return np.array([by_calendar_month(_applied(fields[name]), time) if name in fields else missing for name in layers])


def _applied(increment: np.ndarray) -> np.ndarray:
    return np.where(increment == 0.0, np.nan, increment)
