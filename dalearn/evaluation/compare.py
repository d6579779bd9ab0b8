"""Comparisons of a run directory: with assimilated observations, with independent ones, with the truth of a twin.

Every function returns the comparison, or a sentence saying which input was not there: a report on part of a run is
worth more than an exception.
"""

import numpy as np

from dalearn.evaluation.comparison import OPEN_LOOP, Comparison, forecast_label
from dalearn.evaluation.matching import ObservationSeries, match_to_times
from dalearn.evaluation.run_data import RunData
from dalearn.variables import VARIABLES

# The state variable that a direct observation of the quantity sees: WG2 is the 1-4 cm layer.
STATE_VARIABLE = {"LAI": "LAI", "SSM": "WG2"}
LAYER_THICKNESS = {"WG2": 0.03, "WG3": 0.06, "WG4": 0.10, "WG5": 0.20, "WG6": 0.20, "WG7": 0.20, "WG8": 0.20}  # m
ROOT_ZONE = "root-zone soil moisture"

Runs = dict[str, np.ndarray]


def compare_with_observations(
    run: RunData, quantity: str, observations: ObservationSeries | None, tolerance_hours: float
) -> Comparison | str:
    """All runs against the observations of ``quantity`` at the window ends.

    The observations are those of analysis.nc, or ``observations`` matched to the window ends where it holds none.
    Model equivalents are ``Q_open_loop``, ``Q_model_forecast`` and ``Q_model_analysis``.  Where an experiment lacks
    them, LAI and SSM fall back for ALL runs on the state itself (LAI, WG2), so that like is compared with like.
    """
    observed, units = run.observed(quantity), run.units(f"{quantity}_observed")
    reference = f"{quantity} observations"
    if observed is None and observations is not None:
        observed = match_to_times(observations, run.time, run.cell_count, tolerance_hours)
        units = observations.units
    if observed is None or not np.isfinite(observed).any():
        return f"{quantity}: no observations at the window ends, neither in analysis.nc nor given beside it."
    stored, missing = _stored_equivalents(run, quantity)
    if not missing:
        return Comparison(quantity, units, reference, run.time, observed, stored)
    if quantity in STATE_VARIABLE:
        state, note = _states(run, STATE_VARIABLE[quantity])
        if state:
            state_units = VARIABLES[STATE_VARIABLE[quantity]].units
            other = bool(units) and units != state_units
            return Comparison(quantity, state_units, reference, run.time, observed, state, other, note)
    if OPEN_LOOP not in stored:
        return f"{quantity}: analysis.nc holds no {quantity}_open_loop, so no run can be compared with the open loop."
    notes = tuple(f"{label}: no {quantity} equivalent in analysis.nc, left out." for label in missing)
    return Comparison(quantity, units, reference, run.time, observed, stored, notes=notes)


def compare_with_wetness(
    run: RunData, observations: ObservationSeries | None, tolerance_hours: float
) -> Comparison | str:
    """R of WG2 of all runs with satellite soil moisture as it was retrieved: Figure 8 of Corchia et al. (2023).

    Soil moisture that was rescaled to the model by month holds the model's own seasonal cycle, which is not what a
    correlation should measure.
    """
    if observations is None:
        return "Satellite soil moisture as retrieved: no observations were given."
    observed = match_to_times(observations, run.time, run.cell_count, tolerance_hours)
    if not np.isfinite(observed).any():
        return f"Satellite soil moisture as retrieved: no sample within {tolerance_hours:g} h of a window end."
    runs, notes = _states(run, "WG2", forecasts=False)
    if not runs:
        return "Satellite soil moisture as retrieved: open_loop.nc with WG2 is not there."
    units = VARIABLES["WG2"].units
    return Comparison("SSM", units, "satellite soil moisture", run.time, observed, runs, True, notes)


