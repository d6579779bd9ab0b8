"""Compilation of the repeated blocks of the land model, with a fall-back that always works.

On the CPU a block becomes a kernel (``dalearn.kernels``), on a GPU it goes through ``torch.compile``.  Either way it is
compiled once for any number of columns and kept on disk, so that the second run starts at once.  Where the compiler
is missing or fails, the block runs eagerly and one warning says so: slower, never wrong.

A block keeps nothing for its derivative but its packed inputs.  Its reverse mode is a second compiled function
that repeats the forward computation: storing the intermediate values would cost more time than computing them
again, and far more memory.
"""

import functools
import hashlib
import logging
import os
import types
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Ordered
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dalearn.kernels import Call, Kernel, KernelError, NotColumnwise, Sequence, build_kernel, compiler
from dalearn.land.packing import Layout

logger = logging.getLogger(__name__)

_compilation = {"available": True, "prepared": False, "blocks": 0}
_recorded: list[list[Call | None]] = []  # of the recordings under way
_FAILURES = (KernelError, torch._dynamo.exc.TorchDynamoException, torch._inductor.exc.InductorError)


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


def compilation_available() -> bool:
    """Whether blocks are compiled on this machine, as far as is known; warns once where they are not."""
    if _compilation["available"] and compiler() is None:
        _disable("no C++ compiler found (install g++ or clang++, or set CXX)")
    return bool(_compilation["available"])


def _disable(reason: str) -> None:
    if _compilation["available"]:
        _compilation["available"] = False
        logger.warning("running without compilation, several times slower: %s", reason)


def _prepare() -> None:
    """Settings that compiled blocks need, once before the first compilation."""
    if _compilation["prepared"]:
        return
    _compilation["prepared"] = True
    logger.info("preparing the land model: some seconds the first time, minutes on a GPU; from the disk after that")
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(root / "dalearn" / "inductor")


@functools.cache
def _physics() -> str:
    """A digest of the equations: of everything that decides what a block computes, apart from its options."""
    folder = Path(__file__).parent
    kernels = folder.parent / "kernels"
    digest = hashlib.sha256(torch.__version__.encode())
    for file in sorted(
        [*folder.glob("*.py"), *kernels.glob("*.py"), *kernels.glob("*.h"), *folder.parent.glob("*.py")]
    ):
        digest.update(file.read_bytes())
    return digest.hexdigest()


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


def _torch_compiled(function: Callable[..., Any], tensors: Ordered[Tensor]) -> Callable[..., Any]:
    options: dict[str, Any] = {}
    if hasattr(torch.compiler, "keep_tensor_guards_unsafe"):
        # everything but the tensors is constant in a block, so only they need checking at every call
        options["guard_filter_fn"] = torch.compiler.keep_tensor_guards_unsafe
    own = _own_code(function)  # type: ignore[arg-type]
    mark_columns(tensors)
    compiled = torch.compile(own, fullgraph=True, options=options or None)  # type: ignore[call-overload]
    with torch.no_grad():
        compiled(*tensors)
    return compiled  # type: ignore[no-any-return]


class CompiledBlock:
    """A pure function of structures, compiled on packed tensors.

    Args:
        function: takes structures (named tuples or tensor dataclasses), returns one or a tuple of several.
        outputs: number of structures returned.
        name: tells the function from others, with all that is bound to it; None where no name can: the kernel is then
            traced anew by every process.
    """

    def __init__(self, function: Callable[..., Any], outputs: int = 1, name: str | None = None) -> None:
        self.function = function
        self.outputs = outputs
        self.name = name
        self._on_tensors: Callable[..., Any] | None = None
        self._compiled: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self._input_layouts: list[Layout] = []
        self._output_layouts: list[Layout] = []

    def __call__(self, *arguments: Any) -> Any:
        """Compiled, structures come back as ``Packed``; without a compiler as they are."""
        if not compilation_available():
            return self.function(*(unpacked(argument) for argument in arguments))
        if self._on_tensors is None:
            self._prepare(arguments)
        inputs = self._packed(arguments)
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs):
            tensors = _Differentiable.apply(self, *inputs)
        else:
            tensors = self.forward(inputs)
        results = [Packed(*pair) for pair in zip(tensors, self._output_layouts, strict=True)]
        return results[0] if self.outputs == 1 else tuple(results)

    def _packed(self, arguments: tuple[Any, ...]) -> list[Tensor]:
        return [
            value.tensor if isinstance(value, Packed) else layout.pack(value)
            for value, layout in zip(arguments, self._input_layouts, strict=True)
        ]

    def _prepare(self, arguments: tuple[Any, ...]) -> None:
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

        self._on_tensors = on_tensors

    def forward(self, inputs: Ordered[Tensor]) -> Ordered[Tensor]:
        """The packed outputs, compiled at its first use, separately for every dtype and device."""
        key = (inputs[0].dtype, inputs[0].device)
        function = self._compiled.get(key)
        if function is None:
            assert self._on_tensors is not None
            rows = [layout.row_count for layout in self._output_layouts]
            function = self._compiled[key] = self._compile(self._on_tensors, inputs, rows, "forward")
        outputs = function(*inputs)
        if _recorded:
            call = Call(function, tuple(inputs), tuple(outputs)) if isinstance(function, Kernel) else None
            _recorded[-1].append(call)
        return outputs  # type: ignore[no-any-return]

    def pullback(
        self, inputs: Ordered[Tensor], wanted: tuple[bool, ...], cotangents: Ordered[Tensor | None]
    ) -> Ordered[Tensor]:
        """The vector-Jacobian product: cotangents of the wanted packed inputs from those of the packed outputs.

        Compiled at its first use, separately for every choice of wanted inputs, given cotangents, dtype and device.
        """
        given = tuple(cotangent is not None for cotangent in cotangents)
        known = [cotangent for cotangent in cotangents if cotangent is not None]
        key = (inputs[0].dtype, inputs[0].device, wanted, given)
        function = self._compiled.get(key)
        if function is None:
            assert self._on_tensors is not None
            rows = [tensor.shape[0] for tensor, want in zip(inputs, wanted, strict=True) if want]
            plain = _pullback(self._on_tensors, wanted, given)
            function = self._compile(plain, [*inputs, *known], rows, f"derivative {wanted} {given}")
            self._compiled[key] = function
        return function(*inputs, *known)  # type: ignore[no-any-return]

    def _compile(
        self, function: Callable[..., Any], tensors: Ordered[Tensor], rows: Ordered[int], what: str
    ) -> Callable[..., Any]:
        """The compiled function, or the function itself with a warning."""
        tensors = [tensor.detach() for tensor in tensors]
        try:
            if tensors[0].device.type != "cpu":
                return _torch_compiled(function, tensors)
            layouts = [(layout.sizes, layout.masks) for layout in (*self._input_layouts, *self._output_layouts)]
            name = None if self.name is None else f"{_physics()} {self.name} {what} {layouts}"
            try:
                return build_kernel(function, tensors, rows, name=name)
            except NotColumnwise as error:
                logger.info("a block without a kernel, compiled by torch: %s", error)
                return _torch_compiled(function, tensors)
        except _FAILURES as error:
            _disable(f"{type(error).__name__}: {str(error).splitlines()[0]}")
            return function

    def eager_pullback(
        self, inputs: Ordered[Tensor], wanted: tuple[bool, ...], cotangents: Ordered[Tensor | None]
    ) -> Ordered[Tensor]:
        """The same as ``pullback``, itself differentiable."""
        assert self._on_tensors is not None
        outputs = self._on_tensors(*inputs)
        pairs = [pair for pair in zip(outputs, cotangents, strict=True) if pair[1] is not None]
        moving = [tensor for tensor, want in zip(inputs, wanted, strict=True) if want]
        known, given = zip(*pairs, strict=True)
        return torch.autograd.grad(known, moving, given, create_graph=True, materialize_grads=True)


