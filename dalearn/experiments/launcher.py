"""``dalearn run --processes N``: the same command in N processes of this machine, watched as one.

The watching process does no work.  What it hears decides: the first process that fails names the error and the exit
code, the others are asked to end, and none outlives it.  Across machines SLURM or torchrun do the same
(``docs/scaling.md``).
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

CHANNEL = "DALEARN_CHANNEL"  # file descriptor on which a process tells how it ended
PEER_LOST = 75  # exit code of a process that ends because another one has; EX_TEMPFAIL
GRACE = 20.0  # s between asking a process to end and ending it
LOOK_EVERY = 0.1  # s


@dataclass
class _Process:
    rank: int
    process: subprocess.Popen
    channel: socket.socket

    def last_words(self) -> str:
        """What the process has said on its end; call it once it has ended."""
        self.channel.settimeout(1.0)
        parts = []
        while part := self.channel.recv(4096):
            parts.append(part)
        return b"".join(parts).decode()


def launch(count: int, arguments: Sequence[str]) -> tuple[int, str]:
    """Run ``dalearn`` with ``arguments`` in ``count`` processes; the exit code and the line that explains it.

    Raises Stopped, once all have ended, when this process is asked to end.
    """
    processes: list[_Process] = []
    try:
        port = _free_port()
        for rank in range(count):
            processes.append(_start(rank, count, port, arguments))
        return _watch(processes)
    finally:
        _end(processes)


def _start(rank: int, count: int, port: int, arguments: Sequence[str]) -> _Process:
    ours, theirs = socket.socketpair()
    environment = {
        **os.environ,
        "RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        CHANNEL: str(theirs.fileno()),
    }
    environment.setdefault("OMP_NUM_THREADS", str(max(1, cores() // count)))
    if sys.platform.startswith("linux"):
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "dalearn", *arguments],
            env=environment,
            pass_fds=[theirs.fileno()],
            process_group=0,  # a signal from the keyboard is for this process, which passes it on once
        )
    return _Process(rank, process, ours)


def _watch(processes: Sequence[_Process]) -> tuple[int, str]:
    """Wait until all have ended well or one has not."""
    while True:
        codes = [item.process.poll() for item in processes]
        failed = [item for item, code in zip(processes, codes, strict=True) if code not in (None, 0, PEER_LOST)]
        if failed:
            return _explain(failed[0], len(processes))
        if all(code is not None for code in codes):
            lost = PEER_LOST in codes  # of a process that ended well before its time
            return (1, "failed: a process ended before the others were done") if lost else (0, "")
        time.sleep(LOOK_EVERY)


def _explain(item: _Process, count: int) -> tuple[int, str]:
    code, words = item.process.returncode, item.last_words()
    if words or code > 0:
        return (code, words) if code > 0 else (128 - code, words)
    name = signal.Signals(-code).name
    reason = f"{name}{', perhaps for lack of memory' if code == -signal.SIGKILL else ''}"
    return 1, f"failed: process {item.rank} of {count} was ended by {reason}; the same command goes on from there"


def _end(processes: Sequence[_Process]) -> None:
    """Ask those that still run to end, wait for them, and end those that do not."""
    for item in processes:
        if item.process.poll() is None:
            item.process.terminate()
    deadline = time.monotonic() + GRACE
    for item in processes:
        try:
            item.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            item.process.kill()
            item.process.wait()
        item.channel.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Channel:
    """The end of a launched process: it tells the launcher how the run ended, and ends with it."""

    def __init__(self) -> None:
        number = os.environ.pop(CHANNEL, None)
        self._socket = socket.socket(fileno=int(number)) if number is not None else None
        if self._socket is not None:
            os.set_inheritable(self._socket.fileno(), False)
            threading.Thread(target=self._end_with_launcher, args=(self._socket,), daemon=True).start()

    def tell(self, line: str) -> bool:
        """Leave the last words of this process to the launcher; whether there is one to hear them."""
        if self._socket is None:
            return False
        try:
            self._socket.sendall(line.encode())
        except BrokenPipeError:  # it was killed
            return False
        return True

    @staticmethod
    def _end_with_launcher(launcher: socket.socket) -> None:
        launcher.recv(1)  # returns when the launcher has ended, however that was
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(128 + signal.SIGTERM)
