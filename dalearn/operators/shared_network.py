"""One network for the whole domain: the alternative that Corchia et al. 2023 (section 3.1) found too stiff."""

import numpy as np
import torch
from torch import Tensor

from dalearn.operators.base import register_operator
from dalearn.operators.network import ACTIVATIONS, LayeredNetwork


@register_operator("shared_network")
class SharedNetworkOperator(LayeredNetwork):
    """The same weights and the same z-score statistics in every cell.

    Shapes: ``W1`` (n, 40), ``b1`` (40,), ``W2`` (40,), ``b2`` ().  The training range stays per cell.
    """

    independent_cells = False

    @torch.no_grad()
    def initialise(self, seed: int, cell_identifiers: list[int] | None = None) -> None:
        drawn = self.initial_weights(np.random.default_rng([seed]))
        stored = [tensor for layer in self.layers() for tensor in layer]
        for tensor, values in zip(stored, drawn, strict=True):
            tensor.copy_(values)

    def forward(self, predictors: Tensor) -> Tensor:
        *hidden, (weight, bias) = self.layers()
        signal = self.normalisation.normalise(predictors)
        for hidden_weight, hidden_bias in hidden:
            signal = ACTIVATIONS[self.activation](signal @ hidden_weight + hidden_bias)
        return self.normalisation.restore(signal @ weight + bias)
