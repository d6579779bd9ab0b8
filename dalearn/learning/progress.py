"""Showing how training goes: a bar on a terminal, a log line every tenth of the epochs elsewhere."""

import logging
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from lightning import Callback, LightningModule, Trainer
from tqdm import tqdm

from dalearn.learning.module import OperatorTraining

LOG = logging.getLogger("dalearn.learning")
LOG_LINES = 10


class TrainingProgress(Callback):
    """Median errors over cells, rate and remaining time."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None
        self.start = 0.0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.start = time.monotonic()
        if sys.stderr.isatty():
            self.bar = tqdm(total=trainer.max_epochs, desc="training", unit=" epochs", leave=False)

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, OperatorTraining)
        epoch, epochs = trainer.current_epoch + 1, trainer.max_epochs or 0
        due = epoch == epochs or epoch % max(epochs // LOG_LINES, 1) == 0
        if self.bar is None and not due:
            return
        training = float(module.training_rmsd[-1].nanmedian())
        validation = float(module.validation_rmsd[-1].nanmedian())
        if self.bar is not None:
            self.bar.set_postfix(training=f"{training:.3f}", validation=f"{validation:.3f}", refresh=False)
            self.bar.update()
            return
        elapsed = time.monotonic() - self.start
        LOG.info(
            "epoch %d/%d: median RMSD training %.3f, validation %.3f %s; %.0f s, %.0f s to go",
            epoch, epochs, training, validation, module.operator.units, elapsed, elapsed / epoch * (epochs - epoch),
        )  # fmt: skip

    def teardown(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        if self.bar is not None:
            self.bar.close()


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's hardware summary, tips and data-loader advice out of the log; errors still show."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
