"""What training leaves on disk for the evaluation: predictions on a test period, and training curves."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from dalearn.errors import InputError
from dalearn.files import write_whole


@dataclass(frozen=True)
class OperatorTest:
    """What operators predict for observations they were not trained on.

    ``time`` (time,) datetime64 ascending; ``observed`` (time, cell), NaN = missing; ``predictions`` operator ->
    (time, cell).  The first operator is the one the run uses, the others are what it is measured against.
    """

    quantity: str
    units: str
    time: np.ndarray
    observed: np.ndarray
    predictions: Mapping[str, np.ndarray]


def write_operator_test(test: OperatorTest, path: Path) -> Path:
    """Write as netCDF: ``Q_observed`` (time, cell) and ``Q_predicted`` (operator, time, cell)."""
    quantity = test.quantity
    predicted = np.stack([np.asarray(values, dtype=np.float32) for values in test.predictions.values()])
    dataset = xr.Dataset(
        {
            f"{quantity}_observed": (("time", "cell"), np.asarray(test.observed, dtype=np.float32)),
            f"{quantity}_predicted": (("operator", "time", "cell"), predicted),
        },
        coords={"operator": list(test.predictions), "time": np.asarray(test.time).astype("datetime64[ns]")},
        attrs={"Conventions": "CF-1.11", "quantity": quantity, "title": "observation operators on the test period"},
    )
    for name in dataset.data_vars:
        dataset[name].attrs["units"] = test.units
    encoding = {name: {"zlib": True} for name in dataset.data_vars}
    write_whole(path, lambda temporary: dataset.to_netcdf(temporary, encoding=encoding))
    return path


def read_operator_test(path: Path) -> OperatorTest:
    """Read what ``write_operator_test`` wrote."""
    with xr.open_dataset(path) as dataset:
        quantity = str(dataset.attrs.get("quantity", ""))
        for name in (f"{quantity}_observed", f"{quantity}_predicted"):
            if name not in dataset:
                raise InputError(f"{path}: no variable {name}: not a file of operator predictions, train again")
        observed = dataset[f"{quantity}_observed"]
        predicted = np.asarray(dataset[f"{quantity}_predicted"].values, dtype=np.float64)
        return OperatorTest(
            quantity,
            str(observed.attrs.get("units", "")),
            dataset["time"].values.astype("datetime64[s]"),
            np.asarray(observed.values, dtype=np.float64),
            {str(name): predicted[index] for index, name in enumerate(dataset["operator"].values)},
        )


def read_losses(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """Training curves of training.nc: "training" and "validation" -> (epoch, cell), and the label of their axis.

    Empty when ``path`` is not there.
    """
    if not path.exists():
        return {}, ""
    with xr.open_dataset(path) as dataset:
        stored = {name: dataset[f"{name}_rmsd"] for name in ("training", "validation") if f"{name}_rmsd" in dataset}
        units = {str(array.attrs.get("units", "")) for array in stored.values()}
        label = f"RMSD ({', '.join(sorted(units - {''}))})" if units - {""} else "RMSD"
        curves = {name: np.asarray(array.values, dtype=np.float64) for name, array in stored.items()}
        return {name: values for name, values in curves.items() if np.isfinite(values).any()}, label
