"""The derivative of a compiled block: its cotangents against eager reverse mode."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from dalearn.land.compilation import CompiledBlock, Packed, compilation_available, unpacked


class Store(NamedTuple):
    profile: Tensor  # (layer, column)
    surface: Tensor
    wet: Tensor  # bool


class Rate(NamedTuple):
    slope: Tensor
    constant: Tensor


class Flow(NamedTuple):
    outflow: Tensor


def block(store: Store, rate: Rate) -> tuple[Store, Flow]:
    """Rows used twice, once and never, a layer taken out, a mask."""
    drained = torch.exp(-rate.slope * store.profile)
    profile = torch.cat([drained[1:], store.surface[None]], dim=0)
    surface = torch.where(store.wet, store.surface * store.profile[0], rate.slope)
    return Store(profile, surface, profile[0] > 0.5), Flow((drained * store.profile).sum(dim=0))


def draw(columns: int, seed: int = 0) -> tuple[Store, Rate]:
    random = torch.Generator().manual_seed(seed)

    def values(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random, dtype=torch.float64)

    return Store(values(3, columns), values(columns), values(columns) > 0.4), Rate(values(columns), values(columns))


def leaves(store: Store, rate: Rate, with_rate: bool) -> list[Tensor]:
    moving = [store.profile, store.surface, *([rate.slope] if with_rate else [])]
    return [tensor.requires_grad_() for tensor in moving]


def twice(function, store: Store, rate: Rate) -> tuple[Store, Flow]:
    middle, _ = function(store, rate)
    return function(middle, rate)


@pytest.fixture(scope="module")
def compiled() -> CompiledBlock:
    if not compilation_available():
        pytest.skip("no C++ compiler")
    return CompiledBlock(block, outputs=2)


@pytest.mark.parametrize("with_rate", [False, True])
@pytest.mark.parametrize("columns", [5, 33])
def test_cotangents_are_those_of_eager_reverse_mode(compiled, columns, with_rate):
    gradients = []
    for function in (block, compiled):
        store, rate = draw(columns)
        moving = leaves(store, rate, with_rate)
        end, flow = map(unpacked, twice(function, store, rate))
        weight = torch.linspace(-1.0, 2.0, columns, dtype=torch.float64)
        y = (weight * (end.profile.sum(dim=0) + end.surface * flow.outflow)).sum()
        gradients.append(torch.autograd.grad(y, moving))
    for eager, fast in zip(*gradients, strict=True):
        assert eager.abs().max() > 0.1
        torch.testing.assert_close(fast, eager, rtol=1e-13, atol=1e-14)


def test_an_output_that_nobody_needs_and_a_second_backward_pass(compiled):
    store, rate = draw(7)
    moving = leaves(store, rate, False)
    end, flow = map(unpacked, compiled(store, rate))
    first = torch.autograd.grad(flow.outflow.sum(), moving, retain_graph=True, materialize_grads=True)
    second = torch.autograd.grad(end.surface.sum(), moving, materialize_grads=True)
    again = torch.autograd.grad(block(store, rate)[1].outflow.sum(), moving, materialize_grads=True)
    torch.testing.assert_close(first, again, rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(second[1], torch.where(store.wet, store.profile[0], 0.0).detach())


def test_nothing_is_kept_but_the_packed_inputs(compiled):
    store, rate = draw(7)
    leaves(store, rate, False)
    packed = Packed.of(store), Packed.of(rate)
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        compiled(*packed)
    assert sorted(tensor.shape[0] for tensor in kept) == [2, 5]


def test_second_derivatives(compiled):
    """Not compiled, but there: a filter that differentiates through its own Jacobian needs them."""
    second = []
    for function in (block, compiled):
        store, rate = draw(4)
        moving = leaves(store, rate, True)
        _, flow = map(unpacked, twice(function, store, rate))
        gradient = torch.autograd.grad(flow.outflow.sum(), moving, create_graph=True)
        second.append(torch.autograd.grad(sum(row.square().sum() for row in gradient), moving))
    for eager, fast in zip(*second, strict=True):
        assert eager.abs().max() > 0.1
        torch.testing.assert_close(fast, eager, rtol=1e-12, atol=1e-13)


def test_without_a_compiler_the_derivative_is_the_same(monkeypatch):
    from dalearn.land import compilation

    monkeypatch.setitem(compilation._compilation, "available", False)
    store, rate = draw(4)
    moving = leaves(store, rate, False)
    _, flow = CompiledBlock(block, outputs=2)(store, rate)
    expected = torch.autograd.grad(block(store, rate)[1].outflow.sum(), moving, materialize_grads=True)
    torch.testing.assert_close(torch.autograd.grad(flow.outflow.sum(), moving, materialize_grads=True), expected)
