"""Sections of the report on the run itself: what was run, the open loop, operators, the filter, Jacobians."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dalearn.evaluation.compare import ROOT_ZONE, root_zone
from dalearn.evaluation.diagnostics import (
    LAYER_DEPTHS,
    draw_increments,
    draw_innovations,
    draw_jacobian,
    draw_training,
)
from dalearn.evaluation.dots import DotPanel, draw_dots, draw_scatter
from dalearn.evaluation.maps import MapPanel, draw_maps, maps_make_sense
from dalearn.evaluation.operator_tables import departures, innovation_table, operator_table, rejection_table
from dalearn.evaluation.operator_test import OperatorTest
from dalearn.evaluation.page import Page
from dalearn.evaluation.report import format_number
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.scores import compute_scores
from dalearn.evaluation.style import VERMILLION, pretty_units, quantity_label, with_units
from dalearn.evaluation.wording import format_interval
from dalearn.variables import VARIABLES

CONTROL = ("LAI", "WG2", "WG3", "WG4", "WG5", "WG6", "WG7", "WG8")


def add_what_was_run(page: Page, run: RunData) -> None:
    """Period, cells, experiments, configuration, versions and inputs, from what the run directory holds."""
    cells, report = page.cells, page.report
    report.section("What was run")
    experiments = ", ".join(run.experiments) or "none"
    classes = pd.Series([name or "unknown" for name in cells.vegetation_class]).value_counts()
    report.items(
        [
            f"Run directory: {run.path.name}",
            f"Window ends: {len(run.time)}, from {run.time[0]} to {run.time[-1]} UTC",
            f"Cells: {cells.count} ({', '.join(f'{name} {count}' for name, count in classes.items())}); "
            f"stations: {len(cells.stations)}",
            f"Experiments beside the open loop: {experiments}",
        ]
    )
    provenance = run.path / "provenance.json"
    if provenance.exists():
        record = json.loads(provenance.read_text())
        versions = ", ".join(f"{name} {version}" for name, version in record.get("versions", {}).items())
        report.paragraph(f"Versions: {versions or 'not recorded'}. Commit: {record.get('commit') or 'not recorded'}.")
        inputs = pd.DataFrame(record.get("inputs", []))
        if len(inputs):
            keep = [name for name in ("path", "bytes", "sha256") if name in inputs]
            report.table(inputs[keep], "Input files.")
    else:
        page.absent("provenance.json is not there: versions and inputs are not known.")
    configuration = run.path / "config.yaml"
    if configuration.exists():
        report.code(configuration.read_text(), "Configuration")
    else:
        page.absent("config.yaml is not there: the configuration is not known.")


def add_open_loop(page: Page, run: RunData) -> None:
    """Mean and range of the open loop, and of the truth of a twin, at the window ends."""
    page.report.section("Open loop")
    if run.open_loop is None:
        page.absent("open_loop.nc is not there.")
        return
    rows = []
    for source in ("open_loop", "truth"):
        fields = {name: run.of_state(source, name) for name in ("WG2", "TG2", "LAI")}
        fields[ROOT_ZONE] = root_zone(run, source)
        for name, values in fields.items():
            if values is None:
                continue
            known = values[np.isfinite(values)]
            units = VARIABLES[name if name in VARIABLES else "WG2"].units
            low, middle, high = np.quantile(known, [0.01, 0.5, 0.99])
            row = {
                "run": source.replace("_", " "),
                "variable": name,
                "units": pretty_units(units),
                "mean": known.mean(),
            }
            rows.append(row | {"1 %": low, "median": middle, "99 %": high})
    page.table("open_loop", pd.DataFrame(rows), "State at the window ends, over all cells and windows.")


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
    sentence = (
        f"{test.quantity} operator {main} on {first['number']} test observations in {first['cells']} cells: RMSD "
        f"{format_interval(*(first[rmsd + end] for end in ('', ' low', ' high')))} {pretty_units(test.units)}, R "
        f"{format_interval(*(first[correlation + end] for end in ('', ' low', ' high')))}"
    )
    if others:
        sentence += "; " + ", ".join(f"{name} {format_number(rows[name][rmsd])}" for name in others) + " RMSD"
    report.summary([sentence + "."])
    panels = [
        DotPanel(label, {name: (row[key], row[f"{key} low"], row[f"{key} high"]) for name, row in rows.items()})
        for key, label in ((rmsd, with_units("RMSD", test.units)), (correlation, "R"))
    ]
    title = f"{quantity_label(test.quantity)} operators, test period"
    if others:
        page.figure("operators", draw_dots(panels, title, {main: VERMILLION}), "Operators on the test period.")
    if maps_make_sense(page.cells):
        scores = compute_scores(test.predictions[main], test.observed, settings.minimum_count).rmsd
        label = with_units(f"{quantity_label(test.quantity)} RMSD", test.units)
        page.figure(
            f"operator_test_{test.quantity}", draw_maps([MapPanel(f"{main}, test period", scores, label)], page.cells),
            f"RMSD of the {main} predictions of {test.quantity} against observations, median "
            f"{np.nanmedian(scores):.3f} {pretty_units(test.units)}. Hatched: not in the run. Triangles: stations.",
        )  # fmt: skip
    else:
        figure = draw_scatter(test.predictions, test.observed, test.quantity, test.units, title)
        page.figure(f"operator_test_{test.quantity}", figure, f"Predicted and observed {test.quantity}, test period.")


def add_filter(page: Page, run: RunData, quantities: Sequence[str]) -> None:
    """What the filter did: rejections, departures, increments and Jacobians."""
    page.report.section("Assimilation")
    if run.analysis is None:
        page.absent("analysis.nc is not there: no experiment was run.")
        return
    rejections = rejection_table(run, quantities)
    if len(rejections):
        page.table("rejections", rejections, "Observations at the window ends: assimilated, and rejected by reason.")
    else:
        page.absent("analysis.nc holds no Q_rejected: it is not known which observations were rejected.")
    for quantity in quantities:
        _add_departures(page, run, quantity)
    increments = {}
    for experiment in run.experiments:
        stored = {name: run.of_experiment(f"{name}_increment", experiment) for name in CONTROL}
        fields = {name: values for name, values in stored.items() if values is not None}
        if any(name in LAYER_DEPTHS for name in fields):
            increments[experiment] = fields
    if increments:
        caption = "Mean increment by soil layer and month, and of LAI, over the windows with an increment."
        page.figure("increments", draw_increments(increments, run.time, "Mean increments"), caption)
    else:
        page.absent("analysis.nc holds no increments.")
    for quantity in quantities:
        for experiment in run.experiments:
            _add_jacobian(page, run, quantity, experiment)


def _add_departures(page: Page, run: RunData, quantity: str) -> None:
    table = innovation_table(run, quantity)
    if not len(table):
        return
    page.table(
        f"{quantity}_departures", table,
        f"{quantity}: departures (observation − forecast) and residuals (observation − analysis) of the assimilated "
        "observations. The diagnosed observation error equals the one the filter used when B and R are right.",
    )  # fmt: skip
    units = run.units(f"{quantity}_observed")
    open_loop, observed = run.of_all(f"{quantity}_open_loop"), run.observed(quantity)
    shown: dict[str, np.ndarray] = {}
    for experiment in table["experiment"]:
        pair = departures(run, quantity, experiment)
        if pair is None:
            continue
        if not shown and open_loop is not None and observed is not None:
            shown["open loop"] = np.where(np.isfinite(pair[0]), observed - open_loop, np.nan)
        shown[f"{experiment} forecast"], shown[f"{experiment} analysis"] = pair
    title = f"{quantity_label(quantity)}: observation − model"
    page.figure(f"innovations_{quantity}", draw_innovations(shown, quantity, units, title), f"{quantity}: departures.")


def _add_jacobian(page: Page, run: RunData, quantity: str, experiment: str) -> None:
    stored = {name: run.of_experiment(f"jacobian_{quantity}_{name}", experiment) for name in CONTROL}
    jacobians = {name: values for name, values in stored.items() if values is not None}
    if not any(name in LAYER_DEPTHS for name in jacobians):
        return
    units = run.units(f"{quantity}_observed", VARIABLES[quantity].units if quantity in VARIABLES else "")
    title = f"{quantity_label(quantity)} Jacobian, {experiment}: window end with respect to window start"
    figure = draw_jacobian(jacobians, run.time, quantity, units, page.cells.vegetation_class, title)
    caption = f"{experiment}: seasonal cycle of the derivatives of {quantity}; lines are means, shades quartiles."
    page.figure(f"jacobian_{quantity}_{experiment}", figure, caption)


def add_jacobian_comparison(page: Page, comparison: Mapping[str, Any] | None) -> None:
    """Finite differences against autograd, in the form that ``dalearn jacobian --json`` prints."""
    page.report.section("Jacobians: finite differences and autograd")
    if comparison is None:
        page.absent("No comparison of the two Jacobians was given (dalearn jacobian makes one).")
        return
    agreement = (
        pd.DataFrame.from_dict(comparison.get("agreement", {}), orient="index").rename_axis("variable").reset_index()
    )
    cost = pd.DataFrame.from_dict(comparison.get("cost", {}), orient="index").rename_axis("back end").reset_index()
    columns = {
        "max_rel": "largest error / row maximum",
        "median_rel": "median error / row maximum",
        "kink_share": "share on a kink",
    }
    names = {"seconds": "time (s)", "forward_runs": "forward runs", "peak_memory_bytes": "peak memory (bytes)"}
    if len(agreement):
        caption = (
            f"Agreement over {comparison.get('columns', 'the')} columns, {comparison.get('dtype', '')}; kinks excluded."
        )
        page.table("jacobian_agreement", agreement.rename(columns=columns), caption)
    if len(cost):
        page.table("jacobian_cost", cost.rename(columns=names), "Cost of each back end.")


def add_warnings(page: Page, warnings: Sequence[str]) -> None:
    """Range excursions, rejected observations and whatever else the stages warned of."""
    page.report.section("Warnings")
    if warnings:
        page.report.items(list(warnings))
    else:
        page.report.paragraph("None.")
    if page.missing:
        page.report.paragraph("Inputs that were not there:")
        page.report.items(page.missing)
