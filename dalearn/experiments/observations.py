"""The observations of an experiment: read, put on the cells, screened, filtered and rescaled as configured."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from dalearn.constants import TRIPLE_POINT
from dalearn.errors import InputError
from dalearn.experiments.open_loop_data import OpenLoopData
from dalearn.experiments.sections import ObservationConfig, as_time
from dalearn.experiments.setup import Setup
from dalearn.observations.ascat_case import read_ascat, read_in_situ, read_leaf_area_index
from dalearn.observations.exponential_filter import soil_water_index
from dalearn.observations.files import read_observations
from dalearn.observations.matching import on_cells, values_at
from dalearn.observations.observations import Observations
from dalearn.observations.rescaling import fit_rescaling
from dalearn.variables import VARIABLES

logger = logging.getLogger("dalearn")

LARGE_FILE = 200_000_000  # bytes, compressed: some 200 million samples
MODEL_TOLERANCE = np.timedelta64(90, "m")  # between an observation and the open-loop output it is compared with


def read_configured(
    setup: Setup, name: str, *, start: np.datetime64 | None = None, end: np.datetime64 | None = None
) -> Observations:
    """The observations called ``name`` on the cells of the run, before rescaling.

    ``start`` and ``end`` limit what is held of a file in the native layout.  Raises InputError for a file that cannot
    be used or lies elsewhere.
    """
    section = setup.config.observation(name)
    observations = on_cells(
        _read(section, start, end), setup.surface.latitude, setup.surface.longitude, tolerance_km=section.tolerance_km
    )
    if section.error is not None:
        observations = replace(observations, error=np.full(len(observations), section.error))
    if section.hours is not None:
        observations = observations.select(_near_hours(observations.time, section), "other_hour")
    if section.exponential_filter is not None:
        observations = soil_water_index(observations, section.exponential_filter)
    return observations


def _read(section: ObservationConfig, start: np.datetime64 | None, end: np.datetime64 | None) -> Observations:
    path = Path(section.path or "")
    if section.layout == "native":
        return read_observations(path, section.quantity, section.error, start=start, end=end)
    if section.layout == "in_situ_case":
        return read_in_situ(path, section.depth_cm, np.nan if section.error is None else section.error)
    if section.quantity == "LAI":
        return read_leaf_area_index(path)
    return read_ascat(path, section.quantity, section.error)


def _near_hours(time: np.ndarray, section: ObservationConfig) -> np.ndarray:
    hour = (time - time.astype("datetime64[D]")).astype("timedelta64[s]").astype(np.float64) / 3600.0
    apart = np.abs((hour[:, None] - np.array(section.hours) + 12.0) % 24.0 - 12.0)
    return (apart <= section.hours_tolerance).any(axis=1)


def check_overlap(setup: Setup) -> None:
    """Read everything that the configuration uses; InputError when some of it has no sample where it is needed.

    Of a large file no more is read than it takes to find a usable sample.
    """
    for name, where, start, end in setup.config.used_observations():
        first, last = as_time(start, where), as_time(end, where)
        if _is_large(setup.config.observation(name)) and _some_sample(setup, name, first, last):
            continue
        observations = read_configured(setup, name)
        if not len(observations.between(first, last)):
            covered = "no usable sample"
            if len(observations):
                covered = f"samples from {observations.time.min()} to {observations.time.max()} UTC"
            raise InputError(
                f"{observations.source}: {name}: {covered}, none in {where} ({start} to {end}); "
                "choose a period that overlaps"
            )


def _is_large(section: ObservationConfig) -> bool:
    return section.layout == "native" and Path(section.path or "").stat().st_size > LARGE_FILE


def _some_sample(setup: Setup, name: str, first: np.datetime64, last: np.datetime64) -> bool:
    """Whether there is a usable sample in ``first`` <= time < ``last``, looked for in longer and longer parts."""
    length = np.timedelta64(1, "D")
    while first < last:
        end = min(first + length, last)
        if len(read_configured(setup, name, start=first, end=end)):
            return True
        first, length = end, 4 * length
    return False


def read_rescaled(setup: Setup, name: str, open_loop: OpenLoopData) -> Observations:
    """The observations called ``name``, rescaled to the open loop when the configuration asks for it.

    Pairs in which the soil of the open loop is frozen do not count.  Urban cells are not among those of a run: the
    surface map leaves them out.
    """
    section = setup.config.observation(name)
    observations = read_configured(setup, name)
    if section.rescale == "none":
        return observations
    data = open_loop.read(("WG2", "TG2"))
    model = np.where(data["TG2"] > TRIPLE_POINT, data["WG2"], np.nan)
    paired = values_at(observations, open_loop.time, model, MODEL_TOLERANCE)
    start, end = setup.config.rescaling_period(name)
    where = f"observations.{name}.rescale"
    rescaling = fit_rescaling(observations, paired, as_time(start, where), as_time(end, where))
    rescaled = rescaling.apply(observations, VARIABLES["WG2"].units, section.error or np.nan)
    left_out = rescaled.counts.get("not_rescaled", 0)
    logger.info("%s: rescaled %d samples to the open loop, %d without a fit", name, len(rescaled), left_out)
    if not len(rescaled):
        raise InputError(
            f"{observations.source}: {name} cannot be rescaled: too few pairs with the open loop in "
            f"{start} to {end}; lengthen the period of the fit or set rescale to none"
        )
    return rescaled
