"""Structures of per-column tensors laid out as the rows of one tensor.

The compiled blocks exchange packed tensors: checking and passing one tensor per structure instead of one
per field is what keeps the cost of a call small when there are few columns.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor


class _Rows(NamedTuple):
    """Rows of one field in the packed tensor."""

    first: int
    last: int
    layered: bool
    mask: bool


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value._fields  # type: ignore[attr-defined]
    return tuple(field.name for field in dataclasses.fields(value))


def _plan(value: Any, first: int) -> tuple[list[tuple[str, Any]], int]:
    """Name and rows, or name and (class, plan), or name and None, of every field; and the next free row."""
    plan: list[tuple[str, Any]] = []
    for name in _names(value):
        field = getattr(value, name)
        if field is None:
            plan.append((name, None))
        elif isinstance(field, Tensor):
            layered = field.dim() == 2
            last = first + (field.shape[0] if layered else 1)
            plan.append((name, _Rows(first, last, layered, field.dtype == torch.bool)))
            first = last
        else:
            nested, first = _plan(field, first)
            plan.append((name, (type(field), nested)))
    return plan, first


def _gather(value: Any, plan: list[tuple[str, Any]], rows: list[Tensor]) -> None:
    for name, entry in plan:
        field = getattr(value, name)
        if isinstance(entry, _Rows):
            rows.append(field if entry.layered else field[None])
        elif entry is not None:
            _gather(field, entry[1], rows)


def _build(kind: type, plan: list[tuple[str, Any]], parts: Iterator[Tensor]) -> Any:
    fields = {}
    for name, entry in plan:
        if not isinstance(entry, _Rows):
            fields[name] = None if entry is None else _build(entry[0], entry[1], parts)
            continue
        rows = next(parts)
        fields[name] = rows > 0.5 if entry.mask else rows
    return kind(**fields)


def _fields(plan: list[tuple[str, Any]]) -> Iterator[_Rows]:
    """Every field, in the order of the packed tensor."""
    for _, entry in plan:
        if isinstance(entry, _Rows):
            yield entry
        elif entry is not None:
            yield from _fields(entry[1])


class Layout:
    """How a nested structure of ``(column,)`` and ``(layer, column)`` tensors becomes one ``(row, column)``.

    Args:
        example: a structure of the kind to be packed; its types and numbers of layers count, its values not.

    Masks become 0 and 1 in the dtype of the other fields.
    """

    def __init__(self, example: Any) -> None:
        self.kind = type(example)
        self.plan, self.row_count = _plan(example, 0)
        fields = list(_fields(self.plan))
        self.sizes = [field.last - field.first for field in fields]
        self.masks = [field.mask for field in fields]
        self._runs: list[int] = []
        self._single: list[bool] = []
        for field, size in zip(fields, self.sizes, strict=True):
            if not field.layered and self._single and self._single[-1]:
                self._runs[-1] += size
            else:
                self._runs.append(size)
                self._single.append(not field.layered)

    def pack(self, value: Any) -> Tensor:
        """The fields of ``value`` as the rows of a new tensor."""
        rows: list[Tensor] = []
        _gather(value, self.plan, rows)
        # concatenation promotes the masks to the floating dtype of the others
        return torch.cat(rows, dim=0)

    def unpack(self, packed: Tensor) -> Any:
        """The structure whose fields are views of ``packed``, ``(row, column)``."""
        return _build(self.kind, self.plan, self._parts(packed))

    def _parts(self, packed: Tensor) -> Iterator[Tensor]:
        """The fields in order: one split, whose derivative is one concatenation, and one call for all single rows
        between two fields of layers."""
        for rows, single in zip(packed.split(self._runs), self._single, strict=True):
            if single:
                yield from rows.unbind(0)
            else:
                yield rows
