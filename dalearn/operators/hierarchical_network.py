"""One network for the domain whose cells may differ, each as far as its own samples support it.

Cells of a domain obey the same physics with other soils and plants, and the noise of a radar sample is large: a
network per cell learns the common part once per cell, from few samples.  Here all cells train a common trunk; a cell
is known to the trunk by a few numbers (its embedding, as words are in language models) and reads it out with the
weights of the domain plus a deviation of its own.  Embeddings and deviations have a normal prior around zero, so that
they are shrunk where the samples do not support them (partial pooling: Gelman and Hill 2007, chapter 12)::

    h1     = a(z W1 + e_g We + b1)                     z: z-scores of the predictors over the domain
    h2     = a(h1 W2 + b2)
    sigma0 = mean_g + s ((head + deviation_g) . h2 + offset_g)          s: standard deviation within cells

with the activation a.  The loss of a cell is its mean squared error over s^2 plus::

    shrinkage / N_g |deviation_g|^2 + embedding_shrinkage / N_g |e_g|^2

for N_g samples: a cell with few samples is left with the network of the domain.
"""

import itertools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dalearn.errors import InputError
from dalearn.operators.base import ObservationOperator, register_operator
from dalearn.operators.names import unknown_name
from dalearn.operators.network import ACTIVATIONS
from dalearn.operators.normalisation import Normalisation
from dalearn.operators.predicted_error import PredictedError


