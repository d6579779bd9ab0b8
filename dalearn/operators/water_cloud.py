"""The water cloud model: backscatter of a vegetation layer over soil (Attema and Ulaby 1978; ldas_sekf.md 7.1).

Linear power inside, dB outside.  With the incidence angle theta and V1 = V2 = LAI (eq. 14)::

    transmissivity t2 = exp(-2 B LAI / cos theta)
    vegetation        = A LAI cos theta (1 - t2)
    soil              = 10^((C + D SSM) / 10)
    sigma0 [dB]       = 10 log10(vegetation + t2 soil)
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from dalearn.errors import InputError
from dalearn.operators.base import ObservationOperator, register_operator

# Search ranges of ldas_sekf.md 7.1: A and B dimensionless and per LAI, C in dB, D in dB/(m3 m-3).
BOUNDS = {"A": (0.0, 0.4), "B": (0.0, 0.4), "C": (-35.0, -10.0), "D": (15.0, 80.0)}


def water_cloud(
    soil: Tensor, vegetation: Tensor, A: float | Tensor, B: float | Tensor, cosine: float | Tensor
) -> Tensor:
    """Linear power of a layer of ``vegetation`` (LAI or NDVI) over soil of linear power ``soil``, eq. 14.

    ``A`` and ``B`` are per unit of ``vegetation``, ``cosine`` that of the incidence angle; all broadcast.
    """
    transmissivity = torch.exp(-2.0 * B * vegetation / cosine)
    return A * vegetation * cosine * (1.0 - transmissivity) + transmissivity * soil


@register_operator("water_cloud")
class WaterCloudOperator(ObservationOperator):
    """Water cloud model with parameters A, B, C, D per cell, trainable within their search ranges.

    Predictors: a soil moisture (m3 m-3) and LAI, in this order.  ``A``, ``B``, ``C``, ``D`` are starting values,
    a number or a tensor (cell,), strictly inside ``BOUNDS``; ``incidence_angle`` in degrees.  What is trained is
    the logit (cell,) of the position of each parameter in its range, so that every step stays inside.
    """

    predictors = ("WG2", "LAI")
    quantity = "sigma0"

    def __init__(
        self,
        cell_count: int,
        *,
        A: float | Tensor = 0.1,
        B: float | Tensor = 0.15,
        C: float | Tensor = -16.0,
        D: float | Tensor = 40.0,
        incidence_angle: float = 40.0,
        **options: Any,
    ) -> None:
        super().__init__(cell_count, **options)
        moisture, vegetation = self.predictors if len(self.predictors) == 2 else ("", "")
        if vegetation != "LAI" or not moisture.startswith("WG"):
            raise InputError(
                "operator 'water_cloud' takes the predictors soil moisture and LAI, for example WG2 LAI, "
                f"not {' '.join(self.predictors)}"
            )
        if not 0.0 <= incidence_angle < 90.0:
            raise InputError(f"operator 'water_cloud': incidence_angle is {incidence_angle}, not in 0..90 degrees")
        self.incidence_angle = incidence_angle
        for name, value in {"A": A, "B": B, "C": C, "D": D}.items():
            self.register_parameter(f"{name}_logit", self._logit(name, value))

    def _logit(self, name: str, value: float | Tensor) -> nn.Parameter:
        lower, upper = BOUNDS[name]
        position = (torch.as_tensor(value, dtype=self.dtype) - lower) / (upper - lower)
        if not bool(((position > 0) & (position < 1)).all()):
            raise InputError(f"operator 'water_cloud': {name} must be inside ({lower:g}, {upper:g})")
        return self.cell_parameter(torch.logit(position))

    def parameter(self, name: str) -> Tensor:
        """(cell,) value of A, B, C or D."""
        lower, upper = BOUNDS[name]
        return lower + (upper - lower) * torch.sigmoid(getattr(self, f"{name}_logit"))

    def forward(self, predictors: Tensor) -> Tensor:
        soil_moisture, leaf_area_index = predictors.unbind(-1)
        cosine = math.cos(math.radians(self.incidence_angle))
        soil = torch.pow(10.0, (self.parameter("C") + self.parameter("D") * soil_moisture) / 10.0)
        A, B = self.parameter("A"), self.parameter("B")
        return 10.0 * torch.log10(water_cloud(soil, leaf_area_index, A, B, cosine))

    def options(self) -> dict[str, Any]:
        return {**super().options(), "incidence_angle": self.incidence_angle}
