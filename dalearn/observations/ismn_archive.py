"""ISMN downloads: single files, folders and zip archives of ``.stm`` files."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dalearn.errors import InputError
from dalearn.observations.ismn_file import SOIL_MOISTURE, Series, read_series, variable_of
from dalearn.observations.ismn_package import series_of_package


@dataclass(frozen=True)
class Member:
    """One ``.stm`` file; ``read`` gives its series."""

    source: str
    read: Callable[[], list[Series]]


def members(paths: Sequence[Path]) -> Iterator[Member]:
    """The soil moisture files of ``paths``, in the order of their names.

    Raises InputError for a path that is none, and for a folder or an archive without any.
    """
    for path in paths:
        if path.is_dir():
            found = [_plain(file) for file in sorted(path.rglob("*.stm")) if _wanted(file.name)]
        elif zipfile.is_zipfile(path):
            found = _zipped(path)
        elif path.suffix.lower() == ".zip":
            raise InputError(f"{path}: not a readable zip archive; download it again")
        elif path.suffix.lower() == ".csv":
            continue  # static variables of a station, not needed
        else:
            found = [_plain(path)]
        if not found:
            raise InputError(f"{path}: no soil moisture file (*_sm_*.stm) in it; download the data again")
        yield from found


def _wanted(name: str) -> bool:
    return variable_of(name) == SOIL_MOISTURE


def _plain(path: Path) -> Member:
    def read() -> list[Series]:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); correct the path") from error
        return series_of_package(path) or read_series(str(path), path.name, _text(str(path), content))

    return Member(str(path), read)


def _zipped(path: Path) -> list[Member]:
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.lower().endswith(".stm"))
    return [_member(path, name) for name in names if _wanted(PurePosixPath(name).name)]


def _member(path: Path, name: str) -> Member:
    source = f"{path}:{name}"

    def read() -> list[Series]:
        try:
            with zipfile.ZipFile(path) as archive:
                content = archive.read(name)
        except (OSError, zipfile.BadZipFile, EOFError) as error:
            raise InputError(f"{source}: damaged in the archive ({error}); download it again") from error
        return read_series(source, PurePosixPath(name).name, _text(source, content))

    return Member(source, read)


def _text(source: str, content: bytes) -> str:
    if b"\0" in content[:4096]:
        raise InputError(f"{source}: not a text file; give ISMN data as .stm files")
    return content.decode("utf-8", "replace")
