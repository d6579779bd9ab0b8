"""Irrigation of the truth, of which the land model knows nothing (Rojas-Munoz et al. 2023, 2.1 and 5.2-5.3).

* ``flooded``: rice under water; the soil is kept near saturation from mid-April to the middle of September.  At 85 % of
  the pores what drains away below and what evaporates is some 2 m of water in a season, as rice takes in the Camargue;
  a soil without the plough pan of a rice field would lose many times as much at saturation.
* ``sprinkled``: maize; from June to August, when the root zone is dry, a night of rain from a gun or a pivot, and then
  not again for some days.  A dry summer so takes more than a wet one.

30 mm in 8 h every five days is 6 mm a day, the capacity for which sprinklers of maize are laid out in southern France.
The threshold is that of FAO-56 (Allen et al. 1998, table 22): 55 % of the available water of maize used up.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dalearn.constants import DENSITY_WATER
from dalearn.errors import InputError
from dalearn.land.state import Forcing, LandState, SoilParameters


@dataclass(frozen=True)
class IrrigationSettings:
    """When and how much is irrigated.

    Attributes:
        flood_start, flood_end: days of the year, the last one excluded: 15 April, 15 September.
        flood_depth: m, the soil layers down to this depth are kept near saturation.
        flood_wetness: of the pores that hold water.
        sprinkler_start, sprinkler_end: days of the year, the last one excluded: 1 June, 1 September.
        sprinkler_depth: m of the root zone whose wetness decides.
        sprinkler_threshold: wetness, 0 at wilting point, 1 at field capacity, below which a field is irrigated.
        sprinkler_amount: kg m-2 of a turn.
        sprinkler_hours: that it lasts, from 00 UTC on.
        sprinkler_pause: days from one turn to the next at least.
    """

    flood_start: int = 105
    flood_end: int = 258
    flood_depth: float = 0.6
    flood_wetness: float = 0.85
    sprinkler_start: int = 152
    sprinkler_end: int = 244
    sprinkler_depth: float = 0.6
    sprinkler_threshold: float = 0.45
    sprinkler_amount: float = 30.0
    sprinkler_hours: int = 8
    sprinkler_pause: int = 5

    def __post_init__(self) -> None:
        for name in ("flood", "sprinkler"):
            if not 1 <= getattr(self, f"{name}_start") <= getattr(self, f"{name}_end") <= 367:
                raise InputError(f"twin.irrigation.{name}_start to {name}_end: give days of the year, the first first")
        if not 1 <= self.sprinkler_hours <= 24 or self.sprinkler_pause < 1:
            raise InputError("twin.irrigation: sprinkler_hours is not in 1..24, or sprinkler_pause not 1 or more")
        if not 0.0 < self.flood_wetness <= 1.0:
            raise InputError(f"twin.irrigation.flood_wetness: {self.flood_wetness} is not in 0..1")


@dataclass(frozen=True, eq=False)
class Irrigation:
    """Who is irrigated: ``flooded`` and ``sprinkled`` (column,) bool."""

    settings: IrrigationSettings
    flooded: Tensor
    sprinkled: Tensor

    def part(self, columns: Tensor) -> "Irrigation":
        """That of some columns."""
        return Irrigation(self.settings, self.flooded[columns], self.sprinkled[columns])

    def begin(self) -> "Watering":
        """A season that has not begun."""
        return Watering(self, torch.full(self.sprinkled.shape, -10_000, dtype=torch.int64))


class Watering:
    """Irrigation going on: what ``Irrigation`` asks for, day after day.

    ``amount`` (column,) is what has been given since it was last taken, kg m-2.
    """

    def __init__(self, irrigation: Irrigation, last_turn: Tensor) -> None:
        self.irrigation = irrigation
        self._last_turn = last_turn  # day number of the last turn of each column
        self._sprinkling = torch.zeros_like(irrigation.sprinkled)
        self._any = False
        self.amount = torch.zeros(irrigation.flooded.shape, dtype=torch.float64)

    def new_day(self, state: LandState, soil: SoilParameters, date: np.datetime64) -> None:
        """Decide who gets water in the night that begins the UTC day ``date``."""
        settings = self.irrigation.settings
        if not settings.sprinkler_start <= day_of_year(date) < settings.sprinkler_end:
            self._any = False
            return
        today = int(date.astype("datetime64[D]").astype(int))
        rested = today - self._last_turn >= settings.sprinkler_pause
        dry = wetness(state.soil_moisture, soil, settings.sprinkler_depth) < settings.sprinkler_threshold
        self._sprinkling = self.irrigation.sprinkled & rested & dry
        self._last_turn = torch.where(self._sprinkling, today, self._last_turn)
        self._any = bool(self._sprinkling.any())

    def water(self, forcing: Forcing, hour: int, time_step: float) -> Forcing:
        """``forcing`` of a step in ``hour`` of the day with the water of the sprinklers as rain."""
        settings = self.irrigation.settings
        if not self._any or hour >= settings.sprinkler_hours:
            return forcing
        rate = settings.sprinkler_amount / (3600.0 * settings.sprinkler_hours)
        given = self._sprinkling.to(forcing.rainfall) * rate
        self.amount += given.double() * time_step
        return dataclasses.replace(forcing, rainfall=forcing.rainfall + given)  # type: ignore[type-var]

    def flood(self, state: LandState, soil: SoilParameters, date: np.datetime64) -> LandState:
        """``state`` with the flooded columns near saturation, in their season."""
        settings = self.irrigation.settings
        if not settings.flood_start <= day_of_year(date) < settings.flood_end:
            return state
        reached = (soil.layer_bottom <= settings.flood_depth + 1e-6) & soil.holds_water & self.irrigation.flooded
        level = settings.flood_wetness * soil.porosity - state.soil_ice
        missing = torch.where(reached, (level - state.soil_moisture).clamp(min=0.0), 0.0)
        self.amount += DENSITY_WATER * (missing * soil.layer_thickness).sum(dim=0).double()
        return dataclasses.replace(state, soil_moisture=state.soil_moisture + missing)  # type: ignore[type-var]

    def take(self) -> Tensor:
        """``amount``, which begins again at 0."""
        amount, self.amount = self.amount, torch.zeros_like(self.amount)
        return amount


def wetness(soil_moisture: Tensor, soil: SoilParameters, depth: float) -> Tensor:
    """Mean wetness (column,) of the layers down to ``depth`` (m): 0 at wilting point, 1 at field capacity."""
    thickness = torch.where((soil.layer_bottom <= depth + 1e-6) & soil.holds_water, soil.layer_thickness, 0.0)
    water = (thickness * (soil_moisture - soil.wilting_point)).sum(dim=0)
    return water / (thickness * (soil.field_capacity - soil.wilting_point)).sum(dim=0).clamp(min=1e-6)


def day_of_year(date: np.datetime64) -> int:
    """1 on the first of January."""
    year = date.astype("datetime64[Y]").astype("datetime64[D]")
    return int((date.astype("datetime64[D]") - year).astype(int)) + 1
