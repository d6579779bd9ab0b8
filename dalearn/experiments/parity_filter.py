"""``dalearn parity-filter``: Jacobians, gains, increments and analyses against stored SURFEX SODA runs."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dalearn.assimilation.backends import Linearisation
from dalearn.assimilation.control import DEFAULT_CONTROL
from dalearn.assimilation.covariance import ObservationErrorSettings
from dalearn.assimilation.leaves import surfex_biomass_per_leaf_area
from dalearn.assimilation.settings import FilterSettings
from dalearn.assimilation.update import Update, update
from dalearn.experiments.parity_jacobian import compare_jacobians, linearise
from dalearn.experiments.progress import Progress
from dalearn.experiments.reference_batch import join_columns
from dalearn.experiments.reference_names import STATE_NAMES, state_columns
from dalearn.experiments.reference_snow import snow_to_file
from dalearn.experiments.soda_case import OPERATORS, SodaCase, Windows, read_soda_case
from dalearn.land.state import LandState
from dalearn.operators import ObservationOperator, create_operator

logger = logging.getLogger("dalearn")

# of each observed variable: its quantity, what its error is relative to, and SODA's multiplier XERROBS
ERRORS: dict[str, tuple[str, Literal["soil_range", "observation"], float]] = {
    "WG2": ("SSM", "soil_range", 0.5),
    "LAI": ("LAI", "observation", 0.2),
}

Result = dict[str, Any]
Values = dict[str, np.ndarray]


@torch.no_grad()
def run_parity_filter(path: Path | str, *, progress: bool = True) -> Result:
    """Run the windows of a stored SODA case and compare its filter with ours.

    The windows of experiments and scans start from their stored states; a cycle runs freely from the first of them,
    every window from our own analysis.

    Returns:
        ``{"case", "jacobian": {"finite_differences"|"autograd": {"max_rel", "max_abs", "kinks"}}, "gain": {"max_rel"},
        "increment": {"max_rel", "max_abs"}, "analysis": {NAME: {"max_abs"}}}``; the last three None for a scan, which
        has no analyses.  Relative errors are those of the row maximum: for a Jacobian and a gain one observation, for
        increments LAI or the soil moisture of all layers, over the patches of one window.

    Raises:
        InputError: a file that is not a SODA case or asks for what is not modelled.
    """
    case = read_soda_case(path)
    if case.kind == "cycle":
        return _cycle(case, progress)
    operators = create_operators(case, case.windows)
    linear = linearise(case.windows, operators, "finite_differences")
    jacobian = compare_jacobians(case, case.windows, linear.jacobian, operators)
    if case.kind == "scan":
        return {"case": case.name, "jacobian": jacobian, "gain": None, "increment": None, "analysis": None}
    return {"case": case.name, "jacobian": jacobian, **compare_experiments(case, linear, operators).summary()}


def create_operators(case: SodaCase, windows: Windows) -> list[ObservationOperator]:
    """One for each observed variable of ``case``."""
    return [create_operator(OPERATORS[name], cell_count=windows.grid.cell_count) for name in case.observed]


def analyse_window(
    case: SodaCase,
    windows: Windows,
    linear: Linearisation,
    operators: Sequence[ObservationOperator],
    observed: np.ndarray,
    errors: Sequence[float],
    biomass_per_leaf_area: Tensor,
    structural_biomass: Literal["unchanged", "with_leaves"] = "unchanged",
) -> Update:
    """The analysis of one window as SODA makes it.

    ``observed`` (observation,), 999 = missing; ``errors`` the multipliers XERROBS; ``biomass_per_leaf_area`` (column,)
    XALPH, kg m-2; ``structural_biomass`` as in ``FilterSettings``.
    """
    rules = [(*ERRORS[name][:2], error) for name, error in zip(case.observed, errors, strict=True)]
    settings = FilterSettings(
        observation_error={
            quantity: ObservationErrorSettings(float(error), reference) for quantity, reference, error in rules
        },
        leaf_biomass="model",
        structural_biomass=structural_biomass,
    )
    parameters = windows.model.parameters
    vegetation = replace(parameters.vegetation, biomass_per_leaf_area=biomass_per_leaf_area)
    parameters = replace(parameters, vegetation=vegetation)
    return update(linear, torch.from_numpy(observed)[:, None], windows.grid, parameters, operators, settings)


@dataclass
class Errors:
    """Largest errors of the analyses seen so far."""

    gain: float = 0.0
    increment: float = 0.0
    increment_absolute: float = 0.0
    analysis: dict[str, float] = field(default_factory=dict)

    def add(self, result: Update, gain: np.ndarray, increment: np.ndarray, analysis: Mapping[str, np.ndarray]) -> None:
        """Take in an analysis of one window: SODA's gain (observation, control, column), increment (control, column)
        and analysed variables (..., column), NaN where undefined."""
        self.gain = _worse(self.gain, _relative(result.gain.numpy(), np.nan_to_num(gain), axes=(1, 2)))
        ours, theirs = result.increment.numpy(), np.nan_to_num(increment)
        leaves = np.array([name == "LAI" for name in DEFAULT_CONTROL.names])
        for kind in (leaves, ~leaves):
            self.increment = _worse(self.increment, _relative(ours[kind], theirs[kind], axes=(0, 1)))
        self.increment_absolute = _worse(self.increment_absolute, np.abs(ours - theirs).max())
        values = analysed(result.state)
        for name, reference in analysis.items():
            error = np.abs(values[name] - reference)[np.isfinite(reference)]
            self.analysis[name] = _worse(self.analysis.get(name, 0.0), error.max(initial=0.0))

    def summary(self) -> Result:
        return {
            "gain": {"max_rel": self.gain},
            "increment": {"max_rel": self.increment, "max_abs": self.increment_absolute},
            "analysis": {name: {"max_abs": error} for name, error in self.analysis.items()},
        }


def analysed(state: LandState) -> Values:
    """The control variables and the SURFEX variables of an analysed state, (..., column), as in the files."""
    control = dict(zip(DEFAULT_CONTROL.names, DEFAULT_CONTROL.of(state).numpy(), strict=True))
    return control | snow_to_file({name: values.numpy() for name, values in state_columns(state).items()})


def _worse(one: float, other: float) -> float:
    """The larger of two errors; undefined if either is."""
    return float(np.maximum(one, other))


def _relative(ours: np.ndarray, theirs: np.ndarray, axes: tuple[int, ...]) -> float:
    """Largest error relative to the largest |theirs| over ``axes``; where that is 0, ours must be too."""
    largest = np.abs(theirs).max(axis=axes, keepdims=True)
    error = np.abs(ours - theirs)
    return float(np.where(error == 0.0, 0.0, error / np.where(largest > 0.0, largest, 1e-300)).max())


def compare_experiments(case: SodaCase, linear: Linearisation, operators: Sequence[ObservationOperator]) -> Errors:
    """All experiments of a single window."""
    names = ("y_obs", "xerr", "xalph", "K", "incr", "xa", "bioma1")
    stored = {name: case.stored(f"exp_{name}")[0] for name in names}
    errors = Errors()
    for number in range(len(stored["y_obs"])):
        of = {name: values[number] for name, values in stored.items()}
        xalph = torch.from_numpy(np.nan_to_num(of["xalph"]))
        result = analyse_window(case, case.windows, linear, operators, of["y_obs"], of["xerr"].tolist(), xalph)
        analysis = dict(zip(DEFAULT_CONTROL.names, of["xa"], strict=True)) | {"BIOMA1": of["bioma1"]}
        errors.add(result, of["K"], of["incr"], analysis)
    return errors


def run_cycle(
    case: SodaCase, *, limit: int | None = None, progress: bool = True
) -> tuple[Errors, list[LandState], list[Tensor]]:
    """The windows one after the other, or the first ``limit``, each from our analysis of the one before.

    Returns the errors of the analyses, and the state at the start of every window with its Jacobian (observation,
    control, column) by finite differences.
    """
    errors, states, rows = Errors(), [], []
    state, count = case.windows.state, len(case.starts) if limit is None else limit
    multipliers = [ERRORS[name][2] for name in case.observed]
    with Progress(case.name, count, "windows") if progress else nullcontext() as bar:
        for number, day in zip(range(count), _days(case), strict=False):
            windows = case.windows.one(number, state)
            operators = create_operators(case, windows)
            linear = linearise(windows, operators, "finite_differences")
            xalph = surfex_biomass_per_leaf_area(windows.grid, state.leaf_biomass)
            result = analyse_window(case, windows, linear, operators, day.y_obs, multipliers, xalph)
            errors.add(result, day.gain, day.increment, day.state)
            states.append(state)
            rows.append(linear.jacobian)
            state = result.state
            if bar is not None:
                bar.update()
    return errors, states, rows


def _cycle(case: SodaCase, progress: bool) -> Result:
    errors, states, rows = run_cycle(case, progress=progress)
    windows = replace(case.windows, state=join_columns(states))
    jacobian = compare_jacobians(case, windows, torch.cat(rows, dim=-1), create_operators(case, windows))
    return {"case": case.name, "jacobian": jacobian, **errors.summary()}


class StoredDay(NamedTuple):
    """What SODA did at the end of one window of a cycle, NaN where undefined."""

    y_obs: np.ndarray  # (observation,), 999 = missing
    gain: np.ndarray  # (observation, control, column)
    increment: np.ndarray  # (control, column)
    state: Values  # analysed variables by name, (..., column)


def _days(case: SodaCase) -> Iterator[StoredDay]:
    y_obs, gain, increment, xa = (case.stored(name) for name in ("y_obs", "K", "incr", "xa"))
    post = {name: case.stored(f"post_{name}") for name in STATE_NAMES if f"post_{name}" in case.names}
    for number in range(len(case.starts)):
        state = {name: values[number] for name, values in post.items()}
        state |= dict(zip(DEFAULT_CONTROL.names, xa[number], strict=True))
        yield StoredDay(y_obs[number], gain[number], increment[number], state)
