"""GRIB files, unpacked to netCDF with the optional package cfgrib."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dalearn.errors import InputError

MAGIC = b"GRIB"


def is_grib(path: Path) -> bool:
    """Whether the file begins as GRIB does."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); correct the path or its permissions") from error


@contextmanager
def unpacked(paths: Sequence[Path], *, forecast: bool = False) -> Iterator[list[Path]]:
    """The same files, those in GRIB replaced by netCDF files in a temporary folder ($TMPDIR).

    ``forecast`` keeps the base time of each file apart from the time that a field is valid at, where sums since the
    base time have to be taken apart.  Raises InputError when there is GRIB and cfgrib is not installed.
    """
    if not any(map(is_grib, paths)):
        yield list(paths)
        return
    with TemporaryDirectory(prefix="dalearn-grib-") as name:
        result = []
        for number, path in enumerate(paths):
            result += _unpack(path, Path(name), number, forecast) if is_grib(path) else [path]
        yield result


def _unpack(path: Path, folder: Path, number: int, forecast: bool) -> list[Path]:
    try:
        import cfgrib
    except ImportError as error:
        raise InputError(
            f"{path}: GRIB needs the package cfgrib: install dalearn[grib], or convert the file to netCDF "
            "(grib_to_netcdf, cdo -f nc copy)"
        ) from error
    options: dict[str, Any] = {"indexpath": ""}
    if not forecast:
        options["time_dims"] = ("valid_time",)
    parts: list[Path] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of xarray, about how cfgrib calls it
        try:
            datasets = cfgrib.open_datasets(str(path), backend_kwargs=options)
        except (EOFError, ValueError, OSError, cfgrib.DatasetBuildError) as error:
            raise InputError(f"{path}: cannot be read as GRIB ({error}); download it again") from error
        for part, dataset in enumerate(datasets):
            if forecast and "step" in dataset.dims:
                dataset = dataset.swap_dims({"step": "valid_time"})
            parts.append(folder / f"{number:05d}_{part:02d}.nc")
            dataset.to_netcdf(parts[-1])
    return parts
