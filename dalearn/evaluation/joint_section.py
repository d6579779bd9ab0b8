"""The report on Rojas-Munoz et al. (2023): soil moisture and LAI, assimilated together and alone."""

from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from dalearn.evaluation import joint_findings as found
from dalearn.evaluation.agreement_section import add_agreement
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.contrast_section import add_contrast
from dalearn.evaluation.findings import Finding, findings_table
from dalearn.evaluation.joint_statements import land_use_table, state_agreement, state_root_zone, state_truth
from dalearn.evaluation.land_use import IRRIGATED
from dalearn.evaluation.matching import ObservationSeries, match_to_times
from dalearn.evaluation.page import ROJAS_MUNOZ, Page
from dalearn.evaluation.relative_difference import RelativeDifferences, relative_differences
from dalearn.evaluation.roles import JointRoles
from dalearn.evaluation.root_zone_change import root_zone_change
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.statements import Statement, statement_table
from dalearn.evaluation.station_scores import station_series
from dalearn.evaluation.station_section import add_relative_differences, add_stations
from dalearn.evaluation.style import pretty_units
from dalearn.evaluation.year_contrast import ROOT_ZONE_LAYER, YearContrast, contrast_years

PAPER = ROJAS_MUNOZ
WATER = ("", "m3 m-3")


class JointEvidence(NamedTuple):
    """What of a run bears on the paper; comparisons are None where their observations are missing.

    ``retrieved`` and ``rescaled``: satellite soil moisture as retrieved and as assimilated, against WG2 of all runs;
    ``satellite_units`` of the former; ``in_situ`` at the surface, ``root_zone`` the probes at 30 cm; ``truth`` WG2.
    """

    roles: JointRoles = JointRoles()
    retrieved: Comparison | None = None
    satellite_units: str = ""
    rescaled: Comparison | None = None
    in_situ: Comparison | None = None
    root_zone: ObservationSeries | None = None
    truth: Comparison | None = None


def add_joint_assimilation(page: Page, run: RunData, evidence: JointEvidence) -> None:
    """All sections on the paper; a sentence for what the run has no data for."""
    roles, name = evidence.roles, page.settings.satellite_name
    retrieved = evidence.retrieved
    if retrieved is not None:
        retrieved = replace(retrieved, correlation_only=evidence.satellite_units not in WATER)
    pairs = _stations(page, run, evidence, retrieved)
    relative = _root_zone(page, run, evidence)
    contrast = contrast_years(run, roles.every, page.settings.contrast)
    if isinstance(contrast, str):
        page.absent(contrast)
    else:
        add_contrast(page, contrast, roles)
    page.report.section(f"Satellite soil moisture and the model, as in {PAPER}")
    if retrieved is None:
        page.absent("Maps of R and ubRMSD with satellite soil moisture: no observations were given.")
    else:
        add_agreement(page, retrieved, name, roles, "as retrieved")
    if evidence.rescaled is not None and not evidence.rescaled.correlation_only:
        add_agreement(page, evidence.rescaled, name, roles, "rescaled")
    _add_statements(page, run, evidence, retrieved)
    _add_findings(page, roles, pairs, relative, contrast, retrieved)
    _add_items(page)


def _stations(page: Page, run: RunData, evidence: JointEvidence, retrieved: Comparison | None) -> pd.DataFrame | None:
    if evidence.in_situ is None or retrieved is None:
        page.absent("Soil moisture at stations: it needs in situ and satellite observations.")
        return None
    if retrieved.correlation_only or evidence.in_situ.correlation_only:
        page.absent("Soil moisture at stations: satellite and in situ observations are not both in m³ m⁻³.")
        return None
    temperature = run.of_state("open_loop", "TG2")
    stations = station_series(evidence.in_situ, retrieved, page.settings.satellite_name, temperature)
    if stations is None:
        page.absent("Soil moisture at stations: no cell has both in situ and satellite observations.")
        return None
    return add_stations(page, stations)


def _root_zone(page: Page, run: RunData, evidence: JointEvidence) -> RelativeDifferences | None:
    """Equation 2 for WG5 and the probes of the root zone."""
    if evidence.root_zone is None:
        page.absent("Relative differences of WG5: no in situ observations of the root zone were given.")
        return None
    observed = match_to_times(evidence.root_zone, run.time, run.cell_count, page.settings.in_situ_tolerance_hours)
    runs = {OPEN_LOOP: run.of_state("open_loop", ROOT_ZONE_LAYER)}
    runs |= {name: run.of_experiment(ROOT_ZONE_LAYER, name) for name in evidence.roles.every}
    known = {name: values for name, values in runs.items() if values is not None}
    if len(known) < len(runs):
        page.absent(f"Relative differences of WG5: no WG5 of {', '.join(sorted(set(runs) - set(known)))}.")
        return None
    comparison = Comparison("SSM", "m3 m-3", "in situ soil moisture at 30 cm", run.time, observed, known)
    result = relative_differences(comparison, page.settings.reference_year)
    if result is None:
        year = page.settings.reference_year or "the first year"
        page.absent(
            f"Relative differences of WG5: no months of {year} and of another year with enough in situ samples."
        )
        return None
    add_relative_differences(page, result, evidence.roles)
    return result


