"""Compilation of the repeated blocks of the land model, with a fall-back that always works.

Each block compiles once for any number of columns (dynamic last axis) and is kept in a disk cache, so that
the second run starts in seconds.  Where the compiler is missing or fails, the block runs eagerly and one
warning says so: slower, never wrong.
"""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

logger = logging.getLogger(__name__)

_state = {"available": True}


def _disable(reason: str) -> None:
    if _state["available"]:
        _state["available"] = False
        logger.warning("running without compilation, several times slower: %s", reason)


def _prepare() -> None:
    """Settings that the compiled blocks need; called before the first compilation."""
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(root / "dalearn" / "inductor")
    import torch._functorch.config as functorch_config

    # one backward pass per observed quantity keeps the graph, which donated buffers forbid
    functorch_config.donated_buffer = False
    torch._dynamo.config.cache_size_limit = max(torch._dynamo.config.cache_size_limit, 64)


def compiler_available() -> bool:
    """Whether a C++ compiler for the CPU back end is on this machine."""
    candidates = [os.environ.get("CXX", ""), "g++", "clang++", "c++"]
    return any(name and shutil.which(name) for name in candidates)


class CompiledBlock:
    """A function compiled at its first call; the same function run eagerly where that is impossible.

    Args:
        function: pure function of tensors (and pytrees of tensors).
        enabled: False runs it eagerly without a word.
    """

    def __init__(self, function: Callable[..., Any], *, enabled: bool = True) -> None:
        self.function = function
        self.enabled = enabled
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        if not (self.enabled and _state["available"]):
            return self.function(*arguments)
        if self._compiled is not None:
            return self._compiled(*arguments)
        if not compiler_available():
            _disable("no C++ compiler found (install g++ or clang++, or set CXX)")
            return self.function(*arguments)
        _prepare()
        compiled = torch.compile(self.function, fullgraph=True, dynamic=True)
        try:
            result = compiled(*arguments)
        except (torch._dynamo.exc.TorchDynamoException, torch._inductor.exc.InductorError) as error:
            _disable(f"{type(error).__name__}: {str(error).splitlines()[0]}")
            return self.function(*arguments)
        self._compiled = compiled
        return result
