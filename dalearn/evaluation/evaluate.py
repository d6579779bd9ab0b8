"""Evaluation of a run directory: tables, figures and one report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.compare import (
    ROOT_ZONE,
    compare_with_in_situ,
    compare_with_observations,
    compare_with_truth,
    compare_with_wetness,
)
from dalearn.evaluation.comparison import Comparison
from dalearn.evaluation.domain import Domain
from dalearn.evaluation.filter_section import add_filter
from dalearn.evaluation.joint_section import JointEvidence, add_joint_assimilation
from dalearn.evaluation.maps import shared_span
from dalearn.evaluation.matching import ObservationSeries
from dalearn.evaluation.neutralised import NeutralisedTest
from dalearn.evaluation.operator_section import add_operators, cell_rmsd
from dalearn.evaluation.operator_test import OperatorTest, read_losses, read_operator_test
from dalearn.evaluation.page import ROJAS_MUNOZ, EvaluationSettings, Page
from dalearn.evaluation.panels import rmsd_by_run
from dalearn.evaluation.paper_section import (
    Evidence,
    add_experiments,
    add_findings,
    add_items,
    add_statements,
    add_training,
)
from dalearn.evaluation.range_share import state_above_range
from dalearn.evaluation.report import Report
from dalearn.evaluation.roles import find_joint_roles, find_roles
from dalearn.evaluation.run_data import RunData, open_run
from dalearn.evaluation.run_sections import (
    add_jacobian_comparison,
    add_observations,
    add_open_loop,
    add_warnings,
    add_what_was_run,
)
from dalearn.evaluation.score_sections import (
    add_in_situ_scores,
    add_observation_scores,
    add_truth_scores,
    add_wetness_scores,
)
from dalearn.evaluation.series_section import add_series
from dalearn.evaluation.statements import error_of_cells

QUANTITIES = ("sigma0", "LAI", "SSM")
OPERATOR_FILE = "operator.nc"
OPERATOR_TEST_FILE = "operator_test.nc"
TRAINING_FILE = "training.nc"


@dataclass(frozen=True)
class EvaluationResult:
    """What was written, by name, and what could not be for want of an input."""

    report: Path
    tables: Mapping[str, Path]
    figures: Mapping[str, Path]
    missing: Sequence[str]


def evaluate_run(
    directory: Path,
    cells: Cells,
    *,
    observations: Sequence[ObservationSeries] = (),
    in_situ: ObservationSeries | None = None,
    root_zone: ObservationSeries | None = None,
    operator_test: OperatorTest | None = None,
    operator_scores: pd.DataFrame | None = None,
    neutralised: Sequence[NeutralisedTest] = (),
    wetness: ObservationSeries | None = None,
    domain: Domain | None = None,
    jacobian_comparison: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    title: str = "",
    settings: EvaluationSettings | None = None,
) -> EvaluationResult:
    """Score a run and write ``tables/*.csv``, ``figures/*.png`` and ``report.html`` into ``directory``.

    Read from ``directory``: open_loop.nc, analysis.nc, truth.nc (twin), operator_test.nc (unless ``operator_test`` is
    given), training.nc, config.yaml, provenance.json; at least one of the first two must be there, any other may be
    missing and the report says so.

    Args:
        cells: where the cells are, station names and vegetation classes, in the order of the files.
        observations: satellite observations by quantity (sigma0, LAI, SSM), used where analysis.nc holds none
            because no experiment assimilated them; time (sample,) datetime64, cell (sample,) index, value (sample,).
        in_situ: surface soil moisture at stations, m3 m-3, same attributes.
        root_zone: soil moisture at stations at a depth of 30 cm, m3 m-3.
        operator_scores: table of operators made by training, to be shown instead of the one made here.
        neutralised: predictions of the trained operator with its predictors held at their means, by period.
        wetness: satellite soil moisture before it is rescaled to the model; by default that of ``observations``.
        domain: altitude and land cover of the cells, to be mapped.
        jacobian_comparison: what ``dalearn jacobian --json`` prints.
        warnings: sentences for the last section, such as operators leaving their training range.

    Raises InputError when there is nothing to evaluate or the files do not fit the cells.
    """
    directory = Path(directory)
    settings = settings or EvaluationSettings()
    if operator_test is None and (directory / OPERATOR_TEST_FILE).exists():
        operator_test = read_operator_test(directory / OPERATOR_TEST_FILE)
    with open_run(directory, cells.count, settings.window_end_hour) as run:
        period = f"{str(run.time[0])[:10]} to {str(run.time[-1])[:10]}"
        page = Page(directory, cells, settings, Report(title or f"Evaluation of {directory.name}", period))
        by_quantity = {series.quantity: series for series in observations}
        compared = {
            name: compare_with_observations(run, name, by_quantity.get(name), settings.satellite_tolerance_hours)
            for name in QUANTITIES
        }
        joint_roles = find_joint_roles(run)
        about_backscatter = operator_test is not None or isinstance(compared["sigma0"], Comparison)
        if joint_roles.concern_paper and not about_backscatter:
            page.paper = ROJAS_MUNOZ
        _set_spans(page, compared, operator_test)
        add_what_was_run(page, run)
        add_experiments(page, domain)
        add_open_loop(page, run)
        add_operators(page, operator_test, operator_scores, *read_losses(directory / TRAINING_FILE))
        if operator_test is not None:
            add_training(page, neutralised)
        add_observations(page, [*observations, *(probes for probes in (in_situ, root_zone) if probes)])
        add_filter(page, run, QUANTITIES)
        wetness = wetness or by_quantity.get("SSM")
        evidence, joint = _add_scores(page, run, compared, in_situ, wetness)
        floor = error_of_cells(by_quantity["sigma0"], cells.count) if "sigma0" in by_quantity else None
        of_sigma0 = operator_test if operator_test is not None and operator_test.quantity == "sigma0" else None
        evidence = replace(evidence, operator_test=of_sigma0, neutralised=neutralised, floor=floor)
        if page.paper == ROJAS_MUNOZ:
            units = wetness.units if wetness is not None else ""
            joint = joint._replace(roles=joint_roles, satellite_units=units, root_zone=root_zone)
            add_joint_assimilation(page, run, joint)
    if evidence.concerns_backscatter:
        add_statements(page, evidence)
        add_findings(page, evidence)
        add_items(page, evidence)
    add_jacobian_comparison(page, jacobian_comparison)
    add_warnings(page, warnings)
    page.summarise()
    report = page.report.write(directory / "report.html")
    return EvaluationResult(report, page.tables, page.figures, page.missing)


def _set_spans(page: Page, compared: Mapping[str, Comparison | str], operator_test: OperatorTest | None) -> None:
    """The colours of the RMSD maps of a quantity: those of the operator and of all analyses together."""
    for quantity, comparison in compared.items():
        fields = []
        if operator_test is not None and operator_test.quantity == quantity:
            fields.append(cell_rmsd(page, operator_test))
        if isinstance(comparison, Comparison) and not comparison.correlation_only:
            rmsd = rmsd_by_run(comparison, page.settings.scores.minimum_count)
            fields += [rmsd[name] for name in comparison.experiments]
        page.map_spans[quantity] = shared_span(fields)


def _add_scores(
    page: Page,
    run: RunData,
    compared: Mapping[str, Comparison | str],
    in_situ: ObservationSeries | None,
    wetness: ObservationSeries | None,
) -> tuple[Evidence, JointEvidence]:
    page.report.section("Evaluation")
    known: dict[str, Comparison] = {}
    for quantity, comparison in compared.items():
        if isinstance(comparison, str):
            page.absent(comparison)
            continue
        add_observation_scores(page, run, comparison)
        known[quantity] = comparison
    to_draw, monthly = dict(known), None
    retrieved = compare_with_wetness(run, wetness, page.settings.satellite_tolerance_hours)
    if isinstance(retrieved, str):
        page.absent(retrieved)
    else:
        add_wetness_scores(page, retrieved)
    local = compare_with_in_situ(run, in_situ, page.settings.in_situ_tolerance_hours)
    if isinstance(local, str):
        page.absent(local)
    else:
        monthly = add_in_situ_scores(page, local)
        to_draw["SSM"] = local
    truths = [compare_with_truth(run, quantity) for quantity in ("LAI", "SSM", ROOT_ZONE)]
    true = [truth for truth in truths if isinstance(truth, Comparison)]
    if true:
        add_truth_scores(page, true)
    leaves = truths[0] if isinstance(truths[0], Comparison) else None
    if leaves is not None:
        to_draw.setdefault("LAI", leaves)
    add_series(page, run, list(to_draw.values()))
    roles = find_roles(run)
    above = {name: state_above_range(run, name, page.directory / OPERATOR_FILE, page.cells) for name in roles.radar}
    as_retrieved = None if isinstance(retrieved, str) else retrieved
    evidence = Evidence(
        roles, known, as_retrieved, truth=leaves, monthly=monthly,
        above_range={name: statement for name, statement in above.items() if statement is not None},
    )  # fmt: skip
    joint = JointEvidence(
        retrieved=as_retrieved, rescaled=known.get("SSM"),
        in_situ=None if isinstance(local, str) else local,
        truth=truths[1] if isinstance(truths[1], Comparison) else None,
    )  # fmt: skip
    return evidence, joint
