"""Time and memory of one call."""

import ctypes
import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

_PROCESS = Path("/proc/self")


class Cost(NamedTuple):
    seconds: float
    peak_memory_bytes: int


def measure(function: Callable[[], object], device: torch.device, repeats: int = 1) -> Cost:
    """Wall time of a call and the rise of peak memory above what was held before it.

    Of several calls the shortest time, since other programs only ever add to it, and the largest rise.
    """
    costs = [_measure_once(function, device) for _ in range(repeats)]
    return Cost(min(cost.seconds for cost in costs), max(cost.peak_memory_bytes for cost in costs))


def _measure_once(function: Callable[[], object], device: torch.device) -> Cost:
    before = _reset_peak(device)
    begin = time.perf_counter()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - begin
    return Cost(seconds, max(_peak(device) - before, 0))


def _reset_peak(device: torch.device) -> int:
    """Start a new measurement of peak memory; bytes held now."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    gc.collect()
    if _PROCESS.exists():
        _return_freed_memory()
        (_PROCESS / "clear_refs").write_text("5")
    return _peak(device)


def _return_freed_memory() -> None:
    """Give what the C library keeps for reuse back to the system: reused memory would not show as a rise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _peak(device: torch.device) -> int:
    """Bytes: of the CUDA allocator, or resident; without /proc the peak of the whole process so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if _PROCESS.exists():
        lines = (_PROCESS / "status").read_text().splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
    import resource  # absent on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
