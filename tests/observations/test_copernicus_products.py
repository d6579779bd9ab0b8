"""Copernicus Global Land LAI, SSM and SWI in their documented layout."""

from typing import Any

import netCDF4
import numpy as np
import pytest

from dalearn.errors import InputError


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize(
    "name", ["c_gls_LAI_201706100000_GLOBE_PROBAV_V2.0.2.nc", "c_gls_LAI300_201706100000_GLOBE_OLCI_V1.1.1.nc"]
)
def test_lai(products: Any, prepare: Any, prepared: Any, name: str, small: bool) -> None:
    """Flag bytes are masked by number: 211 to 254 would read as LAI of 7.03 to 8.47."""
    numbers = 30 + np.arange(64).reshape(8, 8)
    numbers[0, :5] = [210, 211, 254, 255, 0]
    flags = np.zeros((8, 8), int)
    flags[1, :3] = [1, 4, 2]
    path = products.lai(name, numbers, flags, small)
    latitude, longitude = np.meshgrid(products.north_to_south, products.west_to_east, indexing="ij")
    counts = prepare("cgls_lai", path, latitude.ravel(), longitude.ravel())
    assert counts == {
        "read": 64,
        "kept": 58,
        "flag_value": 2,
        "undefined": 1,
        "sea": 1,
        "filled": 1,
        "error_not_positive": 1,
    }
    written = prepared()
    first = written["LAI"].reshape(8, 8)[0, :5]
    np.testing.assert_allclose(first[[0, 4]], [7.0, 0.0], rtol=1e-6)
    assert np.isnan(first[1:4]).all()
    np.testing.assert_allclose(written["LAI"].reshape(8, 8)[1:], numbers[1:] / 30.0, rtol=1e-6)
    np.testing.assert_allclose(written["LAI_error"].reshape(8, 8)[2:], 0.2 * numbers[2:] / 30.0, rtol=1e-6)
    assert written["when"][0] == np.datetime64("2017-06-10T00:00:00")


def test_lai_version_1_has_snow_and_no_filling(products: Any, prepare: Any) -> None:
    flags = np.zeros((8, 8), int)
    flags[0, :3] = [1, 2, 4]
    path = products.lai("c_gls_LAI_201006100000_GLOBE_VGT_V1.5.1.nc", flags=flags)
    latitude, longitude = np.meshgrid(products.north_to_south, products.west_to_east, indexing="ij")
    counts = prepare("cgls_lai", path, latitude.ravel(), longitude.ravel())
    assert counts == {"read": 64, "kept": 62, "sea": 1, "snow": 1}


def test_lai_means(products: Any, prepare: Any, prepared: Any) -> None:
    numbers = np.full((8, 8), 60)
    numbers[:4, :4] = 90
    numbers[:2, :2] = 255  # a quarter of the north-western cell
    numbers[4:, 4:] = np.where(np.arange(16).reshape(4, 4) < 9, 254, 30)  # 9 of 16 in the south-east
    counts = prepare("cgls_lai", products.lai(numbers=numbers), *products.cells, aggregate="mean", relative_error=0.1)
    assert counts == {"read": 4, "kept": 3, "too_few_valid": 1}
    written = prepared()
    np.testing.assert_allclose(written["LAI"], [2.0, 1.0, 3.0, 2.0], rtol=1e-6)
    np.testing.assert_allclose(written["LAI_error"], 0.1 * written["LAI"], rtol=1e-6)
    assert written["reason"].tolist() == ["kept", "too_few_valid", "kept", "kept"]
    assert written["attributes"]["aggregation"] == "mean (arithmetic), valid fraction 0.5"


def test_the_most_consolidated_lai_of_a_date(products: Any, prepare: Any, prepared: Any) -> None:
    names = {
        "c_gls_LAI300-RT0_201706100000_GLOBE_OLCI_V1.1.1.nc": 30,
        "c_gls_LAI300-RT6_201706100000_GLOBE_OLCI_V1.1.1.nc": 60,
        "c_gls_LAI300-RT2_201706100000_GLOBE_OLCI_V1.1.1.nc": 90,
    }
    files = [products.lai(name, np.full((8, 8), number)) for name, number in names.items()]
    later = products.lai("c_gls_LAI300-RT0_201706200000_GLOBE_OLCI_V1.1.1.nc", np.full((8, 8), 15), day=17337.0)
    counts = prepare("cgls_lai", [later, *files], 43.1, 1.1)
    assert counts == {"read": 2, "kept": 2}
    assert prepared()["LAI"].tolist() == [2.0, 0.5]


