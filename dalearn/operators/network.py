"""One small network per cell, all cells in one batched module (Corchia et al. 2023, section 2.5 and Table 2).

The published operator has one hidden layer of 40 ReLU neurons and z-scored predictors WG2, TG2 and LAI.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dalearn.errors import InputError
from dalearn.operators.base import ObservationOperator, register_operator
from dalearn.operators.names import unknown_name
from dalearn.operators.normalisation import Normalisation

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": nn.functional.gelu,
    "silu": nn.functional.silu,
}


class LayeredNetwork(ObservationOperator):
    """What the per-cell and the shared network have in common: layout, z-scores, seeded weights.

    Options: ``hidden_layers`` (>= 1), ``hidden_units`` per layer, ``activation``, ``seed``, ``cell_identifiers``.
    Weights ``W1, b1 .. Wk, bk`` (k = hidden layers + 1) map z-scores to the z-score of the quantity.
    """

    needs_training = True
    predictors = ("WG2", "TG2", "LAI")
    quantity = "sigma0"

    def __init__(
        self,
        cell_count: int,
        *,
        hidden_layers: int = 1,
        hidden_units: int = 40,
        activation: str = "relu",
        seed: int = 0,
        cell_identifiers: list[int] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(cell_count, **options)
        if hidden_layers < 1 or hidden_units < 1:
            raise InputError(
                f"operator {self.name!r} needs hidden_layers and hidden_units of at least 1, "
                f"not {hidden_layers} and {hidden_units}"
            )
        if activation not in ACTIVATIONS:
            raise InputError(unknown_name("activation", activation, tuple(ACTIVATIONS)))
        self.hidden_layers = hidden_layers
        self.hidden_units = hidden_units
        self.activation = activation
        self.normalisation = Normalisation(
            cell_count, len(self.predictors), self.dtype, pooled=not self.independent_cells
        )
        for number, (weight, bias) in enumerate(self.layer_shapes(), start=1):
            self.register_parameter(f"W{number}", nn.Parameter(torch.zeros(self.rows(weight), dtype=self.dtype)))
            self.register_parameter(f"b{number}", nn.Parameter(torch.zeros(self.rows(bias), dtype=self.dtype)))
        self.initialise(seed, cell_identifiers)

    def rows(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The stored shape of weights that have ``shape`` in one network."""
        return (self.cell_count, *shape) if self.independent_cells else shape

    def layer_shapes(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Shapes of (weight, bias) of each layer of one network; the output layer has no axis of its own."""
        widths = [len(self.predictors), *[self.hidden_units] * self.hidden_layers]
        hidden = [((before, after), (after,)) for before, after in itertools.pairwise(widths)]
        return [*hidden, ((self.hidden_units,), ())]

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """(weight, bias) of every layer, first to last."""
        count = self.hidden_layers + 1
        return [(getattr(self, f"W{number}"), getattr(self, f"b{number}")) for number in range(1, count + 1)]

    def initial_weights(self, generator: np.random.Generator) -> list[Tensor]:
        """Weights and biases of one network, uniform within +-1/sqrt(inputs of the layer)."""
        drawn = []
        for weight, bias in self.layer_shapes():
            limit = 1.0 / math.sqrt(weight[0])
            drawn += [torch.from_numpy(np.asarray(generator.uniform(-limit, limit, shape))) for shape in (weight, bias)]
        return drawn

    def fit_normalisation(self, predictors: Tensor, target: Tensor, enough: Tensor) -> None:
        """Z-score statistics of the training samples (shapes as in ``fit_statistics``)."""
        self.normalisation.fit(predictors, target, enough)

    def options(self) -> dict[str, Any]:
        return {
            **super().options(),
            "hidden_layers": self.hidden_layers,
            "hidden_units": self.hidden_units,
            "activation": self.activation,
        }

    def dimensions(self) -> dict[str, tuple[str, ...]]:
        named = super().dimensions()
        named.update({f"normalisation.{key}": axes for key, axes in self.normalisation.dimensions().items()})
        row = ("cell",) if self.independent_cells else ()
        inputs = "predictor"
        for number in range(1, self.hidden_layers + 1):
            named[f"W{number}"] = (*row, inputs, f"hidden_{number}")
            named[f"b{number}"] = (*row, f"hidden_{number}")
            inputs = f"hidden_{number}"
        named[f"W{self.hidden_layers + 1}"] = (*row, inputs)
        named[f"b{self.hidden_layers + 1}"] = row
        return named


@register_operator("network")
class CellNetworkOperator(LayeredNetwork):
    """One network per cell.  Shapes: ``W1`` (cell, n, 40), ``b1`` (cell, 40), ``W2`` (cell, 40), ``b2`` (cell,)."""

    @torch.no_grad()
    def initialise(self, seed: int, cell_identifiers: list[int] | None = None) -> None:
        identifiers = range(self.cell_count) if cell_identifiers is None else cell_identifiers
        if len(identifiers) != self.cell_count:
            raise ValueError(f"{len(identifiers)} cell identifiers for {self.cell_count} cells")
        drawn = [self.initial_weights(np.random.default_rng([seed, identifier])) for identifier in identifiers]
        stored = [tensor for layer in self.layers() for tensor in layer]
        for tensor, of_cells in zip(stored, zip(*drawn, strict=True), strict=True):
            tensor.copy_(torch.stack(of_cells))

    def forward(self, predictors: Tensor) -> Tensor:
        *hidden, (weight, bias) = self.layers()
        signal = self.normalisation.normalise(predictors)
        for hidden_weight, hidden_bias in hidden:
            signal = torch.einsum("...ci,cio->...co", signal, hidden_weight) + hidden_bias
            signal = ACTIVATIONS[self.activation](signal)
        return self.normalisation.restore((signal * weight).sum(dim=-1) + bias)
