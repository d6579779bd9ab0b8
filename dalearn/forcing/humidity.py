"""Humidity of the air in its several measures.

Saturation is over liquid water at all temperatures, as in relative humidity and dewpoint of weather stations and of
the IFS (IFS Documentation Cy41r2, part IV, equations 7.4 and 7.5).  Arrays of any shape; K, Pa, kg kg-1.
"""

import numpy as np

EPSILON = 287.0597 / 461.5250  # gas constant of dry air over that of vapour


def saturation_vapour_pressure(temperature: np.ndarray) -> np.ndarray:
    """Pa over water at ``temperature``; at the dewpoint it is the vapour pressure."""
    return 611.21 * np.exp(17.502 * (temperature - 273.16) / (temperature - 32.19))


def specific_humidity(vapour_pressure: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """kg kg-1 of air with ``vapour_pressure`` at ``pressure``."""
    return EPSILON * vapour_pressure / (pressure - (1.0 - EPSILON) * vapour_pressure)


def vapour_pressure(humidity: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """Pa; the inverse of ``specific_humidity``."""
    return humidity * pressure / (EPSILON + (1.0 - EPSILON) * humidity)
