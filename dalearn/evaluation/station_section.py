"""The sections of the report on stations: Tables 2 and 3, Figures 5 to 7 and S1 of Rojas-Munoz et al. (2023)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dalearn.evaluation.comparison import OPEN_LOOP
from dalearn.evaluation.page import ROJAS_MUNOZ, Page
from dalearn.evaluation.published_soil_moisture import (
    PAPER_STATION,
    products_beside_published,
    station_beside_published,
)
from dalearn.evaluation.relative_difference import IN_SITU, RelativeDifferences, difference_table, score_table
from dalearn.evaluation.report import format_number
from dalearn.evaluation.roles import JointRoles
from dalearn.evaluation.scatter_figure import ScatterPanel, draw_scatters
from dalearn.evaluation.seasons import ALL
from dalearn.evaluation.station_figures import draw_season_boxes, draw_station_series, season_panels, season_values
from dalearn.evaluation.station_scores import PAIR, StationSeries, pair_table, station_means
from dalearn.evaluation.style import BLUE, GREEN, ORANGE, PURPLE, VERMILLION, run_name, with_units

PAPER = ROJAS_MUNOZ
UNITS = "m3 m-3"
YEAR_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE)
MAXIMUM_ROWS = 40


def add_stations(page: Page, stations: StationSeries) -> pd.DataFrame:
    """Scores of every pair, a station as series and by season, and R by season over stations; returns the scores."""
    settings, cells, satellite = page.settings.scores, page.cells, stations.satellite
    page.report.section(f"Soil moisture at stations, as in {PAPER}")
    hour = str(stations.time[0])[11:16]
    page.report.paragraph(
        f"In situ, {satellite} as retrieved and WG2 of all runs at the window ends ({hour} UTC), on the samples that "
        "all of them have; each difference is the first of a pair minus the second. The p-value is that of the paper "
        "(F test of R), which takes samples for independent; soil moisture remembers for weeks, so the true p-value is "
        "larger. "
        f"The {100 * settings.level:.0f} % interval of R is a block bootstrap, which allows for it."
    )
    if stations.left_out:
        page.report.paragraph(
            f"{stations.left_out} in situ samples are left out because TG2 of the open loop is below 4 °C there (the "
            "paper: soil temperature at 5 cm)."
        )
    table = pair_table(stations, cells, settings, UNITS)
    page.table(
        "soil_moisture_pairs", table, "R with p-value, ubRMSD, RMSD, MB and N by pair, station and season.", show=False
    )
    whole = table[table["season"] == ALL].drop(columns="season")
    if len(whole) <= MAXIMUM_ROWS:
        page.report.table(whole, "All seasons, by station.")
    means = station_means(table)
    first = means[means["season"].eq(ALL) | means[PAIR].eq(f"{satellite} vs. {IN_SITU}")]
    page.table("soil_moisture_pair_means", means, "Means over the stations, by pair and season.", show=False)
    page.report.table(first, f"Means over the stations: all pairs, and {satellite} against the probes by season.")
    shown = shown_station(stations, cells.station)
    name = cells.label(stations.cells[shown])
    page.table(
        "soil_moisture_published_station", station_beside_published(table, satellite, name),
        f"{PAPER}, Table 2: as printed for {PAPER_STATION}, and of this run at {name}.",
    )  # fmt: skip
    period = f"{str(stations.time[0])[:4]}-{str(stations.time[-1])[:4]}"
    page.table(
        "soil_moisture_products", products_beside_published(table, satellite, cells, period),
        f"{PAPER}, Table 3: satellite products against probes, averages over stations; [66] El Hajj et al., [67] "
        "Portal et al., as printed there.",
    )  # fmt: skip
    figure = draw_station_series(stations, shown, f"{name}, surface soil moisture at {hour} UTC", UNITS)
    page.figure(
        "soil_moisture_series",
        figure,
        f"As in {PAPER}, Figure 5: in situ (without cold samples), {satellite} and open loop (WG2).",
    )
    figure = draw_scatters(
        season_panels(stations, shown), with_units("in situ", UNITS), with_units(satellite, UNITS),
        f"{name}, {satellite} against in situ by season",
    )  # fmt: skip
    page.figure(
        "soil_moisture_seasons", figure,
        f"As in {PAPER}, Figure 6: {satellite} against the probe by season, best linear fit in red; RMSD, MB and "
        "ubRMSD in m³ m⁻³.",
    )  # fmt: skip
    values = season_values(table, stations)
    figure = draw_season_boxes(
        values, satellite, f"R with in situ surface soil moisture, {len(stations.cells)} stations"
    )
    page.figure(
        "soil_moisture_season_boxes", figure,
        f"As in {PAPER}, Figure S1: R with the probes by season over the stations (their number in brackets), boxes at "
        "the quartiles, whiskers at minimum and maximum; fewer than five stations are shown one by one.",
    )  # fmt: skip
    return table


def add_relative_differences(page: Page, found: RelativeDifferences, roles: JointRoles) -> None:
    """Figure 7: interannual differences of WG5 against probes at 30 cm."""
    page.report.subsection("Root zone: monthly relative differences to a reference year")
    known = np.isfinite(found.values[IN_SITU]).any(axis=(0, 1))
    stations = {int(cell): page.cells.label(int(cell)) for cell in np.flatnonzero(known)}
    page.table(
        "root_zone_relative_differences", difference_table(found, stations),
        f"Monthly mean relative difference to {found.reference} (equation 2), probes at 30 cm and WG5.", show=False,
    )  # fmt: skip
    scores = score_table(found)
    page.table(
        "root_zone_relative_scores", scores,
        f"Relative differences to {found.reference} of WG5 against those of the probes, all months, years and "
        "stations; R, p-value and N as if they were independent.",
    )  # fmt: skip
    runs = [OPEN_LOOP, *(run for run in (roles.joint,) if run in found.values)]
    panels = [
        _relative_panel(found, run, letter, scores.set_index("run").loc[run])
        for letter, run in zip("ab", runs, strict=False)
    ]
    place = f"{len(stations)} stations" if len(stations) > 1 else next(iter(stations.values()))
    figure = draw_scatters(
        panels, "relative difference, in situ at 30 cm", "relative difference, WG5",
        f"Monthly mean relative difference to {found.reference}, {place}", square=True,
    )  # fmt: skip
    page.figure(
        "root_zone_relative_differences", figure,
        f"As in {PAPER}, Figure 7: relative differences of WG5 and of the probes at 30 cm to {found.reference}, one "
        "point per station and month.",
    )  # fmt: skip


def shown_station(stations: StationSeries, names: Sequence[str]) -> int:
    """Index in ``stations`` of the station of the paper, or of the one with most common samples."""
    for number, cell in enumerate(stations.cells):
        if names[cell] == PAPER_STATION:
            return number
    return int(np.isfinite(stations.common().series[OPEN_LOOP]).sum(axis=0).argmax())


def _relative_panel(found: RelativeDifferences, run: str, letter: str, score: pd.Series) -> ScatterPanel:
    observed, model = found.values[IN_SITU], found.values[run]
    year = np.broadcast_to(found.years[:, None, None], observed.shape)
    both = np.isfinite(observed) & np.isfinite(model)
    groups = {str(number): year[both] == number for number in found.years}
    colours = {str(number): YEAR_COLOURS[index % len(YEAR_COLOURS)] for index, number in enumerate(found.years)}
    numbers = {name: format_number(float(score[name])) for name in ("R", "RMSD", "MB")}
    text = f"R = {numbers['R']}, N = {int(score['N'])}\nRMSD = {numbers['RMSD']}\nMB = {numbers['MB']}"
    return ScatterPanel(f"{letter}) {run_name(run)}", observed[both], model[both], text, groups, colours)
