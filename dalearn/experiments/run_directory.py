"""The run directory: where a run keeps its results, and how it knows what is already done.

Every stage has a fingerprint, a hash of the settings it depends on, the contents of the input files and the
fingerprint of the stages before it.  A finished stage leaves ``stages/<stage>.json`` with its fingerprint
and the sizes of its outputs; when both still agree the stage is skipped.  When the configuration or an
input has changed since, nothing is overwritten: the run stops, says what changed, and ``--force`` (or
another directory) is the user's decision.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from dalearn.errors import InputError
from dalearn.experiments import provenance
from dalearn.files import remove_leftovers, temporary_of, write_text

logger = logging.getLogger("dalearn")

try:
    import fcntl
except ImportError:  # not a POSIX system: two runs in one directory are not kept apart there
    fcntl = None  # type: ignore[assignment]


def fingerprint(*parts: Any) -> str:
    """A short hash of anything that JSON can hold."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(old: Any, new: Any, prefix: str = "") -> list[str]:
    """``key: old -> new`` for everything that differs between two nested configurations."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [*old, *(key for key in new if key not in old)]
        return [line for key in keys for line in differences(old.get(key), new.get(key), f"{prefix}{key}.")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [line for index, (a, b) in pairs for line in differences(a, b, f"{prefix}{index}.")]
    return [] if old == new else [f"{prefix[:-1]}: {_short(old)} -> {_short(new)}"]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


class _LogFile(logging.FileHandler):
    """A log that a full disk may cut: the error that this brings elsewhere is what the user has to see."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


class RunDirectory:
    """``path`` and what is in it.  Nothing is written before ``create``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: Any = None

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def create(self) -> None:
        """Make the directory, test that it can be written, keep other runs out of it and tidy up after a killed one.

        The lock is the operating system's: it ends with the process, however that ends.  Raises InputError when the
        directory cannot be written, holds something else, or is in use.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if any(self.path.iterdir()) and not (self / "stages").is_dir():
                raise InputError(
                    f"{self.path}: not empty and not a run directory of dalearn; choose another with --run-directory"
                )
            (self / "stages").mkdir(exist_ok=True)
            self._lock = (self / "stages" / "lock").open("w")
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot write the run directory ({error.strerror}); choose another with --run-directory"
            ) from error
        if fcntl is not None:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                self.close()
                raise InputError(
                    f"{self.path}: another dalearn process is working in it; wait for it or choose --run-directory"
                ) from error
            except OSError as error:
                reason = error.strerror
                logger.warning("%s: cannot be locked (%s); start one run in it at a time", self.path, reason)
                return
        self._tidy()

    def _tidy(self) -> None:
        """Remove what a killed run leaves and no later one needs."""
        remove_leftovers(self.path)
        for path in (self / "stages").glob("*.partial"):
            record = self.stage_record(path.stem)
            if record is not None and record["complete"]:
                shutil.rmtree(path, ignore_errors=True)

    def close(self) -> None:
        """Let other runs in."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def open_log(self, logger: logging.Logger, name: str = "log.txt") -> logging.Handler:
        """Also write the log to ``name``, after what earlier runs wrote."""
        handler = _LogFile(self / name)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        return handler

    def write_configuration(self, configuration: Mapping[str, Any]) -> None:
        """The resolved configuration as ``config.yaml``."""
        write_text(self / "config.yaml", yaml.safe_dump(dict(configuration), sort_keys=False))

    def configuration_changes(self, configuration: Mapping[str, Any]) -> list[str]:
        """What differs from the stored configuration, ``key: old -> new``; empty when there is none."""
        path = self / "config.yaml"
        return differences(yaml.safe_load(path.read_text()), dict(configuration)) if path.exists() else []

    def write_provenance(self, inputs: Iterable[Mapping[str, Any]], command: list[str]) -> None:
        """``provenance.json``: software, machine, command, input files with sizes and checksums."""
        record = {**provenance.software(), "started": provenance.now(), "command": command, "inputs": list(inputs)}
        write_text(self / "provenance.json", json.dumps(record, indent=2))

    def input_checksums(self) -> set[str]:
        """Checksums of the input files in ``provenance.json``; empty when it is not there."""
        path = self / "provenance.json"
        return {item["sha256"] for item in json.loads(path.read_text())["inputs"]} if path.exists() else set()

    def stage_record(self, stage: str) -> dict[str, Any] | None:
        """What ``mark_complete`` or ``mark_started`` left, or None."""
        path = self / "stages" / f"{stage}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def is_complete(self, stage: str, mark: str) -> bool:
        """Whether ``stage`` finished with this fingerprint and its outputs are all there."""
        record = self.stage_record(stage)
        if record is None or not record["complete"] or record["fingerprint"] != mark:
            return False
        return all((self / name).exists() and (self / name).stat().st_size == size
                   for name, size in record["outputs"].items())  # fmt: skip

    def is_stale(self, stage: str, mark: str) -> bool:
        """Whether ``stage`` was begun or finished with another fingerprint."""
        record = self.stage_record(stage)
        return record is not None and record["fingerprint"] != mark

    def mark_started(self, stage: str, mark: str) -> None:
        """Note that the partial files of ``stage`` from here on belong to this fingerprint."""
        self._write_record(stage, {"complete": False, "fingerprint": mark, "started": provenance.now()})

    def mark_complete(self, stage: str, mark: str, outputs: Iterable[Path], seconds: float) -> None:
        """Note that ``stage`` is done and which files, inside the directory, prove it."""
        sizes = {str(path.relative_to(self.path)): path.stat().st_size for path in outputs}
        record = {"complete": True, "fingerprint": mark, "finished": provenance.now(), "seconds": round(seconds, 1)}
        self._write_record(stage, {**record, "outputs": sizes})

    def _write_record(self, stage: str, record: Mapping[str, Any]) -> None:
        write_text(self / "stages" / f"{stage}.json", json.dumps(record, indent=2))

    def forget(self, stage: str) -> None:
        """Remove the record of ``stage`` and its partial files, so that it starts from the beginning."""
        aside = temporary_of(self.partial(stage))
        if self.partial(stage).exists():
            os.replace(self.partial(stage), aside)  # at once: a kill must not leave some of the partial files
        (self / "stages" / f"{stage}.json").unlink(missing_ok=True)
        shutil.rmtree(aside, ignore_errors=True)

    def partial(self, stage: str) -> Path:
        """The folder of the partial files of ``stage``."""
        return self / "stages" / f"{stage}.partial"
