"""Which experiment of a run plays which part of a paper: told by what it assimilates, not by its name."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dalearn.evaluation.run_data import RunData, quantity_of


@dataclass(frozen=True)
class Roles:
    """Corchia et al. (2023).  ``radar``: the experiments that assimilate backscatter alone (EKF of the paper);
    ``retrievals``: one that assimilates LAI and no backscatter (EKF_SWI_LAI), "" where there is none."""

    radar: tuple[str, ...] = ()
    retrievals: str = ""


@dataclass(frozen=True)
class JointRoles:
    """Rojas-Munoz et al. (2023): the experiments with soil moisture alone (SSM of the paper), LAI alone (LAI) and both
    (SSM and LAI), none of them with backscatter; "" where there is none."""

    moisture: str = ""
    leaves: str = ""
    joint: str = ""

    @property
    def concern_paper(self) -> bool:
        """Whether soil moisture and LAI are assimilated together and alone, so that the two can be compared."""
        return bool(self.joint and (self.moisture or self.leaves))

    @property
    def alone(self) -> list[str]:
        return [name for name in (self.moisture, self.leaves) if name]

    @property
    def every(self) -> list[str]:
        """In the order of Table 1 of the paper."""
        return [name for name in (self.moisture, self.leaves, self.joint) if name]


def find_joint_roles(run: RunData) -> JointRoles:
    """The first experiment of analysis.nc with each of the three sets of observations."""
    used = assimilated(run)

    def first(*quantities: str) -> str:
        return next((name for name, found in used.items() if found == set(quantities)), "")

    return JointRoles(first("SSM"), first("LAI"), first("SSM", "LAI"))


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
