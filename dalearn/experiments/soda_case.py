"""Stored SURFEX SODA runs: forecast windows, their Jacobians and their analyses.

A file holds one window (``A_*``, ``B_*``), windows of many dates (``scan_*``) or the consecutive windows of a cycle
(``cycle_*``).  All windows of a file become cells of one grid, so that windows whose states are known run as one
batch.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import netCDF4
import numpy as np
import torch
from torch import Tensor

from dalearn.assimilation.control import DEFAULT_CONTROL
from dalearn.errors import InputError
from dalearn.experiments.reference_names import STATE_NAMES, state_of
from dalearn.experiments.reference_options import reference_options
from dalearn.experiments.reference_site import (
    Patches,
    build_site,
    check_parameters,
    forcing_series,
    read_columns,
    read_records,
    site_attributes,
    stored_depths,
    utc_time,
)
from dalearn.grid import PATCH_COUNT, Grid
from dalearn.io import read_time, reading, require
from dalearn.land.model import LandModel
from dalearn.land.photosynthesis import with_reference_assimilation
from dalearn.land.state import LandState
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.land.window import ForcingWindow
from dalearn.tree import select_columns

DAY = np.timedelta64(86400, "s")
KIND_OF_DIMENSION = {"date": "scan", "day": "cycle", "exp": "experiments"}
OPERATORS = {"WG2": "wg2", "LAI": "lai"}  # observed variable -> operator

Kind = Literal["experiments", "scan", "cycle"]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of 24 hours as the cells of ``grid``: each has its own forcing and reference assimilation.

    ``state`` is that at the start of every window; of a cycle, where only the first is given, of that one alone.
    """

    grid: Grid
    model: LandModel
    forcing: ForcingWindow
    state: LandState

    def one(self, number: int, state: LandState) -> "Windows":
        """Window ``number`` by itself, from ``state``."""
        columns = self.grid.cell_of_column == number
        cell = slice(number, number + 1)
        grid = Grid(
            latitude=self.grid.latitude[cell],
            longitude=self.grid.longitude[cell],
            cell_of_column=self.grid.cell_of_column[columns] - number,
            patch_of_column=self.grid.patch_of_column[columns],
            fraction=self.grid.fraction[columns],
        )
        model = self.model.with_parameters(select_columns(self.model.parameters, columns))
        return Windows(grid, model, replace(self.forcing, values=self.forcing.values[..., cell]), state)


@dataclass(frozen=True, eq=False)
class SodaCase:
    """A stored SODA run.

    ``starts`` (window,) datetime64[s] in UTC; ``observed`` names the observed variables, the rows of the stored
    Jacobians, whose other axes are the control variables (``DEFAULT_CONTROL``) and the patches.
    """

    path: Path
    kind: Kind
    starts: np.ndarray
    windows: Windows
    observed: tuple[str, ...]
    names: frozenset[str]  # of the variables of the file

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def times(self) -> np.ndarray:
        """Window ends, (window,)."""
        return self.starts + DAY

    def stored(self, name: str) -> np.ndarray:
        """A variable of the file as float64, ``(window, ...)`` with the patches last; NaN where undefined."""
        with reading(self.path) as dataset:
            values = read_columns(dataset, name)
            return values if _has_windows(dataset, name) else values[None]

    def stored_columns(self, name: str) -> Tensor:
        """The same with the windows' patches side by side, ``(..., column)`` with 0 where undefined."""
        return _columns(np.nan_to_num(self.stored(name)))

    def labels(self, name: str) -> list[str]:
        """A coordinate of the file, for example the names of its experiments."""
        with reading(self.path) as dataset:
            require(dataset, name)
            return [str(item) for item in dataset[name][:]]


