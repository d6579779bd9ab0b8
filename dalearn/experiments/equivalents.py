"""The observation operator of each observed quantity in a run."""

from collections.abc import Iterable

import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.setup import Setup
from dalearn.operators import ObservationOperator, create_operator, load_operator

DIRECT = {"SSM": "wg2", "LAI": "lai"}


def load_equivalent(setup: Setup, directory: RunDirectory, name: str) -> ObservationOperator:
    """The operator for the observations called ``name``, on the device of the model.

    The trained one where it predicts their quantity, else the direct one.  Observations that are rescaled to the model
    are soil moisture of the model (m3 m-3), so that theirs is always the direct one.  The cells are those of ``setup``.
    """
    training, quantity = setup.config.training, setup.config.observation(name).quantity
    if training is not None and setup.config.takes_trained_operator(name):
        surface = setup.surface
        operator = load_operator(directory / "operator.nc", latitude=surface.latitude, longitude=surface.longitude)
        operator.out_of_range = training.out_of_range
        if setup.part is not None:
            operator = operator.select_cells(list(range(operator.cell_count))[setup.cells])
    elif quantity in DIRECT:
        operator = create_operator(DIRECT[quantity], cell_count=setup.grid.cell_count)
    else:
        raise InputError(f"{quantity}: there is no operator for it; add a training section")
    return operator.to(device=setup.device, dtype=setup.dtype).requires_grad_(False)


def load_equivalents(setup: Setup, directory: RunDirectory, names: Iterable[str]) -> dict[str, ObservationOperator]:
    """The operator of each quantity that the observations ``names`` hold; they agree on it (``Config`` checks)."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(setup.config.observation(name).quantity, name)
    return {quantity: load_equivalent(setup, directory, name) for quantity, name in first.items()}


@torch.no_grad()
def evaluate_operator(operator: ObservationOperator, predictors: np.ndarray) -> np.ndarray:
    """Model equivalents (..., cell) of ``predictors`` (..., cell, n), NaN where the operator is not trained."""
    tensor = torch.from_numpy(np.asarray(predictors, dtype=np.float64)).to(operator.trained.device, operator.dtype)
    return torch.where(operator.trained, operator(tensor), torch.nan).double().cpu().numpy()
