"""ERA5 in all its layouts becomes forcing whose values are those of the files, read independently."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.forcing.era5 import Era5
from dalearn.forcing.grid_file import altitude_at
from dalearn.forcing.partition import mean_cosine
from dalearn.forcing.prepare import Cells, plan_forcing, write_plan
from dalearn.forcing.reader import read_forcing
from dalearn.forcing.series import ForcingSeries
from dalearn.forcing.solar_phase import solar_phase

from .downloads import ACCUMULATED, INSTANTANEOUS, LATITUDES, LONGITUDES, atmosphere, hours, since_midnight, write_era5

NODE = (43.5, -0.25)  # also a node of the grid; the other cell lies between nodes
CELLS = Cells(np.array([43.5, 43.4]), np.array([-0.25, 0.06]), np.array([180.0, 900.0]))
ROW, COLUMN = int(np.argmin(np.abs(LATITUDES - NODE[0]))), int(np.argmin(np.abs(LONGITUDES - NODE[1])))


def prepared(paths: list[Path], tmp_path: Path, *, land: bool = False, **wishes: object) -> ForcingSeries:
    source = Era5(paths, CELLS.latitude, CELLS.longitude, land=land, temperature_height=2.0, wind_height=10.0)
    write_plan(plan_forcing(source, CELLS, **wishes), tmp_path / "FORCING.nc")  # type: ignore[arg-type]
    return read_forcing(tmp_path / "FORCING.nc")


def raw(path: Path, name: str) -> np.ndarray:
    """The values of a file at the node, float64."""
    with netCDF4.Dataset(path) as file:
        return np.asarray(file[name][..., ROW, COLUMN], np.float64)


@pytest.fixture
def new_files(tmp_path: Path) -> list[Path]:
    """Two months' worth of layout: instantaneous and accumulated variables apart, and cut in time."""
    paths = []
    for part, (first, last) in enumerate(((0, 40), (40, 96))):
        times = hours(96)[first:last]
        fields = atmosphere(times)
        for kind, names in (("instant", INSTANTANEOUS), ("accum", ACCUMULATED)):
            path = tmp_path / f"era5_{kind}_{part}.nc"
            paths.append(write_era5(path, times, {name: fields[name] for name in names}))
    return paths[::-1]


def test_new_layout_equals_the_files(new_files: list[Path], tmp_path: Path) -> None:
    series = prepared(new_files, tmp_path)
    assert (series.record_count, series.step, series.start) == (96, 3600, hours(1)[0])
    parts = {
        name: np.concatenate([raw(tmp_path / f"era5_{kind}_{part}.nc", name) for part in (0, 1)])
        for kind, names in (("instant", INSTANTANEOUS), ("accum", ACCUMULATED))
        for name in names
    }
    vapour = 611.21 * np.exp(17.502 * (parts["d2m"] - 273.16) / (parts["d2m"] - 32.19))
    ratio = 287.0597 / 461.5250
    expected = {
        "Tair": parts["t2m"],
        "PSurf": parts["sp"],
        "Qair": ratio * vapour / (parts["sp"] - (1.0 - ratio) * vapour),
        "Wind": np.sqrt(parts["u10"] ** 2 + parts["v10"] ** 2),
        "DIR_SWdown": parts["fdir"] / 3600.0,
        "SCA_SWdown": (parts["ssrd"] - parts["fdir"]) / 3600.0,
        "LWdown": parts["strd"] / 3600.0,
        "Rainf": (parts["tp"] - parts["sf"]) * 1000.0 / 3600.0,
        "Snowf": parts["sf"] * 1000.0 / 3600.0,
    }
    for name, values in expected.items():
        np.testing.assert_allclose(series.records[name][:, 0], values, rtol=3e-6, atol=1e-4 * np.abs(values).max())
    angle = np.deg2rad(series.records["Wind_DIR"][:, 0].astype(np.float64))
    np.testing.assert_allclose(-np.sin(angle) * expected["Wind"], parts["u10"], atol=1e-4)
    np.testing.assert_allclose(-np.cos(angle) * expected["Wind"], parts["v10"], atol=1e-4)


def test_between_the_nodes_it_is_bilinear(new_files: list[Path], tmp_path: Path) -> None:
    series = prepared(new_files, tmp_path)
    with netCDF4.Dataset(tmp_path / "era5_instant_0.nc") as file:
        corners = np.asarray(file["t2m"][:, 2:4, 3:5], np.float64)  # 43.5, 43.25 N; 0, 0.25 E
    south, east = (43.5 - 43.4) / 0.25, 0.06 / 0.25
    upper = corners[:, 0, 0] * (1 - east) + corners[:, 0, 1] * east
    lower = corners[:, 1, 0] * (1 - east) + corners[:, 1, 1] * east
    np.testing.assert_allclose(series.records["Tair"][:40, 1], upper * (1 - south) + lower * south, rtol=1e-6)


