"""The section of the report on the observation operators: training, comparison, Figure 4 of the paper."""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

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


def add_operators(
    page: Page,
    test: OperatorTest | None,
    scores: pd.DataFrame | None,
    losses: Mapping[str, np.ndarray],
    loss_label: str,
) -> None:
    """Training curves, operators compared on the test period, and Figure 4.

    ``scores`` replaces the ``operator_table`` of ``test`` where training has made one of its own, over several seeds.
    """
    page.report.section("Observation operators")
    if losses:
        figure = draw_training(losses, loss_label, "Training")
        page.figure("training", figure, "Training: median (line) and quartiles (shade) over cells.")
    if test is None:
        page.absent("Predictions of the operators on a test period are not there.")
        return
    settings = page.settings.scores
    table = operator_table(test.predictions, test.observed, test.time, test.units, settings)
    page.table("operators", table if scores is None else scores, _caption(settings.level))
    _add_comparison(page, table if scores is None else scores, test)
    main = next(iter(test.predictions))
    symbol = quantity_label(test.quantity)
    if maps_make_sense(page.cells):
        label = with_units(f"{symbol} RMSD", test.units)
        page.figure(
            f"operator_test_{test.quantity}",
            draw_maps(
                [
                    MapPanel(
                        f"{main}, test period", cell_rmsd(page, test), label, span=page.map_spans.get(test.quantity)
                    )
                ],
                page.cells,
            ),
            f"As in Corchia et al. (2023), Figure 4: RMSD of the {main} predictions of {test.quantity} against "
            "observations, test period. Hatched: not in the run. Triangles: stations.",
        )
    else:
        title = f"{symbol} operators, test period"
        figure = draw_scatter(test.predictions, test.observed, test.quantity, test.units, title)
        page.figure(f"operator_test_{test.quantity}", figure, f"Predicted and observed {test.quantity}, test period.")


def _add_comparison(page: Page, table: pd.DataFrame, test: OperatorTest) -> None:
    """The sentence at the top of the report and the figure of the scores, the first row of ``table`` in front."""
    first, *others = table.to_dict("records")
    rmsd, unit = f"RMSD ({test.units})", pretty_units(test.units)
    sentence = (
        f"{test.quantity} operator {first['operator']}, test period, {format_number(first['number'])} observations in "
        f"{count_cells(int(first.get('cells', page.cells.count)))}: RMSD {_with_interval(first, rmsd)} {unit}, R "
        f"{_with_interval(first, 'R')}"
    )
    rmsd_of_cells = cell_rmsd(page, test)
    if page.cells.count > 1 and np.isfinite(rmsd_of_cells).any():
        sentence += f"; RMSD of the median cell {format_number(np.nanmedian(rmsd_of_cells))} {unit}"
    baselines = [row for row in others if row["operator"] in test.predictions]
    if baselines:
        listed = [
            f"{row['operator']} {_with_interval(row, rmsd)} {unit}, R {_with_interval(row, 'R')}" for row in baselines
        ]
        sentence += f". On the same samples: {'; '.join(listed)}"
    page.report.summary([sentence + "."])
    panels = [
        DotPanel(
            label, {row["operator"]: (row[key], row[f"{key} low"], row[f"{key} high"]) for row in (first, *others)}
        )
        for key, label in ((rmsd, with_units("RMSD", test.units)), ("R", "R"))
    ]
    if others:
        title = f"{quantity_label(test.quantity)} operators, test period"
        figure = draw_dots(panels, title, {first["operator"]: VERMILLION})
        page.figure("operators", figure, "Operators on the test period.")


def _caption(level: float) -> str:
    return (
        "Operators on the test period, all on the same samples, means over cells with "
        f'{100 * level:.0f} % block-bootstrap intervals. "RMSD - X" is the row minus X: negative where the row is '
        "closer to the observations than X; bold where the interval does not contain 0."
    )


def cell_rmsd(page: Page, test: OperatorTest) -> np.ndarray:
    """RMSD of the first operator of ``test``, (cell,), on the samples common to all operators."""
    observed, prediction, *_ = common_samples(test.observed, *test.predictions.values())
    return compute_scores(prediction, observed, page.settings.scores.minimum_count).rmsd


def _with_interval(row: Mapping[Hashable, float], score: str) -> str:
    return format_interval([row[f"{score}{end}"] for end in ("", " low", " high")])
