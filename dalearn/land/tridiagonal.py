"""Batched tridiagonal solver, unrolled over the layers."""

from collections.abc import Sequence

import torch
from torch import Tensor


def solve_tridiagonal(
    lower: Sequence[Tensor], diagonal: Sequence[Tensor], upper: Sequence[Tensor], right: Sequence[Tensor]
) -> list[Tensor]:
    """Solve ``lower[j] x[j-1] + diagonal[j] x[j] + upper[j] x[j+1] = right[j]`` by Thomas elimination.

    Args:
        lower, diagonal, upper, right: one ``(column,)`` tensor per layer; ``lower[0]`` and ``upper[-1]``
            are not read.

    Returns:
        The solution, one tensor per layer.  No pivoting: the systems of the land model are diagonally
        dominant.  The loop over layers is unrolled so that the compiler fuses it over the columns.
    """
    layers = len(diagonal)
    ratio = [upper[0] / diagonal[0]]
    value = [right[0] / diagonal[0]]
    for j in range(1, layers):
        inverse = 1.0 / (diagonal[j] - lower[j] * ratio[j - 1])
        value.append((right[j] - lower[j] * value[j - 1]) * inverse)
        if j < layers - 1:
            ratio.append(upper[j] * inverse)
    solution = [value[-1]]
    for j in range(layers - 2, -1, -1):
        solution.append(value[j] - ratio[j] * solution[-1])
    return solution[::-1]


def stack_layers(layers: Sequence[Tensor]) -> Tensor:
    """One ``(layer, column)`` tensor from a list of ``(column,)`` tensors."""
    return torch.stack(tuple(layers), dim=0)
