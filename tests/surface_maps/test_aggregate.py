"""Pixels to cells, against a plain loop over the pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dalearn.surface_maps.raster as rasters_module
from dalearn.surface_maps import aggregate
from dalearn.surface_maps.aggregate import ClassMap, Quantity, cell_means
from dalearn.surface_maps.legends import LEGENDS
from dalearn.surface_maps.neighbours import fill_from_neighbours
from dalearn.surface_maps.raster import open_map, raster
from dalearn.surface_maps.target import TargetGrid

from .rasters import write_map

LEGEND = LEGENDS["esa_cci"]
TARGET = TargetGrid.from_axes((43.15, 43.75, 0.3), (-0.65, 0.55, 0.4))  # 3 x 4 cells
NORTH = np.arange(42.9, 44.2, 0.07)
EAST = np.arange(-1.0, 1.0, 0.07)


def cells_of(latitude: np.ndarray, longitude: np.ndarray, target: TargetGrid) -> np.ndarray:
    """Number of the cell of each pixel by a loop, -1 outside."""
    south, _, west, _ = target.edges
    found = np.full((len(latitude), len(longitude)), -1)
    for row, north in enumerate(latitude):
        for column, east in enumerate(longitude):
            for turn in (-360.0, 0.0, 360.0):
                i, j = (north - south) / target.height, (east + turn - west) / target.width
                if 0.0 <= i < target.shape[0] and 0.0 <= j < target.shape[1]:
                    found[row, column] = int(i) * target.shape[1] + int(j)
    return found


LAYOUTS: dict[str, tuple[Callable[[], tuple[np.ndarray, np.ndarray]], dict[str, Any]]] = {
    "north up": (lambda: (NORTH[::-1], EAST), {}),
    "south up": (lambda: (NORTH, EAST), {}),
    "0 to 360, across the seam": (lambda: (NORTH, np.arange(0.0, 360.0, 0.08)), {}),
    "-180 to 180": (lambda: (NORTH[::-1], np.arange(-180.0, 180.0, 0.08)), {}),
    "longitude first": (lambda: (NORTH, EAST), {"transposed": True}),
    "with a time": (lambda: (NORTH, EAST), {"time": True}),
    "small chunks": (lambda: (NORTH[::-1], EAST), {"chunks": (4, 5)}),
    "west is right": (lambda: (NORTH[::-1], EAST[::-1]), {"chunks": (19, 3)}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("largest", [40, 4_000_000])
def test_counts_and_means_are_those_of_a_loop(
    layout: str, largest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if layout in ("0 to 360, across the seam", "-180 to 180") and largest == 40:
        largest = 200
    make, options = LAYOUTS[layout]
    latitude, longitude = make()
    random = np.random.default_rng(5)
    codes = random.choice(LEGEND.codes, (len(latitude), len(longitude))).astype(np.uint8)
    height = random.uniform(0.0, 1000.0, codes.shape).astype(np.float32)
    height[random.random(codes.shape) < 0.1] = np.nan
    path = write_map(tmp_path / "map.nc", {"lccs_class": (codes, {}), "dem": (height, {})}, latitude, longitude,
                     **options)  # fmt: skip
    inside = cells_of(latitude, longitude, TARGET)
    counts = np.zeros((TARGET.cell_count, len(LEGEND.codes)), int)
    sums, numbers = np.zeros(TARGET.cell_count), np.zeros(TARGET.cell_count)
    land = set(LEGEND.codes[LEGEND.land].tolist())
    for row, column in np.argwhere(inside >= 0):
        cell = inside[row, column]
        counts[cell, LEGEND.codes.tolist().index(codes[row, column])] += 1
        if codes[row, column] in land and np.isfinite(height[row, column]):
            sums[cell] += height[row, column]
            numbers[cell] += 1
    assert counts.sum(axis=1).min() > 5

    with open_map(path) as dataset:
        pieces = list(raster(path, dataset, ("lccs_class",)).blocks(TARGET, largest))
        assert len(pieces) > 1 or largest > 1000
        monkeypatch.setattr(rasters_module.Raster.blocks, "__defaults__", (largest,))
        monkeypatch.setattr(aggregate, "VALUES_PER_BLOCK", largest)
        places = ClassMap(raster(path, dataset, ("lccs_class",)), LEGEND)
        np.testing.assert_array_equal(places.counts(TARGET), counts)
        quantity = Quantity(raster(path, dataset, ("dem",)), 1.0, 0.0, 1e4)
        means = cell_means([quantity], TARGET, counted=places.where(LEGEND.land))
    np.testing.assert_allclose(means[0], sums / numbers, rtol=1e-6)


def test_the_mask_of_a_coarser_map_is_the_class_of_the_nearest_pixel(tmp_path: Path) -> None:
    latitude, longitude = np.arange(42.9, 44.2, 0.03)[::-1], np.arange(-1.0, 1.0, 0.03) % 360.0
    longitude = np.sort(longitude - 360.0 * (longitude > 180.0))
    codes = np.where(np.arange(len(longitude)) < len(longitude) // 2, 210, 10).astype(np.uint8)
    path = write_map(tmp_path / "cover.nc", {"lccs_class": (codes[None], {})}, latitude, longitude)
    with open_map(path) as dataset:
        mask = ClassMap(raster(path, dataset, ("lccs_class",)), LEGEND).where(LEGEND.land)
        here = mask(NORTH, EAST % 360.0)
    border = longitude[len(longitude) // 2] - 0.015
    np.testing.assert_array_equal(here, np.broadcast_to(border < EAST, here.shape))


def test_a_map_coarser_than_the_cells_is_interpolated(tmp_path: Path) -> None:
    latitude, longitude = np.arange(42.0, 46.0, 0.5), np.arange(-3.0, 3.0, 0.5)
    plane = 100.0 + 20.0 * latitude[:, None] - 7.0 * longitude
    path = write_map(tmp_path / "dem.nc", {"dem": (plane, {})}, latitude, longitude)
    with open_map(path) as dataset:
        means = cell_means([Quantity(raster(path, dataset, ("dem",)), 1.0, 0.0, 1e4)], TARGET)
    north, east = TARGET.cells()
    np.testing.assert_allclose(means[0], 100.0 + 20.0 * north - 7.0 * east, rtol=1e-6)


def test_signed_bytes_are_unsigned_codes(tmp_path: Path) -> None:
    """The maps of ESA store 130 and above as negative bytes."""
    codes = np.full((len(NORTH), len(EAST)), 210, np.uint8).view(np.int8)
    attributes = {"_Unsigned": "true", "_FillValue": np.int8(0), "valid_min": np.int8(1), "valid_max": np.int8(-36)}
    path = write_map(tmp_path / "cover.nc", {"lccs_class": (codes, attributes)}, NORTH, EAST)
    with open_map(path) as dataset:
        counts = ClassMap(raster(path, dataset, ("lccs_class",)), LEGEND).counts(TARGET)
    assert counts[:, LEGEND.codes.tolist().index(210)].min() > 0
    assert counts.sum() == counts[:, LEGEND.codes.tolist().index(210)].sum()


def test_cell_sizes_are_areas_on_the_sphere() -> None:
    globe = TargetGrid.from_axes((-87.5, 87.5, 5.0), (-177.5, 177.5, 5.0))
    assert (globe.cell_size() ** 2).sum() == pytest.approx(4.0 * np.pi * 6371.0**2, rel=1e-12)


def test_texture_comes_from_the_nearest_cell_within_reach() -> None:
    target = TargetGrid.from_axes((40.0, 42.0, 0.5), (0.0, 3.0, 0.5))
    values = np.full((2, target.cell_count), np.nan).reshape(2, *target.shape)
    values[:, 2, 2], values[:, 2, 4] = [0.1, 0.2], [0.3, 0.4]
    wanted = np.ones(target.shape, bool)
    wanted[1, 2] = False
    filled = fill_from_neighbours(values.reshape(2, -1), wanted.ravel(), target, 60.0).reshape(values.shape)
    assert filled[:, 2, 1].tolist() == [0.1, 0.2]
    assert filled[:, 3, 4].tolist() == [0.3, 0.4]
    assert np.isnan(filled[:, 1, 1]).all()  # 69 km away
    assert np.isnan(filled[:, 0, 2]).all()  # 111 km away
    assert np.isnan(filled[:, 1, 2]).all()  # not wanted
    assert np.isfinite(filled[0]).sum() == np.isfinite(values[0]).sum() + 6


def test_a_coarse_map_in_one_chunk_takes_little_of_the_land_cover_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Soil of 0.1 degree, stored as one piece, over land cover of 0.002 degrees."""
    fine = np.arange(43.0, 44.0, 0.002)
    codes = np.where(np.arange(len(fine)) % 100 < 50, 10, 210).astype(np.uint8)[:, None]
    cover = write_map(tmp_path / "cover.nc", {"lccs_class": (codes, {})}, fine, fine - 43.5, chunks=(50, 50))
    coarse = np.arange(43.01, 44.0, 0.1)
    clay = np.arange(10.0)[:, None]
    soil = write_map(tmp_path / "soil.nc", {"clay": (clay, {})}, coarse, coarse - 43.5, chunks=(10, 10))
    target = TargetGrid.from_axes((43.25, 43.75, 0.5), (-0.25, 0.25, 0.5))
    monkeypatch.setattr(aggregate, "VALUES_PER_BLOCK", 20_000)
    largest = []
    with open_map(cover) as first, open_map(soil) as second:
        places = ClassMap(raster(cover, first, ("lccs_class",)), LEGEND)
        read = places.classes

        def classes(rows: slice, columns: slice) -> np.ndarray:
            found = read(rows, columns)
            largest.append(found.size)
            return found

        monkeypatch.setattr(places, "classes", classes)
        quantity = Quantity(raster(soil, second, ("clay",)), 1.0, 0.0, 100.0)
        means = cell_means([quantity], target, counted=places.where(LEGEND.land))
    assert max(largest) <= 20_000
    np.testing.assert_allclose(means[0], [2.0, 2.0, 7.0, 7.0])


@pytest.mark.parametrize(("near", "far"), [((1, 2), (2, 1)), ((1, 0), (0, 1)), ((1, 0), (2, 1)), ((1, 2), (0, 1))])
def test_the_nearer_of_two_cells_gives_its_texture(near: tuple[int, int], far: tuple[int, int]) -> None:
    """East and west are nearer than north and south, in whatever order they are looked at."""
    target = TargetGrid.from_axes((44.0, 45.0, 0.5), (0.0, 1.0, 0.5))
    values = np.full((1, 3, 3), np.nan)
    values[0][near], values[0][far] = 0.1, 0.9
    filled = fill_from_neighbours(values.reshape(1, -1), np.ones(9, bool), target, 60.0).reshape(3, 3)
    assert filled[1, 1] == 0.1
