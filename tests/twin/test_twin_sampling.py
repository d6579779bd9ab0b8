"""Overpasses and regular sampling."""

import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.twin.sampling import at, overpasses, regular
from dalearn.twin.settings import TwinSettings

LONGITUDE = np.linspace(-1.0, 4.0, 11)


def test_the_radar_comes_every_day_or_two() -> None:
    settings = TwinSettings(years=2)
    samples = overpasses(settings, LONGITUDE)
    assert (np.diff(samples.time) >= np.timedelta64(0, "s")).all()
    per_cell = np.bincount(samples.cell, minlength=len(LONGITUDE))
    revisit = settings.days / per_cell
    assert revisit.min() > 0.95
    assert revisit.max() < 1.5
    of_first = samples.time[samples.cell == 0]
    assert np.diff(of_first).max() <= np.timedelta64(3, "D")


def test_overpasses_are_at_half_past_nine_solar_time() -> None:
    samples = overpasses(TwinSettings(years=1), LONGITUDE)
    seconds = (samples.time - samples.time.astype("datetime64[D]")).astype(float)
    solar = (seconds / 3600.0 + LONGITUDE[samples.cell] / 15.0) % 24.0
    morning = solar < 15.0
    assert np.abs(solar[morning] - 9.5).max() < 0.6
    assert np.abs(solar[~morning] - 21.5).max() < 0.6
    assert morning.mean() == pytest.approx(0.68 / 0.98, abs=0.03)


def test_sampling_takes_the_nearest_hour() -> None:
    settings = TwinSettings(years=1)
    time = np.datetime64("2015-01-01T01:00", "s") + np.arange(48) * np.timedelta64(3600, "s")
    series = np.arange(48.0)[:, None] * np.ones(3)
    samples = regular(settings, 6.0, 0.0, np.array([0, 2]))
    values = at(series, time, samples)
    assert len(samples) == 4 * 365 * 2
    assert values[:8].tolist() == [0.0, 0.0, 5.0, 5.0, 11.0, 11.0, 17.0, 17.0]
    assert values[-1] == 47.0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"years": 0}, "twin.years"),
        ({"length_days": 0}, "twin.length_days"),
        ({"start": "spring"}, "twin.start: 'spring'"),
        ({"cells": (1, 36)}, "twin.cells: 36"),
        ({"spin_up": -1}, "twin.spin_up"),
        ({"morning_share": 1.2}, "twin.morning_share"),
        ({"rain_anomaly": ()}, "twin.rain_anomaly"),
        ({"region": "southwest", "cells": (247,)}, "twin.cells: 247 is not a cell of southwest"),
        ({"rain_variability": 0.6}, "twin.rain_variability"),
        ({"truth_hours": 5}, "twin.truth_hours"),
        ({"lai_share": -0.1}, "twin.lai_share"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TwinSettings(**wrong)


def test_the_period_ends_on_the_same_day_of_a_later_year() -> None:
    assert TwinSettings(start="2015-01-01", years=2).days == 731
    assert TwinSettings(start="2015-01-01", years=2).end == np.datetime64("2017-01-01")
    assert TwinSettings(start="2015-07-01", years=1).end == np.datetime64("2016-07-01")
    assert TwinSettings(start="2015-07-01").first_year == 2015
    assert TwinSettings(start="2015-07-01", years=2, length_days=10).end == np.datetime64("2015-07-11")
