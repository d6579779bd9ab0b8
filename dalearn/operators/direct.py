"""Direct operators: the observation is itself a model variable averaged over the cell."""

from typing import Any

from torch import Tensor

from dalearn.errors import InputError
from dalearn.operators.base import ObservationOperator, register_operator


class DirectOperator(ObservationOperator):
    """The only predictor is the observed quantity."""

    def __init__(self, cell_count: int, **options: Any) -> None:
        super().__init__(cell_count, **options)
        if len(self.predictors) != 1:
            raise InputError(f"operator {self.name!r} takes one predictor, not {' '.join(self.predictors)}")

    def forward(self, predictors: Tensor) -> Tensor:
        return predictors[..., 0]


@register_operator("wg2")
class SurfaceSoilMoistureOperator(DirectOperator):
    """Surface soil moisture (m3 m-3) observed as WG2, the layer from 1 to 4 cm."""

    predictors = ("WG2",)
    quantity = "SSM"


@register_operator("lai")
class LeafAreaIndexOperator(DirectOperator):
    """Leaf area index (m2 m-2) observed as such."""

    predictors = ("LAI",)
    quantity = "LAI"
