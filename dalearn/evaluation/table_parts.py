"""What all tables share: score settings, means over cells, intervals, writing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dalearn.evaluation import bootstrap
from dalearn.evaluation.bootstrap import Replicates, bootstrap_scores, interval
from dalearn.evaluation.cells import Cells
from dalearn.evaluation.scores import MINIMUM_COUNT
from dalearn.files import write_whole


@dataclass(frozen=True)
class ScoreSettings:
    """How scores and their intervals are computed: see ``scores`` and ``bootstrap``."""

    minimum_count: int = MINIMUM_COUNT
    block_days: float = bootstrap.BLOCK_DAYS
    resamples: int = bootstrap.RESAMPLES
    level: float = bootstrap.LEVEL
    seed: int = 0

    def replicates(
        self, runs: Mapping[str, np.ndarray], observed: np.ndarray, time: np.ndarray
    ) -> dict[str, Replicates]:
        """Bootstrap replicates of every run with these settings."""
        return bootstrap_scores(
            runs, observed, time, block=self.block_days, resamples=self.resamples, seed=self.seed,
            minimum_count=self.minimum_count,
        )  # fmt: skip


def identity_columns(cells: Cells) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cell": np.arange(cells.count), "latitude": cells.latitude, "longitude": cells.longitude,
            "station": list(cells.station), "vegetation class": list(cells.vegetation_class),
        }
    )  # fmt: skip


def with_interval(name: str, value: float, replicates: np.ndarray, settings: ScoreSettings) -> dict[str, float]:
    low, high = interval(replicates, value, settings.level)
    return {name: value, f"{name} low": float(low), f"{name} high": float(high)}


def known_mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def known_deviation(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.std()) if known.size else float("nan")


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    """Write ``frame`` as CSV (six significant digits, empty = undefined), replacing ``path`` in one step."""
    write_whole(path, lambda temporary: frame.to_csv(temporary, index=False, float_format="%.6g"))
    return path
