"""How many cells a window Jacobian works on at a time, from what memory is free.

Reverse mode keeps what every step saves until the end of the window; finite differences hold one step of all
copies.  What a step saves is counted in a trial step of a few columns, so any model and any options will do.
"""

import os
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from dalearn.assimilation.forecast import Model, Window
from dalearn.grid import Grid
from dalearn.land.state import LandState
from dalearn.tree import map_tensors, select_columns

SHARE_OF_FREE_MEMORY = 0.5
# on a CPU, of one row of columns: beyond, what a step leaves to the next is no longer in the cache (reverse mode), or
# every step asks the system for fresh pages (copies for finite differences)
CACHED_ROW = 16_000
CACHED_ROW_OF_COPIES = 64_000
TRIAL_COLUMNS = 8
LARGEST_STEP = 512 * 1024  # bytes; more than an hour of an eager step keeps per column: small domains need no trial

_MEMORY_INFORMATION = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def free_memory(device: torch.device) -> int:
    """Bytes that can be used on ``device`` now: of the GPU, or of the machine and the limit on this process group."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    if not _MEMORY_INFORMATION.exists():
        # no count of free pages on this system: half of what there is
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    lines = _MEMORY_INFORMATION.read_text().splitlines()
    available = 1024 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable")))
    limit, used = (_GROUP / name for name in ("memory.max", "memory.current"))
    if limit.exists() and used.exists() and (allowed := limit.read_text().strip()) != "max":
        available = min(available, max(int(allowed) - int(used.read_text()), 0))
    return available


def saved_bytes_per_column(model: Model, grid: Grid, state: LandState, window: Window) -> float:
    """Bytes that every further step keeps for its derivative, per column."""
    columns = slice(0, min(TRIAL_COLUMNS, grid.column_count))
    part = model.with_parameters(select_columns(model.parameters, columns))
    forcing = window.forcing(0, grid.cell_of_column[columns])
    few = map_tensors(lambda tensor: tensor[..., columns].detach().clone(), state)
    few = replace(few, soil_moisture=few.soil_moisture.requires_grad_())
    kept: list[Tensor] = []  # and held, lest an address come twice

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    totals = []
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        for _ in range(2):
            few, _ = part.step(few, forcing, window.first_of_day[0])
            storages = [tensor.untyped_storage() for tensor in kept]
            totals.append(sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values()))
    # the parameters, kept once for all steps, are not in the difference
    return (totals[1] - totals[0]) / (columns.stop - columns.start)


def automatic_chunk(grid: Grid, bytes_per_column: float, copies: int = 1, item_size: int = 8) -> int:
    """Cells at a time such that they fit into a part of the free memory, and on a CPU into its cache, in chunks
    of equal size.

    Args:
        grid: all the cells.
        bytes_per_column: needed for each of ``copies`` copies of a column.
        item_size: bytes of a number.
    """
    device = grid.fraction.device
    columns = SHARE_OF_FREE_MEMORY * free_memory(device) / max(bytes_per_column * copies, 1.0)
    if device.type == "cpu":
        columns = min(columns, (CACHED_ROW if copies == 1 else CACHED_ROW_OF_COPIES / copies) / item_size)
    cells = max(int(columns * grid.cell_count / grid.column_count), 1)
    chunks = -(-grid.cell_count // cells)
    return -(-grid.cell_count // chunks)
