"""netCDF reading and writing: complete files or none, one clear line for every fault."""

import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray

from dalearn import io
from dalearn.errors import InputError

LATITUDE = np.array([43.5, 44.0, 44.5])
LONGITUDE = np.array([0.0, 0.5, 1.0])


def hours(start: str, count: int) -> np.ndarray:
    return np.datetime64(start, "s") + 3600 * np.arange(count).astype("timedelta64[s]")


def write_simple(path: Path) -> np.ndarray:
    values = np.arange(6.0).reshape(2, 3)
    values[1, 2] = np.nan
    with io.writing(path, {"title": "a test"}) as dataset:
        io.create_cells(dataset, LATITUDE, LONGITUDE)
        dataset.createDimension("time", 2)
        io.create_time(dataset)[:] = io.seconds(hours("2007-01-01T09:00:00", 2))
        io.create_variable(dataset, "LAI", ("time", "cell"))[:] = values
    return values


def test_written_file_follows_the_conventions(tmp_path: Path) -> None:
    path = tmp_path / "out.nc"
    values = write_simple(path)
    assert [file.name for file in tmp_path.iterdir()] == ["out.nc"]
    with xarray.open_dataset(path) as dataset:
        assert dataset.attrs["Conventions"] == "CF-1.11"
        assert dataset.attrs["title"] == "a test"
        assert dataset.attrs["source"].startswith("dalearn ")
        assert dataset.time.values[0] == np.datetime64("2007-01-01T09:00:00")
        assert dataset.LAI.dtype == np.float32
        assert dataset.LAI.attrs["standard_name"] == "leaf_area_index"
        assert dataset.LAI.encoding["zlib"]
        np.testing.assert_array_equal(dataset.LAI.values, values)
    with io.reading(path) as dataset:
        np.testing.assert_array_equal(io.read_values(dataset, "LAI"), values)
        np.testing.assert_array_equal(io.read_time(dataset), hours("2007-01-01T09:00:00", 2))


def test_error_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.nc"
    write_simple(path)
    before = path.read_bytes()

    def fail_half_way() -> None:
        with io.writing(path) as dataset:
            io.create_cells(dataset, LATITUDE, LONGITUDE)
            raise FileNotFoundError("another file")

    with pytest.raises(FileNotFoundError, match="another file"):
        fail_half_way()
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["out.nc"]


def test_unwritable_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file" / "out.nc", tmp_path / "absent" / "out.nc"):
        with pytest.raises(InputError, match=r"out\.nc: cannot be written \(.*\); .* choose another") as caught:
            write_simple(target)
        assert "\n" not in str(caught.value)
        with pytest.raises(InputError, match="cannot be written"):
            io.TimeSeriesWriter(target, ["LAI"], LATITUDE, LONGITUDE)


def test_full_disk_leaves_no_file(tmp_path: Path) -> None:
    """A file-size limit stands for the full disk; a process of its own, the limit cannot be taken back."""
    code = f"""
import resource, numpy as np
from dalearn import io
from dalearn.errors import InputError
resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000))
try:
    with io.writing({str(tmp_path / "out.nc")!r}) as dataset:
        dataset.createDimension("cell", 100000)
        io.create_variable(dataset, "LAI", ("cell",))[:] = np.random.default_rng(0).random(100000)
except InputError as error:
    print(error)
"""
    pytest.importorskip("resource")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "out.nc: cannot be written (NetCDF: HDF error)" in result.stdout
    assert "make room" in result.stdout
    assert list(tmp_path.iterdir()) == []


def classic_file(path: Path) -> None:
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as dataset:
        dataset.createDimension("time", None)
        dataset.createVariable("x", "f4", ("time",))[:] = np.ones(5000)


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("absent", "correct the path"),
        ("folder", "correct the path"),
        ("zip", "unzip it first"),
        ("text", "not a netCDF file"),
        ("cut netCDF-4", "copy or produce it again"),
        ("cut netCDF-3", "copy or produce it again"),
        ("damaged inside", "copy or produce it again"),
    ],
)
def test_unreadable_file(tmp_path: Path, name: str, mend: str) -> None:
    path = tmp_path / "input.nc"
    if name == "folder":
        path.mkdir()
    elif name == "zip":
        path.write_bytes(b"PK\x03\x04" + bytes(100))
    elif name == "text":
        path.write_text("time,value\n")
    elif name == "cut netCDF-3":
        classic_file(path)
        path.write_bytes(path.read_bytes()[:8000])
    elif name != "absent":
        with io.writing(path) as dataset:
            dataset.createDimension("cell", 20000)
            io.create_variable(dataset, "x", ("cell",))[:] = np.random.default_rng(0).random(20000)
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        if name == "damaged inside":
            data[middle : middle + 2000] = bytes(2000)
        path.write_bytes(data if name == "damaged inside" else data[:middle])

    def read() -> None:
        with io.reading(path) as dataset:
            io.read_values(dataset, "x")

    with pytest.raises(InputError, match=mend) as caught:
        read()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_variable_names_what_is_there(tmp_path: Path) -> None:
    classic_file(tmp_path / "input.nc")
    with (
        io.reading(tmp_path / "input.nc") as dataset,
        pytest.raises(InputError, match=r"input\.nc: variable y is missing; add it \(the file has x\)"),
    ):
        io.read_values(dataset, "y")


