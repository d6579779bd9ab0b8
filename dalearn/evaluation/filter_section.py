"""The section of the report on the filter: observations by fate, consistency, increments, Jacobians and gains."""

from collections.abc import Sequence

import numpy as np

from dalearn.evaluation.consistency import is_runaway
from dalearn.evaluation.consistency_figures import draw_gain
from dalearn.evaluation.consistency_section import add_consistency
from dalearn.evaluation.diagnostics import LAYER_DEPTHS, draw_increments, draw_innovations, draw_jacobian
from dalearn.evaluation.filter_tables import read_departures
from dalearn.evaluation.maps import maps_make_sense
from dalearn.evaluation.observation_counts import observation_count_table
from dalearn.evaluation.page import Page
from dalearn.evaluation.run_data import RunData, quantity_of
from dalearn.evaluation.style import quantity_label
from dalearn.variables import VARIABLES

CONTROL = ("LAI", "WG2", "WG3", "WG4", "WG5", "WG6", "WG7", "WG8")


def add_filter(page: Page, run: RunData, quantities: Sequence[str]) -> None:
    """What the filter did: counts, consistency, departures, increments, Jacobians and gains."""
    page.report.section("Assimilation")
    if run.analysis is None:
        page.absent("analysis.nc is not there: no experiment was run.")
        return
    rows = run.observation_rows(quantities)
    _add_counts(page, run, rows)
    add_consistency(page, run, rows)
    for quantity in rows:
        _add_departures(page, run, quantity)
    increments = {}
    for experiment in run.experiments:
        fields = _by_control(run, "{}_increment", experiment)
        if any(name in LAYER_DEPTHS for name in fields):
            increments[experiment] = fields
    if increments:
        caption = "Mean increment by soil layer and month, and of LAI, over the windows with an increment."
        page.figure("increments", draw_increments(increments, run.time, "Mean increments"), caption)
    else:
        page.absent("analysis.nc holds no increments.")
    for quantity in rows:
        for experiment in run.experiments:
            _add_jacobian(page, run, quantity, experiment)
            _add_gain(page, run, quantity, experiment)


def _add_counts(page: Page, run: RunData, rows: Sequence[str]) -> None:
    counts = observation_count_table(run, rows)
    if not len(counts):
        page.absent("analysis.nc holds no Q_rejected: it is not known which observations were rejected.")
        return
    caption = (
        "What became of the observations: read = left out + matched to a window end, matched = rejected by the filter "
        "+ assimilated."
    )
    page.table("observation_counts", counts, caption)
    if "read" not in counts:
        page.absent("analysis.nc holds no observation_count: observations read and left out are not known.")


def _add_departures(page: Page, run: RunData, quantity: str) -> None:
    units = run.units(f"{quantity}_observed")
    open_loop, observed = run.of_all(f"{quantity}_open_loop"), run.observed(quantity)
    shown: dict[str, np.ndarray] = {}
    for experiment in run.experiments:
        departures = read_departures(run, quantity, experiment)
        if departures is None:
            continue
        if not shown and open_loop is not None and observed is not None:
            shown["open loop"] = np.where(np.isfinite(departures.departure), observed - open_loop, np.nan)
        shown[f"{experiment} forecast"], shown[f"{experiment} analysis"] = departures.departure, departures.residual
    if not shown:
        return
    title = f"{quantity_label(quantity)}: observation − model"
    page.figure(f"innovations_{quantity}", draw_innovations(shown, quantity, units, title), f"{quantity}: departures.")


def _add_jacobian(page: Page, run: RunData, quantity: str, experiment: str) -> None:
    jacobians = _by_control(run, f"jacobian_{quantity}_{{}}", experiment)
    if not any(name in LAYER_DEPTHS for name in jacobians):
        return
    expected, error = (
        run.of_experiment(f"{quantity}_{name}_deviation", experiment) for name in ("expected", "observation")
    )
    if expected is not None and error is not None:
        runaway = is_runaway(expected, error)
        jacobians = {name: np.where(runaway, np.nan, values) for name, values in jacobians.items()}
    title = f"{quantity_label(quantity)} Jacobian, {experiment}: window end with respect to window start"
    figure = draw_jacobian(jacobians, run.time, quantity, _units(run, quantity), page.cells.vegetation_class, title)
    caption = (
        f"{experiment}: seasonal cycle of the derivatives of {quantity}; lines are means, shades quartiles; runaway "
        "windows left out."
    )
    page.figure(f"jacobian_{quantity}_{experiment}", figure, caption)


def _add_gain(page: Page, run: RunData, quantity: str, experiment: str) -> None:
    gains = _by_control(run, f"gain_{quantity}_{{}}", experiment)
    if not gains:
        return
    title = f"{quantity_label(quantity)} gain, {experiment}"
    figure = draw_gain(gains, run.time, quantity, _units(run, quantity), page.cells, title)
    what = "mean over the windows with an observation" if maps_make_sense(page.cells) else "seasonal cycle"
    page.figure(f"gain_{quantity}_{experiment}", figure, f"{experiment}: Kalman gain K for {quantity}, {what}.")


def _units(run: RunData, quantity: str) -> str:
    name = quantity_of(quantity)
    return run.units(f"{quantity}_observed", VARIABLES[name].units if name in VARIABLES else "")


def _by_control(run: RunData, pattern: str, experiment: str) -> dict[str, np.ndarray]:
    """Control variable -> (time, cell) of what is there."""
    stored = {name: run.of_experiment(pattern.format(name), experiment) for name in CONTROL}
    return {name: values for name, values in stored.items() if values is not None}
