"""Kernels: functions of ``(row, column)`` tensors as machine code for the CPU."""

import ctypes
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dalearn.kernels.build import compile_library, compiler, library_path, load_library
from dalearn.kernels.source import write_source
from dalearn.kernels.trace import KernelError, trace

SMALLEST_SHARE = 256  # columns per thread: below, waking a thread costs more than it does


def threads_for(columns: int) -> int:
    """Threads that are worth waking."""
    return min(torch.get_num_threads(), max(columns // SMALLEST_SHARE, 1))


class Kernel:
    """A compiled function: tensors in, tensors out, all ``(row, column)`` of one dtype on the CPU.

    Args:
        library: the machine code.
        dtype: of all tensors.
        input_rows, output_rows: number of rows of each.
    """

    def __init__(self, library: ctypes.CDLL, dtype: torch.dtype, input_rows: Sequence[int], output_rows: Sequence[int]):
        self.dtype = dtype
        self.input_rows = tuple(input_rows)
        self.output_rows = tuple(output_rows)
        self.width = int(library.kernel_width())
        self._library = library
        self._run = library.kernel
        self._run.restype = None
        self._run.argtypes = [*[ctypes.c_void_p] * 4, ctypes.c_int64, ctypes.c_int64]
        self.address = ctypes.cast(self._run, ctypes.c_void_p).value
        self._inputs = ctypes.c_void_p * len(self.input_rows)
        self._outputs = ctypes.c_void_p * len(self.output_rows)
        self._tensors = max(len(self.input_rows), len(self.output_rows))

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        columns = tensors[0].shape[1]
        if columns < self.width:
            # a vector must be full
            copies = -(-self.width // columns)
            results = self(*(tensor.repeat(1, copies) for tensor in tensors))
            return tuple(result[:, :columns].contiguous() for result in results)
        tensors = tuple(tensor.contiguous() for tensor in tensors)
        for tensor, rows in zip(tensors, self.input_rows, strict=True):
            if tensor.shape != (rows, columns) or tensor.dtype != self.dtype or tensor.device.type != "cpu":
                found = f"{tuple(tensor.shape)} of {tensor.dtype} on {tensor.device}"
                raise ValueError(f"a kernel for {rows} rows of {self.dtype} on the cpu got {found}")
        outputs = tuple(tensors[0].new_empty((rows, columns)) for rows in self.output_rows)
        strides = (ctypes.c_int64 * self._tensors)(*[columns] * self._tensors)
        self._run(
            self._inputs(*(tensor.data_ptr() for tensor in tensors)),
            self._outputs(*(tensor.data_ptr() for tensor in outputs)),
            strides,
            strides,
            columns,
            threads_for(columns),
        )
        return outputs


def build_kernel(
    function: Callable[..., Sequence[Tensor]],
    examples: Sequence[Tensor],
    output_rows: Sequence[int],
    *,
    name: str | None = None,
) -> Kernel:
    """Machine code for ``function``, from the disk if it was made before.

    Args:
        function: takes and returns ``(row, column)`` tensors whose columns do not meet; may differentiate inside.
        examples: its inputs: their rows and dtype count.
        output_rows: number of rows of each output.
        name: decides, together with the rows and the dtype, what the function computes: a kernel of this name that is
            on the disk is taken without looking at the function.  Without a name the function is traced every time.

    Raises:
        KernelError: no working compiler, or an operation that kernels do not know.
    """
    if compiler() is None:
        raise KernelError("no C++ compiler found (install g++ or clang++, or set CXX)")
    dtype, input_rows = examples[0].dtype, [example.shape[0] for example in examples]

    def source() -> str:
        formulas = trace(function, examples)
        rows = [len(values) for values in formulas.outputs]
        if rows != list(output_rows):
            raise KernelError(f"a function of {list(output_rows)} rows returns {rows}")
        return write_source(formulas, dtype)

    text = source() if name is None else ""
    path = library_path(text if name is None else f"{name} {dtype} {input_rows} {list(output_rows)}")
    if not path.exists():
        compile_library(text or source(), path)
    return Kernel(load_library(path), dtype, input_rows, output_rows)
