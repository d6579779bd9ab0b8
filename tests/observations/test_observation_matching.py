"""Observations on the cells and times of a run."""

from dataclasses import replace

import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.observations.matching import match_observations, nearest_time, on_cells, values_at
from dalearn.observations.observations import Observations

HOUR = np.timedelta64(1, "h")
ENDS = np.datetime64("2007-01-02T09:00:00") + np.arange(4) * np.timedelta64(1, "D")


def observations(*samples: tuple[str, int, float], cells: int = 2) -> Observations:
    return Observations(
        quantity="sigma0",
        units="dB",
        time=np.array([time for time, _, _ in samples], "datetime64[s]"),
        cell=np.array([cell for _, cell, _ in samples], int),
        value=np.array([value for _, _, value in samples]),
        error=np.full(len(samples), 0.3),
        latitude=43.0 + np.arange(cells),
        longitude=np.zeros(cells),
        source="sigma0.nc",
    )


def total(counts: dict[str, int]) -> int:
    return sum(number for reason, number in counts.items() if reason != "read")


SAMPLES = (
    ("2006-12-25T09:00", 0, -1.0),  # before the period
    ("2007-01-02T08:30", 0, -10.0),
    ("2007-01-02T09:20", 0, -11.0),  # nearer to the first window end
    ("2007-01-02T09:40", 1, -12.0),
    ("2007-01-03T03:00", 0, -13.0),  # far from any window end
    ("2007-01-04T08:30", 1, -14.0),
    ("2007-01-04T09:30", 1, -15.0),  # as far as the one before
    ("2007-02-01T09:00", 1, -1.0),  # after the period
)


def test_nearest_in_time_wins() -> None:
    matched = match_observations(observations(*SAMPLES), ENDS, HOUR)
    nan = np.nan
    np.testing.assert_array_equal(matched.value, [[-11.0, -12.0], [nan, nan], [nan, -14.0], [nan, nan]])
    np.testing.assert_array_equal(matched.error, np.where(np.isnan(matched.value), nan, 0.3))
    assert matched.counts == {"read": 8, "matched": 3, "outside_period": 2, "outside_tolerance": 1, "superseded": 2}
    assert total(matched.counts) == 8
    np.testing.assert_array_equal(matched.times, ENDS)


def test_mean_within_the_tolerance() -> None:
    matched = match_observations(observations(*SAMPLES), ENDS, HOUR, "mean")
    nan = np.nan
    np.testing.assert_allclose(matched.value, [[-10.5, -12.0], [nan, nan], [nan, -14.5], [nan, nan]])
    np.testing.assert_allclose(matched.error[0], [0.3, 0.3])
    assert matched.counts["averaged"] == 2
    assert total(matched.counts) == 8


def test_account_continues_that_of_the_observations() -> None:
    """Samples left out before count too, once."""
    early = observations(*SAMPLES).between(ENDS[0] - HOUR, ENDS[3] + HOUR)
    matched = match_observations(early, ENDS, HOUR)
    assert matched.counts["outside_period"] == 2
    assert total(matched.counts) == 8


@pytest.mark.parametrize("how", ["nearest", "mean"])
def test_order_of_the_samples_is_irrelevant(rng: np.random.Generator, how: str) -> None:
    sorted_ones = observations(*SAMPLES)
    order = rng.permutation(len(SAMPLES))
    shuffled = replace(
        sorted_ones, time=sorted_ones.time[order], cell=sorted_ones.cell[order], value=sorted_ones.value[order]
    )
    one, other = (match_observations(these, ENDS, HOUR, how) for these in (sorted_ones, shuffled))
    np.testing.assert_array_equal(one.value, other.value)
    assert one.counts == other.counts


