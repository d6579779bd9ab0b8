"""Pair observations with the model output nearest in time."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Collocation:
    """Training samples: ``time`` (sample,) model time datetime64[s], ascending; ``predictors`` (sample, cell, n);
    ``target`` (sample, cell), NaN where a cell was not observed.  ``unmatched`` observations found no output.
    """

    time: np.ndarray
    predictors: np.ndarray
    target: np.ndarray
    unmatched: int


def collocate(
    model_time: np.ndarray,
    predictors: np.ndarray,
    observation_time: np.ndarray,
    observation_cell: np.ndarray,
    observed: np.ndarray,
    tolerance: np.timedelta64 | None = None,
) -> Collocation:
    """Samples from model output ``predictors`` (time, cell, n) and observations, all of shape (sample,).

    ``model_time`` ascends.  An observation takes the nearest output within ``tolerance`` (default one hour), the
    earlier of two equally near.  Several observations of a cell at one output become several samples with the same
    predictors; missing observations (NaN) are left out.
    """
    tolerance = np.timedelta64(1, "h") if tolerance is None else tolerance
    model_time = model_time.astype("datetime64[s]")
    observation_time = observation_time.astype("datetime64[s]")
    later = np.searchsorted(model_time, observation_time).clip(0, len(model_time) - 1)
    earlier = (later - 1).clip(0)
    before, after = np.abs(observation_time - model_time[earlier]), np.abs(model_time[later] - observation_time)
    nearest = np.where(before <= after, earlier, later)
    matched = np.isfinite(observed) & (np.minimum(before, after) <= tolerance)

    step, cell, values = nearest[matched], observation_cell[matched], observed[matched]
    order = np.lexsort((cell, step))
    step, cell, values = step[order], cell[order], values[order]
    turn = _turn_within_group(step, cell)
    sample_step, sample = np.unique(np.stack([step, turn]), axis=1, return_inverse=True)
    target = np.full((sample_step.shape[1], predictors.shape[1]), np.nan)
    target[sample, cell] = values
    return Collocation(
        time=model_time[sample_step[0]],
        predictors=predictors[sample_step[0]],
        target=target,
        unmatched=int((np.isfinite(observed) & ~matched).sum()),
    )


def _turn_within_group(step: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """0, 1, ... for the first, second, ... observation of the same cell at the same step; both sorted."""
    position = np.arange(len(step))
    starts = np.ones(len(step), dtype=bool)
    starts[1:] = (step[1:] != step[:-1]) | (cell[1:] != cell[:-1])
    return position - np.maximum.accumulate(np.where(starts, position, 0))
