"""The filter on the land model itself, eagerly, over half a day that contains midnight and a shower."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dalearn.assimilation.comparison import compare_jacobians
from dalearn.assimilation.cycle import run_cycle
from dalearn.assimilation.ensemble_settings import EnsembleSettings
from dalearn.assimilation.forecast import integrate
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.land.model import LandModel
from dalearn.land.parameters import build_parameters
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.land.window import FORCING_FIELDS, ForcingWindow
from dalearn.operators import create_operator
from dalearn.tree import named_tensors

STEPS = 24


def half_day(number):
    """Forcing of two cells from 15 to 3 UTC (even) or from 3 to 15 UTC (odd numbers)."""
    start = np.datetime64("2015-05-10T15:00", "s") + np.timedelta64(12 * number, "h")
    values = np.zeros((STEPS, len(FORCING_FIELDS), 2))
    times = start + np.arange(STEPS) * np.timedelta64(1800, "s")
    hour = (times - times.astype("datetime64[D]")).astype("timedelta64[s]").astype(float) / 3600
    sun = np.where((hour > 5) & (hour < 19), np.sin(np.pi * (hour - 5) / 14), 0.0)
    for name, series in {
        "air_temperature": 288.0 + 6.0 * np.cos(2 * np.pi * (hour - 15) / 24),
        "specific_humidity": np.full(STEPS, 0.008),
        "surface_pressure": np.full(STEPS, 1.0e5),
        "wind_speed": np.full(STEPS, 3.0),
        "shortwave_down": 750.0 * sun,
        "longwave_down": np.full(STEPS, 330.0),
        "rainfall": np.where((hour > 17) & (hour < 18.6), 4e-4, 0.0),
        "co2_concentration": np.full(STEPS, 7.3e-4),
        "cosine_zenith": np.maximum(0.8 * sun, 1e-3),
    }.items():
        values[:, FORCING_FIELDS.index(name)] = series[:, None] * [1.0, 1.005]
    return ForcingWindow(torch.tensor(values), start, 1800.0, tuple((hour == 0).tolist()))


@pytest.fixture(scope="module")
def land():
    fractions = np.zeros((2, len(VEGETATION_TYPES)))
    for cell, shares in enumerate(({"C3": 0.6, "NO": 0.4}, {"TEBD": 0.5, "GRAS": 0.5})):
        for name, share in shares.items():
            fractions[cell, list(VEGETATION_TYPES).index(name)] = share
    grid, parameters = build_parameters(
        fractions, np.array([0.2, 0.3]), np.array([0.4, 0.3]), np.array([43.5, 44.0]), np.array([0.0, 1.0])
    )
    model = LandModel(parameters, compiled=False)
    start = model.initial_state(temperature=torch.full((4,), 287.0, dtype=torch.float64), leaf_area_index=2.0)
    state, _ = integrate(model, grid, start, half_day(-1))
    operators = [create_operator("wg2", cell_count=2), create_operator("lai", cell_count=2)]
    return SimpleNamespace(grid=grid, model=model, state=state, operators=operators)


def test_both_jacobians_agree(land):
    report = compare_jacobians(land.model, land.grid, land.state, half_day(0), land.operators)
    for name, row in report["agreement"].items():
        assert row["max_rel"] < 2e-3, name
        assert row["median_rel"] < 1e-4, name
        assert row["kink_share"] <= 0.5, name


@pytest.mark.parametrize("jacobian", ["finite_differences", "autograd"])
def test_cycle_and_restart(land, jacobian):
    windows = [half_day(0), half_day(1)]
    observed = torch.full((2, 2, 2), torch.nan, dtype=torch.float64)
    observed[0] = torch.tensor([[0.18, 0.22], [2.5, 1.0]])
    settings = FilterSettings(jacobian=jacobian)
    kept = []
    arguments = land.model, land.grid, FilterState(land=land.state), windows, land.operators, observed, settings
    end = run_cycle(*arguments, on_window=lambda record, state: kept.append((record, state)))
    record, state = kept[0]
    assert (record.rejected == 0).all()
    departure = observed[0] - record.model_analysis
    assert (departure.abs() < record.departure.abs()).all(), "the analysis is closer to every observation"
    assert (record.analysis["LAI"] - record.forecast["LAI"]).abs().min() > 1e-3
    again = run_cycle(land.model, land.grid, state, windows[1:], land.operators, observed[1:], settings)
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(named_tensors(again), named_tensors(end), strict=True))


def test_ensemble_and_restart(land):
    """Members of the land model spread, are drawn to the observations and restart bit for bit."""
    windows = [half_day(0), half_day(1)]
    observed = torch.full((2, 2, 2), torch.nan, dtype=torch.float64)
    observed[0] = torch.tensor([[0.18, 0.22], [2.5, 1.0]])
    settings = FilterSettings(scheme="ensrf", ensemble=EnsembleSettings(members=10, precipitation=0.3))
    kept = []
    arguments = land.model, land.grid, FilterState(land=land.state), windows, land.operators, observed, settings
    end = run_cycle(*arguments, on_window=lambda record, state: kept.append((record, state)))
    (record, state), (later, _) = kept
    assert (record.rejected == 0).all()
    departure = observed[0] - record.model_analysis
    assert (departure.abs() < record.departure.abs()).all(), "the analysis is closer to every observation"
    for name in ("LAI", "WG2"):
        assert (record.analysis_spread[name] < record.forecast_spread[name]).all()
        assert (later.forecast_spread[name] > 0).all()
    w, ice = end.ensemble.soil_moisture, end.ensemble.soil_ice
    porosity = land.model.parameters.soil.porosity.repeat(1, 10)
    assert (w > 0).all()
    assert (w + ice <= porosity + 1e-9).all()
    again = run_cycle(land.model, land.grid, state, windows[1:], land.operators, observed[1:], settings)
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(named_tensors(again), named_tensors(end), strict=True))
