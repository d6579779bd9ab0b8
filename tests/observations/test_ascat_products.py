"""ASCAT products written in their documented layouts: names, flags, masks, passes, choice of points."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import netCDF4
import numpy as np
import pytest

from dalearn.errors import InputError, MissingExtraError
from dalearn.observations.files import read_observations


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    ("quantity", "first", "step", "error"), [("sigma0", -10.0, -0.1, 0.2), ("SSM", 20.0, 1.0, 3.0)]
)
def test_cell_files(
    products: Any, prepare: Any, prepared: Any, indexed: bool, old: bool, quantity: str, first: float, step: float,
    error: float,
) -> None:  # fmt: skip
    """Contiguous and indexed arrays, both generations of names, a masked location; the nearest point speaks."""
    counts = prepare("hsaf_cells", products.hsaf(indexed=indexed, old=old), 43.01, 1.0, quantity=quantity)
    assert counts == {"read": 12, "kept": 6, "other_location": 6}
    written = prepared()
    kept = written["reason"] == "kept"
    number = np.arange(12).reshape((6, 2) if indexed else (2, 6))
    number = number[:, 0] if indexed else number[0]
    np.testing.assert_allclose(written[quantity][kept], first + step * number, rtol=1e-6)
    np.testing.assert_allclose(
        written[f"{quantity}_error"][kept], error + (0.01 if quantity == "sigma0" else 0.1) * number, rtol=1e-5
    )
    days = np.datetime64("1900-01-01") + np.timedelta64(40000, "D") + np.arange(6) + np.timedelta64(34560, "s")
    np.testing.assert_array_equal(written["when"][kept], days)
    assert np.isfinite(written[quantity]).all(), "rejected samples keep their values"


def change(path: Path, name: str, values: Any, where: Any = slice(None)) -> Path:
    with netCDF4.Dataset(path, "a") as dataset:
        dataset[name].set_auto_maskandscale(False)
        dataset[name][where] = values
    return path


def test_fills_and_flags(products: Any, prepare: Any, prepared: Any) -> None:
    path = products.hsaf()
    change(path, "surface_soil_moisture", [-999999.0, np.nan], slice(0, 2))
    change(path, "ssf", [2, 3, 4], slice(2, 5))
    change(path, "processing_flag", 2, slice(5, 6))
    change(path, "snow_cover_probability", [-128, 90], slice(6, 8))
    change(path, "frozen_soil_probability", [90, 90], slice(7, 9))
    counts = prepare("hsaf_cells", path, [43.0, 43.1], [1.0, 1.0], tolerance_km=3.0, largest={"snow": 80, "frozen": 80})
    assert counts == {
        "read": 12, "kept": 4, "undefined": 2, "frozen": 1, "melting_or_water": 1, "permanent_ice": 1,
        "processing_flag": 1, "snow_probability": 1, "frozen_probability": 1,
    }  # fmt: skip
    written = prepared()
    assert written["reason"].tolist() == [
        "undefined", "undefined", "frozen", "melting_or_water", "permanent_ice", "processing_flag", "kept",
        "snow_probability", "frozen_probability", "kept", "kept", "kept",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("meanings", "expected"),
    [
        (None, [0, 0, 0, 0, 1, 1]),
        ("sensitivity_to_soil_moisture_below_1dB soil_moisture_noise other", [0, 0, 1, 1, 1, 1]),
    ],
)
def test_processing_flags_of_backscatter(
    products: Any, prepare: Any, prepared: Any, meanings: str | None, expected: list[int]
) -> None:
    """Bits about soil moisture alone are not held against sigma0, by the description of the file where it has one."""
    path = products.hsaf()
    change(path, "processing_flag", [1, 2, 64, 128, 4, 8], slice(0, 6))
    if meanings:
        with netCDF4.Dataset(path, "a") as dataset:
            dataset["processing_flag"].setncatts({"flag_masks": np.uint8([1, 2, 4]), "flag_meanings": meanings})
    prepare("hsaf_cells", path, 43.0, 1.0, quantity="sigma0", tolerance_km=3.0)
    assert (prepared()["reason"] == "processing_flag").astype(int).tolist() == expected
    prepare("hsaf_cells", path, [43.0, 43.1], [1.0, 1.0], quantity="SSM", tolerance_km=3.0)
    assert (prepared()["reason"] == "processing_flag").sum() == 6


@pytest.mark.parametrize("quantity", ["sigma0", "SSM"])
def test_surface_flag_of_the_new_products(products: Any, prepare: Any, prepared: Any, quantity: str) -> None:
    """0 is good in ``surface_flag``, whereas 1 (unfrozen) is in ``ssf``."""
    path = products.hsaf()
    with netCDF4.Dataset(path, "a") as dataset:
        dataset.renameVariable("ssf", "surface_flag")
    change(path, "surface_flag", [0, 1, 2, 4, 0, 0], slice(0, 6))
    prepare("hsaf_cells", path, 43.0, 1.0, quantity=quantity, tolerance_km=3.0)
    assert (prepared()["reason"] == "surface_flag").tolist() == [False, True, True, True, False, False]


def test_swath_of_one_dimension(products: Any, prepare: Any, prepared: Any) -> None:
    """H SAF swaths: latitude, longitude and time go with the samples, in any order; no noise of the backscatter."""
    path = products.folder / "W_IT-HSAF-ROME,SAT,SSM-ASCAT-METOPB-12.5km-H121_C_LIIB_x_x_20200101000000____.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("obs", 4)
        for name, values, units in (
            ("latitude", [43.0, 43.5, 44.0, 44.5], "degrees_north"), ("longitude", np.ones(4), "degrees_east"),
            ("time", [60.0, 30.0, 20.0, 10.0], "seconds since 2020-01-01"),
            ("backscatter40", [-9, -10, -11, -12], "dB"),
        ):  # fmt: skip
            dataset.createVariable(name, "f8", ("obs",)).units = units
            dataset[name][:] = values
    counts = prepare("eumetsat_l2", path, [43.0, 43.5, 44.0, 44.5], np.ones(4), quantity="sigma0", tolerance_km=2.0)
    assert counts == {"read": 4, "kept": 4}
    order = np.argsort(prepared()["cell_index"])
    assert prepared()["sigma0"][order].tolist() == [-9.0, -10.0, -11.0, -12.0]
    assert np.isnan(prepared()["sigma0_error"]).all()


def test_fields_of_places_and_days(products: Any, prepare: Any, prepared: Any) -> None:
    """H25 and H108: topography of the point, snow probability of the point and the day of the year; letters for
    passes, and places at the end for samples that never came."""
    path = products.folder / "H108.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        for name, size in (("locations", 1), ("obs", 6), ("dayofyear", 366)):
            dataset.createDimension(name, size)
        snow = np.zeros((1, 366))
        snow[0, 31] = 90  # 1 February
        for name, kind, dimensions, values, units in (
            ("lat", "f8", ("locations",), [43.0], ""), ("lon", "f8", ("locations",), [1.0], ""),
            ("location_id", "i8", ("locations",), [7], ""), ("row_size", "i8", ("locations",), [4], ""),
            ("time", "f8", ("obs",), [40179.9, 40207.9, 40208.4, 40238.4, 9.969e36, 9.969e36], "days since 1900-01-01"),
            ("sm", "i1", ("obs",), [20, 30, 40, 50, -127, -127], "degree of saturation (%)"),
            ("orbit_dir", "S1", ("obs",), np.array(["A", "A", "D", "D", "", ""], "S1"), ""),
            ("advf_topo", "u1", ("locations",), [9], "%"),
            ("advf_snow_prob", "u1", ("locations", "dayofyear"), snow, "%"),
        ):  # fmt: skip
            dataset.createVariable(name, kind, dimensions).units = units
            dataset[name].set_auto_maskandscale(False)
            dataset[name][:] = values
    counts = prepare("hsaf_cells", path, 43.0, 1.0, largest={"snow": 50, "topography": 10})
    assert counts == {"read": 4, "kept": 3, "snow_probability": 1}
    assert prepared()["when"][prepared()["reason"] == "snow_probability"].astype(str) == ["2010-02-01T09:36:00"]
    with pytest.raises(InputError, match="4 topographic_complexity"):
        prepare("hsaf_cells", path, 43.0, 1.0, largest={"topography": 8})
    counts = prepare("hsaf_cells", path, 43.0, 1.0, passes="ascending")
    assert counts == {"read": 4, "kept": 2, "other_pass": 2}


@pytest.mark.parametrize(("passes", "kept"), [("both", 6), ("ascending", 3), ("descending", 3)])
def test_passes(products: Any, prepare: Any, prepared: Any, passes: str, kept: int) -> None:
    counts = prepare("hsaf_cells", products.hsaf(), 43.0, 1.0, passes=passes, tolerance_km=3.0)
    assert counts["kept"] == kept
    assert counts.get("other_pass", 0) == 6 - kept
    descending = (prepared()["SSM"] % 2).astype(int)
    assert passes == "both" or set(descending[prepared()["rejected"] == 0]) == {int(passes == "descending")}


def test_mean_of_an_overpass(products: Any, prepare: Any, prepared: Any) -> None:
    """Two points a second apart: means of dB in dB, errors as root mean square, the time between."""
    path = products.hsaf()
    change(path, "backscatter40", -999999.0, slice(7, 8))
    counts = prepare("hsaf_cells", path, 43.05, 1.0, quantity="sigma0", aggregate="mean", valid_fraction=0.6)
    assert counts == {"read": 12, "kept": 5, "averaged": 5, "undefined": 1, "too_few_valid": 1}
    written = prepared()
    kept = written["reason"] == "kept"
    pairs = np.arange(12).reshape(2, 6)[:, [0, 2, 3, 4, 5]]
    np.testing.assert_allclose(written["sigma0"][kept], (-10.0 - 0.1 * pairs).mean(axis=0), rtol=1e-6)
    rms = np.sqrt(((0.2 + 0.01 * pairs) ** 2).mean(axis=0))
    np.testing.assert_allclose(written["sigma0_error"][kept], rms, rtol=1e-5)
    assert written["attributes"]["aggregation"] == "mean (arithmetic mean of dB), valid fraction 0.6"
    assert counts["read"] == sum(counts.values()) - counts["read"]


def test_an_extension_overlaps_its_record(products: Any, prepare: Any, prepared: Any) -> None:
    """Files are taken in the order of their times; what the record had is a duplicate."""
    record, extension = products.hsaf("b_record.nc"), products.hsaf("a_extension.nc", days=9)
    change(extension, "time", 40000.4 + 3 + np.arange(9), slice(0, 9))
    change(extension, "time", 40000.4 + 3 + np.arange(9), slice(9, 18))
    counts = prepare("hsaf_cells", [extension, record], 43.0, 1.0, tolerance_km=3.0)
    assert counts == {"read": 30, "kept": 12, "outside_domain": 15, "duplicate": 3}
    kept = prepared()["rejected"] == 0
    assert (np.diff(prepared()["when"][kept]) > np.timedelta64(0, "s")).all()


def test_the_result_is_read_by_runs(products: Any, prepare: Any, tmp_path: Path) -> None:
    prepare("hsaf_cells", products.hsaf(), 43.0, 1.0, quantity="sigma0", tolerance_km=3.0, passes="ascending")
    observations = read_observations(tmp_path / "prepared.nc")
    assert observations.counts == {"read": 6, "kept": 3, "other_pass": 3}
    assert observations.units == "dB"
    some = read_observations(tmp_path / "prepared.nc", start=observations.time[1], end=observations.time[2])
    assert some.counts == {"read": 6, "kept": 1, "other_pass": 1, "outside_period": 4}
    assert some.value.tolist() == observations.value[1:2].tolist()


def test_swath(products: Any, prepare: Any, prepared: Any) -> None:
    """Raw numbers beyond the declared valid range; passes by line; snow by sample."""
    path = products.swath()
    latitude, longitude = np.meshgrid([43.0, 43.25, 43.5, 43.75], [1.0, 1.25, 1.5], indexing="ij")
    where = latitude.ravel(), longitude.ravel()
    counts = prepare("eumetsat_l2", path, *where, quantity="sigma0", tolerance_km=2.0)
    assert counts == {"read": 12, "kept": 12}
    written = prepared()
    np.testing.assert_allclose(written["sigma0"][np.argsort(written["cell_index"])], -8.0 - np.arange(12.0), rtol=1e-6)
    assert set(np.unique(written["time"] - written["time"].min())) == {0, 4, 8, 12}
    wishes = {"quantity": "sigma0", "tolerance_km": 2.0, "largest": {"snow": 75}}
    counts = prepare("eumetsat_l2", path, *where, **wishes, passes="ascending")
    assert counts == {"read": 12, "kept": 8, "snow_probability": 4}
    with pytest.raises(InputError, match="12 other_pass"):
        prepare("eumetsat_l2", path, *where, **wishes, passes="descending")


@pytest.mark.parametrize(("quantity", "expected"), [("sigma0", [4, 8]), ("SSM", [1, 2, 4, 8, 64, 128])])
def test_processing_flags_of_level_2(
    products: Any, prepare: Any, prepared: Any, quantity: str, expected: list[int]
) -> None:
    """The slopes between beams (16, 32) are held against nothing."""
    path, flags = products.swath(), [0, 1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0]
    change(path, "proc_flag1", np.reshape(flags, (4, 3)))
    with netCDF4.Dataset(path, "a") as dataset:
        moisture = dataset.createVariable("soil_moisture", "u2", ("numRows", "numCells"))
        moisture.set_auto_maskandscale(False)
        moisture.setncatts({"scale_factor": np.float32(0.01), "units": "percent"})
        moisture[:] = 4000
    latitude, longitude = np.meshgrid([43.0, 43.25, 43.5, 43.75], [1.0, 1.25, 1.5], indexing="ij")
    prepare("eumetsat_l2", path, latitude.ravel(), longitude.ravel(), quantity=quantity, tolerance_km=2.0)
    order = np.argsort(prepared()["cell_index"])
    assert np.array(flags)[prepared()["reason"][order] == "processing_flag"].tolist() == expected


def test_processing_flags_out_of_place(products: Any, prepare: Any, prepared: Any) -> None:
    """Pairs of bytes of the left half (one node of three) in the places of the first two nodes."""
    path = products.swath()
    change(path, "proc_flag1", [[0, 4, 0], [0, 0, 0], [255, 255, 255], [0, 8, 0]])
    change(path, "sigma40", -(2**31), (2, 0))
    latitude, longitude = np.meshgrid([43.0, 43.25, 43.5, 43.75], [1.0, 1.25, 1.5], indexing="ij")
    counts = prepare("eumetsat_l2", path, latitude.ravel(), longitude.ravel(), quantity="sigma0", tolerance_km=2.0)
    assert counts == {"read": 12, "kept": 9, "processing_flag": 2, "undefined": 1}
    written = prepared()
    order = np.argsort(written["cell_index"])
    assert np.flatnonzero(written["reason"][order] == "processing_flag").tolist() == [0, 9]


def test_swath_points_of_one_cell(products: Any, prepare: Any, prepared: Any) -> None:
    """The nearest usable point of an overpass; the next overpass chooses again; a file read twice is a duplicate."""
    first, second = products.swath(), products.swath("later.nc", minute=100)
    change(first, "proc_flag1", 4, (1, 1))
    counts = prepare("eumetsat_l2", [second, first], 43.26, 1.24, quantity="sigma0", tolerance_km=30.0)
    written = prepared()
    kept = written["rejected"] == 0
    np.testing.assert_allclose(written["sigma0"][kept], [-11.0, -12.0], rtol=1e-6)
    assert counts["kept"] == 2
    assert counts["processing_flag"] == 1
    assert counts["superseded"] > 4
    copy = products.swath("z_copy.nc")
    counts = prepare("eumetsat_l2", [first, copy], 43.0, 1.0, quantity="sigma0", tolerance_km=2.0)
    assert counts == {"read": 24, "kept": 1, "outside_domain": 22, "duplicate": 1}


def test_table(products: Any, prepare: Any, prepared: Any) -> None:
    for name in ("ascat.csv.gz", "ascat.csv"):
        counts = prepare("ascat_table", products.table(name), 43.0, 1.0, passes="ascending", largest={"wetland": 5})
        assert counts == {"read": 8, "kept": 2, "other_location": 2, "other_pass": 4}
        written = prepared()
        assert written["SSM"][written["rejected"] == 0].tolist() == [20.0, 40.0]
        assert written["when"][written["rejected"] == 0].astype(str).tolist() == [
            "2012-01-02T09:30:00",
            "2012-01-04T09:30:00",
        ]


def test_package_absent(products: Any, prepare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ascat.eumetsat.level2", None)
    with pytest.raises(MissingExtraError, match=r"swath\.nc.*needs ascat: .*pip install 'dalearn\[obs\]'"):
        prepare("ascat_package", products.swath(), 43.0, 1.0)


def test_package(products: Any, prepare: Any, prepared: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Records under the generic names of the package, with its fills and masks."""
    reals, bytes_ = ("lat", "lon", "sm", "sm_noise", "sig40", "sig40_noise"), ("proc_flag", "snow_prob", "sat_id")
    kinds = [("time", "M8[s]"), *((name, "f8") for name in reals), *((name, "u1") for name in bytes_)]
    records = np.zeros(4, kinds)
    records["time"] = np.datetime64("2020-01-01T09:00:00") + np.arange(4)
    records["lat"], records["lon"] = 43.0 + 0.2 * np.arange(4), 1.0
    records["sm"], records["sm_noise"] = [30.0, -999999.0, 50.0, 60.0], 4.0
    records["sig40"], records["sig40_noise"] = [-9.0, -10.0, -999999.0, -12.0], 0.1
    records["proc_flag"], records["snow_prob"], records["sat_id"] = [0, 0, 0, 4], [0, 255, 0, 0], 4

    class File:
        def __init__(self, name: str) -> None:
            self.name = name

        def read(self) -> Any:
            if "broken" in self.name:
                raise RuntimeError("bad\nrecord")
            return (records if "level1" not in self.name else records[["time", "lat", "lon"]], {})

    module = ModuleType("ascat.eumetsat.level2")
    module.AscatL2File = File  # type: ignore[attr-defined]
    for name in ("ascat", "ascat.eumetsat"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "ascat.eumetsat.level2", module)
    files = {name: tmp_path / f"{name}.bfr" for name in ("good", "broken", "level1")}
    for file in files.values():
        file.write_bytes(b"BUFR")
    where = records["lat"], records["lon"]
    counts = prepare("ascat_package", files["good"], *where, quantity="sigma0", tolerance_km=2.0, largest={"snow": 50})
    assert counts == {"read": 4, "kept": 2, "undefined": 1, "processing_flag": 1}
    assert prepared()["sigma0"][prepared()["rejected"] == 0].tolist() == [-9.0, -10.0]
    assert prepare("ascat_package", files["good"], *where, tolerance_km=2.0)["undefined"] == 1
    with pytest.raises(InputError, match=r"broken.bfr: ascat cannot read it as level 2 \(bad record\)"):
        prepare("ascat_package", files["broken"], *where)
    with pytest.raises(InputError, match=r"level1.bfr: no SSM in the file.*level 1 has no backscatter at 40 degrees"):
        prepare("ascat_package", files["level1"], *where)
