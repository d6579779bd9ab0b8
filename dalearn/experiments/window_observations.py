"""Observations of every assimilation window, at its end."""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dalearn.experiments.observations import read_rescaled
from dalearn.experiments.open_loop_data import OpenLoopData
from dalearn.experiments.setup import Setup
from dalearn.experiments.stage_sections import AssimilationExperiment
from dalearn.observations.matching import match_observations

logger = logging.getLogger("dalearn")


@dataclass(frozen=True)
class ObservationAccount:
    """What became of one set of observations of ``quantity`` before the filter.

    ``counts``: how many were ``read``, how many of them were ``matched`` to a window, and how many were left out, by
    reason; the last two add up to the first.
    """

    quantity: str
    counts: dict[str, int]


@dataclass(frozen=True)
class WindowObservations:
    """``value`` and ``error`` (window, observation, cell), NaN = missing, in the order of ``quantities``.

    ``accounts`` by name of the observations.
    """

    quantities: tuple[str, ...]
    value: Tensor
    error: Tensor
    accounts: dict[str, ObservationAccount]


def match_windows(
    setup: Setup, experiment: AssimilationExperiment, ends: np.ndarray, open_loop: OpenLoopData
) -> WindowObservations:
    """The observations of ``experiment`` nearest to the window ends ``ends``.

    Raises InputError when none of an observed quantity is near a window end.
    """
    section = setup.config.assimilation
    assert section is not None
    tolerance = np.timedelta64(round(section.tolerance_hours * 3600), "s")
    quantities, values, errors = [], [], []
    accounts = {}
    for name in experiment.observations:
        observations = read_rescaled(setup, name, open_loop)
        matched = match_observations(observations, ends, tolerance, "nearest")
        account = ", ".join(f"{number} {reason}" for reason, number in matched.counts.items() if number)
        logger.info("%s: %s: %s", experiment.name, name, account)
        accounts[name] = ObservationAccount(observations.quantity, matched.counts)
        quantities.append(observations.quantity)
        values.append(matched.value)
        errors.append(matched.error)
    value, error = (torch.from_numpy(np.stack(arrays, axis=1)) for arrays in (values, errors))
    return WindowObservations(tuple(quantities), value, error, accounts)
