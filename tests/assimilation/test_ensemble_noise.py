"""The noise of the ensemble: random numbers by key, correlation in time, physical bounds, precipitation."""

import dataclasses

import pytest
import torch

from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.counter_random import GOLDEN_RATIO, extend_key, mix, standard_normal
from dalearn.assimilation.ensemble_noise import (
    NoiseSource,
    PerturbedPrecipitation,
    days_of,
    next_noise,
    noise_deviation,
    persistence,
)
from dalearn.assimilation.ensemble_settings import EnsembleSettings
from dalearn.assimilation.limits import within_bounds
from dalearn.errors import InputError
from dalearn.grid import Grid

CONTROL = ControlVector()


def test_hash_is_splitmix64():
    """The published sequence of the seed 1234567."""
    state = [(1234567 + step * GOLDEN_RATIO) % 2**64 for step in range(1, 6)]
    words = torch.tensor([word - 2**64 if word >> 63 else word for word in state])
    numbers = [word % 2**64 for word in mix(words).tolist()]
    assert numbers == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
    ]  # fmt: skip


def test_draws_are_standard_normal_and_independent():
    members, variables, columns = torch.arange(50)[:, None, None], torch.arange(8)[:, None], torch.arange(500)
    draws = standard_normal(extend_key(columns, 7, variables, members))
    count = draws.numel()
    assert draws.unique().numel() == count
    assert abs(draws.mean()) < 4 / count**0.5
    assert abs(draws.var() - 1) < 4 * (2 / count) ** 0.5
    assert abs((draws**4).mean() - 3) < 4 * (96 / count) ** 0.5
    for dim in range(3):
        neighbours = draws.narrow(dim, 1, draws.shape[dim] - 1) * draws.narrow(dim, 0, draws.shape[dim] - 1)
        assert abs(neighbours.mean()) < 4 / count**0.5
    other_seed = standard_normal(extend_key(columns, 8, variables, members))
    assert abs((draws * other_seed).mean()) < 4 / count**0.5
    ordered = draws.flatten().sort().values
    exact = torch.special.ndtr(ordered)
    empirical = (torch.arange(count) + 0.5) / count
    assert (exact - empirical).abs().max() < 1.95 / count**0.5, "Kolmogorov-Smirnov at the 0.1 % level"


def test_draws_follow_the_place_and_not_the_order(toy):
    grid = toy.grid([[7, 10], [4], [1, 5, 8]], [[0.7, 0.3], [1.0], [0.25, 0.5, 0.25]])
    part = Grid(
        latitude=grid.latitude[[2, 0]],
        longitude=grid.longitude[[2, 0]],
        cell_of_column=torch.tensor([0, 0, 0, 1, 1]),
        patch_of_column=torch.tensor([1, 5, 8, 7, 10]),
        fraction=grid.fraction[[3, 4, 5, 0, 1]],
    )
    window = toy.window(3)
    draws = NoiseSource(grid, CONTROL, EnsembleSettings(members=3)).of_control(window)
    assert draws.shape == (8, 3, 6)
    other = NoiseSource(part, ControlVector(("WG4", "LAI")), EnsembleSettings(members=5))
    assert torch.equal(other.of_control(window)[:, :3], draws[[3, 0]][..., [3, 4, 5, 0, 1]])
    wet = EnsembleSettings(members=3, precipitation=0.4)
    rain = NoiseSource(grid, CONTROL, wet).precipitation_factor(window)
    wetter = NoiseSource(part, CONTROL, dataclasses.replace(wet, members=5)).precipitation_factor(window)
    assert torch.equal(wetter[:3], rain[:, [2, 0]])
    later = toy.window(3, start="2015-06-02T09:00")
    for changed in (
        NoiseSource(grid, CONTROL, EnsembleSettings(members=3)).of_control(later),
        NoiseSource(grid, CONTROL, EnsembleSettings(members=3, seed=1)).of_control(window),
    ):
        assert not (changed == draws).any()


def test_worked_persistence():
    """ldas_sekf.md 10.10."""
    assert persistence(1.0, 3.0) == 0.75
    assert persistence(1.0, 1.0) == 0.5
    assert persistence(0.25, 3.0) == pytest.approx(12 / 13)
    assert persistence(1.0, 0.0) == 0.0
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    assert next_noise(zero, one, 0.75).item() == pytest.approx(0.66143783, abs=5e-9)
    assert next_noise(zero, one, 0.5).item() == pytest.approx(0.8660254, abs=5e-9)
    assert next_noise(one, zero, 0.75).item() == 0.75
    assert next_noise(None, one, 0.75).item() == 1.0


