"""A program that runs ``dalearn run`` in forked processes and stops them at chosen points; used by ``test_kill.py``.

Everything is imported once; every run is then a fork of this process and costs no start.  One request is one line of
JSON on standard input, answered by one line on standard output:

    config, directory   of dalearn run
    snapshots           a folder: copy the run directory there whenever a stage begins
    stop                {"stage", "kind", "number", "delay", "signal"}: send ``signal`` to the run at event ``number``
                        of ``kind`` since ``stage`` began (null: since the process began), after ``delay`` seconds
                        (null: at once, before what the event announces happens)
    file_size_limit     bytes: no file may grow beyond it, as on a full disk

Events are file operations in the run directory (``file``), steps of the land model (``step``) and training steps
(``batch``).  The answer holds the exit code (negative: the signal), standard error, the events that the run lived to
see, and with ``snapshots`` those before each stage began.
"""

import json
import mmap
import os
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import netCDF4
import torch

KINDS = ("file", "step", "batch")
WRITING = os.O_WRONLY | os.O_RDWR
OPERATIONS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}


class Counter:
    """Counts the events of a run in memory shared with the parent, where a kill cannot erase them."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, 8 * len(KINDS))
        self.stop: dict[str, Any] | None = None
        self.directory = ""
        self.counting = False
        self.armed = False
        self.since = dict.fromkeys(KINDS, 0)
        self.alarm = -1

    def of(self, kind: str) -> int:
        return int(struct.unpack_from("q", self.memory, 8 * KINDS.index(kind))[0])

    def values(self) -> dict[str, int]:
        return {kind: self.of(kind) for kind in KINDS}

    def event(self, kind: str) -> None:
        if not self.counting:
            return
        struct.pack_into("q", self.memory, 8 * KINDS.index(kind), self.of(kind) + 1)
        stop = self.stop
        if stop is None or not self.armed or stop["kind"] != kind:
            return
        if self.of(kind) - self.since[kind] == stop["number"]:
            if stop["delay"] is None:
                os.kill(os.getpid(), stop["signal"])
            else:
                os.write(self.alarm, b"!")

    def stage_begins(self, stage: str) -> None:
        if self.stop is not None and self.stop["stage"] == stage:
            self.armed, self.since = True, self.values()

    def audit(self, name: str, arguments: tuple) -> None:
        """Count file operations in the run directory, before they are done."""
        if not self.counting or (name != "open" and name not in OPERATIONS):
            return
        if name == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITING):
            return
        if str(arguments[0]).startswith(self.directory):
            self.event("file")


counter = Counter()


class WatchedDataset(netCDF4.Dataset):
    """netCDF writes from C, where nothing can be counted; between two variables it can."""

    def createVariable(self, *arguments: Any, **options: Any) -> netCDF4.Variable:
        counter.event("file")
        return super().createVariable(*arguments, **options)


def watch(cls: type, name: str, kind: str) -> None:
    """Count the calls of a method."""
    original = getattr(cls, name)

    def counted(*arguments: Any, **options: Any) -> Any:
        counter.event(kind)
        return original(*arguments, **options)

    setattr(cls, name, counted)


def child(request: dict[str, Any], report: Path) -> int:
    """Do the run; only its events and files get out."""
    from dalearn import cli
    from dalearn.experiments.run_directory import RunDirectory

    begun: dict[str, dict[str, int]] = {}
    mark_started = RunDirectory.mark_started

    def marked(directory: RunDirectory, stage: str, mark: str) -> None:
        begun[stage] = counter.values()
        if request.get("snapshots"):
            counter.counting = False
            shutil.copytree(directory.path, Path(request["snapshots"]) / stage)
            counter.counting = True
        counter.stage_begins(stage)
        mark_started(directory, stage, mark)

    RunDirectory.mark_started = marked  # type: ignore[method-assign]
    counter.directory = request["directory"]
    counter.stop = request.get("stop")
    counter.armed = counter.stop is not None and counter.stop["stage"] is None
    if limit := request.get("file_size_limit"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    counter.counting = True
    code = cli.main(["run", request["config"], "--run-directory", request["directory"]])
    counter.counting = False
    report.write_text(json.dumps(begun))
    return code


def serve(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Fork, stop the child where the request says, wait for its end."""
    counter.memory[:] = bytes(len(counter.memory))
    errors, report = folder / "stderr", folder / "begun.json"
    report.unlink(missing_ok=True)
    read_end, counter.alarm = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(read_end)
        for number, path in ((1, folder / "stdout"), (2, errors)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        code = 1
        try:
            code = child(request, report)
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(counter.alarm)
    if os.read(read_end, 1):
        time.sleep(request["stop"]["delay"])
        os.kill(process, request["stop"]["signal"])
    os.close(read_end)
    _, status = os.waitpid(process, 0)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "stderr": errors.read_text(),
        "events": counter.values(),
        "begun": json.loads(report.read_text()) if report.exists() else {},
    }


def main() -> None:
    torch.set_num_threads(1)
    netCDF4.Dataset = WatchedDataset  # type: ignore[misc]
    from dalearn.experiments import pipeline
    from dalearn.land.model import LandModel
    from dalearn.learning.module import OperatorTraining

    assert pipeline.Pipeline  # imported for its imports
    watch(LandModel, "step", "step")
    watch(OperatorTraining, "training_step", "batch")
    sys.addaudithook(counter.audit)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            print(json.dumps(serve(json.loads(line), Path(folder))), flush=True)


if __name__ == "__main__":
    main()
