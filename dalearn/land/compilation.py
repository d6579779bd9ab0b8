"""Compilation of the repeated blocks of the land model, with a fall-back that always works.

Each block compiles once for any number of columns (dynamic last axis) and is kept in a disk cache, so that
the second run starts in seconds.  Where the compiler is missing or fails, the block runs eagerly and one
warning says so: slower, never wrong.

A block keeps nothing for its derivative but its packed inputs.  Its reverse mode is a second compiled function
that repeats the forward computation: storing the intermediate values would cost more time than computing them
again, and far more memory.
"""

import functools
import logging
import os
import shutil
import types
from collections.abc import Callable, Iterable, Sequence
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


def _own_code(function: types.FunctionType) -> types.FunctionType:
    """A copy with a code object of its own: the compiler caches by code object, and the guards that would tell
    two blocks of the same code apart are dropped."""
    _compilation["blocks"] += 1
    code = function.__code__.replace(co_name=f"{function.__name__}_{_compilation['blocks']}")
    return types.FunctionType(code, function.__globals__, function.__name__, None, function.__closure__)


def mark_columns(tensors: Iterable[Tensor]) -> None:
    """The number of columns may change from call to call."""
    for tensor in tensors:
        torch._dynamo.maybe_mark_dynamic(tensor, 1)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    options: dict[str, Any] = {}
    if hasattr(torch.compiler, "keep_tensor_guards_unsafe"):
        # everything but the tensors is constant in a block, so only they need checking at every call
        options["guard_filter_fn"] = torch.compiler.keep_tensor_guards_unsafe
    own = _own_code(function)  # type: ignore[arg-type]
    return torch.compile(own, fullgraph=True, options=options or None)  # type: ignore[call-overload, no-any-return]


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
        self._on_tensors: Callable[..., Any] | None = None
        self._pullbacks: dict[tuple[tuple[bool, ...], tuple[bool, ...]], Callable[..., Any]] = {}
        self._input_layouts: list[Layout] = []
        self._output_layouts: list[Layout] = []

    def __call__(self, *arguments: Any) -> Any:
        """Compiled, structures come back as ``Packed``; without a compiler as they are."""
        if not compilation_available():
            return self.function(*(unpacked(argument) for argument in arguments))
        if self._compiled is None and not self._compile(arguments):
            return self.function(*(unpacked(argument) for argument in arguments))
        inputs = self._packed(arguments)
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs):
            tensors = _Differentiable.apply(self, *inputs)
        else:
            assert self._compiled is not None
            tensors = self._compiled(*inputs)
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

        tensors = [tensor.detach() for tensor in self._packed(arguments)]
        compiled = _compiled(on_tensors)
        mark_columns(tensors)
        try:
            with torch.no_grad():
                compiled(*tensors)
        except (torch._dynamo.exc.TorchDynamoException, torch._inductor.exc.InductorError) as error:
            _disable(f"{type(error).__name__}: {str(error).splitlines()[0]}")
            return False
        self._compiled, self._on_tensors = compiled, on_tensors
        return True

    def pullback(
        self, inputs: Sequence[Tensor], wanted: tuple[bool, ...], cotangents: Sequence[Tensor | None]
    ) -> Sequence[Tensor]:
        """The vector-Jacobian product: cotangents of the wanted packed inputs from those of the packed outputs.

        Compiled at its first use, separately for every choice of wanted inputs and given cotangents.
        """
        given = tuple(cotangent is not None for cotangent in cotangents)
        moving = tuple(tensor for tensor, want in zip(inputs, wanted, strict=True) if want)
        fixed = tuple(tensor for tensor, want in zip(inputs, wanted, strict=True) if not want)
        known = tuple(cotangent for cotangent in cotangents if cotangent is not None)
        key = (wanted, given)
        function = self._pullbacks.get(key)
        if function is not None:
            return function(moving, fixed, known)  # type: ignore[no-any-return]
        assert self._on_tensors is not None
        plain = _pullback(self._on_tensors, wanted, given)
        mark_columns((*moving, *fixed, *known))
        compiled = _compiled(plain)
        try:
            result = compiled(moving, fixed, known)
        except (torch._dynamo.exc.TorchDynamoException, torch._inductor.exc.InductorError) as error:
            _disable(f"{type(error).__name__}: {str(error).splitlines()[0]}")
            compiled, result = plain, plain(moving, fixed, known)
        self._pullbacks[key] = compiled
        return result  # type: ignore[no-any-return]

    def eager_pullback(
        self, inputs: Sequence[Tensor], wanted: tuple[bool, ...], cotangents: Sequence[Tensor | None]
    ) -> Sequence[Tensor]:
        """The same as ``pullback``, itself differentiable."""
        assert self._on_tensors is not None
        outputs = self._on_tensors(*inputs)
        pairs = [pair for pair in zip(outputs, cotangents, strict=True) if pair[1] is not None]
        moving = [tensor for tensor, want in zip(inputs, wanted, strict=True) if want]
        known, given = zip(*pairs, strict=True)
        return torch.autograd.grad(known, moving, given, create_graph=True, materialize_grads=True)


def _pullback(function: Callable[..., Any], wanted: tuple[bool, ...], given: tuple[bool, ...]) -> Callable[..., Any]:
    """The pull-back of a function of tensors, with the tensors that do not move as constants."""

    def pull(
        moving: tuple[Tensor, ...], fixed: tuple[Tensor, ...], cotangents: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        def of_moving(*tensors: Tensor) -> tuple[Tensor, ...]:
            some, others = iter(tensors), iter(fixed)
            outputs = function(*(next(some) if want else next(others) for want in wanted))
            return tuple(output for output, give in zip(outputs, given, strict=True) if give)

        return torch.func.vjp(of_moving, *moving)[1](cotangents)

    return pull


class _Differentiable(torch.autograd.Function):
    """A compiled block in reverse mode."""

    @staticmethod
    def forward(ctx: Any, block: CompiledBlock, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.block = block
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        assert block._compiled is not None
        return tuple(block._compiled(*(tensor.detach() for tensor in tensors)))

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        wanted = tuple(ctx.needs_input_grad[1:])
        # with a graph of the derivative itself, for second derivatives, operation by operation
        pullback = ctx.block.eager_pullback if torch.is_grad_enabled() else ctx.block.pullback
        found = iter(pullback(ctx.saved_tensors, wanted, cotangents))
        return (None, *(next(found) if want else None for want in wanted))
