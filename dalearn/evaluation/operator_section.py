"""The section of the report on the observation operators: training, comparison, Figure 4 of the paper."""

from collections.abc import Mapping

import numpy as np

from dalearn.evaluation.diagnostics import draw_training
from dalearn.evaluation.dots import DotPanel, draw_dots, draw_scatter
from dalearn.evaluation.key_numbers import count_cells, format_interval
from dalearn.evaluation.maps import MapPanel, draw_maps, maps_make_sense
from dalearn.evaluation.operator_tables import operator_table
from dalearn.evaluation.operator_test import OperatorTest
from dalearn.evaluation.page import Page
from dalearn.evaluation.report import format_number
from dalearn.evaluation.scores import common_samples, compute_scores
from dalearn.evaluation.style import VERMILLION, pretty_units, quantity_label, with_units

ENDS = ("", " low", " high")


def add_operators(page: Page, test: OperatorTest | None, losses: Mapping[str, np.ndarray], loss_label: str) -> None:
    """Training curves, operators compared on the test period, and Figure 4."""
    report = page.report
    report.section("Observation operators")
    if losses:
        page.figure(
            "training", draw_training(losses, loss_label, "Training"), "Training: median and quartiles over cells."
        )
    if test is None:
        page.absent("Predictions of the operators on a test period are not there.")
        return
    settings = page.settings.scores
    table = operator_table(test.predictions, test.observed, test.time, test.units, settings)
    main, *others = test.predictions
    page.table(
        "operators", table,
        "Operators on the test period, all on the same samples, means over cells with "
        f"{100 * settings.level:.0f} % block-bootstrap intervals. Differences "
        f"are from {main}: positive = {main} is closer to the observations.",
    )  # fmt: skip
    rows = {str(row["operator"]): row for row in table.to_dict("records")}
    rmsd, correlation = f"RMSD ({test.units})", "R"
    first = rows[main]
    observed, prediction, *_ = common_samples(test.observed, *test.predictions.values())
    cell_rmsd = compute_scores(prediction, observed, settings.minimum_count).rmsd
    unit = pretty_units(test.units)
    sentence = (
        f"{test.quantity} operator {main}, test period, {format_number(first['number'])} observations in "
        f"{count_cells(first['cells'])}: RMSD {format_interval([first[rmsd + end] for end in ENDS])} {unit}, R "
        f"{format_interval([first[correlation + end] for end in ENDS])}"
    )
    if page.cells.count > 1 and np.isfinite(cell_rmsd).any():
        sentence += f"; RMSD of the median cell {format_number(np.nanmedian(cell_rmsd))} {unit}"
    if others:
        listed = ", ".join(f"{name} {format_number(rows[name][rmsd])}" for name in others)
        sentence += f"; RMSD of {listed} {unit}"
    report.summary([sentence + "."])
    panels = [
        DotPanel(label, {name: (row[key], row[f"{key} low"], row[f"{key} high"]) for name, row in rows.items()})
        for key, label in ((rmsd, with_units("RMSD", test.units)), (correlation, "R"))
    ]
    title = f"{quantity_label(test.quantity)} operators, test period"
    if others:
        page.figure("operators", draw_dots(panels, title, {main: VERMILLION}), "Operators on the test period.")
    if maps_make_sense(page.cells):
        label = with_units(f"{quantity_label(test.quantity)} RMSD", test.units)
        page.figure(
            f"operator_test_{test.quantity}",
            draw_maps([MapPanel(f"{main}, test period", cell_rmsd, label)], page.cells),
            f"RMSD of the {main} predictions of {test.quantity} against observations. Hatched: not in the run. "
            "Triangles: stations.",
        )  # fmt: skip
    else:
        figure = draw_scatter(test.predictions, test.observed, test.quantity, test.units, title)
        page.figure(f"operator_test_{test.quantity}", figure, f"Predicted and observed {test.quantity}, test period.")
