"""Several kernels as one: what one leaves to the next stays in the cache and never becomes a tensor."""

import ctypes
import functools
from collections.abc import Sequence as Ordered
from importlib.resources import files
from typing import NamedTuple

from torch import Tensor

from dalearn.kernels.build import compile_library, library_path, load_library
from dalearn.kernels.kernel import Kernel, threads_for

# Columns that pass through all kernels before the next ones do: few enough to stay in the cache, and enough that the
# code of a kernel does; and fewer where each thread would get less than a few groups
GROUP, SMALLEST_GROUP = 384, 64


class Call(NamedTuple):
    """A kernel that ran, and on what."""

    kernel: Kernel
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class Sequence:
    """The calls of a recording, for other inputs and any number of columns.

    Args:
        calls: in their order.
        inputs: the tensors of the recording that come from outside; others are made by an earlier call.
        outputs: the tensors of the recording that are wanted.
    """

    def __init__(self, calls: Ordered[Call], inputs: Ordered[Tensor], outputs: Ordered[Tensor]) -> None:
        self.calls = tuple(call._replace(inputs=(), outputs=()) for call in calls)
        self.width = calls[0].kernel.width
        numbers: dict[int, int] = {}
        rows: list[int] = []

        def number(tensor: Tensor) -> int:
            if id(tensor) not in numbers:
                numbers[id(tensor)] = len(rows)
                rows.append(tensor.shape[0])
            return numbers[id(tensor)]

        self._inputs = [number(tensor) for tensor in inputs]
        made = set(self._inputs)
        wiring: list[int] = []
        lives: dict[int, tuple[int, int]] = {}
        for time, call in enumerate(calls):
            used = [number(tensor) for tensor in call.inputs]
            if not made.issuperset(used):
                raise ValueError("a call takes a tensor that is neither given nor made before")
            results = [number(tensor) for tensor in call.outputs]
            made.update(results)
            for each in (*used, *results):
                lives[each] = lives.get(each, (time, time))[0], time
            wiring += [len(used), len(results), *used, *results]
        self._outputs = [number(tensor) for tensor in outputs]
        self._rows = rows
        self._wiring = (ctypes.c_int64 * len(wiring))(*wiring)
        inner = {each: life for each, life in lives.items() if each not in {*self._inputs, *self._outputs}}
        places = _places(inner, rows)
        self._inner_rows = max((place + rows[each] for each, place in places.items()), default=0)
        self._places = (ctypes.c_int64 * len(rows))(*(places.get(each, 0) for each in range(len(rows))))
        self._kernels = (ctypes.c_void_p * len(calls))(*(call.kernel.address for call in calls))
        self._buffers = ctypes.c_void_p * len(rows)

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The wanted outputs; the inputs in the order of the recording, ``(row, column)``, at least one vector wide."""
        tensors = tuple(tensor.contiguous() for tensor in tensors)
        columns = tensors[0].shape[1]
        results = tuple(tensors[0].new_empty((self._rows[number], columns)) for number in self._outputs)
        buffers = self._buffers()
        for number, tensor in zip((*self._inputs, *self._outputs), (*tensors, *results), strict=True):
            if tensor.shape != (self._rows[number], columns):
                raise ValueError(f"a sequence for {self._rows[number]} rows got {tuple(tensor.shape)}")
            buffers[number] = tensor.data_ptr()
        threads = threads_for(columns)
        group = GROUP if threads == 1 else min(GROUP, max(columns // (4 * threads), SMALLEST_GROUP))
        _runner()(
            self._kernels, len(self.calls), self._wiring, buffers, self._places, len(self._rows), self._inner_rows,
            tensors[0].element_size(), columns, self.width, group, threads,
        )  # fmt: skip
        return results


def _places(lives: dict[int, tuple[int, int]], rows: Ordered[int]) -> dict[int, int]:
    """The first row of every inner buffer, in a room that those share which are not needed at the same time.

    Args:
        lives: the first and the last call that needs a buffer.
        rows: of every buffer.
    """
    places: dict[int, int] = {}
    for each, (first, last) in sorted(lives.items(), key=lambda item: item[1]):
        meets = [other for other in places if lives[other][0] <= last and first <= lives[other][1]]
        place = 0
        for begin, end in sorted((places[other], places[other] + rows[other]) for other in meets):
            if place + rows[each] <= begin:
                break
            place = max(place, end)
        places[each] = place
    return places


@functools.cache
def _runner() -> ctypes._CFuncPtr:  # type: ignore[name-defined]
    source = files("dalearn.kernels").joinpath("sequence.h").read_text()
    path = library_path(source)
    if not path.exists():
        compile_library(source, path)
    run = load_library(path).run_sequence
    run.restype = None
    run.argtypes = [
        ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 7,
    ]  # fmt: skip
    return run
