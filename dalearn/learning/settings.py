"""Settings of a training, as they appear in a configuration file."""

from dataclasses import dataclass

from dalearn.errors import InputError


@dataclass(frozen=True)
class TrainingSettings:
    """How an operator is trained.

    Args:
        learning_rate: step of Adam (Corchia et al. 2023, Table 2).
        epochs: passes over the training samples (Table 2).
        batch_size: samples per cell in one optimisation step.
        validation_share: share of the training period set aside, in blocks of a month, to choose the best epoch.
        seed: of the choice of validation blocks and of the order of samples.
        weight_decay: L2 penalty of Adam.
        minimum_samples: cells with fewer training samples stay untrained and are flagged.
        accelerator: cpu, cuda, or auto (cuda where there is one).
        progress: show a bar on a terminal, or log lines elsewhere.
        log_directory: write Lightning's CSV log of the median scores there.
    """

    learning_rate: float = 1.0e-3
    epochs: int = 250
    batch_size: int = 64
    validation_share: float = 0.2
    seed: int = 0
    weight_decay: float = 0.0
    minimum_samples: int = 50
    accelerator: str = "auto"
    progress: bool = True
    log_directory: str | None = None

    def __post_init__(self) -> None:
        for name in ("learning_rate", "epochs", "batch_size", "minimum_samples"):
            if getattr(self, name) <= 0:
                raise InputError(f"training setting {name} is {getattr(self, name)}: it must be positive")
        if self.weight_decay < 0:
            raise InputError(f"training setting weight_decay is {self.weight_decay}: it must not be negative")
        if not 0.0 <= self.validation_share <= 0.5:
            raise InputError(f"training setting validation_share is {self.validation_share}: choose 0 to 0.5")
        if self.accelerator not in ("auto", "cpu", "cuda"):
            raise InputError(f"training setting accelerator is {self.accelerator!r}: choose auto, cpu or cuda")
