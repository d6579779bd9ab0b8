"""Restart files: a land state at a time, in netCDF, under the names of the variable table.

Layered variables are stored whole, ``WG``, ``WGI`` and ``TG`` with dims (layer, column); the others are
``(column,)``.  Parts that only some models have, snow and the pools of roots and wood, are in the file where the
state has them.  Everything is float64, so that a run goes on from a restart file bit for bit, and uncompressed,
which makes writing one three times as fast at a thousand cells.

What an assimilation takes from window to window besides the state is in the group ``carried`` of the same file
(``CycleRestart``), so that all of it belongs to one time whenever the process is killed.
"""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import torch
from torch import Tensor

from dalearn.errors import InputError
from dalearn.io import EPOCH, TIME_UNITS, create_variable, read_values, reading, seconds, writing
from dalearn.land.state import LandState, state_from_fields
from dalearn.tree import named_tensors
from dalearn.variables import VARIABLES


def _stored_names() -> dict[str, tuple[str, dict[str, str]]]:
    """Field of ``LandState`` to its name in the file and its attributes."""
    names: dict[str, tuple[str, dict[str, str]]] = {}
    for row in VARIABLES.values():
        if row.restart and row.field not in names:
            name = row.name if row.layer is None else row.name.rstrip("0123456789")
            long_name = re.sub(r" of layer \d+$", "", row.long_name)
            names[row.field] = (name, {**row.attributes, "long_name": long_name})
    return names


@dataclasses.dataclass(frozen=True)
class CycleRestart:
    """All that the assimilation takes from the windows done to the next one.

    Attributes:
        state: at ``time`` (UTC), the end of the last window done.
        windows_done: from the first window on.
        carried: what the filter carries besides the state, by name: tensors of any shape on any device, a cycled
            covariance, the members of an ensemble (``tree.named_tensors``), the state of a random generator.
    """

    state: LandState
    time: np.datetime64
    windows_done: int = 0
    carried: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)


def write_cycle(path: Path, restart: CycleRestart, attributes: Mapping[str, Any]) -> None:
    """Write ``restart`` as a whole file or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path, {**attributes, "windows_done": restart.windows_done}) as file:
        _put_state(file, restart.state, restart.time)
        group = file.createGroup("carried")
        for name, tensor in restart.carried.items():
            _put_tensor(group, name, tensor)


def read_cycle(
    path: Path,
    column_count: int,
    *,
    columns: slice = slice(None),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> CycleRestart:
    """What ``write_cycle`` or, with no window done, ``write_state`` wrote.

    ``dtype`` is that of the state; carried tensors keep theirs.  ``columns`` as in ``read_state``, which only a file
    without carried tensors has.  Raises InputError like ``read_state``.
    """
    state, time, attributes = read_state(path, column_count, columns=columns, dtype=dtype, device=device)
    with reading(path) as file:
        group = file.groups.get("carried")
        carried = {} if group is None else {name: _get_tensor(group[name]).to(device) for name in group.variables}
    return CycleRestart(state, time, int(attributes.get("windows_done", 0)), carried)


def _put_tensor(group: netCDF4.Group, name: str, tensor: Tensor) -> None:
    dimensions = [f"{name}_{axis}" for axis in range(tensor.ndim)]
    for dimension, size in zip(dimensions, tensor.shape, strict=True):
        group.createDimension(dimension, size)
    values = tensor.detach().cpu().numpy()
    described = {"tensor_dtype": str(tensor.dtype).removeprefix("torch.")}
    kind = "i1" if values.dtype == np.bool_ else values.dtype
    variable = create_variable(group, name, dimensions, kind, attributes=described, compressed=False)
    variable.set_auto_maskandscale(False)
    variable[...] = values


def _get_tensor(variable: netCDF4.Variable) -> Tensor:
    variable.set_auto_maskandscale(False)
    return torch.from_numpy(np.array(variable[...])).to(getattr(torch, variable.tensor_dtype))


def write_state(path: Path, state: LandState, time: np.datetime64, attributes: Mapping[str, Any]) -> None:
    """Write ``state``, valid at ``time`` (UTC), as a whole file or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path, attributes) as file:
        _put_state(file, state, time)


def _put_state(file: netCDF4.Dataset, state: LandState, time: np.datetime64) -> None:
    names = _stored_names()
    layers, columns = state.soil_moisture.shape
    file.createDimension("layer", layers)
    if state.snow is not None:
        file.createDimension("snow_layer", len(state.snow.density))
    file.createDimension("column", columns)
    described = {"units": TIME_UNITS, "calendar": "standard", "standard_name": "time"}
    create_variable(file, "time", (), "i8", attributes=described)[...] = seconds(np.asarray(time))
    for field, tensor in named_tensors(state):
        name, described = names[field]
        values = tensor.detach().cpu().double().numpy()
        layered = "snow_layer" if field.startswith("snow.") else "layer"
        dimensions = (layered, "column") if values.ndim == 2 else ("column",)
        create_variable(file, name, dimensions, "f8", attributes=described, compressed=False)[...] = values


def read_state(
    path: Path,
    column_count: int,
    *,
    columns: slice = slice(None),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> tuple[LandState, np.datetime64, dict[str, Any]]:
    """The state, its time and the global attributes of a restart file of ``column_count`` columns.

    ``columns`` are those wanted.  Raises InputError when the file is absent, lacks a variable or is for another number
    of columns.
    """
    with reading(path) as file:
        found = len(file.dimensions["column"])
        if found != column_count:
            raise InputError(f"{path}: holds {found} columns, the surface has {column_count}; run again with --force")
        fields = {}
        names = _stored_names()
        for field, (name, _) in names.items():
            part = field.rpartition(".")[0]
            if part and not any(names[other][0] in file.variables for other in names if other.startswith(f"{part}.")):
                continue
            fields[field] = torch.tensor(read_values(file, name, (..., columns)), dtype=dtype, device=device)
        time = EPOCH + np.timedelta64(int(file["time"][...]), "s")
        return state_from_fields(fields), time, _attributes(file)


def _attributes(file: netCDF4.Dataset) -> dict[str, Any]:
    return {name: file.getncattr(name) for name in file.ncattrs()}
