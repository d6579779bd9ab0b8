"""Training and test samples: open-loop predictors at the times of the observations."""

import numpy as np

from dalearn.experiments.open_loop_data import OpenLoopData
from dalearn.experiments.stage_sections import TrainingConfig
from dalearn.learning.collocation import Collocation, collocate
from dalearn.observations.observations import Observations

LONGEST_GAP_DAYS = 35.0  # LAI comes every ten days; a longer gap holds a season that the line would miss

REFITS = 2  # of the sizes of the errors; more change nothing
SMALLEST = 0.01  # below it an error that is proportional to the value means nothing


def interpolate(observations: Observations, time: np.ndarray, longest_gap_days: float = LONGEST_GAP_DAYS) -> np.ndarray:
    """Observed values at ``time`` (time,), linear between observations: (time, cell).

    NaN before the first and after the last observation of a cell and in gaps longer than ``longest_gap_days``.
    """
    result = np.full((len(time), observations.cell_count), np.nan)
    wanted = time.astype("datetime64[s]").astype(np.float64)
    longest = longest_gap_days * 86400.0
    for cell in range(observations.cell_count):
        here = observations.cell == cell
        known = observations.time[here].astype("datetime64[s]").astype(np.float64)
        if len(known) < 2:
            continue
        known, first = np.unique(known, return_index=True)
        result[:, cell] = np.interp(wanted, known, observations.value[here][first], left=np.nan, right=np.nan)
        after = np.clip(np.searchsorted(known, wanted), 1, len(known) - 1)
        result[known[after] - known[after - 1] > longest, cell] = np.nan
    return result


def smooth(observations: Observations, time: np.ndarray, days: float) -> np.ndarray:
    """Observed values at ``time`` (time,) without most of their noise: (time, cell).

    A line through the observations nearby, weighted by a normal curve with a standard deviation of ``days``
    (local linear regression: Cleveland 1979, doi:10.1080/01621459.1979.10481038), not below the lowest observation of
    the cell.  Their errors are taken as proportional to the value, as those of LAI are: after a harvest the small
    values count, so that what stood before is not smeared over them.  NaN where ``interpolate`` has NaN.
    """
    result = interpolate(observations, time)
    wanted = time.astype("datetime64[s]").astype(np.float64) / 86400.0
    for cell in range(observations.cell_count):
        here = (observations.cell == cell) & np.isfinite(observations.value)
        covered = np.isfinite(result[:, cell])
        if not covered.any():
            continue
        known = observations.time[here].astype("datetime64[s]").astype(np.float64) / 86400.0
        value = observations.value[here]
        lowest = max(value.min(), SMALLEST)
        precision = np.ones_like(value)
        for _ in range(REFITS):
            precision = 1.0 / np.maximum(_local_line(known, value, precision, known, days), lowest) ** 2
        daily = np.arange(np.floor(known[0]), np.ceil(known[-1]) + 1.0)
        line = _local_line(known, value, precision, daily, days)
        result[covered, cell] = np.maximum(np.interp(wanted[covered], daily, line), value.min())
    return result


def _local_line(
    position: np.ndarray, value: np.ndarray, precision: np.ndarray, wanted: np.ndarray, width: float
) -> np.ndarray:
    apart = position[None] - wanted[:, None]
    weight = precision * np.exp(-0.5 * (apart / width) ** 2) + np.finfo(np.float64).tiny
    total, first, second = (np.sum(weight * apart**power, axis=1) for power in range(3))
    determinant = total * second - first**2
    slanted = determinant > 1.0e-6 * total * second  # else one observation counts, and its value is the estimate
    share = np.where(slanted[:, None], second[:, None] - first[:, None] * apart, 1.0) * weight
    return (share @ value) / np.where(slanted, determinant, total)


def build_samples(
    config: TrainingConfig,
    open_loop: OpenLoopData,
    observations: Observations,
    leaf_area_index: Observations | None,
    start: np.datetime64,
    end: np.datetime64,
) -> Collocation:
    """The samples of ``start`` <= time < ``end``; observed LAI takes the place of the model's where it is given."""
    tolerance = np.timedelta64(round(config.tolerance_minutes * 60), "s")
    rows = open_loop.rows(start, end, tolerance)
    time = open_loop.time[rows]
    fields = open_loop.read(config.predictors, rows)
    if leaf_area_index is not None and "LAI" in fields:
        days = config.leaf_area_index_smoothing
        fields["LAI"] = interpolate(leaf_area_index, time) if days is None else smooth(leaf_area_index, time, days)
    predictors = np.stack([fields[name].astype(np.float64) for name in config.predictors], axis=-1)
    inside = observations.between(start, end)
    return collocate(time, predictors, inside.time, inside.cell, inside.value, tolerance)
