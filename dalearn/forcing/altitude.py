"""Moving the air from the altitude of the source to that of the cell.

* temperature along a constant lapse rate of 6.5 K km-1 (the standard atmosphere);
* pressure hydrostatically in air of the mean temperature of the two levels;
* relative humidity is kept;
* thermal radiation keeps the ratio of its emissivity to that of a clear sky, the clear sky of Prata (1996) following
  temperature and humidity, in the manner of Cosgrove et al. (2003, doi:10.1029/2002JD003118).

Precipitation, short wave and wind stay as they are.
"""

import numpy as np

from dalearn.constants import GAS_CONSTANT_AIR, GRAVITY
from dalearn.forcing.humidity import saturation_vapour_pressure, specific_humidity, vapour_pressure
from dalearn.forcing.sky import longwave_down

LAPSE_RATE = 0.0065  # K m-1
CLEAR = np.ones(1)  # transmissivity


def standard_pressure(altitude: np.ndarray) -> np.ndarray:
    """Pa of the standard atmosphere at ``altitude`` (m)."""
    return 101325.0 * (1.0 - LAPSE_RATE * np.asarray(altitude) / 288.15) ** (GRAVITY / (GAS_CONSTANT_AIR * LAPSE_RATE))


def correct_altitude(values: dict[str, np.ndarray], rise: np.ndarray) -> dict[str, np.ndarray]:
    """``values`` (ALMA names, (record, cell)) moved up by ``rise`` (cell,) metres; float32 in, float32 out."""
    temperature, humidity, pressure, longwave = (
        values[name].astype(np.float64) for name in ("Tair", "Qair", "PSurf", "LWdown")
    )
    moved = temperature - LAPSE_RATE * rise
    virtual = 0.5 * (temperature + moved)
    moved_pressure = pressure * np.exp(-GRAVITY * rise / (GAS_CONSTANT_AIR * virtual))
    vapour = vapour_pressure(humidity, pressure)
    moved_vapour = vapour * saturation_vapour_pressure(moved) / saturation_vapour_pressure(temperature)
    ratio = longwave_down(moved, moved_vapour, CLEAR) / longwave_down(temperature, vapour, CLEAR)
    result = {
        "Tair": moved,
        "PSurf": moved_pressure,
        "Qair": specific_humidity(moved_vapour, moved_pressure),
        "LWdown": longwave * ratio,
    }
    return {**values, **{name: array.astype(np.float32) for name, array in result.items()}}
