"""netCDF files: read with clear errors, written whole or not at all.

A reader gets plain arrays with NaN where the file has nothing, never masked arrays.  A writer works on a
temporary file (``files.py``), so a file with its final name is complete; this holds for long series too
(``TimeSeriesWriter``).

netCDF and HDF5 are not thread-safe: a file is open for one thread at a time, the others wait.
"""

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

import dalearn
from dalearn.errors import InputError
from dalearn.files import replacing, temporary_of, write_errors
from dalearn.variables import VARIABLES

CONVENTIONS = "CF-1.11"
TIME_UNITS = "seconds since 1970-01-01 00:00:00"
EPOCH = np.datetime64("1970-01-01T00:00:00", "s")
FILL_THRESHOLD = 1.0e19  # SURFEX writes 1e20 for undefined, often without declaring it

_SECONDS = {"second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "hour": 3600, "hr": 3600, "h": 3600,
            "day": 86400, "d": 86400}  # fmt: skip
_TIME_PATTERN = re.compile(
    r"(?P<unit>[a-z]+?)s?\s+since\s+(?P<date>\d{4}-\d{1,2}-\d{1,2})"
    r"(?:[ T]+(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.\d*)?)?)?"
    r"\s*(?:UTC|GMT|Z|[+-]00(?::?00)?)?",
    re.IGNORECASE,
)
_one_thread = threading.RLock()
_CLASSIC_FORMATS = ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA")


