"""Synthetic rain: which days are wet, how much falls, and at which hours.

A latent normal field drives everything.  Its synoptic part is correlated over 250 km and from day to day, so
dry and wet spells are shared by the region; its convective part, strong in summer only, is correlated over
40 km and forgets the day before.  A day is wet where the field exceeds the quantile that gives the cell its
monthly number of wet days; the amount follows from the same field through a stretched-exponential (Weibull)
distribution (Wilson and Toumi 2005, doi:10.1029/2005GL022465), so that heavy rain falls in the core of a system.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from dalearn.twin.random_fields import correlated_noise, spatial_factor

# Round numbers in the manner of the climatological normals of Mont-de-Marsan, Toulouse and Narbonne.
LONGITUDES = np.array([-0.5, 1.4, 3.0])  # degrees east
MONTHLY_RAIN = np.array(
    [
        [88, 76, 70, 88, 84, 68, 54, 62, 78, 92, 106, 96],
        [52, 42, 49, 70, 74, 60, 38, 46, 48, 57, 51, 53],
        [58, 48, 44, 56, 44, 28, 16, 32, 56, 88, 66, 58],
    ],
    dtype=float,
)  # mm
DAYS_ABOVE_1_MM = np.array(
    [
        [12.0, 10.5, 10.5, 12.0, 11.5, 9.0, 7.5, 8.5, 9.0, 11.0, 13.0, 12.0],
        [9.3, 8.2, 8.5, 9.4, 10.0, 7.3, 5.3, 6.3, 6.8, 8.6, 9.2, 9.0],
        [5.6, 5.0, 4.8, 6.0, 5.3, 3.8, 2.2, 3.6, 4.4, 6.3, 6.0, 5.6],
    ]
)  # days per month
RAIN_DAYS = 1.25  # days with any rain per day with more than 1 mm
AMOUNT_SHAPE = 0.85  # exponent of the Weibull distribution of wet-day amounts
SYNOPTIC_LENGTH, SYNOPTIC_MEMORY = 250.0, 0.45  # km, day-to-day correlation
CONVECTIVE_LENGTH = 40.0  # km
CONVECTIVE_SHARE = 0.5  # of the variance of the latent field in mid-summer
OROGRAPHIC_INCREASE = 0.35  # relative increase of rain per km of altitude
# South of the Pyrenees the rain falls to this share of what falls north of them at the same longitude.
SHADOW_SHARE, SHADOW_LATITUDE, SHADOW_LONGITUDE = 0.5, (42.8, 42.4), (2.3, 1.8)
LARGEST_HOURLY_RATE = 0.0125  # kg m-2 s-1 (45 mm in one hour)


@dataclass(frozen=True)
class RainClimate:
    """Average rain along the longitude: ``longitudes`` (place,), ascending degrees east; ``rain`` (place, 12) mm a
    month; ``days`` (place, 12) with more than 1 mm; ``shadow``: whether that of the Pyrenees applies."""

    longitudes: np.ndarray
    rain: np.ndarray
    days: np.ndarray
    shadow: bool = False


SOUTHERN_FRANCE = RainClimate(LONGITUDES, MONTHLY_RAIN, DAYS_ABOVE_1_MM, shadow=True)


@dataclass(frozen=True)
class Rain:
    """``latent`` (day, cell) standard normal, high when it rains; ``daily`` (day, cell) kg m-2 a day;
    ``hourly`` (24 * day, cell) kg m-2 s-1, hour ``h`` of the axis being the rain from ``h`` to ``h + 1`` UTC."""

    latent: np.ndarray
    daily: np.ndarray
    hourly: np.ndarray


def seasonal(monthly: np.ndarray, day_of_year: np.ndarray) -> np.ndarray:
    """Monthly values (12, cell) interpolated between mid-months to ``day_of_year`` (day,), (day, cell)."""
    position = (day_of_year - 1.0) / 365.25 * 12.0 - 0.5
    before = np.floor(position).astype(int)
    weight = (position - before)[:, None]
    return monthly[before % 12] * (1.0 - weight) + monthly[(before + 1) % 12] * weight


def _of_cells(table: np.ndarray, longitudes: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(longitude, longitudes, month) for month in table.T])


def rain_shadow(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Rain of a cell over that of its longitude north of the Pyrenees, (cell,); 1 there and by the Mediterranean."""
    southern = np.interp(-latitude, np.negative(SHADOW_LATITUDE), (0.0, 1.0))
    inland = np.interp(-longitude, np.negative(SHADOW_LONGITUDE), (0.0, 1.0))
    return 1.0 - (1.0 - SHADOW_SHARE) * southern * inland


