"""How a training went, epoch by epoch, as a netCDF file."""

from pathlib import Path

import numpy as np

from dalearn import io
from dalearn.learning.train import TrainingResult


def save_training(result: TrainingResult, path: str | Path, *, latitude: np.ndarray, longitude: np.ndarray) -> None:
    """Write the errors (epoch, cell) and the best epochs (cell,) of ``result``; ``InputError`` if impossible."""
    title = f"training of the observation operator {result.operator.name} for {result.operator.quantity}"
    with io.writing(path, {"title": title}) as dataset:
        io.create_cells(dataset, latitude, longitude)
        dataset.createDimension("epoch", len(result.training_rmsd))
        io.create_variable(dataset, "epoch", ("epoch",), "i4", attributes={"long_name": "epoch, from 1"})[:] = (
            np.arange(1, len(result.training_rmsd) + 1)
        )
        for name, errors in (("training", result.training_rmsd), ("validation", result.validation_rmsd)):
            attributes = {
                "units": result.operator.units,
                "long_name": f"root-mean-square error of the {name} samples",
                "coordinates": "latitude longitude",
            }
            variable = io.create_variable(dataset, f"{name}_rmsd", ("epoch", "cell"), "f4", attributes=attributes)
            variable[:] = errors.numpy()
        attributes = {"long_name": "epoch whose weights were kept, 0 = untrained", "coordinates": "latitude longitude"}
        io.create_variable(dataset, "best_epoch", ("cell",), "i4", attributes=attributes)[:] = result.best_epoch.numpy()
