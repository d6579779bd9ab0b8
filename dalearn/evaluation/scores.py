"""Scores of a prediction against observations, one per cell, for all cells at once.

Every function takes arrays with time on axis 0 and any further axes (usually one, the cell) behind it; NaN marks
a missing value.  Only samples that are finite in both arrays count, and a score with fewer than
``minimum_count`` of them is NaN: a correlation of six values looks like any other number in a table.
"""

from dataclasses import dataclass

import numpy as np

MINIMUM_COUNT = 20
MINIMUM_MONTHLY_COUNT = 10
ANOMALY_WINDOW_DAYS = 35.0
ANOMALY_MINIMUM_COUNT = 5
# A standard deviation below this share of the magnitude is rounding error of a constant series.
CONSTANT = 1e-10


@dataclass(frozen=True)
class Scores:
    """Scores with the shape of one time slice; units are those of the compared quantity (R and N have none)."""

    rmsd: np.ndarray
    bias: np.ndarray  # prediction - observation
    ubrmsd: np.ndarray
    correlation: np.ndarray
    count: np.ndarray


def common_samples(*series: np.ndarray) -> tuple[np.ndarray, ...]:
    """float64 copies of ``series`` (equal shapes), set to NaN wherever any of them is not finite.

    Runs compared with one another must be compared on the same samples.
    """
    arrays = [np.asarray(values, dtype=np.float64) for values in series]
    if len({array.shape for array in arrays}) != 1:
        raise ValueError(f"series of different shapes: {[array.shape for array in arrays]}")
    valid = np.logical_and.reduce([np.isfinite(array) for array in arrays])
    return tuple(np.where(valid, array, np.nan) for array in arrays)


def compute_scores(prediction: np.ndarray, observation: np.ndarray, minimum_count: int = MINIMUM_COUNT) -> Scores:
    """RMSD, bias, unbiased RMSD, Pearson R and N of ``prediction`` against ``observation``, both (time, ...).

    RMSD and R are the two scores of Corchia et al. (2023), section 2.7; ubRMSD^2 = RMSD^2 - bias^2.
    R is NaN where either series is constant.
    """
    prediction, observation = common_samples(prediction, observation)
    valid = np.isfinite(prediction)
    count = valid.sum(axis=0)
    enough = count >= minimum_count
    difference = prediction - observation
    rmsd = np.sqrt(_mean(difference**2, valid))
    bias = _mean(difference, valid)
    ubrmsd = np.sqrt(_mean((difference - bias) ** 2, valid))
    return Scores(
        rmsd=np.where(enough, rmsd, np.nan),
        bias=np.where(enough, bias, np.nan),
        ubrmsd=np.where(enough, ubrmsd, np.nan),
        correlation=np.where(enough, _correlation(prediction, observation, valid), np.nan),
        count=count,
    )


def anomalies(
    values: np.ndarray,
    time: np.ndarray,
    window_days: float = ANOMALY_WINDOW_DAYS,
    minimum_count: int = ANOMALY_MINIMUM_COUNT,
) -> np.ndarray:
    """``values`` (time, ...) minus their mean over the centred window of ``window_days`` days; same shape.

    ``time`` (time,) datetime64, ascending.  NaN where fewer than ``minimum_count`` values lie in the window
    (the five of Albergel et al. 2009, doi:10.5194/hess-13-115-2009, who use the same five-week window).
    """
    values = np.asarray(values, dtype=np.float64)
    days = elapsed_days(time)
    begin = np.searchsorted(days, days - window_days / 2, side="left")
    end = np.searchsorted(days, days + window_days / 2, side="right")
    valid = np.isfinite(values)
    # Sums are taken of departures from the overall mean: cumulative sums of the raw values would lose digits.
    centred = np.where(valid, values - _mean(values, valid), 0.0)
    count = _window_sum(valid.astype(np.float64), begin, end)
    mean = _window_sum(centred, begin, end) / np.maximum(count, 1.0)
    return np.where(valid & (count >= minimum_count), centred - mean, np.nan)


