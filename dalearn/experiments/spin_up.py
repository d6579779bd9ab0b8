"""How far the spin-up has converged: what the soil and the leaves keep from one repetition to the next."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from torch import Tensor

from dalearn.constants import DENSITY_WATER
from dalearn.files import write_text
from dalearn.grid import Grid
from dalearn.land.state import LandParameters, LandState


@dataclass(frozen=True)
class Memory:
    """The slow part of a state, per cell (cell,): water of the whole soil in kg m-2, temperature of the deepest
    layer in K, LAI in m2 m-2."""

    soil_water: list[float]
    deep_temperature: list[float]
    leaf_area_index: list[float]


def memory_of(state: LandState, grid: Grid, parameters: LandParameters) -> Memory:
    """The slow part of ``state``."""
    soil = parameters.soil
    thickness = soil.layer_thickness * soil.holds_water
    water = DENSITY_WATER * (thickness * (state.soil_moisture + state.soil_ice)).sum(dim=0)

    def of_cells(values: Tensor) -> list[float]:
        return grid.cell_mean(values).double().tolist()

    return Memory(of_cells(water), of_cells(state.soil_temperature[-1]), of_cells(state.leaf_area_index))


def write_memory(path: Path, repetitions: Sequence[Memory]) -> None:
    """Keep the memory at the start and after every repetition, for a run that is continued."""
    write_text(path, json.dumps([dataclasses.asdict(memory) for memory in repetitions]))


def read_memory(path: Path) -> list[Memory]:
    """What ``write_memory`` kept."""
    return [Memory(**item) for item in json.loads(path.read_text())]


def join_memory(parts: Sequence[Sequence[Memory]]) -> list[Memory]:
    """The memory of the whole domain from that of its parts."""
    names = [field.name for field in dataclasses.fields(Memory)]
    return [
        Memory(**{name: [value for part in repetition for value in getattr(part, name)] for name in names})
        for repetition in zip(*parts, strict=True)
    ]


def write_convergence(path: Path, repetitions: Sequence[Memory]) -> str:
    """Largest change over the cells from one repetition to the next as CSV; the last one in words.

    ``repetitions`` holds the memory at the start and after every repetition.
    """
    rows = []
    for number, (before, after) in enumerate(pairwise(repetitions), start=1):
        changes = [
            float(np.abs(np.subtract(getattr(after, name), getattr(before, name))).max())
            for name in ("soil_water", "deep_temperature", "leaf_area_index")
        ]
        rows.append((number, *changes))
    lines = ["repetition,soil_water_kg_m-2,deep_temperature_K,leaf_area_index_m2_m-2"]
    lines += [",".join([str(number), *(f"{change:.6g}" for change in changes)]) for number, *changes in rows]
    write_text(path, "\n".join(lines) + "\n")
    _, water, temperature, leaves = rows[-1]
    return (
        f"last of {len(rows)} repetitions changed soil water by at most {water:.3g} kg m-2, "
        f"the deepest temperature by {temperature:.3g} K, LAI by {leaves:.3g} m2 m-2"
    )
