"""Density and carbon dioxide of the air (isba_physics.md 1.4, isba_ags.md 1.1)."""

import numpy as np

from dalearn import constants


def air_density(
    temperature: np.ndarray, specific_humidity: np.ndarray, surface_pressure: np.ndarray, height: np.ndarray
) -> np.ndarray:
    """Density (kg m-3) of air at ``height`` (m): temperature K, humidity kg kg-1, pressure at the surface Pa."""
    moisture = 1.0 + (constants.GAS_CONSTANT_VAPOUR / constants.GAS_CONSTANT_AIR - 1.0) * specific_humidity
    return surface_pressure / (temperature * constants.GAS_CONSTANT_AIR * moisture + height * constants.GRAVITY)


def co2_mixing_ratio(parts_per_million: float) -> float:
    """Mass mixing ratio (kg CO2 per kg of air) of a volume mixing ratio in ppm."""
    return parts_per_million * 1.0e-6 * constants.MOLAR_MASS_CO2 / constants.MOLAR_MASS_AIR
