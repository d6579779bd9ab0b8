"""Limited-area models, SURFEX files as a source, GRIB without its engine, and memory that does not grow."""

import tracemalloc
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.forcing import grib, prepare, writer
from dalearn.forcing.arome import AromeFiles
from dalearn.forcing.era5 import Era5
from dalearn.forcing.prepare import Cells, plan_forcing, write_plan
from dalearn.forcing.reader import read_forcing
from dalearn.forcing.series import ForcingSeries
from dalearn.forcing.source import ForcingSource
from dalearn.forcing.surfex import SurfexFiles

from .downloads import HOUR, LATITUDES, LONGITUDES, START, atmosphere, hours, write_era5

CELLS = Cells(np.array([43.5]), np.array([-0.25]), np.array([180.0]))
ROW, COLUMN = int(np.argmin(np.abs(LATITUDES - 43.5))), int(np.argmin(np.abs(LONGITUDES + 0.25)))


def prepared(source: ForcingSource, path: Path, cells: Cells = CELLS) -> ForcingSeries:
    write_plan(plan_forcing(source, cells), path)
    return read_forcing(path)


def arome(paths: list[Path]) -> AromeFiles:
    return AromeFiles(paths, CELLS.latitude, CELLS.longitude, temperature_height=2.0, wind_height=10.0)


UNITS = {
    "tas": "degC", "hurs": "%", "ps": "hPa", "sfcWind": "m s-1", "rsds": "W m-2", "rlds": "W m-2", "pr": "kg m-2 s-1",
    "t2m": "K", "d2m": "K", "sp": "Pa", "u10": "m s-1", "v10": "m s-1", "ssrd": "J m-2", "strd": "J m-2",
    "tirf": "kg m-2", "tsnowp": "kg m-2",
}  # fmt: skip


def test_mean_fluxes_under_cf_names(tmp_path: Path) -> None:
    times = hours(48)
    raw = atmosphere(times)
    fields = {
        "tas": raw["t2m"] - 273.15, "hurs": np.full_like(raw["t2m"], 65.0), "ps": raw["sp"] / 100.0,
        "sfcWind": np.hypot(raw["u10"], raw["v10"]), "rsds": raw["ssrd"] / 3600.0, "rlds": raw["strd"] / 3600.0,
        "pr": raw["tp"] / 3.6,
    }  # fmt: skip
    series = prepared(arome([write_era5(tmp_path / "a.nc", times, fields, units=UNITS)]), tmp_path / "FORCING.nc")
    at = {name: values[:, ROW, COLUMN] for name, values in raw.items()}
    vapour = 0.65 * 611.21 * np.exp(17.502 * (at["t2m"] - 273.16) / (at["t2m"] - 32.19))
    ratio = 287.0597 / 461.5250
    expected = {
        "Tair": at["t2m"], "PSurf": at["sp"], "Wind": np.hypot(at["u10"], at["v10"]), "LWdown": at["strd"] / 3600.0,
        "Qair": ratio * vapour / (at["sp"] - (1.0 - ratio) * vapour), "Rainf": at["tp"] / 3.6,
    }  # fmt: skip
    for name, values in expected.items():
        np.testing.assert_allclose(series.records[name][:, 0], values, rtol=2e-5, atol=1e-9)
    total = (series.records["DIR_SWdown"] + series.records["SCA_SWdown"])[:, 0]
    np.testing.assert_allclose(total, at["ssrd"] / 3600.0, rtol=1e-5, atol=1e-3)


def forecasts(folder: Path, first_step: int = 1) -> tuple[list[Path], dict[str, np.ndarray]]:
    """Two forecasts of 12 h, summed from their base times; the atmosphere behind them."""
    raw = atmosphere(hours(25))
    paths = []
    for base in (0, 12):
        rows = slice(base + first_step, base + 13)
        times = hours(25)[rows]
        fields = {name: raw[name][rows] for name in ("t2m", "d2m", "sp", "u10", "v10")}
        for name, source, factor in (("ssrd", "ssrd", 1.0), ("strd", "strd", 1.0), ("tirf", "tp", 1000.0),
                                     ("tsnowp", "sf", 1000.0)):  # fmt: skip
            fields[name] = factor * np.cumsum(raw[source][base + 1 : base + 13], axis=0)[first_step - 1 :]
        fields["tirf"] -= fields["tsnowp"]
        paths.append(write_era5(folder / f"run_{base:02d}.nc", times, fields, units=UNITS))
        with netCDF4.Dataset(paths[-1], "a") as file:
            reference = file.createVariable("forecast_reference_time", "i8", ())
            reference.units = "seconds since 1970-01-01"
            reference[...] = (START + base * HOUR - np.datetime64("1970-01-01", "s")).astype(np.int64)
    return paths, {name: values[1:, ROW, COLUMN] for name, values in raw.items()}


