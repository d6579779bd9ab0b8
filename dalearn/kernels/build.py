"""C++ text to a function in this process, through the compiler or from the disk."""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from dalearn.kernels.trace import KernelError

# Not-a-number must stay, so no -ffast-math; contraction to fused multiply-adds is on by default.
FLAGS = ("-std=c++17", "-O2", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-shared", "-w")


@functools.cache
def compiler() -> str | None:
    """The C++ compiler of this machine: ``$CXX``, g++ or clang++."""
    names = (os.environ.get("CXX", ""), "g++", "clang++", "c++")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def cache_directory() -> Path:
    """Where compiled kernels are kept: ``$DALEARN_CACHE``, by default ``~/.cache/dalearn``."""
    root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dalearn"
    return Path(os.environ.get("DALEARN_CACHE", root)) / "kernels"


@functools.cache
def _machine() -> str:
    """What machine code depends on: the compiler and the processor."""
    version = subprocess.run([str(compiler()), "--version"], capture_output=True, text=True, check=True).stdout
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    processor = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    return "\n".join((version, processor, platform.machine()))


def library_path(key: str) -> Path:
    """The file of a kernel, whether or not it exists; ``key`` is anything that tells one kernel from another."""
    digest = hashlib.sha256("\n".join((key, _machine(), *FLAGS)).encode()).hexdigest()
    return cache_directory() / f"{digest[:32]}.so"


def compile_library(source: str, path: Path) -> None:
    """Compile to ``path``, which is complete whenever it exists; ``KernelError`` without a working compiler."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".making-") as folder:
        text, library = Path(folder) / "kernel.cpp", Path(folder) / "kernel.so"
        text.write_text(source)
        for threads in (("-fopenmp",), ()):
            command = [str(compiler()), *FLAGS, *threads, str(text), "-o", str(library)]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode == 0:
                break
        else:
            lines = result.stderr.strip().splitlines() or [f"exit code {result.returncode}"]
            raise KernelError(f"{compiler()}: {lines[0]}")
        library.replace(path)


def load_library(path: Path) -> ctypes.CDLL:
    """The functions of a compiled kernel."""
    return ctypes.CDLL(str(path))
