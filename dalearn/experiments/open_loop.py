"""The open loop: spin-up, then the run without assimilation, in blocks that survive a killed process.

After every block its output and a restart file are on disk, in this order; a later run goes on from the restart
file and gives, bit for bit, what the uninterrupted run gives.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from dalearn.assimilation.finite import at_time, check_finite
from dalearn.assimilation.forecast import Record, integrate
from dalearn.experiments.blocks import Blocks, join_blocks
from dalearn.experiments.progress import Progress
from dalearn.experiments.provenance import file_attributes
from dalearn.experiments.restart import read_state, write_state
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.sections import OpenLoopConfig, as_time
from dalearn.experiments.setup import Setup
from dalearn.experiments.spin_up import Memory, memory_of, read_memory, write_convergence, write_memory
from dalearn.land.state import LandState

logger = logging.getLogger("dalearn")

OUTPUT = (*(f"WG{layer}" for layer in range(1, 9)), "TG1", "TG2", "LAI")
DAY = np.timedelta64(86400, "s")


@dataclass(frozen=True)
class Block:
    """A stretch of the run; ``repetition`` counts those of the spin-up from 1 and is 0 in the run proper.

    ``closing`` marks the last block of a repetition.
    """

    start: np.datetime64
    end: np.datetime64
    repetition: int = 0
    closing: bool = False


def plan_blocks(config: OpenLoopConfig, cuts: Iterable[np.datetime64]) -> list[Block]:
    """The blocks of spin-up and run, in order; a block of the run ends at every time in ``cuts``."""
    blocks = []
    if config.spin_up is not None:
        start = as_time(config.spin_up.start, "open_loop.spin_up.start")
        end = as_time(config.spin_up.end, "open_loop.spin_up.end")
        for repetition in range(1, config.spin_up.repetitions + 1):
            edges = _edges(start, end, config.block_days, ())
            blocks += [Block(*pair, repetition, closing=bool(pair[1] == end)) for pair in edges]
    start, end = as_time(config.start, "open_loop.start"), as_time(config.end, "open_loop.end")
    return blocks + [Block(*pair) for pair in _edges(start, end, config.block_days, cuts)]


def _edges(
    start: np.datetime64, end: np.datetime64, days: int, cuts: Iterable[np.datetime64]
) -> list[tuple[np.datetime64, np.datetime64]]:
    regular = np.arange(start, end, days * DAY)
    inside = np.array([cut for cut in cuts if start < cut < end], dtype=regular.dtype)
    edges = np.unique(np.concatenate([regular, inside, [end]]))
    return list(pairwise(edges))


def state_path(directory: RunDirectory, time: np.datetime64) -> Path:
    """Where the open loop leaves its state at ``time``."""
    stamp = np.datetime_as_string(time, unit="m").replace(":", "")
    return directory / "restart" / f"open_loop_{stamp}.nc"


@torch.no_grad()
def run_open_loop(setup: Setup, directory: RunDirectory) -> list[Path]:
    """Run what is left of the open loop; returns the files that it leaves."""
    config, parameters = setup.config.open_loop, setup.model.parameters
    blocks = plan_blocks(config, setup.stored_states)
    partial = directory.partial("open_loop")
    outputs, restart, convergence = Blocks(partial), partial / "restart.nc", partial / "memory.json"
    record = Record(OUTPUT, every=round(config.output_hours * 3600 / setup.config.land.time_step))
    attributes = file_attributes("open loop state")
    done, state = 0, setup.cold_start()
    memory = [memory_of(state, setup.grid, parameters)]
    if restart.exists():
        state, time, stored = read_state(restart, setup.grid.column_count, dtype=setup.dtype, device=setup.device)
        done = int(stored["blocks_done"])
        memory = read_memory(convergence)[: 1 + sum(block.closing for block in blocks[:done])]
        logger.info("open loop: goes on from %s", time)
    else:
        write_memory(convergence, memory)
    days = np.cumsum([0.0] + [float((block.end - block.start) / DAY) for block in blocks]).round().astype(int)
    with Progress("open loop", int(days[-1]), "days", done=int(days[done])) as progress:
        for number, block in enumerate(blocks[done:], start=done):
            if not block.repetition and block.start in setup.stored_states:
                write_state(state_path(directory, block.start), state, block.start, attributes)
            window = setup.window(block.start, block.end)
            state, series = integrate(setup.model, setup.grid, state, window, None if block.repetition else record)
            check_finite(state, setup.grid, at_time("in the open loop at", block.end))
            if block.closing:
                memory.append(memory_of(state, setup.grid, parameters))
                write_memory(convergence, memory)
            if not block.repetition:
                times = window.times[record.every - 1 :: record.every]
                outputs.write(number, {"time": times, **{name: _array(values) for name, values in series.items()}})
            write_state(restart, state, block.end, {**attributes, "blocks_done": number + 1})
            progress.update(int(days[number + 1] - days[number]))
    return _finish(setup, directory, blocks, outputs, memory, state)


def _finish(
    setup: Setup,
    directory: RunDirectory,
    blocks: list[Block],
    outputs: Blocks,
    memory: list[Memory],
    state: LandState,
) -> list[Path]:
    """Join the blocks, write the final state and the convergence of the spin-up."""
    attributes = file_attributes(f"open loop of {setup.config.name}")
    files = [directory / "open_loop.nc", state_path(directory, blocks[-1].end)]
    if len(memory) > 1:
        files.append(directory / "tables" / "spin_up.csv")
        attributes["spin_up"] = write_convergence(files[-1], memory)
        logger.info("spin-up: %s", attributes["spin_up"])
    write_state(files[1], state, blocks[-1].end, file_attributes("open loop state"))
    run = [number for number, block in enumerate(blocks) if not block.repetition]
    series = (outputs.read(number) for number in run)
    join_blocks(files[0], series, setup.surface.latitude, setup.surface.longitude, attributes)
    return files + [state_path(directory, time) for time in sorted(setup.stored_states)]


def _array(values: torch.Tensor) -> np.ndarray:
    return values.cpu().numpy().astype(np.float32)