def anomaly_correlation(
    prediction: np.ndarray,
    observation: np.ndarray,
    time: np.ndarray,
    window_days: float = ANOMALY_WINDOW_DAYS,
    minimum_count: int = MINIMUM_COUNT,
) -> np.ndarray:
    """Pearson R of the 35-day anomalies of both series on their common samples; shape of one time slice."""
    prediction, observation = common_samples(prediction, observation)
    return compute_scores(
        anomalies(prediction, time, window_days), anomalies(observation, time, window_days), minimum_count
    ).correlation


@dataclass(frozen=True)
class MonthlyCorrelation:
    """R of every calendar month of every year: ``month`` (month,) datetime64[M], the others (month, ...)."""

    month: np.ndarray
    correlation: np.ndarray
    count: np.ndarray


def monthly_correlation(
    prediction: np.ndarray, observation: np.ndarray, time: np.ndarray, minimum_count: int = MINIMUM_MONTHLY_COUNT
) -> MonthlyCorrelation:
    """R within each month of each year, the values behind Figure 9 of Corchia et al. (2023).

    ``prediction`` and ``observation`` (time, ...), ``time`` (time,) datetime64.
    """
    prediction, observation = common_samples(prediction, observation)
    month, group = np.unique(np.asarray(time).astype("datetime64[M]"), return_inverse=True)
    valid = np.isfinite(prediction)
    count = _group_sum(valid.astype(np.float64), group, len(month))
    safe = np.maximum(count, 1.0)

    def departures(values: np.ndarray) -> np.ndarray:
        filled = np.where(valid, values - _mean(values, valid), 0.0)
        return np.where(valid, filled - (_group_sum(filled, group, len(month)) / safe)[group], 0.0)

    first, second = departures(prediction), departures(observation)
    covariance = _group_sum(first * second, group, len(month))
    variances = _group_sum(first**2, group, len(month)), _group_sum(second**2, group, len(month))
    scales = [np.max(np.abs(np.where(valid, values, 0.0)), axis=0, initial=0.0) for values in (prediction, observation)]
    correlation = _ratio(covariance, *variances, safe, *scales)
    return MonthlyCorrelation(month, np.where(count >= minimum_count, correlation, np.nan), count.astype(int))


def elapsed_days(time: np.ndarray) -> np.ndarray:
    """Days since the first of ``time`` (time,) datetime64, which must ascend."""
    time = np.asarray(time).astype("datetime64[s]")
    days = (time - time[0]).astype(np.float64) / 86400.0
    if np.any(np.diff(days) < 0):
        raise ValueError("times must ascend")
    return days


def _mean(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    count = valid.sum(axis=0)
    return np.where(count > 0, np.where(valid, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _correlation(first: np.ndarray, second: np.ndarray, valid: np.ndarray) -> np.ndarray:
    departures = [np.where(valid, values - _mean(values, valid), 0.0) for values in (first, second)]
    scales = [np.max(np.abs(np.where(valid, values, 0.0)), axis=0, initial=0.0) for values in (first, second)]
    covariance = (departures[0] * departures[1]).sum(axis=0)
    variances = [(departure**2).sum(axis=0) for departure in departures]
    return _ratio(covariance, variances[0], variances[1], np.maximum(valid.sum(axis=0), 1), *scales)


def _ratio(
    covariance: np.ndarray,
    first_variance: np.ndarray,
    second_variance: np.ndarray,
    count: np.ndarray,
    first_scale: np.ndarray,
    second_scale: np.ndarray,
) -> np.ndarray:
    """Covariance over the root of the variances (all as sums over ``count`` samples), NaN for a constant series."""
    varies = (first_variance > count * (CONSTANT * first_scale) ** 2) & (
        second_variance > count * (CONSTANT * second_scale) ** 2
    )
    product = np.where(varies, first_variance * second_variance, 1.0)
    return np.where(varies, np.clip(covariance / np.sqrt(product), -1.0, 1.0), np.nan)


def _window_sum(values: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    cumulative = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    return cumulative[end] - cumulative[begin]


def _group_sum(values: np.ndarray, group: np.ndarray, group_count: int) -> np.ndarray:
    total = np.zeros((group_count, *values.shape[1:]))
    np.add.at(total, group, values)
    return total