def _add_statements(page: Page, run: RunData, evidence: JointEvidence, retrieved: Comparison | None) -> None:
    page.report.section(f"Statements on {PAPER}")
    settings, cells, roles = page.settings.scores, page.cells, evidence.roles
    if not cells.with_land_use(*IRRIGATED).any():
        page.absent("No cell is known to be irrigated: nothing can be stated of irrigated cells.")
    statements: list[Statement] = []
    change = root_zone_change(run, roles.every)
    if change is not None:
        statements += state_root_zone(change, roles, cells, settings)
    if evidence.truth is not None:
        statements += state_truth(evidence.truth, roles, cells, settings)
        uses = land_use_table(evidence.truth, roles, cells, settings)
        if len(uses):
            page.table(
                "truth_by_land_use",
                uses,
                "WG2 against the truth of the twin by land use, means of the scores of the cells.",
            )
    if retrieved is not None:
        statements += state_agreement(retrieved, page.settings.satellite_name, roles, cells, settings)
    if not statements:
        page.absent(f"Statements on {PAPER}: the run has none of what they need.")
        return
    frame = statement_table(statements)
    page.table("key_statements", frame, "Key statements.", show=False)
    shown = frame.assign(units=["" if units == "1" else pretty_units(units) for units in frame["units"]])
    caption = (
        "Key statements: surely means with the whole interval, other marks are met by the number itself "
        f"({100 * settings.level:.0f} %, block bootstrap in time)."
    )
    page.report.table(shown, caption)
    page.report.summary_table(shown.drop(columns="detail"), caption)


def _add_findings(
    page: Page,
    roles: JointRoles,
    pairs: pd.DataFrame | None,
    relative: RelativeDifferences | None,
    contrast: YearContrast | str,
    retrieved: Comparison | None,
) -> None:
    page.report.section(f"{PAPER} beside this run")
    findings: list[Finding] = []
    if pairs is not None:
        findings += found.find_stations(pairs, page.settings.satellite_name)
    if relative is not None:
        findings += found.find_interannual(relative, roles)
    if not isinstance(contrast, str):
        findings += found.find_contrast(contrast, roles)
    if retrieved is not None:
        findings += found.find_agreement(retrieved, roles, page.cells, page.settings.scores.minimum_count)
    if not findings:
        page.absent(f"{PAPER} beside this run: the run has none of what the paper reports.")
        return
    page.table(
        "paper_findings", findings_table(findings),
        "What the paper reports and what this run gives. The analysis is scored, as in the paper; it has seen the "
        "observations it assimilates.",
    )  # fmt: skip


def _add_items(page: Page) -> None:
    """Where each table and figure of the paper is: a file of this run, or what it needs."""
    page.report.section(f"Tables and figures of {PAPER}")
    areas = sorted(name for name in page.figures if name.startswith("year_contrast_area_"))
    years = f"two years with {page.settings.contrast.month:02d} of the calendar"
    stations = "in situ and satellite soil moisture at a station"
    items = [
        ("Table 1", "experiments", ["experiments"], "config.yaml"),
        ("Table 2", "scores at a station", ["soil_moisture_published_station", "soil_moisture_pairs"], stations),
        ("Table 3", "satellite products", ["soil_moisture_products"], stations),
        ("Figures 1, 3", "domain, land cover", ["domain"], "altitude and land cover, and cells that fill an area"),
        ("Figure 5", "series at a station", ["soil_moisture_series"], stations),
        ("Figure 6", "satellite and probe by season", ["soil_moisture_seasons"], stations),
        ("Figure 7", "relative differences of WG5", ["root_zone_relative_differences"], "probes at 30 cm, two years"),
        ("Figure 8", "WG5 of two years", ["year_contrast_WG5"], f"{years}, a map"),
        ("Figure 9", "effect on WG5", ["year_contrast_effect", "year_contrast"], f"{years}, a map"),
        ("Figure 10", "effect on WG5 and LAI, land use", areas, f"{years}, a map"),
        ("Figure 11", "LAI against WG5", ["year_contrast_scatter"], years),
        ("Figure 12", "R and ubRMSD with the satellite",
         ["agreement_map_as_retrieved", "agreement_map_rescaled", "agreement_as_retrieved", "agreement_rescaled"],
         "satellite soil moisture, a map"),
        ("Figure 13", "the same, each alone", ["agreement_map_alone_as_retrieved", "agreement_map_alone_rescaled"],
         "satellite soil moisture, a map"),
        ("Figure S1", "R by season over stations", ["soil_moisture_season_boxes"], stations),
        ("Tables S1, S2", "scores at all stations", ["soil_moisture_pairs", "soil_moisture_pair_means"], stations),
    ]  # fmt: skip
    rows = []
    for item, content, names, needs in items:
        files = [f"tables/{name}.csv" for name in names if name in page.tables]
        files += [f"figures/{name}.png" for name in names if name in page.figures]
        rows.append({"item": item, "content": content, "here": ", ".join(files) or f"not made: needs {needs}"})
    page.table("paper_items", pd.DataFrame(rows), f"Where the tables and figures of {PAPER} are.")
