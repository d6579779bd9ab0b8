"""Moving-block bootstrap of RMSD and correlation, for all cells and several predictions at once.

Soil moisture, leaf area index and backscatter remember for weeks, so single samples are not independent and an
ordinary bootstrap gives intervals that are too narrow.  Blocks of consecutive samples are drawn instead
(Künsch 1989, doi:10.1214/aos/1176347265), on a circle so that the ends count as much as the middle (Politis and
Romano 1992).

The same blocks are drawn for every cell and every prediction.  Intervals of the DIFFERENCE of two predictions
are therefore paired, and means over cells keep the correlation between cells.  RMSD and R are functions of sums
over samples, so a resample is a row of weights and all resamples of all cells are a few matrix products.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from dalearn.evaluation.scores import CONSTANT, MINIMUM_COUNT, common_samples, elapsed_days

BLOCK_DAYS = 30.0
RESAMPLES = 1000
LEVEL = 0.95
MINIMUM_BLOCKS = 4
_NORMAL_QUANTILE = np.vectorize(NormalDist().inv_cdf, otypes=[float])
_NORMAL_SHARE = np.vectorize(NormalDist().cdf, otypes=[float])


@dataclass(frozen=True)
class Replicates:
    """Bootstrap replicates of the scores of one prediction: (resample, ...) with the axes of one time slice."""

    rmsd: np.ndarray
    correlation: np.ndarray


def block_weights(positions: np.ndarray, block: float, resamples: int, seed: int) -> np.ndarray:
    """How often each sample is drawn in each resample: (resample, sample) float64.

    ``positions`` (sample,), ascending, in the unit of ``block``: days, or 0, 1, 2... to count in samples.  Starts
    of blocks are uniform on the circle that the period forms; a block takes the samples less than ``block`` after
    its start.  ``block`` is shortened to a quarter of the period where it is longer.
    """
    positions = np.asarray(positions, dtype=np.float64)
    count = len(positions)
    if count == 0 or block <= 0:
        raise ValueError(f"cannot draw blocks of length {block} from {count} samples")
    spacing = float(np.median(np.diff(positions))) if count > 1 else 1.0
    span = positions[-1] - positions[0] + max(spacing, np.finfo(np.float64).tiny)
    # One block as long as the period would give the same resample every time and an interval of width zero.
    block = min(block, span / MINIMUM_BLOCKS)
    blocks = max(1, round(span / block))
    generator = np.random.default_rng(seed)
    start = generator.uniform(0.0, span, (resamples, blocks))
    end = start + block
    offset = positions - positions[0]
    row = np.repeat(np.arange(resamples), blocks)
    change = np.zeros((resamples, count + 1))
    np.add.at(change, (row, np.searchsorted(offset, start).ravel()), 1.0)
    np.add.at(change, (row, np.searchsorted(offset, np.minimum(end, span)).ravel()), -1.0)
    wrapped = np.searchsorted(offset, np.maximum(end - span, 0.0)).ravel()
    change[:, 0] += blocks
    np.add.at(change, (row, wrapped), -1.0)
    return np.cumsum(change[:, :-1], axis=1)


def bootstrap_scores(
    predictions: Mapping[str, np.ndarray],
    observation: np.ndarray,
    time: np.ndarray | None = None,
    *,
    block: float = BLOCK_DAYS,
    resamples: int = RESAMPLES,
    seed: int = 0,
    minimum_count: int = MINIMUM_COUNT,
) -> dict[str, Replicates]:
    """Replicates of RMSD and R of each prediction, all on the samples common to all of them.

    ``predictions`` name -> (time, ...), ``observation`` (time, ...), NaN = missing.  ``time`` (time,) datetime64
    ascending makes ``block`` a length in days; without it ``block`` counts samples.  Cells with fewer than
    ``minimum_count`` common samples are NaN.  ``seed`` fixes the draws.
    """
    names = list(predictions)
    observed, *predicted = common_samples(observation, *(predictions[name] for name in names))
    valid = np.isfinite(observed)
    used = valid.reshape(len(valid), -1).any(axis=1)
    shape = observed.shape[1:]
    enough = valid.sum(axis=0) >= minimum_count
    if not used.any():
        empty = np.full((resamples, *shape), np.nan)
        return {name: Replicates(empty, empty) for name in names}
    positions = np.arange(len(valid), dtype=np.float64) if time is None else elapsed_days(time)
    weights = block_weights(positions[used], block, resamples, seed)

    def total(values: np.ndarray) -> np.ndarray:
        return (weights @ np.where(valid, values, 0.0)[used].reshape(used.sum(), -1)).reshape(resamples, *shape)

    safe_count = np.maximum(valid.sum(axis=0), 1)

    def standardised(values: np.ndarray) -> np.ndarray:
        departure = values - np.where(valid, values, 0.0).sum(axis=0) / safe_count
        deviation = np.sqrt(np.where(valid, departure**2, 0.0).sum(axis=0) / safe_count)
        varies = deviation > CONSTANT * np.max(np.abs(np.where(valid, values, 0.0)), axis=0)
        return np.where(varies, departure / np.where(varies, deviation, 1.0), 0.0)

    count = total(np.ones_like(observed))
    some = count > 0
    count = np.where(some, count, 1.0)
    target = standardised(observed)
    target_mean = total(target) / count
    target_variance = total(target**2) / count - target_mean**2
    replicates = {}
    for name, prediction in zip(names, predicted, strict=True):
        departure = standardised(prediction)
        mean = total(departure) / count
        variance = total(departure**2) / count - mean**2
        covariance = total(departure * target) / count - mean * target_mean
        product = variance * target_variance
        varies = some & enough & (variance > CONSTANT) & (target_variance > CONSTANT)
        correlation = np.where(varies, covariance / np.sqrt(np.where(varies, product, 1.0)), np.nan)
        rmsd = np.where(some & enough, np.sqrt(total((prediction - observed) ** 2) / count), np.nan)
        replicates[name] = Replicates(rmsd, np.clip(correlation, -1.0, 1.0))
    return replicates


def bootstrap_ratio(
    numerator: np.ndarray,
    denominator: np.ndarray,
    time: np.ndarray,
    *,
    block: float = BLOCK_DAYS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """Replicates (resample,) of the sum of ``numerator`` over the sum of ``denominator``, both (time, ...).

    Only samples known in both count; times are drawn in blocks of ``block`` days, all cells together.  NaN where a
    resample has no positive denominator.
    """
    known = np.isfinite(numerator) & np.isfinite(denominator)
    used = known.reshape(len(known), -1).any(axis=1)
    if not used.any():
        return np.full(resamples, np.nan)
    weights = block_weights(elapsed_days(time)[used], block, resamples, seed)
    above, below = (
        weights @ np.where(known, values, 0.0)[used].reshape(used.sum(), -1).sum(axis=1)
        for values in (numerator, denominator)
    )
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)


def interval(
    replicates: np.ndarray, estimate: np.ndarray | float, level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of the bias-corrected percentile interval over axis 0 (Efron 1981).

    ``replicates`` (resample, ...) and ``estimate`` (...), the score of the sample itself.  A resample of a few dozen
    blocks varies less than the sample, so replicates of R lie below the estimate; the quantiles are moved by the
    share of the replicates below it.  NaN where the estimate or half of the replicates are missing.
    """
    estimate = np.asarray(estimate, dtype=np.float64)
    count = np.isfinite(replicates).sum(axis=0)
    known = (2 * count > len(replicates)) & np.isfinite(estimate)
    count = np.where(known, count, 1)
    ordered = np.sort(np.where(known, replicates, 0.0), axis=0)
    below = ((ordered < estimate).sum(axis=0) + 0.5 * (ordered == estimate).sum(axis=0)) / count
    shift = _NORMAL_QUANTILE(np.clip(np.where(known, below, 0.5), 0.5 / len(replicates), 1 - 0.5 / len(replicates)))
    ends = []
    for probability in ((1 - level) / 2, (1 + level) / 2):
        share = _NORMAL_SHARE(2 * shift + NormalDist().inv_cdf(probability))
        position = np.clip(share * count - 0.5, 0, count - 1)
        lower = np.floor(position).astype(int)
        upper = np.minimum(lower + 1, count - 1)
        first, second = (np.take_along_axis(ordered, index[None], axis=0)[0] for index in (lower, upper))
        ends.append(np.where(known, first + (position - lower) * (second - first), np.nan))
    return ends[0], ends[1]


def mean_over_cells(replicates: np.ndarray) -> np.ndarray:
    """Mean over all axes but the first, ignoring NaN: (resample,); NaN where no cell has a value."""
    flat = replicates.reshape(len(replicates), -1)
    known = np.isfinite(flat)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, flat, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