def test_against_a_loop_over_all_samples(rng: np.random.Generator) -> None:
    start = np.datetime64("2007-01-01T00:00:00")
    times = start + np.arange(60) * np.timedelta64(6, "h")
    count, cells = 400, 5
    seconds = rng.integers(-86400, 16 * 86400, count).astype("timedelta64[s]")
    samples = Observations(
        quantity="sigma0", units="dB", time=start + seconds, cell=rng.integers(0, cells, count),
        value=rng.normal(-10.0, 1.0, count), error=np.ones(count), latitude=np.zeros(cells), longitude=np.zeros(cells),
    )  # fmt: skip
    tolerance = np.timedelta64(5000, "s")
    expected = np.full((60, cells), np.nan)
    nearest = np.full((60, cells), np.inf)
    for time, cell, value in zip(samples.time, samples.cell, samples.value, strict=True):
        distance = np.abs(times - time).astype(float)
        row = int(np.argmin(distance))
        if distance[row] <= 5000 and distance[row] < nearest[row, cell]:
            nearest[row, cell], expected[row, cell] = distance[row], value
    matched = match_observations(samples, times, tolerance)
    np.testing.assert_array_equal(matched.value, expected)
    assert total(matched.counts) == count


def test_nearest_time() -> None:
    times = np.array(["2007-01-01T00", "2007-01-01T06", "2007-01-01T12"], "datetime64[s]")
    wanted = np.array(["2006-12-31T23", "2007-01-01T03", "2007-01-01T04", "2007-01-02T00"], "datetime64[s]")
    np.testing.assert_array_equal(nearest_time(wanted, times, np.timedelta64(3, "h")), [0, 0, 1, -1])
    np.testing.assert_array_equal(nearest_time(wanted, times[:1], np.timedelta64(3, "h")), [0, 0, -1, -1])


def test_model_values_at_the_samples() -> None:
    values = np.arange(8.0).reshape(4, 2)
    np.testing.assert_array_equal(
        values_at(observations(*SAMPLES), ENDS, values, HOUR), [np.nan, 0.0, 0.0, 1.0, np.nan, 5.0, 5.0, np.nan]
    )


def test_cells_of_the_run() -> None:
    samples = observations(("2007-01-02T09:00", 0, -1.0), ("2007-01-03T09:00", 1, -2.0), cells=2)
    moved = on_cells(samples, np.array([50.0, 44.001, 43.5]), np.array([0.0, 0.0, 0.0]), tolerance_km=1.0)
    np.testing.assert_array_equal(moved.cell, [1])
    np.testing.assert_array_equal(moved.value, [-2.0])
    assert moved.counts == {"read": 2, "kept": 1, "outside_domain": 1}
    assert moved.cell_count == 3
    with pytest.raises(InputError, match=r"sigma0\.nc: sigma0: no observation within 1 km .* nearest is 55\.6 km away"):
        on_cells(samples, np.array([43.5]), np.array([0.0]), tolerance_km=1.0)


def test_longitudes_count_either_way() -> None:
    samples = replace(observations(("2007-01-02T09:00", 0, -1.0), cells=1), longitude=np.array([-155.0]))
    assert len(on_cells(samples, np.array([43.0]), np.array([205.0]), tolerance_km=0.1)) == 1
    date_line = replace(samples, longitude=np.array([179.999]))
    assert len(on_cells(date_line, np.array([43.0]), np.array([-179.999]), tolerance_km=0.2)) == 1


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (SAMPLES[:1], "the file covers 2006-12-25T09:00:00 to 2006-12-25T09:00:00, the run 2007-01-02T09:00:00 to"),
        (SAMPLES[4:5], "no observation within 1 h of the times of the run; widen the tolerance"),
        ((), r"no usable observation \(0 read, 0 kept\); check the file and the period"),
    ],
)
def test_nothing_matches(samples: tuple[tuple[str, int, float], ...], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        match_observations(observations(*samples), ENDS, HOUR)
    assert str(caught.value).startswith("sigma0.nc: sigma0: ")
    assert "\n" not in str(caught.value)
