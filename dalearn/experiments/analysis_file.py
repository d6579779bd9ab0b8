"""``analysis.nc``: forecasts, analyses, increments, departures and Jacobians of all experiments."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from dalearn.assimilation.quality import Rejection
from dalearn.assimilation.record import RECORDED_STATE
from dalearn.experiments.surface import Surface
from dalearn.experiments.window_observations import ObservationAccount
from dalearn.io import create_cells, create_time, create_variable, seconds, writing
from dalearn.operators import ObservationOperator
from dalearn.variables import VARIABLES

DIMENSIONS = ("experiment", "time", "cell")
TIME_CHUNK = 512
NOT_USED = -1
OBSERVATION_TEXTS = {
    "observed": "observed value",
    "model_forecast": "model equivalent of the forecast",
    "model_analysis": "model equivalent of the analysis",
    "departure": "observation minus model equivalent of the forecast",
    "expected_deviation": "standard deviation that the filter expects of the departure, sqrt(H B H^T + R)",
    "observation_deviation": "standard deviation of the observation error, sqrt(R)",
}


def write_analysis(
    path: Path,
    surface: Surface,
    ends: np.ndarray,
    blocks: Mapping[str, Iterator[Mapping[str, np.ndarray]]],
    open_loop: Mapping[str, np.ndarray],
    operators: Mapping[str, ObservationOperator],
    control: Sequence[str],
    attributes: Mapping[str, Any],
    accounts: Mapping[str, Mapping[str, ObservationAccount]],
) -> None:
    """Join the ``blocks`` of the experiments into ``path``, whole or not at all.

    ``ends`` (window,) window ends; ``open_loop`` by quantity, the operator on the open loop (window, cell);
    ``accounts`` by experiment and name of the observations, of their reading and matching.
    Where an experiment does not assimilate a quantity its observations, departures and Jacobians are missing.
    """
    described = describe_variables(operators, control)
    with writing(path, attributes) as file:
        file.createDimension("experiment", len(blocks))
        file.createDimension("time", len(ends))
        names = file.createVariable("experiment", str, ("experiment",))
        names.long_name = "name of the experiment"
        names[:] = np.array(list(blocks), dtype=object)
        create_time(file)[:] = seconds(ends)
        create_cells(file, surface.latitude, surface.longitude)
        chunks = (1, min(len(ends), TIME_CHUNK), surface.cell_count)
        for name, attributes_of in described.items():
            flag = name.endswith("_rejected")
            kind = "i1" if flag else "f4"
            variable = create_variable(file, name, DIMENSIONS, kind, attributes=attributes_of, chunks=chunks)
            if flag:
                variable[:] = np.full(variable.shape, Rejection.MISSING, np.int8)
        for quantity, values in open_loop.items():
            units = operators[quantity].units
            text = {"units": units, "long_name": f"{quantity} of the open loop", "coordinates": "latitude longitude"}
            create_variable(file, f"{quantity}_open_loop", DIMENSIONS[1:], "f4", attributes=text)[:] = values
        _write_accounts(file, accounts)
        for row, experiment in enumerate(blocks.values()):
            _copy(file, row, experiment)


def _copy(file: netCDF4.Dataset, row: int, blocks: Iterator[Mapping[str, np.ndarray]]) -> None:
    start = 0
    for block in blocks:
        stop = start + len(block["time"])
        for name, values in block.items():
            if name != "time":
                file[name][row, start:stop] = values
        start = stop


def _write_accounts(file: netCDF4.Dataset, accounts: Mapping[str, Mapping[str, ObservationAccount]]) -> None:
    """``observation_count`` over (experiment, observation, fate), missing where an experiment does not use one."""
    of_all = {name: account for of_experiment in accounts.values() for name, account in of_experiment.items()}
    fates = list(dict.fromkeys(fate for account in of_all.values() for fate in account.counts))
    for name, values, text in (
        ("observation", list(of_all), "name of the observations in the configuration"),
        ("fate", fates, "what became of the observations before the filter; matched is what it was given"),
    ):
        file.createDimension(name, len(values))
        variable = file.createVariable(name, str, (name,))
        variable.long_name = text
        variable[:] = np.array(values, dtype=object)
    quantity = file.createVariable("observation_quantity", str, ("observation",))
    quantity.long_name = "observed quantity"
    quantity[:] = np.array([account.quantity for account in of_all.values()], dtype=object)
    numbers = np.full((len(accounts), len(of_all), len(fates)), NOT_USED, np.int64)
    for row, of_experiment in enumerate(accounts.values()):
        for column, name in enumerate(of_all):
            if name in of_experiment:
                numbers[row, column] = [of_experiment[name].counts.get(fate, 0) for fate in fates]
    variable = file.createVariable(
        "observation_count", "i8", ("experiment", "observation", "fate"), fill_value=NOT_USED
    )  # fmt: skip
    text = "number of observations by fate; read is the sum of all others"
    variable.setncatts({"units": "1", "long_name": text, "coordinates": "observation_quantity"})
    variable[:] = numbers


def describe_variables(
    operators: Mapping[str, ObservationOperator], control: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """CF attributes of every variable over (experiment, time, cell)."""
    result: dict[str, dict[str, Any]] = {}
    for name in RECORDED_STATE:
        row = VARIABLES[name]
        result[name] = {**row.attributes, "long_name": f"{row.long_name}, analysis"}
        result[f"{name}_forecast"] = {**row.attributes, "long_name": f"{row.long_name}, forecast"}
    for name in control:
        row = VARIABLES[name]
        result[f"{name}_increment"] = {"units": row.units, "long_name": f"increment of {row.long_name}"}
    result["chi_square"] = {
        "units": "1",
        "long_name": "d^T S^-1 d over the observations used; its expected value is their number",
    }
    flags = {
        "flag_values": np.array([code.value for code in Rejection], np.int8),
        "flag_meanings": " ".join(code.name.lower() for code in Rejection),
    }
    for quantity, operator in operators.items():
        units = operator.units
        for suffix, text in OBSERVATION_TEXTS.items():
            result[f"{quantity}_{suffix}"] = {"units": units, "long_name": f"{quantity}: {text}"}
        result[f"{quantity}_signal"] = {
            "units": "1", "long_name": f"{quantity}: degrees of freedom for signal, diagonal of H K"
        }  # fmt: skip
        result[f"{quantity}_rejected"] = {**flags, "long_name": f"fate of the observation of {quantity}"}
        for name in control:
            result[f"jacobian_{quantity}_{name}"] = {
                "units": f"{units} ({VARIABLES[name].units})-1",
                "long_name": f"d {quantity} at the window end / d {name} at its start, sum over patches",
            }
            result[f"gain_{quantity}_{name}"] = {
                "units": f"{VARIABLES[name].units} ({units})-1",
                "long_name": f"Kalman gain of {name} for {quantity}, cell mean, where the observation was used",
            }
    return {name: {**attributes, "coordinates": "latitude longitude"} for name, attributes in result.items()}
