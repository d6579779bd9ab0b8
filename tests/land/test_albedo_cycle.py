"""CALBEDO='CM13': albedos of every ten days."""

import numpy as np
import pytest
import torch

from dalearn.errors import InputError
from dalearn.land.albedo_cycle import ALBEDO_MAPS, parameters_of_decade
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.parameters import build_parameters
from dalearn.land.state import LandParameters
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.land.window import FORCING_FIELDS, ForcingWindow, decade_of

DTYPE = torch.float64


def maps() -> dict[str, np.ndarray]:
    decade = np.arange(36) / 1000.0
    values = {name: np.tile(0.1 + 0.05 * place + decade, (1, 1)) for place, name in enumerate(ALBEDO_MAPS)}
    by_type = np.full((1, 19, 36), np.nan)
    by_type[0, VEGETATION_TYPES.index("TEBD")], by_type[0, VEGETATION_TYPES.index("SHRB")] = 0.1, 0.3
    by_type[0, VEGETATION_TYPES.index("C3")] = 0.2 + decade
    return values | {"vegetation_albedo_visible": by_type}


def parameters(**changes: object) -> LandParameters:
    fractions = np.zeros((1, 19))
    for name, share in (("C3", 0.5), ("TEBD", 0.375), ("SHRB", 0.125)):
        fractions[0, VEGETATION_TYPES.index(name)] = share
    cell = [np.array([value]) for value in (0.2, 0.4, 44.0, 1.0)]
    return build_parameters(fractions, *cell, albedo_maps=maps() | changes)[1]


def test_decade_of_the_date() -> None:
    days = ("2007-01-01", "2007-01-10", "2007-01-11", "2007-01-31", "2007-02-28", "2007-03-01", "1969-12-31T23:30")
    assert [decade_of(np.datetime64(day)) for day in days] == [0, 0, 1, 2, 5, 6, 35]


def test_types_of_a_patch_are_averaged() -> None:
    vegetation = parameters_of_decade(parameters(), 7).vegetation
    torch.testing.assert_close(vegetation.vegetation_albedo_visible, torch.tensor([0.15, 0.207], dtype=DTYPE))
    torch.testing.assert_close(vegetation.soil_albedo_visible_dry, torch.tensor([0.107, 0.107], dtype=DTYPE))
    torch.testing.assert_close(vegetation.soil_albedo_near_infrared_dry, torch.tensor([0.157] * 2, dtype=DTYPE))
    torch.testing.assert_close(vegetation.vegetation_albedo_near_infrared, torch.tensor([0.257] * 2, dtype=DTYPE))


def test_the_step_has_the_albedo_of_its_date() -> None:
    land = parameters()
    model = LandModel(land, LandOptions(albedo="CM13"), compiled=False)
    state = model.initial_state(temperature=torch.full((2,), 285.0, dtype=DTYPE), leaf_area_index=2.0)
    weather = {
        "air_temperature": 288.0, "specific_humidity": 0.007, "surface_pressure": 9.9e4, "wind_speed": 3.0,
        "shortwave_down": 450.0, "longwave_down": 320.0, "rainfall": 0.0, "snowfall": 0.0,
        "co2_concentration": 7.5e-4, "cosine_zenith": 0.6,
    }  # fmt: skip
    values = torch.tensor([weather[name] for name in FORCING_FIELDS], dtype=DTYPE)[None, :, None].expand(2, -1, 1)
    window = ForcingWindow(values, np.datetime64("2007-04-10T23:30", "s"), 1800.0, (False, True))
    cell = torch.zeros(2, dtype=torch.long)
    for step, decade in enumerate((9, 10)):
        _, fluxes = model.step(state, window.forcing(step, cell), False)
        vegetation = parameters_of_decade(land, decade).vegetation
        cover = 1.0 - np.exp(-0.6 * 2.0)
        soil = 0.5 * (vegetation.soil_albedo_visible_dry + vegetation.soil_albedo_near_infrared_dry)
        leaves = 0.5 * (vegetation.vegetation_albedo_visible + vegetation.vegetation_albedo_near_infrared)
        assert fluxes.albedo[1].item() == pytest.approx(((1.0 - cover) * soil + cover * leaves)[1].item(), rel=1e-12)


def test_maps_are_checked() -> None:
    with pytest.raises(InputError, match=r"soil_albedo_visible: cell 0 has nan in decade 1; give 0\.\.1"):
        parameters(soil_albedo_visible=np.full((1, 36), np.nan))
    with pytest.raises(InputError, match=r"soil_albedo_visible: has shape \(1, 12\)"):
        parameters(soil_albedo_visible=np.full((1, 12), 0.2))
    fractions = np.eye(19)[[6]]
    cell = [np.array([value]) for value in (0.2, 0.4, 44.0, 1.0)]
    _, without = build_parameters(fractions, *cell)
    with pytest.raises(InputError, match=r"land\.albedo: CM13 needs soil_albedo_visible"):
        LandModel(without, LandOptions(albedo="CM13"))
