"""The sections of the report on Corchia et al. (2023): statements with marks, findings, and where each item is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dalearn.evaluation import findings as found
from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.domain import Domain, domain_panels
from dalearn.evaluation.findings import Finding
from dalearn.evaluation.maps import maps_make_sense
from dalearn.evaluation.neutralised import NeutralisedTest, add_neutralised
from dalearn.evaluation.operator_test import OperatorTest
from dalearn.evaluation.page import CORCHIA, Page
from dalearn.evaluation.published import beside_published
from dalearn.evaluation.region_maps import draw_cell_maps
from dalearn.evaluation.roles import Roles
from dalearn.evaluation.scores import compute_scores
from dalearn.evaluation.settings_tables import experiment_table, hyperparameter_table
from dalearn.evaluation.statements import (
    Statement,
    only_summer,
    rmsd_differences,
    state_backscatter,
    state_leaves_at_stations,
    state_leaves_in_summer,
    state_months,
    state_noise_floor,
    statement_table,
)
from dalearn.evaluation.study_section import add_studies
from dalearn.evaluation.style import pretty_units
from dalearn.evaluation.table_parts import ScoreSettings

PAPER = CORCHIA


@dataclass(frozen=True)
class Evidence:
    """What of a run bears on the paper; each part may be missing.

    ``observed`` quantity -> comparison with its satellite observations, ``wetness`` the comparison with the satellite
    soil wetness as it is (not rescaled), ``truth`` LAI against the truth of a twin, ``monthly`` the monthly R of soil
    moisture (``monthly_table``), ``floor`` (cell,) the standard deviation of the backscatter error, ``above_range``
    experiment -> how often LAI is above the training range of the operator.
    """

    roles: Roles = field(default_factory=Roles)
    observed: Mapping[str, Comparison] = field(default_factory=dict)
    wetness: Comparison | None = None
    truth: Comparison | None = None
    monthly: pd.DataFrame | None = None
    operator_test: OperatorTest | None = None
    neutralised: Sequence[NeutralisedTest] = ()
    floor: np.ndarray | None = None
    above_range: Mapping[str, Statement] = field(default_factory=dict)

    @property
    def concerns_backscatter(self) -> bool:
        """Whether the run has anything of the paper in it: sigma0, observed, predicted or assimilated."""
        return bool(self.roles.radar) or "sigma0" in self.observed or self.operator_test is not None


def add_experiments(page: Page, domain: Domain | None) -> None:
    """Table 1, from the configuration, and Figure 1 where the land cover is given."""
    configuration = page.directory / "config.yaml"
    table = experiment_table(configuration) if configuration.exists() else pd.DataFrame()
    if len(table):
        page.table("experiments", table, f"As in {page.paper}, Table 1: experiments.")
    if domain is not None and maps_make_sense(page.cells):
        caption = page.as_in(
            PAPER, "Figure 1", "altitude, and fractions of the cell by vegetation. Triangles: stations."
        )
        page.figure("domain", draw_cell_maps(domain_panels(domain), page.cells, columns=3), caption)


def add_training(page: Page, neutralised: Sequence[NeutralisedTest]) -> None:
    """Table 2, Figures 2 and 3 and the studies; a sentence for what a trained operator has not left."""
    operator = page.directory / "operator.nc"
    if operator.exists():
        caption = f"As in {PAPER}, Table 2: hyper-parameters of the observation operator."
        page.table("hyperparameters", hyperparameter_table(operator), caption)
    else:
        page.absent("operator.nc is not there: the hyper-parameters of the operator are not known.")
    if neutralised:
        add_neutralised(page, neutralised)
    else:
        page.absent("Predictions with neutralised predictors were not given.")
    add_studies(page)


def add_statements(page: Page, evidence: Evidence) -> None:
    """The table of statements, in the report and at its top; a sentence where nothing can be stated."""
    page.report.section(f"Statements on {PAPER}")
    if evidence.truth is not None and page.cells.stations and evidence.roles.radar:
        page.table(
            "LAI_truth_stations",
            truth_station_table(evidence.truth, evidence.roles, page.cells, page.settings.scores),
            "LAI against the truth of the twin at the stations, from west to east: RMSD of the whole test period and "
            "of June to August, and differences from the open loop with their intervals.",
        )
    statements = collect_statements(evidence, page.cells, page.settings.scores)
    if not statements:
        page.absent(
            f"Statements on {PAPER}: they need an experiment that assimilates sigma0, or predictions of an operator "
            "for it with the error of its observations; neither is there."
        )
        return
    frame = statement_table(statements)
    level = f"{100 * page.settings.scores.level:.0f} %"
    caption = (
        "Key statements: the mark is met by the number itself, whatever its interval "
        f"({level}, block bootstrap in time, for R by station and year)."
    )
    page.table("key_statements", frame, "Key statements.", show=False)
    shown = frame.assign(units=["" if units == "1" else pretty_units(units) for units in frame["units"]])
    page.report.table(shown, caption)
    page.report.summary_table(shown.drop(columns="detail"), caption)


def collect_statements(evidence: Evidence, cells: Cells, settings: ScoreSettings) -> list[Statement]:
    """Every statement that the evidence allows, in the order of the paper."""
    statements: list[Statement | None] = []
    if evidence.operator_test is not None and evidence.floor is not None:
        statements.append(state_noise_floor(evidence.operator_test, evidence.floor, settings))
    for experiment in evidence.roles.radar:
        sigma0 = evidence.observed.get("sigma0")
        if sigma0 is not None and experiment in sigma0.runs:
            statements += state_backscatter(sigma0, experiment, settings)
        truth = evidence.truth
        if truth is not None and experiment in truth.runs:
            statements.append(state_leaves_at_stations(truth, experiment, cells, settings))
            if evidence.roles.retrievals in truth.runs:
                statements += state_leaves_in_summer(truth, experiment, evidence.roles.retrievals, cells, settings)
        statements.append(evidence.above_range.get(experiment))
        if evidence.monthly is not None:
            statements.append(state_months(evidence.monthly, experiment))
    return [statement for statement in statements if statement is not None]


def add_findings(page: Page, evidence: Evidence) -> None:
    """What the paper reports beside this run, and its station tables beside those of this run."""
    page.report.section(f"{PAPER} beside this run")
    findings = collect_findings(evidence, page.cells, page.settings.scores.minimum_count)
    if findings:
        page.table(
            "paper_findings", found.findings_table(findings),
            "What the paper reports and what this run gives. The analysis is scored, as in the paper; it has seen the "
            "observations it assimilates.",
        )  # fmt: skip
    else:
        page.absent(f"{PAPER} beside this run: there is no trained operator and no experiment with sigma0.")
    for experiment in evidence.roles.radar:
        for quantity, item in (("sigma0", "Table 3"), ("LAI", "Table 4")):
            comparison = evidence.observed.get(quantity)
            if comparison is None or experiment not in comparison.runs:
                continue
            frame = beside_published(comparison, experiment, page.cells, page.settings.scores.minimum_count)
            if frame is not None:
                page.table(
                    f"{quantity}_published_{experiment}", frame.drop(columns="quantity"),
                    f"{PAPER}, {item}, as printed and as in this run ({experiment}, {quantity}).",
                )  # fmt: skip


def collect_findings(evidence: Evidence, cells: Cells, minimum_count: int) -> list[Finding]:
    findings: list[Finding] = []
    roles, sigma0, leaves = evidence.roles, evidence.observed.get("sigma0"), evidence.observed.get("LAI")
    if evidence.neutralised:
        findings += found.find_drivers(evidence.neutralised[-1], cells, minimum_count)
    if evidence.operator_test is not None:
        findings += found.find_test_rmsd(evidence.operator_test, minimum_count)
    for experiment in roles.radar:
        if sigma0 is not None and experiment in sigma0.runs:
            findings += found.find_backscatter(sigma0, experiment, cells, minimum_count)
        if leaves is not None and experiment in leaves.runs:
            findings += found.find_leaves(leaves, experiment, roles.retrievals, cells, minimum_count)
        if evidence.wetness is not None and experiment in evidence.wetness.runs:
            findings += found.find_wetness(evidence.wetness, experiment, minimum_count)
        if evidence.monthly is not None:
            findings += found.find_months(evidence.monthly, experiment, roles.retrievals)
    return findings


def truth_station_table(truth: Comparison, roles: Roles, cells: Cells, settings: ScoreSettings) -> pd.DataFrame:
    """LAI RMSD against the truth by station, of the whole period and of June to August, for the runs with a role."""
    stations = cells.stations
    frame = pd.DataFrame(
        {
            "station": [cells.label(cell) for cell in stations],
            "vegetation class": [cells.vegetation_class[cell] for cell in stations],
        }
    )
    experiments = [name for name in (*roles.radar, roles.retrievals) if name in truth.runs]
    for comparison, season in ((truth, ""), (only_summer(truth), ", Jun-Aug")):
        common = comparison.common
        for run in (OPEN_LOOP, *experiments):
            score = compute_scores(common.runs[run], common.observed, settings.minimum_count)
            frame[f"{run} RMSD{season} ({truth.units})"] = score.rmsd[stations]
        for run in experiments:
            value, low, high = (values[stations] for values in rmsd_differences(comparison, run, OPEN_LOOP, settings))
            name = f"{run} difference{season} ({truth.units})"
            frame = frame.assign(**{name: value, f"{name} low": low, f"{name} high": high})
    return frame


def add_items(page: Page, evidence: Evidence) -> None:
    """Where each table and figure of the paper is: a file of this run, or why there is none."""
    page.report.section(f"Tables and figures of {PAPER}")
    rows = []
    for item, content, names, needs in _items(page, evidence):
        tables = [f"tables/{name}.csv" for name in names if name in page.tables]
        figures = [f"figures/{name}.png" for name in names if name in page.figures]
        files = ", ".join([*tables, *figures])
        rows.append({"item": item, "content": content, "here": files or f"not made: needs {needs}"})
    page.table("paper_items", pd.DataFrame(rows), f"Where the tables and figures of {PAPER} are.")


def _items(page: Page, evidence: Evidence) -> list[tuple[str, str, list[str], str]]:
    radar, series = evidence.roles.radar, [name for name in page.figures if name.startswith("series_")]
    unit = pretty_units("m2 m-2")
    experiment = "an experiment that assimilates sigma0"
    return [
        ("Table 1", "experiments", ["experiments"], "config.yaml"),
        ("Table 2", "hyper-parameters", ["hyperparameters"], "a trained operator"),
        ("Table 3", "sigma0 at the stations", [f"sigma0_stations_{name}" for name in radar], experiment),
        ("Table 4", "LAI at the stations", [f"LAI_stations_{name}" for name in radar], experiment),
        ("Figure 1", "domain and stations", ["domain"], "altitude and land cover, and cells that fill an area"),
        ("Figure 2", "architectures", ["architecture_study"], "the architecture study"),
        (
            "Figure 3", "neutralised predictors", ["neutralised_sigma0", "neutralised_predictors"],
            "a trained operator of sigma0",
        ),
        ("Figure 4", "test RMSD of sigma0 (dB)", ["operator_test_sigma0"], "predictions on a test period"),
        ("Figure 5", "sigma0 RMSD, analysis (dB)", [f"sigma0_map_{name}" for name in radar], f"{experiment}, a map"),
        ("Figure 6", f"LAI RMSD, analysis ({unit})", [f"LAI_map_{name}" for name in radar], f"{experiment}, a map"),
        ("Figure 7", f"LAI series at a station ({unit})", series, "LAI observations or a truth"),
        ("Figure 8", "R with soil wetness", ["SSM_correlation_difference"], "satellite soil moisture, a map"),
        ("Figure 9", "monthly R in situ", ["SSM_in_situ_monthly"], "in situ soil moisture"),
    ]  # fmt: skip