def compare_with_in_situ(
    run: RunData, observations: ObservationSeries | None, tolerance_hours: float
) -> Comparison | str:
    """WG2 of all runs against in situ surface soil moisture averaged around the window end."""
    if observations is None:
        return "In situ soil moisture: no observations were given."
    observed = match_to_times(observations, run.time, run.cell_count, tolerance_hours)
    if not np.isfinite(observed).any():
        return f"In situ soil moisture: no sample within {tolerance_hours:g} h of a window end."
    runs, notes = _states(run, "WG2")
    if not runs:
        return "In situ soil moisture: open_loop.nc with WG2 is not there."
    units = VARIABLES["WG2"].units
    other = observations.units not in ("", units)
    return Comparison("SSM", units, "in situ soil moisture", run.time, observed, runs, other, notes)


def compare_with_truth(run: RunData, quantity: str) -> Comparison | str:
    """LAI, SSM (WG2) or the root-zone mean of WG2..WG8 of all runs against the truth run of a twin."""
    if run.truth is None:
        return "truth.nc is not there: not a twin experiment."
    if quantity == ROOT_ZONE:
        truth, runs, units = root_zone(run, "truth"), _root_zones(run), VARIABLES["WG2"].units
    else:
        variable = STATE_VARIABLE[quantity]
        truth, units = run.of_state("truth", variable), VARIABLES[variable].units
        runs = _states(run, variable, forecasts=False)[0]
    if truth is None or not runs:
        return f"{quantity}: not in both truth.nc and open_loop.nc."
    return Comparison(quantity, units, "truth", run.time, truth, runs)


def root_zone(run: RunData, source: str) -> np.ndarray | None:
    """Mean liquid water content from 1 to 100 cm of "open_loop", "truth" or an experiment, (time, cell), m3 m-3.

    Layers WG2..WG8 weighted by their thickness; layers a cell does not have (NaN) carry no weight.
    """
    total = np.zeros((len(run.time), run.cell_count))
    depth = np.zeros_like(total)
    for variable, thickness in LAYER_THICKNESS.items():
        stored = source in ("open_loop", "truth")
        values = run.of_state(source, variable) if stored else run.of_experiment(variable, source)
        if values is not None:
            present = np.isfinite(values)
            total += np.where(present, values, 0.0) * thickness
            depth += present * thickness
    return np.where(depth > 0, total / np.maximum(depth, 1e-6), np.nan) if depth.any() else None


def _root_zones(run: RunData) -> Runs:
    open_loop = root_zone(run, "open_loop")
    if open_loop is None:
        return {}
    analyses = {experiment: root_zone(run, experiment) for experiment in run.experiments}
    return {OPEN_LOOP: open_loop, **{name: values for name, values in analyses.items() if values is not None}}


def _stored_equivalents(run: RunData, quantity: str) -> tuple[Runs, list[str]]:
    candidates = {OPEN_LOOP: run.of_all(f"{quantity}_open_loop")}
    for experiment in run.experiments:
        candidates[forecast_label(experiment)] = run.of_experiment(f"{quantity}_model_forecast", experiment)
        candidates[experiment] = run.of_experiment(f"{quantity}_model_analysis", experiment)
    runs = {label: values for label, values in candidates.items() if values is not None}
    return runs, [label for label in candidates if label not in runs]


def _states(run: RunData, variable: str, forecasts: bool = True) -> tuple[Runs, tuple[str, ...]]:
    """``variable`` of the open loop and of every experiment that has it; empty without the open loop."""
    open_loop = run.of_state("open_loop", variable)
    if open_loop is None:
        return {}, ()
    runs, notes = {OPEN_LOOP: open_loop}, []
    for experiment in run.experiments:
        analysis = run.of_experiment(variable, experiment)
        forecast = run.of_experiment(f"{variable}_forecast", experiment)
        if analysis is None:
            notes.append(f"{experiment}: no {variable} in analysis.nc, left out.")
            continue
        if forecasts and forecast is not None:
            runs[forecast_label(experiment)] = forecast
        runs[experiment] = analysis
    return runs, tuple(notes)
