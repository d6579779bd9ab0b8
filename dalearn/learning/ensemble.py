"""The same operator trained from several initial weights, all at once: the members lie side by side as cells."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from dalearn.learning.settings import TrainingSettings
from dalearn.learning.train import TrainingResult, train_operator
from dalearn.operators.base import ObservationOperator, tensor_axes


def train_ensemble(
    operator: ObservationOperator,
    predictors: Tensor,
    target: Tensor,
    settings: TrainingSettings | None = None,
    *,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    cell_identifiers: list[int] | None = None,
    time: np.ndarray | None = None,
    validation: np.ndarray | Tensor | None = None,
) -> list[TrainingResult]:
    """One result per seed of the initial weights; other arguments as in ``train_operator``.

    Members share validation blocks and the order of samples, so they differ by their initial weights alone.  The
    result for a seed is that of ``train_operator`` on an operator initialised with this seed.
    """
    members = [copy.deepcopy(operator) for _ in seeds]
    for member, seed in zip(members, seeds, strict=True):
        member.initialise(seed, cell_identifiers)
    if not operator.independent_cells:
        return [
            train_operator(member, predictors, target, settings, time=time, validation=validation) for member in members
        ]
    count = len(members)
    joint = train_operator(
        side_by_side(members),
        predictors.repeat(1, count, 1),
        target.repeat(1, count),
        settings,
        time=time,
        validation=validation,
    )
    cells = torch.arange(operator.cell_count * count).reshape(count, -1)
    return [_member(joint, of_member) for of_member in cells]


def side_by_side(operators: Sequence[ObservationOperator]) -> ObservationOperator:
    """One operator with the cells of all ``operators`` one after the other; they must be alike."""
    first = operators[0]
    repeated = first.select_cells(list(range(first.cell_count)) * len(operators))
    axes = {key: tensor_axes(first, key, tensor) for key, tensor in first.state_dict().items()}
    states = [operator.state_dict() for operator in operators]
    joined = {
        key: torch.cat([state[key] for state in states]) if axes[key][:1] == ("cell",) else states[0][key]
        for key in states[0]
    }
    repeated.load_state_dict(joined)
    return repeated


def _member(joint: TrainingResult, cells: Tensor) -> TrainingResult:
    return replace(
        joint,
        operator=joint.operator.select_cells(cells).requires_grad_(False),
        training_rmsd=joint.training_rmsd[:, cells],
        validation_rmsd=joint.validation_rmsd[:, cells],
        best_epoch=joint.best_epoch[cells],
        trained=joint.trained[cells],
    )
