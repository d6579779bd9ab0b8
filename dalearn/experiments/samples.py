"""Training and test samples: open-loop predictors at the times of the observations."""

import numpy as np

from dalearn.experiments.open_loop_data import OpenLoopData
from dalearn.experiments.stage_sections import TrainingConfig
from dalearn.learning.collocation import Collocation, collocate
from dalearn.observations.observations import Observations

LONGEST_GAP_DAYS = 35.0  # LAI comes every ten days; a longer gap holds a season that the line would miss


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
        fields["LAI"] = interpolate(leaf_area_index, time)
    predictors = np.stack([fields[name].astype(np.float64) for name in config.predictors], axis=-1)
    inside = observations.between(start, end)
    return collocate(time, predictors, inside.time, inside.cell, inside.value, tolerance)
