"""Compilation of the repeated blocks of the land model, with a fall-back that always works.

Each block compiles once for any number of columns (dynamic last axis) and is kept in a disk cache, so that
the second run starts in seconds.  Where the compiler is missing or fails, the block runs eagerly and one
warning says so: slower, never wrong.
"""

import functools
import logging
import os
import shutil
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dalearn.land.packing import Layout

logger = logging.getLogger(__name__)

_compilation = {"available": True, "prepared": False, "blocks": 0}


class Packed:
    """A structure between two compiled blocks: one tensor and how to read it."""

    def __init__(self, tensor: Tensor, layout: Layout) -> None:
        self.tensor = tensor
        self.layout = layout

    @classmethod
    def of(cls, structure: Any) -> "Packed":
        layout = Layout(structure)
        return cls(layout.pack(structure), layout)


def unpacked(value: Any) -> Any:
    """The structure itself, whether or not it comes from a compiled block."""
    return value.layout.unpack(value.tensor) if isinstance(value, Packed) else value


@functools.cache
def compiler_available() -> bool:
    """Whether a C++ compiler for the CPU back end is on this machine."""
    return any(name and shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++", "c++"))


def compilation_available() -> bool:
    """Whether blocks are compiled on this machine, as far as is known; warns once where they are not."""
    if _compilation["available"] and not compiler_available():
        _disable("no C++ compiler found (install g++ or clang++, or set CXX)")
    return bool(_compilation["available"])


def _disable(reason: str) -> None:
    if _compilation["available"]:
        _compilation["available"] = False
        logger.warning("running without compilation, several times slower: %s", reason)


def _prepare() -> None:
    """Settings that the compiled blocks need, once before the first compilation."""
    if _compilation["prepared"]:
        return
    _compilation["prepared"] = True
    logger.info("compiling the land model: a minute or two the first time, some seconds from the cache after that")
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(root / "dalearn" / "inductor")
    import torch._functorch.config as functorch_config

    # one backward pass per observed quantity keeps the graph, which donated buffers forbid
    functorch_config.donated_buffer = False


def _own_code(function: types.FunctionType) -> types.FunctionType:
    """A copy with a code object of its own: the compiler caches by code object, and the guards that would tell
    two blocks of the same code apart are dropped."""
    _compilation["blocks"] += 1
    code = function.__code__.replace(co_name=f"{function.__name__}_{_compilation['blocks']}")
    return types.FunctionType(code, function.__globals__, function.__name__, None, function.__closure__)


class CompiledBlock:
    """A pure function of structures, compiled on packed tensors.

    Args:
        function: takes structures (named tuples or tensor dataclasses), returns one or a tuple of several.
        outputs: number of structures returned.
    """

    def __init__(self, function: Callable[..., Any], outputs: int = 1) -> None:
        self.function = function
        self.outputs = outputs
        self._compiled: Callable[..., Any] | None = None
        self._input_layouts: list[Layout] = []
        self._output_layouts: list[Layout] = []

    def __call__(self, *arguments: Any) -> Any:
        """Compiled, structures come back as ``Packed``; without a compiler as they are."""
        if not compilation_available():
            return self.function(*(unpacked(argument) for argument in arguments))
        if self._compiled is None and not self._compile(arguments):
            return self.function(*(unpacked(argument) for argument in arguments))
        assert self._compiled is not None
        tensors = self._compiled(*self._packed(arguments))
        results = [Packed(*pair) for pair in zip(tensors, self._output_layouts, strict=True)]
        return results[0] if self.outputs == 1 else tuple(results)

    def _packed(self, arguments: tuple[Any, ...]) -> list[Tensor]:
        return [
            value.tensor if isinstance(value, Packed) else layout.pack(value)
            for value, layout in zip(arguments, self._input_layouts, strict=True)
        ]

    def _compile(self, arguments: tuple[Any, ...]) -> bool:
        _prepare()
        structures = [unpacked(argument) for argument in arguments]
        with torch.no_grad():
            example = self.function(*structures)
        function, several = self.function, self.outputs > 1
        inputs = self._input_layouts = [Layout(structure) for structure in structures]
        outputs = self._output_layouts = [Layout(part) for part in (example if several else (example,))]

        def on_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
            results = function(*(layout.unpack(tensor) for layout, tensor in zip(inputs, tensors, strict=True)))
            parts = results if several else (results,)
            return tuple(layout.pack(part) for layout, part in zip(outputs, parts, strict=True))

        options: dict[str, Any] = {}
        if hasattr(torch.compiler, "keep_tensor_guards_unsafe"):
            # everything but the tensors is constant in a block, so only they need checking at every call
            options["guard_filter_fn"] = torch.compiler.keep_tensor_guards_unsafe
        compiled = torch.compile(_own_code(on_tensors), fullgraph=True, options=options or None)  # type: ignore[arg-type, call-overload]
        tensors = self._packed(arguments)
        for tensor in tensors:
            torch._dynamo.maybe_mark_dynamic(tensor, 1)
        try:
            compiled(*tensors)
        except (torch._dynamo.exc.TorchDynamoException, torch._inductor.exc.InductorError) as error:
            _disable(f"{type(error).__name__}: {str(error).splitlines()[0]}")
            return False
        self._compiled = compiled
        return True
