"""A land model that keeps only the states between its steps for the backward pass, and runs each step again there.

The activations of one step are many times its state.  With them recomputed, the memory of a gradient grows by one
state per step, for one more forward run.  ``torch.utils.checkpoint`` does not see what compiled blocks keep (tensors
that they hold themselves), hence an own function.
"""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils import _pytree

from dalearn.assimilation.forecast import Model
from dalearn.errors import InputError
from dalearn.land.state import Fluxes, Forcing, LandParameters, LandState
from dalearn.tree import named_tensors

Run = Callable[[tuple[Tensor, ...]], list[Tensor]]


class CheckpointedModel:
    """``model`` with every step recomputed in the backward pass; a land model itself.

    The gradient is that with respect to the state; ``InputError`` for parameters that require one.
    """

    def __init__(self, model: Model) -> None:
        if any(tensor.requires_grad for _, tensor in named_tensors(model.parameters)):
            raise InputError("parameters of the land model that require a gradient: set checkpointed to false")
        self.model = model
        self.parameters = model.parameters

    def with_parameters(self, parameters: LandParameters) -> Self:
        return type(self)(self.model.with_parameters(parameters))

    def prepare_state(self, state: LandState) -> LandState:
        return self.model.prepare_state(state)

    def step(self, state: LandState, forcing: Forcing, first_of_day: bool) -> tuple[LandState, Fluxes]:
        inputs, structure = _pytree.tree_flatten(state)
        result: Any = None

        def run(tensors: tuple[Tensor, ...]) -> list[Tensor]:
            nonlocal result
            step = self.model.step(_pytree.tree_unflatten(list(tensors), structure), forcing, first_of_day)
            outputs, result = _pytree.tree_flatten(step)
            return outputs

        outputs = _RecomputedStep.apply(run, *inputs)
        return _pytree.tree_unflatten(list(outputs), result)


class _RecomputedStep(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, run: Run, *tensors: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        ctx.run = run
        ctx.save_for_backward(*tensors)
        # an output that is an input must not be the same tensor
        return tuple(output.view_as(output) for output in run(tensors))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        tensors = tuple(tensor.detach().requires_grad_() for tensor in ctx.saved_tensors)
        with torch.enable_grad():
            outputs = ctx.run(tensors)
        pairs = [(o, g) for o, g in zip(outputs, gradients, strict=True) if o.requires_grad]
        moved, incoming = zip(*pairs, strict=True)
        return None, *torch.autograd.grad(moved, tensors, incoming, allow_unused=True)