@pytest.mark.parametrize("preliminary", [False, True])
def test_old_layout(preliminary: bool, tmp_path: Path) -> None:
    """Packed integers, time since 1900, and expver as a dimension with 5 after 1."""
    times = hours(72)
    expver = np.arange(72) >= 50 if preliminary else None
    path = write_era5(
        tmp_path / "old.nc", times, atmosphere(times), generation="old", packed=True, expver=expver,
        longitude=LONGITUDES,
    )  # fmt: skip
    series = prepared([path], tmp_path)
    values = raw(path, "t2m")
    if preliminary:
        with netCDF4.Dataset(path) as file:
            both = np.ma.filled(file["t2m"][..., ROW, COLUMN].astype(np.float64), np.nan)
        assert np.isnan(both[:50, 1]).all()
        values = np.where(np.isnan(both[:, 0]), both[:, 1], both[:, 0])
    np.testing.assert_allclose(series.records["Tair"][:, 0], values, rtol=1e-6)
    assert series.records["Rainf"].min() == 0.0  # packing noise below zero is gone


def test_longitudes_from_0_to_360_and_ascending_latitudes(tmp_path: Path) -> None:
    times = hours(30)
    fields = atmosphere(times)
    here = prepared([write_era5(tmp_path / "west.nc", times, fields)], tmp_path)
    whole = np.arange(0.0, 360.0, 0.25)
    # elsewhere the globe is empty: it is not looked at
    column = {float(east) % 360.0: number for number, east in enumerate(LONGITUDES)}
    turned = {
        name: np.stack([values[:, ::-1, column.get(float(east), 0)] for east in whole], axis=-1)
        for name, values in fields.items()
    }
    path = write_era5(tmp_path / "globe.nc", times, turned, latitude=LATITUDES[::-1], longitude=whole)
    there = prepared([path], tmp_path)
    for name, values in here.records.items():
        np.testing.assert_allclose(there.records[name], values, rtol=1e-5, atol=1e-9)


def test_era5_land_gives_the_same_fluxes_as_hourly_sums(tmp_path: Path) -> None:
    times = hours(96)
    fields = atmosphere(times)
    hourly = prepared([write_era5(tmp_path / "era5.nc", times, fields)], tmp_path)
    summed = {name: since_midnight(values, times) if name in ACCUMULATED else values for name, values in fields.items()}
    land = prepared([write_era5(tmp_path / "land.nc", times, summed)], tmp_path, land=True)
    for name in ("DIR_SWdown", "SCA_SWdown", "LWdown", "Rainf", "Snowf"):
        largest = hourly.records[name].max()
        np.testing.assert_allclose(land.records[name][1:], hourly.records[name][1:], atol=3e-5 * largest, rtol=1e-3)
    # 24 h at 00 UTC belong to the day before
    assert land.records["LWdown"].min() > 290.0


def test_the_sun_stands_highest_at_noon(tmp_path: Path) -> None:
    """The phase of the short wave is that of the sun within two minutes; one hour of shift would be seen."""
    times = hours(240)
    series = prepared([write_era5(tmp_path / "era5.nc", times, atmosphere(times))], tmp_path)
    total = (series.records["DIR_SWdown"] + series.records["SCA_SWdown"])[:, 0]
    assert abs(solar_phase(times, 3600, total, *NODE)) < 2.0
    shifted = solar_phase(times + np.timedelta64(3600, "s"), 3600, total, *NODE)
    assert abs(shifted - 60.0) < 2.0


def test_split_without_fdir_follows_erbs(tmp_path: Path) -> None:
    times = hours(48)
    fields = {name: values for name, values in atmosphere(times).items() if name not in ("fdir", "sf")}
    path = write_era5(tmp_path / "era5.nc", times, fields)
    series = prepared([path], tmp_path)
    direct, diffuse = (series.records[name][:, 0].astype(np.float64) for name in ("DIR_SWdown", "SCA_SWdown"))
    total = raw(path, "ssrd") / 3600.0
    np.testing.assert_allclose(direct + diffuse, total, atol=1e-3)
    noon = int(np.argmax(total))
    cosine = mean_cosine(times[noon : noon + 1], 3600, np.array([NODE[0]]), np.array([NODE[1]]))[0, 0]
    day = 152.0 + noon / 24.0  # 2016-06-01 is day 152 counted from 0
    clearness = total[noon] / (1361.0 * (1.0 + 0.033 * np.cos(2.0 * np.pi * np.floor(day) / 365.25)) * cosine)
    share = 0.9511 - 0.1604 * clearness + 4.388 * clearness**2 - 16.638 * clearness**3 + 12.336 * clearness**4
    np.testing.assert_allclose(diffuse[noon] / total[noon], share, rtol=1e-4)
    everything = prepared([path], tmp_path, direct_shortwave="all")
    assert everything.records["SCA_SWdown"].max() == 0.0
    # without sf the phase follows the temperature: no snow at 285 K
    assert series.records["Snowf"].max() == 0.0
    np.testing.assert_allclose(series.records["Rainf"][:, 0], raw(path, "tp") / 3.6, atol=1e-9, rtol=1e-5)


