"""Every cell keeps the weights of its own best epoch; Lightning's checkpoints know a single score only."""

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from dalearn.learning.module import OperatorTraining


class BestWeights(Callback):
    """Remember, per cell, the weights with the lowest validation error, and put them back when training ends.

    Cells without validation samples keep their last weights.  An operator whose cells share weights is judged by
    its root-mean-square validation error over all cells.

    ``best_epoch`` (cell,) counts from 1; it is the number of the last epoch where nothing was validated.

    With ``patience`` a cell whose error did not fall for so many epochs keeps what it has whatever follows, and the
    training ends when that is so everywhere: every cell ends as if it had been trained alone.
    """

    def __init__(self, patience: int | None = None) -> None:
        self.patience = patience
        self.lowest: Tensor | None = None
        self.weights: dict[str, Tensor] = {}
        self.best_epoch: Tensor | None = None

    @torch.no_grad()
    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, OperatorTraining)
        score = module.validation_rmsd[-1]
        if not module.operator.independent_cells:
            score = score.square().nanmean().sqrt().expand_as(score)
        if self.lowest is None or self.best_epoch is None:
            self.lowest = torch.full_like(score, torch.inf)
            self.best_epoch = torch.zeros_like(score, dtype=torch.long)
            self.weights = {name: weight.detach().clone() for name, weight in module.operator.named_parameters()}
        improved = score < self.lowest
        if self.patience is not None:
            waiting = trainer.current_epoch + 1 - self.best_epoch <= self.patience
            improved = improved & waiting
            trainer.should_stop = not bool(waiting.any())
        self.lowest = torch.where(improved, score, self.lowest)
        self.best_epoch = torch.where(improved, trainer.current_epoch + 1, self.best_epoch)
        for name, weight in module.operator.named_parameters():
            self.weights[name] = _choose(module, improved, weight, self.weights[name])

    @torch.no_grad()
    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, OperatorTraining)
        last = torch.full_like(module.training_rmsd[-1], trainer.max_epochs or 0, dtype=torch.long)
        if self.best_epoch is None or self.lowest is None:
            self.best_epoch = last
            return
        validated = torch.isfinite(self.lowest)
        for name, weight in module.operator.named_parameters():
            weight.copy_(_choose(module, validated, self.weights[name], weight))
        self.best_epoch = torch.where(validated, self.best_epoch, last)


def _choose(module: OperatorTraining, mask: Tensor, chosen: Tensor, other: Tensor) -> Tensor:
    """``chosen`` in the cells of ``mask`` (cell,), ``other`` elsewhere; shared weights follow the first cell."""
    if module.operator.independent_cells:
        return torch.where(mask.reshape(-1, *[1] * (other.ndim - 1)), chosen, other)
    return torch.where(mask.any(), chosen, other)
