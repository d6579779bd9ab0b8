"""A program that runs ``dalearn`` in processes that meet over gloo, as torchrun would; used by ``test_shards.py``.

Everything is imported once; every process of a run is then a fork of this one.  One request is one line of JSON on
standard input, answered by one line on standard output:

    arguments   of dalearn
    size        number of processes
    kill        {"rank", "step"}: SIGKILL for the process ``rank`` before the step ``step`` of its land model, counted
                from 1, or null

The answer holds, by rank, the exit codes (negative: the signal), standard error and the steps of the land model.
"""

import json
import mmap
import os
import signal
import socket
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

STEPS = mmap.mmap(-1, 8 * 16)  # shared with the forks, where a kill cannot erase it


def steps(rank: int) -> int:
    return int(struct.unpack_from("q", STEPS, 8 * rank)[0])


def child(request: dict[str, Any], rank: int, port: int) -> int:
    from dalearn import cli
    from dalearn.land.model import LandModel

    original = LandModel.step

    def counted(*arguments: Any, **options: Any) -> Any:
        struct.pack_into("q", STEPS, 8 * rank, steps(rank) + 1)
        kill = request["kill"]
        if kill is not None and kill["rank"] == rank and steps(rank) == kill["step"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)

    LandModel.step = counted  # type: ignore[method-assign]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(request["size"]), "LOCAL_RANK": str(rank)}
    return cli.main(request["arguments"])


def serve(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Fork the processes and wait for their end."""
    STEPS[:] = bytes(len(STEPS))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = []
    for rank in range(request["size"]):
        process = os.fork()
        if process == 0:
            for number, name in ((1, "stdout"), (2, "stderr")):
                os.dup2(os.open(folder / f"{name}{rank}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            code = 1
            try:
                code = child(request, rank, port)
            finally:
                sys.stderr.flush()
                os._exit(code)
        processes.append(process)
    codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
    return {
        "codes": codes,
        "stderr": [(folder / f"stderr{rank}").read_text() for rank in range(request["size"])],
        "steps": [steps(rank) for rank in range(request["size"])],
    }


def main() -> None:
    torch.set_num_threads(1)
    from dalearn.experiments import pipeline

    assert pipeline.Pipeline  # imported for its imports
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            print(json.dumps(serve(json.loads(line), Path(folder))), flush=True)


if __name__ == "__main__":
    main()
