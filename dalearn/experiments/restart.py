"""Restart files: a land state at a time, in netCDF, under the names of the variable table.

Layered variables are stored whole, ``WG``, ``WGI`` and ``TG`` with dims (layer, column); the others are
``(column,)``.  Parts that only some models have, snow and the pools of roots and wood, are in the file where the
state has them.  Everything is float64, so that a run goes on from a restart file bit for bit.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import torch

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


def write_state(path: Path, state: LandState, time: np.datetime64, attributes: Mapping[str, Any]) -> None:
    """Write ``state``, valid at ``time`` (UTC), as a whole file or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = _stored_names()
    with writing(path, attributes) as file:
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
            create_variable(file, name, dimensions, "f8", attributes=described)[...] = values


def read_state(
    path: Path, column_count: int, *, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu"
) -> tuple[LandState, np.datetime64, dict[str, Any]]:
    """The state, its time and the global attributes of a restart file.

    Raises InputError when the file is absent, lacks a variable or is for another number of columns.
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
            fields[field] = torch.tensor(read_values(file, name), dtype=dtype, device=device)
        time = EPOCH + np.timedelta64(int(file["time"][...]), "s")
        return state_from_fields(fields), time, _attributes(file)


def _attributes(file: netCDF4.Dataset) -> dict[str, Any]:
    return {name: file.getncattr(name) for name in file.ncattrs()}
