"""The files of the twin, and the run of the truth on the land model."""

import dataclasses
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.experiments.surface import read_surface
from dalearn.forcing.reader import read_forcing
from dalearn.observations.files import read_observations
from dalearn.twin.build import (
    INPUTS,
    build_twin,
    join_truth,
    make_world,
    random_streams,
    run_true_land,
    twin_surface,
    with_rain_errors,
    yearly_rain,
)
from dalearn.twin.settings import TwinSettings
from dalearn.twin.truth_run import TruthRun, output_names
from dalearn.twin.weather import generate_weather
from dalearn.variables import VARIABLES


class ShortSettings(TwinSettings):
    """Years of two days, so that the truth runs in a moment."""

    def after(self, years: int) -> np.datetime64:
        return self.first_day + 2 * years


SETTINGS = ShortSettings(start="2015-07-20", years=1, spin_up=1, cells=(0, 9), lai_interval=1, seed=4)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("twin")
    steps: list[tuple[int, int]] = []
    files = build_twin(directory, SETTINGS, compiled=False, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert sorted(files) == sorted([*(directory / "inputs" / name for name in INPUTS), directory / "truth.nc"])
    return directory


def test_the_readers_take_the_inputs(twin: Path) -> None:
    surface = read_surface(twin / "inputs" / "surface.nc")
    assert surface.name == ("SBR", "CDM")
    forcing = read_forcing(twin / "inputs" / "FORCING.nc", "error")
    assert forcing.record_count == 49
    assert forcing.cell_count == 2
    for name, quantity, units in (
        ("sigma0.nc", "sigma0", "dB"),
        ("lai.nc", "LAI", "m2 m-2"),
        ("ssm_satellite.nc", "SSM", "%"),
        ("ssm_in_situ.nc", "SSM", "m3 m-3"),
    ):
        observations = read_observations(twin / "inputs" / name)
        assert (observations.quantity, observations.units) == (quantity, units)
        assert len(observations) > 0
        assert np.isfinite(observations.error).all()
        assert observations.counts["kept"] == observations.counts["read"]


def test_the_truth_is_hourly_and_physical(twin: Path) -> None:
    with netCDF4.Dataset(twin / "truth.nc") as file:
        assert file["WG2"].dimensions == ("time", "cell")
        time = netCDF4.num2date(file["time"][:], file["time"].units)
        values = {name: file[name][:] for name in output_names()}
    assert str(time[0]) == "2015-07-20 01:00:00"
    assert str(time[-1]) == "2015-07-22 00:00:00"
    assert len(time) == 48
    for name, series in values.items():
        assert np.isfinite(series).all(), name
    assert 0.01 < values["WG2"].min() < values["WG2"].max() < 0.5
    assert 280.0 < values["TG2"].min() < values["TG2"].max() < 325.0
    # Condom in July: two thirds of the cell are stubble
    assert values["LAI"][-1, 1] < values["LAI"][-1, 0]


def test_the_rain_that_the_model_sees_is_wrong_and_nothing_else_is() -> None:
    surface = twin_surface(SETTINGS)
    place = surface.latitude, surface.longitude, surface.altitude
    weather = generate_weather(*place, np.datetime64("2015-01-01"), 60, 1)
    seen = with_rain_errors(weather, SETTINGS, random_streams(1)["rain"])
    for name, values in weather.records.items():
        assert np.array_equal(values, seen.records[name]) == (name != "Rainf")
    assert np.array_equal(weather.records["Rainf"] > 0.0, seen.records["Rainf"] > 0.0)


def test_parts_of_the_truth_join_to_the_whole() -> None:
    settings = ShortSettings(start="2015-07-20", years=1, spin_up=1, cells=(0, 9, 14), seed=4)
    world = make_world(settings)

    def truth(cells: slice = slice(None)) -> TruthRun:
        random = random_streams(settings.seed)
        return run_true_land(settings, world.surface, world.weather, random, compiled=False, cells=cells)

    whole, joined = truth(), join_truth([truth(slice(0, 2)), truth(slice(2, 3))])
    assert np.array_equal(whole.time, joined.time)
    for name, values in whole.values.items():
        assert values.shape == (48, 3)
        assert joined.values[name] == pytest.approx(values, rel=1e-6), name


def test_a_doubled_cloudburst_is_still_rain_that_the_reader_takes() -> None:
    surface = twin_surface(SETTINGS)
    weather = generate_weather(
        surface.latitude, surface.longitude, surface.altitude, np.datetime64("2015-06-01"), 90, 1
    )
    burst = np.full_like(weather.records["Rainf"], 0.0125)
    weather = dataclasses.replace(weather, records={**weather.records, "Rainf": burst})
    settings = dataclasses.replace(SETTINGS, rain_noise=0.5)
    seen = with_rain_errors(weather, settings, random_streams(2)["rain"]).records["Rainf"]
    assert seen.max() == pytest.approx(VARIABLES["Rainf"].valid_range[1])
    assert seen.min() < 0.0125


def test_the_truth_can_be_kept_every_few_hours(twin: Path, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, truth_hours=3)
    build_twin(tmp_path, settings, compiled=False)
    with netCDF4.Dataset(twin / "truth.nc") as hourly, netCDF4.Dataset(tmp_path / "truth.nc") as sparse:
        assert np.array_equal(sparse["time"][:], hourly["time"][2::3])
        assert np.array_equal(sparse["WG2"][:], hourly["WG2"][2::3])
    for name in ("sigma0.nc", "ssm_in_situ.nc"):
        dense, thin = (read_observations(folder / "inputs" / name) for folder in (twin, tmp_path))
        assert np.array_equal(dense.value, thin.value)


def test_wet_and_dry_years_are_drawn_from_the_seed() -> None:
    given = TwinSettings(rain_anomaly=(0.8, 1.1))
    assert yearly_rain(given, np.random.default_rng(0)) == (0.8, 1.1)
    drawn = TwinSettings(years=2000, rain_variability=0.15)
    years = np.array(yearly_rain(drawn, random_streams(1)["years"]))
    assert len(years) >= 2001
    assert years.mean() == pytest.approx(1.0, abs=0.02)
    assert years.std() == pytest.approx(0.15, rel=0.15)
    assert yearly_rain(drawn, random_streams(1)["years"]) == tuple(years)


def test_the_southwest_has_its_cells(tmp_path: Path) -> None:
    assert twin_surface(TwinSettings(region="southwest")).cell_count == 247
    chosen = twin_surface(TwinSettings(region="southwest", cells=(246, 0)))
    assert chosen.latitude.tolist() == [42.125, 45.875]


def test_the_same_settings_make_the_same_twin(twin: Path, tmp_path: Path) -> None:
    build_twin(tmp_path, SETTINGS, compiled=False)
    for name, variables in (
        ("inputs/FORCING.nc", ("Tair", "Rainf")),
        ("inputs/sigma0.nc", ("sigma0",)),
        ("inputs/lai.nc", ("LAI",)),
        ("inputs/ssm_in_situ.nc", ("SSM",)),
        ("truth.nc", ("WG2", "LAI")),
    ):
        with netCDF4.Dataset(twin / name) as first, netCDF4.Dataset(tmp_path / name) as second:
            for variable in variables:
                assert np.array_equal(first[variable][:], second[variable][:]), f"{name} {variable}"


def test_an_unwritable_directory_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "surface.nc").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        build_twin(tmp_path, SETTINGS, compiled=False)
