"""The land of the truth, drawn once for all cells, of which any part can be run on its own."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch

from dalearn.grid import Grid
from dalearn.land.parameters import build_parameters
from dalearn.land.state import LandParameters
from dalearn.tree import select_columns
from dalearn.twin.irrigation import Irrigation
from dalearn.twin.settings import TwinSettings
from dalearn.twin.surface import SurfaceMap
from dalearn.twin.truth import HarvestCalendar, perturbed_longevity, perturbed_texture

RICE_PATCH, IRRIGATED_PATCH = 7, 9  # C3 crops, irrigated C4 crops


@dataclass(frozen=True)
class TrueLand:
    """Columns, true parameters, harvests and, where there is any, irrigation of consecutive cells."""

    grid: Grid
    parameters: LandParameters
    calendar: HarvestCalendar
    irrigation: Irrigation | None = None

    @classmethod
    def draw(cls, settings: TwinSettings, surface: SurfaceMap, random: dict[str, np.random.Generator]) -> "TrueLand":
        """True soils, plants and harvests of the cells of ``surface``; ``random`` as in ``build.random_streams``."""
        clay, sand = perturbed_texture(surface.clay, surface.sand, settings.texture_error, random["texture"])
        grid, parameters = build_parameters(surface.fraction, clay, sand, surface.latitude, surface.longitude)
        vegetation = perturbed_longevity(
            parameters.vegetation, grid.cell_of_column, settings.longevity_error, random["longevity"]
        )
        irrigation = _irrigation(settings, surface, grid)
        calendar = HarvestCalendar.draw(
            grid.patch_of_column.numpy(),
            settings.first_year,
            settings.years + 1,
            settings.harvest_spread,
            settings.harvest_duration,
            random["harvest"],
            None if irrigation is None else irrigation.flooded.numpy(),
        )
        true = dataclasses.replace(parameters, vegetation=vegetation)  # type: ignore[type-var]
        return cls(grid, true, calendar, irrigation)

    def part(self, cells: slice) -> "TrueLand":
        """The land of the consecutive ``cells``, the same as in the whole."""
        first, last, _ = cells.indices(self.grid.cell_count)
        inside = (self.grid.cell_of_column >= first) & (self.grid.cell_of_column < last)
        columns = torch.nonzero(inside).squeeze(-1)
        grid = Grid(
            latitude=self.grid.latitude[first:last],
            longitude=self.grid.longitude[first:last],
            cell_of_column=self.grid.cell_of_column[columns] - first,
            patch_of_column=self.grid.patch_of_column[columns],
            fraction=self.grid.fraction[columns],
        )
        chosen = columns.numpy()
        calendar = dataclasses.replace(
            self.calendar, cut=self.calendar.cut[:, chosen], regrowth=self.calendar.regrowth[:, chosen]
        )
        irrigation = None if self.irrigation is None else self.irrigation.part(columns)
        return TrueLand(grid, select_columns(self.parameters, columns), calendar, irrigation)


def _irrigation(settings: TwinSettings, surface: SurfaceMap, grid: Grid) -> Irrigation | None:
    """Rice in the cells that are flooded, irrigated maize in those that have sprinklers."""
    if settings.irrigation is None or surface.land_use is None:
        return None
    use = torch.from_numpy(surface.land_use == "flooded"), torch.from_numpy(surface.land_use == "sprinkled")
    flooded, sprinkled = (of_cells[grid.cell_of_column] for of_cells in use)
    return Irrigation(
        settings.irrigation,
        flooded & (grid.patch_of_column == RICE_PATCH),
        sprinkled & (grid.patch_of_column == IRRIGATED_PATCH),
    )
