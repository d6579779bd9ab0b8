"""The backscatter of the truth."""

import dataclasses

import numpy as np
import pytest

from dalearn.twin.backscatter import Backscatter, draw_backscatter
from dalearn.twin.surface import surface_map

SURFACE = surface_map()
DRAWN = draw_backscatter(SURFACE, np.random.default_rng(0))


def plain(**changes: float) -> Backscatter:
    """The water cloud model of ldas_sekf.md 10.8 and nothing else."""
    numbers = {field.name: 0.0 for field in dataclasses.fields(Backscatter)}
    numbers |= {"vegetation_scattering": 0.05, "attenuation": 0.15, "soil_level": -16.0, "soil_sensitivity": 40.0}
    return Backscatter(**{name: np.array([value]) for name, value in (numbers | changes).items()})


def one(operator: Backscatter, moisture: float, temperature: float, leaves: float, day: float = 100.0) -> float:
    return float(operator.sigma0(*(np.array([value]) for value in (moisture, temperature, leaves, day)))[0])


def test_golden_number_of_the_water_cloud_model() -> None:
    assert one(plain(), 0.25, 288.15, 2.0) == pytest.approx(-8.05830837, abs=1e-7)
    assert one(plain(), 0.25, 288.15, 0.0) == pytest.approx(-6.0)


def test_soil_terms() -> None:
    assert one(plain(temperature_slope=0.02), 0.25, 298.15, 0.0) == pytest.approx(-5.8)
    assert one(plain(soil_curvature=12.0), 0.35, 288.15, 0.0) == pytest.approx(-2.0 - 0.12)
    assert one(plain(roughness_amplitude=0.1, roughness_day=100.0), 0.25, 288.15, 0.0) == pytest.approx(-5.9)


def test_leaves_are_seen_over_crops() -> None:
    cells = np.flatnonzero(SURFACE.cover("C3", "C4") >= 0.5)
    for moisture, usual in ((0.15, 1.2), (0.28, 1.7)):
        contrast = np.array(
            [
                DRAWN.sigma0(np.full(36, moisture), np.full(36, 293.0), np.full(36, leaves), np.full(36, 180.0))
                for leaves in (0.5, 4.0)
            ]
        )
        drop = (contrast[0] - contrast[1])[cells]
        assert drop.min() > 0.7
        assert drop.max() < 3.5
        assert np.median(drop) > usual


def test_wetter_soil_is_brighter_and_everything_is_in_the_range_of_the_radar() -> None:
    for leaves in (0.3, 2.0, 5.0):
        curve = np.stack(
            [
                DRAWN.sigma0(np.full(36, w), np.full(36, 288.0), np.full(36, leaves), np.full(36, 1.0))
                for w in np.linspace(0.03, 0.42, 20)
            ]
        )
        assert (np.diff(curve, axis=0) > 0.0).all()
        assert curve.min() > -20.0
        assert curve.max() < -3.0


def test_cells_can_be_chosen_sample_by_sample() -> None:
    cell = np.array([5, 5, 20])
    chosen = DRAWN.sigma0(np.full(3, 0.2), np.full(3, 290.0), np.full(3, 1.5), np.array([10.0, 200.0, 200.0]), cell)
    whole = DRAWN.sigma0(np.full(36, 0.2), np.full(36, 290.0), np.full(36, 1.5), np.full(36, 200.0))
    assert chosen[1:] == pytest.approx(whole[cell[1:]])
    assert chosen[0] != pytest.approx(chosen[1], abs=1e-4)