def _pullback(function: Callable[..., Any], wanted: tuple[bool, ...], given: tuple[bool, ...]) -> Callable[..., Any]:
    """The pull-back of a function of tensors, of its inputs and the given cotangents."""

    def pull(*tensors: Tensor) -> tuple[Tensor, ...]:
        inputs, cotangents = tensors[: len(wanted)], tensors[len(wanted) :]

        def of_moving(*moving: Tensor) -> tuple[Tensor, ...]:
            some = iter(moving)
            outputs = function(*(next(some) if want else one for one, want in zip(inputs, wanted, strict=True)))
            return tuple(output for output, give in zip(outputs, given, strict=True) if give)

        moving = (one for one, want in zip(inputs, wanted, strict=True) if want)
        return torch.func.vjp(of_moving, *moving)[1](cotangents)  # type: ignore[no-any-return]

    return pull


class CompiledSequence:
    """A function of packed structures that does nothing but call compiled blocks, as one call without derivatives.

    The first call goes from block to block and is recorded.

    Args:
        function: takes ``Packed``, returns a tuple of ``Packed``; its calls do not depend on values.
    """

    def __init__(self, function: Callable[..., tuple[Packed, ...]]) -> None:
        self.function = function
        # None: one of the blocks has no kernel
        self._sequences: dict[torch.dtype, tuple[Sequence, list[Layout]] | None] = {}

    def __call__(self, *arguments: Packed) -> tuple[Packed, ...]:
        if not all(isinstance(argument, Packed) for argument in arguments):
            return self.function(*arguments)
        tensors = [argument.tensor for argument in arguments]
        gradients = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
        if gradients or tensors[0].device.type != "cpu":
            return self.function(*arguments)
        dtype = tensors[0].dtype
        if dtype not in self._sequences:
            return self._record(arguments)
        known = self._sequences[dtype]
        if known is None or tensors[0].shape[1] < known[0].width:
            return self.function(*arguments)
        sequence, layouts = known
        return tuple(Packed(*pair) for pair in zip(sequence(*tensors), layouts, strict=True))

    def _record(self, arguments: tuple[Packed, ...]) -> tuple[Packed, ...]:
        calls: list[Call | None] = []
        _recorded.append(calls)
        try:
            results = self.function(*arguments)
        finally:
            _recorded.pop()
        if not all(isinstance(result, Packed) for result in results):
            # the compiler failed on the way
            return results
        inputs, outputs = ([packed.tensor for packed in each] for each in (arguments, results))
        kernels = [call for call in calls if call is not None]
        known = None
        if len(kernels) == len(calls):
            known = Sequence(kernels, inputs, outputs), [result.layout for result in results]
        self._sequences[inputs[0].dtype] = known
        return results


class _Differentiable(torch.autograd.Function):
    """A compiled block in reverse mode."""

    @staticmethod
    def forward(ctx: Any, block: CompiledBlock, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.block = block
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        return tuple(block.forward([tensor.detach() for tensor in tensors]))

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        wanted = tuple(ctx.needs_input_grad[1:])
        # with a graph of the derivative itself, for second derivatives, operation by operation
        pullback = ctx.block.eager_pullback if torch.is_grad_enabled() else ctx.block.pullback
        found = iter(pullback(ctx.saved_tensors, wanted, cotangents))
        return (None, *(next(found) if want else None for want in wanted))
