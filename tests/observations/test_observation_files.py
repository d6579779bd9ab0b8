"""Observation files: round trip, flags, and one clear line for every fault."""

from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray

from dalearn.errors import InputError
from dalearn.observations.files import read_observations, write_observations
from dalearn.observations.observations import Observations


def some() -> Observations:
    return Observations(
        quantity="sigma0",
        units="dB",
        time=np.datetime64("2007-01-01T09:30:00") + np.arange(5) * np.timedelta64(1, "D"),
        cell=np.array([0, 1, 2, 0, 1]),
        value=np.array([-10.0, -11.5, -12.25, -13.0, -9.0]),
        error=np.array([0.33, 0.33, 0.4, 0.33, np.nan]),
        latitude=np.array([43.0, 44.0, 45.0]),
        longitude=np.array([0.0, 1.0, 2.0]),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_observations(tmp_path / "sigma0.nc", some(), {"title": "test"})
    return tmp_path / "sigma0.nc"


def test_round_trip(path: Path) -> None:
    read = read_observations(path)
    for name in ("time", "cell", "value", "error", "latitude", "longitude"):
        np.testing.assert_array_equal(getattr(read, name), getattr(some(), name))
    assert (read.quantity, read.units, read.source) == ("sigma0", "dB", str(path))
    assert read.counts == {"read": 5, "kept": 5}


def test_layout_on_disk(path: Path) -> None:
    with xarray.open_dataset(path) as dataset:
        assert dataset.sigma0.dims == ("sample",)
        assert dataset.cell_index.attrs["instance_dimension"] == "cell"
        assert dataset.sigma0.attrs["standard_name"] == "surface_backwards_scattering_coefficient_of_radar_wave"
        assert dataset.attrs["Conventions"] == "CF-1.11"
        assert dataset.attrs["featureType"] == "timeSeries"
        assert dataset.time.values[0] == np.datetime64("2007-01-01T09:30:00")


def test_rejected_samples_are_counted_by_their_meaning(path: Path) -> None:
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["rejected"].flag_values = np.array([0, 1, 2], np.int8)
        dataset["rejected"].flag_meanings = "kept frozen_soil snow"
        dataset["rejected"][:] = [0, 1, 2, 1, 5]
    read = read_observations(path)
    np.testing.assert_array_equal(read.value, [-10.0])
    assert read.counts == {"read": 5, "kept": 1, "frozen_soil": 2, "snow": 1, "flag_5": 1}


def test_error_from_the_configuration(path: Path) -> None:
    with netCDF4.Dataset(path, "a") as dataset:
        dataset.renameVariable("sigma0_error", "something")
    np.testing.assert_array_equal(read_observations(path, error=0.5).error, 0.5)


Change = Callable[[netCDF4.Dataset], None]


def rename(old: str, new: str) -> Change:
    return lambda dataset: dataset.renameVariable(old, new)


def set_values(name: str, values: object) -> Change:
    return lambda dataset: dataset[name].__setitem__(slice(None), values)


def set_units(name: str, units: str) -> Change:
    return lambda dataset: dataset[name].setncattr("units", units)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (rename("time", "when"), ("variable time is missing", "add it")),
        (rename("cell_index", "index"), ("variable cell_index is missing", "add it")),
        (rename("sigma0", "backscatter"), ("no quantity", "the samples hold none of sigma0, SSM, LAI")),
        (rename("sigma0_error", "LAI"), ("several quantities", "the samples hold sigma0, LAI")),
        (rename("sigma0_error", "noise"), ("variable sigma0_error is missing", "set the observation error")),
        (set_values("cell_index", [0, 1, 2, 3, 0]), ("cell_index is 3 in sample 3", "from 0 to 2")),
        (set_values("sigma0", np.full(5, 0.1)), ("sigma0 has a median of 0.1 dB", "take 10 log10 of it")),
        (set_units("sigma0", "1"), ("sigma0 is in 1, expected dB", "take 10 log10 of it")),
        (set_units("time", "hours"), ('time has units "hours"', "write them as")),
    ],
)
def test_faulty_file(path: Path, change: Change, words: tuple[str, ...]) -> None:
    with netCDF4.Dataset(path, "a") as dataset:
        change(dataset)
    with pytest.raises(InputError) as caught:
        read_observations(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_unreadable_files(path: Path) -> None:
    data = path.read_bytes()
    with pytest.raises(InputError, match="LAI is missing; the samples hold sigma0"):
        read_observations(path, "LAI")
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"sigma0\.nc: cut short or damaged"):
        read_observations(path)
    path.write_bytes(b"PK\x03\x04" + data)
    with pytest.raises(InputError, match=r"sigma0\.nc: .* unzip it first"):
        read_observations(path)


def test_no_samples_are_no_samples(tmp_path: Path) -> None:
    none = some().select(np.zeros(len(some()), bool), "clouds")
    write_observations(tmp_path / "none.nc", none)
    read = read_observations(tmp_path / "none.nc")
    assert len(read) == 0
    assert read.cell_count == some().cell_count
