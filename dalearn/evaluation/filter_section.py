"""The section of the report on the filter: rejections, departures, increments and Jacobians."""

from collections.abc import Sequence

import numpy as np

from dalearn.evaluation.diagnostics import LAYER_DEPTHS, draw_increments, draw_innovations, draw_jacobian
from dalearn.evaluation.operator_tables import departures, innovation_table, rejection_table
from dalearn.evaluation.page import Page
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.style import quantity_label
from dalearn.variables import VARIABLES

CONTROL = ("LAI", "WG2", "WG3", "WG4", "WG5", "WG6", "WG7", "WG8")


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
