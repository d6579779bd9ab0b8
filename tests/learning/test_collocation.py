"""Pairing observations with model output."""

import numpy as np

from dalearn.learning.collocation import collocate

HOURS = np.datetime64("2010-06-01T00:00", "s") + np.arange(24).astype("timedelta64[h]")
PREDICTORS = np.arange(24 * 3 * 2, dtype=float).reshape(24, 3, 2)


def at(*clock):
    return np.array([f"2010-06-01T{one}" for one in clock], dtype="datetime64[s]")


def test_nearest_output_within_the_tolerance():
    pairs = collocate(
        HOURS, PREDICTORS, at("09:20", "09:40", "10:30"), np.array([0, 1, 2]), np.array([-9.0, -8.0, -7.0])
    )
    assert pairs.time.tolist() == at("09:00", "10:00").tolist()
    np.testing.assert_array_equal(pairs.predictors, PREDICTORS[[9, 10]])
    np.testing.assert_array_equal(pairs.target, [[-9.0, np.nan, np.nan], [np.nan, -8.0, -7.0]])
    assert pairs.unmatched == 0


def test_two_observations_of_a_cell_in_one_hour_are_both_kept():
    cells, values = np.array([1, 1, 0, 1]), np.array([-9.0, -8.0, -7.0, -6.0])
    pairs = collocate(HOURS, PREDICTORS, at("09:10", "08:50", "09:00", "09:05"), cells, values)
    assert pairs.target.shape == (3, 3)
    assert pairs.time.tolist() == at("09:00").tolist() * 3
    assert sorted(pairs.target[:, 1]) == [-9.0, -8.0, -6.0]
    assert np.isfinite(pairs.target[:, 0]).sum() == 1


def test_missing_and_distant_observations_are_left_out_and_the_distant_counted():
    times = np.concatenate([at("09:00", "10:00"), np.array(["2010-06-02T00:30"], dtype="datetime64[s]")])
    pairs = collocate(
        HOURS, PREDICTORS, times, np.array([0, 0, 0]), np.array([np.nan, -8.0, -7.0]), np.timedelta64(30, "m")
    )
    assert pairs.target[:, 0].tolist() == [-8.0]
    assert pairs.unmatched == 1


def test_no_observation_at_all():
    pairs = collocate(HOURS, PREDICTORS, at(), np.array([], dtype=int), np.array([]))
    assert (pairs.target.shape, pairs.predictors.shape) == ((0, 3), (0, 3, 2))
