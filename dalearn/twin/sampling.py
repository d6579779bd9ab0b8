"""When and where the instruments of the twin look: overpasses of a polar orbiter, dekads, probe readings.

Every function returns ``Samples``: one row per observation, in order of time.
"""

from dataclasses import dataclass

import numpy as np

from dalearn.twin.settings import TwinSettings

ORBITS_PER_DAY = 412.0 / 29.0  # repeat cycle of MetOp
ORBIT_PERIOD = 1440.0 / ORBITS_PER_DAY  # minutes
MORNING, EVENING = 9.5, 21.5  # local solar time at the middle of the swath
LAI_HOUR = 9  # UTC


@dataclass(frozen=True)
class Samples:
    """``time`` (sample,) datetime64[s] UTC and ``cell`` (sample,) index."""

    time: np.ndarray
    cell: np.ndarray

    def __len__(self) -> int:
        return len(self.time)


def _in_order(time: np.ndarray, cell: np.ndarray) -> Samples:
    order = np.lexsort((cell, time))
    return Samples(time[order].astype("datetime64[s]"), cell[order])


def overpasses(settings: TwinSettings, longitude: np.ndarray) -> Samples:
    """Times at which the radar sees each cell.

    Successive days shift the ground track by a fixed share of the distance between two orbits, so that a cell
    lies in the swath in a regular alternation of days; within the swath the local time varies around the
    nominal one.  ``longitude`` (cell,) degrees.
    """
    days = settings.first_day + np.arange(settings.days)
    number = days.astype(int)[:, None]
    times, cells = [], []
    for nominal, share, first in ((MORNING, settings.morning_share, 0.0), (EVENING, settings.evening_share, 0.4)):
        track = (number * ORBITS_PER_DAY + longitude[None, :] * ORBITS_PER_DAY / 360.0 + first) % 1.0
        seen = track < share
        hour = nominal - longitude[None, :] / 15.0 + (track - 0.5 * share) * ORBIT_PERIOD / 60.0
        time = days[:, None].astype("datetime64[s]") + np.rint(hour * 3600.0).astype("timedelta64[s]")
        inside = seen & (time < settings.end.astype("datetime64[s]"))
        times.append(time[inside])
        cells.append(np.nonzero(inside)[1])
    return _in_order(np.concatenate(times), np.concatenate(cells))


def regular(settings: TwinSettings, hours: float, first_hour: float, cells: np.ndarray) -> Samples:
    """One sample of each of ``cells`` every ``hours`` hours from ``first_hour`` UTC of the first day on."""
    step = np.timedelta64(round(hours * 3600.0), "s")
    start = settings.first_day.astype("datetime64[s]") + np.timedelta64(round(first_hour * 3600.0), "s")
    time = np.arange(start, settings.end.astype("datetime64[s]"), step)
    return Samples(np.repeat(time, len(cells)), np.tile(cells, len(time)))


def at(series: np.ndarray, time: np.ndarray, samples: Samples) -> np.ndarray:
    """Values (sample,) of an hourly series (time, cell) at the hour nearest to each sample.

    ``time`` (time,) is regular; samples outside it take the first or last value.
    """
    step = time[1] - time[0]
    nearest = (samples.time - time[0] + step // 2) // step
    return series[np.clip(nearest.astype(int), 0, len(time) - 1), samples.cell]
