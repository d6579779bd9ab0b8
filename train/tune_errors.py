"""Recover known background and observation errors from observations of a twin, by gradient of the likelihood.

Example::

    python train/tune_errors.py --output tuned

The land model runs on cells and weather of the twin.  Around the cycle of the filter a truth is drawn with the B of the
settings and observed with their R, all multipliers 1.  The tuning starts a factor of two away, in both directions, and
climbs the log-likelihood of the innovations, whose gradient runs back through analyses and forecasts.  It writes
``tuned/scales.json`` and ``tuned/scales.png``.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from dalearn.assimilation.covariance import BackgroundErrorSettings, ObservationErrorSettings
from dalearn.assimilation.differentiable import DifferentiableWindow, differentiable_cycle
from dalearn.assimilation.error_scales import ErrorScales
from dalearn.assimilation.forecast import integrate
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.errors import InputError
from dalearn.evaluation.error_figure import ScaleRow, draw_error_scales
from dalearn.evaluation.style import save_figure
from dalearn.experiments.program import run_program
from dalearn.experiments.progress import Progress, clock
from dalearn.grid import Grid
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.parameters import build_parameters
from dalearn.land.state import LandState
from dalearn.land.window import ForcingWindow
from dalearn.learning.error_tuning import TunedErrors, TuningStep, tune_errors
from dalearn.operators import create_operator
from dalearn.twin.known_errors import ObservedCycle, observe_known_errors
from dalearn.twin.surface import PLACES, surface_map
from dalearn.twin.weather import generate_weather

LOG = logging.getLogger("dalearn")
CONTROL = ("LAI", "WG2", "WG3", "WG4", "WG6")
OPERATORS = ("wg2", "lai")
FIRST_GUESS = {"LAI": 2.0, "WG2": 0.5, "WG3": 2.0, "WG4": 0.5, "WG6": 2.0}
FIRST_GUESS_R = {"SSM": 2.0, "LAI": 0.5}
KNOWN = 0.25  # largest width of the logarithm of a scale that the observations are said to constrain
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Twin:
    """The cells, the model, its state after the spin-up and the forcing of the windows."""

    grid: Grid
    model: LandModel
    state: LandState
    windows: list[ForcingWindow]


def tune(
    output: Path,
    cells: list[int] | None = None,
    start: str = "2010-04-01",
    windows: int = 60,
    spin_up_days: int = 60,
    scheme: Literal["smoother", "end_of_window"] = "smoother",
    jacobian: Literal["finite_differences", "autograd"] = "finite_differences",
    observed_share: tuple[float, float] = (0.9, 0.9),
    time_step: float = 3600.0,
    runs: int = 20,
    truncate_every: int | None = None,
    checkpointed: bool = True,
    seed: int = 1,
    compiled: bool = True,
    quick: bool = False,
) -> None:
    """Recover known errors of the twin.

    Args:
        output: directory for scales.json and scales.png; made when absent.
        cells: cells of the twin, 0 to 35; every second one when not given.
        start: first day of the first window, UTC.
        windows: number of windows of 24 h.
        spin_up_days: days of model run before.
        scheme: of the filter, one in which the departures have the covariance that it assumes.
        jacobian: back end.
        observed_share: share of the windows with an observation of SSM and of LAI.
        time_step: of the land model, s.
        runs: at most so many runs of the cycle on the way; the Hessian takes one more for each scale.
        truncate_every: windows through which the gradient runs back; all when not given.
        checkpointed: keep the states between the model steps only: a fiftieth of the memory.
        seed: of weather, truth and observations.
        compiled: compile the land model; a few minutes the first time.
        quick: one cell, two windows, two runs, the cheapest scheme, not compiled: to see that it works.
    """
    torch.set_num_threads(1)
    if quick:
        cells, windows, spin_up_days, runs, compiled, checkpointed = [19], 2, 1, 2, False, False
        scheme = "end_of_window"
    began = time.monotonic()
    twin = make_twin(cells or list(range(0, 36, 2)), start, windows, spin_up_days, time_step, compiled, seed)
    settings = FilterSettings(
        scheme=scheme,
        jacobian=jacobian,
        control=CONTROL,
        structural_biomass="with_leaves",
        background=BackgroundErrorSettings(
            soil_moisture={"WG2": 0.4, "WG3": 0.2, "WG4": 0.2, "WG6": 0.2},
            leaf_area_index=0.1,
            low_leaf_area_index=0.2,
        ),
        observation_error={"SSM": ObservationErrorSettings(0.01), "LAI": ObservationErrorSettings(0.15)},
    )
    operators = [create_operator(name, cell_count=twin.grid.cell_count) for name in OPERATORS]
    truth = ErrorScales(CONTROL, len(OPERATORS))
    with Progress("truth and observations", windows, "windows") as progress:
        observed = observe_known_errors(
            twin.model, twin.grid, twin.state, twin.windows, operators, settings, truth, observed_share, seed,
            progress.update,
        )  # fmt: skip
    LOG.info(
        "%d cells, %d columns, %d windows, %d observations; %.2f %% of the background errors cut at physical bounds",
        twin.grid.cell_count, twin.grid.column_count, windows, int((~observed.observed.isnan()).sum()),
        100.0 * observed.cut,
    )  # fmt: skip

    def cycle(scales: ErrorScales, information: bool = True) -> Iterator[DifferentiableWindow]:
        return differentiable_cycle(
            twin.model, twin.grid, FilterState(land=twin.state), twin.windows, operators, observed.observed, settings,
            scales=scales, truncate_every=truncate_every, checkpointed=checkpointed, information=information,
        )  # fmt: skip

    at_truth = sum(float(window.log_likelihood.detach().sum()) for window in cycle(truth.requires_grad_(False), False))
    scales = ErrorScales(
        CONTROL,
        len(OPERATORS),
        background=[FIRST_GUESS[name] for name in CONTROL],
        observation=[FIRST_GUESS_R[operator.quantity] for operator in operators],
    )
    names = [f"B {name}" for name in CONTROL] + [f"R {operator.quantity}" for operator in operators]
    with Progress("tuning", (runs + len(names)) * windows, "windows") as progress:

        def counted() -> Iterator[DifferentiableWindow]:
            for window in cycle(scales):
                progress.update()
                yield window

        result = tune_errors(counted, scales, runs=runs, on_step=_report(names, at_truth))
    _write(output, names, result, observed, at_truth, time.monotonic() - began)


def make_twin(
    cells: list[int], start: str, windows: int, spin_up_days: int, time_step: float, compiled: bool, seed: int
) -> Twin:
    """The land model on cells and weather of the twin, spun up."""
    if not all(0 <= cell < len(PLACES) for cell in cells):
        raise InputError(f"cells: the twin has the cells 0 to {len(PLACES) - 1}")
    try:
        first = np.datetime64(start, "D")
    except ValueError as error:
        raise InputError(f"start: {start} is not a date; write it like 2010-04-01") from error
    surface = surface_map([PLACES[cell] for cell in cells])
    begin = first - spin_up_days * DAY
    weather = generate_weather(
        surface.latitude, surface.longitude, surface.altitude, begin, spin_up_days + windows + 1, seed
    )
    grid, parameters = build_parameters(
        surface.fraction, surface.clay, surface.sand, surface.latitude, surface.longitude
    )
    model = LandModel(parameters, LandOptions(time_step=time_step), compiled=compiled)
    air = grid.to_columns(torch.from_numpy(weather.records["Tair"].mean(axis=0, dtype=np.float64)))
    state = model.initial_state(temperature=air)
    morning = begin.astype("datetime64[s]") + np.timedelta64(6, "h")

    def window(day: int) -> ForcingWindow:
        return weather.window(morning + day * DAY, morning + (day + 1) * DAY, time_step)

    with torch.no_grad(), Progress("spin-up", spin_up_days, "days") as progress:
        for day in range(spin_up_days):
            state, _ = integrate(model, grid, model.prepare_state(state), window(day))
            progress.update()
    return Twin(grid, model, state, [window(spin_up_days + day) for day in range(windows)])


def _report(names: list[str], at_truth: float) -> Callable[[TuningStep], None]:
    def line(step: TuningStep) -> None:
        ratios = "  ".join(f"{name} {float(value):.2f}" for name, value in zip(names, step.scales, strict=True))
        kept = "" if step.accepted else "  (undone)"
        LOG.info("log-likelihood %+.2f from the truth%s: %s", step.log_likelihood - at_truth, kept, ratios)

    return line


def _write(
    output: Path, names: list[str], result: TunedErrors, observed: ObservedCycle, at_truth: float, seconds: float
) -> None:
    output.mkdir(parents=True, exist_ok=True)
    kept = [step for step in result.steps if step.accepted]
    ways = torch.stack([step.scales for step in kept], dim=1).numpy()
    rows, scales = [], {}
    for name, way, width in zip(names, ways, result.width.tolist(), strict=True):
        known = width < KNOWN
        rows.append(ScaleRow(name, way, width, name.startswith("B"), known))
        scales[name] = {
            "true": 1.0,
            "first_guess": float(way[0]),
            "estimate": float(way[-1]),
            "width_of_logarithm": width,
            "constrained": known,
        }
        LOG.info(
            "%-6s %.2f -> %.3f +- %.3f%s", name, way[0], way[-1], way[-1] * width,
            "" if known else "  not constrained by these observations",
        )  # fmt: skip
    likelihood = [step.log_likelihood for step in kept]
    document = {
        "scales": scales,
        "log_likelihood": likelihood,
        "log_likelihood_of_the_truth": at_truth,
        "converged": result.converged,
        "runs_of_the_cycle": len(result.steps),
        "observations": int((~observed.observed.isnan()).sum()),
        "background_errors_cut": observed.cut,
        "seconds": round(seconds, 1),
    }
    (output / "scales.json").write_text(json.dumps(document, indent=2) + "\n")
    save_figure(draw_error_scales(rows, np.array(likelihood), at_truth), output / "scales.png")
    LOG.info("%s, %d runs of the cycle: %s", clock(seconds), len(result.steps), output / "scales.json")


if __name__ == "__main__":
    run_program(tune)
