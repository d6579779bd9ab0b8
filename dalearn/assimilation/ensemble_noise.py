"""The error that an ensemble makes visible: noise that is correlated in time, added to every member once per window.

With N(0, 1) drawn anew for every member, column, control variable and window (ldas_sekf.md 8.1, eq. 18), W the length
of the window in days and tau the correlation time in days::

    phi = 1 / (1 + W / tau)
    q  <- phi q + sqrt(1 - phi^2) N(0, 1)
    x  <- x + W s q

s is the standard deviation of the noise.  The first noise of a run is white (q = N(0, 1)), and so is all of it with
tau = 0, when x <- x + s q.  Noise that leaves the physical range is cut there.  Rain and snow may be multiplied by a
log-normal factor of mean 1 besides, the same for all patches of a cell in one member and window.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.counter_random import extend_key, place_key, standard_normal
from dalearn.assimilation.ensemble_settings import EnsembleSettings
from dalearn.assimilation.forecast import Window
from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.state import Forcing, LandParameters

PRECIPITATION = 1000  # stands for it where control variables have their number, LAI 0 and WG1.. their layer


def persistence(days: float, correlation_time: float) -> float:
    """phi of a window of so many days."""
    return 0.0 if correlation_time == 0 else 1.0 / (1.0 + days / correlation_time)


def next_noise(noise: Tensor | None, white: Tensor, phi: float) -> Tensor:
    """q of the next window from that of the last one, or the first; ``white`` N(0, 1)."""
    return white if noise is None else phi * noise + math.sqrt(1.0 - phi**2) * white


def noise_deviation(
    control: ControlVector, leaf_area_index: Tensor, parameters: LandParameters, settings: EnsembleSettings
) -> Tensor:
    """Standard deviation s, ``(control, column)`` m2 m-2 and m3 m-3; ``leaf_area_index`` (column,) of the mean."""
    dw = parameters.soil.moisture_range
    leaves = settings.leaf_area_index * leaf_area_index
    return torch.stack([leaves if name == "LAI" else settings.soil_moisture[name] * dw for name in control.names])


class NoiseSource:
    """N(0, 1) that depends on seed, window, place and member alone (see ``counter_random``)."""

    def __init__(self, grid: Grid, control: ControlVector, settings: EnsembleSettings) -> None:
        device = grid.cell_of_column.device
        latitude, longitude = (torch.as_tensor(np.array(axis, dtype=float)) for axis in (grid.latitude, grid.longitude))
        self.cells = place_key(latitude, longitude).to(device)
        self.columns = extend_key(self.cells[grid.cell_of_column], grid.patch_of_column.to(device))
        self.members = torch.arange(settings.members, device=device).unsqueeze(-1)
        numbers = [0 if name == "LAI" else control.layer(name) + 1 for name in control.names]
        self.variables = torch.tensor(numbers, device=device)[:, None, None]
        self.seed, self.sigma = settings.seed, settings.precipitation

    def of_control(self, window: Window) -> Tensor:
        """``(control, member, column)`` float64."""
        return standard_normal(extend_key(self.columns, *self._words(window), self.variables, self.members))

    def precipitation_factor(self, window: Window) -> Tensor:
        """exp(sigma N(0, 1) - sigma^2 / 2), ``(member, cell)`` float64."""
        draws = standard_normal(extend_key(self.cells, *self._words(window), PRECIPITATION, self.members))
        return torch.exp(self.sigma * draws - 0.5 * self.sigma**2)

    def _words(self, window: Window) -> tuple[int, int]:
        return self.seed, int(window.times[-1].astype("datetime64[s]").astype(np.int64))


@dataclass(frozen=True)
class PerturbedPrecipitation:
    """A window whose rain and snow are multiplied by ``factor``, one for every column that is asked for."""

    window: Window
    factor: Tensor

    @property
    def first_of_day(self) -> Sequence[bool]:
        return self.window.first_of_day

    @property
    def times(self) -> np.ndarray:
        return self.window.times

    def __len__(self) -> int:
        return len(self.window)

    def forcing(self, step: int, cell_of_column: Tensor) -> Forcing:
        forcing = self.window.forcing(step, cell_of_column)
        return replace(forcing, rainfall=self.factor * forcing.rainfall, snowfall=self.factor * forcing.snowfall)  # type: ignore[type-var]

    def to(self, *, dtype: torch.dtype) -> "PerturbedPrecipitation":
        return PerturbedPrecipitation(self.window.to(dtype=dtype), self.factor.to(dtype))


def days_of(window: Window) -> float:
    """Length of the window in days, from the ends of its steps; ``InputError`` for a single step."""
    times, count = window.times, len(window)
    if count < 2:
        raise InputError("the noise of an ensemble needs windows of at least two model steps")
    return float((times[-1] - times[0]) / np.timedelta64(1, "s")) * count / (count - 1) / 86400.0
