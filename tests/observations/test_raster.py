"""Means, nearest pixels and bilinear values against searches through all pixels, and across the seams of the globe."""

import numpy as np
import pytest
import xarray

from dalearn.experiments.prepare_sections import PrepareObservationsConfig
from dalearn.observations import raster_interpolation, raster_mean
from dalearn.observations.account import Account
from dalearn.observations.cell_boxes import cell_boxes
from dalearn.observations.raster import LAND_COVER, CellValues, PixelReader, Pixels
from dalearn.observations.raster_grid import RasterGrid
from dalearn.observations.raster_interpolation import RasterInterpolation
from dalearn.observations.raster_mean import RasterMean
from dalearn.observations.transverse_mercator import utm


def request_of(aggregate: str, valid_fraction: float = 0.5, tolerance_km: float = 15.0) -> PrepareObservationsConfig:
    return PrepareObservationsConfig(
        name="x", quantity="SSM", format="cgls_ssm", files=["x"], aggregate=aggregate,  # type: ignore[arg-type]
        valid_fraction=valid_fraction, tolerance_km=tolerance_km,
    )  # fmt: skip


def reader_of(value: np.ndarray, rejected: np.ndarray | None = None, error: np.ndarray | None = None) -> PixelReader:
    codes = np.zeros(value.shape, np.int8) if rejected is None else rejected.astype(np.int8)

    def read(rows: slice, columns: slice) -> Pixels:
        window = rows, columns
        return Pixels(value[window].astype("f4"), None if error is None else error[window].astype("f4"), codes[window])

    return read


