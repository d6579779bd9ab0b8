"""Observed LAI as a predictor: smoothed without moving what is straight or smearing a harvest."""

from pathlib import Path

import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.experiments.config import load_config, settings_of
from dalearn.experiments.pipeline import fingerprints
from dalearn.experiments.samples import interpolate, smooth
from dalearn.experiments.setup import Setup
from dalearn.experiments.stage_sections import TrainingConfig
from dalearn.observations.observations import Observations

DAY = np.timedelta64(86400, "s")
START = np.datetime64("2015-01-01T10:00", "s")


def observations(value, every=10):
    value = np.atleast_2d(value)
    cells, count = value.shape
    return Observations(
        quantity="LAI",
        units="m2 m-2",
        time=np.tile(START + np.arange(count) * every * DAY, cells),
        cell=np.repeat(np.arange(cells), count),
        value=value.ravel(),
        error=np.full(value.size, np.nan),
        latitude=np.linspace(43.0, 44.0, cells),
        longitude=np.zeros(cells),
    )


@pytest.fixture
def time():
    return START + np.arange(-5 * 24, 375 * 24, 6) * np.timedelta64(3600, "s")


def test_a_straight_line_stays_a_straight_line(time):
    line = 1.0 + 0.1 * np.arange(37)
    result = smooth(observations(line), time, 10.0)
    expected = interpolate(observations(line), time)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(expected))
    assert np.isnan(result).any()
    np.testing.assert_allclose(result, expected, atol=1e-9)


def test_noise_is_damped(time, rng):
    season = 2.0 + np.sin(2 * np.pi * np.arange(37) / 36.5)
    noisy = season * (1.0 + 0.2 * rng.standard_normal((40, 37)))
    exact = interpolate(observations(season), time)
    errors = {
        "line": interpolate(observations(noisy), time) - exact,
        "smooth": smooth(observations(noisy), time, 14.0) - exact,
    }
    rms = {name: np.sqrt(np.nanmean(error**2)) for name, error in errors.items()}
    assert rms["smooth"] < 0.7 * rms["line"]


def test_a_harvest_is_not_smeared_over_the_bare_field(time):
    value = np.where(np.arange(37) < 19, 4.0, 0.3)
    result = smooth(observations(value), time, 10.0)[:, 0]
    bare = (time >= START + 195 * DAY) & (time < START + 240 * DAY)
    assert np.nanmax(result[bare]) < 0.6
    assert np.nanmin(result[np.isfinite(result)]) >= 0.3


def test_gaps_stay_gaps_and_one_observation_is_no_line(time):
    value = np.full(37, 2.0)
    made = observations(value)
    kept = ~((made.time > START + 100 * DAY) & (made.time < START + 180 * DAY))
    gappy = made.select(kept, "gap")
    result = smooth(gappy, time, 3.0)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(interpolate(gappy, time)))
    np.testing.assert_allclose(result[np.isfinite(result)], 2.0)


def test_smoothing_makes_another_training_and_none_the_same_as_ever(configure):
    def mark(**changes):
        config = load_config(configure(training__leaf_area_index="LAI", **changes), run_directory="run")
        return fingerprints(Setup(config, Path("inputs")), {})["train"], settings_of(config, "training")["training"]

    (plain, settings), (smoothed, _) = mark(), mark(training__leaf_area_index_smoothing=10.0)
    assert smoothed != plain
    assert settings["leaf_area_index_smoothing"] is None
    assert mark(training__leaf_area_index_smoothing=None)[0] == plain


def test_days_must_be_positive():
    with pytest.raises(InputError, match=r"training\.leaf_area_index_smoothing"):
        TrainingConfig(
            observations="sigma0", start="2015-01-01", end="2016-01-01", test_start="2016-01-01",
            test_end="2017-01-01", leaf_area_index_smoothing=0.0,
        )  # fmt: skip
