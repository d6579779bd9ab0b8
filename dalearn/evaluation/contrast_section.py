"""The section of the report on two contrasting years: Figures 8 to 11 of Rojas-Munoz et al. (2023)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import OPEN_LOOP
from dalearn.evaluation.land_use import land_use_colours, land_uses
from dalearn.evaluation.maps import MapPanel, maps_make_sense
from dalearn.evaluation.page import ROJAS_MUNOZ, Page
from dalearn.evaluation.region_maps import ClassPanel, Row, draw_region_maps, same_panels
from dalearn.evaluation.regions import Region, areas_of, map_regions
from dalearn.evaluation.report import format_number
from dalearn.evaluation.roles import JointRoles
from dalearn.evaluation.scatter_figure import ScatterPanel, draw_scatters
from dalearn.evaluation.style import run_name, with_units
from dalearn.evaluation.table_parts import known_mean
from dalearn.evaluation.year_contrast import ROOT_ZONE_LAYER, YearContrast

PAPER = ROJAS_MUNOZ
UNITS = {ROOT_ZONE_LAYER: "m3 m-3", "LAI": "m2 m-2"}
EXTREME = 0.98


def add_contrast(page: Page, contrast: YearContrast, roles: JointRoles) -> None:
    """Maps of the year-to-year change, of what each analysis adds to it, and LAI against WG5."""
    cells = page.cells
    page.report.section(f"Two contrasting years, as in {PAPER}")
    page.report.paragraph(
        f"{contrast.text}: means of the month at the window ends. Red means wetter (more leaves) in {contrast.dry}; "
        f"for an analysis minus the open loop, that the analysis added more in {contrast.dry} than in {contrast.wet}."
    )
    page.table(
        "year_contrast", contrast_table(contrast, roles, cells),
        f"{contrast.text}: means over cells of the open loop, and of analysis minus open loop; R between the "
        "effects on LAI and on WG5.",
    )  # fmt: skip
    if maps_make_sense(cells):
        _add_maps(page, contrast, roles)
    else:
        page.absent("Maps of the contrasting years: the cells do not fill an area.")
    figure = draw_scatters(
        _scatter_panels(contrast, roles, areas_of(cells), cells),
        with_units("effect on WG5", UNITS[ROOT_ZONE_LAYER]), with_units("effect on LAI", UNITS["LAI"]),
        f"Effect of the analysis on {contrast.text}", columns=len(roles.every),
    )  # fmt: skip
    page.figure(
        "year_contrast_scatter", figure,
        f"As in {PAPER}, Figure 11: LAI against WG5, both analysis minus open loop, {contrast.text}; one point "
        "per cell.",
    )  # fmt: skip


def contrast_table(contrast: YearContrast, roles: JointRoles, cells: Cells) -> pd.DataFrame:
    """Means by area and, where it is known, land use: one row for all cells and one per group."""
    groups: dict[tuple[str, str], np.ndarray] = {("all", "all"): np.ones(cells.count, dtype=bool)}
    for area in areas_of(cells):
        inside = np.isin(np.arange(cells.count), area.cells)
        if area.name:
            groups[area.name, "all"] = inside
        for use in land_uses(cells):
            groups[area.name or "all", use] = inside & cells.with_land_use(use)
    rows = []
    for (area_name, use), chosen in groups.items():
        if not chosen.any():
            continue
        row: dict[str, object] = {"area": area_name, "land use": use, "cells": int(chosen.sum())}
        for variable, units in UNITS.items():
            row[f"{OPEN_LOOP} {variable} ({units})"] = known_mean(contrast.change[variable][OPEN_LOOP][chosen])
            for run in roles.every:
                row[f"{run} effect on {variable} ({units})"] = known_mean(contrast.effect(variable, run)[chosen])
        for run in roles.every:
            row[f"{run} R"] = contrast.correlation(run, chosen)
        rows.append(row)
    return pd.DataFrame(rows)


def _add_maps(page: Page, contrast: YearContrast, roles: JointRoles) -> None:
    cells, regions = page.cells, map_regions(page.cells)
    label = with_units("difference in WG5", UNITS[ROOT_ZONE_LAYER])
    change = {run: contrast.change[ROOT_ZONE_LAYER][run] for run in (OPEN_LOOP, roles.joint)}
    page.figure(
        "year_contrast_WG5",
        draw_region_maps(same_panels(regions, _panels(change, label, "ab")), cells, f"WG5, {contrast.text}"),
        f"As in {PAPER}, Figure 8: WG5, {contrast.text}, of the open loop and of {roles.joint}.",
    )
    effect = {run: contrast.effect(ROOT_ZONE_LAYER, run) for run in roles.every}
    page.figure(
        "year_contrast_effect",
        draw_region_maps(
            same_panels(regions, _panels(effect, label, "abc", " − open loop")), cells,
            f"WG5, analysis minus open loop, {contrast.text}",
        ),
        f"As in {PAPER}, Figure 9: WG5 of the analysis minus the open loop, {contrast.text}; one colour scale.",
    )  # fmt: skip
    leaves = {run: contrast.effect("LAI", run) for run in roles.every}
    uses = land_uses(cells)
    classes = [ClassPanel("d) land use", cells.land_use, uses)] if uses else []
    if not classes:
        page.absent("Land use of the cells is not known: Figure 10 has no irrigation map.")
    leaf_label = with_units("difference in LAI", UNITS["LAI"])
    for area in areas_of(cells):
        part = area.cells
        rows: list[Row] = [
            (area, [*_panels(effect, label, "abc", " − open loop, WG5", part), *classes]),
            (area, [*_panels(leaves, leaf_label, "efg", " − open loop, LAI", part), *([None] if classes else [])]),
        ]
        figure = draw_region_maps(rows, cells, f"{area.name or 'all cells'}, analysis minus open loop, {contrast.text}")
        page.figure(
            f"year_contrast_area_{area.name or 'all'}", figure,
            f"As in {PAPER}, Figure 10: effect of each analysis on WG5 and LAI, {contrast.text}"
            f"{', and land use' if classes else ''}. Each row has one colour scale.",
        )  # fmt: skip


def _panels(
    fields: dict[str, np.ndarray], label: str, letters: str, words: str = "", chosen: np.ndarray | slice = slice(None)
) -> list[MapPanel]:
    known = np.concatenate([np.abs(values[chosen]) for values in fields.values()])
    known = known[np.isfinite(known)]
    limit = float(np.quantile(known, EXTREME)) or None if known.size else None
    return [
        MapPanel(f"{letter}) {run_name(run)}{words}", values, label, diverging=True, limit=limit)
        for letter, (run, values) in zip(letters, fields.items(), strict=False)
    ]


def _scatter_panels(
    contrast: YearContrast, roles: JointRoles, areas: Sequence[Region], cells: Cells
) -> list[ScatterPanel]:
    uses = land_uses(cells)
    colours = land_use_colours(uses)
    panels = []
    for area in areas:
        inside = np.isin(np.arange(cells.count), area.cells)
        for run in roles.every:
            water, leaves = (contrast.effect(name, run)[inside] for name in (ROOT_ZONE_LAYER, "LAI"))
            groups = {use: cells.with_land_use(use)[inside] for use in uses}
            unknown = ~np.isin(np.array(cells.land_use)[inside], uses)
            groups |= {"other": unknown} if uses and unknown.any() else {}
            text = f"R = {format_number(contrast.correlation(run, inside))}, N = {inside.sum()}"
            title = f"{area.name}: {run}" if area.name else run
            panels.append(ScatterPanel(title, water, leaves, text, groups, colours | {"other": "#999999"}))
    return panels
