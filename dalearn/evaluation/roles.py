"""Which experiment of a run plays which part of Corchia et al. (2023): told by what it assimilates, not by its name."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dalearn.evaluation.run_data import RunData, quantity_of


@dataclass(frozen=True)
class Roles:
    """``radar``: the experiments that assimilate backscatter alone (EKF of the paper); ``retrievals``: one that
    assimilates LAI and no backscatter (EKF_SWI_LAI), "" where there is none."""

    radar: tuple[str, ...] = ()
    retrievals: str = ""


def find_roles(run: RunData) -> Roles:
    """The roles of the experiments in analysis.nc; with LAI alone and LAI with soil moisture, the latter is taken."""
    used = assimilated(run)
    radar = tuple(name for name, quantities in used.items() if quantities == {"sigma0"})
    retrievals = [name for name, quantities in used.items() if "LAI" in quantities and "sigma0" not in quantities]
    retrievals.sort(key=lambda name: -len(used[name]))
    return Roles(radar, retrievals[0] if retrievals else "")


def assimilated(run: RunData) -> Mapping[str, set[str]]:
    """Quantities with at least one departure, by experiment."""
    used: dict[str, set[str]] = {name: set() for name in run.experiments}
    if run.analysis is None:
        return used
    for row in run.observation_rows(("sigma0", "LAI", "SSM")):
        if f"{row}_departure" not in run.analysis:
            continue
        departure = run.analysis[f"{row}_departure"].values
        for number, name in enumerate(run.experiments):
            if np.isfinite(departure[number]).any():
                used[name].add(quantity_of(row))
    return used