@contextmanager
def reading(path: Path | str) -> Iterator[netCDF4.Dataset]:
    """A netCDF file open for reading.

    Raises InputError when the file is absent, is not netCDF, is an unpacked archive, or is damaged.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); correct the path or its permissions") from error
    if magic == b"PK\x03\x04":
        raise InputError(f"{path}: this is a zip archive, not netCDF: unzip it first")
    try:
        with _one_thread, netCDF4.Dataset(path) as dataset:
            dataset.set_always_mask(False)
            _refuse_short_file(path, dataset)
            yield dataset
    except (OSError, RuntimeError) as error:
        if "NetCDF:" not in str(error):
            raise
        if "Unknown file format" in str(error):
            raise InputError(f"{path}: not a netCDF file; give a netCDF-3 or netCDF-4 file") from error
        raise InputError(f"{path}: cut short or damaged ({error}); copy or produce it again") from error


def _refuse_short_file(path: Path, dataset: netCDF4.Dataset) -> None:
    """A netCDF-3 file that is cut short opens without an error and reads as zeros."""
    if dataset.data_model in _CLASSIC_FORMATS:
        expected = sum(variable.size * variable.dtype.itemsize for variable in dataset.variables.values())
        if path.stat().st_size < expected:
            raise InputError(
                f"{path}: cut short, {path.stat().st_size} bytes instead of at least {expected}; "
                "copy or produce it again"
            )


def require(dataset: netCDF4.Dataset, *names: str) -> None:
    """Raise InputError naming the first variable that the file lacks."""
    for name in names:
        if name not in dataset.variables:
            present = ", ".join(sorted(dataset.variables)) or "nothing"
            raise InputError(f"{dataset.filepath()}: variable {name} is missing; add it (the file has {present})")


def read_values(dataset: netCDF4.Dataset, name: str, index: Any = slice(None), dtype: Any = np.float64) -> np.ndarray:
    """The values of a variable as floats, NaN where the file has none (fill values, 1e20)."""
    require(dataset, name)
    values = np.ma.filled(np.ma.asarray(dataset[name][index]).astype(dtype), np.nan)
    return np.where(np.abs(values) < FILL_THRESHOLD, values, np.array(np.nan, dtype))


def read_time(dataset: netCDF4.Dataset, name: str = "time", index: Any = slice(None)) -> np.ndarray:
    """A CF time variable as datetime64[s] in UTC, rounded to the second.

    Raises InputError for undefined times, a calendar other than the real one or units that are not
    "<unit> since <date>".
    """
    require(dataset, name)
    variable = dataset[name]
    where = f"{dataset.filepath()}: {name}"
    units = str(getattr(variable, "units", ""))
    match = _TIME_PATTERN.fullmatch(units.strip())
    if match is None or match["unit"].lower() not in _SECONDS:
        raise InputError(f'{where} has units "{units}"; write them as "hours since 2007-01-01 00:00:00" in UTC')
    calendar = str(getattr(variable, "calendar", "standard")).lower()
    if calendar not in ("standard", "gregorian", "proleptic_gregorian"):
        raise InputError(f"{where} uses the {calendar} calendar; convert the file to the standard calendar")
    numbers = np.ma.filled(np.ma.asarray(variable[index]).astype(np.float64), np.nan)
    if not np.isfinite(numbers).all():
        raise InputError(f"{where} is undefined at index {int(np.argmin(np.isfinite(numbers)))}; give every time")
    year, month, day = (int(part) for part in match["date"].split("-"))
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    origin = np.datetime64(f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", "s")
    return origin + np.rint(numbers * _SECONDS[match["unit"].lower()]).astype("timedelta64[s]")


def _create(path: Path, attributes: Mapping[str, Any]) -> netCDF4.Dataset:
    path.open("wb").close()  # the operating system says why it refuses, netCDF always says "permission denied"
    dataset = netCDF4.Dataset(path, "w")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    written = {"source": f"dalearn {dalearn.__version__}", "history": f"{now} written by dalearn"}
    dataset.setncatts({**written, **attributes, "Conventions": CONVENTIONS})
    return dataset


@contextmanager
def writing(path: Path | str, attributes: Mapping[str, Any] | None = None) -> Iterator[netCDF4.Dataset]:
    """A netCDF-4 file to be filled; it takes the name ``path`` when the block ends without an error.

    ``attributes`` are global attributes (title, provenance); Conventions, source and history are added.
    Raises InputError when the file cannot be written.
    """
    path = Path(path)
    with _one_thread, replacing(path) as temporary:
        with write_errors(path):
            dataset = _create(temporary, attributes or {})
        with write_errors(path, of_system=False), dataset:
            yield dataset


def create_variable(
    dataset: netCDF4.Dataset,
    name: str,
    dimensions: Sequence[str],
    dtype: Any = "f4",
    *,
    attributes: Mapping[str, Any] | None = None,
    chunks: Sequence[int] | None = None,
    compressed: bool = True,
) -> netCDF4.Variable:
    """A variable with the CF attributes of the variable table; floats get NaN as fill value."""
    variable = dataset.createVariable(
        name,
        dtype,
        tuple(dimensions),
        compression="zlib" if dimensions and compressed else None,
        complevel=1,
        chunksizes=chunks,
        fill_value=np.nan if np.dtype(dtype).kind == "f" else None,
    )
    known = VARIABLES[name].attributes if name in VARIABLES else {}
    variable.setncatts({**known, **(attributes or {})})
    return variable


def create_cells(dataset: netCDF4.Dataset, latitude: np.ndarray, longitude: np.ndarray) -> None:
    """The dimension ``cell`` with its coordinates, degrees north and east."""
    dataset.createDimension("cell", len(latitude))
    for name, unit, values in (("latitude", "degrees_north", latitude), ("longitude", "degrees_east", longitude)):
        variable = create_variable(dataset, name, ("cell",), "f8")
        variable.setncatts({"standard_name": name, "long_name": f"{name} of the cell centre", "units": unit})
        variable[:] = values


def create_time(
    dataset: netCDF4.Dataset, dimension: str = "time", name: str = "time", chunks: Sequence[int] | None = None
) -> netCDF4.Variable:
    """A CF time variable on an existing dimension, to be filled with ``seconds``."""
    attributes = {"standard_name": "time", "long_name": "time (UTC)", "units": TIME_UNITS, "calendar": "standard"}
    return create_variable(dataset, name, (dimension,), "i8", attributes=attributes, chunks=chunks)


def seconds(times: np.ndarray) -> np.ndarray:
    """datetime64 as the numbers of a variable made by ``create_time``."""
    return (np.asarray(times).astype("datetime64[s]") - EPOCH).astype(np.int64)


class TimeSeriesWriter:
    """A file of ``(time, cell)`` float32 series that grows block by block.

    A context manager: the file takes the name ``path`` when the block ends, and is removed after an error.
    """

    def __init__(
        self,
        path: Path | str,
        variables: Sequence[str] | Mapping[str, Mapping[str, Any]],
        latitude: np.ndarray,
        longitude: np.ndarray,
        *,
        attributes: Mapping[str, Any] | None = None,
        rows_per_block: int = 24,
    ) -> None:
        """``variables``: names of the variable table, or name -> further CF attributes; ``latitude`` and
        ``longitude`` (cell,) degrees; ``rows_per_block`` is the number of rows usually appended at once (the
        chunk length on disk).  Raises InputError when the file cannot be written.
        """
        self.path = Path(path)
        self.part = temporary_of(self.path)
        self.variables = variables if isinstance(variables, Mapping) else {name: {} for name in variables}
        self.rows = 0
        try:
            with _one_thread, write_errors(self.path):
                self._dataset = _create(self.part, attributes or {})
                self._lay_out(latitude, longitude, rows_per_block)
        except BaseException:
            self._discard()
            raise

    def _lay_out(self, latitude: np.ndarray, longitude: np.ndarray, rows_per_block: int) -> None:
        self._dataset.createDimension("time", None)
        create_time(self._dataset, chunks=(max(rows_per_block, 512),))
        create_cells(self._dataset, latitude, longitude)
        for name, attributes in self.variables.items():
            create_variable(
                self._dataset,
                name,
                ("time", "cell"),
                attributes={**attributes, "coordinates": "latitude longitude"},
                chunks=(rows_per_block, len(latitude)),
            )
        self._dataset.sync()

    def append(self, times: np.ndarray, values: Mapping[str, np.ndarray]) -> None:
        """Add rows: ``times`` (row,) datetime64, ``values`` name -> (row, cell), one entry per variable."""
        if set(values) != set(self.variables):
            raise ValueError(f"expected the variables {sorted(self.variables)}, got {sorted(values)}")
        rows = slice(self.rows, self.rows + len(times))
        with _one_thread, write_errors(self.path):
            for name, block in values.items():
                self._dataset[name][rows] = block
            self._dataset["time"][rows] = seconds(times)
            self._dataset.sync()
        self.rows = rows.stop

    def __enter__(self) -> "TimeSeriesWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with _one_thread, write_errors(self.path):
                self._dataset.close()
                if kind is None:
                    os.replace(self.part, self.path)
        finally:
            self._discard()

    def _discard(self) -> None:
        if self.part.is_file():
            self.part.unlink()
