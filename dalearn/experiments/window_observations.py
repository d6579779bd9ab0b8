"""Observations of every assimilation window, at its end."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dalearn.experiments.observations import read_rescaled
from dalearn.experiments.open_loop_data import OpenLoopData
from dalearn.experiments.setup import Setup
from dalearn.experiments.stage_sections import AssimilationExperiment
from dalearn.files import write_whole
from dalearn.observations.matching import match_observations

logger = logging.getLogger("dalearn")

WINDOW_HOURS = 24


@dataclass(frozen=True)
class ObservationAccount:
    """What became of one set of observations of ``quantity`` before the filter.

    ``counts``: how many were ``read``, how many of them were ``matched`` to a window, and how many were left out, by
    reason; the last two add up to the first.
    """

    quantity: str
    counts: dict[str, int]


class ObservationRow(NamedTuple):
    """One observed quantity at one time of the window."""

    quantity: str
    hour: int  # after the window start

    @property
    def name(self) -> str:
        """In ``analysis.nc``: the quantity itself at the window end."""
        return self.quantity if self.hour == WINDOW_HOURS else f"{self.quantity}_at_{self.hour}h"


@dataclass(frozen=True)
class WindowObservations:
    """``value`` and ``error`` (window, observation, cell), NaN = missing, in the order of ``rows``.

    ``accounts`` by name of the observations.
    """

    rows: tuple[ObservationRow, ...]
    value: Tensor
    error: Tensor
    accounts: dict[str, ObservationAccount]

    def steps(self, time_step: float) -> list[int] | None:
        """Model steps after which each row is observed; None when all are at the window end."""
        if all(row.hour == WINDOW_HOURS for row in self.rows):
            return None
        return [round(row.hour * 3600 / time_step) for row in self.rows]


def match_windows(
    setup: Setup, experiment: AssimilationExperiment, ends: np.ndarray, open_loop: OpenLoopData
) -> WindowObservations:
    """The observations of ``experiment`` nearest to the observation hours of the windows that end at ``ends``.

    Raises InputError when none of an observed quantity is near one of them.
    """
    section = setup.config.assimilation
    assert section is not None
    tolerance = np.timedelta64(round(section.tolerance_hours * 3600), "s")
    hours = section.observation_hours
    after_end = (np.array(hours) - WINDOW_HOURS) * np.timedelta64(3600, "s")
    times = (ends[:, None] + after_end).ravel()
    rows: list[ObservationRow] = []
    values: list[np.ndarray] = []
    errors: list[np.ndarray] = []
    accounts = {}
    for name in experiment.observations:
        observations = read_rescaled(setup, name, open_loop)
        matched = match_observations(observations, times, tolerance, "nearest")
        account = ", ".join(f"{number} {reason}" for reason, number in matched.counts.items() if number)
        logger.info("%s: %s: %s", experiment.name, name, account)
        accounts[name] = ObservationAccount(observations.quantity, matched.counts)
        rows += [ObservationRow(observations.quantity, hour) for hour in hours]
        for table, part in ((values, matched.value), (errors, matched.error)):
            table.append(part.reshape(len(ends), len(hours), -1))
    value, error = (torch.from_numpy(np.concatenate(tables, axis=1)) for tables in (values, errors))
    return WindowObservations(tuple(rows), value, error, accounts)


def write_window_observations(path: Path, observations: WindowObservations) -> None:
    """Keep values, errors and rows for the processes that assimilate them."""
    arrays = {
        "quantity": np.array([row.quantity for row in observations.rows]),
        "hour": np.array([row.hour for row in observations.rows]),
        "value": observations.value.numpy(),
        "error": observations.error.numpy(),
    }

    def save(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    write_whole(path, save)


def read_window_observations(path: Path, cells: slice) -> WindowObservations:
    """What ``write_window_observations`` kept, of the given ``cells``; without the accounts."""
    with np.load(path) as file:
        rows = tuple(
            ObservationRow(str(quantity), int(hour))
            for quantity, hour in zip(file["quantity"], file["hour"], strict=True)
        )
        value, error = (torch.from_numpy(file[name][..., cells].copy()) for name in ("value", "error"))
    return WindowObservations(rows, value, error, {})
