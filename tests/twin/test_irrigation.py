"""Irrigation of the truth."""

import dataclasses

import numpy as np
import pytest
import torch

from dalearn.errors import InputError
from dalearn.land.parameters import build_parameters
from dalearn.land.state import Forcing, LandState, SoilParameters
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.twin.irrigation import Irrigation, IrrigationSettings, Watering, wetness

SETTINGS = IrrigationSettings()
FLOODED, SPRINKLED, NEITHER = 0, 1, 2
STEP = 1800.0


def soil_of_three_columns() -> SoilParameters:
    fraction = np.zeros((3, len(VEGETATION_TYPES)))
    fraction[:, VEGETATION_TYPES.index("C3")] = 1.0
    _, parameters = build_parameters(fraction, np.full(3, 0.25), np.full(3, 0.4), np.full(3, 43.0), np.full(3, 4.0))
    return parameters.soil


SOIL = soil_of_three_columns()


def a_state(wet: float) -> LandState:
    """All layers at ``wet`` between wilting point and field capacity."""
    layers = SOIL.wilting_point + wet * (SOIL.field_capacity - SOIL.wilting_point)
    other = {field.name: torch.zeros(3, dtype=torch.float64) for field in dataclasses.fields(LandState)}
    other |= {"soil_moisture": layers, "soil_ice": torch.zeros_like(layers), "snow": None, "roots_and_wood": None}
    return LandState(**other)


def a_forcing() -> Forcing:
    names = [name for name in Forcing.__annotations__ if name != "decade"]
    return Forcing(**{name: torch.full((3,), 1e-4, dtype=torch.float64) for name in names})


def watering() -> Watering:
    columns = torch.arange(3)
    return Irrigation(SETTINGS, columns == FLOODED, columns == SPRINKLED).begin()


def rain_of_a_day(going: Watering, wet: float, date: str) -> torch.Tensor:
    """kg m-2 that the sprinklers add on a day (column,)."""
    going.new_day(a_state(wet), SOIL, np.datetime64(date))
    added = [going.water(a_forcing(), step // 2, STEP).rainfall - a_forcing().rainfall for step in range(48)]
    return torch.stack(added).sum(dim=0) * STEP


def test_a_dry_field_gets_one_turn_and_then_rests() -> None:
    going = watering()
    first = rain_of_a_day(going, 0.3, "2019-07-01")
    assert first.tolist() == pytest.approx([0.0, SETTINGS.sprinkler_amount, 0.0])
    assert going.take().tolist() == pytest.approx(first.tolist())
    assert not going.take().any()
    for day in range(2, 2 + SETTINGS.sprinkler_pause - 1):
        assert not rain_of_a_day(going, 0.3, f"2019-07-{day:02d}").any()
    again = rain_of_a_day(going, 0.3, f"2019-07-{1 + SETTINGS.sprinkler_pause:02d}")
    assert again[SPRINKLED] == pytest.approx(SETTINGS.sprinkler_amount)


@pytest.mark.parametrize(
    ("wet", "date", "given"),
    [(0.44, "2019-07-01", True), (0.46, "2019-07-01", False), (0.1, "2019-05-31", False),
     (0.1, "2019-06-01", True), (0.1, "2019-08-31", True), (0.1, "2019-09-01", False)],
)  # fmt: skip
def test_only_dry_fields_are_sprinkled_and_only_in_summer(wet: float, date: str, given: bool) -> None:
    assert bool(rain_of_a_day(watering(), wet, date)[SPRINKLED] > 0.0) == given


def test_a_flooded_field_is_filled_to_its_depth_and_the_water_is_counted() -> None:
    going, before = watering(), a_state(0.5)
    after = going.flood(before, SOIL, np.datetime64("2019-05-01"))
    reached = SOIL.layer_bottom[:, FLOODED] <= SETTINGS.flood_depth + 1e-6
    assert reached.sum() == 6  # down to 0.6 m
    level = SETTINGS.flood_wetness * SOIL.porosity[:, FLOODED]
    assert torch.allclose(after.soil_moisture[reached, FLOODED], level[reached])
    assert torch.equal(after.soil_moisture[~reached], before.soil_moisture[~reached])
    assert torch.equal(after.soil_moisture[:, SPRINKLED:], before.soil_moisture[:, SPRINKLED:])
    added = 1000.0 * ((after.soil_moisture - before.soil_moisture) * SOIL.layer_thickness).sum(dim=0)
    assert added[FLOODED] > 50.0
    assert torch.allclose(going.take(), added)
    assert torch.equal(going.flood(after, SOIL, np.datetime64("2019-05-01")).soil_moisture, after.soil_moisture)


@pytest.mark.parametrize("date", ["2019-04-14", "2019-09-15", "2019-12-01"])
def test_rice_is_dry_outside_its_season(date: str) -> None:
    before = a_state(0.5)
    assert watering().flood(before, SOIL, np.datetime64(date)) is before


def test_wetness_runs_from_wilting_point_to_field_capacity() -> None:
    for wet in (0.0, 0.4, 1.0):
        assert wetness(a_state(wet).soil_moisture, SOIL, 0.6).tolist() == pytest.approx([wet] * 3, abs=1e-12)


@pytest.mark.parametrize("wrong", [{"flood_start": 300}, {"sprinkler_hours": 0}, {"flood_wetness": 1.2}])
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match=r"twin\.irrigation"):
        IrrigationSettings(**wrong)
