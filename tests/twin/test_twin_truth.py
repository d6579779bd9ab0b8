"""How the land of the truth differs from the land of the model."""

import dataclasses

import numpy as np
import pytest
import torch

from dalearn.land.parameters import build_parameters
from dalearn.land.state import SOIL_LAYERS, LandState
from dalearn.tree import named_tensors, to
from dalearn.twin.surface import PLACES, surface_map
from dalearn.twin.truth import HarvestCalendar, harvest, perturbed_longevity, perturbed_texture, rain_factor

SURFACE = surface_map(PLACES[7:10])


def a_state(columns: int) -> LandState:
    generator = torch.Generator().manual_seed(1)
    layered = {"soil_temperature", "soil_moisture", "soil_ice"}
    return LandState(
        **{
            field.name: torch.rand((SOIL_LAYERS, columns) if field.name in layered else (columns,), generator=generator)
            for field in dataclasses.fields(LandState)
        }
    )


def test_harvest_empties_the_fallow_columns_and_no_others() -> None:
    grid, parameters = build_parameters(
        SURFACE.fraction, SURFACE.clay, SURFACE.sand, SURFACE.latitude, SURFACE.longitude
    )
    fallow = grid.patch_of_column == 7
    before = a_state(grid.column_count)
    after = harvest(before, fallow.float(), parameters)
    vegetation = parameters.vegetation
    assert torch.allclose(after.leaf_area_index[fallow].double(), vegetation.minimum_leaf_area_index[fallow])
    leaf = vegetation.minimum_leaf_area_index * vegetation.biomass_per_leaf_area
    assert torch.allclose(after.leaf_biomass[fallow].double(), leaf[fallow])
    assert not after.active_structural_biomass[fallow].any()
    assert not after.passive_structural_biomass[fallow].any()
    touched = {"leaf_area_index", "leaf_biomass", "active_structural_biomass", "passive_structural_biomass"}
    for (name, old), (_, new) in zip(named_tensors(before), named_tensors(after), strict=True):
        assert torch.equal(old[..., ~fallow].double(), new[..., ~fallow].double()), name
        if name not in touched:
            assert torch.equal(old, new), name


def test_part_of_the_fields_leaves_part_of_the_crop() -> None:
    grid, parameters = build_parameters(
        SURFACE.fraction, SURFACE.clay, SURFACE.sand, SURFACE.latitude, SURFACE.longitude
    )
    before = to(a_state(grid.column_count), dtype=torch.float64)
    after = harvest(before, torch.full((grid.column_count,), 0.25, dtype=torch.float64), parameters)
    stubble = parameters.vegetation.minimum_leaf_area_index
    assert torch.allclose(after.leaf_area_index - stubble, 0.75 * (before.leaf_area_index - stubble))
    assert torch.allclose(after.active_structural_biomass, 0.75 * before.active_structural_biomass)


def test_fields_lie_bare_after_the_harvest_until_the_next_crop() -> None:
    patches = np.array([4, 7, 8, 10])
    calendar = HarvestCalendar.draw(patches, 2015, 2, 0.0, 20, np.random.default_rng(0))

    def taken(date: str) -> list[float]:
        return calendar.taken(np.datetime64(date)).tolist()

    assert taken("2015-02-01") == [0.0, 0.0, 1.0, 0.0]
    assert taken("2015-06-01") == [0.0, 0.0, 0.0, 0.0]
    assert taken("2015-07-15") == [0.0, 1.0, 0.0, 0.0]
    assert taken("2015-10-15") == [0.0, 1.0, 1.0, 0.0]
    assert taken("2016-12-15") == [0.0, 0.0, 1.0, 0.0]


def test_irrigated_maize_is_harvested_with_the_other() -> None:
    calendar = HarvestCalendar.draw(np.array([8, 9]), 2015, 2, 0.0, 20, np.random.default_rng(0))
    for date in np.arange("2015-01-01", "2016-12-31", 7, dtype="datetime64[D]"):
        rainfed, irrigated = calendar.taken(date)
        assert rainfed == irrigated


def test_fields_are_cut_one_after_the_other() -> None:
    calendar = HarvestCalendar.draw(np.array([7]), 2015, 1, 0.0, 20, np.random.default_rng(0))
    standing = [1.0]
    for date in np.arange("2015-06-01", "2015-08-01", dtype="datetime64[D]"):
        standing.append(standing[-1] * (1.0 - calendar.taken(date)[0]))
    cut = -np.diff(standing)
    assert cut[cut > 0.0] == pytest.approx(0.05)
    assert (cut > 0.0).sum() == 20
    middle = np.datetime64("2015-06-01") + np.flatnonzero(cut > 0.0)[10]
    assert middle == np.datetime64("2015-06-28")


def test_harvest_dates_spread_around_the_beginning_of_summer() -> None:
    calendar = HarvestCalendar.draw(np.full(200, 7), 2015, 3, 7.0, 0, np.random.default_rng(0))
    assert calendar.cut.mean() == pytest.approx(178.0, abs=1.5)
    assert 5.0 < calendar.cut.std() < 8.0
    assert calendar.cut.min() >= 178 - 14
    assert calendar.cut.max() <= 178 + 14


def test_texture_stays_a_soil() -> None:
    generator = np.random.default_rng(0)
    clay, sand = np.repeat([0.03, 0.3, 0.5], 500), np.repeat([0.9, 0.3, 0.4], 500)
    wrong_clay, wrong_sand = perturbed_texture(clay, sand, 0.15, generator)
    assert np.std(np.log(wrong_clay[500:1000] / 0.3)) == pytest.approx(0.15, rel=0.15)
    assert (wrong_clay >= 0.02).all()
    assert (wrong_clay + wrong_sand <= 0.9701).all()


def test_rain_errors_have_the_size_asked_for() -> None:
    time = np.datetime64("2015-01-01", "s") + np.arange(24 * 3000 + 1) * np.timedelta64(3600, "s")
    latitude, longitude = np.full(60, 43.5), np.linspace(-2.0, 300.0, 60)
    factor = rain_factor(latitude, longitude, time, 0.12, 0.2, np.random.default_rng(0))
    assert factor.shape == (len(time), 60)
    daily = factor[1::24]
    assert (factor[1:].reshape(-1, 24, 60) == daily[:, None, :]).all()  # one factor for the hours of a day
    assert (daily.std(axis=0) / daily.mean(axis=0)).mean() == pytest.approx(0.21, abs=0.02)
    assert daily.mean(axis=0).std() == pytest.approx(0.12, abs=0.04)
    exact = rain_factor(latitude, longitude, time[:100], 0.0, 0.0, np.random.default_rng(0))
    assert exact == pytest.approx(1.0)


def test_longevity_changes_in_every_cell_and_nothing_else_does() -> None:
    grid, parameters = build_parameters(
        SURFACE.fraction, SURFACE.clay, SURFACE.sand, SURFACE.latitude, SURFACE.longitude
    )
    vegetation = parameters.vegetation
    changed = perturbed_longevity(vegetation, grid.cell_of_column, 0.2, np.random.default_rng(0))
    for (name, old), (_, new) in zip(named_tensors(vegetation), named_tensors(changed), strict=True):
        assert torch.equal(old, new) == (name != "leaf_longevity"), name
    change = torch.log(changed.leaf_longevity / vegetation.leaf_longevity)
    assert change.abs().min() >= 0.12 - 1e-9
    assert change.abs().max() <= 0.28 + 1e-9
    for cell in range(grid.cell_count):
        of_cell = change[grid.cell_of_column == cell]
        assert torch.allclose(of_cell, of_cell[0].expand_as(of_cell))
