"""A small land model with the protocol of the real one, its parameters, grids and forcing."""

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from dalearn.grid import Grid
from dalearn.land.state import (
    SOIL_LAYERS,
    Fluxes,
    Forcing,
    LandParameters,
    LandState,
    SoilParameters,
    VegetationParameters,
)
from dalearn.land.window import FORCING_FIELDS, ForcingWindow
from dalearn.tree import named_tensors


def same_bits(first: LandState, second: LandState) -> bool:
    """Every number of the two states is identical."""
    pairs = zip(named_tensors(first), named_tensors(second), strict=True)
    return all(torch.equal(a, b) for (_, a), (_, b) in pairs)


BOOLEANS = {"vegetated", "is_crop", "is_grass", "is_woody", "is_tropical_evergreen", "is_defensive", "holds_water"}


def toy_parameters(
    columns: int,
    *,
    vegetated: list[bool] | None = None,
    water_layers: list[int] | None = None,
    moisture_range: float = 0.0875,
    porosity: float = 0.45,
    biomass_per_leaf_area: float = 0.07,
    minimum_leaf_area_index: float = 0.3,
    dtype: torch.dtype = torch.float64,
) -> LandParameters:
    """Parameters of which only those the filter reads mean something."""

    def fill(cls: type, shape: tuple[int, ...]) -> dict[str, Tensor]:
        return {
            item.name: torch.zeros(shape, dtype=torch.bool if item.name in BOOLEANS else dtype)
            for item in dataclasses.fields(cls)
        }

    layers = torch.tensor(water_layers or [SOIL_LAYERS] * columns)
    soil = fill(SoilParameters, (SOIL_LAYERS, columns)) | {
        "holds_water": torch.arange(SOIL_LAYERS).unsqueeze(1) < layers,
        "moisture_range": torch.full((columns,), moisture_range, dtype=dtype),
        "porosity": torch.full((SOIL_LAYERS, columns), porosity, dtype=dtype),
    }
    vegetation = fill(VegetationParameters, (columns,)) | {
        "vegetated": torch.tensor(vegetated or [True] * columns),
        "biomass_per_leaf_area": torch.full((columns,), biomass_per_leaf_area, dtype=dtype),
        "minimum_leaf_area_index": torch.full((columns,), minimum_leaf_area_index, dtype=dtype),
    }
    height = torch.full((columns,), 2.0, dtype=dtype)
    return LandParameters(
        soil=SoilParameters(**soil),
        vegetation=VegetationParameters(**vegetation),
        temperature_height=height,
        wind_height=height,
    )


def toy_grid(patches: list[list[int]], fractions: list[list[float]]) -> Grid:
    """One list of patch numbers and fractions per cell."""
    return Grid(
        latitude=np.linspace(43.0, 44.0, len(patches)),
        longitude=np.linspace(-1.0, 2.0, len(patches)),
        cell_of_column=torch.tensor([cell for cell, row in enumerate(patches) for _ in row]),
        patch_of_column=torch.tensor([number for row in patches for number in row]),
        fraction=torch.tensor([value for row in fractions for value in row], dtype=torch.float64),
    )


def toy_state(parameters: LandParameters, seed: int = 1) -> LandState:
    """A moist state with leaves; 0 LAI where there is no vegetation."""
    columns = len(parameters.temperature_height)
    dtype = parameters.temperature_height.dtype
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random, dtype=torch.float64).to(dtype)

    leaf_area_index = torch.where(parameters.vegetation.vegetated, 1.0 + 3.0 * draw(columns), 0.0)
    zero = torch.zeros(columns, dtype=dtype)
    fields = {item.name: zero for item in dataclasses.fields(LandState)} | {
        "soil_temperature": 285.0 + 5.0 * draw(SOIL_LAYERS, columns),
        "soil_moisture": 0.2 + 0.1 * draw(SOIL_LAYERS, columns),
        "soil_ice": torch.zeros(SOIL_LAYERS, columns, dtype=dtype),
        "leaf_area_index": leaf_area_index,
        "leaf_biomass": 0.07 * leaf_area_index,
    }
    return LandState(**fields)


