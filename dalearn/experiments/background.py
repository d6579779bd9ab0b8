"""Files written while the model goes on."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import torch

logger = logging.getLogger("dalearn")


class BackgroundWriter:
    """One thread that writes, one file after the other, while its owner computes; a context manager.

    At most one task is under way: a further one waits for it, so that a slow disk slows the run down instead of
    filling the memory.  What a task raises is raised by the next ``submit`` or at the end of the block.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._under_way: Future[None] | None = None

    def submit(self, task: Callable[..., None], *arguments: Any) -> None:
        """Have ``task`` called after what was submitted before; nobody may change its arguments meanwhile."""
        self.wait()
        self._under_way = self._thread.submit(torch.no_grad()(task), *arguments)

    def wait(self) -> None:
        """Return when everything is written; raises what went wrong."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def __enter__(self) -> "BackgroundWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._thread.shutdown(wait=True)
            if self._under_way is not None and self._under_way.exception() is not None:
                logger.warning("while the run ended: %s", self._under_way.exception())