def test_noise_keeps_its_variance_and_its_correlation():
    keys = torch.arange(20000)
    noise, rows = None, []
    for step in range(6):
        noise = next_noise(noise, standard_normal(extend_key(keys, step)), 0.75)
        rows.append(noise)
    for row in rows:
        assert abs(row.var() - 1) < 0.04
    for lag in (1, 2, 3):
        assert abs((rows[5] * rows[5 - lag]).mean() - 0.75**lag) < 0.04


def test_deviation_scales_with_soil_range_and_leaves(toy):
    parameters = toy.parameters(2, moisture_range=0.08)
    settings = EnsembleSettings()
    size = noise_deviation(CONTROL, torch.tensor([1.0, 4.0], dtype=torch.float64), parameters, settings)
    assert size[:, 1].tolist() == pytest.approx([0.03 * 4.0, 0.1 * 0.08, *[0.02 * 0.08] * 6])
    assert size[0, 0].item() == pytest.approx(0.03)


def test_bounds(toy):
    parameters = toy.parameters(5, porosity=0.45, minimum_leaf_area_index=0.3)
    state = toy.state(parameters)
    moisture, ice = state.soil_moisture.clone(), state.soil_ice.clone()
    moisture[1] = torch.tensor([0.2, 0.2, 0.2, 0.0005, 0.42], dtype=torch.float64)
    ice[1, 2], ice[1, 4] = 0.1, 0.1
    leaves = torch.tensor([2.0, 2.0, 0.2, 2.0, 2.0], dtype=torch.float64)
    state = dataclasses.replace(state, soil_moisture=moisture, soil_ice=ice, leaf_area_index=leaves)
    control = ControlVector(("LAI", "WG2"))
    change = torch.tensor([[-3.0, -0.5, -1.0, 9.0, 0.0], [-0.3, 0.3, 0.3, -0.1, 0.1]], dtype=torch.float64)
    kept = within_bounds(control, change, state, parameters)
    assert kept[0].tolist() == pytest.approx([-1.7, -0.5, 0.0, 9.0, 0.0])
    assert kept[1].tolist() == pytest.approx([-0.199, 0.25, 0.15, 0.0, 0.0])
    assert (within_bounds(control, 0 * change, state, parameters) == 0).all()


def test_precipitation_factor(toy):
    window = toy.window(2)
    columns = torch.tensor([0, 1, 1, 0, 1, 1])
    factor = torch.tensor([0.5, 2.0, 2.0, 1.0, 3.0, 3.0], dtype=torch.float64)
    changed = PerturbedPrecipitation(window, factor)
    assert len(changed) == len(window)
    assert (changed.times == window.times).all()
    assert changed.first_of_day == window.first_of_day
    plain, wet = window.forcing(5, columns), changed.forcing(5, columns)
    assert torch.equal(wet.rainfall, factor * plain.rainfall)
    assert torch.equal(wet.air_temperature, plain.air_temperature)


def test_precipitation_keeps_its_mean(toy):
    grid = toy.grid([[7], [7]], [[1.0], [1.0]])
    settings = EnsembleSettings(members=20000, precipitation=0.5)
    factor = NoiseSource(grid, CONTROL, settings).precipitation_factor(toy.window(2))
    variance = torch.tensor(0.5**2).exp().item() - 1
    assert factor.min() > 0
    assert abs(factor.mean() - 1) < 4 * (variance / 40000) ** 0.5
    assert abs(factor.log().std() - 0.5) < 0.01


def test_length_of_a_window(toy):
    assert days_of(toy.window(1)) == 1.0
    assert days_of(toy.window(1, steps=6)) == 0.25
    with pytest.raises(InputError, match="at least two model steps"):
        days_of(toy.window(1, steps=1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": 1}, "ensemble.members is 1"),
        ({"inflation": 0.0}, "ensemble.inflation is 0.0"),
        ({"correlation_time": -1.0}, "ensemble.correlation_time is -1.0"),
        ({"leaf_area_index": -0.1}, "ensemble.leaf_area_index is -0.1"),
        ({"soil_moisture": {"WG2": 0.1}}, "noise of WG3, .* is not set: add it to ensemble.soil_moisture"),
        ({"soil_moisture": {f"WG{layer}": -0.1 for layer in range(2, 9)}}, "ensemble.soil_moisture.WG2 is -0.1"),
    ],
)
def test_settings_that_make_no_sense(changes, message):
    with pytest.raises(InputError, match=message):
        EnsembleSettings(**changes).check(CONTROL)
