"""Soil water index: surface soil moisture through an exponential filter (ldas_sekf.md 6.2)."""

from dataclasses import replace

import numpy as np

from dalearn.observations.observations import Observations


def exponential_filter(time: np.ndarray, value: np.ndarray, timescale: float) -> np.ndarray:
    """The recursive filter of Albergel et al. (2008, doi:10.5194/hess-12-1323-2008), equations 12-13 of the spec.

    Shapes: ``value`` (sample, ...) in any unit, NaN where there is none; ``time`` (sample, ...) or (sample,)
    in days, ascending along the samples; ``timescale`` T in days.  The result is NaN where ``value`` is.
    """
    time = np.broadcast_to(time.reshape(time.shape + (1,) * (value.ndim - time.ndim)), value.shape)
    index = np.full(value.shape[1:], np.nan)
    gain = np.full(value.shape[1:], np.inf)  # forgets the index before the first value
    last = time[0]
    result = np.full(value.shape, np.nan)
    for row in range(len(value)):
        seen = np.isfinite(value[row])
        begun = np.isfinite(index)
        # samples that a cell does not have carry no time order
        decay = np.exp(-np.maximum(time[row] - last, 0.0) / timescale)
        next_gain = np.where(begun, gain / np.where(begun, gain + decay, 1.0), 1.0)
        before = np.where(begun, index, value[row])
        index = np.where(seen, before + next_gain * (value[row] - before), index)
        gain = np.where(seen, next_gain, gain)
        last = np.where(seen, time[row], last)
        result[row] = np.where(seen, index, np.nan)
    return result


def soil_water_index(observations: Observations, timescale: float) -> Observations:
    """The same samples with their values filtered cell by cell; ``timescale`` in days.  Errors are kept."""
    order = np.lexsort((observations.time, observations.cell))
    cell = observations.cell[order]
    rank = np.arange(len(cell)) - np.searchsorted(cell, cell)  # number of the sample in its cell
    shape = (int(rank.max(initial=-1)) + 1, observations.cell_count)
    if not shape[0]:
        return observations
    time, value = np.zeros(shape), np.full(shape, np.nan)
    time[rank, cell] = (observations.time[order] - observations.time.min()) / np.timedelta64(1, "D")
    value[rank, cell] = observations.value[order]
    filtered = np.empty(len(observations))
    filtered[order] = exponential_filter(time, value, timescale)[rank, cell]
    return replace(observations, value=filtered)