def test_sea_of_a_land_product_is_left_out(tmp_path: Path) -> None:
    times = hours(24)
    fields = {name: np.array(values) for name, values in atmosphere(times).items()}
    for values in fields.values():
        values[:, 2, 4] = np.nan  # 43.5 N 0.25 E, one of the four corners of the second cell
    series = prepared([write_era5(tmp_path / "land.nc", times, fields)], tmp_path)
    south, east = 0.4, 0.24
    weight = np.array([(1 - south) * (1 - east), south * (1 - east), south * east])
    corners = np.stack([fields["t2m"][:, 2, 3], fields["t2m"][:, 3, 3], fields["t2m"][:, 3, 4]])
    expected = (weight[:, None] * corners).sum(axis=0) / weight.sum()
    np.testing.assert_allclose(series.records["Tair"][:, 1], expected, rtol=1e-6)


def test_altitude_correction(tmp_path: Path) -> None:
    times = hours(24)
    paths = [write_era5(tmp_path / "era5.nc", times, atmosphere(times))]
    plain = prepared(paths, tmp_path)
    raised = prepared(paths, tmp_path, altitude_correction=True, source_altitude=np.array([180.0, 500.0]))
    for name in plain.records:
        np.testing.assert_allclose(raised.records[name][:, 0], plain.records[name][:, 0], rtol=1e-6, atol=1e-9)
    warm, cold = plain.records["Tair"][:, 1].astype(float), raised.records["Tair"][:, 1].astype(float)
    np.testing.assert_allclose(warm - cold, 2.6, atol=1e-4)
    layer = 9.80665 * 400.0 / (287.05967 * 0.5 * (warm + cold))
    pressure = plain.records["PSurf"][:, 1] * np.exp(-layer)
    np.testing.assert_allclose(raised.records["PSurf"][:, 1], pressure, rtol=1e-5)

    def relative(series: ForcingSeries, temperature: np.ndarray) -> np.ndarray:
        humidity, pressure = (series.records[name][:, 1].astype(float) for name in ("Qair", "PSurf"))
        vapour = humidity * pressure / (0.621981 + (1.0 - 0.621981) * humidity)
        return vapour / (611.21 * np.exp(17.502 * (temperature - 273.16) / (temperature - 32.19)))

    np.testing.assert_allclose(relative(raised, cold), relative(plain, warm), rtol=1e-4)
    assert (raised.records["LWdown"][:, 1] < plain.records["LWdown"][:, 1] - 8.0).all()
    np.testing.assert_array_equal(raised.altitude, CELLS.altitude)
    with pytest.raises(InputError, match="altitude_file"):
        prepared(paths, tmp_path, altitude_correction=True)


def test_altitude_from_geopotential_on_a_grid_of_its_own(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "z.nc", "w") as file:
        for name, axis in (("latitude", [45.0, 44.0, 43.0]), ("longitude", [-1.0, 0.0, 1.0])):
            file.createDimension(name, 3)
            file.createVariable(name, "f8", (name,))[:] = axis
        file.createDimension("time", 1)
        height = file.createVariable("z", "f4", ("time", "latitude", "longitude"))
        height[0] = 9.80665 * (100.0 * np.array([0.0, 1.0, 2.0])[:, None] + 10.0 * np.array([0.0, 1.0, 2.0]))
    altitude = altitude_at(tmp_path / "z.nc", CELLS.latitude, CELLS.longitude)
    np.testing.assert_allclose(altitude, [150.0 + 7.5, 160.0 + 10.6], rtol=1e-5)


def test_period(tmp_path: Path) -> None:
    times = hours(72)
    path = write_era5(tmp_path / "era5.nc", times, atmosphere(times))
    series = prepared([path], tmp_path, start=times[24], end=times[48])
    np.testing.assert_array_equal(series.times, times[24:49])
    np.testing.assert_allclose(series.records["Tair"][:, 0], raw(path, "t2m")[24:49], rtol=1e-6)
    with pytest.raises(InputError, match="the records go from"):
        prepared([path], tmp_path, start=times[24], end=times[-1] + np.timedelta64(2, "D"))
