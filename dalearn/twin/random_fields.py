"""Correlated random numbers for the synthetic weather: in space by distance, in time by a first-order memory."""

import math

import numpy as np

EARTH_RADIUS = 6371.0  # km


def spatial_factor(latitude: np.ndarray, longitude: np.ndarray, length: float) -> np.ndarray:
    """Lower Cholesky factor (cell, cell) of the correlation exp(-distance / ``length``), ``length`` in km.

    ``latitude`` and ``longitude`` (cell,) in degrees; distances on the plane tangent at the mean latitude.
    """
    north = np.radians(latitude) * EARTH_RADIUS
    east = np.radians(longitude) * EARTH_RADIUS * math.cos(math.radians(float(np.mean(latitude))))
    distance = np.hypot(north[:, None] - north[None, :], east[:, None] - east[None, :])
    # cells may share a place (two land covers of one pixel): the small diagonal keeps the factor defined
    return np.linalg.cholesky(np.exp(-distance / length) + 1e-9 * np.eye(len(latitude)))


def correlated_noise(generator: np.random.Generator, count: int, factor: np.ndarray, memory: float) -> np.ndarray:
    """Standard normal numbers (count, cell), correlated in space by ``factor`` and in time by ``memory``.

    ``memory`` is the correlation between successive times, in [0, 1).
    """
    shocks = generator.standard_normal((count, len(factor))) @ factor.T
    if memory == 0.0:
        return shocks
    innovation = math.sqrt(1.0 - memory**2)
    noise = np.empty_like(shocks)
    noise[0] = shocks[0]
    for index in range(1, count):
        noise[index] = memory * noise[index - 1] + innovation * shocks[index]
    return noise


def daily_to_hourly(daily: np.ndarray, hours: slice = slice(None)) -> np.ndarray:
    """Daily values (day, ...) placed at 12 UTC and interpolated linearly to hours, (24 * day, ...), or some ``hours``.

    Before the first and after the last noon the end value is repeated.
    """
    position = np.clip((np.arange(24 * len(daily))[hours] - 12.0) / 24.0, 0.0, len(daily) - 1.0)
    before = np.minimum(position.astype(int), max(len(daily) - 2, 0))
    after = np.minimum(before + 1, len(daily) - 1)
    weight = (position - before).reshape(-1, *([1] * (daily.ndim - 1)))
    return daily[before] * (1.0 - weight) + daily[after] * weight
