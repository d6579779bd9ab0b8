"""Evaluation of a run directory: tables, figures and one report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.compare import (
    ROOT_ZONE,
    compare_with_in_situ,
    compare_with_observations,
    compare_with_truth,
)
from dalearn.evaluation.comparison import Comparison
from dalearn.evaluation.filter_section import add_filter
from dalearn.evaluation.matching import ObservationSeries
from dalearn.evaluation.operator_section import add_operators
from dalearn.evaluation.operator_test import OperatorTest, read_losses, read_operator_test
from dalearn.evaluation.page import EvaluationSettings, Page
from dalearn.evaluation.report import Report
from dalearn.evaluation.run_data import RunData, open_run
from dalearn.evaluation.run_sections import (
    add_jacobian_comparison,
    add_observations,
    add_open_loop,
    add_warnings,
    add_what_was_run,
)
from dalearn.evaluation.score_sections import add_in_situ_scores, add_observation_scores, add_truth_scores
from dalearn.evaluation.series_section import add_series

QUANTITIES = ("sigma0", "LAI", "SSM")
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
    operator_test: OperatorTest | None = None,
    operator_scores: pd.DataFrame | None = None,
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
        operator_scores: table of operators made by training, to be shown instead of the one made here.
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
        add_what_was_run(page, run)
        add_open_loop(page, run)
        add_operators(page, operator_test, operator_scores, *read_losses(directory / TRAINING_FILE))
        add_observations(page, [*observations, *([in_situ] if in_situ else [])])
        add_filter(page, run, QUANTITIES)
        _add_scores(page, run, observations, in_situ)
    add_jacobian_comparison(page, jacobian_comparison)
    add_warnings(page, warnings)
    page.summarise()
    report = page.report.write(directory / "report.html")
    return EvaluationResult(report, page.tables, page.figures, page.missing)


def _add_scores(
    page: Page, run: RunData, observations: Sequence[ObservationSeries], in_situ: ObservationSeries | None
) -> None:
    page.report.section("Evaluation")
    by_quantity = {series.quantity: series for series in observations}
    to_draw: dict[str, Comparison] = {}
    for quantity in QUANTITIES:
        tolerance = page.settings.satellite_tolerance_hours
        comparison = compare_with_observations(run, quantity, by_quantity.get(quantity), tolerance)
        if isinstance(comparison, str):
            page.absent(comparison)
            continue
        add_observation_scores(page, run, comparison)
        to_draw[quantity] = comparison
    local = compare_with_in_situ(run, in_situ, page.settings.in_situ_tolerance_hours)
    if isinstance(local, str):
        page.absent(local)
    else:
        add_in_situ_scores(page, local)
        to_draw["SSM"] = local
    truths = [compare_with_truth(run, quantity) for quantity in ("LAI", "SSM", ROOT_ZONE)]
    known = [truth for truth in truths if isinstance(truth, Comparison)]
    if known:
        add_truth_scores(page, known)
    if isinstance(truths[0], Comparison):
        to_draw.setdefault("LAI", truths[0])
    add_series(page, run, list(to_draw.values()))
