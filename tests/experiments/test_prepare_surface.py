"""The surface map in the stage that makes inputs: made first, readable, run; the rest is put on its cells."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import netCDF4
import numpy as np
import pytest
import torch
import yaml

from dalearn.errors import InputError
from dalearn.experiments.config import load_config
from dalearn.experiments.pipeline import Pipeline
from dalearn.experiments.sections import LandConfig
from dalearn.experiments.surface import read_surface

from ..forcing.downloads import LONGITUDES, atmosphere, hours, write_era5
from ..surface_maps.rasters import GRID, land_cover, write_map, write_maps

DAYS = 3


@pytest.fixture
def region(tmp_path: Path) -> Path:
    """A configuration of 2 x 2 cells, of which the north-western one is a lake, with maps and ERA5 beside it."""
    files = write_maps(tmp_path / "maps")
    classes = land_cover()
    classes[4:14, 4:14] = 210
    write_map(files["land_cover"], {"lccs_class": (classes, {})})
    write_map(tmp_path / "maps" / "height.nc", {"tree_height": (15.0, {"units": "m"})})
    write_map(tmp_path / "maps" / "albedo.nc", {"vegetation_albedo_visible": (0.06, {"units": "1"})})
    latitude, longitude = np.arange(42.75, 44.6, 0.25)[::-1], np.arange(-0.25, 1.6, 0.25)
    fields = atmosphere(hours(24 * DAYS), latitude, longitude)
    write_era5(tmp_path / "era5.nc", hours(24 * DAYS), fields, latitude=latitude, longitude=longitude)
    maps = {
        "grid": GRID, "land_cover": "maps/cover.nc", "texture": "maps/texture.nc", "altitude": "maps/dem.nc",
        "tree_height": "maps/height.nc", "albedo": "maps/albedo.nc",
    }  # fmt: skip
    content = {
        "name": "region",
        "compile": False,
        "prepare": {"surface": maps, "forcing": {"format": "era5", "files": ["era5.nc"]}},
        "land": {"time_step": 3600},
        "open_loop": {"start": "2016-06-01", "end": "2016-06-02"},
    }
    path = tmp_path / "region.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def pipeline(path: Path) -> Pipeline:
    return Pipeline(load_config(path, run_directory=str(path.parent / "run")), ["test"])


def test_prepared_surface_runs(region: Path) -> None:
    run = pipeline(region)
    run.run(["inputs"])
    inputs = region.parent / "run" / "inputs"
    surface = read_surface(inputs / "surface.nc")
    assert surface.latitude.tolist() == [43.25, 43.25, 43.75]
    assert surface.longitude.tolist() == [0.25, 0.75, 0.75]
    np.testing.assert_allclose(surface.fraction.sum(axis=1), 1.0, atol=1e-12)
    assert surface.altitude is not None
    np.testing.assert_allclose(surface.altitude, 200.0)
    with netCDF4.Dataset(inputs / "surface.nc") as file:
        assert file.land_cover_file == "cover.nc"
        assert file.classes == "esa_cci"
        assert file.cells.startswith("read: 4; kept: 3;")
        np.testing.assert_allclose(file["urban_fraction"][:], [0.0, 0.0, 0.1], atol=1e-12)
        assert {name: file[name].units for name in ("altitude", "clay", "cell_size")} == {
            "altitude": "m", "clay": "1", "cell_size": "km"
        }  # fmt: skip
    with netCDF4.Dataset(inputs / "FORCING.nc") as file:
        np.testing.assert_array_equal(file["LAT"][:], surface.latitude)
        np.testing.assert_array_equal(file["LON"][:], surface.longitude)
        np.testing.assert_allclose(file["ZS"][:], 200.0)

    later = pipeline(region)
    assert later.is_done("inputs")
    setup = later.setup
    assert setup.grid.cell_count == 3
    trees = setup.grid.patch_of_column.numpy() == 4
    assert trees.any()
    np.testing.assert_allclose(setup.model.parameters.vegetation.vegetation_albedo_visible, 0.06, rtol=1e-6)
    half_degree = 0.5 * np.deg2rad(6371.0)
    expected = half_degree * np.sqrt(np.cos(np.deg2rad(43.25)))
    np.testing.assert_allclose(setup.model.parameters.cell_size[:2], expected, rtol=1e-4)
    state = setup.cold_start()
    start = np.datetime64("2016-06-01", "s")
    window = setup.window(start, start + np.timedelta64(3600, "s"))
    state, fluxes = setup.model.step(state, window.forcing(0, setup.grid.cell_of_column), True)
    for tree in (state, fluxes):
        for field in dataclasses.fields(tree):  # type: ignore[arg-type]
            values = getattr(tree, field.name)
            assert not isinstance(values, torch.Tensor) or bool(torch.isfinite(values).all()), field.name


def test_the_surface_is_the_one_in_memory(region: Path) -> None:
    """What the forcing was checked against before anything was written is what the file then holds."""
    run = pipeline(region)
    run._check()
    before = run.setup.surface
    assert not (region.parent / "run").exists()
    run.run(["inputs"])
    after = read_surface(region.parent / "run" / "inputs" / "surface.nc")
    for field in dataclasses.fields(after):
        one, other = getattr(before, field.name), getattr(after, field.name)
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other, err_msg=field.name)
        elif isinstance(one, dict):
            assert one.keys() == other.keys()
            assert all(np.array_equal(one[name], other[name]) for name in one)
        else:
            assert one == other, field.name
    first, again = (cells.parameters(LandConfig())[1].soil.porosity for cells in (before, after))
    assert torch.equal(first, again)


def test_products_are_made_for_its_cells_and_kept(region: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    calls: list[tuple[str, list[float]]] = []

    def prepare_observations(section: Any, files: Any, latitude: np.ndarray, longitude: Any, path: Path) -> Any:
        calls.append((section.name, latitude.tolist()))
        assert (path.parent / "surface.nc").is_file()
        raise InputError("ssm.csv: time: sort it")

    module = SimpleNamespace(prepare_observations=prepare_observations)
    monkeypatch.setitem(sys.modules, "dalearn.observations.prepare", module)
    content = yaml.safe_load(region.read_text())
    product = {"name": "SSM", "quantity": "SSM", "format": "ascat_table", "files": ["era5.nc"]}
    content["prepare"]["observations"] = [product]
    content["observations"] = [{"name": "SSM", "quantity": "SSM"}]
    region.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match="sort it"):
        pipeline(region).run(["inputs"])
    assert calls == [("SSM", [43.25, 43.25, 43.75])]
    made = region.parent / "run" / "inputs" / "surface.nc"
    when = made.stat().st_mtime_ns
    second = pipeline(region)
    monkeypatch.setattr(type(second.setup), "surface_maps", property(lambda setup: pytest.fail("made twice")))
    with pytest.raises(InputError, match="sort it"):
        second.run(["inputs"])
    assert made.stat().st_mtime_ns == when


def test_a_changed_map_or_limit_is_noticed(region: Path) -> None:
    pipeline(region).run(["inputs"])
    content = yaml.safe_load(region.read_text())
    content["prepare"]["surface"]["largest_urban_fraction"] = 0.05
    region.write_text(yaml.safe_dump(content))
    changed = pipeline(region)
    with pytest.raises(InputError, match=r"largest_urban_fraction: 0\.15 -> 0\.05"):
        changed.run(["inputs"])
    changed.run(["inputs"], force=True)
    assert read_surface(region.parent / "run" / "inputs" / "surface.nc").cell_count == 2
    write_map(region.parent / "maps" / "dem.nc", {"elevation": (300.0, {"units": "m"})})
    with pytest.raises(InputError, match=r"new contents of dem\.nc"):
        pipeline(region).run(["inputs"])
    pipeline(region).run(["inputs"], force=True)
    with netCDF4.Dataset(region.parent / "run" / "inputs" / "FORCING.nc") as file:
        np.testing.assert_allclose(file["ZS"][:], [300.0, 300.0])


def test_forcing_that_misses_the_cells_writes_nothing(region: Path) -> None:
    write_era5(region.parent / "era5.nc", hours(24), atmosphere(hours(24)), longitude=LONGITUDES - 1.0)
    with pytest.raises(InputError, match=r"era5\.nc"):
        pipeline(region).run(["inputs"])
    assert not (region.parent / "run").exists()
