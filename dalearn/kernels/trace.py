"""From a function of ``(row, column)`` tensors to formulas of one column.

The function is run once under a tracer, on an example.  Each tensor of the trace becomes an array of values
(``expressions.py``), one per row, and each operation acts on these.  Whatever operates along the columns, or depends
on their number, is refused.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, fx
from torch._decomp import core_aten_decompositions
from torch.fx.experimental.proxy_tensor import make_fx

from dalearn.kernels.elementwise import ELEMENTWISE, as_number, power
from dalearn.kernels.expressions import Expressions, Value


class KernelError(Exception):
    """A function, or a machine, that kernels cannot be made for."""


class NotColumnwise(KernelError):
    """A function that kernels cannot be made for: columns meet, or an operation is not known."""


class Formulas(NamedTuple):
    """What one column of the outputs is, from one column of the inputs."""

    expressions: Expressions
    input_rows: tuple[int, ...]
    outputs: tuple[tuple[Value, ...], ...]  # (output, row)


class Rows(NamedTuple):
    """A tensor of the trace: a value for every index but that of the column.

    ``values`` has the shape of the tensor without its last axis; where ``spread`` is False there is no column axis
    and it has the whole shape.
    """

    values: np.ndarray
    spread: bool


def trace(function: Callable[..., Sequence[Tensor]], examples: Sequence[Tensor]) -> Formulas:
    """The formulas of ``function``; ``NotColumnwise`` names an operation that is not possible.

    Args:
        function: takes and returns ``(row, column)`` tensors; may differentiate inside.
        examples: inputs with the right rows and dtype; the values and the number of columns do not count.
    """
    # a number of columns that no number of rows equals tells the axes apart
    columns = 1 + max(1000, *(example.shape[0] for example in examples))
    inputs = [torch.full((example.shape[0], columns), 0.5, dtype=example.dtype) for example in examples]
    graph = make_fx(function, decomposition_table=_decompositions())(*inputs).graph
    expressions = Expressions()
    found: dict[fx.Node, Any] = {}
    tensors = iter(range(len(inputs)))
    outputs: Any = ()
    interpreter = _Interpreter(expressions, columns)
    for node in graph.nodes:
        arguments = fx.map_arg(node.args, lambda other: found[other])
        keywords = fx.map_arg(node.kwargs, lambda other: found[other])
        if node.op == "placeholder":
            number = next(tensors)
            rows = [expressions.input(number, row) for row in range(inputs[number].shape[0])]
            found[node] = Rows(np.array(rows, dtype=np.int64), spread=True)
        elif node.op == "get_attr":
            found[node] = interpreter.literal(getattr(graph.owning_module, node.target))
        elif node.op == "output":
            outputs = arguments[0]
        else:
            found[node] = interpreter.run(node, arguments, keywords)
    sizes = tuple(tensor.shape[0] for tensor in inputs)
    return Formulas(expressions, sizes, tuple(tuple(interpreter.floating(rows).values.tolist()) for rows in outputs))


def _decompositions() -> dict[Any, Callable[..., Any]]:
    """How the tracer takes apart what the interpreter does not know as a whole."""
    table = core_aten_decompositions()
    return {operation: how for operation, how in table.items() if not _Interpreter.knows(operation)}


class _Interpreter:
    """Operations of the trace on rows."""

    def __init__(self, expressions: Expressions, columns: int) -> None:
        self.expressions = expressions
        self.columns = columns

    @classmethod
    def knows(cls, operation: Any) -> bool:
        name = _plain_name(operation)
        return name in ELEMENTWISE or hasattr(cls, f"do_{name}")

    def run(self, node: fx.Node, arguments: Any, keywords: Any) -> Any:
        if node.target.__module__ == "_operator":  # type: ignore[union-attr]
            return arguments[0][arguments[1]]
        name = _plain_name(node.target)
        if node.target._schema.is_mutable and len(node.all_input_nodes[0].users) > 1:  # type: ignore[union-attr]
            raise NotColumnwise(f"{name} changes a tensor that is used again")
        if method := getattr(self, f"do_{name}", None):
            result = method(*arguments, **keywords)
        elif operation := ELEMENTWISE.get(name):
            result = self.elementwise(operation, *arguments)
        else:
            raise NotColumnwise(f"operation {name} is not known to kernels")
        example = node.meta.get("val", node.meta.get("tensor_meta"))
        if isinstance(result, Rows) and isinstance(example, Tensor) and example.dtype.is_floating_point:
            result = self.floating(result)
        return result

    # values

    def rows(self, value: Any) -> Rows:
        if isinstance(value, Rows):
            return value
        number = bool(value) if isinstance(value, bool) else float(value)
        return Rows(np.array(self.expressions.constant(number)), spread=False)

    def literal(self, tensor: Tensor) -> Rows:
        constants = [self.expressions.constant(float(value)) for value in tensor.flatten().tolist()]
        return Rows(np.array(constants, dtype=np.int64).reshape(tensor.shape), spread=False)

    def floating(self, rows: Rows) -> Rows:
        """Truth values as 1 and 0."""
        one, zero = self.expressions.constant(1.0), self.expressions.constant(0.0)

        def number(value: Value) -> Value:
            return self.expressions.apply("choose", value, one, zero) if self.expressions.is_truth(value) else value

        flat = [number(value) for value in rows.values.ravel().tolist()]
        return rows._replace(values=np.array(flat, dtype=np.int64).reshape(rows.values.shape))

    def filled(self, shape: Sequence[int], number: float | bool) -> Rows:
        value = self.expressions.constant(number if isinstance(number, bool) else float(number))
        spread = bool(shape) and shape[-1] == self.columns
        return Rows(np.full(tuple(shape[:-1] if spread else shape), value, dtype=np.int64), spread)

    def elementwise(self, operation: Callable[..., Value], *operands: Any) -> Rows:
        parts = [self.rows(operand) for operand in operands]
        spread = any(part.spread for part in parts)
        if spread:
            parts = [self._without_column_axis(part) for part in parts]
        arrays = np.broadcast_arrays(*(part.values for part in parts))
        flat = [
            operation(self.expressions, *values) for values in zip(*(a.ravel().tolist() for a in arrays), strict=True)
        ]
        return Rows(np.array(flat, dtype=np.int64).reshape(arrays[0].shape), spread)

    def _without_column_axis(self, part: Rows) -> Rows:
        if part.spread or part.values.ndim == 0:
            return part
        if part.values.shape[-1] != 1:
            raise NotColumnwise("values that differ between columns are not possible")
        return Rows(part.values[..., 0], spread=False)

    def _axis(self, part: Rows, axis: int) -> int:
        """Axis of the values; the column axis is refused."""
        dimensions = part.values.ndim + part.spread
        axis = axis % dimensions if dimensions else 0
        if part.spread and axis == dimensions - 1:
            raise NotColumnwise("operations along the columns are not possible")
        return axis

    # shapes

    def do_slice(self, part: Rows, axis: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Rows:
        if part.spread and axis % (part.values.ndim + 1) == part.values.ndim:
            if (start or 0) == 0 and (end is None or end >= self.columns) and step == 1:
                return part
            raise NotColumnwise("a part of the columns is not possible")
        index = [slice(None)] * part.values.ndim
        index[self._axis(part, axis)] = slice(start, end, step)
        return part._replace(values=part.values[tuple(index)])

    def do_select(self, part: Rows, axis: int, index: int) -> Rows:
        return part._replace(values=np.take(part.values, index, axis=self._axis(part, axis)))

    def do_unsqueeze(self, part: Rows, axis: int) -> Rows:
        dimensions = part.values.ndim + part.spread + 1
        axis = axis % dimensions
        if part.spread and axis == dimensions - 1:
            raise NotColumnwise("the columns must stay the last axis")
        return part._replace(values=np.expand_dims(part.values, axis))

    def do_squeeze(self, part: Rows, axis: int | Sequence[int]) -> Rows:
        axes = [axis] if isinstance(axis, int) else axis
        places = tuple(self._axis(part, each) for each in axes)
        return part._replace(values=np.squeeze(part.values, tuple(p for p in places if part.values.shape[p] == 1)))

    def do_view(self, part: Rows, shape: Sequence[int]) -> Rows:
        if part.spread and shape[-1] not in (self.columns, -1):
            raise NotColumnwise("the columns must stay the last axis")
        return part._replace(values=part.values.reshape(tuple(shape[:-1] if part.spread else shape)))

    do__unsafe_view = do_reshape = do_view

    def do_expand(self, part: Rows, shape: Sequence[int]) -> Rows:
        spread = part.spread or shape[-1] == self.columns
        if spread and not part.spread:
            part = self._without_column_axis(part)
        target = tuple(shape[:-1] if spread else shape)
        lead = (1,) * (len(target) - part.values.ndim) + part.values.shape
        target = tuple(own if wanted == -1 else wanted for wanted, own in zip(target, lead, strict=True))
        return Rows(np.broadcast_to(part.values, target), spread)

    def do_cat(self, parts: Sequence[Rows], axis: int = 0) -> Rows:
        return parts[0]._replace(values=np.concatenate([p.values for p in parts], axis=self._axis(parts[0], axis)))

    def do_stack(self, parts: Sequence[Rows], axis: int = 0) -> Rows:
        return self.do_cat([self.do_unsqueeze(part, axis) for part in parts], axis)

    def do_split_with_sizes(self, part: Rows, sizes: Sequence[int], axis: int = 0) -> list[Rows]:
        ends = np.cumsum(sizes)[:-1]
        return [part._replace(values=values) for values in np.split(part.values, ends, axis=self._axis(part, axis))]

    def do_unbind(self, part: Rows, axis: int = 0) -> list[Rows]:
        axis = self._axis(part, axis)
        return [self.do_select(part, axis, index) for index in range(part.values.shape[axis])]

    def do_slice_backward(self, part: Rows, shape: Sequence[int], axis: int, start: int, end: int, step: int) -> Rows:
        if part.spread and axis % len(shape) == len(shape) - 1:
            return part  # all columns: ``do_slice`` allows no other
        result = self.filled(shape, 0.0)
        index = [slice(None)] * result.values.ndim
        index[self._axis(part, axis)] = slice(start, end, step)
        result.values[tuple(index)] = part.values
        return result

    def do_select_backward(self, part: Rows, shape: Sequence[int], axis: int, index: int) -> Rows:
        result = self.filled(shape, 0.0)
        places: list[Any] = [slice(None)] * result.values.ndim
        places[axis % len(shape)] = index
        result.values[tuple(places)] = part.values
        return result

    def do_flip(self, part: Rows, axes: Sequence[int]) -> Rows:
        return part._replace(values=np.flip(part.values, tuple(self._axis(part, axis) for axis in axes)))

    # made from nothing

    def do_zeros(self, shape: Sequence[int], **_: Any) -> Rows:
        return self.filled(shape, 0.0)

    def do_ones(self, shape: Sequence[int], **_: Any) -> Rows:
        return self.filled(shape, 1.0)

    def do_full(self, shape: Sequence[int], number: float | bool, **_: Any) -> Rows:
        return self.filled(shape, number)

    def do_new_full(self, _: Rows, shape: Sequence[int], number: float, **__: Any) -> Rows:
        return self.filled(shape, number)

    def do_new_zeros(self, _: Rows, shape: Sequence[int], **__: Any) -> Rows:
        return self.filled(shape, 0.0)

    def do_zeros_like(self, part: Rows, **_: Any) -> Rows:
        return self.do_full_like(part, 0.0)

    def do_ones_like(self, part: Rows, **_: Any) -> Rows:
        return self.do_full_like(part, 1.0)

    def do_full_like(self, part: Rows, number: float, **_: Any) -> Rows:
        value = self.expressions.constant(number if isinstance(number, bool) else float(number))
        return part._replace(values=np.full(part.values.shape, value, dtype=np.int64))

    def do_scalar_tensor(self, number: float | bool, **_: Any) -> Rows:
        return self.rows(number)

    def do_clone(self, part: Rows, **_: Any) -> Rows:
        return part

    do_lift_fresh_copy = do_detach = do_alias = do__to_copy = do_clone

    # several rows at once

    def _reduced(self, operation: str, part: Rows, axes: Sequence[int], keep: bool) -> Rows:
        places = sorted({self._axis(part, axis) for axis in axes}, reverse=True)
        values = part.values
        for place in places:
            slices = [np.take(values, index, axis=place) for index in range(values.shape[place])]
            total = reduce(
                lambda one, other: (
                    self.elementwise(
                        lambda e, a, b: e.apply(operation, a, b), Rows(one, part.spread), Rows(other, part.spread)
                    ).values
                ),
                slices,
            )
            values = np.expand_dims(total, place) if keep else total
        return part._replace(values=values)

    def do_sum(self, part: Rows, axes: Sequence[int], keep: bool = False, **_: Any) -> Rows:
        return self._reduced("add", self.floating(part), axes, keep)

    def do_mean(self, part: Rows, axes: Sequence[int], keep: bool = False, **_: Any) -> Rows:
        count = math.prod(part.values.shape[self._axis(part, axis)] for axis in axes)
        return self.elementwise(ELEMENTWISE["mul"], self._reduced("add", part, axes, keep), 1.0 / count)

    def do_amax(self, part: Rows, axes: Sequence[int], keep: bool = False) -> Rows:
        return self._reduced("maximum", part, axes, keep)

    def do_amin(self, part: Rows, axes: Sequence[int], keep: bool = False) -> Rows:
        return self._reduced("minimum", part, axes, keep)

    def do_any(self, part: Rows, axis: int, keep: bool = False) -> Rows:
        return self._reduced("either", part, [axis], keep)

    def do_all(self, part: Rows, axis: int, keep: bool = False) -> Rows:
        return self._reduced("both", part, [axis], keep)

    def _running(self, operation: str, part: Rows, axis: int) -> Rows:
        axis = self._axis(part, axis)
        rows = self.do_unbind(part, axis)
        for index in range(1, len(rows)):
            rows[index] = self.elementwise(ELEMENTWISE[operation], rows[index - 1], rows[index])
        return self.do_stack(rows, axis)

    def do_cumsum(self, part: Rows, axis: int, **_: Any) -> Rows:
        return self._running("add", part, axis)

    def do_cumprod(self, part: Rows, axis: int, **_: Any) -> Rows:
        return self._running("mul", part, axis)

    # elementwise, with options

    def do_clamp(self, part: Rows, lower: Any = None, upper: Any = None, min: Any = None, max: Any = None) -> Rows:
        lower, upper = min if lower is None else lower, max if upper is None else upper
        if lower is not None:
            part = self.elementwise(ELEMENTWISE["maximum"], part, lower)
        return part if upper is None else self.elementwise(ELEMENTWISE["minimum"], part, upper)

    def do_masked_fill(self, part: Rows, mask: Rows, number: Any) -> Rows:
        return self.elementwise(ELEMENTWISE["where"], mask, number, part)

    def do_add(self, one: Any, other: Any, alpha: float = 1) -> Rows:
        other = other if alpha == 1 else self.elementwise(ELEMENTWISE["mul"], other, alpha)
        return self.elementwise(lambda e, a, b: e.apply("add", as_number(e, a), as_number(e, b)), one, other)

    def do_sub(self, one: Any, other: Any, alpha: float = 1) -> Rows:
        other = other if alpha == 1 else self.elementwise(ELEMENTWISE["mul"], other, alpha)
        return self.elementwise(lambda e, a, b: e.apply("subtract", as_number(e, a), as_number(e, b)), one, other)

    def do_rsub(self, one: Any, other: Any, alpha: float = 1) -> Rows:
        return self.do_sub(other, one, alpha)

    def do_pow(self, base: Any, exponent: Any) -> Rows:
        return self.elementwise(power, base, exponent)


def _plain_name(operation: Any) -> str:
    """The name of an operation, the same for one that works in place."""
    return str(operation._schema.name).removeprefix("aten::").rstrip("_")
