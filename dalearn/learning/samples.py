"""Training samples as whole tensors, and the order in which they are used."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from dalearn.learning.settings import TrainingSettings

VALIDATION_CHUNK = 4096  # samples per forward run without gradients: bounds memory, changes no result


@dataclass(frozen=True)
class Samples:
    """Complete tensors without NaN; ``valid`` says which entries count.

    ``predictors`` (sample, cell, n), ``target`` (sample, cell), ``valid`` (sample, cell) bool.
    """

    predictors: Tensor
    target: Tensor
    valid: Tensor


def complete_samples(predictors: Tensor, target: Tensor) -> Samples:
    """Mark missing samples and put harmless values in their place.

    A NaN multiplied by a zero weight is still NaN in the gradient, so missing predictors become the mean of their
    cell, or of the domain in cells without any, and missing targets become 0.
    """
    valid = torch.isfinite(target) & torch.isfinite(predictors).all(dim=-1)
    known = torch.where(valid.unsqueeze(-1), predictors, 0.0)
    total, count = known.sum(dim=0), valid.sum(dim=0).unsqueeze(-1)
    domain_mean = total.sum(dim=0) / count.sum(dim=0).clamp(min=1)
    mean = torch.where(count > 0, total / count.clamp(min=1), domain_mean)
    return Samples(
        predictors=torch.where(valid.unsqueeze(-1), predictors, mean),
        target=torch.where(valid, target, 0.0),
        valid=valid,
    )


class ShuffledBatches(IterableDataset[Tensor]):
    """Sample numbers in nearly equal batches, in a new seeded order every epoch, the same order for all cells."""

    def __init__(self, samples: Tensor, batch_size: int, seed: int) -> None:
        self.samples = samples
        self.batch_count = -(-len(samples) // batch_size)
        self.seed = seed
        self.epoch = 0

    def __iter__(self) -> Iterator[Tensor]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.samples))
        self.epoch += 1
        yield from torch.tensor_split(self.samples[torch.from_numpy(order)], self.batch_count)


class SampleOrder(LightningDataModule):
    """Batches of sample numbers; the tensors themselves stay on the device of the module that trains."""

    def __init__(self, validation: Tensor, settings: TrainingSettings) -> None:
        super().__init__()
        self.training_samples = (~validation).nonzero().squeeze(1)
        self.validation_samples = validation.nonzero().squeeze(1)
        self.settings = settings

    def train_dataloader(self) -> DataLoader[Tensor]:
        batches = ShuffledBatches(self.training_samples, self.settings.batch_size, self.settings.seed)
        return DataLoader(batches, batch_size=None)

    def val_dataloader(self) -> DataLoader[Tensor] | list[DataLoader[Tensor]]:
        if len(self.validation_samples) == 0:
            return []
        return DataLoader(list(self.validation_samples.split(VALIDATION_CHUNK)), batch_size=None)  # type: ignore[arg-type]