def test_bilinear_lai(products: Any, prepare: Any, prepared: Any) -> None:
    numbers = np.tile(30 * np.arange(8) % 210, (8, 1))
    prepare("cgls_lai", products.lai(numbers=numbers), 43.2, 1.025 + 0.05 * 3.25, aggregate="bilinear")
    np.testing.assert_allclose(prepared()["LAI"], [3.25], rtol=1e-5)


def test_ssm(products: Any, prepare: Any, prepared: Any) -> None:
    numbers = np.full((8, 8), 60)
    numbers[0, :6] = [241, 242, 251, 252, 253, 230]
    latitude, longitude = np.meshgrid(products.north_to_south, products.west_to_east, indexing="ij")
    counts = prepare("cgls_ssm", products.ssm(numbers=numbers), latitude.ravel(), longitude.ravel())
    assert counts == {
        "read": 64, "kept": 58, "exceeding_min": 1, "exceeding_max": 1, "water_mask": 1, "sensitivity_mask": 1,
        "slope_mask": 1, "flag_value": 1,
    }  # fmt: skip
    written = prepared()
    assert set(written["SSM"][written["rejected"] == 0]) == {30.0}
    assert set(written["SSM_error"][written["rejected"] == 0]) == {6.0}


@pytest.mark.parametrize(
    ("quality", "state", "reason"),
    [(180, 1, "kept"), (98, 1, "few_measurements"), (180, 2, "frozen"), (180, 0, "kept")],
)
def test_swi(products: Any, prepare: Any, prepared: Any, quality: int, state: int, reason: str) -> None:
    path = products.swi(quality=quality, state=state)
    if reason == "kept":
        assert prepare("cgls_swi", path, 43.1, 1.1, time_scale=5, error=8.0) == {"read": 1, "kept": 1}
        assert (prepared()["SSM"].tolist(), prepared()["SSM_error"].tolist()) == ([40.0], [8.0])
    else:
        with pytest.raises(InputError, match=f"1 {reason}"):
            prepare("cgls_swi", path, 43.1, 1.1, time_scale=5)
    assert prepare("cgls_swi", path, 43.1, 1.1, time_scale=20)["read"] == 1 if state < 2 else True


def test_dates_and_period(products: Any, prepare: Any, prepared: Any) -> None:
    files = [products.lai(f"LAI_{day}.nc", day=17300.0 + day) for day in (20, 0, 10)]
    counts = prepare("cgls_lai", files, *products.cells, start="2017-05-20", end="2017-06-01")
    assert counts == {"read": 12, "kept": 4, "outside_period": 8}
    assert set(prepared()["when"]) == {np.datetime64("2017-05-24")}


def test_several_times_in_one_file(products: Any, prepare: Any, prepared: Any) -> None:
    path = products.lai()
    with netCDF4.Dataset(path) as one, netCDF4.Dataset(path.with_name("two.nc"), "w") as two:
        for name, size in (("time", 2), ("lat", 8), ("lon", 8)):
            two.createDimension(name, size)
        for name in ("lat", "lon"):
            two.createVariable(name, "f8", (name,))[:] = one[name][:]
        two.createVariable("time", "f8", ("time",)).units = "days since 1970-01-01"
        two["time"][:] = [17327.0, 17337.0]
        layer = two.createVariable("LAI", "u1", ("time", "lat", "lon"), fill_value=255)
        layer.set_auto_maskandscale(False)
        layer.scale_factor = 1.0 / 30.0
        layer[:] = np.stack([np.full((8, 8), 60), np.full((8, 8), 90)])
    assert prepare("cgls_lai", path.with_name("two.nc"), 43.1, 1.1) == {"read": 2, "kept": 2}
    np.testing.assert_allclose(prepared()["LAI"], [2.0, 3.0], rtol=1e-6)