def test_undefined_values_become_nan(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "input.nc", "w") as dataset:
        dataset.createDimension("x", 4)
        variable = dataset.createVariable("v", "i2", ("x",), fill_value=-99)
        variable.scale_factor = 0.5
        variable.set_auto_maskandscale(False)
        variable[:] = [1, -99, 3, 4]
        dataset.createVariable("w", "f8", ("x",))[:] = [1.0, 1e20, np.nan, -1e20]
    with io.reading(tmp_path / "input.nc") as dataset:
        np.testing.assert_array_equal(io.read_values(dataset, "v"), [0.5, np.nan, 1.5, 2.0])
        values = io.read_values(dataset, "w", dtype=np.float32)
        np.testing.assert_array_equal(values, [1.0, np.nan, np.nan, np.nan])
        assert values.dtype == np.float32


def time_file(path: Path, numbers: list[float], units: str, **attributes: str) -> Path:
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("time", len(numbers))
        variable = dataset.createVariable("time", "f8", ("time",))
        variable[:] = numbers
        variable.setncatts({"units": units, **attributes})
    return path


@pytest.mark.parametrize(
    ("numbers", "units", "expected"),
    [
        ([0, 1], "hours since 2007-01-01 00:00:00", "2007-01-01T01:00:00"),
        ([0, 0.5], "days since 2007-1-1", "2007-01-01T12:00:00"),
        ([0, 1 / 3], "days since 1900-01-01T00:00:00Z", "1900-01-01T08:00:00"),
        ([0, 90], "minutes since 2000-02-28 23:00 UTC", "2000-02-29T00:30:00"),
        ([0, 2018], "seconds since 2007-01-02 07:06:19.0 +00:00", "2007-01-02T07:39:57"),
    ],
)
def test_time_units(tmp_path: Path, numbers: list[float], units: str, expected: str) -> None:
    with io.reading(time_file(tmp_path / "t.nc", numbers, units)) as dataset:
        times = io.read_time(dataset)
    assert times.dtype == np.dtype("datetime64[s]")
    assert times[1] == np.datetime64(expected)


@pytest.mark.parametrize(
    ("numbers", "units", "calendar", "mend"),
    [
        ([0.0], "hours", "standard", 'time has units "hours"; write them as'),
        ([0.0], "months since 2000-01-01", "standard", "write them as"),
        ([0.0], "hours since 2000-01-01 00:00:00 +02:00", "standard", "in UTC"),
        ([0.0], "hours since 2000-01-01", "noleap", "convert the file to the standard calendar"),
        ([0.0, np.nan], "hours since 2000-01-01", "standard", "time is undefined at index 1"),
    ],
)
def test_bad_time(tmp_path: Path, numbers: list[float], units: str, calendar: str, mend: str) -> None:
    path = time_file(tmp_path / "t.nc", numbers, units, calendar=calendar)
    with io.reading(path) as dataset, pytest.raises(InputError, match=mend) as caught:
        io.read_time(dataset)
    assert "t.nc" in str(caught.value)


def series(path: Path) -> io.TimeSeriesWriter:
    return io.TimeSeriesWriter(
        path,
        {"LAI": {}, "LAI_increment": {"units": "m2 m-2"}},
        LATITUDE,
        LONGITUDE,
        rows_per_block=4,
    )


def block(first: int, count: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    values = np.arange(first * 3.0, (first + count) * 3.0).reshape(count, 3)
    return hours("2007-01-01", 100)[first : first + count], {"LAI": values, "LAI_increment": -values}


def read_series(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with io.reading(path) as dataset:
        return io.read_time(dataset), io.read_values(dataset, "LAI_increment")


def test_series_grows_in_its_part_and_is_renamed(tmp_path: Path) -> None:
    path = tmp_path / "open_loop.nc"
    with series(path) as writer:
        writer.append(*block(0, 4))
        assert list(tmp_path.iterdir()) == [writer.part]
        writer.append(*block(4, 3))
        assert writer.rows == 7
    assert [file.name for file in tmp_path.iterdir()] == ["open_loop.nc"]
    times, values = read_series(path)
    np.testing.assert_array_equal(times, block(0, 7)[0])
    np.testing.assert_array_equal(values, block(0, 7)[1]["LAI_increment"])
    with pytest.raises(ValueError, match="expected the variables"):
        series(path).append(block(0, 1)[0], {"LAI": np.zeros((1, 3))})


def test_a_series_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fill(path: Path) -> None:
        with series(path) as writer:
            writer.append(*block(0, 4))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fill(tmp_path / "open_loop.nc")
    assert list(tmp_path.iterdir()) == []