def read_soda_case(path: Path | str) -> SodaCase:
    """Read a stored SODA run.

    Raises InputError naming what is missing or is not modelled.
    """
    path = Path(path)
    source = str(path)
    with reading(path) as dataset:
        site = site_attributes(source, dataset)
        kind = _kind(source, dataset)
        attributes = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
        options = reference_options(source, attributes, "physics", "timestep")
        require(dataset, "patch", "alpha", "cv", "obs", "H", "frc_Tair")
        observed = _observed(source, dataset)
        starts = _starts(source, dataset, kind, attributes)
        numbers = [int(number) for number in dataset["patch"][:]]
        alpha = read_columns(dataset, "alpha")
        patches = Patches(
            numbers=numbers,
            types=_types(source, dataset, numbers),
            share=np.broadcast_to(alpha, (len(starts), len(numbers))),
            **stored_depths(dataset, len(numbers)),
        )
        grid, parameters = build_site(source, site, patches, options.pedotransfer)
        check_parameters(source, dataset, select_columns(parameters, slice(0, len(numbers))))
        series = [
            forcing_series(source, site, start, _forcing_step(dataset), records)
            for start, records in zip(starts, _records(dataset, len(starts)), strict=True)
        ]
        values = {}
        for name in STATE_NAMES:
            if f"init_{name}" in dataset.variables:
                stored = read_columns(dataset, f"init_{name}")
                values[name] = _columns(stored if _has_windows(dataset, f"init_{name}") else stored[None]).numpy()
        names = frozenset(dataset.variables)
    forcing = [
        item.window(start, start + DAY, options.land.time_step, shortwave=options.shortwave)
        for item, start in zip(series, starts, strict=True)
    ]
    ratio = np.concatenate([item.first_record_co2_mixing_ratio(item.start) for item in series])
    parameters = with_reference_assimilation(parameters, grid.to_columns(torch.from_numpy(ratio)))
    return SodaCase(
        path=path,
        kind=kind,
        starts=starts,
        windows=Windows(
            grid=grid,
            model=LandModel(parameters, options.land, compiled=False),
            forcing=replace(forcing[0], values=torch.cat([item.values for item in forcing], dim=-1)),
            state=state_of(values, source, "init_"),
        ),
        observed=observed,
        names=names,
    )


def _kind(source: str, dataset: netCDF4.Dataset) -> Kind:
    for dimension, kind in KIND_OF_DIMENSION.items():
        if dimension in dataset.dimensions:
            return kind  # type: ignore[return-value]
    raise InputError(
        f"{source}: none of the dimensions {', '.join(KIND_OF_DIMENSION)}; give a stored SODA window, scan or cycle"
    )


def _observed(source: str, dataset: netCDF4.Dataset) -> tuple[str, ...]:
    control = tuple(str(item) for item in dataset["cv"][:])
    if control != DEFAULT_CONTROL.names:
        raise InputError(f"{source}: cv is {', '.join(control)}; only {', '.join(DEFAULT_CONTROL.names)} are compared")
    observed = tuple(str(item) for item in dataset["obs"][:])
    for name in observed:
        if name not in OPERATORS:
            raise InputError(f"{source}: obs {name} is not known; the known ones are {', '.join(OPERATORS)}")
    return observed


def _starts(source: str, dataset: netCDF4.Dataset, kind: Kind, attributes: dict[str, object]) -> np.ndarray:
    if kind == "scan":
        return read_time(dataset, "date")
    if "t0" not in attributes:
        raise InputError(f"{source}: global attribute t0 is missing; give a stored SODA case")
    first = utc_time(source, "t0", str(attributes["t0"]))
    return first + DAY * np.arange(len(dataset.dimensions["day"]) if kind == "cycle" else 1)


def _types(source: str, dataset: netCDF4.Dataset, numbers: list[int]) -> list[str]:
    """Vegetation type of every patch; where the file names none, the first type of the patch."""
    if "vegtype" in dataset.variables:
        return [str(kind) for kind in dataset["vegtype"][:]]
    for number in numbers:
        if not 1 <= number <= PATCH_COUNT:
            raise InputError(f"{source}: patch {number} is not one of 1 to {PATCH_COUNT}; correct it")
    return [VEGETATION_TYPES[number - 1] for number in numbers]


def _forcing_step(dataset: netCDF4.Dataset) -> float:
    """Seconds between the records of a window, which open and close it."""
    return float(DAY / np.timedelta64(1, "s")) / (len(dataset.dimensions["forcing_time"]) - 1)


def _records(dataset: netCDF4.Dataset, count: int) -> list[dict[str, np.ndarray]]:
    if not _has_windows(dataset, "frc_Tair"):
        return [read_records(dataset, "frc_")] * count
    return [read_records(dataset, "frc_", number) for number in range(count)]


def _has_windows(dataset: netCDF4.Dataset, name: str) -> bool:
    """Whether the first axis of a variable is that of the windows."""
    return dataset[name].dimensions[:1] in (("date",), ("day",))


def _columns(values: np.ndarray) -> Tensor:
    """``(window, ..., patch)`` to ``(..., column)``."""
    moved = np.moveaxis(values, 0, -2)
    return torch.from_numpy(np.ascontiguousarray(moved.reshape(*moved.shape[:-2], -1)))