def cells_of(latitudes: np.ndarray, longitudes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    latitude, longitude = np.meshgrid(latitudes, longitudes, indexing="ij")
    return latitude.ravel(), longitude.ravel()


def scattered(values: CellValues, count: int) -> np.ndarray:
    result = np.full(count, np.nan)
    result[values.cell] = np.where(values.rejected == 0, values.value, np.nan)
    return result


GRIDS: dict[str, tuple[RasterGrid, tuple[np.ndarray, np.ndarray]]] = {
    "south to north": (
        RasterGrid(40.05 + 0.1 * np.arange(40), 0.05 + 0.1 * np.arange(50)),
        cells_of(np.arange(40.25, 44, 0.5), np.arange(0.25, 5, 0.5)),
    ),
    "north to south": (
        RasterGrid(43.95 - 0.1 * np.arange(40), 0.05 + 0.1 * np.arange(50)),
        cells_of(np.arange(43.75, 40, -0.5), np.arange(0.25, 5, 0.5)),
    ),
    "cells across 180, raster from -180": (
        RasterGrid(10 - 0.5 * (0.5 + np.arange(40)), -180 + 0.5 * (0.5 + np.arange(720))),
        cells_of(np.arange(-8.0, 9, 2), np.arange(171.0, 190, 2)),
    ),
    "cells across 0, raster from 0 to 360": (
        RasterGrid(10 - 0.5 * (0.5 + np.arange(40)), 0.25 + 0.5 * np.arange(720)),
        cells_of(np.arange(-8.0, 9, 2), np.arange(-9.0, 10, 2)),
    ),
    "the pole": (
        RasterGrid(90 - 0.5 * (0.5 + np.arange(20)), -180 + 0.5 * (0.5 + np.arange(720))),
        cells_of(np.arange(81.0, 90, 2), np.arange(-175.0, 180, 10)),
    ),
}


def brute_force_mean(
    grid: RasterGrid, cells: tuple[np.ndarray, np.ndarray], value: np.ndarray, valid: np.ndarray, valid_fraction: float
) -> np.ndarray:
    """Mean of the pixels in the box of each cell, by looking at every pixel."""
    size = [np.diff(np.unique(axis)).min() for axis in cells]
    latitude, longitude = np.meshgrid(grid.y, grid.x, indexing="ij")
    result = np.full(len(cells[0]), np.nan)
    for cell, (north, east) in enumerate(zip(*cells, strict=True)):
        away = (longitude - east + 180.0) % 360.0 - 180.0
        inside = (np.abs(latitude - north) < size[0] / 2) & (np.abs(away) < size[1] / 2)
        if inside.any() and valid[inside].mean() >= valid_fraction:
            result[cell] = value[inside & valid].mean()
    return result


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("band", [10, 2_000_000])
def test_mean(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, name: str, band: int) -> None:
    monkeypatch.setattr(raster_mean, "PIXELS_AT_ONCE", band * 10)
    grid, cells = GRIDS[name]
    value = rng.uniform(0, 100, (len(grid.y), len(grid.x)))
    valid = rng.uniform(size=value.shape) < 0.55
    account = Account()
    code = account.code("water_mask")
    mean = RasterMean(request_of("mean"), account, grid, *cells)
    values = mean(reader_of(np.where(valid, value, np.nan), np.where(valid, 0, code)))
    expected = brute_force_mean(grid, cells, value.astype("f4"), valid, 0.5)
    np.testing.assert_allclose(scattered(values, len(cells[0])), expected, rtol=1e-5)
    assert 0 < np.isfinite(expected).sum() < len(expected) or name == "the pole"


def test_mean_says_why(rng: np.random.Generator) -> None:
    """The most frequent reason of a cell without valid pixels, too_few_valid where some are."""
    grid, cells = (
        RasterGrid(0.05 + 0.1 * np.arange(10), 0.05 + 0.1 * np.arange(20)),
        cells_of(np.array([0.25, 0.75]), np.array([0.25, 0.75, 1.25, 1.75])),
    )
    account = Account()
    water, slope = account.code("water_mask"), account.code("slope_mask")
    codes = np.zeros((10, 20), int)
    codes[:5, :5] = water
    codes[0, :5] = slope
    codes[:5, 5:10][np.arange(4)] = slope
    mean = RasterMean(request_of("mean"), account, grid, *cells)
    values = mean(reader_of(np.full((10, 20), 7.0), codes, np.full((10, 20), 2.0)))
    reasons = [account.names[code] for code in values.rejected]
    assert reasons == ["water_mask", "too_few_valid", *["kept"] * 6]
    assert values.value[1] == 7.0, "a rejected mean keeps its value"
    assert values.value[0] == 7.0, "and so does a cell of rejected pixels"
    np.testing.assert_allclose(values.error[1:], 2.0)


def test_other_land_covers_do_not_count() -> None:
    grid, cells = (
        RasterGrid(0.05 + 0.1 * np.arange(10), 0.05 + 0.1 * np.arange(10)),
        cells_of(np.array([0.25, 0.75]), np.array([0.25, 0.75])),
    )
    account = Account()
    cover = account.code(LAND_COVER)
    codes = np.zeros((10, 10), int)
    codes[:5, :5] = cover
    codes[0, 0] = 0
    codes[5:, 5:] = cover
    value = np.where(codes == 0, 5.0, 100.0)
    value[0, 0] = 3.0
    values = RasterMean(request_of("mean", 0.9), account, grid, *cells)(reader_of(value, codes))
    assert [account.names[code] for code in values.rejected] == ["kept", "kept", "kept", LAND_COVER]
    assert values.value[:3].tolist() == [3.0, 5.0, 5.0]


def test_a_raster_that_ends_inside_a_cell() -> None:
    """The missing pixels of a box count as not valid."""
    grid = RasterGrid(0.05 + 0.1 * np.arange(2), 0.05 + 0.1 * np.arange(10))
    account = Account()
    cells = cells_of(np.array([0.25, 0.75]), np.array([0.25, 0.75]))
    values = RasterMean(request_of("mean", 0.5), account, grid, *cells)(reader_of(np.ones((2, 10))))
    assert values.cell.tolist() == [0, 1]
    assert [account.names[code] for code in values.rejected] == ["too_few_valid", "too_few_valid"]
    values = RasterMean(request_of("mean", 0.4), account, grid, *cells)(reader_of(np.ones((2, 10))))
    assert values.rejected.tolist() == [0, 0]


def test_cells_off_a_grid_take_the_pixels_around_them(rng: np.random.Generator) -> None:
    grid = RasterGrid(43.0 - 0.01 * np.arange(100), 1.0 + 0.01 * np.arange(100))
    cells = np.array([42.5, 42.41, 42.7]), np.array([1.3, 1.35, 1.71])
    value = rng.uniform(size=(100, 100)).astype("f4")
    values = RasterMean(request_of("mean", tolerance_km=10.0), Account(), grid, *cells)(reader_of(value))
    latitude, longitude = np.meshgrid(grid.y, grid.x, indexing="ij")
    away = np.stack([
        np.hypot(latitude - north, (longitude - east) * np.cos(np.deg2rad(42.55))) * 111.19
        for north, east in zip(*cells, strict=True)
    ])  # fmt: skip
    for cell in range(3):
        inside = (away.argmin(axis=0) == cell) & (away[cell] < 10.0)
        np.testing.assert_allclose(values.value[cell], value[inside].mean(), rtol=2e-3)
        assert inside.sum() > 50


def test_mean_of_a_projected_raster() -> None:
    """A plane in latitude and longitude keeps its value at the centre of a cell."""
    projection = utm(31)
    grid = RasterGrid(4_900_000.0 - 500.0 * np.arange(200), 400_000.0 + 500.0 * np.arange(300), projection)
    latitude, longitude = grid.positions(slice(0, 200), slice(0, 300))
    cells = cells_of(np.arange(43.5, 44.2, 0.1), np.arange(2.0, 3.2, 0.1))
    mean = RasterMean(request_of("mean"), Account(), grid, *cells)
    values = mean(reader_of(10.0 * (latitude - 43.0) + longitude))
    inner = (cells[0] < 44.1) & (cells[0] > 43.45)
    expected = 10.0 * (cells[0] - 43.0) + cells[1]
    np.testing.assert_allclose(scattered(values, len(cells[0]))[inner], expected[inner], atol=0.02)
    nearest = RasterInterpolation(request_of("nearest"), Account(), grid, *cells)
    np.testing.assert_allclose(nearest(reader_of(latitude)).value, cells[0], atol=0.004)
    bilinear = RasterInterpolation(request_of("bilinear"), Account(), grid, *cells)
    np.testing.assert_allclose(bilinear(reader_of(longitude)).value, cells[1], atol=1e-6)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("band", [1000, 2_000_000])
def test_bilinear_equals_xarray(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, name: str, band: int
) -> None:
    monkeypatch.setattr(raster_interpolation, "PIXELS_AT_ONCE", band)
    grid, cells = GRIDS[name]
    latitude, longitude = cells[0] + 0.013, cells[1] + 0.017
    value = rng.uniform(0, 100, (len(grid.y), len(grid.x))).astype("f4")
    values = RasterInterpolation(request_of("bilinear"), Account(), grid, latitude, longitude)(reader_of(value))
    # three copies side by side make the globe one piece
    turns = (-360.0, 0.0, 360.0) if grid.wraps else (0.0,)
    around = xarray.DataArray(
        np.tile(value, (1, len(turns))).astype(float),
        {"y": grid.y, "x": np.concatenate([grid.x + t for t in turns])},
        ("y", "x"),
    )
    expected = around.interp(y=xarray.DataArray(latitude, dims="c"), x=xarray.DataArray(longitude, dims="c")).values
    np.testing.assert_allclose(
        scattered(values, len(latitude))[np.isfinite(expected)], expected[np.isfinite(expected)], rtol=1e-5
    )
    assert np.isfinite(expected).mean() > 0.7


def test_bilinear_leaves_out_invalid_pixels() -> None:
    grid = RasterGrid(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    account = Account()
    code = account.code("water_mask")
    read = reader_of(np.array([[1.0, 3.0], [5.0, np.nan]]), np.array([[0, 0], [0, code]]))
    where = np.array([0.5, 0.9, 1.0]), np.array([0.5, 0.9, 1.0])
    values = RasterInterpolation(request_of("bilinear"), account, grid, *where)(read)
    assert values.value[0] == 3.0, "three of four, renormalised"
    assert [account.names[found] for found in values.rejected] == ["kept", "too_few_valid", "water_mask"]


@pytest.mark.parametrize("name", GRIDS)
def test_nearest_equals_a_search(rng: np.random.Generator, name: str) -> None:
    grid, cells = GRIDS[name]
    latitude, longitude = cells[0] + 0.02, cells[1] - 0.03
    value = rng.uniform(0, 100, (len(grid.y), len(grid.x))).astype("f4")
    values = RasterInterpolation(request_of("nearest"), Account(), grid, latitude, longitude)(reader_of(value))
    for cell, found in zip(values.cell, values.value, strict=True):
        row = np.abs(grid.y - latitude[cell]).argmin()
        column = np.abs((grid.x - longitude[cell] + 180.0) % 360.0 - 180.0).argmin()
        assert found == value[row, column]
    assert len(values.cell) > 0.9 * len(latitude)


def test_boxes_of_a_grid_with_holes() -> None:
    latitude, longitude = cells_of(np.arange(40.0, 42, 0.25), np.arange(359.0, 362, 0.5) % 360)
    keep = np.ones(len(latitude), bool)
    keep[[3, 10, 20]] = False
    boxes = cell_boxes(latitude[keep], longitude[keep])
    assert boxes is not None
    assert (boxes.dy, boxes.dx) == (0.25, 0.5)
    found = boxes.cells(boxes.rows(latitude + 0.1), boxes.columns(longitude - 0.2))
    expected = np.where(keep, np.cumsum(keep) - 1, -1)
    np.testing.assert_array_equal(found, expected)
    assert cell_boxes(np.array([43.0]), np.array([1.0])) is None
    assert cell_boxes(np.array([43.0, 43.7, 44.0]), np.array([1.0, 1.2, 1.9])) is None
