"""Trained operators as CF netCDF files that anyone can read without this package.

Every parameter and statistic is a variable named like the symbol in the operator (``W1``, ``b1``, ``predictor_mean``,
``predictor_minimum``, ...) on named dimensions, stored in the precision it was trained in; the global attributes
``operator`` and ``operator_options`` say what to do with them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import torch
from torch import Tensor

from dalearn import io
from dalearn.errors import InputError
from dalearn.operators.base import ObservationOperator, create_operator, operator_class, tensor_axes

POSITION_TOLERANCE = 1.0e-3  # degrees, a hundred metres: the same cell in two files

_LONG_NAMES = {
    "trained": "the operator may be used in this cell",
    "predictor_minimum": "smallest value of the predictor in training",
    "predictor_maximum": "largest value of the predictor in training",
    "predictor_mean": "mean of the predictor in training",
    "predictor_std": "standard deviation of the predictor in training, 0 = no influence",
    "target_mean": "mean of the observed quantity in training",
    "target_std": "standard deviation of the observed quantity in training, 0 = the mean is predicted",
}


def save_operator(
    operator: ObservationOperator,
    path: str | Path,
    *,
    latitude: np.ndarray,
    longitude: np.ndarray,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Write ``operator`` to ``path`` in one move: the file is complete or not there.

    ``latitude``, ``longitude`` (cell,) degrees; ``attributes`` are global attributes of provenance (strings and
    numbers; mappings and lists are stored as JSON).  Raises ``InputError`` when the file cannot be written.
    """
    if len(latitude) != operator.cell_count or len(longitude) != operator.cell_count:
        raise ValueError(f"{operator.cell_count} cells need as many latitudes and longitudes")
    title = f"observation operator {operator.name} for {operator.quantity}"
    with io.writing(path, {"title": title, **_provenance(attributes or {})}) as dataset:
        io.create_cells(dataset, latitude, longitude)
        _write(dataset, operator)


def load_operator(
    path: str | Path, *, latitude: np.ndarray | None = None, longitude: np.ndarray | None = None
) -> ObservationOperator:
    """The operator stored in ``path``, its weights frozen, predicting bit for bit as when it was saved.

    With ``latitude`` and ``longitude`` (cell,) given, the cells of the file must be those.  Raises ``InputError``
    for a missing, truncated or foreign file, an unregistered operator, or other cells.
    """
    path = Path(path)
    with io.reading(path) as dataset:
        dataset.set_auto_maskandscale(False)
        attributes = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
        stored = {name: np.asarray(variable[...]) for name, variable in dataset.variables.items()}
    lacking = [name for name in ("operator", "operator_module", "operator_options") if name not in attributes]
    lacking += [name for name in ("latitude", "longitude", "predictor", "predictor_minimum") if name not in stored]
    if lacking:
        raise InputError(f"{path}: not an operator file ({', '.join(lacking)} missing); train one with dalearn train")
    if latitude is not None and longitude is not None:
        check_same_cells(path, (stored["latitude"], stored["longitude"]), (latitude, longitude))
    operator = _rebuild(path, attributes, stored)
    operator.load_state_dict(_state(path, operator, stored))
    return operator.requires_grad_(False)


def variable_names(operator: ObservationOperator) -> dict[str, str]:
    """The netCDF variable of every key of ``state_dict``: its last word, or all of them where two would clash."""
    last = [key.split(".")[-1] for key in operator.state_dict()]
    return {
        key: key.replace(".", "_") if last.count(short) > 1 else short
        for key, short in zip(operator.state_dict(), last, strict=True)
    }


def _provenance(attributes: Mapping[str, Any]) -> dict[str, str | int | float]:
    """Global attributes as netCDF can hold them: anything but strings and numbers becomes JSON."""
    return {
        key: value if isinstance(value, str | int | float) and not isinstance(value, bool) else json.dumps(value)
        for key, value in attributes.items()
    }


def _write(dataset: netCDF4.Dataset, operator: ObservationOperator) -> None:
    dataset.setncatts(
        {
            "operator": operator.name,
            "operator_module": type(operator).__module__,
            "operator_options": json.dumps(operator.options()),
            "quantity": operator.quantity,
            "quantity_units": operator.units,
        }
    )
    dataset.createDimension("predictor", len(operator.predictors))
    names = dataset.createVariable("predictor", str, ("predictor",))
    names[:] = np.array(operator.predictors, dtype=object)
    names.long_name = "names of the predictors, in the order of the operator"
    variables = variable_names(operator)
    for key, tensor in operator.state_dict().items():
        _write_tensor(dataset, variables[key], tensor_axes(operator, key, tensor), tensor)
    dataset["trained"].setncatts({"flag_values": np.array([0, 1], np.int8), "flag_meanings": "untrained trained"})


def _write_tensor(dataset: netCDF4.Dataset, name: str, axes: tuple[str, ...], tensor: Tensor) -> None:
    values = tensor.detach().cpu().numpy()
    values = values.astype(np.int8) if values.dtype == bool else values
    for axis, length in zip(axes, values.shape, strict=True):
        if axis not in dataset.dimensions:
            dataset.createDimension(axis, length)
    attributes = {"long_name": _LONG_NAMES.get(name, f"operator parameter {name}")}
    if "cell" in axes:
        attributes["coordinates"] = "latitude longitude"
    io.create_variable(dataset, name, axes, values.dtype, attributes=attributes)[...] = values


def check_same_cells(
    path: str | Path, of_file: tuple[np.ndarray, np.ndarray], of_grid: tuple[np.ndarray, np.ndarray]
) -> None:
    """``InputError`` unless both (latitude, longitude), each (cell,) degrees, are the same cells in the same order."""
    if len(of_file[0]) != len(of_grid[0]):
        raise InputError(f"{path}: {len(of_file[0])} cells, but the grid has {len(of_grid[0])}; use files of one grid")
    turn = (of_file[1] - of_grid[1] + 180.0) % 360.0 - 180.0
    apart = np.maximum(np.abs(of_file[0] - of_grid[0]), np.abs(turn))
    if apart.max(initial=0.0) > POSITION_TOLERANCE:
        cell = int(apart.argmax())
        raise InputError(
            f"{path}: cell {cell} lies {apart[cell]:.3g} degrees from cell {cell} of the grid; use files of one grid"
        )


def _rebuild(path: Path, attributes: dict[str, Any], stored: dict[str, np.ndarray]) -> ObservationOperator:
    name = attributes["operator"]
    try:
        operator_class(name)
    except InputError as error:
        raise InputError(f"{path}: {error}; import {attributes['operator_module']} first") from error
    return create_operator(
        name,
        cell_count=len(stored["latitude"]),
        predictors=[str(predictor) for predictor in stored["predictor"]],
        dtype=torch.from_numpy(stored["predictor_minimum"]).dtype,
        **json.loads(attributes["operator_options"]),
    )


def _state(path: Path, operator: ObservationOperator, stored: dict[str, np.ndarray]) -> dict[str, Tensor]:
    variables = variable_names(operator)
    state = {}
    for key, expected in operator.state_dict().items():
        name = variables[key]
        if name not in stored:
            raise InputError(f"{path}: variable {name} of operator {operator.name!r} is missing; train it again")
        values = torch.from_numpy(stored[name].copy()).to(expected.dtype)
        if values.shape != expected.shape:
            raise InputError(f"{path}: variable {name} has shape {tuple(values.shape)}, not {tuple(expected.shape)}")
        if bool(values.isnan().any()):
            raise InputError(f"{path}: variable {name} holds NaN; train the operator again")
        state[key] = values
    return state
