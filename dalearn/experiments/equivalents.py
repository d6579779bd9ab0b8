"""The observation operator of each observed quantity in a run."""

import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.setup import Setup
from dalearn.operators import ObservationOperator, create_operator, load_operator

DIRECT = {"SSM": "wg2", "LAI": "lai"}


def load_equivalent(setup: Setup, directory: RunDirectory, quantity: str) -> ObservationOperator:
    """The trained operator where it predicts ``quantity``, else the direct one; on the device of the model."""
    training = setup.config.training
    if training is not None and setup.config.observation(training.observations).quantity == quantity:
        surface = setup.surface
        operator = load_operator(directory / "operator.nc", latitude=surface.latitude, longitude=surface.longitude)
        operator.out_of_range = training.out_of_range
    elif quantity in DIRECT:
        operator = create_operator(DIRECT[quantity], cell_count=setup.surface.cell_count)
    else:
        raise InputError(f"{quantity}: there is no operator for it; add a training section")
    return operator.to(device=setup.device, dtype=setup.dtype).requires_grad_(False)


@torch.no_grad()
def evaluate_operator(operator: ObservationOperator, predictors: np.ndarray) -> np.ndarray:
    """Model equivalents (..., cell) of ``predictors`` (..., cell, n), NaN where the operator is not trained."""
    tensor = torch.from_numpy(np.asarray(predictors, dtype=np.float64)).to(operator.trained.device, operator.dtype)
    return torch.where(operator.trained, operator(tensor), torch.nan).double().cpu().numpy()
