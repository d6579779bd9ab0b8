"""Backscatter of crops and grass in VV and VH: calibrated soil under a water cloud of NDVI (the model behind S2MP).

Vegetation: water cloud model with V1 = V2 = NDVI and the parameters of Baghdadi et al. (2017, doi:10.3390/rs9090969)
for winter crops and grassland (ldas_sekf.md 7.2, item 1; the A of VH is less certain than the others).  VH is HV, by
reciprocity.

Soil, by name:

* ``integral_equation``: VV of the calibrated integral equation model (``integral_equation.py``), as in S2MP (El Hajj
  et al. 2017, doi:10.3390/rs9121292); VH of the empirical model, because single
  scattering has no cross-polarised part.
* ``empirical``: VV and VH of Baghdadi et al. (2016), ``operators/bare_soil.py``.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.errors import InputError
from dalearn.operators.bare_soil import bare_soil_backscatter
from dalearn.operators.water_cloud import water_cloud
from dalearn.retrieval.integral_equation import integral_equation_backscatter

POLARISATIONS = ("VV", "VH")
SOIL_MODELS = ("integral_equation", "empirical")


class Vegetation(NamedTuple):
    """Water cloud parameters of one polarisation: ``A`` linear power and ``B``, both per NDVI."""

    A: float
    B: float


VEGETATION = {"VV": Vegetation(0.0950, 0.5513), "VH": Vegetation(0.0413, 1.1662)}


def soil_backscatter(
    moisture: Tensor, incidence_angle: Tensor, rms_height: Tensor, polarisation: str, soil_model: str = SOIL_MODELS[0]
) -> Tensor:
    """sigma0 in dB of bare soil: ``moisture`` (m3 m-3), ``incidence_angle`` (degrees), ``rms_height`` (cm).

    Raises ``InputError`` for a polarisation other than VV and VH or an unknown soil model.
    """
    if polarisation not in POLARISATIONS:
        raise InputError(f"polarisation {polarisation!r}: use {' or '.join(POLARISATIONS)}")
    if soil_model not in SOIL_MODELS:
        raise InputError(f"soil model {soil_model!r}: use {' or '.join(SOIL_MODELS)}")
    if polarisation == "VV" and soil_model == "integral_equation":
        return integral_equation_backscatter(moisture, incidence_angle, rms_height)
    name = "HV" if polarisation == "VH" else polarisation
    return bare_soil_backscatter(moisture, incidence_angle, rms_height, name)


def plot_backscatter(
    moisture: Tensor,
    ndvi: Tensor,
    incidence_angle: Tensor,
    rms_height: Tensor,
    polarisation: str,
    soil_model: str = SOIL_MODELS[0],
) -> Tensor:
    """sigma0 in dB of a plot with ``ndvi``; the other arguments are those of ``soil_backscatter``.  All broadcast."""
    soil = torch.pow(10.0, soil_backscatter(moisture, incidence_angle, rms_height, polarisation, soil_model) / 10.0)
    cosine = torch.cos(torch.deg2rad(incidence_angle))
    return 10.0 * torch.log10(water_cloud(soil, ndvi, *VEGETATION[polarisation], cosine))
