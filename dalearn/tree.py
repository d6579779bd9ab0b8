"""Dataclasses of tensors treated as one value: map, tile, detach, cast.

Every state, forcing and parameter class of the package is such a dataclass; fields are tensors, nested
dataclasses of the same kind, or plain numbers (left alone).
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, dataclass_transform

import torch
from torch import Tensor
from torch.utils import _pytree

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def tensor_dataclass(cls: type[T]) -> type[T]:
    """Class decorator: a frozen, keyword-only dataclass registered as a torch pytree."""
    decorated = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    _pytree.register_dataclass(decorated)
    return decorated


def map_tensors(function: Callable[[Tensor], Tensor], value: T) -> T:
    """A copy of ``value`` with ``function`` applied to every tensor in it."""

    def apply(item: Any) -> Any:
        if isinstance(item, Tensor):
            return function(item)
        if dataclasses.is_dataclass(item) and not isinstance(item, type):
            return map_tensors(function, item)
        return item

    changes = {field.name: apply(getattr(value, field.name)) for field in dataclasses.fields(value)}  # type: ignore[arg-type]
    return type(value)(**changes)


def named_tensors(value: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor of ``value`` with its dotted name, in field order."""
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if isinstance(item, Tensor):
            yield prefix + field.name, item
        elif dataclasses.is_dataclass(item) and not isinstance(item, type):
            yield from named_tensors(item, f"{prefix}{field.name}.")


def tile_columns(value: T, copies: int) -> T:
    """``copies`` copies side by side along the column (last) axis of every tensor."""
    return map_tensors(lambda tensor: torch.cat([tensor] * copies, dim=-1), value)


def concatenate_columns(values: Sequence[T]) -> T:
    """Structures of the same kind side by side along the column (last) axis of every tensor."""
    first = values[0]
    changes = {}
    for field in dataclasses.fields(first):  # type: ignore[arg-type]
        items = [getattr(value, field.name) for value in values]
        if isinstance(items[0], Tensor):
            changes[field.name] = torch.cat(items, dim=-1)
        elif dataclasses.is_dataclass(items[0]):
            changes[field.name] = concatenate_columns(items)
        else:
            changes[field.name] = items[0]
    return type(first)(**changes)


def select_columns(value: T, index: Tensor | slice) -> T:
    """The chosen columns (last axis) of every tensor."""
    return map_tensors(lambda tensor: tensor[..., index], value)


def detach(value: T) -> T:
    """The same numbers without their history of operations."""
    return map_tensors(Tensor.detach, value)


def to(value: T, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> T:
    """Moved to ``device`` and, floating-point tensors only, cast to ``dtype``."""

    def move(tensor: Tensor) -> Tensor:
        return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)

    return map_tensors(move, value)
