"""Radiation under a sky of given cloud cover and humidity: published fits, for daily records and synthetic weather.

Arrays of any shape; cloud cover is a fraction in [0, 1].
"""

import numpy as np

from dalearn.constants import STEFAN_BOLTZMANN

SOLAR_CONSTANT = 1361.0  # W m-2


def clear_sky_shortwave(cosine_zenith: np.ndarray) -> np.ndarray:
    """Global radiation of a cloudless sky, W m-2 (Haurwitz 1945, J. Meteorol. 2, 154-166)."""
    above = np.maximum(cosine_zenith, 1e-3)
    return np.where(cosine_zenith > 1e-3, 1098.0 * above * np.exp(-0.057 / above), 0.0)


def cloud_transmissivity(cloud: np.ndarray) -> np.ndarray:
    """Global radiation relative to a cloudless sky (Kasten and Czeplak 1980, doi:10.1016/0038-092X(80)90391-6)."""
    return 1.0 - 0.75 * cloud**3.4


def diffuse_fraction(clearness: np.ndarray) -> np.ndarray:
    """Diffuse share of the global radiation (Erbs et al. 1982, doi:10.1016/0038-092X(82)90302-4).

    ``clearness`` is the global radiation over the extraterrestrial one on the horizontal.
    """
    k = np.clip(clearness, 0.0, 1.0)
    middle = 0.9511 - 0.1604 * k + 4.388 * k**2 - 16.638 * k**3 + 12.336 * k**4
    return np.where(k <= 0.22, 1.0 - 0.09 * k, np.where(k <= 0.80, middle, 0.165))


def longwave_down(temperature: np.ndarray, vapour_pressure: np.ndarray, transmissivity: np.ndarray) -> np.ndarray:
    """Downward thermal radiation, W m-2.

    ``temperature`` K, ``vapour_pressure`` Pa near the ground.  Clear-sky emissivity of Prata (1996,
    doi:10.1002/qj.49712253306); clouds, of fraction 1 - ``transmissivity``, fill the rest of the sky as black
    bodies (Crawford and Duchon 1999, J. Appl. Meteorol. 38, 474-480).
    """
    water = 0.1 * precipitable_water(temperature, vapour_pressure)  # g cm-2
    clear = 1.0 - (1.0 + water) * np.exp(-np.sqrt(1.2 + 3.0 * water))
    cloud = 1.0 - transmissivity
    return (cloud + (1.0 - cloud) * clear) * STEFAN_BOLTZMANN * temperature**4


def precipitable_water(temperature: np.ndarray, vapour_pressure: np.ndarray) -> np.ndarray:
    """kg m-2 of vapour above air of ``temperature`` (K) and ``vapour_pressure`` (Pa) (Prata 1996)."""
    return 4.65 * vapour_pressure / temperature


def clear_sky_longwave(temperature: np.ndarray, vapour_pressure: np.ndarray) -> np.ndarray:
    """Thermal radiation of a cloudless sky, W m-2 (Dilley and O'Brien 1998, doi:10.1002/qj.49712454903)."""
    water = precipitable_water(temperature, vapour_pressure)
    return 59.38 + 113.7 * (temperature / 273.16) ** 6 + 96.96 * np.sqrt(water / 25.0)