def test_sums_since_the_base_of_each_forecast(tmp_path: Path) -> None:
    paths, at = forecasts(tmp_path)
    series = prepared(arome(paths[::-1]), tmp_path / "FORCING.nc")
    assert series.record_count == 24
    np.testing.assert_allclose(series.records["LWdown"][:, 0], at["strd"] / 3600.0, rtol=1e-4)
    np.testing.assert_allclose(series.records["Rainf"][:, 0], (at["tp"] - at["sf"]) / 3.6, atol=1e-8)
    np.testing.assert_allclose(series.records["Snowf"][:, 0], at["sf"] / 3.6, atol=1e-8)
    total = (series.records["DIR_SWdown"] + series.records["SCA_SWdown"])[:, 0]
    np.testing.assert_allclose(total, at["ssrd"] / 3600.0, rtol=1e-4, atol=0.5)


def test_later_steps_alone_cannot_be_taken_apart(tmp_path: Path) -> None:
    paths, _ = forecasts(tmp_path, first_step=3)
    for path in paths:
        with netCDF4.Dataset(path) as file:
            assert len(file["valid_time"]) == 10
    # shift the second run so that the records stay hourly
    with netCDF4.Dataset(paths[1], "a") as file:
        file["valid_time"][:] = file["valid_time"][:] - 2 * 3600
        file["forecast_reference_time"][...] = int(file["forecast_reference_time"][...]) - 2 * 3600
    with pytest.raises(InputError, match="first steps of every forecast"):
        arome(paths)


def test_surfex_files_in_a_row(shared: Path, tmp_path: Path) -> None:
    """The alpine file, whole and cut in two with a shared record: the same forcing, that of the raw numbers."""
    path = shared / "data" / "readers" / "FORCING_test_base.nc"
    parts = []
    with netCDF4.Dataset(path) as file:
        for number, rows in enumerate((slice(0, 4001), slice(4000, 8761))):
            parts.append(tmp_path / f"{number}.nc")
            _copy(file, parts[-1], rows, "FORC_TIME_STEP" if number else "FRC_TIME_STP")
        raw = {name: np.asarray(file[name][:], np.float64) for name in ("Tair", "Rainf", "DIR_SWdown", "CO2air", "ZS")}
        place = {name: np.asarray(file[name][:], np.float64) for name in ("LAT", "LON")}
    cells = Cells(place["LAT"], place["LON"], np.full(2, np.nan))
    whole = prepared(SurfexFiles([path], temperature_height=2.0, wind_height=10.0), tmp_path / "a.nc", cells)
    joined = prepared(SurfexFiles(parts[::-1], temperature_height=2.0, wind_height=10.0), tmp_path / "b.nc", cells)
    assert whole.record_count == joined.record_count == 8761
    assert whole.start == np.datetime64("2010-08-01T06:00")
    # both points lie at the same place, at two altitudes: they keep their order
    assert np.ptp(place["LAT"]) == 0.0
    for name in ("Tair", "Rainf", "DIR_SWdown", "CO2air"):
        np.testing.assert_allclose(whole.records[name], raw[name], rtol=1e-6)
        np.testing.assert_array_equal(whole.records[name], joined.records[name])
    np.testing.assert_array_equal(whole.altitude, raw["ZS"])


def _copy(file: netCDF4.Dataset, path: Path, rows: slice, step_name: str) -> None:
    with netCDF4.Dataset(path, "w") as part:
        part.createDimension("time", rows.stop - rows.start)
        part.createDimension("Number_of_points", 2)
        for name, variable in file.variables.items():
            copy = part.createVariable(step_name if name == "FRC_TIME_STP" else name, "f8", variable.dimensions)
            copy.setncatts({key: variable.getncattr(key) for key in variable.ncattrs() if key != "_FillValue"})
            copy[...] = variable[rows] if variable.dimensions[:1] == ("time",) else variable[...]


def test_grib_needs_its_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    path = tmp_path / "arome.grib2"
    path.write_bytes(b"GRIB" + bytes(100))
    monkeypatch.setitem(sys.modules, "cfgrib", None)
    with (
        pytest.raises(InputError, match=r"arome\.grib2: GRIB needs the package cfgrib: install dalearn\[grib\]"),
        grib.unpacked([path]),
    ):
        pass
    other = tmp_path / "a.nc"
    other.write_bytes(b"CDF\1")
    with grib.unpacked([other]) as files:
        assert files == [other]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the days on a 40 x 40 grid: the same peak, a day or so of the fields."""
    monkeypatch.setattr(prepare, "VALUES_PER_BLOCK", 24 * 1600)
    monkeypatch.setattr(writer, "VALUES_PER_CHUNK", 24 * 1600)
    north, east = (axis.ravel() for axis in np.meshgrid(np.linspace(43.05, 43.95, 40), np.linspace(-0.7, 0.7, 40)))
    cells = Cells(north, east, np.full(1600, np.nan))
    peaks = []
    for days in (3, 30):
        times = hours(24 * days)
        path = write_era5(tmp_path / f"{days}.nc", times, atmosphere(times))
        source = Era5([path], north, east, land=False, temperature_height=2.0, wind_height=10.0)
        plan = plan_forcing(source, cells)
        tracemalloc.start()
        write_plan(plan, tmp_path / "FORCING.nc")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 40 * 24 * 1600 * 8  # forty fields of a day
