"""The open loop: spin-up, then the run without assimilation, in blocks that survive a killed process.

The processes of the run do parts of the domain, each in a folder of its own, and the parts are joined at the end.
After every block its output and a restart file are written, in this order, while the next block is computed; a later
run goes on from the restart file and gives, bit for bit, what the uninterrupted run gives.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from dalearn.assimilation.finite import at_time, check_finite
from dalearn.assimilation.forecast import Record, integrate
from dalearn.experiments.background import BackgroundWriter
from dalearn.experiments.blocks import Blocks, join_blocks, read_parts_of_blocks
from dalearn.experiments.crew import Crew, Share
from dalearn.experiments.parts import Part
from dalearn.experiments.provenance import file_attributes
from dalearn.experiments.restart import read_state, write_state
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.sections import OpenLoopConfig, as_time
from dalearn.experiments.setup import Setup
from dalearn.experiments.spin_up import join_memory, memory_of, read_memory, write_convergence, write_memory
from dalearn.land.state import LandState
from dalearn.tree import concatenate_columns

logger = logging.getLogger("dalearn")

OUTPUT = (*(f"WG{layer}" for layer in range(1, 9)), "TG1", "TG2", "LAI")
DAY = np.timedelta64(86400, "s")
RESTART, MEMORY = "restart.nc", "memory.json"  # files of a part


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


def state_path(folder: Path, time: np.datetime64) -> Path:
    """Where the open loop leaves its state at ``time``, in a run directory or in the folder of a part."""
    stamp = np.datetime_as_string(time, unit="m").replace(":", "")
    return folder / "restart" / f"open_loop_{stamp}.nc"


def run_open_loop(setup: Setup, directory: RunDirectory, crew: Crew) -> list[Path]:
    """Run what is left of the open loop, in parts; returns the files that it leaves."""
    parts = crew.plan("open_loop", setup.grid, directory)
    folders = crew.run("open_loop", parts, setup, directory)
    blocks = plan_blocks(setup.config.open_loop, setup.stored_states)
    attributes = file_attributes(f"open loop of {setup.config.name}")
    files = [directory / "open_loop.nc", state_path(directory.path, blocks[-1].end)]
    memory = join_memory([read_memory(folder / MEMORY) for folder in folders])
    if len(memory) > 1:
        files.append(directory / "tables" / "spin_up.csv")
        attributes["spin_up"] = write_convergence(files[-1], memory)
        logger.info("spin-up: %s", attributes["spin_up"])
    _join_states([folder / RESTART for folder in folders], files[1], setup, parts)
    for time in sorted(setup.stored_states):
        files.append(state_path(directory.path, time))
        _join_states([state_path(folder, time) for folder in folders], files[-1], setup, parts)
    run = [number for number, block in enumerate(blocks) if not block.repetition]
    series = read_parts_of_blocks([Blocks(folder) for folder in folders], run)
    join_blocks(files[0], series, setup.surface.latitude, setup.surface.longitude, attributes)
    return files


def _join_states(sources: Sequence[Path], path: Path, setup: Setup, parts: Sequence[Part]) -> None:
    """The states of the parts, each in its own file, as one."""
    states = [read_state(source, part.column_count) for source, part in zip(sources, parts, strict=True)]
    write_state(path, concatenate_columns([state for state, *_ in states]), states[0][1], _state_attributes())


def _state_attributes() -> dict[str, str]:
    return file_attributes("open loop state")


@torch.no_grad()
def run_part(share: Share) -> None:
    """Run what is left of the open loop of some cells, and leave it in the folder of the part."""
    setup, folder, progress = share.setup, share.folder, share.progress
    setup.use_threads()
    config, parameters = setup.config.open_loop, setup.model.parameters
    blocks = plan_blocks(config, setup.stored_states)
    outputs, restart, convergence = Blocks(folder), folder / RESTART, folder / MEMORY
    record = Record(OUTPUT, every=round(config.output_hours * 3600 / setup.config.land.time_step))
    attributes = _state_attributes()
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
    progress.start(int(days[-1]), "days", int(days[done]))

    def write(
        number: int, block: Block, times: np.ndarray, series: Mapping[str, torch.Tensor], state: LandState
    ) -> None:
        if not block.repetition:
            outputs.write(number, {"time": times, **{name: _array(values) for name, values in series.items()}})
        write_state(restart, state, block.end, {**attributes, "blocks_done": number + 1})

    with BackgroundWriter() as background:
        for number, block in enumerate(blocks[done:], start=done):
            if not block.repetition and block.start in setup.stored_states:
                write_state(state_path(folder, block.start), state, block.start, attributes)
            window = setup.window(block.start, block.end)
            state, series = integrate(setup.model, setup.grid, state, window, None if block.repetition else record)
            check_finite(state, setup.grid, at_time("in the open loop at", block.end))
            if block.closing:
                memory.append(memory_of(state, setup.grid, parameters))
                write_memory(convergence, memory)
            times = window.times[record.every - 1 :: record.every]
            background.submit(write, number, block, times, series, state)
            progress.update(int(days[number + 1] - days[number]))


def _array(values: torch.Tensor) -> np.ndarray:
    return values.cpu().numpy().astype(np.float32)
