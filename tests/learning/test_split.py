"""Setting blocks of time aside."""

import numpy as np
import pytest

from dalearn.learning.split import validation_blocks

DAYS = np.datetime64("2007-01-01T09:00", "s") + np.arange(8 * 365).astype("timedelta64[D]")


@pytest.mark.parametrize("share", [0.1, 0.2, 0.25, 0.5])
def test_whole_months_in_the_wanted_share(share):
    chosen = validation_blocks(len(DAYS), share, seed=0, time=DAYS)
    month = DAYS.astype("datetime64[M]")
    for one in np.unique(month):
        assert len(set(chosen[month == one])) == 1
    assert chosen.mean() == pytest.approx(share, abs=0.02)


def test_every_season_is_represented():
    chosen = validation_blocks(len(DAYS), 0.2, seed=0, time=DAYS)
    season = DAYS.astype("datetime64[M]").astype(int) % 12 // 3
    assert set(season[chosen]) == {0, 1, 2, 3}


def test_no_long_stretch_is_left_without_validation():
    for seed in range(5):
        chosen = validation_blocks(len(DAYS), 0.2, seed=seed, time=DAYS)
        gaps = np.diff(np.unique(DAYS.astype("datetime64[M]")[chosen]).astype(int))
        assert gaps.max() <= 9


def test_seed_decides():
    first = validation_blocks(len(DAYS), 0.2, seed=1, time=DAYS)
    assert (first == validation_blocks(len(DAYS), 0.2, seed=1, time=DAYS)).all()
    assert (first != validation_blocks(len(DAYS), 0.2, seed=2, time=DAYS)).any()


def test_without_time_the_axis_is_cut_into_stretches():
    chosen = validation_blocks(400, 0.2, seed=0)
    assert chosen.sum() == 80
    assert np.abs(np.diff(chosen.astype(int))).sum() <= 16


def test_a_few_months_are_cut_into_stretches():
    chosen = validation_blocks(60, 0.2, seed=0, time=DAYS[:60])
    assert 8 <= chosen.sum() <= 16


@pytest.mark.parametrize("count", [0, 1, 7])
def test_short_series_and_no_share(count):
    assert validation_blocks(count, 0.2, seed=0).shape == (count,)
    assert count < 2 or not validation_blocks(count, 0.2, seed=0).all()
    assert not validation_blocks(count, 0.0, seed=0).any()
