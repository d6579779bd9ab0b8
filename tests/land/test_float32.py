"""How far float32 drifts from float64 over thirty days of real forcing, per variable, and its water budget."""

import dataclasses
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import torch

from dalearn.forcing.solar import cosine_zenith, limited_cosine
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.parameters import build_parameters
from dalearn.land.state import Fluxes, LandParameters, LandState
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.land.window import ForcingWindow
from dalearn.tree import map_tensors, to

TYPES = ("NO", "C3", "TEBD", "GRAS")
STATE = ("soil_temperature", "soil_moisture", "soil_ice", "intercepted_water", "leaf_area_index", "leaf_biomass")
FLUXES = ("latent_heat", "sensible_heat", "net_radiation", "gross_primary_production", "drainage", "surface_runoff")
TIME_STEP = 1800.0


def columns() -> LandParameters:
    """A bare, a crop, a tree and a grass column."""
    shares = np.eye(19)[[VEGETATION_TYPES.index(name) for name in TYPES]]
    return build_parameters(shares, *(np.full(4, value) for value in (0.37, 0.37, 43.484, 1.3)))[1]


def real_window(path: Path, first_day: int, days: int) -> ForcingWindow:
    """Forcing of a stored site year; rain and snow of a step are those of the record at its end."""
    steps = np.arange(48 * first_day, 48 * (first_day + days))
    with netCDF4.Dataset(path) as data:
        data.set_auto_mask(False)
        record = {
            name: data[name][:].astype(np.float64)
            for name in data.variables
            if data[name].dimensions[:1] == ("forcing_time",)
        }
        start = np.datetime64(data.start.replace(" ", "T"), "s")
        place = np.array([data.lat]), np.array([data.lon])
    times = start + (steps * TIME_STEP).astype("timedelta64[s]")
    shortwave = (record["DIR_SWdown"] + record["SCA_SWdown"])[steps]
    fields = {
        "air_temperature": record["Tair"][steps],
        "specific_humidity": record["Qair"][steps],
        "surface_pressure": record["PSurf"][steps],
        "wind_speed": record["Wind"][steps],
        "shortwave_down": shortwave,
        "longwave_down": record["LWdown"][steps],
        "rainfall": record["Rainf"][steps + 1],
        "snowfall": record["Snowf"][steps + 1],
        "co2_concentration": record["CO2air"][steps],
        "cosine_zenith": limited_cosine(cosine_zenith(times, *place), shortwave[:, None])[:, 0],
    }
    values = torch.from_numpy(np.stack(list(fields.values()), axis=1)[:, :, None])
    return ForcingWindow(values, times[0], TIME_STEP, tuple((steps % 48 == 0).tolist()))


def water(state: LandState, parameters: LandParameters) -> torch.Tensor:
    """kg m-2 in float64, so that the sum itself does not round."""
    soil, double = to(parameters.soil, dtype=torch.float64), to(state, dtype=torch.float64)
    layers = (double.soil_moisture + double.soil_ice) * soil.layer_thickness * soil.holds_water
    snow = double.snow.water_equivalent.sum(dim=0) if double.snow is not None else 0.0
    return 1000.0 * layers.sum(dim=0) + double.intercepted_water + snow


@dataclasses.dataclass
class Run:
    """Series (step, ..., column) of a run, and the water (kg m-2) that its budget misses."""

    series: dict[str, np.ndarray]
    missing_water: np.ndarray
    rain: float


@torch.no_grad()
def run(window: ForcingWindow, dtype: torch.dtype, snow_layers: int = 0) -> Run:
    parameters = to(columns(), dtype=dtype)
    model = LandModel(parameters, LandOptions(time_step=TIME_STEP, snow_layers=snow_layers), compiled=False)
    state = model.initial_state(temperature=torch.full((4,), 283.0, dtype=dtype), leaf_area_index=2.0)
    cell = torch.zeros(4, dtype=torch.long)
    start, rows = water(state, parameters), []
    lost = torch.zeros(4, dtype=torch.float64)
    window = window.to(dtype=dtype)
    fallen = (window.values[:, 6] + window.values[:, 7]).to(torch.float64).sum() * TIME_STEP
    for step in range(len(window)):
        state, fluxes = model.step(state, window.forcing(step, cell), window.first_of_day[step])
        double: Fluxes = map_tensors(lambda tensor: tensor.to(torch.float64), fluxes)
        lost += TIME_STEP * (double.evaporation + double.drainage + double.surface_runoff)
        rows.append({name: getattr(state, name) for name in STATE} | {name: getattr(fluxes, name) for name in FLUXES})
    holds = parameters.soil.holds_water
    series = {
        name: torch.stack([torch.where(holds, row[name], 0.0) if "moisture" in name or "ice" in name else row[name]
                           for row in rows]).to(torch.float64).numpy()
        for name in rows[0]
    }  # fmt: skip
    missing = (water(state, parameters) - start - fallen + lost).numpy()
    return Run(series, missing, float(fallen))


def drift(path: Path, first_day: int, days: int, snow_layers: int = 0) -> dict[str, float]:
    """Largest difference of float32 from float64 by variable, and the missing water as a share of the rain."""
    window = real_window(path, first_day, days)
    double, single = (run(window, dtype, snow_layers) for dtype in (torch.float64, torch.float32))
    worst = {name: float(np.abs(double.series[name] - single.series[name]).max()) for name in double.series}
    return worst | {"missing_water": float(np.abs(single.missing_water).max() / single.rain), "rain": single.rain}


LIMITS = {
    "soil_temperature": 0.1,
    "soil_moisture": 1e-4,
    "intercepted_water": 1e-2,
    "leaf_area_index": 1e-4,
    "leaf_biomass": 1e-5,
}


@pytest.mark.slow
def test_thirty_days_in_float32(shared: Path) -> None:
    worst = drift(shared / "reference" / "surfex" / "c3_hapex.nc", 120, 30)
    for name, limit in LIMITS.items():
        assert worst[name] < limit, (name, worst[name])
    assert worst["rain"] > 20.0
    assert worst["missing_water"] < 1e-4
