"""Seasonal linear rescaling of observations to the model (ldas_sekf.md 6.1).

Takes the mean and the amplitude of the model in each season; with them goes part of the signal.
"""

from dataclasses import dataclass, replace

import numpy as np

from dalearn.observations.observations import Observations

MINIMUM_PAIRS = 30
SMALLEST_SPREAD = 1e-6  # standard deviation relative to the mean below which a series is constant


@dataclass(frozen=True, eq=False)
class SeasonalRescaling:
    """``model = intercept + slope * observation`` per calendar month and cell.

    Shapes: ``slope``, ``intercept`` (12, cell), NaN where the guards of ``fit_rescaling`` forbid a fit;
    ``pairs`` (12, cell) is the number of pairs behind each.
    """

    slope: np.ndarray
    intercept: np.ndarray
    pairs: np.ndarray

    def __call__(self, time: np.ndarray, cell: np.ndarray, value: np.ndarray) -> np.ndarray:
        """Rescaled values (sample,); NaN in the months and cells without a fit."""
        month = _month(time)
        return self.intercept[month, cell] + self.slope[month, cell] * value

    def apply(self, observations: Observations, units: str, error: float | np.ndarray) -> Observations:
        """Observations in the ``units`` of the model, with an ``error`` in those units, a number or (cell,).

        Samples of months and cells without a fit count as ``not_rescaled``.
        """
        value = self(observations.time, observations.cell, observations.value)
        errors = np.broadcast_to(np.asarray(error, np.float64), (observations.cell_count,))[observations.cell]
        return replace(observations, value=value, error=errors, units=units).select(np.isfinite(value), "not_rescaled")


def fit_rescaling(
    observations: Observations,
    model: np.ndarray,
    start: np.datetime64,
    end: np.datetime64,
    minimum_pairs: int = MINIMUM_PAIRS,
) -> SeasonalRescaling:
    """Match mean and standard deviation of the observations to those of ``model`` (equations 10-11).

    ``model`` (sample,): the open loop at each observation, NaN where it is not to be compared (frozen, masked).
    Only pairs of the training period ``start`` <= time < ``end`` count; month m uses the months m-1, m and m+1
    of all its years.  There is no fit with fewer than ``minimum_pairs`` pairs or a constant series.
    """
    training = (observations.time >= start) & (observations.time < end)
    paired = np.flatnonzero(training & np.isfinite(model) & np.isfinite(observations.value))
    month, cell = _month(observations.time[paired]), observations.cell[paired]
    series = observations.value[paired], model[paired]
    shape = (12, observations.cell_count)
    pairs = np.zeros(shape, np.int64)
    mean, spread = np.full((2, *shape), np.nan), np.full((2, *shape), np.nan)
    for center in range(12):
        near = np.isin(month, [(center - 1) % 12, center, (center + 1) % 12])
        pairs[center] = np.bincount(cell[near], minlength=shape[1])
        number = np.maximum(pairs[center], 1)
        for which, values in enumerate(series):
            mean[which, center] = np.bincount(cell[near], values[near], minlength=shape[1]) / number
            deviation = values[near] - mean[which, center, cell[near]]
            variance = np.bincount(cell[near], deviation**2, minlength=shape[1]) / number
            spread[which, center] = np.sqrt(variance)
    varies = (spread > SMALLEST_SPREAD * np.abs(mean)).all(axis=0) & (spread > 0.0).all(axis=0)
    fitted = (pairs >= minimum_pairs) & varies
    slope = np.where(fitted, spread[1] / np.where(fitted, spread[0], 1.0), np.nan)
    return SeasonalRescaling(slope=slope, intercept=mean[1] - slope * mean[0], pairs=pairs)


def _month(time: np.ndarray) -> np.ndarray:
    """Calendar month, 0 = January."""
    return time.astype("datetime64[M]").astype(np.int64) % 12
