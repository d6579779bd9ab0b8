"""The synthetic weather is physical, seeded and resembles south-western France."""

import numpy as np
import pytest
import torch

from dalearn.forcing.series import ForcingSeries
from dalearn.forcing.solar import cosine_zenith
from dalearn.land.saturation import saturation_specific_humidity
from dalearn.twin.rainfall import generate_rain, rain_shadow
from dalearn.twin.surface import surface_map
from dalearn.twin.weather import generate_weather
from dalearn.variables import VARIABLES

DAYS = 4 * 365 + 1
SURFACE = surface_map()


def weather(seed: int = 3, days: int = DAYS, anomaly: tuple[float, ...] = (1.0,)) -> ForcingSeries:
    start = np.datetime64("2015-01-01")
    return generate_weather(SURFACE.latitude, SURFACE.longitude, SURFACE.altitude, start, days, seed, anomaly)


@pytest.fixture(scope="module")
def four_years() -> ForcingSeries:
    return weather(anomaly=(1.0, 0.8, 1.2, 0.95))


def of_station(name: str) -> int:
    return SURFACE.name.tolist().index(name)


def test_values_are_defined_and_inside_the_alma_ranges(four_years: ForcingSeries) -> None:
    assert len(four_years.times) == 24 * DAYS + 1
    for name, values in four_years.records.items():
        assert values.shape == (24 * DAYS + 1, SURFACE.cell_count)
        assert np.isfinite(values).all(), name
        if name in VARIABLES:
            lower, upper = VARIABLES[name].valid_range
            assert values.min() >= lower, name
            assert values.max() <= upper, name
    assert (four_years.records["Snowf"] == 0.0).all()


def test_means_at_savenes_are_those_of_toulouse(four_years: ForcingSeries) -> None:
    cell = of_station("SVN")
    mean = {name: float(values[:, cell].mean()) for name, values in four_years.records.items()}
    assert mean["Tair"] - 273.15 == pytest.approx(13.3, abs=1.0)
    assert mean["DIR_SWdown"] + mean["SCA_SWdown"] == pytest.approx(168.0, abs=10.0)
    assert mean["LWdown"] == pytest.approx(322.0, abs=8.0)
    assert mean["Wind"] == pytest.approx(3.0, abs=0.4)
    assert mean["Rainf"] * 365.25 * 86400.0 == pytest.approx(650.0, abs=110.0)
    assert mean["CO2air"] == pytest.approx(7.3e-4, rel=0.03)


def test_rain_decreases_from_the_atlantic_to_the_mediterranean(four_years: ForcingSeries) -> None:
    yearly = four_years.records["Rainf"].mean(axis=0) * 365.25 * 86400.0
    low = SURFACE.altitude < 350.0
    west, east = low & (SURFACE.longitude < -0.3), low & (SURFACE.longitude > 1.5)
    assert 800.0 < yearly[west].mean() < 1150.0
    assert 480.0 < yearly[east].mean() < 750.0
    month = four_years.times.astype("datetime64[M]").astype(int) % 12
    rain = four_years.records["Rainf"]
    summer = rain[np.isin(month, (5, 6, 7))].mean(axis=0) / rain.mean(axis=0)
    coast = low & (SURFACE.longitude > 2.5)
    assert summer[coast].mean() < 0.75 < summer[west].mean()  # drought in summer


def test_long_term_rain_is_the_climatology() -> None:
    days = np.arange(40 * 365) % 365 + 1.0
    rain = generate_rain(
        np.full(2, 43.6), np.array([-0.5, 1.4]), np.zeros(2), days, np.ones(len(days)), np.random.default_rng(0)
    )
    assert rain.daily.sum(axis=0) / 40.0 == pytest.approx([962.0, 640.0], rel=0.06)
    assert (rain.daily > 1.0).sum(axis=0) / 40.0 == pytest.approx([127.0, 98.0], rel=0.08)
    assert rain.hourly.reshape(-1, 24, 2).sum(axis=1) * 3600.0 == pytest.approx(rain.daily)


