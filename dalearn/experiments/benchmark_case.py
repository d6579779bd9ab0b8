"""The case that is timed: a summer day over cells of south-western France with four patches each."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch

from dalearn.assimilation.forecast import Window, integrate
from dalearn.assimilation.jacobian import WindowJacobian
from dalearn.assimilation.settings import FilterSettings
from dalearn.assimilation.update import update
from dalearn.grid import Grid
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.parameters import build_parameters
from dalearn.land.state import LandState
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.operators import ObservationOperator, create_operator
from dalearn.tree import to
from dalearn.twin.weather import generate_weather

COVER = {"C3": 0.4, "C4": 0.2, "GRAS": 0.25, "TEBD": 0.15}
START, END = np.datetime64("2015-06-01T09:00:00", "s"), np.datetime64("2015-06-02T09:00:00", "s")
TIME_STEP = 1800.0
OBSERVED = {"wg2": 0.2, "lai": 1.5}  # what is observed, and its value
WEATHER_CELLS = 250  # correlated weather is made for so many cells and repeated


@dataclass(frozen=True, eq=False)
class BenchmarkCase:
    """A model with its cells, a state and the forcing of a day."""

    model: LandModel
    grid: Grid
    state: LandState
    window: Window

    @torch.no_grad()
    def forecast(self) -> None:
        """One day of the land model."""
        integrate(self.model, self.grid, self.state, self.window)

    def analysis(self, backend: str, observed: int) -> "BenchmarkAnalysis":
        """One window of the filter with so many of ``OBSERVED`` and this Jacobian."""
        like = self.state.leaf_area_index
        names, cells = list(OBSERVED)[:observed], self.grid.cell_count
        operators = [create_operator(name, cell_count=cells).to(device=like.device, dtype=like.dtype) for name in names]
        values = torch.stack([like.new_full((cells,), OBSERVED[name]) for name in names])
        return BenchmarkAnalysis(self, WindowJacobian(self.grid, operators, backend=backend), operators, values)


@dataclass(frozen=True, eq=False)
class BenchmarkAnalysis:
    """A window of the filter; calling it runs forecast, Jacobian and update."""

    case: BenchmarkCase
    jacobian: WindowJacobian
    operators: list[ObservationOperator]
    observed: torch.Tensor

    @torch.no_grad()
    def __call__(self) -> None:
        case = self.case
        linear = self.jacobian(case.model, case.state, case.window)
        update(linear, self.observed, case.grid, case.model.parameters, self.operators, FilterSettings())


def benchmark_case(
    columns: int,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
    *,
    compiled: bool = True,
    end: np.datetime64 = END,
) -> BenchmarkCase:
    """The case with ``columns`` columns, rounded up to whole cells."""
    device, cells = torch.device(device), -(-columns // len(COVER))
    fraction = np.zeros((cells, len(VEGETATION_TYPES)))
    for name, share in COVER.items():
        fraction[:, VEGETATION_TYPES.index(name)] = share
    latitude, longitude = np.linspace(42.5, 45.0, cells), np.linspace(-1.0, 3.5, cells)
    grid, parameters = build_parameters(fraction, np.full(cells, 0.22), np.full(cells, 0.35), latitude, longitude)
    grid = grid.to(device)
    model = LandModel(to(parameters, device=device, dtype=dtype), LandOptions(time_step=TIME_STEP), compiled=compiled)
    few = slice(0, None, -(-cells // WEATHER_CELLS))
    altitude, date = np.full(len(latitude[few]), 150.0), START.astype("datetime64[D]")
    weather = generate_weather(latitude[few], longitude[few], altitude, date, 2, 1, (1.0,))
    window = weather.window(START, end, TIME_STEP, dtype, device)
    repeated = torch.arange(cells, device=device) % window.values.shape[-1]
    window = dataclasses.replace(window, values=window.values[..., repeated])
    state = model.initial_state(temperature=torch.full((grid.column_count,), 290.0, dtype=dtype, device=device))
    return BenchmarkCase(model, grid, state, window)
