"""From maps to the cells of an experiment: shares, masks, gaps, heights, albedos."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.surface_maps.build import Rules, Sources, SurfaceMaps, build_surface
from dalearn.surface_maps.target import TargetGrid

from .rasters import GRID, land_cover, write_map, write_maps

RULES: dict[str, Any] = {
    "largest_water_fraction": 0.5,
    "largest_urban_fraction": 0.15,
    "largest_altitude": 1500.0,
    "fill_distance_km": 30.0,
}
SOUTH_WEST, SOUTH_EAST, NORTH_WEST, NORTH_EAST = range(4)


def built(maps: dict[str, Path], classes: str = "esa_cci", **rules: Any) -> SurfaceMaps:
    latitude, longitude = (tuple(GRID[name]) for name in ("latitude", "longitude"))
    target = TargetGrid.from_axes(latitude, longitude)  # type: ignore[arg-type]
    return build_surface(target, Sources(classes=classes, **maps), Rules(**{**RULES, **rules}))  # type: ignore[arg-type]


def shares(maps: SurfaceMaps, cell: int) -> dict[str, float]:
    row = maps.fraction[cell]
    return {name: round(float(share), 6) for name, share in zip(VEGETATION_TYPES, row, strict=True) if share}


def pixels(cell: int) -> tuple[slice, slice]:
    """Rows and columns of the pixels of one of the four cells."""
    return (slice(4, 14) if cell >= NORTH_WEST else slice(14, 24)), (slice(14, 24) if cell % 2 else slice(4, 14))


def test_shares_of_the_land(tmp_path: Path) -> None:
    maps = built(write_maps(tmp_path))
    assert maps.latitude.tolist() == [43.25, 43.25, 43.75, 43.75]
    assert maps.longitude.tolist() == [0.25, 0.75, 0.25, 0.75]
    assert shares(maps, SOUTH_WEST) == {"C3": 0.9, "C4": 0.1}
    assert shares(maps, SOUTH_EAST) == {"TEBD": 0.35, "SHRB": 0.075, "GRAS": 0.375, "NO": 0.2}
    assert shares(maps, NORTH_WEST) == {"C3": 0.9, "C4": 0.1}
    assert shares(maps, NORTH_EAST) == {"TENE": 0.7, "SHRB": 0.15, "GRAS": 0.15}
    np.testing.assert_allclose(maps.water_fraction, [0.0, 0.0, 0.3, 0.0], atol=1e-12)
    np.testing.assert_allclose(maps.urban_fraction, [0.0, 0.0, 0.0, 0.1], atol=1e-12)
    np.testing.assert_allclose(maps.fraction.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(maps.clay, 0.25, rtol=1e-6)
    np.testing.assert_allclose(maps.sand, 0.40, rtol=1e-6)
    np.testing.assert_allclose(maps.cell_size[:2], np.sqrt(55.6 * 55.6 * np.cos(np.deg2rad(43.25))), rtol=1e-3)
    assert maps.tree_height is None
    assert maps.counts["read"] == maps.counts["kept"] == 4


def test_cells_beyond_the_limits_are_left_out_and_counted(tmp_path: Path) -> None:
    files = write_maps(tmp_path)
    altitude = np.full((28, 28), 200.0)
    altitude[pixels(SOUTH_EAST)] = 1600.0
    write_map(files["altitude"], {"elevation": (altitude, {"units": "m"})})
    maps = built(files, largest_water_fraction=0.29, largest_urban_fraction=0.05)
    assert maps.latitude.tolist() == [43.25]
    counts = {reason: number for reason, number in maps.counts.items() if number}
    assert counts == {"read": 4, "kept": 1, "water": 1, "urban": 1, "too high": 1}
    with pytest.raises(InputError, match=r"cover\.nc: no cell of prepare\.surface\.grid is left \(4 read, .*1 water"):
        built(files, largest_water_fraction=0.29, largest_urban_fraction=0.05, largest_altitude=100.0)


def test_cells_without_data_are_left_out(tmp_path: Path) -> None:
    files = write_maps(tmp_path)
    classes = land_cover()
    classes[14:20, 4:14] = 0  # 60 % of the south-west
    classes[pixels(NORTH_WEST)][:4] = 0  # 40 % of the north-west, and all of its water
    altitude = np.full((28, 28), 200.0)
    altitude[pixels(NORTH_EAST)] = np.nan
    write_map(files["land_cover"], {"lccs_class": (classes, {})})
    write_map(files["altitude"], {"elevation": (altitude, {"units": "m"})})
    maps = built(files)
    assert list(zip(maps.latitude, maps.longitude, strict=True)) == [(43.25, 0.75), (43.75, 0.25)]
    assert maps.water_fraction.tolist() == [0.0, 0.0]
    assert (maps.counts["without land cover"], maps.counts["without altitude"]) == (1, 1)


def test_means_are_over_the_land(tmp_path: Path) -> None:
    """Where the map of altitude has the bottom of a lake, and that of soil some filler."""
    files = write_maps(tmp_path)
    water = land_cover() == 210
    altitude = np.where(water, -400.0, 300.0)
    write_map(files["altitude"], {"elevation": (altitude, {"units": "m"})})
    texture = {
        "clay": (np.where(water, 100.0, 20.0), {"units": "%"}),
        "sand": (np.where(water, 0.0, 50.0), {"units": "%"}),
    }
    write_map(files["texture"], texture)
    maps = built(files)
    np.testing.assert_allclose(maps.altitude, 300.0)
    np.testing.assert_allclose(maps.clay, 0.2, rtol=1e-6)
    np.testing.assert_allclose(maps.sand, 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("units", "factor"), [("%", 1.0), ("percent", 1.0), ("1", 0.01), ("", 0.01), ("g kg-1", 10.0), ("kg/kg", 0.01)]
)
def test_units_of_texture(units: str, factor: float, tmp_path: Path) -> None:
    files = write_maps(tmp_path)
    attributes = {"units": units} if units else {}
    texture = {"CLAY": (22.0 * factor, attributes), "SAND": (45.0 * factor, attributes)}
    write_map(files["texture"], texture, names=("latitude", "longitude"))
    maps = built(files)
    np.testing.assert_allclose(maps.clay, 0.22, rtol=1e-6)
    np.testing.assert_allclose(maps.sand, 0.45, rtol=1e-6)


def test_gaps_of_texture(tmp_path: Path) -> None:
    files = write_maps(tmp_path)
    clay, sand = np.full((28, 28), 20.0), np.full((28, 28), 50.0)
    clay[pixels(SOUTH_WEST)] = 30.0
    clay[pixels(NORTH_WEST)] = np.nan
    write_map(files["texture"], {"clay": (clay, {"units": "%"}), "sand": (sand, {"units": "%"})})
    near = built(files, fill_distance_km=60.0)
    assert near.clay[NORTH_WEST] == pytest.approx(0.2)  # 40 km east rather than 56 km south
    assert near.counts["texture from neighbours"] == 1
    far = built(files)
    assert (far.counts["kept"], far.counts["without texture"], far.counts["texture from neighbours"]) == (3, 1, 0)


def test_a_percent_too_much_of_texture_is_scaled(tmp_path: Path) -> None:
    files = write_maps(tmp_path)
    write_map(files["texture"], {"clay": (31.0, {"units": "%"}), "sand": (70.0, {"units": "%"})})
    maps = built(files)
    np.testing.assert_allclose(maps.clay + maps.sand, 1.0, rtol=1e-12)
    assert (maps.clay + maps.sand <= 1.0 + 1e-12).all()


def test_tree_height_is_that_of_forest_pixels(tmp_path: Path) -> None:
    files = write_maps(tmp_path)
    classes = land_cover()
    height = np.where(classes == 60, 12.0, np.where(classes == 70, 20.0, 3.0))
    height[14, 14:19] = 0.0  # forest pixels on which no tree was seen
    files["tree_height"] = write_map(tmp_path / "height.nc", {"canopy_height": (height, {"units": "m"})})
    maps = built(files)
    assert maps.tree_height is not None
    known = {
        (int(cell), VEGETATION_TYPES[kind]): float(maps.tree_height[cell, kind])
        for cell, kind in np.argwhere(np.isfinite(maps.tree_height))
    }
    assert known == {(SOUTH_EAST, "TEBD"): 12.0, (NORTH_EAST, "TENE"): 20.0}


def test_albedos_become_overrides(tmp_path: Path) -> None:
    files = write_maps(tmp_path)
    soil = np.full((28, 28), 14.0)
    soil[pixels(NORTH_EAST)] = np.nan
    files["albedo"] = write_map(
        tmp_path / "albedo.nc",
        {"soil_albedo_visible_dry": (soil, {"units": "%"}), "vegetation_albedo_visible": (0.07, {"units": "1"})},
    )
    overrides = built(files).overrides
    assert sorted(overrides) == ["soil_albedo_visible_dry", "vegetation_albedo_visible"]
    np.testing.assert_allclose(overrides["vegetation_albedo_visible"], 0.07, rtol=1e-6)
    np.testing.assert_allclose(overrides["soil_albedo_visible_dry"], [0.14, 0.14, 0.14, np.nan], rtol=1e-6)


def test_fractions_of_types(tmp_path: Path) -> None:
    """The legend ``ecoclimap``: nothing to translate, in whatever order of types, with water of its own."""
    files = write_maps(tmp_path)
    order = VEGETATION_TYPES[::-1]
    latitude, longitude = np.array([43.75, 43.25]), np.array([0.25, 0.75])
    fraction = np.zeros((19, 2, 2))
    fraction[order.index("TEBD")], fraction[order.index("C3")] = 0.2, [[0.6, 0.8], [0.8, 0.3]]
    water = 1.0 - fraction.sum(axis=0)
    with netCDF4.Dataset(files["land_cover"], "w") as file:
        for name, axis in (("lat", latitude), ("lon", longitude)):
            file.createDimension(name, 2)
            file.createVariable(name, "f8", (name,))[:] = axis
        file.createDimension("type", 19)
        file.createVariable("vegetation_type", str, ("type",))[:] = np.array(order, dtype=object)
        file.createVariable("fraction", "f8", ("type", "lat", "lon"))[:] = fraction
        file.createVariable("water_fraction", "f8", ("lat", "lon"))[:] = water
    maps = built(files, "ecoclimap")
    assert shares(maps, SOUTH_WEST) == {"TEBD": 0.2, "C3": 0.8}
    assert shares(maps, SOUTH_EAST) == {"TEBD": 0.4, "C3": 0.6}
    assert shares(maps, NORTH_WEST) == {"TEBD": 0.25, "C3": 0.75}
    np.testing.assert_allclose(maps.water_fraction, [0.0, 0.5, 0.2, 0.0], atol=1e-12)


def test_cgls_classes_from_gdal(tmp_path: Path) -> None:
    files = write_maps(tmp_path)
    classes = np.full((28, 28), 40, np.uint8)
    classes[pixels(SOUTH_WEST)] = 114
    classes[pixels(NORTH_EAST)] = 255
    write_map(files["land_cover"], {"Band1": (classes, {"_FillValue": 255})})
    maps = built(files, "cgls_lc100")
    assert maps.counts["without land cover"] == 1
    assert shares(maps, SOUTH_WEST) == {"TEBD": 0.85, "SHRB": 0.05, "GRAS": 0.1}


def test_a_height_above_ground_is_no_map(tmp_path: Path) -> None:
    """Files often have a scalar called height."""
    files = write_maps(tmp_path)
    files["tree_height"] = write_map(tmp_path / "height.nc", {"top_of_canopy": (18.0, {"units": "m"})})
    with netCDF4.Dataset(files["tree_height"], "a") as file:
        file.createVariable("height", "f8", ())[...] = 2.0
    maps = built(files)
    assert maps.tree_height is not None
    assert np.nanmax(maps.tree_height) == np.nanmin(maps.tree_height) == 18.0