@register_operator("hierarchical_network")
class HierarchicalNetworkOperator(ObservationOperator):
    """A common trunk, an embedding and a shrunk read-out per cell, and a prediction of its own error.

    Options: ``hidden_units`` of the layers of the trunk, ``embedding`` numbers per cell, ``shrinkage`` and
    ``embedding_shrinkage`` in samples, ``activation``, ``seed``, ``cell_identifiers``.

    Shapes: ``W1`` (n, 32), ``b1`` (32,), ``embedding_weight`` (4, 32), ``W2`` (32, 16), ``b2`` (16,), ``head`` (16,);
    per cell ``embedding`` (cell, 4), ``deviation`` (cell, 16), ``offset`` (cell,).
    """

    independent_cells = False
    needs_training = True
    predicts_error = True
    predictors = ("WG2", "TG2", "LAI")
    quantity = "sigma0"
    target_mean: Tensor
    target_std: Tensor
    sample_count: Tensor
    W1: Tensor
    b1: Tensor
    embedding_weight: Tensor
    head: Tensor
    embedding: Tensor
    deviation: Tensor
    offset: Tensor

    def __init__(
        self,
        cell_count: int,
        *,
        hidden_units: tuple[int, ...] | list[int] = (32, 16),
        embedding: int = 4,
        shrinkage: float = 50.0,
        embedding_shrinkage: float = 1.0,
        activation: str = "silu",
        seed: int = 0,
        cell_identifiers: list[int] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(cell_count, **options)
        if not hidden_units or min(hidden_units) < 1 or embedding < 1:
            raise InputError(f"operator {self.name!r} needs hidden_units and embedding of at least 1")
        if shrinkage < 0.0 or embedding_shrinkage < 0.0:
            raise InputError(f"operator {self.name!r}: shrinkage and embedding_shrinkage must not be negative")
        if activation not in ACTIVATIONS:
            raise InputError(unknown_name("activation", activation, tuple(ACTIVATIONS)))
        self.hidden_units, self.embedding_size = tuple(hidden_units), embedding
        self.shrinkage, self.embedding_shrinkage = float(shrinkage), float(embedding_shrinkage)
        self.activation = activation
        count = len(self.predictors)
        self.normalisation = Normalisation(cell_count, count, self.dtype, pooled=True)
        self.register_buffer("target_mean", torch.zeros(cell_count, dtype=self.dtype))
        self.register_buffer("target_std", torch.ones((), dtype=self.dtype))
        self.register_buffer("sample_count", torch.ones(cell_count, dtype=self.dtype))
        for name, shape in self._shapes().items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape, dtype=self.dtype)))
        self.error = PredictedError(cell_count, count, self.dtype)
        self.initialise(seed, cell_identifiers)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        widths = (len(self.predictors), *self.hidden_units)
        shapes: dict[str, tuple[int, ...]] = {}
        for number, (before, after) in enumerate(itertools.pairwise(widths), start=1):
            shapes |= {f"W{number}": (before, after), f"b{number}": (after,)}
        return shapes | {
            "embedding_weight": (self.embedding_size, widths[1]),
            "head": (widths[-1],),
            "embedding": (self.cell_count, self.embedding_size),
            "deviation": (self.cell_count, widths[-1]),
            "offset": (self.cell_count,),
        }

    @torch.no_grad()
    def initialise(self, seed: int, cell_identifiers: list[int] | None = None) -> None:
        """Uniform within +-1/sqrt(inputs of the layer); small embeddings, no deviations."""
        generator = np.random.default_rng([seed])
        inputs = len(self.predictors)
        for number, width in enumerate(self.hidden_units, start=1):
            limit = 1.0 / math.sqrt(inputs)
            for name in (f"W{number}", f"b{number}") + (("embedding_weight",) if number == 1 else ()):
                parameter = self.get_parameter(name)
                parameter.copy_(torch.from_numpy(generator.uniform(-limit, limit, tuple(parameter.shape))))
            inputs = width
        limit = 1.0 / math.sqrt(inputs)
        self.head.copy_(torch.from_numpy(generator.uniform(-limit, limit, inputs)))
        identifiers = range(self.cell_count) if cell_identifiers is None else cell_identifiers
        if len(identifiers) != self.cell_count:
            raise ValueError(f"{len(identifiers)} cell identifiers for {self.cell_count} cells")
        drawn = [np.random.default_rng([seed, 1 + each]).normal(0.0, 0.1, self.embedding_size) for each in identifiers]
        self.embedding.copy_(torch.from_numpy(np.stack(drawn)))
        self.deviation.zero_()
        self.offset.zero_()

    def forward(self, predictors: Tensor) -> Tensor:
        activate = ACTIVATIONS[self.activation]
        of_cell = self.embedding @ self.embedding_weight + self.b1
        signal = activate(self.normalisation.normalise(predictors) @ self.W1 + of_cell)
        for number in range(2, len(self.hidden_units) + 1):
            signal = activate(signal @ self.get_parameter(f"W{number}") + self.get_parameter(f"b{number}"))
        score = (signal * (self.head + self.deviation)).sum(dim=-1) + self.offset
        return self.target_mean + self.target_std * score

    def penalty(self) -> Tensor:
        deviation = self.shrinkage * self.deviation.square().sum(dim=-1)
        embedding = self.embedding_shrinkage * self.embedding.square().sum(dim=-1)
        return self.target_std.square() * (deviation + embedding) / self.sample_count

    @torch.no_grad()
    def fit_normalisation(self, predictors: Tensor, target: Tensor, enough: Tensor) -> None:
        """Z-score statistics of the predictors over the domain, mean per cell and spread within cells of the target."""
        self.normalisation.fit(predictors, target, enough)
        valid = torch.isfinite(target) & enough
        count = valid.sum(dim=0)
        known = torch.where(valid, target, 0.0)
        domain = known.sum() / count.sum().clamp(min=1)
        mean = torch.where(count > 0, known.sum(dim=0) / count.clamp(min=1), domain)
        variance = torch.where(valid, target - mean, 0.0).square().sum() / count.sum().clamp(min=1)
        self.target_mean.copy_(mean)
        self.target_std.copy_(variance.sqrt())
        self.sample_count.copy_(count.clamp(min=1))

    def error_deviation(self, predictors: Tensor) -> Tensor:
        return self.error(self.normalisation.normalise(self.predictor_range.bound(predictors)))

    @torch.no_grad()
    def fit_error(self, predictors: Tensor, target: Tensor, valid: Tensor) -> None:
        error = self(predictors) - target
        bounded = self.predictor_range.bound(predictors)
        self.error.fit(self.normalisation.normalise(bounded), error, valid & self.trained)

    def options(self) -> dict[str, Any]:
        return {
            **super().options(),
            "hidden_units": list(self.hidden_units),
            "embedding": self.embedding_size,
            "shrinkage": self.shrinkage,
            "embedding_shrinkage": self.embedding_shrinkage,
            "activation": self.activation,
        }

    def dimensions(self) -> dict[str, tuple[str, ...]]:
        named = super().dimensions()
        named.update({f"normalisation.{key}": axes for key, axes in self.normalisation.dimensions().items()})
        named.update({f"error.{key}": axes for key, axes in self.error.dimensions().items()})
        inputs = "predictor"
        for number in range(1, len(self.hidden_units) + 1):
            named |= {f"W{number}": (inputs, f"hidden_{number}"), f"b{number}": (f"hidden_{number}",)}
            inputs = f"hidden_{number}"
        return named | {
            "embedding_weight": ("embedding_axis", "hidden_1"),
            "head": (inputs,),
            "embedding": ("cell", "embedding_axis"),
            "deviation": ("cell", inputs),
            "offset": ("cell",),
            "target_mean": ("cell",),
            "target_std": (),
            "sample_count": ("cell",),
        }
