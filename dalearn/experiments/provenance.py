"""Where a result comes from: versions, commit, machine, input files."""

import functools
import hashlib
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import dalearn

PACKAGES = ("torch", "numpy", "xarray", "netCDF4", "lightning", "jsonargparse", "matplotlib")
FULL_HASH_BYTES = 256 * 2**20
EDGE_BYTES = 16 * 2**20


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def file_record(path: Path) -> dict[str, Any]:
    """Name, size and checksum of a file.

    Files above 256 MiB are too slow to read twice: their ``sha256`` covers the first and the last 16 MiB
    and ``partial`` is true; with the size it still notices a file that was replaced or cut.
    """
    size = path.stat().st_size
    digest = hashlib.sha256()
    partial = size > FULL_HASH_BYTES
    with path.open("rb") as file:
        if partial:
            digest.update(file.read(EDGE_BYTES))
            file.seek(size - EDGE_BYTES)
        while block := file.read(2**20):
            digest.update(block)
    return {"path": str(path), "bytes": size, "sha256": digest.hexdigest(), "partial": partial}


@functools.cache
def commit() -> str | None:
    """The git commit of a source checkout when first asked, with ``+modified`` when the package differs from it."""
    package = Path(dalearn.__file__).parent
    if not (package.parent / ".git").exists():
        return None
    try:
        head = _git(package, "rev-parse", "HEAD")
        changed = _git(package, "status", "--porcelain", "--", ".")
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+modified" if changed else "")


def _git(directory: Path, *arguments: str) -> str:
    command = ["git", "-C", str(directory), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


def software() -> dict[str, Any]:
    """Versions, commit and machine."""
    versions = {"dalearn": dalearn.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {"versions": versions, "commit": commit(), "platform": platform.platform(), "executable": sys.executable}


def file_attributes(title: str) -> dict[str, str]:
    """CF global attributes of an output file."""
    head = commit()
    return {
        "Conventions": "CF-1.11",
        "title": title,
        "source": f"dalearn {dalearn.__version__}" + (f" ({head})" if head else ""),
        "history": f"{now()} written by dalearn",
    }
