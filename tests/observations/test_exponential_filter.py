"""Soil water index: golden values of ldas_sekf.md 10.6, equality with the direct sum."""

import numpy as np
import pytest

from dalearn.observations.exponential_filter import exponential_filter, soil_water_index
from dalearn.observations.observations import Observations

DAYS, VALUES = np.array([0.0, 1.0, 3.0, 4.0]), np.array([50.0, 80.0, 20.0, 60.0])
GOLDEN = {
    1.0: [50.0, 71.93175736, 28.11201395, 50.31840843],
    10.0: [50.0, 65.74937562, 47.87537669, 51.53180378],
}


@pytest.mark.parametrize("timescale", GOLDEN)
def test_golden(timescale: float) -> None:
    np.testing.assert_allclose(exponential_filter(DAYS, VALUES, timescale), GOLDEN[timescale], atol=5e-9)


def direct_sum(days: np.ndarray, values: np.ndarray, timescale: float) -> np.ndarray:
    """Equation 12."""
    result = []
    for row in range(len(days)):
        weight = np.exp(-(days[row] - days[: row + 1]) / timescale)
        result.append((weight * values[: row + 1]).sum() / weight.sum())
    return np.array(result)


@pytest.mark.parametrize("timescale", [0.5, 5.0, 100.0])
def test_equals_the_direct_sum(rng: np.random.Generator, timescale: float) -> None:
    days = np.sort(rng.uniform(0.0, 400.0, 200))
    days[50] = days[49]
    values = rng.uniform(0.0, 100.0, 200)
    np.testing.assert_allclose(
        exponential_filter(days, values, timescale), direct_sum(days, values, timescale), rtol=1e-10
    )


def test_missing_values_are_skipped(rng: np.random.Generator) -> None:
    days, values = np.arange(30.0), rng.uniform(0.0, 100.0, (30, 3))
    values[rng.random((30, 3)) < 0.4] = np.nan
    values[:, 2] = np.nan
    filtered = exponential_filter(days, values, 5.0)
    np.testing.assert_array_equal(np.isnan(filtered), np.isnan(values))
    for cell in range(2):
        seen = np.isfinite(values[:, cell])
        expected = direct_sum(days[seen], values[seen, cell], 5.0)
        np.testing.assert_allclose(filtered[seen, cell], expected, rtol=1e-12)


def test_cells_of_ragged_observations_do_not_mix(rng: np.random.Generator) -> None:
    count = 100
    seconds = np.sort(rng.integers(0, 90 * 86400, count)).astype("timedelta64[s]")
    observations = Observations(
        quantity="SSM", units="%", time=np.datetime64("2007-01-01T00:00:00") + seconds,
        cell=rng.choice([0, 2, 3], count), value=rng.uniform(0.0, 100.0, count), error=np.full(count, 5.0),
        latitude=np.zeros(4), longitude=np.zeros(4),
    )  # fmt: skip
    index = soil_water_index(observations, 5.0)
    for cell in (0, 2, 3):
        mine = observations.cell == cell
        days = seconds[mine].astype(float) / 86400.0
        np.testing.assert_allclose(index.value[mine], direct_sum(days, observations.value[mine], 5.0), rtol=1e-10)
    np.testing.assert_array_equal(index.error, observations.error)
    nothing = observations.select(np.zeros(count, bool), "none")
    assert len(soil_water_index(nothing, 5.0)) == 0