class ToyModel:
    """Water diffuses and is taken up, leaves grow and are rebuilt from biomass at midnight, soil warms.

    Affine in the state when ``curvature`` is 0; ``threshold`` adds a kink in drainage at that soil moisture.
    """

    def __init__(
        self,
        parameters: LandParameters,
        curvature: float = 0.0,
        threshold: float | None = None,
        runs: list | None = None,
    ) -> None:
        self.parameters = parameters
        self.curvature = curvature
        self.threshold = threshold
        self.runs = [] if runs is None else runs

    def with_parameters(self, parameters: LandParameters) -> "ToyModel":
        return ToyModel(parameters, self.curvature, self.threshold, self.runs)

    def prepare_state(self, state: LandState) -> LandState:
        vegetation = self.parameters.vegetation
        floored = torch.maximum(state.leaf_area_index, vegetation.minimum_leaf_area_index)
        return dataclasses.replace(
            state, leaf_area_index=torch.where(vegetation.vegetated, floored, state.leaf_area_index)
        )

    def step(self, state: LandState, forcing: Forcing, first_of_day: bool) -> tuple[LandState, Fluxes]:
        self.runs.append(state.leaf_area_index.shape[0])
        w, leaves, vegetated = state.soil_moisture, state.leaf_area_index, self.parameters.vegetation.vegetated
        exchange = 0.05 * (w[1:] - w[:-1])
        edge = torch.zeros_like(w[:1])
        tendency = torch.cat([exchange, edge]) - torch.cat([edge, exchange])
        drainage = 0.01 * w + self.curvature * w**3
        if self.threshold is not None:
            drainage = drainage + 0.2 * torch.relu(w - self.threshold)
        rain = torch.cat([forcing.rainfall.unsqueeze(0), edge.expand(w.shape[0] - 1, -1)])
        uptake = 0.0005 * leaves
        growth = 0.02 * w[1:6].mean(dim=0) + self.curvature * leaves * w[2]
        grown = leaves + torch.where(vegetated, growth - 0.004 * leaves, 0.0)
        biomass = state.leaf_biomass + 0.07 * torch.where(vegetated, growth, 0.0)
        if first_of_day:
            grown = torch.where(vegetated, 0.4 * grown + 0.6 * biomass / 0.07, grown)
        warmth = 0.05 * (forcing.air_temperature - state.soil_temperature) - 2.0 * (w - 0.25)
        new = dataclasses.replace(
            state,
            soil_moisture=torch.where(
                self.parameters.soil.holds_water, w + tendency - drainage * 0.02 - uptake + rain, w
            ),
            soil_temperature=state.soil_temperature + warmth,
            leaf_area_index=grown,
            leaf_biomass=biomass,
        )
        zero = torch.zeros_like(leaves)
        fluxes = {item.name: zero for item in dataclasses.fields(Fluxes)} | {"drainage": drainage[-1]}
        return new, Fluxes(**fluxes)


def toy_window(
    cells: int, steps: int = 24, start: str = "2015-06-01T09:00", seed: int = 3, dtype: torch.dtype = torch.float64
) -> ForcingWindow:
    """Hourly steps with some rain; midnight falls inside the window."""
    random = torch.Generator().manual_seed(seed)
    values = torch.zeros(steps, len(FORCING_FIELDS), cells, dtype=torch.float64)
    values[:, FORCING_FIELDS.index("air_temperature")] = 290.0 + torch.rand(
        steps, cells, generator=random, dtype=torch.float64
    )
    values[:, FORCING_FIELDS.index("rainfall")] = 0.002 * torch.rand(
        steps, cells, generator=random, dtype=torch.float64
    )
    begin = np.datetime64(start, "s")
    hours = [(begin + np.timedelta64(3600 * i, "s")).astype("datetime64[h]").astype(int) % 24 for i in range(steps)]
    return ForcingWindow(values.to(dtype), begin, 3600.0, tuple(hour == 0 for hour in hours))


@pytest.fixture
def toy() -> SimpleNamespace:
    """The makers of the toy: ``parameters``, ``grid``, ``state``, ``model``, ``window``; and ``same_bits``."""
    return SimpleNamespace(
        parameters=toy_parameters,
        grid=toy_grid,
        state=toy_state,
        model=ToyModel,
        window=toy_window,
        same_bits=same_bits,
    )


@pytest.fixture
def domain(toy: SimpleNamespace) -> Callable[..., SimpleNamespace]:
    """Three cells with 2, 1 and 3 patches, one of them bare, one with shallow soil; ``curvature`` is optional."""

    def make(curvature: float = 0.0, threshold: float | None = None, dtype: torch.dtype = torch.float64):
        grid = toy.grid([[7, 10], [4], [1, 5, 8]], [[0.7, 0.3], [1.0], [0.25, 0.5, 0.25]])
        parameters = toy.parameters(
            6, vegetated=[True, True, True, False, True, True], water_layers=[10, 10, 14, 10, 6, 10], dtype=dtype
        )
        return SimpleNamespace(
            grid=grid,
            parameters=parameters,
            state=toy.state(parameters),
            model=toy.model(parameters, curvature, threshold),
            window=toy.window(3, dtype=dtype),
        )

    return make
