"""Files that are written whole or not at all.

A writer works on a hidden temporary file beside the final one, which takes the final name when it is complete.  So a
file with its final name can be trusted whatever stopped the process: an error leaves nothing behind, a kill a
temporary file that ``remove_leftovers`` knows by its name.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dalearn.errors import InputError

_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")


def temporary_of(path: Path) -> Path:
    """Where this process prepares ``path``."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def remove_leftovers(directory: Path) -> None:
    """Remove what killed processes were preparing in ``directory`` and below; nobody may be writing there now."""
    for path in list(directory.rglob(".*.tmp")):
        if _TEMPORARY.fullmatch(path.name):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@contextmanager
def write_errors(path: Path, of_system: bool = True) -> Iterator[None]:
    """Turn a failure to write ``path``, of netCDF and if wished of the system, into one line for the user."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if "NetCDF:" not in str(error) and not (of_system and isinstance(error, OSError)):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be written ({reason}); {_mend(path)}") from error


def _mend(path: Path) -> str:
    if not path.parent.is_dir():
        return f"{path.parent} is not a directory, choose another"
    free = shutil.disk_usage(path.parent).free / 2**30
    return f"{free:.1f} GiB are free there: make room or choose another directory"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The temporary file to be written in the block; it takes the name ``path`` when the block ends without an error.

    Raises InputError when it cannot take the name.
    """
    temporary = temporary_of(path)
    try:
        yield temporary
        with write_errors(path):
            os.replace(temporary, path)
    finally:
        if temporary.is_file():
            temporary.unlink()


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` make the file ``path`` under a temporary name, in a folder that is made if need be.

    Raises InputError when the system refuses: a full disk, a folder without permission.
    """
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, write_errors(path):
        write(temporary)


def write_text(path: Path, text: str) -> None:
    """``write_whole`` for a text."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
