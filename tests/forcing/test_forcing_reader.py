"""SURFEX forcing files: good ones are read, each fault gives one line with file, variable and mend."""

from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray

from dalearn.errors import InputError
from dalearn.forcing.reader import read_forcing
from dalearn.forcing.series import ForcingSeries
from dalearn.forcing.writer import write_forcing

START = "2007-06-01T00:00:00"
RECORDS, POINTS = 50, 3

Dataset = xarray.Dataset


def good() -> Dataset:
    rng = np.random.default_rng(1)
    shape, dimensions = (RECORDS, POINTS), ("time", "Number_of_points")
    ranges = {
        "Tair": (275.0, 300.0, "K"),
        "Qair": (0.004, 0.012, "kg/kg"),
        "PSurf": (9.5e4, 1.01e5, "Pa"),
        "DIR_SWdown": (0.0, 800.0, "W/m2"),
        "SCA_SWdown": (0.0, 300.0, "W/m2"),
        "LWdown": (250.0, 400.0, "W/m2"),
        "Rainf": (0.0, 5e-4, "kg/m2/s"),
        "Snowf": (0.0, 0.0, "kg/m2/s"),
        "Wind": (0.0, 12.0, "m/s"),
        "Wind_DIR": (0.0, 360.0, "deg"),
        "CO2air": (6.0e-4, 7.0e-4, "kg/m3"),
    }
    forcing = {
        name: (dimensions, rng.uniform(low, high, shape).astype(np.float32), {"units": units})
        for name, (low, high, units) in ranges.items()
    }
    static = {
        "LON": [0.0, 0.5, 1.0], "LAT": [43.0, 43.5, 44.0], "ZS": [100.0, 200.0, 300.0],
        "ZREF": [2.0] * 3, "UREF": [10.0] * 3
    }  # fmt: skip
    return Dataset(
        {**forcing, **{name: (dimensions[1:], values) for name, values in static.items()}, "FRC_TIME_STP": 3600.0},
        coords={"time": np.datetime64(START, "ns") + np.arange(RECORDS) * np.timedelta64(3600, "s")},
    )


def written(dataset: Dataset, path: Path) -> Path:
    dataset.to_netcdf(path, encoding={"time": {"units": f"hours since {START}", "dtype": "f8"}})
    return path


@pytest.fixture
def forcing_file(tmp_path: Path) -> Path:
    return written(good(), tmp_path / "FORCING.nc")


def test_good_file(forcing_file: Path) -> None:
    series = read_forcing(forcing_file)
    source = good()
    assert (series.record_count, series.cell_count, series.step) == (RECORDS, POINTS, 3600)
    assert series.start == np.datetime64(START)
    np.testing.assert_array_equal(series.times, source.time.values.astype("datetime64[s]"))
    np.testing.assert_array_equal(series.latitude, [43.0, 43.5, 44.0])
    np.testing.assert_array_equal(series.wind_height, 10.0)
    assert set(series.records) == {*source.data_vars} - {"LON", "LAT", "ZS", "ZREF", "UREF", "FRC_TIME_STP"}
    for name, values in series.records.items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, source[name].values)


def test_grid_file_and_the_other_name_of_the_step(tmp_path: Path) -> None:
    """(time, yy, xx) with one longitude per column and one latitude per row."""
    points = good().drop_vars(["LON", "LAT", "ZS", "ZREF", "UREF"]).isel(Number_of_points=[0, 1, 2, 0, 1, 2])
    grid = Dataset(
        {
            name: (("time", "yy", "xx"), variable.values.reshape(RECORDS, 2, 3))
            for name, variable in points.data_vars.items()
            if variable.ndim == 2
        },
        coords={"time": points.time},
    ).assign(
        LON=("xx", [0.0, 0.5, 1.0]), LAT=("yy", [43.0, 44.0]), ZS=(("yy", "xx"), np.arange(6.0).reshape(2, 3)),
        ZREF=2.0, UREF=10.0, FORC_TIME_STEP=3600.0
    )  # fmt: skip
    series = read_forcing(written(grid, tmp_path / "FORCING.nc"))
    np.testing.assert_array_equal(series.longitude, [0.0, 0.5, 1.0, 0.0, 0.5, 1.0])
    np.testing.assert_array_equal(series.latitude, [43.0, 43.0, 43.0, 44.0, 44.0, 44.0])
    np.testing.assert_array_equal(series.altitude, np.arange(6.0))
    np.testing.assert_array_equal(series.records["Tair"], grid.Tair.values.reshape(RECORDS, 6))


