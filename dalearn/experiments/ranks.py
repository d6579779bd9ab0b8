"""The processes of a run: who they are, and waiting for one another.

Torch's own launcher, ``dalearn run --processes`` and SLURM say through the environment how many processes there are and
which one this is; they meet in a gloo group of ``torch.distributed``.  All they exchange is what to do next and that it
is done: the cells of one process need nothing of those of another.

Waiting is asking from time to time: a call that blocks would not notice a signal, and a stage can last for days.
"""

import datetime
import os
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

from dalearn.errors import PeerLost
from dalearn.experiments.environment import number_of_processes

TIMEOUT = datetime.timedelta(days=60)  # longer than any stage; a process that dies is noticed at once all the same
LOOK_EVERY = 0.05  # s


@dataclass(frozen=True)
class Ranks:
    """This process among the ``size`` processes of the run; the first one, of ``rank`` 0, leads.

    ``local_rank`` counts those of this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @classmethod
    def meet(cls) -> "Ranks":
        """Join the others, where the environment says that there are any; waits for them."""
        size = number_of_processes()
        if size <= 1:
            return cls()
        dist.init_process_group("gloo", timeout=TIMEOUT)
        rank = int(os.environ["RANK"])
        return cls(rank, size, int(os.environ.get("LOCAL_RANK", rank)))

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, value: Any = None) -> Any:
        """What the leader gives as ``value``, in all processes.

        Raises PeerLost when a process has ended.
        """
        if self.size == 1:
            return value
        data = torch.frombuffer(bytearray(pickle.dumps(value)), dtype=torch.uint8)
        length = torch.tensor([len(data)])
        self._finish(lambda: dist.broadcast(length, 0, async_op=True))
        if not self.leads:
            data = torch.empty(int(length), dtype=torch.uint8)
        self._finish(lambda: dist.broadcast(data, 0, async_op=True))
        return pickle.loads(data.numpy().tobytes())

    def wait(self, meanwhile: Callable[[], None] | None = None) -> None:
        """Until all processes are here; ``meanwhile`` is called again and again.

        Raises PeerLost when a process has ended.
        """
        if self.size > 1:
            here = torch.ones(1)
            self._finish(lambda: dist.all_reduce(here, async_op=True), meanwhile)

    def close(self) -> None:
        """Leave the group."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()

    @staticmethod
    def _finish(start: Callable[[], Any], meanwhile: Callable[[], None] | None = None) -> None:
        try:
            work = start()
            while not work.is_completed():
                time.sleep(LOOK_EVERY)
                if meanwhile is not None:
                    meanwhile()
            work.wait()
        except RuntimeError as error:
            raise PeerLost(str(error).splitlines()[0]) from error
