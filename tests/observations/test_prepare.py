"""Preparation as a whole: accounts that add up, errors, units, bounded memory."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray

from dalearn.errors import InputError
from dalearn.observations.files import read_observations


def test_layout_on_disk(products: Any, prepare: Any, tmp_path: Path) -> None:
    """CF indexed ragged arrays whose flags describe themselves; small types."""
    numbers = np.full((8, 8), 60)
    numbers[0, 0] = 251
    latitude, longitude = np.meshgrid(products.north_to_south, products.west_to_east, indexing="ij")
    counts = prepare("cgls_ssm", products.ssm(numbers=numbers), latitude.ravel(), longitude.ravel())
    with xarray.open_dataset(tmp_path / "prepared.nc") as dataset:
        assert dataset.SSM.dims == dataset.rejected.dims == ("sample",)
        assert dataset.SSM.attrs["units"] == "%"
        assert dataset.cell_index.attrs["instance_dimension"] == "cell"
        assert dataset.rejected.attrs["flag_meanings"].split()[int(dataset.rejected[0])] == "water_mask"
        assert json.loads(dataset.attrs["sample_counts"]) == counts == {"read": 64, "kept": 63, "water_mask": 1}
        assert dataset.attrs["Conventions"] == "CF-1.11"
        assert dataset.attrs["featureType"] == "timeSeries"
    with netCDF4.Dataset(tmp_path / "prepared.nc") as dataset:
        kinds = {name: dataset[name].dtype.str[1:] for name in ("SSM", "SSM_error", "cell_index", "rejected")}
        assert kinds == {"SSM": "f4", "SSM_error": "f4", "cell_index": "i4", "rejected": "i1"}
    assert read_observations(tmp_path / "prepared.nc").counts == counts


@pytest.mark.parametrize(("wishes", "expected"), [({}, 6.0), ({"error": 9.0}, 9.0), ({"relative_error": 0.1}, 3.0)])
def test_errors(products: Any, prepare: Any, prepared: Any, wishes: dict[str, float], expected: float) -> None:
    """What the configuration fixes, else what the product says."""
    prepare("cgls_ssm", products.ssm(), 43.1, 1.1, **wishes)
    np.testing.assert_allclose(prepared()["SSM_error"], expected, rtol=1e-6)


def test_values_out_of_range_are_rejected(products: Any, prepare: Any, prepared: Any) -> None:
    path = products.hsaf()
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["backscatter40"][1] = 12.0
        dataset["backscatter40_noise"][2] = 0.0
    counts = prepare("hsaf_cells", path, 43.0, 1.0, quantity="sigma0", tolerance_km=3.0)
    assert counts == {"read": 12, "kept": 4, "outside_domain": 6, "out_of_range": 1, "error_not_positive": 1}
    assert prepared()["sigma0"][1] == 12.0


def test_units_must_agree(products: Any, prepare: Any) -> None:
    first, second = products.sentinel1(), products.sentinel1("S2MP_20170607.nc", units="%")
    with pytest.raises(InputError, match=r"S2MP_20170607\.nc: Band1 is in %, the files before it in m3 m-3"):
        prepare("sentinel1_raster", [second, first], 43.1, 1.1)


def days(folder: Path, count: int, size: int) -> list[Path]:
    """Daily rasters of ``size`` x ``size`` pixels, a part of them without data."""
    rng, files = np.random.default_rng(1), []
    for day in range(count):
        files.append(folder / f"ssm_{day:03d}.nc")
        with netCDF4.Dataset(files[-1], "w") as dataset:
            for name, start in (("lat", 40.0), ("lon", 0.0)):
                dataset.createDimension(name, size)
                dataset.createVariable(name, "f8", (name,))[:] = start + 0.01 * np.arange(size)
            dataset.createDimension("time", 1)
            time = dataset.createVariable("time", "f8", ("time",))
            time.units = "days since 2017-01-01"
            time[:] = day
            layer = dataset.createVariable("ssm", "u1", ("time", "lat", "lon"), fill_value=255)
            layer.set_auto_maskandscale(False)
            layer.setncatts({"scale_factor": 0.5, "units": "%"})
            numbers = rng.integers(0, 200, (size, size), dtype=np.uint8)
            numbers[:, day % size : day % size + size // 2] = 255
            layer[0] = numbers
    return files


@pytest.mark.parametrize("aggregate", ["mean", "nearest"])
def test_memory_does_not_grow_with_time(tmp_path: Path, prepare: Any, aggregate: str) -> None:
    """30 days take no more memory than 3, of which they have ten times the samples.

    At full size (365 days of 1,000 x 1,000) this is what keeps the preparation within 4 GB.
    """
    size = 300
    files = days(tmp_path, 30, size)
    latitude, longitude = np.meshgrid(40.0 + 0.01 * np.arange(size), 0.01 * np.arange(size), indexing="ij")
    peaks = []
    for count in (3, 30):
        tracemalloc.start()
        counts = prepare("cgls_ssm", files[:count], latitude.ravel(), longitude.ravel(), aggregate=aggregate, error=8.0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert counts["read"] == count * size**2
    one_day = 21 * size**2  # bytes of its samples as they are written
    assert peaks[1] < peaks[0] + one_day, peaks
    assert peaks[0] < 25 * one_day, peaks

    tracemalloc.start()
    few = read_observations(
        tmp_path / "prepared.nc",
        start=np.datetime64("2017-01-20"),
        end=np.datetime64("2017-01-21"),
        cells=np.arange(size),
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert few.counts["read"] == 30 * size**2
    assert few.counts["outside_period"] == 29 * size**2
    assert few.counts["other_cell"] == size**2 - size
    assert len(few) > 0
    assert peak < 150e6, "of a piece, not of the file"


def test_reading_in_pieces_is_reading_at_once(
    products: Any, prepare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = days(tmp_path, 3, 20)
    latitude, longitude = np.meshgrid(40.0 + 0.01 * np.arange(20), 0.01 * np.arange(20), indexing="ij")
    prepare("cgls_ssm", files, latitude.ravel(), longitude.ravel(), error=8.0)
    whole = read_observations(tmp_path / "prepared.nc")
    monkeypatch.setattr("dalearn.observations.files.SAMPLES_AT_ONCE", 37)
    pieces = read_observations(tmp_path / "prepared.nc")
    for name in ("time", "cell", "value", "error"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name))
    assert whole.counts == pieces.counts
    some = read_observations(tmp_path / "prepared.nc", cells=np.array([5, 399]))
    at = np.isin(whole.cell, [5, 399])
    np.testing.assert_array_equal(some.value, whole.value[at])
    assert some.counts["read"] == whole.counts["read"]


def test_cells_file_in_chunks(products: Any, prepare: Any, prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for indexed in (False, True):
        path = products.hsaf(indexed=indexed)
        prepare("hsaf_cells", path, 43.0, 1.0)
        whole = prepared()
        monkeypatch.setattr("dalearn.observations.hsaf_cells.SAMPLES_AT_ONCE", 5)
        counts = prepare("hsaf_cells", path, 43.0, 1.0)
        assert counts == {"read": 12, "kept": 6, "other_location": 6}
        for name in ("time", "SSM", "rejected"):
            np.testing.assert_array_equal(prepared()[name], whole[name])
        monkeypatch.undo()


def test_time_that_goes_back_between_chunks(products: Any, prepare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = products.hsaf()
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["time"][3] = 40000.0
    monkeypatch.setattr("dalearn.observations.hsaf_cells.SAMPLES_AT_ONCE", 3)
    with pytest.raises(InputError, match=r"H121\.nc: time goes back to 2009-07-08"):
        prepare("hsaf_cells", path, 43.0, 1.0)