def test_round_trip(tmp_path: Path, forcing_file: Path) -> None:
    first = read_forcing(forcing_file)
    write_forcing(tmp_path / "copy.nc", first, {"title": "a copy"})
    second = read_forcing(tmp_path / "copy.nc")
    assert second.start == first.start
    assert second.step == first.step
    for name in ("latitude", "longitude", "altitude", "temperature_height", "wind_height"):
        np.testing.assert_array_equal(getattr(second, name), getattr(first, name))
    assert set(second.records) == set(first.records)
    for name, values in first.records.items():
        np.testing.assert_array_equal(second.records[name], values)
    with xarray.open_dataset(tmp_path / "copy.nc") as dataset:
        assert dataset.Tair.dims == ("time", "Number_of_points")
        assert float(dataset.FRC_TIME_STP) == 3600.0
        assert dataset.attrs["title"] == "a copy"
        assert (dataset.Snowf == 0.0).all()


def test_without_carbon_dioxide(tmp_path: Path) -> None:
    path = written(good().drop_vars("CO2air"), tmp_path / "FORCING.nc")
    series = read_forcing(path, default_co2_ppm=500.0)
    ratio = series.first_record_co2_mixing_ratio(np.datetime64(START, "s"))
    np.testing.assert_allclose(ratio, 500e-6 * 44.0 / 28.9644, rtol=1e-12)
    write_forcing(tmp_path / "copy.nc", series)
    copied = read_forcing(tmp_path / "copy.nc").first_record_co2_mixing_ratio(np.datetime64(START, "s"))
    np.testing.assert_allclose(copied, ratio, rtol=1e-7)


