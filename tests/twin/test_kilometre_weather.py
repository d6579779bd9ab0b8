"""The weather of the 1 km regions: on the grid of the model, and on the cells as `prepare` brings it there."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest
import torch

from dalearn.forcing.arome import AromeFiles
from dalearn.forcing.prepare import Cells, plan_forcing, write_plan
from dalearn.forcing.reader import read_forcing
from dalearn.twin.build import make_world, random_streams
from dalearn.twin.kilometre.build import KilometreWorld, write_kilometre_forcing
from dalearn.twin.kilometre.regions import REGIONS
from dalearn.twin.kilometre.weather import CellWeather, draw_region_weather, plan_cells, weather_of_cells
from dalearn.twin.settings import TwinSettings
from dalearn.twin.weather import generate_weather

DAYS = 25  # more than two blocks of the truth
SETTINGS = TwinSettings(
    region="montpellier", areas=("ales",), start="2018-06-20", length_days=DAYS, seed=5,
    cells=tuple(range(0, 870, 145)), rain_bias=0.2, rain_noise=0.3,
)  # fmt: skip


@pytest.fixture(scope="module")
def world() -> KilometreWorld:
    made = make_world(SETTINGS)
    assert isinstance(made, KilometreWorld)
    return made


def test_a_node_has_its_weather_whatever_the_cells_are(world: KilometreWorld) -> None:
    region, surface = REGIONS["montpellier"], world.surface
    few = weather_of_cells(region, world.source.drawn, surface.select([0]))
    rows = slice(100, 172)
    whole, part = world.source.read(rows), few.read(rows)
    places = np.stack([world.source.points.latitude, world.source.points.longitude], axis=1).round(4).tolist()
    for node in few.used:
        here = [round(float(few.points.latitude[node]), 4), round(float(few.points.longitude[node]), 4)]
        same = places.index(here)
        for name, values in part.items():
            assert np.array_equal(values[:, node], whole[name][:, same]), name


def test_blocks_join_without_a_seam(world: KilometreWorld) -> None:
    together = world.source.read(slice(0, 24 * DAYS + 1))
    for first, last in ((0, 240), (240, 241), (250, 300), (24 * DAYS - 5, 24 * DAYS + 1)):
        for name, values in world.source.read(slice(first, last)).items():
            assert np.array_equal(values, together[name][first:last], equal_nan=True), name


def test_where_it_was_drawn_it_is_the_weather_of_the_coarse_twin(world: KilometreWorld) -> None:
    drawn = world.source.drawn
    coarse = generate_weather(
        drawn.latitude, drawn.longitude, drawn.altitude, SETTINGS.first_day, DAYS, SETTINGS.seed, SETTINGS.rain_anomaly
    )
    assert drawn.east == pytest.approx(drawn.longitude + 0.5)
    assert set(drawn.records(slice(0, 24))) == set(coarse.records)
    temperature = drawn.records(slice(0, 24))["Tair"]
    # another climate of rain, the same seasons and clouds but for what depends on it
    assert np.abs(temperature - coarse.records["Tair"][:24]).max() < 6.0


def test_cells_get_what_prepare_makes_of_an_arome_file(world: KilometreWorld, tmp_path: Path) -> None:
    source, surface = world.source, world.surface
    rows = slice(0, 24 * DAYS + 1)
    records, shape = source.read(rows), source.points.grid.shape
    mean = {name: float(np.nanmean(values)) for name, values in records.items()}
    with netCDF4.Dataset(tmp_path / "arome.nc", "w") as file:
        file.createDimension("time", rows.stop)
        for name, values, unit in (
            ("latitude", source.points.grid.latitude, "degrees_north"),
            ("longitude", source.points.grid.longitude, "degrees_east"),
        ):
            file.createDimension(name, len(values))
            file.createVariable(name, "f8", (name,))[:] = values
            file[name].units = unit
        file.createVariable("time", "f8", ("time",))[:] = 3600.0 * np.arange(rows.stop)
        file["time"].units = f"seconds since {str(source.times[0]).replace('T', ' ')}"
        file.createVariable("ZS", "f8", ("latitude", "longitude"))[:] = source.points.altitude.reshape(shape)
        units = {
            "Tair": "K", "Qair": "kg kg-1", "PSurf": "Pa", "Wind_E": "m s-1", "Wind_N": "m s-1", "SWdown": "W m-2",
            "DIR_SWdown": "W m-2", "LWdown": "W m-2", "Rainf": "kg m-2 s-1", "Snowf": "kg m-2 s-1",
        }  # fmt: skip
        records["SWdown"] = records["DIR_SWdown"] + records["SCA_SWdown"]
        mean["SWdown"] = 0.0
        for name, unit in units.items():  # nodes that no cell needs may hold anything
            filled = np.where(np.isnan(records[name]), mean[name], records[name])
            file.createVariable(name, "f4", ("time", "latitude", "longitude"))[:] = filled.reshape(-1, *shape)
            file[name].units = unit
    files = AromeFiles(
        [tmp_path / "arome.nc"], surface.latitude, surface.longitude, temperature_height=2.0, wind_height=10.0
    )
    cells = Cells(surface.latitude, surface.longitude, surface.altitude)
    write_plan(plan_forcing(files, cells, altitude_correction=True), tmp_path / "prepared.nc")
    prepared = read_forcing(tmp_path / "prepared.nc")
    write_plan(plan_cells(source, surface), tmp_path / "twin.nc")
    twin = read_forcing(tmp_path / "twin.nc")
    assert set(prepared.records) == set(twin.records)
    for name, values in twin.records.items():
        scale = np.abs(values).max() + 1e-12
        assert np.abs(values - prepared.records[name]).max() <= 2e-5 * scale, name
    assert np.array_equal(twin.altitude, surface.altitude)


def test_rain_lies_between_that_of_the_nodes_and_is_none_where_it_is_dry(world: KilometreWorld) -> None:
    plan = plan_cells(world.source, world.surface)
    rows = slice(0, 24 * DAYS + 1)
    nodes = np.nan_to_num(world.source.read(rows)["Rainf"])[:, plan.weights.index]
    weather = CellWeather(plan)
    window = weather.window(SETTINGS.first_day, SETTINGS.first_day + 1, 3600.0, torch.float64)
    rain = window.values[:, 6].numpy()
    around = nodes[1:25]
    assert (rain <= around.max(axis=1) + 1e-9).all()
    assert (rain >= around.min(axis=1) - 1e-9).all()
    assert nodes.max() > 0.0


def test_higher_cells_are_colder(world: KilometreWorld) -> None:
    plan = plan_cells(world.source, world.surface)
    assert plan.rise is not None
    assert np.abs(plan.rise).max() > 5.0  # there is something to correct
    flat = plan_cells(world.source, world.surface)
    flat = type(flat)(**{**flat.__dict__, "rise": np.zeros_like(flat.rise)})
    mean = CellWeather(plan).mean_temperature(DAYS) - CellWeather(flat).mean_temperature(DAYS)
    assert mean == pytest.approx(-0.006 * plan.rise)


def test_the_forecast_has_other_amounts_on_the_same_days(world: KilometreWorld, tmp_path: Path) -> None:
    write_kilometre_forcing(tmp_path / "seen.nc", SETTINGS, world, random_streams(SETTINGS.seed)["rain"], {})
    write_plan(plan_cells(world.source, world.surface), tmp_path / "true.nc")
    seen, true = (read_forcing(tmp_path / f"{name}.nc").records for name in ("seen", "true"))
    for name in seen:
        if name != "Rainf":
            assert np.array_equal(seen[name], true[name]), name
    wet = true["Rainf"] > 1e-6
    assert np.array_equal(seen["Rainf"] > 0.0, true["Rainf"] > 0.0)
    ratio = seen["Rainf"][wet] / true["Rainf"][wet]
    assert 0.1 < np.log(ratio).std() < 0.6
    days = (np.maximum(np.arange(24 * DAYS + 1) - 1, 0) // 24)[:, None] * np.ones_like(true["Rainf"], int)
    of_day = [np.ptp(np.log(ratio[days[wet] == day])) for day in np.unique(days[wet])]
    assert np.median(of_day) < 0.2  # one factor a day, nearly the same within the region


def test_windows_of_the_truth_do_not_depend_on_the_blocks(world: KilometreWorld) -> None:
    weather = CellWeather(plan_cells(world.source, world.surface))
    whole = weather._series(slice(0, 24 * DAYS + 1))
    for day in (0, 9, 10, 24):
        start = (SETTINGS.first_day + day).astype("datetime64[s]")
        one = weather.window(start, start + np.timedelta64(1, "D"), 1800.0, torch.float64)
        other = whole.window(start, start + np.timedelta64(1, "D"), 1800.0, torch.float64)
        assert torch.equal(one.values, other.values)
    part = weather.select(slice(2, 4)).window(start, start + np.timedelta64(1, "D"), 1800.0, torch.float64)
    assert torch.equal(part.values, one.values[:, :, 2:4])


def test_dry_years_have_less_rain() -> None:
    settings = TwinSettings(region="montpellier", start="2017-01-01", years=3, seed=3, rain_anomaly=(1.0, 1.3, 0.6))
    drawn = draw_region_weather(REGIONS["montpellier"], settings, settings.rain_anomaly)
    hours = (drawn.start + np.arange(drawn.hours).astype("timedelta64[h]")).astype("datetime64[Y]").astype(int) - 47
    total = [3600.0 * drawn.rainfall[hours == year].sum(axis=0).mean() for year in range(3)]
    assert total[2] < 0.8 * total[0] < total[1]
    assert 350.0 < np.mean(total) < 1100.0
