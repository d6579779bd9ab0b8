"""Hourly synthetic weather in the SURFEX forcing convention, for all cells at once.

Seasons, the diurnal cycle and the Atlantic-to-Mediterranean gradient are prescribed with the magnitudes of
south-western France; the day-to-day weather is random, shared by the region, and consistent between variables:
it is cloudy where it rains, clouds dim the sun, warm the sky at night and narrow the diurnal range, and the dew
point follows the minimum temperature.  The same seed gives the same weather.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from dalearn.constants import GAS_CONSTANT_AIR, GRAVITY
from dalearn.forcing.air import air_density, co2_mixing_ratio
from dalearn.forcing.series import ForcingSeries
from dalearn.forcing.sky import (
    SOLAR_CONSTANT,
    clear_sky_shortwave,
    cloud_transmissivity,
    diffuse_fraction,
    longwave_down,
)
from dalearn.forcing.solar import cosine_zenith
from dalearn.land.saturation import saturation_specific_humidity, saturation_vapour_pressure
from dalearn.twin import rainfall
from dalearn.twin.rainfall import RainClimate, generate_rain
from dalearn.twin.random_fields import correlated_noise, daily_to_hourly, spatial_factor

CO2_PARTS_PER_MILLION = 400.0
TEMPERATURE_HEIGHT, WIND_HEIGHT = 2.0, 10.0  # m
LAPSE_RATE = 6.0e-3  # K m-1
ATLANTIC = 0.5  # added to the longitude: degrees from the Atlantic side
RECORDS = (
    "Tair",
    "Qair",
    "PSurf",
    "DIR_SWdown",
    "SCA_SWdown",
    "LWdown",
    "Rainf",
    "Snowf",
    "Wind",
    "Wind_DIR",
    "CO2air",
)
HOURS_PER_BLOCK = 24 * 90  # computed at once, to bound the memory
REGIONAL_LENGTH = 400.0  # km, of temperature, cloud, pressure and wind anomalies


@dataclass(frozen=True)
class Climate:
    """What differs between the climates of the twin: ``atlantic``, added to the longitude to give the degrees from the
    Atlantic side, and the ``rain``."""

    atlantic: float
    rain: RainClimate


SOUTHERN_FRANCE = Climate(ATLANTIC, rainfall.SOUTHERN_FRANCE)


def generate_weather(
    latitude: np.ndarray,
    longitude: np.ndarray,
    altitude: np.ndarray,
    start: np.datetime64,
    days: int,
    seed: int,
    rain_anomaly: tuple[float, ...] = (1.0,),
) -> ForcingSeries:
    """Forcing records of ``days`` days from 00 UTC of ``start``, hourly, the last record closing the last day.

    Rain of a record fell during the hour before it; everything else is instantaneous at the record.

    ``latitude``, ``longitude`` (degrees) and ``altitude`` (m) are (cell,).  ``rain_anomaly`` as in ``draw_weather``.
    """
    drawn = draw_weather(latitude, longitude, altitude, start, days, seed, rain_anomaly)
    records = {name: np.empty((drawn.hours, len(latitude)), np.float32) for name in RECORDS}
    for first in range(0, drawn.hours, HOURS_PER_BLOCK):
        block = slice(first, min(first + HOURS_PER_BLOCK, drawn.hours))
        for name, part in drawn.records(block).items():
            records[name][block] = part
    return ForcingSeries(
        source="weather of the twin",
        start=drawn.start.astype("datetime64[s]"),
        step=3600,
        latitude=latitude,
        longitude=longitude,
        altitude=altitude,
        temperature_height=np.full(len(latitude), TEMPERATURE_HEIGHT),
        wind_height=np.full(len(latitude), WIND_HEIGHT),
        records=records,
    )


def draw_weather(
    latitude: np.ndarray,
    longitude: np.ndarray,
    altitude: np.ndarray,
    start: np.datetime64,
    days: int,
    seed: int,
    rain_anomaly: tuple[float, ...] = (1.0,),
    climate: Climate = SOUTHERN_FRANCE,
) -> "DrawnWeather":
    """Everything random about the weather of ``days`` days from 00 UTC of ``start`` at the places (place,).

    ``rain_anomaly`` gives the rain of each calendar year relative to the average (0.7 a drought, 1.3 a wet year) and is
    repeated when shorter than the period; dry years have warmer summers and clearer skies.
    """
    generator = np.random.default_rng(seed)
    dates = start.astype("datetime64[D]") + np.arange(days + 1)
    years = dates.astype("datetime64[Y]")
    day_of_year = (dates - years.astype("datetime64[D]")).astype(float) + 1.0
    anomaly = np.array(rain_anomaly)[(years - years[0]).astype(int) % len(rain_anomaly)]
    # 1 at the end of July, -1 at the end of January
    season = np.cos(2.0 * math.pi * (day_of_year - 208.0) / 365.25)[:, None]
    summer = np.clip(season, 0.0, 1.0)
    east = (longitude + climate.atlantic)[None, :]
    regional = spatial_factor(latitude, longitude, REGIONAL_LENGTH)

    rain = generate_rain(latitude, longitude, altitude, day_of_year, anomaly, generator, climate.rain)

    # Cloud in normal scores, so that it can be interpolated in time and still fill [0, 1].
    cloud_score = (
        0.52
        - 0.25 * season
        - 0.12 * east
        - 0.6 * (1.0 - anomaly[:, None]) * summer
        + 0.75 * rain.latent
        + 0.5 * correlated_noise(generator, len(dates), regional, 0.4)
    )
    cloud_of_day = _normal_probability(cloud_score)
    mean_temperature = (
        287.0
        + 0.35 * east
        - 0.6 * (latitude - 44.0)
        - LAPSE_RATE * altitude
        + (7.4 + 0.3 * east) * season
        + (3.0 - 0.5 * summer) * correlated_noise(generator, len(dates), regional, 0.75)
        + (1.5 - 5.0 * summer) * (cloud_of_day - 0.6)
        + 3.0 * (1.0 - anomaly[:, None]) * summer
    )
    diurnal_range = (11.5 + 3.0 * season) * (1.3 - 0.75 * cloud_of_day)
    dew_point = mean_temperature - 0.5 * diurnal_range + 1.2 - 1.8 * summer - 0.3 * east - 2.0 * (0.6 - cloud_of_day)
    pressure_anomaly = 600.0 * correlated_noise(generator, len(dates), regional, 0.7) - 300.0 * rain.latent
    wind_score = 0.35 * correlated_noise(generator, len(dates), regional, 0.6)
    wind_from = 285.0 + 55.0 * correlated_noise(generator, len(dates), regional, 0.6)

    hours = 24 * days + 1
    return DrawnWeather(
        start=start.astype("datetime64[h]"),
        latitude=latitude,
        longitude=longitude,
        altitude=altitude,
        east=longitude + climate.atlantic,
        days=Days(cloud_score, mean_temperature, diurnal_range, dew_point, pressure_anomaly, wind_score, wind_from),
        rainfall=np.concatenate([np.zeros((1, len(latitude))), rain.hourly[: hours - 1]]),
        cloud_noise=correlated_noise(generator, hours, regional, 0.85),
        gust_noise=correlated_noise(generator, hours, regional, 0.8),
    )


@dataclass(frozen=True)
class Days:
    """The weather of every day, (day, place) or (day, 1): normal scores of cloud and wind, K, Pa, degrees."""

    cloud_score: np.ndarray
    mean_temperature: np.ndarray
    diurnal_range: np.ndarray
    dew_point: np.ndarray
    pressure_anomaly: np.ndarray
    wind_score: np.ndarray
    wind_from: np.ndarray


@dataclass(frozen=True)
class DrawnWeather:
    """The random part of a weather, from which its hourly records follow.

    ``start`` datetime64[h]; places (place,): degrees, m, and ``east``, degrees from the Atlantic side; ``days`` from
    the first day on, one more than whole days of records; ``rainfall`` (kg m-2 s-1 of the hour before) and the noises
    of cloud and gusts (hour, place).
    """

    start: np.datetime64
    latitude: np.ndarray
    longitude: np.ndarray
    altitude: np.ndarray
    east: np.ndarray
    days: Days
    rainfall: np.ndarray
    cloud_noise: np.ndarray
    gust_noise: np.ndarray

    @property
    def hours(self) -> int:
        return len(self.rainfall)

    def records(self, hours: slice) -> dict[str, np.ndarray]:
        """The records ``hours``, name -> (hour, place); instantaneous, but for the rain of the hour before."""
        days = self.days
        day_count = len(days.cloud_score)

        def hourly(daily: np.ndarray) -> np.ndarray:
            return daily_to_hourly(np.broadcast_to(daily, (day_count, len(self.latitude))), hours)

        rainfall = self.rainfall[hours]
        solar_hour = np.arange(hours.start, hours.stop, dtype=float)[:, None] + self.longitude[None, :] / 15.0
        temperature = hourly(days.mean_temperature) + 0.5 * hourly(days.diurnal_range) * _diurnal_shape(solar_hour)
        cloud = _normal_probability(hourly(days.cloud_score) + 0.5 * self.cloud_noise[hours])
        cloud = np.where(rainfall > 0.0, np.maximum(cloud, 0.9), cloud)

        temperature_tensor = torch.from_numpy(temperature)
        pressure_of_altitude = 101500.0 * np.exp(-GRAVITY * self.altitude / (GAS_CONSTANT_AIR * 285.0))
        pressure = pressure_of_altitude * (1.0 + hourly(days.pressure_anomaly) / 101500.0)
        pressure_tensor = torch.from_numpy(pressure)
        saturated = saturation_specific_humidity(temperature_tensor, pressure_tensor).numpy()
        humidity = saturation_specific_humidity(torch.from_numpy(hourly(days.dew_point)), pressure_tensor).numpy()
        humidity = np.minimum(humidity, 0.98 * saturated)
        saturated_pressure = saturation_vapour_pressure(temperature_tensor).numpy()

        time = self.start + np.arange(hours.start, hours.stop).astype("timedelta64[h]")
        cosine = cosine_zenith(time, self.latitude, self.longitude)
        transmissivity = cloud_transmissivity(cloud)
        shortwave = transmissivity * clear_sky_shortwave(cosine)
        clearness = shortwave / np.maximum(SOLAR_CONSTANT * cosine, 1.0)
        diffuse = shortwave * diffuse_fraction(clearness)

        east = self.east[None, :]
        speed_of_place = 2.7 + 0.55 * np.maximum(east - 2.5, 0.0) + 0.4 * np.maximum(-east, 0.0)
        day_cycle = 1.0 + 0.3 * _diurnal_shape(solar_hour)
        gusts = np.exp(hourly(days.wind_score) + 0.25 * self.gust_noise[hours])

        return {
            "Tair": temperature,
            "Qair": humidity,
            "PSurf": pressure,
            "DIR_SWdown": shortwave - diffuse,
            "SCA_SWdown": diffuse,
            "LWdown": longwave_down(temperature, saturated_pressure * humidity / saturated, transmissivity),
            "Rainf": rainfall,
            "Snowf": np.zeros_like(rainfall),
            "Wind": np.maximum(speed_of_place * day_cycle * gusts, 0.3),
            "Wind_DIR": hourly(days.wind_from) % 360.0,
            "CO2air": co2_mixing_ratio(CO2_PARTS_PER_MILLION)
            * air_density(temperature, humidity, pressure, np.array(TEMPERATURE_HEIGHT)),
        }


def _normal_probability(score: np.ndarray) -> np.ndarray:
    return torch.special.ndtr(torch.from_numpy(np.ascontiguousarray(score))).numpy()


def _diurnal_shape(solar_hour: np.ndarray) -> np.ndarray:
    """-1 at sunrise (5.5 h solar time), 1 at 15 h, half cosines between them."""
    since_minimum = (solar_hour - 5.5) % 24.0
    rising = -np.cos(math.pi * since_minimum / 9.5)
    falling = np.cos(math.pi * (since_minimum - 9.5) / 14.5)
    return np.where(since_minimum < 9.5, rising, falling)
