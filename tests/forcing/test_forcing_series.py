"""Interpolation of forcing records to model steps (isba_physics.md 1.4)."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray

from dalearn.errors import InputError
from dalearn.forcing.air import air_density, co2_mixing_ratio
from dalearn.forcing.series import ForcingSeries
from dalearn.forcing.solar import cosine_zenith
from dalearn.land.state import Forcing
from dalearn.land.window import FORCING_FIELDS, ForcingWindow

START = np.datetime64("2007-06-01T00:00:00", "s")
NAMES = ("Tair", "Qair", "PSurf", "DIR_SWdown", "SCA_SWdown", "LWdown", "Rainf", "Snowf", "Wind")


def time(text: str) -> np.datetime64:
    return np.datetime64(text, "s")


def series(rng: np.random.Generator, records: int = 30, cells: int = 2, **changes: np.ndarray) -> ForcingSeries:
    """Hourly random records inside the valid ranges, sun included."""
    times = START + 3600 * np.arange(records).astype("timedelta64[s]")
    latitude, longitude = np.linspace(43.0, 44.0, cells), np.linspace(0.0, 1.0, cells)
    day = np.maximum(cosine_zenith(times, latitude, longitude), 0.0)
    shape = (records, cells)
    values = {
        "Tair": 285.0 + 10.0 * rng.random(shape),
        "Qair": 0.004 + 0.004 * rng.random(shape),
        "PSurf": 98000.0 + 1000.0 * rng.random(shape),
        "DIR_SWdown": 600.0 * day * rng.random(shape),
        "SCA_SWdown": 200.0 * day * rng.random(shape),
        "LWdown": 300.0 + 50.0 * rng.random(shape),
        "Rainf": 1e-3 * rng.random(shape),
        "Wind": 1.0 + 5.0 * rng.random(shape),
        "CO2air": 6.2e-4 + 1e-5 * rng.random(shape),
        **changes,
    }
    return ForcingSeries(
        source="FORCING.nc",
        start=START,
        step=3600,
        latitude=latitude,
        longitude=longitude,
        altitude=np.zeros(cells),
        temperature_height=np.full(cells, 2.0),
        wind_height=np.full(cells, 10.0),
        records={name: np.asarray(value, np.float32) for name, value in values.items()},
    )


def column(window: ForcingWindow, name: str) -> np.ndarray:
    return window.values[:, FORCING_FIELDS.index(name)].numpy()


def test_state_is_linear_from_the_beginning_of_the_step(rng: np.random.Generator) -> None:
    forcing = series(rng)
    window = forcing.window(time("2007-06-01T09:00"), time("2007-06-01T11:00"), 900.0)
    temperature = forcing.records["Tair"].astype(np.float64)
    for step in range(8):
        record, weight = 9 + step // 4, (step % 4) / 4
        expected = temperature[record] + weight * (temperature[record + 1] - temperature[record])
        np.testing.assert_allclose(column(window, "air_temperature")[step], expected, rtol=1e-15)


def test_rain_and_snow_are_those_of_the_closing_record(rng: np.random.Generator) -> None:
    forcing = series(rng, Snowf=1e-4 * rng.random((30, 2)))
    window = forcing.window(time("2007-06-01T09:00"), time("2007-06-01T11:00"), 1800.0)
    for name, field in (("Rainf", "rainfall"), ("Snowf", "snowfall")):
        closing = forcing.records[name][[10, 10, 11, 11]].astype(np.float64)
        np.testing.assert_array_equal(column(window, field), closing)


def test_without_snow_in_the_file_there_is_none(rng: np.random.Generator) -> None:
    window = series(rng).window(START, START + np.timedelta64(1, "D"), 1800.0)
    assert (column(window, "snowfall") == 0.0).all()


def test_direct_and_diffuse_are_added_in_double_precision(rng: np.random.Generator) -> None:
    forcing = series(rng)
    window = forcing.window(START, START + np.timedelta64(1, "D"), 3600.0)
    direct, diffuse = (forcing.records[name][:24] for name in ("DIR_SWdown", "SCA_SWdown"))
    expected = direct.astype(np.float64) + diffuse.astype(np.float64)
    np.testing.assert_array_equal(column(window, "shortwave_down"), expected)
    assert (expected != (direct + diffuse)).any()


def test_wind_is_interpolated_by_components(rng: np.random.Generator) -> None:
    turning = np.tile([[350.0, 90.0], [10.0, 270.0]], (15, 1))
    forcing = series(rng, Wind=np.full((30, 2), 4.0), Wind_DIR=turning)
    window = forcing.window(START, START + np.timedelta64(2, "h"), 1800.0)
    # half way the wind has turned through north in the first cell and has died in the second
    half_way = column(window, "wind_speed")[1]
    np.testing.assert_allclose(half_way, [4.0 * np.cos(np.deg2rad(10.0)), 0.0], atol=1e-12)
    without = series(rng, Wind=np.full((30, 2), 4.0)).window(START, START + np.timedelta64(2, "h"), 1800.0)
    np.testing.assert_allclose(column(without, "wind_speed"), 4.0, rtol=1e-15)


def test_zenith_is_that_of_the_beginning_and_limited(rng: np.random.Generator) -> None:
    forcing = series(rng)
    window = forcing.window(START, START + np.timedelta64(1, "D"), 1800.0)
    begin = START + 1800 * np.arange(48).astype("timedelta64[s]")
    free = cosine_zenith(begin, forcing.latitude, forcing.longitude)
    limited, shortwave = column(window, "cosine_zenith"), column(window, "shortwave_down")
    lit = shortwave > 0
    np.testing.assert_array_equal(limited[lit], np.maximum(free, np.sin(0.01))[lit])
    np.testing.assert_array_equal(limited[~lit], np.minimum(free, 0.0)[~lit])
    assert lit.any()
    assert (~lit).any()


def test_shortwave_along_the_sun_keeps_the_mean_of_the_record(rng: np.random.Generator) -> None:
    beam = np.full((30, 2), 100.0)
    forcing = series(rng, DIR_SWdown=beam, SCA_SWdown=beam / 2)
    start = time("2007-06-01T09:00")
    window = forcing.window(start, start + np.timedelta64(1, "h"), 900.0, shortwave="zenith")
    shortwave = column(window, "shortwave_down")
    begin = start + 900 * np.arange(4).astype("timedelta64[s]")
    height = np.cos(np.arccos(cosine_zenith(begin, forcing.latitude, forcing.longitude)) + 0.1)
    np.testing.assert_allclose(shortwave, 150.0 * height / height.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(shortwave.mean(axis=0), 150.0, rtol=1e-12)
    assert (np.diff(shortwave, axis=0) > 0).all()
    night = forcing.window(START, START + np.timedelta64(1, "h"), 900.0, shortwave="zenith")
    assert (column(night, "shortwave_down") == 0.0).all()


def test_shortwave_along_the_sun_is_limited(rng: np.random.Generator) -> None:
    forcing = series(rng, DIR_SWdown=np.full((30, 2), 1300.0))
    start = time("2007-06-01T05:00")
    window = forcing.window(start, start + np.timedelta64(1, "h"), 900.0, shortwave="zenith")
    begin = start + 900 * np.arange(4).astype("timedelta64[s]")
    sun = cosine_zenith(begin, forcing.latitude, forcing.longitude)
    assert (column(window, "shortwave_down") <= 2 * 1300.0 * sun + 1e-9).all()


@pytest.mark.parametrize("shortwave", ["linear", "zenith"])
def test_windows_join_without_a_seam(rng: np.random.Generator, shortwave: str) -> None:
    """Also when a window begins between two records."""
    forcing = series(rng, Wind_DIR=360.0 * rng.random((30, 2)))
    edges = [time(f"2007-06-01T{clock}") for clock in ("03:00", "09:15", "12:30", "20:00")]
    whole = forcing.window(edges[0], edges[-1], 900.0, shortwave=shortwave)
    parts = [forcing.window(first, last, 900.0, shortwave=shortwave) for first, last in pairwise(edges)]
    assert torch.equal(whole.values, torch.cat([part.values for part in parts]))
    assert np.array_equal(whole.times, np.concatenate([part.times for part in parts]))
    assert whole.first_of_day == tuple(flag for part in parts for flag in part.first_of_day)


def test_last_record_is_repeated(rng: np.random.Generator) -> None:
    forcing = series(rng, records=3)
    window = forcing.window(time("2007-06-01T02:00"), time("2007-06-01T03:00"), 1800.0)
    for name, field in (("Tair", "air_temperature"), ("Rainf", "rainfall"), ("CO2air", "co2_concentration")):
        np.testing.assert_array_equal(column(window, field), np.repeat(forcing.records[name][-1:], 2, axis=0))


def test_first_step_of_the_day(rng: np.random.Generator) -> None:
    window = series(rng).window(time("2007-06-01T23:00"), time("2007-06-02T01:00"), 1800.0)
    assert window.first_of_day == (False, False, True, False)
    assert window.times.tolist() == [
        time(text).item() for text in ("2007-06-01T23:30", "2007-06-02", "2007-06-02T00:30", "2007-06-02T01:00")
    ]


def test_first_step_of_the_day_when_no_step_begins_at_midnight(rng: np.random.Generator) -> None:
    forcing = series(rng)
    shifted = ForcingSeries(**{**vars(forcing), "start": START + np.timedelta64(600, "s")})
    window = shifted.window(shifted.start, shifted.start + np.timedelta64(2, "h"), 1800.0)
    assert window.first_of_day == (True, False, False, False)


def test_forcing_of_a_step(rng: np.random.Generator) -> None:
    forcing = series(rng, cells=3)
    window = forcing.window(START, START + np.timedelta64(6, "h"), 1800.0)
    cells = window.forcing(5)
    assert isinstance(cells, Forcing)
    assert cells.air_temperature.shape == (3,)
    of_column = torch.tensor([0, 0, 2])
    columns = window.forcing(5, of_column)
    for name in FORCING_FIELDS:
        assert torch.equal(getattr(columns, name), getattr(cells, name)[of_column])
    single = window.to(dtype=torch.float32)
    assert single.forcing(0).wind_speed.dtype == torch.float32
    assert len(single) == 12
    direct = forcing.window(START, START + np.timedelta64(6, "h"), 1800.0, dtype=torch.float32)
    assert torch.equal(direct.values, single.values)


def test_carbon_dioxide(rng: np.random.Generator) -> None:
    forcing = series(rng)
    start = time("2007-06-01T09:00")
    density = air_density(*(forcing.records[name][9].astype(np.float64) for name in ("Tair", "Qair", "PSurf")), 2.0)
    expected = forcing.records["CO2air"][9] / density
    np.testing.assert_allclose(forcing.first_record_co2_mixing_ratio(start), expected, rtol=1e-14)

    records = {name: values for name, values in forcing.records.items() if name != "CO2air"}
    without = ForcingSeries(**{**vars(forcing), "records": records})
    np.testing.assert_allclose(without.first_record_co2_mixing_ratio(start), 6.0764e-4, rtol=1e-5)
    window = without.window(start, start + np.timedelta64(1, "h"), 3600.0)
    np.testing.assert_allclose(column(window, "co2_concentration")[0], co2_mixing_ratio(400.0) * density, rtol=1e-14)


@pytest.mark.parametrize(
    ("start", "end", "time_step", "message"),
    [
        ("2007-05-31T23:00", "2007-06-01T05:00", 1800.0, "which covers 2007-06-01T00:00:00 to 2007-06-02T06:00:00"),
        ("2007-06-01T05:00", "2007-06-02T07:00", 1800.0, "choose a period inside"),
        ("2007-06-01T05:00", "2007-06-01T05:00", 1800.0, "is not inside the forcing"),
        ("2007-06-01T05:10", "2007-06-01T06:00", 1800.0, "does not fall on steps of 1800 s"),
        ("2007-06-01T05:00", "2007-06-01T06:10", 1800.0, "does not fall on steps"),
        ("2007-06-01T05:00", "2007-06-01T06:00", 1000.0, "does not divide the forcing step of 3600 s"),
        ("2007-06-01T05:00", "2007-06-01T06:00", 7200.0, "does not divide"),
        ("2007-06-01T05:00", "2007-06-01T06:00", 0.5, "in whole seconds"),
        ("2007-06-01T05:00", "2007-06-01T06:00", 0.0, "does not divide"),
    ],
)
def test_impossible_windows(rng: np.random.Generator, start: str, end: str, time_step: float, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        series(rng).window(time(start), time(end), time_step)
    assert str(caught.value).startswith("FORCING.nc: ")
    assert "\n" not in str(caught.value)


def test_start_of_a_run_outside_the_forcing(rng: np.random.Generator) -> None:
    for outside in ("2007-05-31T23:00", "2007-06-02T06:00"):
        with pytest.raises(InputError, match="choose a start inside"):
            series(rng).first_record_co2_mixing_ratio(time(outside))


def test_reference_step(shared: Path) -> None:
    """The inputs of the SURFEX steps written out in isba_physics.md 11.17."""
    with xarray.open_dataset(shared / "reference" / "surfex" / "c3_hapex.nc") as case:
        forcing = ForcingSeries(
            source="c3_hapex.nc",
            start=np.datetime64(case.attrs["start"].replace(" ", "T"), "s"),
            step=int(case.attrs["forcing_step_s"]),
            latitude=np.array([case.attrs["lat"]]),
            longitude=np.array([case.attrs["lon"]]),
            altitude=np.array([case.attrs["zs"]]),
            temperature_height=np.array([case.attrs["zref"]]),
            wind_height=np.array([case.attrs["uref"]]),
            records={name: case[name].values[:, None] for name in (*NAMES, "CO2air")},
        )
    begin = time("1987-04-27T11:30")
    window = forcing.window(begin, begin + np.timedelta64(1800, "s"), 1800.0)
    zenith = np.arccos(column(window, "cosine_zenith"))
    np.testing.assert_allclose(zenith, 0.526154279539, atol=1e-12)
    at_start = window.forcing(0)
    density = air_density(
        at_start.air_temperature.numpy(), at_start.specific_humidity.numpy(), at_start.surface_pressure.numpy(), 2.0
    )
    np.testing.assert_allclose(density, 1.2310497287, atol=5e-11)
    np.testing.assert_allclose(at_start.surface_pressure.numpy() - density * 2.0 * 9.80665, 101465.855052, atol=5e-7)
    row = 5591
    assert at_start.air_temperature.item() == forcing.records["Tair"][row, 0].astype(np.float64)
    rainy = int(np.flatnonzero(forcing.records["Rainf"][:, 0] > 0)[0])
    before = forcing.start + np.timedelta64(1800, "s") * (rainy - 1)
    rain = forcing.window(before, before + np.timedelta64(1800, "s"), 1800.0).forcing(0).rainfall
    assert rain.item() == forcing.records["Rainf"][rainy, 0].astype(np.float64)
