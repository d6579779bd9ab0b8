"""How far every analysis moves the root zone away from the open loop, and soil moisture against the truth of a twin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dalearn.evaluation.bootstrap import block_weights, bootstrap_ratio
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.scores import elapsed_days
from dalearn.evaluation.seasons import month_of
from dalearn.evaluation.table_parts import ScoreSettings
from dalearn.evaluation.year_contrast import ROOT_ZONE_LAYER


@dataclass(frozen=True)
class RootZoneChange:
    """``change`` experiment -> (time, cell): |WG5 of the analysis - WG5 of the open loop|, m3 m-3."""

    time: np.ndarray
    change: Mapping[str, np.ndarray]

    def only(self, months: Sequence[int]) -> "RootZoneChange":
        """The times in these calendar months."""
        chosen = np.isin(month_of(self.time), months)
        return RootZoneChange(self.time[chosen], {run: values[chosen] for run, values in self.change.items()})

    def mean(self, run: str, cells: np.ndarray) -> float:
        """Mean over all times and the ``cells`` (cell,) mask."""
        return float(np.nanmean(self.change[run][:, cells]))

    def difference(self, run: str, other: str, cells: np.ndarray, settings: ScoreSettings) -> tuple[float, np.ndarray]:
        """Mean change of ``run`` minus that of ``other``, and its bootstrap replicates (resample,)."""
        difference = self.change[run][:, cells] - self.change[other][:, cells]
        return float(np.nanmean(difference)), self._drawn(difference, np.ones_like(difference), settings)

    def ratio(self, run: str, other: str, cells: np.ndarray, settings: ScoreSettings) -> tuple[float, np.ndarray]:
        """Mean change of ``run`` over that of ``other``, and its bootstrap replicates (resample,)."""
        above, below = self.change[run][:, cells], self.change[other][:, cells]
        both = np.isfinite(above) & np.isfinite(below)
        total = float(below[both].sum())
        value = float(above[both].sum()) / total if total > 0 else float("nan")
        return value, self._drawn(above, below, settings)

    def _drawn(self, above: np.ndarray, below: np.ndarray, settings: ScoreSettings) -> np.ndarray:
        return bootstrap_ratio(
            above, below, self.time, block=settings.block_days, resamples=settings.resamples, seed=settings.seed
        )


def root_zone_change(run: RunData, experiments: Sequence[str]) -> RootZoneChange | None:
    """The change of WG5 by each of ``experiments`` at the window ends; None without the open loop or one of them."""
    open_loop = run.of_state("open_loop", ROOT_ZONE_LAYER)
    change = {}
    for experiment in experiments:
        values = run.of_experiment(ROOT_ZONE_LAYER, experiment)
        if values is None or open_loop is None:
            return None
        change[experiment] = np.abs(values - open_loop)
    return RootZoneChange(run.time, change) if change else None


def deviation_replicates(difference: np.ndarray, time: np.ndarray, settings: ScoreSettings) -> np.ndarray:
    """Bootstrap replicates (resample, cell) of the ubRMSD, the standard deviation of ``difference`` (time, cell).

    The blocks are those of ``bootstrap_scores`` where the same times have a sample.
    """
    known = np.isfinite(difference)
    used = known.any(axis=1)
    if not used.any():
        return np.full((settings.resamples, difference.shape[1]), np.nan)
    weights = block_weights(elapsed_days(time)[used], settings.block_days, settings.resamples, settings.seed)
    count = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, difference - np.where(known, difference, 0.0).sum(axis=0) / count, 0.0)[used]
    drawn = weights @ known[used].astype(np.float64)
    safe = np.maximum(drawn, 1.0)
    variance = weights @ centred**2 / safe - (weights @ centred / safe) ** 2
    return np.where(drawn > 0, np.sqrt(np.maximum(variance, 0.0)), np.nan)
