"""Sentinel-1 plot moisture: packing, land cover filter, projected rasters."""

from typing import Any

import numpy as np
import pytest


def cover(products: Any, codes: np.ndarray) -> str:
    layers = {"discrete_classification": ("u1", codes, {"_FillValue": 255})}
    return str(products.raster("cover.nc", layers, products.north_to_south, products.west_to_east, None))


def test_means(products: Any, prepare: Any, prepared: Any) -> None:
    """Numbers are 5 x vol.%, 0 is no estimate; the date is in the name."""
    numbers = np.full((8, 8), 100)
    numbers[:4, :2] = 150
    numbers[4:, :4] = 0
    counts = prepare(
        "sentinel1_raster", products.sentinel1(numbers=numbers), *products.cells, aggregate="mean", error=0.05
    )
    assert counts == {"read": 4, "kept": 3, "no_estimate": 1}
    written = prepared()
    np.testing.assert_allclose(written["SSM"], [np.nan, 0.2, 0.25, 0.2], rtol=1e-6)
    assert written["when"][0] == np.datetime64("2017-06-01")
    np.testing.assert_allclose(written["SSM_error"], 0.05, rtol=1e-6)


@pytest.mark.parametrize("classes", [[30, 40], [40], [111]])
def test_land_cover_filter(products: Any, prepare: Any, prepared: Any, classes: list[int]) -> None:
    codes = np.full((8, 8), 111)
    codes[:, 0] = 30
    codes[:, 1] = 40
    numbers = np.full((8, 8), 50)
    numbers[:, 0], numbers[:, 1] = 100, 150
    counts = prepare(
        "sentinel1_raster", products.sentinel1(numbers=numbers), *products.cells, aggregate="mean", valid_fraction=0.9,
        land_cover=cover(products, codes), land_cover_classes=classes,
    )  # fmt: skip
    western = {(30, 40): 0.25, (40,): 0.3, (111,): 0.1}[tuple(classes)]
    written = prepared()
    np.testing.assert_allclose(written["SSM"][[0, 2]], western, rtol=1e-6)
    assert counts.get("land_cover", 0) == (0 if 111 in classes else 2)
    assert counts["read"] == 4


def test_utm(products: Any, prepare: Any, prepared: Any) -> None:
    latitude, longitude = (axis.ravel() for axis in np.meshgrid([43.1, 43.2, 43.3], [1.1, 1.2, 1.3], indexing="ij"))
    for aggregate in ("mean", "nearest", "bilinear"):
        counts = prepare("sentinel1_raster", products.sentinel1_utm(), latitude, longitude, aggregate=aggregate)
        assert counts == {"read": 9, "kept": 9}
        np.testing.assert_allclose(prepared()["SSM"], 0.2, rtol=1e-6)


def test_utm_by_its_number(products: Any, prepare: Any) -> None:
    crs = {"spatial_ref": 'PROJCS["WGS 84 / UTM zone 31N",AUTHORITY["EPSG","32631"]]'}
    assert prepare("sentinel1_raster", products.sentinel1_utm(crs=crs), 43.2, 1.2)["kept"] == 1


def test_utm_with_land_cover(products: Any, prepare: Any, prepared: Any) -> None:
    codes = np.full((8, 8), 20)
    codes[:4] = 40  # crops in the north
    latitude, longitude = products.cells
    counts = prepare(
        "sentinel1_raster", products.sentinel1_utm(), latitude, longitude, aggregate="mean",
        land_cover=cover(products, codes),
    )  # fmt: skip
    assert counts == {"read": 4, "kept": 2, "land_cover": 2}
    assert prepared()["reason"].tolist() == ["land_cover", "land_cover", "kept", "kept"]


def test_scenes_beside_each_other(products: Any, prepare: Any) -> None:
    """Of several scenes of a day some may lie elsewhere."""
    files = [
        products.sentinel1_utm("S2MP_20170602_a.nc"),
        products.sentinel1_utm("S2MP_20170602_b.nc", shift=200_000.0),
    ]
    assert prepare("sentinel1_raster", files, 43.2, 1.2) == {"read": 1, "kept": 1}
