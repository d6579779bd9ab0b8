"""How fast the land model and the analysis run on this machine, beside SURFEX and LDAS-Monde.

A day of summer weather over cells of south-western France with four patches each; nothing is read or written.
"""

import itertools
import logging
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from dalearn.assimilation.memory import free_memory
from dalearn.experiments.benchmark_case import COVER, END, benchmark_case

logger = logging.getLogger("dalearn")

MINIMUM_SECONDS = 1.0
ROWS = 700  # of a column: parameters, state before and after, fluxes, forcing, and what lies between
# SURFEX v8.1, gfortran -O2, one core of a 2-core AMD EPYC virtual machine, 1000 cells with 4 patches, 1800 s: time of a
# column and step; and of a cell and analysis day of LDAS-Monde (9 forecasts and SODA), from so many cells on
SURFEX_SECONDS = 9.5e-6
LDAS_MONDE_SECONDS = {1000: 19e-3, 100: 33e-3}
EAGER_SECONDS = 1e-5  # of a column and step, without compilation
FORECASTS_PER_WINDOW = 10
BACKENDS = ("autograd", "finite_differences")

Row = dict[str, Any]


def run_benchmark(
    columns: Sequence[int],
    *,
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.float64),
    eager_only: bool = False,
    limit: float = 60.0,
) -> dict[str, Any]:
    """Time a day of the model and analysis windows, eagerly and compiled, on every device there is.

    Args:
        columns: sizes, rounded up to whole cells; those that do not fit into the memory are left out with a warning.
        dtypes: precisions; finite differences are measured in float64 only.
        eager_only: leave out the compiled runs.
        limit: seconds; what would take longer, by the time of the forecast, is left out.

    ``windows_per_second`` counts windows of the whole domain.  ``faster_than_surfex`` and ``faster_than_ldas_monde``
    are ratios of CPU time, per core, on a CPU, and of elapsed time on a GPU.
    """
    rows: list[Row] = []
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    # eager windows, which keep gigabytes for their derivatives, slow down what runs after them
    modes = (False,) if eager_only else (True, False)
    for device, compiled, dtype, count in itertools.product(devices, modes, dtypes, columns):
        needed = count * ROWS * torch.finfo(dtype).bits // 8
        if needed > free_memory(torch.device(device)):
            logger.warning("%s: %d columns of %s do not fit into the memory, left out", device, count, dtype)
            continue
        for row in _measure(count, torch.device(device), dtype, compiled, limit):
            logger.info(
                "%s %s %s %s: %d columns, %.3g s",
                device, row["mode"], row["dtype"], row["what"], row["columns"], row["seconds"],
            )  # fmt: skip
            rows.append(row)
    return {
        "machine": f"{platform.processor() or platform.machine()}, {platform.system()}",
        "device": torch.cuda.get_device_name() if "cuda" in devices else "cpu",
        "threads": torch.get_num_threads(),
        "rows": rows,
    }


def _measure(columns: int, device: torch.device, dtype: torch.dtype, compiled: bool, limit: float) -> Iterator[Row]:
    case = benchmark_case(columns, dtype, device, compiled=compiled, end=END)
    cells, work = case.grid.cell_count, case.grid.column_count * len(case.window)
    base: Row = {
        "mode": "compiled" if compiled else "eager",
        "device": device.type,
        "dtype": str(dtype).removeprefix("torch."),
        "cells": cells,
        "patches": len(COVER),
        "columns": case.grid.column_count,
    }
    if not compiled and work * EAGER_SECONDS > limit:
        return
    elapsed, cpu, first = _time(case.forecast, device)
    yield {
        "what": "forward", **base, "jacobian": None, "observed": None, "seconds": elapsed, "cpu_seconds": cpu,
        "column_steps_per_second": work / elapsed, "windows_per_second": None,
        "microseconds_per_column_step": 1e6 * cpu / work, "faster_than_surfex": SURFEX_SECONDS * work / cpu,
        "faster_than_ldas_monde": None, "compile_seconds": first - elapsed if compiled else None,
    }  # fmt: skip
    if FORECASTS_PER_WINDOW * elapsed > limit:
        return
    for backend, count in itertools.product(BACKENDS, (1, 2)):
        if backend == "finite_differences" and dtype != torch.float64:
            continue
        elapsed, cpu, first = _time(case.analysis(backend, count), device)
        reference = next((time for least, time in LDAS_MONDE_SECONDS.items() if cells >= least), None)
        yield {
            "what": "window", **base, "jacobian": backend, "observed": count, "seconds": elapsed, "cpu_seconds": cpu,
            "column_steps_per_second": work / elapsed, "windows_per_second": 1.0 / elapsed,
            "microseconds_per_column_step": 1e6 * cpu / work, "faster_than_surfex": None,
            "faster_than_ldas_monde": reference * cells / cpu if reference else None,
            "compile_seconds": first - elapsed if compiled else None,
        }  # fmt: skip


def benchmark_table(result: dict[str, Any]) -> str:
    """The rows as text, ratios last."""
    lines = [
        f"{result['machine']}; {result['device']}; {result['threads']} threads",
        " " * 47 + f"{'columns':>9}{'elapsed s':>11}{'us/col-step':>12}{'x SURFEX':>10}{'x LDAS-Monde':>14}",
    ]
    for row in result["rows"]:
        what = row["what"] if row["jacobian"] is None else f"{row['jacobian'].replace('_', ' ')}, {row['observed']} obs"
        ratios = (row["faster_than_surfex"], row["faster_than_ldas_monde"])
        surfex, ldas_monde = ("" if ratio is None else f"{ratio:.1f}" for ratio in ratios)
        lines.append(
            f"{row['device']} {row['dtype']:8}{row['mode']:9}{what:26}"[:47].ljust(47)
            + f"{row['columns']:>9}{row['seconds']:>11.3g}{row['microseconds_per_column_step']:>12.2f}"
            f"{surfex:>10}{ldas_monde:>14}"
        )
    return "\n".join(lines)


def _time(function: Callable[[], None], device: torch.device) -> tuple[float, float, float]:
    """Elapsed and CPU seconds of a call, the shortest of at least one second of calls; elapsed of the first call.

    On a GPU the elapsed time is given for both.
    """

    def clocks() -> tuple[float, float]:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        now = time.perf_counter()
        return now, time.process_time() if device.type == "cpu" else now

    begin, _ = clocks()
    function()
    first = clocks()[0] - begin
    elapsed: list[float] = []
    cpu: list[float] = []
    while sum(elapsed) < MINIMUM_SECONDS:
        before = clocks()
        function()
        after = clocks()
        elapsed.append(after[0] - before[0])
        cpu.append(after[1] - before[1])
    return min(elapsed), min(cpu), first