def generate_rain(
    latitude: np.ndarray,
    longitude: np.ndarray,
    altitude: np.ndarray,
    day_of_year: np.ndarray,
    anomaly: np.ndarray,
    generator: np.random.Generator,
    climate: RainClimate = SOUTHERN_FRANCE,
) -> Rain:
    """Rain of consecutive days at all cells.

    ``latitude``, ``longitude`` (degrees) and ``altitude`` (m) are (cell,); ``day_of_year`` (day,) starts at 1;
    ``anomaly`` (day,) multiplies the expected rain (1 in an average year), half of it through the number of
    wet days and half through the amounts.
    """
    days, cells = len(day_of_year), len(latitude)
    summer = np.clip(np.cos(2.0 * math.pi * (day_of_year - 200.0) / 365.25), 0.0, 1.0)[:, None]
    share = CONVECTIVE_SHARE * summer
    synoptic = np.sqrt(1.0 - share) * correlated_noise(
        generator, days, spatial_factor(latitude, longitude, SYNOPTIC_LENGTH), SYNOPTIC_MEMORY
    )
    convective = np.sqrt(share) * correlated_noise(
        generator, days, spatial_factor(latitude, longitude, CONVECTIVE_LENGTH), 0.0
    )
    latent = synoptic + convective

    shadow = rain_shadow(latitude, longitude) if climate.shadow else 1.0
    wetter = np.sqrt(anomaly[:, None] * shadow)
    per_month = RAIN_DAYS * seasonal(_of_cells(climate.days, climate.longitudes, longitude), day_of_year)
    probability = np.clip(wetter * per_month / 30.4, 0.01, 0.9)
    wet_day_mean = seasonal(_of_cells(climate.rain, climate.longitudes, longitude), day_of_year) / per_month
    wet_day_mean = wet_day_mean * wetter * (1.0 + OROGRAPHIC_INCREASE * altitude / 1000.0)

    exceedance = 1.0 - torch.special.ndtr(torch.from_numpy(latent)).numpy()
    wet = exceedance < probability
    rank = np.where(wet, exceedance / probability, 1.0)
    scale = wet_day_mean / math.gamma(1.0 + 1.0 / AMOUNT_SHAPE)
    daily = scale * (-np.log(np.maximum(rank, 1e-6))) ** (1.0 / AMOUNT_SHAPE)

    hours = _hourly_shape(longitude, convective > synoptic, days, cells, generator)
    hourly = np.minimum(daily[:, None, :] * hours / 3600.0, LARGEST_HOURLY_RATE)
    return Rain(latent=latent, daily=hourly.sum(axis=1) * 3600.0, hourly=hourly.reshape(24 * days, cells))


def _hourly_shape(
    longitude: np.ndarray, convective: np.ndarray, days: int, cells: int, generator: np.random.Generator
) -> np.ndarray:
    """Share of the rain of the day that falls in each hour, (day, 24, cell), summing to 1.

    Fronts pass from west to east (one hour per degree) at any hour of the day and last up to 14 hours;
    thunderstorms last one to three hours around 17 UTC.
    """
    passage = generator.uniform(0.0, 24.0, (days, 1)) + longitude[None, :] + generator.normal(0.0, 1.0, (days, cells))
    storm = 17.0 + generator.normal(0.0, 1.5, (days, cells))
    half_width = np.where(
        convective, generator.uniform(1.0, 2.0, (days, cells)), generator.uniform(2.0, 7.0, (days, 1))
    )
    centre = np.where(convective, storm, np.clip(passage, half_width, 24.0 - half_width))
    middle_of_hour = np.arange(24)[None, :, None] + 0.5
    pulse = np.maximum(1.0 - np.abs(middle_of_hour - centre[:, None, :]) / half_width[:, None, :], 0.0)
    pulse = pulse * np.exp(generator.normal(0.0, 0.5, pulse.shape))
    return pulse / pulse.sum(axis=1, keepdims=True)
