"""How the land of the truth differs from the land that the model believes in (Corchia et al. 2023, 2.1 and 4.2).

The texture of the soil is not the one of the map, the rain of the forcing is biased and noisy, leaves live longer
or shorter, and crops are harvested: straw cereals in early summer, maize in September.  The model knows none
of it.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dalearn.land.state import LandParameters, LandState, VegetationParameters
from dalearn.twin.random_fields import correlated_noise, spatial_factor

C3_CROPS = (7,)  # patch numbers
C4_CROPS = (8, 9)  # rain-fed and irrigated
SPRING_CROP_SOWING = 120  # day of the year until which a maize field stays bare
WINTER_CROP_EMERGENCE = 320  # day of the year from which a cereal field grows again
HARVEST_C3, HARVEST_C4 = 178, 263  # 27 June and 20 September
RICE_EMERGENCE, HARVEST_RICE = 140, 263


def perturbed_texture(
    clay: np.ndarray, sand: np.ndarray, error: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Clay and sand fractions (cell,) with a relative error of standard deviation ``error``, still a soil."""
    clay = np.clip(clay * np.exp(error * generator.standard_normal(len(clay))), 0.02, 0.55)
    sand = np.clip(sand * np.exp(error * generator.standard_normal(len(sand))), 0.05, 0.95)
    return clay, np.minimum(sand, 0.97 - clay)


def rain_factor(
    latitude: np.ndarray,
    longitude: np.ndarray,
    time: np.ndarray,
    bias: float,
    noise: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Rain of the model forcing over the true rain, (time, cell), for the hours ending at ``time`` (hourly).

    The product of a bias of each cell, with a seasonal part of half its size, and of a log-normal factor of
    each day with mean 1; ``bias`` and ``noise`` are relative standard deviations, correlated over 150 km.
    """
    day = ((time - np.timedelta64(1, "s")).astype("datetime64[D]") - time[0].astype("datetime64[D]")).astype(int)
    day = np.maximum(day, 0)
    return daily_rain_factor(latitude, longitude, int(day[-1]) + 1, bias, noise, generator)[day]


def daily_rain_factor(
    latitude: np.ndarray, longitude: np.ndarray, days: int, bias: float, noise: float, generator: np.random.Generator
) -> np.ndarray:
    """The factors of ``rain_factor`` for whole days, (day, cell)."""
    factor = spatial_factor(latitude, longitude, 150.0)
    of_cell = bias * correlated_noise(generator, 1, factor, 0.0)
    of_season = 0.5 * bias * correlated_noise(generator, 1, factor, 0.0)
    season = np.cos(2.0 * np.pi * np.arange(days) / 365.25)[:, None]
    spread = np.sqrt(np.log1p(noise**2))
    of_day = np.exp(spread * correlated_noise(generator, days, factor, 0.0) - 0.5 * spread**2)
    return np.exp(of_cell + of_season * season) * of_day


def perturbed_longevity(
    vegetation: VegetationParameters, cell_of_column: Tensor, error: float, generator: np.random.Generator
) -> VegetationParameters:
    """The same plants with leaves that live longer or shorter.

    All columns of a cell share a relative change between 0.6 and 1.4 times ``error``, up or down: there is no cell
    where the model happens to be right.  ``cell_of_column`` (column,) is ascending.
    """
    cells = int(cell_of_column[-1]) + 1
    change = error * generator.uniform(0.6, 1.4, cells) * generator.choice([-1.0, 1.0], cells)
    factor = torch.from_numpy(np.exp(change)).to(vegetation.leaf_longevity)[cell_of_column]
    return dataclasses.replace(vegetation, leaf_longevity=vegetation.leaf_longevity * factor)  # type: ignore[type-var]


@dataclass(frozen=True)
class HarvestCalendar:
    """When the crop of each column is taken away and comes up again.

    ``first_year`` and, as days of the year (year, column): ``cut``, the last day of the harvest, which takes
    ``duration`` days from the first field to the last, and ``regrowth``, when the next crop comes up.  Columns
    without a crop have NaN.
    """

    first_year: int
    duration: int
    cut: np.ndarray
    regrowth: np.ndarray

    @classmethod
    def draw(
        cls,
        patch_of_column: np.ndarray,
        first_year: int,
        years: int,
        spread: float,
        duration: int,
        generator: np.random.Generator,
        rice: np.ndarray | None = None,
    ) -> "HarvestCalendar":
        """Dates with a standard deviation of ``spread`` days between columns and years; ``rice`` (column,) bool."""

        def dates(c3: float, c4: float, of_rice: float) -> np.ndarray:
            usual = np.where(
                np.isin(patch_of_column, C3_CROPS), c3, np.where(np.isin(patch_of_column, C4_CROPS), c4, np.nan)
            )
            if rice is not None:
                usual = np.where(rice, of_rice, usual)
            return np.round(usual + spread * generator.standard_normal((years, len(patch_of_column))).clip(-2.0, 2.0))

        half = duration // 2
        return cls(
            first_year,
            duration,
            dates(HARVEST_C3 + half, HARVEST_C4 + half, HARVEST_RICE + half),
            dates(WINTER_CROP_EMERGENCE, SPRING_CROP_SOWING, RICE_EMERGENCE),
        )

    def taken(self, date: np.datetime64) -> np.ndarray:
        """(column,) share of what stands on ``date`` that is taken away on this day.

        During the harvest the same number of fields every day, 1 while the fields lie bare: winter crops from the cut
        to the regrowth of the same year, summer crops outside the time from regrowth to cut.
        """
        year = date.astype("datetime64[Y]")
        day = float((date.astype("datetime64[D]") - year.astype("datetime64[D]")).astype(int)) + 1.0
        row = min(max(year.astype(int) + 1970 - self.first_year, 0), len(self.cut) - 1)
        cut, regrowth = self.cut[row], self.regrowth[row]
        bare = np.where(cut < regrowth, (day >= cut) & (day < regrowth), (day >= cut) | (day < regrowth))
        fields_left = cut - day + 1.0
        harvesting = (fields_left > 1.0) & (fields_left <= self.duration)
        return np.where(bare, 1.0, np.where(harvesting, 1.0 / np.where(harvesting, fields_left, 1.0), 0.0))


def harvest(state: LandState, taken: Tensor, parameters: LandParameters) -> LandState:
    """``state`` with the share ``taken`` (column,) of the standing crop taken away.

    A field that is cut keeps the minimum leaf area that the model allows, with the biomass that belongs to it, and
    loses the other pools; nothing changes in the columns of which nothing is taken.
    """
    vegetation = parameters.vegetation
    stubble = vegetation.minimum_leaf_area_index

    def cut(standing: Tensor, left: Tensor | float) -> Tensor:
        return torch.where(taken > 0.0, left + (1.0 - taken) * (standing - left), standing)

    return dataclasses.replace(  # type: ignore[type-var]
        state,
        leaf_area_index=cut(state.leaf_area_index, stubble),
        leaf_biomass=cut(state.leaf_biomass, stubble * vegetation.biomass_per_leaf_area),
        active_structural_biomass=cut(state.active_structural_biomass, 0.0),
        passive_structural_biomass=cut(state.passive_structural_biomass, 0.0),
    )
