"""Train any registered operator on predictors and observations of all cells at once."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from lightning import Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins.environments import LightningEnvironment
from torch import Tensor

from dalearn.errors import InputError
from dalearn.learning.best_weights import BestWeights
from dalearn.learning.module import OperatorTraining
from dalearn.learning.progress import TrainingProgress, quiet_lightning
from dalearn.learning.samples import SampleOrder, complete_samples
from dalearn.learning.settings import TrainingSettings
from dalearn.learning.split import validation_blocks
from dalearn.operators.base import ObservationOperator


@dataclass(frozen=True)
class TrainingResult:
    """A trained operator and how it came about.

    ``training_rmsd``, ``validation_rmsd`` (epoch, cell) in units of the quantity, NaN without samples;
    ``best_epoch`` (cell,) counted from 1, 0 where untrained; ``trained`` (cell,) bool; ``validation`` (sample,)
    bool, the samples set aside.
    """

    operator: ObservationOperator
    training_rmsd: Tensor
    validation_rmsd: Tensor
    best_epoch: Tensor
    trained: Tensor
    validation: Tensor


def train_operator(
    operator: ObservationOperator,
    predictors: Tensor,
    target: Tensor,
    settings: TrainingSettings | None = None,
    *,
    time: np.ndarray | None = None,
    validation: np.ndarray | Tensor | None = None,
    patience: int | None = None,
) -> TrainingResult:
    """Train a copy of ``operator``; every cell gets the weights of its own best epoch.

    Args:
        operator: starting point; its cells are those of the samples.
        predictors: (sample, cell, n) in table units, NaN = missing.
        target: (sample, cell) observed quantity, NaN = missing.
        settings: see ``TrainingSettings``.
        time: (sample,) datetime64, to set whole months aside for validation.
        validation: (sample,) bool, the samples set aside, instead of drawing them.
        patience: a cell is done when so many epochs in a row have not improved it, and the training when all are.

    Range and normalisation come from the training samples only.  A cell does not depend on the others as long as
    the sample axis is the same.  Raises ``InputError`` for an operator without parameters, samples without any
    complete pair, or a diverging cell.
    """
    settings = settings or TrainingSettings()
    _check_arguments(operator, predictors, target)
    operator = copy.deepcopy(operator).requires_grad_(True)
    predictors, target = predictors.to("cpu", operator.dtype), target.to("cpu", operator.dtype)
    if validation is None:
        validation = validation_blocks(len(target), settings.validation_share, settings.seed, time)
    validation = torch.as_tensor(validation, dtype=torch.bool)

    training_target = torch.where(validation.unsqueeze(-1), torch.nan, target)
    operator.fit_statistics(predictors, training_target, settings.minimum_samples)
    if not bool(operator.trained.any()):
        raise InputError(
            f"operator {operator.name!r}: no cell has {settings.minimum_samples} training samples with both "
            f"{operator.quantity} and {', '.join(operator.predictors)}; check that the periods overlap"
        )
    samples = complete_samples(predictors, torch.where(operator.trained, target, torch.nan))
    scale = _error_scale(operator, training_target)
    module = OperatorTraining(operator, samples, scale, settings)
    best = BestWeights(patience)
    with quiet_lightning():
        _trainer(settings, [best, TrainingProgress()] if settings.progress else [best]).fit(
            module, datamodule=SampleOrder(validation, settings)
        )
    assert best.best_epoch is not None
    operator = operator.cpu()
    set_aside = validation if bool(validation.any()) else ~validation
    operator.fit_error(samples.predictors[set_aside], samples.target[set_aside], samples.valid[set_aside])
    return TrainingResult(
        operator=operator.requires_grad_(False),
        training_rmsd=torch.stack(module.training_rmsd).cpu(),
        validation_rmsd=torch.stack(module.validation_rmsd).cpu(),
        best_epoch=torch.where(operator.trained, best.best_epoch.cpu(), 0),
        trained=operator.trained.clone(),
        validation=validation,
    )


def _check_arguments(operator: ObservationOperator, predictors: Tensor, target: Tensor) -> None:
    if not any(True for _ in operator.parameters()):
        raise InputError(f"operator {operator.name!r} has no parameters to train; use it as it is")
    expected = (operator.cell_count, len(operator.predictors))
    if predictors.shape[1:] != expected or target.shape != predictors.shape[:2]:
        raise ValueError(
            f"operator {operator.name!r} needs predictors (sample, {expected[0]}, {expected[1]}) and target "
            f"(sample, {expected[0]}), not {tuple(predictors.shape)} and {tuple(target.shape)}"
        )
    if operator.independent_cells:
        for name, weight in operator.named_parameters():
            if weight.shape[:1] != (operator.cell_count,):
                raise ValueError(
                    f"parameter {name} of operator {operator.name!r} has no leading cell axis; "
                    "declare independent_cells = False"
                )


def _error_scale(operator: ObservationOperator, target: Tensor) -> Tensor:
    """Standard deviation of the training target per cell, or of the domain for shared weights; never 0."""
    if not operator.independent_cells:
        target = target.reshape(-1, 1)
    valid = torch.isfinite(target)
    count = valid.sum(dim=0).clamp(min=1)
    mean = torch.where(valid, target, 0.0).sum(dim=0) / count
    std = (torch.where(valid, target - mean, 0.0).square().sum(dim=0) / count).sqrt()
    return torch.where(std > 0, std, 1.0)


def _trainer(settings: TrainingSettings, callbacks: list) -> Trainer:
    # Apple's accelerator has no float64, so auto never chooses it; SLURM is left alone, cells are sharded outside.
    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    return Trainer(
        max_epochs=settings.epochs,
        accelerator=automatic if settings.accelerator == "auto" else settings.accelerator,
        devices=1,
        plugins=[LightningEnvironment()],
        logger=CSVLogger(settings.log_directory, name="training") if settings.log_directory else False,
        callbacks=callbacks,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
    )
