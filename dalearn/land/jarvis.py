"""Stomatal resistance without photosynthesis: SURFEX option NON (isba_physics.md 3.9, isba_ags.md 6.2; Jarvis 1976,
Noilhan and Planton 1989)."""

import torch
from torch import Tensor

from dalearn.constants import MAXIMUM_STOMATAL_RESISTANCE
from dalearn.land.photosynthesis import MINIMUM_STOMATAL_RESISTANCE, Photosynthesis
from dalearn.land.state import VegetationParameters

ACTIVE_LIGHT = 1.1  # 2 * 0.55 of the shortwave radiation
OPTIMUM_TEMPERATURE, COLD_SENSITIVITY = 298.15, 0.0016  # K, K-2
LEAST_FACTOR = 1e-3
SMALL = 1e-12


def jarvis(
    *,
    vegetation: VegetationParameters,
    leaf_area_index: Tensor,
    stress_index: Tensor,
    air_temperature: Tensor,
    saturation_humidity: Tensor,
    specific_humidity: Tensor,
    shortwave_down: Tensor,
) -> Photosynthesis:
    """Resistance of the canopy from light, soil water, air humidity and air temperature; all ``(column,)``.

    ``saturation_humidity`` is that at the air temperature (K), humidities in kg kg-1, radiation in W m-2,
    ``stress_index`` the F2 of ``stress.soil_moisture_stress``.  There is no assimilation.  The product of factors is
    written as a conductance, which stays finite, and so does its derivative, without leaves, light or soil water.
    """
    leaves = leaf_area_index + SMALL
    light = ACTIVE_LIGHT * shortwave_down / vegetation.light_scale
    smallest = vegetation.minimum_stomatal_resistance
    lit_leaves = leaves * (light + smallest / MAXIMUM_STOMATAL_RESISTANCE * leaves) / (leaves + light)
    soil = torch.clamp(stress_index, min=SMALL)
    deficit = saturation_humidity - specific_humidity
    humidity = torch.clamp(1.0 - vegetation.deficit_sensitivity * deficit, min=LEAST_FACTOR)
    temperature = torch.clamp(1.0 - COLD_SENSITIVITY * (OPTIMUM_TEMPERATURE - air_temperature) ** 2, min=LEAST_FACTOR)
    conductance = torch.clamp(
        lit_leaves * soil * humidity * temperature / smallest,
        min=1.0 / MAXIMUM_STOMATAL_RESISTANCE,
        max=1.0 / MINIMUM_STOMATAL_RESISTANCE,
    )
    nothing = torch.zeros_like(leaf_area_index)
    return Photosynthesis(
        net_assimilation=nothing,
        leaf_respiration=nothing,
        mean_leaf_assimilation=nothing,
        stomatal_resistance=torch.where(vegetation.vegetated, 1.0 / conductance, 0.0),
    )
