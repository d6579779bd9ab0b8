"""Machine code for functions whose columns do not meet.

A block of the land model maps ``(row, column)`` tensors to ``(row, column)`` tensors, and no column sees another.
So it is one long formula per column, whatever the number of columns: traced once (``trace.py``), simplified
(``expressions.py``), ordered (``schedule.py``), written as C++ on vectors of neighbouring columns (``source.py``,
``vectors.h``, ``series.h``, ``avx512.h``), compiled, kept on disk and called (``build.py``, ``kernel.py``).  Nothing
between the inputs and the outputs goes through memory.
"""

from dalearn.kernels.build import compiler
from dalearn.kernels.kernel import Kernel, build_kernel
from dalearn.kernels.sequence import Call, Sequence
from dalearn.kernels.trace import KernelError, NotColumnwise

__all__ = ["Call", "Kernel", "KernelError", "NotColumnwise", "Sequence", "build_kernel", "compiler"]
