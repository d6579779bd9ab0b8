"""The Lightning module that trains the operators of all cells together, each as if it were alone.

Joint training equals separate training only because the loss is a masked mean over the samples of a cell and a SUM
over cells, the optimiser is Adam (elementwise), and no gradient is clipped by a norm (ecosystem.md section 3).
"""

import torch
from lightning import LightningModule
from torch import Tensor

from dalearn.errors import InputError
from dalearn.learning.samples import Samples
from dalearn.learning.settings import TrainingSettings
from dalearn.operators.base import ObservationOperator


class OperatorTraining(LightningModule):
    """Minimises the squared error of ``operator``, and its penalty, in units of ``scale``.

    Args:
        operator: the operator, with its statistics already fitted.
        samples: all samples, training and validation.
        scale: (cell,) or () positive; errors are divided by it, so that Adam's epsilon means the same in every cell.
        settings: learning rate and weight decay.

    After every epoch ``training_rmsd`` and ``validation_rmsd`` grow by one (cell,) tensor in the units of the
    target; NaN in cells without samples.  The training score is taken while the weights move, as usual.
    """

    predictors: Tensor
    target: Tensor
    valid: Tensor
    scale: Tensor

    def __init__(
        self, operator: ObservationOperator, samples: Samples, scale: Tensor, settings: TrainingSettings
    ) -> None:
        super().__init__()
        self.operator = operator
        self.settings = settings
        self.training_rmsd: list[Tensor] = []
        self.validation_rmsd: list[Tensor] = []
        for name, tensor in (
            ("predictors", samples.predictors),
            ("target", samples.target),
            ("valid", samples.valid),
            ("scale", scale),
        ):
            self.register_buffer(name, tensor, persistent=False)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            self.operator.parameters(), lr=self.settings.learning_rate, weight_decay=self.settings.weight_decay
        )

    def squared_error(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Sum over the samples ``index`` of the squared error, and their number, both (cell,)."""
        valid = self.valid[index]
        error = torch.where(valid, self.operator(self.predictors[index]) - self.target[index], 0.0)
        return error.square().sum(dim=0), valid.sum(dim=0)

    def training_step(self, index: Tensor, _: int) -> Tensor:
        squared_error, count = self.squared_error(index)
        self._accumulate(squared_error.detach(), count)
        per_cell = squared_error / self.scale.square() / count.clamp(min=1)
        penalty = self.operator.penalty()
        return per_cell.sum() if penalty is None else (per_cell + penalty / self.scale.square()).sum()

    def validation_step(self, index: Tensor, _: int) -> None:
        self._accumulate(*self.squared_error(index))

    def on_train_epoch_start(self) -> None:
        self._restart()

    def on_validation_epoch_start(self) -> None:
        # Lightning validates inside the training epoch: the training score is complete when validation starts.
        self.training_rmsd.append(self._rmsd())
        self._restart()

    def on_validation_epoch_end(self) -> None:
        self.validation_rmsd.append(self._rmsd())

    def on_train_epoch_end(self) -> None:
        if len(self.validation_rmsd) < self.current_epoch + 1:
            self.training_rmsd.append(self._rmsd())
            self.validation_rmsd.append(torch.full_like(self.training_rmsd[-1], torch.nan))
        diverged = self.operator.trained & ~torch.isfinite(self.training_rmsd[-1])
        if bool(diverged.any()):
            raise InputError(
                f"operator {self.operator.name!r}: the training error of cell {int(diverged.nonzero()[0])} is not "
                f"finite in epoch {self.current_epoch + 1}; lower learning_rate or look at its samples"
            )
        if self.trainer.logger is not None:
            self.log("training_rmsd", self.training_rmsd[-1].nanmedian())
            self.log("validation_rmsd", self.validation_rmsd[-1].nanmedian())

    def _restart(self) -> None:
        self._squared_error: Tensor | float = 0.0
        self._count: Tensor | int = 0

    def _accumulate(self, squared_error: Tensor, count: Tensor) -> None:
        self._squared_error = self._squared_error + squared_error
        self._count = self._count + count

    def _rmsd(self) -> Tensor:
        return torch.as_tensor(self._squared_error / self._count).sqrt()
