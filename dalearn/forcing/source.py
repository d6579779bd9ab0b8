"""What every source of forcing offers, whatever its format.

Names are those of ALMA.  Besides the variables of a SURFEX forcing file a source may give ``SWdown`` (total short wave)
in place of ``DIR_SWdown`` and ``SCA_SWdown``, ``Precip`` (rain and snow) in place of ``Rainf`` and ``Snowf``, and the
components ``Wind_E`` and ``Wind_N`` in place of ``Wind``: they are split or joined on the cells (``prepare.py``).
States are instantaneous at the stamp, fluxes are the mean over the step that ends there.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dalearn.regular_grid import RegularGrid


@dataclass(frozen=True, eq=False)
class Points:
    """Where the values of a source lie: all (point,), degrees and metres, altitude NaN where unknown.

    ``grid``: the axes when the points are the nodes of a regular grid, rows first.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    altitude: np.ndarray
    temperature_height: np.ndarray
    wind_height: np.ndarray
    grid: RegularGrid | None = None


class ForcingSource(Protocol):
    """A record of forcing that is read block by block.

    ``label`` names it in messages; ``times`` (record,) datetime64[s] UTC follow each other every ``step`` seconds.
    """

    label: str
    times: np.ndarray
    step: int
    points: Points

    def read(self, rows: slice) -> dict[str, np.ndarray]:
        """The records ``rows``: ALMA name -> (record, point) float32 in the units of the variable table.

        Raises InputError, one line with file, variable and mend.
        """

    def origin(self, name: str, row: int) -> str:
        """File and variable behind the ALMA variable ``name`` of record ``row``, for messages."""


def site(latitude: float, longitude: float, altitude: float, temperature_height: float, wind_height: float) -> Points:
    """One point."""
    numbers = (latitude, longitude, altitude, temperature_height, wind_height)
    first, second, third, fourth, fifth = (np.array([float(number)]) for number in numbers)
    return Points(first, second, third, fourth, fifth)
