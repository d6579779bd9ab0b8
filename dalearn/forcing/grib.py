"""GRIB files, unpacked to netCDF with the optional package cfgrib."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

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
def unpacked(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """The same files, those in GRIB replaced by netCDF files in a temporary folder ($TMPDIR).

    Raises InputError when there is GRIB and cfgrib is not installed.
    """
    if not any(map(is_grib, paths)):
        yield list(paths)
        return
    with TemporaryDirectory(prefix="dalearn-grib-") as name:
        result = []
        for number, path in enumerate(paths):
            result += _unpack(path, Path(name), number) if is_grib(path) else [path]
        yield result


def _unpack(path: Path, folder: Path, number: int) -> list[Path]:
    try:
        import cfgrib
    except ImportError as error:
        raise InputError(
            f"{path}: GRIB needs the package cfgrib: install dalearn[grib], or convert the file to netCDF "
            "(grib_to_netcdf, cdo -f nc copy)"
        ) from error
    parts = []
    for part, dataset in enumerate(cfgrib.open_datasets(str(path), backend_kwargs={"indexpath": ""})):
        if "step" in dataset.dims and "valid_time" in dataset.coords:
            dataset = dataset.swap_dims({"step": "valid_time"}) if dataset["valid_time"].ndim == 1 else dataset
        parts.append(folder / f"{number:05d}_{part:02d}.nc")
        dataset.to_netcdf(parts[-1])
    return parts