def test_heights_from_the_configuration(tmp_path: Path) -> None:
    path = written(good().drop_vars(["ZREF", "UREF"]), tmp_path / "FORCING.nc")
    series = read_forcing(path, temperature_height=2.0, wind_height=10.0)
    np.testing.assert_array_equal(series.temperature_height, [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(series.wind_height, [10.0, 10.0, 10.0])


def test_part_of_the_period(forcing_file: Path) -> None:
    whole = read_forcing(forcing_file)
    start, end = np.datetime64("2007-06-01T09:00:00"), np.datetime64("2007-06-02T09:00:00")
    part = read_forcing(forcing_file, start=start, end=end)
    assert (part.start, part.record_count) == (start, 25)
    assert (part.window(start, end, 1800.0).values == whole.window(start, end, 1800.0).values).all()
    inside = read_forcing(forcing_file, start=start + np.timedelta64(900, "s"), end=end + np.timedelta64(900, "s"))
    assert (inside.start, inside.record_count) == (start, 26)
    assert read_forcing(forcing_file, start=start, end=whole.end).record_count == RECORDS - 9
    with pytest.raises(InputError, match="which covers 2007-06-01T00:00:00 to 2007-06-03T02:00:00"):
        read_forcing(forcing_file, start=start, end=np.datetime64("2007-06-09T00:00:00"))


def test_snow_stays_rains_or_is_refused(tmp_path: Path) -> None:
    dataset = good()
    dataset.Snowf[7, 2] = 1.5e-3
    path = written(dataset, tmp_path / "FORCING.nc")
    message = r"Snowf is 0.0015 .* at 2007-06-01T07:00:00, cell 2: .* no snow scheme; set `snow_layers: 12`"
    with pytest.raises(InputError, match=message):
        read_forcing(path, "error")
    assert read_forcing(path).records["Snowf"][7, 2] == np.float32(1.5e-3)
    later = read_forcing(path, "error", start=np.datetime64("2007-06-01T08:00"), end=np.datetime64("2007-06-02"))
    assert later.record_count == 17
    series = read_forcing(path, "as_rain")
    assert series.records["Rainf"][7, 2] == dataset.Rainf.values[7, 2] + np.float32(1.5e-3)
    assert "Snowf" not in series.records


def test_values_outside_by_rounding_are_clipped(tmp_path: Path) -> None:
    dataset = good()
    dataset.SCA_SWdown[3, 1] = -1e-4
    series = read_forcing(written(dataset, tmp_path / "FORCING.nc"))
    assert series.records["SCA_SWdown"][3, 1] == 0.0


def test_blocks_do_not_change_the_result(forcing_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_forcing(forcing_file)
    monkeypatch.setattr("dalearn.forcing.reader.VALUES_PER_BLOCK", 7 * POINTS)
    blocks = read_forcing(forcing_file)
    for name, values in whole.records.items():
        np.testing.assert_array_equal(blocks.records[name], values)


def scaled(name: str, factor: float, offset: float = 0.0) -> Callable[[Dataset], Dataset]:
    """The same field in other units, the units attribute left as it was."""
    return lambda dataset: dataset.assign({name: (dataset[name] * factor + offset).assign_attrs(dataset[name].attrs)})


def in_units(name: str, units: str) -> Callable[[Dataset], Dataset]:
    return lambda dataset: dataset.assign({name: dataset[name].assign_attrs(units=units)})


def with_value(name: str, value: float) -> Callable[[Dataset], Dataset]:
    """One wrong value at 05:00 in cell 1."""

    def change(dataset: Dataset) -> Dataset:
        dataset[name][5, 1] = value
        return dataset

    return change


def without(name: str) -> Callable[[Dataset], Dataset]:
    return lambda dataset: dataset.drop_vars(name)


def records(*rows: int) -> Callable[[Dataset], Dataset]:
    return lambda dataset: dataset.isel(time=list(rows))


AT = "at 2007-06-01T05:00:00, cell 1"
FAULTS: list[tuple[Callable[[Dataset], Dataset], tuple[str, ...]]] = [
    (without("Tair"), ("variable Tair is missing", "add it")),
    (without("SCA_SWdown"), ("variable SCA_SWdown is missing", "add it")),
    (without("LON"), ("variable LON is missing", "add it")),
    (without("ZREF"), ("variable ZREF is missing", "set the height of the forcing in the configuration")),
    (without("FRC_TIME_STP"), ("variable FRC_TIME_STP is missing", "add the seconds between two records")),
    (scaled("Tair", 1.0, -273.15), ("Tair is", "not within 213 to 333 K", "looks like degrees Celsius: add 273.15")),
    (scaled("Qair", 1000.0), ("Qair is", "not within 0 to 0.03 kg kg-1", "looks like g kg-1: divide by 1000")),
    (scaled("Qair", 8000.0), ("Qair is", "looks like relative humidity")),
    (scaled("PSurf", 0.01), ("PSurf is", "not within 5000 to 110000 Pa", "looks like hPa: multiply by 100")),
    (scaled("PSurf", 0.001), ("PSurf is", "looks like kPa: multiply by 1000")),
    (scaled("Rainf", 3600.0), ("Rainf is", "not within 0 to 0.02 kg m-2 s-1", "looks like mm h-1")),
    (scaled("CO2air", 6e5), ("CO2air is", "looks like ppm")),
    (scaled("DIR_SWdown", 3600.0), ("DIR_SWdown is", "correct the values or their units")),
    (scaled("Wind", -1.0), ("Wind is -", "it cannot be negative")),
    (in_units("Tair", "degC"), ("Tair is in degC, expected K", "add 273.15")),
    (in_units("Qair", "g/kg"), ("Qair is in g/kg, expected kg kg-1", "divide by 1000")),
    (in_units("PSurf", "hPa"), ("PSurf is in hPa, expected Pa", "multiply by 100")),
    (in_units("Rainf", "mm/h"), ("Rainf is in mm/h, expected kg m-2 s-1", "divide by 3600")),
    (in_units("CO2air", "ppm"), ("CO2air is in ppm, expected kg m-3", "multiply by")),
    (with_value("Tair", np.nan), ("Tair is undefined (NaN or fill value)", AT, "fill it in")),
    (with_value("Snowf", 1e20), ("Snowf is undefined", AT, "fill it in")),
    (with_value("Wind_DIR", np.nan), ("Wind_DIR is undefined", AT)),
    (with_value("Tair", 12.0), ("Tair is 12 " + AT, "correct the values or their units")),
    (with_value("Rainf", 0.03), ("Rainf is 0.03 " + AT, "correct the values or their units")),
    (with_value("Rainf", -1e-3), ("Rainf is -0.001 " + AT, "it cannot be negative")),
    (with_value("Wind_DIR", 4000.0), ("Wind_DIR is 4000 " + AT, "not within -360 to 360 degrees")),
    (
        records(*range(10), *range(12, RECORDS)),
        ("time: 2 record(s) are missing after 2007-06-01T09:00:00", "fill the gap up to 2007-06-01T12:00:00"),
    ),
    (
        records(*range(10), 9, *range(10, RECORDS)),
        ("time: 2007-06-01T09:00:00 comes twice", "remove one of the two records"),
    ),
    (
        records(0, 2, 1, *range(3, RECORDS)),
        ("time: 2007-06-01T01:00:00 comes after 2007-06-01T02:00:00", "sort the records by time"),
    ),
    (
        records(0, 1, 2, 1, *range(2, RECORDS)),
        ("time: 2007-06-01T01:00:00 comes after 2007-06-01T02:00:00", "sort the records by time"),
    ),
    (records(), ("time holds no record",)),
    (
        lambda dataset: dataset.assign(FRC_TIME_STP=2400.0),
        ("are 3600 s apart while FRC_TIME_STP is 2400 s", "give records at a constant step"),
    ),
    (lambda dataset: dataset.assign(FRC_TIME_STP=0.5), ("FRC_TIME_STP is 0.5", "whole seconds")),
    (lambda dataset: dataset.transpose(), ("put time first",)),
    (lambda dataset: dataset.assign(Wind=dataset.Wind[:, 0]), ("Wind has dimensions ('time',)", "same dimensions")),
    (lambda dataset: dataset.assign(LAT=dataset.LAT + 60.0), ("LAT is 103 in cell 0", "from -90 to 90")),
    (lambda dataset: dataset.assign(ZREF=dataset.ZREF * 0.0), ("ZREF is 0 in cell 0", "from 0.1 to 1000")),
    (
        lambda dataset: dataset.assign(ZS=dataset.Tair[:, 0]),
        ("ZS has dimensions ('time',)", "the forcing ('Number_of_points',)"),
    ),
]


@pytest.mark.parametrize(("fault", "words"), FAULTS, ids=[words[0][:40] for _, words in FAULTS])
def test_faulty_file(tmp_path: Path, fault: Callable[[Dataset], Dataset], words: tuple[str, ...]) -> None:
    path = written(fault(good()), tmp_path / "FORCING.nc")
    with pytest.raises(InputError) as caught:
        read_forcing(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_unreadable_files(tmp_path: Path, forcing_file: Path) -> None:
    data = forcing_file.read_bytes()
    forcing_file.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"FORCING\.nc: cut short or damaged"):
        read_forcing(forcing_file)
    forcing_file.write_bytes(b"PK\x03\x04" + data)
    with pytest.raises(InputError, match=r"FORCING\.nc: .* unzip it first"):
        read_forcing(forcing_file)
    with pytest.raises(InputError, match=r"absent\.nc: .* correct the path"):
        read_forcing(tmp_path / "absent.nc")


def test_declared_fill_value(tmp_path: Path, forcing_file: Path) -> None:
    with netCDF4.Dataset(forcing_file, "a") as dataset:
        dataset["LWdown"].missing_value = np.float32(-9999.0)
        dataset["LWdown"].set_auto_mask(False)
        dataset["LWdown"][4, 0] = -9999.0
    with pytest.raises(InputError, match=r"LWdown is undefined .* at 2007-06-01T04:00:00, cell 0"):
        read_forcing(forcing_file)


def check_against(series: ForcingSeries, path: Path, cells: int) -> None:
    with xarray.open_dataset(path) as source:
        assert series.record_count == source.sizes["time"]
        assert series.cell_count == cells
        np.testing.assert_array_equal(series.times, source.time.values.astype("datetime64[s]"))
        rain = (source.Rainf + source.Snowf).values
        np.testing.assert_allclose(series.records["Rainf"], rain, rtol=1e-6)
        np.testing.assert_array_equal(series.records["Tair"], source.Tair.values.astype(np.float32))


def test_genuine_surfex_file(shared: Path) -> None:
    path = shared / "data" / "readers" / "FORCING_test_base.nc"
    series = read_forcing(path, "as_rain")
    check_against(series, path, cells=2)
    assert (series.start, series.step) == (np.datetime64("2010-08-01T06:00:00"), 3600)
    np.testing.assert_array_equal(series.altitude, [2400.0, 2700.0])
    np.testing.assert_array_equal(series.temperature_height, 1.5)
    assert "Wind_DIR" in series.records
    assert read_forcing(path).records["Snowf"].max() > 0.0
    with pytest.raises(InputError, match=r"2010-08-05T03:00:00, cell 1: the run has no snow scheme"):
        read_forcing(path, "error")


def test_genuine_case(shared: Path) -> None:
    path = shared / "data" / "cases" / "PuaAkala" / "FORCING.nc"
    series = read_forcing(path)
    check_against(series, path, cells=1)
    assert series.end == np.datetime64("2019-01-01T01:00:00")
    window = series.window(np.datetime64("2015-01-01T09:00:00"), np.datetime64("2015-01-02T09:00:00"), 1800.0)
    assert window.values.shape == (48, 10, 1)
    assert window.first_of_day.index(True) == 30
    assert bool(window.values.isfinite().all())