def test_most_days_are_dry_and_spells_persist(four_years: ForcingSeries) -> None:
    daily = four_years.records["Rainf"][1:].reshape(DAYS, 24, -1).sum(axis=1) * 3600.0
    wet = daily > 1.0
    assert 0.6 < (~wet).mean() < 0.85
    after_wet = (wet[1:] & wet[:-1]).sum() / wet[:-1].sum()
    assert after_wet > 1.4 * wet.mean()
    near = np.corrcoef(daily[:, of_station("SFL")], daily[:, of_station("SFL") + 2])[0, 1]
    far = np.corrcoef(daily[:, of_station("SFL")], daily[:, of_station("SBR")])[0, 1]
    assert near > 0.6 > 0.4 > far


def test_drought_and_wet_years_stand_out() -> None:
    rain = {a: weather(days=365, anomaly=(a,)).records["Rainf"].mean() for a in (0.7, 1.0, 1.3)}
    assert rain[0.7] < 0.85 * rain[1.0] < 0.85 * 0.9 * rain[1.3]


def test_seasons_and_days_follow_the_sun(four_years: ForcingSeries) -> None:
    cell = of_station("SFL")
    hour = four_years.times.astype("datetime64[h]").astype(int) % 24
    temperature = four_years.records["Tair"][:, cell]
    by_hour = [temperature[hour == h].mean() for h in range(24)]
    assert np.argmax(by_hour) in (14, 15)
    assert np.argmin(by_hour) in (4, 5, 6)
    sun = cosine_zenith(four_years.times, SURFACE.latitude, SURFACE.longitude)
    total = four_years.records["DIR_SWdown"] + four_years.records["SCA_SWdown"]
    assert (total[sun < 0.0] == 0.0).all()
    assert (total[sun > 0.1] > 0.0).all()


def test_humidity_stays_below_saturation(four_years: ForcingSeries) -> None:
    tensors = [torch.from_numpy(four_years.records[name].astype(float)) for name in ("Tair", "PSurf")]
    relative = four_years.records["Qair"] / saturation_specific_humidity(*tensors).numpy()
    assert relative.max() < 0.99
    assert 0.65 < relative.mean() < 0.82


def test_it_is_dark_and_cloudy_where_it_rains(four_years: ForcingSeries) -> None:
    daily = {
        name: values[1:].reshape(DAYS, 24, -1).mean(axis=1)
        for name, values in four_years.records.items()
        if name in ("Rainf", "DIR_SWdown", "SCA_SWdown")
    }
    shortwave = daily["DIR_SWdown"] + daily["SCA_SWdown"]
    wet = daily["Rainf"] > 3.0 / 86400.0
    assert shortwave[wet].mean() < 0.65 * shortwave[~wet].mean()
    diffuse = daily["SCA_SWdown"] / shortwave
    assert diffuse[wet].mean() > diffuse[~wet].mean() + 0.2


def test_same_seed_same_weather_other_seed_other_weather() -> None:
    first, again, other = weather(5, 20), weather(5, 20), weather(6, 20)
    assert all((first.records[name] == again.records[name]).all() for name in first.records)
    assert (first.records["Tair"] != other.records["Tair"]).any()


def test_blocks_of_hours_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = weather(days=7)
    monkeypatch.setattr("dalearn.twin.weather.HOURS_PER_BLOCK", 50)
    pieces = weather(days=7)
    for name, values in whole.records.items():
        assert np.array_equal(values, pieces.records[name]), name


def test_the_pyrenees_keep_the_rain_from_the_ebro() -> None:
    latitude, longitude = np.array([43.5, 42.7, 42.6, 42.2, 42.2]), np.array([-1.0, -1.0, -1.0, -1.0, 3.0])
    assert rain_shadow(latitude, longitude) == pytest.approx([1.0, 0.875, 0.75, 0.5, 1.0])
    place = np.array([43.8, 42.2]), np.array([-1.0, -1.0]), np.array([50.0, 50.0])
    day = np.arange(1.0, 366.0)
    years = [generate_rain(*place, day, np.ones(365), np.random.default_rng(seed)).daily for seed in range(12)]
    north, south = np.mean(years, axis=0).sum(axis=0)
    assert south / north == pytest.approx(0.5, abs=0.06)
