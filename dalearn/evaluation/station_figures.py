"""Soil moisture at stations as figures: Figures 5 and 6 and S1 of Rojas-Munoz et al. (2023)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from dalearn.evaluation.boxes import draw_group
from dalearn.evaluation.comparison import OPEN_LOOP
from dalearn.evaluation.report import format_number
from dalearn.evaluation.scatter_figure import ScatterPanel
from dalearn.evaluation.scores import MINIMUM_MONTHLY_COUNT, compute_scores
from dalearn.evaluation.seasons import ALL, SEASONS, season_masks
from dalearn.evaluation.station_scores import IN_SITU, PAIR, StationSeries
from dalearn.evaluation.style import BLACK, BLUE, OBSERVATION_COLOUR, run_colour, run_name, styled, with_units

SEASON_NAMES = {"DJF": "winter", "MAM": "spring", "JJA": "summer", "SON": "autumn"}


@styled
def draw_station_series(stations: StationSeries, station: int, title: str, units: str) -> Figure:
    """Figure 5: probe, satellite and open loop at one station (index in ``stations``) at the window ends."""
    figure = Figure(figsize=(10.5, 3.9), layout="constrained")
    axes = figure.subplots()
    time = stations.time
    probe, satellite, model = (
        stations.series[name][:, station] for name in (IN_SITU, stations.satellite, OPEN_LOOP)
    )  # fmt: skip
    axes.plot(time, probe, color=BLACK, linewidth=1.1, label=IN_SITU, zorder=3)
    axes.plot(time, model, "--", color=BLUE, linewidth=1.0, label=run_name(OPEN_LOOP), zorder=2, alpha=0.9)
    known = np.isfinite(satellite)
    axes.plot(
        time[known], satellite[known], linestyle="none", marker="o", markersize=4.2, color=OBSERVATION_COLOUR,
        markeredgecolor=BLACK, markeredgewidth=0.4, label=stations.satellite, zorder=4,
    )  # fmt: skip
    axes.set_ylabel(with_units("soil moisture", units))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    locator = AutoDateLocator(minticks=5, maxticks=12)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    figure.legend(loc="outside upper right", ncols=3)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def season_panels(stations: StationSeries, station: int) -> list[ScatterPanel]:
    """Figure 6: satellite against probe at one station by season, with the best linear fit and the scores."""
    panels = []
    masks = season_masks(stations.time)
    for letter, season in zip("abcd", SEASONS, strict=True):
        probe, satellite = (
            stations.series[name][masks[season], station] for name in (IN_SITU, stations.satellite)
        )  # fmt: skip
        both = np.isfinite(probe) & np.isfinite(satellite)
        score = compute_scores(satellite[:, None], probe[:, None], MINIMUM_MONTHLY_COUNT)
        text = (
            f"R = {_number(score.correlation)}, N = {score.count[0]}\nRMSD = {_number(score.rmsd)}, "
            f"MB = {_number(score.bias)}\nubRMSD = {_number(score.ubrmsd)}"
        )
        title = f"{letter}) {SEASON_NAMES[season]} ({season})"
        panels.append(ScatterPanel(title, probe[both], satellite[both], text, fit=True))
    return panels


def season_values(table: pd.DataFrame, stations: StationSeries) -> dict[str, dict[str, np.ndarray]]:
    """R with the probes by series (satellite, open loop, analyses) and season, (station,), from a ``pair_table``."""
    values = {}
    for label in (stations.satellite, *stations.runs):
        own = table[table[PAIR] == f"{label} vs. {IN_SITU}"]
        values[label] = {season: own.loc[own["season"] == season, "R"].to_numpy() for season in (*SEASONS, ALL)}
    return values


@styled
def draw_season_boxes(values: Mapping[str, Mapping[str, np.ndarray]], satellite: str, title: str) -> Figure:
    """Figure S1: R over the stations by season, one box per series; few stations are shown one by one."""
    figure = Figure(figsize=(9.5, 4.2), layout="constrained")
    axes = figure.subplots()
    labels = list(values)
    runs = [label for label in labels if label != satellite]
    width = 0.8 / len(labels)
    seasons = list(next(iter(values.values())))
    colours = {label: OBSERVATION_COLOUR if label == satellite else run_colour(label, runs) for label in labels}
    counts = np.zeros(len(seasons), dtype=int)
    for position, (label, by_season) in enumerate(values.items()):
        for number, season in enumerate(seasons):
            known = by_season[season][np.isfinite(by_season[season])]
            counts[number] = max(counts[number], known.size)
            place = number + (position - (len(labels) - 1) / 2) * width
            draw_group(axes, place, known, 0.82 * width, colours[label])
    if axes.get_ylim()[0] < 0.1:
        axes.axhline(0.0, color="#555555", linewidth=0.8, zorder=1)
    names = [f"{season}\n({count})" for season, count in zip(seasons, counts, strict=True)]
    axes.set_xticks(range(len(seasons)), names)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(seasons) - 0.4)
    axes.set_ylabel("R with in situ soil moisture")
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    for edge in np.arange(0.5, len(seasons) - 1):
        axes.axvline(edge, color="#EEEEEE", linewidth=0.8, zorder=0)
    handles = [Patch(facecolor=colours[label], label=run_name(label)) for label in labels]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(labels))
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _number(value: np.ndarray) -> str:
    return format_number(float(value[0]))
