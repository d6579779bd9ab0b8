"""Tower files: real ones against their raw numbers, generated ones in every variant."""

import logging
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.forcing.prepare import Cells, plan_forcing, write_plan
from dalearn.forcing.reader import read_forcing
from dalearn.forcing.series import ForcingSeries
from dalearn.forcing.solar_phase import solar_phase
from dalearn.forcing.tower import TowerFile

from .downloads import write_tower


def tower(path: Path, utc_offset: float | None = None) -> TowerFile:
    return TowerFile([path], utc_offset=utc_offset, altitude=100.0, temperature_height=2.0, wind_height=10.0)


def prepared(source: TowerFile, path: Path) -> ForcingSeries:
    points = source.points
    write_plan(plan_forcing(source, Cells(points.latitude, points.longitude, points.altitude)), path)
    return read_forcing(path)


@pytest.mark.parametrize("name", ["IT-Amp_2003_2004", "ES-ES1_1999_2000"])
def test_real_tower(name: str, shared: Path, tmp_path: Path) -> None:
    """Stamps are local and end the half hour: UTC 12 holds local 12:30 and 13:00 (offset 1 h)."""
    path = shared / "data" / "towers" / f"{name}.nc"
    series = prepared(tower(path), tmp_path / "FORCING.nc")
    with netCDF4.Dataset(path) as file:
        raw = {
            key: np.ma.filled(file[key][:].astype(np.float64), np.nan) for key in ("Tair", "SWdown", "Rainf", "Qair")
        }
        year = int(file["time"].units.split("since ")[1][:4])
    local = np.datetime64(f"{year}-01-01T00:30", "s") + np.timedelta64(30, "m") * np.arange(len(raw["Tair"]))
    for stamp in ("02-03T12:00", "07-15T05:00", "11-30T20:00"):
        utc = np.datetime64(f"{year}-{stamp}", "s")
        row = int((utc - series.start) / np.timedelta64(1, "h"))
        last = int(np.flatnonzero(local == utc + np.timedelta64(1, "h"))[0])
        total = series.records["DIR_SWdown"][row, 0] + series.records["SCA_SWdown"][row, 0]
        np.testing.assert_allclose(total, raw["SWdown"][last - 1 : last + 1].mean(), rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(series.records["Tair"][row, 0], raw["Tair"][last : last + 2].mean(), rtol=1e-6)
        np.testing.assert_allclose(series.records["Qair"][row, 0], raw["Qair"][last : last + 2].mean(), rtol=1e-5)
    fallen = (series.records["Rainf"] + series.records["Snowf"]).sum(dtype=np.float64) * 3600.0
    np.testing.assert_allclose(fallen, raw["Rainf"][1:].sum() * 1800.0, rtol=2e-3)


def test_times_of_real_towers_and_the_sun(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Amplero agrees with its offset; El Saler is an hour off, which the reader says."""
    folder = shared / "data" / "towers"
    with caplog.at_level(logging.WARNING, "dalearn"):
        amplero = tower(folder / "IT-Amp_2003_2004.nc")
        assert not caplog.records
        tower(folder / "ES-ES1_1999_2000.nc")
    assert "min late on the sun" in caplog.text
    sun = amplero.read(slice(0, None))["SWdown"][:, 0].astype(np.float64)
    assert abs(solar_phase(amplero.times, 3600, sun, 41.9041, 13.6052)) < 10.0


def test_plumber_file(shared: Path, tmp_path: Path) -> None:
    """FI-Hyy, five half hours from midnight: the start of the interval; ppm of CO2; all precipitation in one."""
    path = shared / "data" / "readers" / "FI-Hyy_1996-2014_FLUXNET2015_Met.nc"
    with pytest.raises(InputError, match="utc_offset_hours"):
        tower(path)
    series = prepared(tower(path, 2.0), tmp_path / "FORCING.nc")
    with netCDF4.Dataset(path) as file:
        raw = {
            name: np.ravel(file[name][:]).astype(np.float64) for name in ("Tair", "Precip", "CO2air", "Psurf", "Qair")
        }
        height, altitude = float(file["reference_height"][0, 0]), float(file["elevation"][0, 0])
    assert series.start == np.datetime64("1995-12-31T23:00")  # 01:00 local ends the second half hour
    np.testing.assert_allclose(
        series.records["Tair"][:, 0], [raw["Tair"][1:3].mean(), raw["Tair"][3:5].mean()], rtol=1e-6
    )
    fallen = (series.records["Rainf"] + series.records["Snowf"])[:, 0]
    np.testing.assert_allclose(fallen, [raw["Precip"][0:2].mean(), raw["Precip"][2:4].mean()], rtol=1e-5, atol=1e-12)
    assert series.records["Rainf"].max() == 0.0  # at -9 C
    density = raw["Psurf"] / (287.06 * raw["Tair"] * (1.0 + 0.608 * raw["Qair"]))
    gas = raw["CO2air"] * 1e-6 * 44.0 / 28.9644 * density
    np.testing.assert_allclose(series.records["CO2air"][0, 0], gas[1:3].mean(), rtol=1e-3)
    assert (series.temperature_height[0], series.altitude[0]) == (height, altitude)


def test_humidity_from_what_there_is(tmp_path: Path) -> None:
    with_qair = tower(write_tower(tmp_path / "q.nc")).read(slice(0, 100))
    temperature = np.full(48 * 12, 290.0)
    saturation = 611.21 * np.exp(17.502 * (290.0 - 273.16) / (290.0 - 32.19))
    ratio = 287.0597 / 461.5250
    expected = ratio * 0.6 * saturation / (97000.0 - (1.0 - ratio) * 0.6 * saturation)
    for name, value, units in (("RH", 60.0, "%"), ("RH", 0.6, "1"), ("VPD", 0.4 * saturation / 100.0, "hPa")):
        series = {"Tair": (temperature, "K"), "Qair": (None, ""), name: (np.full(48 * 12, value), units)}
        values = tower(write_tower(tmp_path / "other.nc", series=series)).read(slice(0, 100))
        np.testing.assert_allclose(values["Qair"], expected, rtol=1e-5)
    assert with_qair["Qair"].shape == (100, 1)


def test_units_of_towers(tmp_path: Path) -> None:
    count = 48 * 12
    series = {
        "Tair": (np.full(count, 16.85), "degC"), "PSurf": (np.full(count, 97.0), "kPa"),
        "Rainf": (np.full(count, 3.6), "mm h-1"), "Snowf": (np.zeros(count), "kg/m2/s"),
    }  # fmt: skip
    values = tower(write_tower(tmp_path / "units.nc", series=series)).read(slice(0, 10))
    np.testing.assert_allclose(values["Tair"], 290.0, rtol=1e-6)
    np.testing.assert_allclose(values["PSurf"], 97000.0, rtol=1e-6)
    np.testing.assert_allclose(values["Rainf"], 1e-3, rtol=1e-5)


def test_start_of_the_interval(tmp_path: Path) -> None:
    """The same measurements under stamps half an hour earlier, called the start, are the same forcing."""
    path = write_tower(tmp_path / "end.nc")
    other = write_tower(tmp_path / "start.nc", attributes={"time": "local standard time, start of half-hour"})
    with netCDF4.Dataset(other, "a") as file:
        file["time"].units = "minutes since 2016-06-01T00:00:00"
    first, second = tower(path), tower(other)
    np.testing.assert_array_equal(first.times, second.times)
    np.testing.assert_array_equal(first.read(slice(0, 50))["SWdown"], second.read(slice(0, 50))["SWdown"])


def test_wrong_offset_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_tower(tmp_path / "tower.nc", attributes={"utc_offset_h": None})
    assert abs(solar_phase(*_shortwave(tower(path, 1.0)), 45.0, 15.0)) < 2.0
    with caplog.at_level(logging.WARNING, "dalearn"):
        tower(path, 2.0)
    assert "-60 min late" in caplog.text
    with pytest.raises(InputError, match="utc_offset_hours or the longitude"):
        tower(path, -3.0)


def _shortwave(source: TowerFile) -> tuple[np.ndarray, int, np.ndarray]:
    return source.times, source.step, source.read(slice(0, None))["SWdown"][:, 0].astype(np.float64)
