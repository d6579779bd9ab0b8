"""How fast the land model and the analysis run on this machine.

A day of summer weather over cells of south-western France with four patches each; nothing is read or written.
"""

import logging
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from dalearn.assimilation.forecast import integrate
from dalearn.assimilation.jacobian import WindowJacobian
from dalearn.assimilation.settings import FilterSettings
from dalearn.assimilation.update import update
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.parameters import build_parameters
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.operators import create_operator
from dalearn.tree import to
from dalearn.twin.weather import generate_weather

logger = logging.getLogger("dalearn")

COVER = {"C3": 0.4, "C4": 0.2, "GRAS": 0.25, "TEBD": 0.15}
START, END = np.datetime64("2015-06-01T09:00:00", "s"), np.datetime64("2015-06-02T09:00:00", "s")
TIME_STEP = 1800.0
OBSERVED = ("wg2", "lai")
MINIMUM_SECONDS = 1.0

Row = dict[str, Any]


def run_benchmark(
    columns: Sequence[int], *, dtype: torch.dtype = torch.float64, eager_only: bool = False
) -> dict[str, Any]:
    """Time a day of the model and one analysis window, eagerly and compiled, on every device there is.

    ``columns`` is rounded up to whole cells.  ``windows_per_second`` counts windows of the whole domain.
    """
    rows: list[Row] = []
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for device in devices:
        for count in columns:
            for compiled in (False,) if eager_only else (False, True):
                for row in _measure(count, torch.device(device), dtype, compiled):
                    logger.info(
                        "%s %s %s: %d columns, %.3g s", device, row["mode"], row["what"], row["columns"], row["seconds"]
                    )
                    rows.append(row)
    return {
        "machine": f"{platform.processor() or platform.machine()}, {platform.system()}",
        "device": torch.cuda.get_device_name() if "cuda" in devices else "cpu",
        "threads": torch.get_num_threads(),
        "rows": rows,
    }


def _measure(columns: int, device: torch.device, dtype: torch.dtype, compiled: bool) -> Iterator[Row]:
    cells = -(-columns // len(COVER))
    fraction = np.zeros((cells, len(VEGETATION_TYPES)))
    for name, share in COVER.items():
        fraction[:, VEGETATION_TYPES.index(name)] = share
    latitude, longitude = np.linspace(42.5, 45.0, cells), np.linspace(-1.0, 3.5, cells)
    altitude = np.full(cells, 150.0)
    grid, parameters = build_parameters(fraction, np.full(cells, 0.22), np.full(cells, 0.35), latitude, longitude)
    grid = grid.to(device)
    model = LandModel(to(parameters, device=device, dtype=dtype), LandOptions(time_step=TIME_STEP), compiled=compiled)
    weather = generate_weather(latitude, longitude, altitude, START.astype("datetime64[D]"), 2, 1, (1.0,))
    window = weather.window(START, END, TIME_STEP, dtype, device)
    state = model.initial_state(temperature=torch.full((grid.column_count,), 290.0, dtype=dtype, device=device))
    operators = [create_operator(name, cell_count=cells).to(device=device, dtype=dtype) for name in OBSERVED]
    base: Row = {
        "mode": "compiled" if compiled else "eager",
        "device": device.type,
        "dtype": str(dtype).removeprefix("torch."),
        "cells": cells,
        "patches": len(COVER),
        "columns": grid.column_count,
    }

    @torch.no_grad()
    def forward() -> None:
        integrate(model, grid, state, window)

    seconds, first = _time(forward, device)
    speed = grid.column_count * len(window) / seconds
    yield {
        "what": "forward", **base, "jacobian": None, "observed": None, "seconds": seconds,
        "column_steps_per_second": speed, "windows_per_second": None,
        "compile_seconds": first - seconds if compiled else None,
    }  # fmt: skip
    for backend in ("finite_differences", "autograd"):
        if backend == "finite_differences" and dtype != torch.float64:
            continue
        jacobian = WindowJacobian(grid, operators, backend=backend)
        observed = torch.stack([torch.full((cells,), value, dtype=dtype, device=device) for value in (0.2, 1.5)])

        @torch.no_grad()
        def analysis(jacobian: WindowJacobian = jacobian, observed: torch.Tensor = observed) -> None:
            linear = jacobian(model, state, window)
            update(linear, observed, grid, model.parameters, operators, FilterSettings())

        seconds, first = _time(analysis, device)
        yield {
            "what": "window", **base, "jacobian": backend, "observed": len(OBSERVED), "seconds": seconds,
            "column_steps_per_second": grid.column_count * len(window) / seconds, "windows_per_second": 1.0 / seconds,
            "compile_seconds": first - seconds if compiled else None,
        }  # fmt: skip


def _time(function: Callable[[], None], device: torch.device) -> tuple[float, float]:
    """Seconds of a call, the mean over at least one second of calls, and of the first call before them."""

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    begin = clock()
    function()
    first = clock() - begin
    calls, begin, elapsed = 0, clock(), 0.0
    while elapsed < MINIMUM_SECONDS:
        function()
        calls += 1
        elapsed = clock() - begin
    return elapsed / calls, first
