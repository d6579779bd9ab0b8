"""Backscatter of bare soil at C band (Baghdadi et al. 2016, doi:10.3390/rs8110920; ldas_sekf.md 7.2, eq. 17).

With the moisture mv in vol.%, the incidence angle theta, the wave number k and the rms height H of the surface, in
linear power::

    sigma0 = 10^a cos(theta)^b 10^(c mv cot theta) (k H)^(d sin theta)
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dalearn.errors import InputError
from dalearn.operators.base import ObservationOperator, register_operator

LIGHT_SPEED = 29.9792458  # cm ns-1
ROUGHNESS_RANGE = (0.5, 4.0)  # cm, rms heights of the data behind the equation


class Coefficients(NamedTuple):
    level: float  # a
    angle: float  # b
    moisture: float  # c, per vol.%
    roughness: float  # d


COEFFICIENTS = {
    "HH": Coefficients(-1.287, 1.227, 0.009, 0.86),
    "VV": Coefficients(-1.138, 1.528, 0.008, 0.71),
    "HV": Coefficients(-2.325, -0.01, 0.011, 0.44),
}


def bare_soil_backscatter(
    moisture: Tensor, incidence_angle: Tensor, rms_height: Tensor, polarisation: str, frequency: float = 5.405
) -> Tensor:
    """sigma0 in dB of ``moisture`` (m3 m-3), ``incidence_angle`` (degrees) and ``rms_height`` (cm), which broadcast.

    ``polarisation`` is one of ``COEFFICIENTS``; ``frequency`` in GHz.
    """
    angle, c = torch.deg2rad(incidence_angle), COEFFICIENTS[polarisation]
    wave_number = 2.0 * math.pi * frequency / LIGHT_SPEED  # rad cm-1
    level = 10.0 * (c.level + c.angle * torch.log10(torch.cos(angle)))
    roughness = 10.0 * c.roughness * torch.sin(angle) * torch.log10(wave_number * rms_height)
    return level + 10.0 * c.moisture / torch.tan(angle) * (100.0 * moisture) + roughness


@register_operator("bare_soil")
class BareSoilOperator(ObservationOperator):
    """Backscatter of bare soil, with the rms height of each cell, trainable within ``ROUGHNESS_RANGE``.

    Predictor: a soil moisture (m3 m-3).  ``rms_height`` is the starting value in cm, a number or a tensor (cell,),
    strictly inside the range; ``incidence_angle`` in degrees, ``frequency`` in GHz, ``polarisation`` VV, HH or HV.
    """

    predictors = ("WG2",)
    quantity = "sigma0"

    def __init__(
        self,
        cell_count: int,
        *,
        rms_height: float | Tensor = 1.0,
        incidence_angle: float = 40.0,
        frequency: float = 5.405,
        polarisation: str = "VV",
        **options: Any,
    ) -> None:
        super().__init__(cell_count, **options)
        if len(self.predictors) != 1 or not self.predictors[0].startswith("WG"):
            raise InputError(f"operator 'bare_soil' takes one soil moisture, not {' '.join(self.predictors)}")
        if polarisation not in COEFFICIENTS:
            raise InputError(f"operator 'bare_soil': polarisation {polarisation!r}; use {', '.join(COEFFICIENTS)}")
        if not 0.0 < incidence_angle < 90.0:
            raise InputError(f"operator 'bare_soil': incidence_angle is {incidence_angle}, not in 0..90 degrees")
        if not frequency > 0.0:
            raise InputError(f"operator 'bare_soil': frequency is {frequency} GHz, not positive")
        self.incidence_angle, self.frequency, self.polarisation = incidence_angle, frequency, polarisation
        self.rms_height_logit = self._logit(rms_height)

    def _logit(self, rms_height: float | Tensor) -> nn.Parameter:
        lower, upper = ROUGHNESS_RANGE
        position = (torch.as_tensor(rms_height, dtype=self.dtype) - lower) / (upper - lower)
        if not bool(((position > 0) & (position < 1)).all()):
            raise InputError(f"operator 'bare_soil': rms_height must be inside ({lower:g}, {upper:g}) cm")
        return self.cell_parameter(torch.logit(position))

    @property
    def rms_height(self) -> Tensor:
        """(cell,) cm."""
        lower, upper = ROUGHNESS_RANGE
        return lower + (upper - lower) * torch.sigmoid(self.rms_height_logit)

    def forward(self, predictors: Tensor) -> Tensor:
        angle = torch.tensor(self.incidence_angle, dtype=predictors.dtype, device=predictors.device)
        return bare_soil_backscatter(predictors[..., 0], angle, self.rms_height, self.polarisation, self.frequency)

    def options(self) -> dict[str, Any]:
        own = {"incidence_angle": self.incidence_angle, "frequency": self.frequency, "polarisation": self.polarisation}
        return {**super().options(), **own}
