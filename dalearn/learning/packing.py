"""Samples of every cell moved together, so that no batch is spent on cells that were not observed at its times.

A radar sees the cells of a domain at different hours: on a common time axis half of the entries are empty, and all of
them cost the same arithmetic.  Cells are independent, so nothing asks for a common axis.
"""

from typing import NamedTuple

import numpy as np


class PackedSamples(NamedTuple):
    """``predictors`` (row, cell, n) and ``target`` (row, cell), NaN below the last sample of a cell.

    ``validation`` (row,) bool: training samples come first.
    """

    predictors: np.ndarray
    target: np.ndarray
    validation: np.ndarray


def pack_samples(predictors: np.ndarray, target: np.ndarray, validation: np.ndarray) -> PackedSamples:
    """The complete samples of every cell, each in order, those of ``validation`` (sample,) after the others.

    ``predictors`` (sample, cell, n) and ``target`` (sample, cell), NaN = missing.
    """
    complete = np.isfinite(target) & np.isfinite(predictors).all(axis=-1)
    parts = [_together(predictors, target, complete & chosen[:, None]) for chosen in (~validation, validation)]
    rows = [len(part[1]) for part in parts]
    return PackedSamples(
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.repeat([False, True], rows),
    )


def _together(predictors: np.ndarray, target: np.ndarray, complete: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    longest = int(complete.sum(axis=0).max(initial=0))
    order = np.argsort(~complete, axis=0, kind="stable")[:longest]
    there = np.take_along_axis(complete, order, axis=0)
    moved = np.take_along_axis(predictors, order[..., None], axis=0)
    values = np.where(there, np.take_along_axis(target, order, axis=0), np.nan)
    return np.where(there[..., None], moved, np.nan), values
