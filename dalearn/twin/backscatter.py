"""The backscatter of the truth: a water cloud model and what it leaves out.

The vegetation layer is the water cloud model of ldas_sekf.md 7.1 (Attema and Ulaby 1978) on cell means.  The soil
under it adds three things that an operator on soil moisture, temperature and LAI has to learn or to live with:
a saturating response to soil moisture, a dependence on temperature (dielectric constant, water in the plants)
and a roughness that differs between cells and changes slowly with the season (tillage, litter).
"""

import math
from dataclasses import dataclass

import numpy as np

from dalearn.twin.surface import SurfaceMap

INCIDENCE_ANGLE = 40.0  # degrees
REFERENCE_MOISTURE = 0.25  # m3 m-3
REFERENCE_TEMPERATURE = 288.15  # K


@dataclass(frozen=True)
class Backscatter:
    """Parameters of every cell, all (cell,).

    ``vegetation_scattering`` A and ``attenuation`` B (per unit of LAI) of the water cloud model;
    ``soil_level`` C, dB, roughness of the cell included; ``soil_sensitivity`` D, dB per m3 m-3;
    ``soil_curvature``, dB per (m3 m-3)2, loss of sensitivity away from the reference moisture;
    ``temperature_slope``, dB K-1; ``roughness_amplitude``, dB, and ``roughness_day``, day of the year of the
    roughest soil.
    """

    vegetation_scattering: np.ndarray
    attenuation: np.ndarray
    soil_level: np.ndarray
    soil_sensitivity: np.ndarray
    soil_curvature: np.ndarray
    temperature_slope: np.ndarray
    roughness_amplitude: np.ndarray
    roughness_day: np.ndarray

    def sigma0(
        self,
        soil_moisture: np.ndarray,
        temperature: np.ndarray,
        leaf_area_index: np.ndarray,
        day_of_year: np.ndarray,
        cell: np.ndarray | slice = slice(None),
    ) -> np.ndarray:
        """Backscatter in dB over soil that is not frozen.

        Moisture (m3 m-3) and temperature (K) of the layer 1-4 cm and LAI (m2 m-2) are (..., cell).

        With ``cell``, the last axis holds these cells instead, one entry each.
        """
        excess = soil_moisture - REFERENCE_MOISTURE
        season = np.cos(2.0 * math.pi * (day_of_year - self.roughness_day[cell]) / 365.25)
        soil = (
            self.soil_level[cell]
            + self.soil_sensitivity[cell] * soil_moisture
            - self.soil_curvature[cell] * excess**2
            + self.temperature_slope[cell] * (temperature - REFERENCE_TEMPERATURE)
            + self.roughness_amplitude[cell] * season
        )
        cosine = math.cos(math.radians(INCIDENCE_ANGLE))
        transmissivity = np.exp(-2.0 * self.attenuation[cell] * leaf_area_index / cosine)
        vegetation = self.vegetation_scattering[cell] * leaf_area_index * cosine * (1.0 - transmissivity)
        return 10.0 * np.log10(vegetation + transmissivity * 10.0 ** (soil / 10.0))


def draw_backscatter(surface: SurfaceMap, generator: np.random.Generator) -> Backscatter:
    """Parameters that follow the land cover of the cell, with some spread.

    Cereal and maize stands attenuate strongly, so their harvest is seen; forests scatter by themselves and
    hide the soil and the season.
    """
    crops, forest = surface.cover("C3", "C4"), surface.cover("TEBD", "TENE")
    rest = 1.0 - crops - forest

    def spread(values: np.ndarray | float, relative: float) -> np.ndarray:
        return values * (1.0 + relative * generator.uniform(-1.0, 1.0, surface.cell_count))

    return Backscatter(
        vegetation_scattering=spread(0.010 * crops + 0.018 * forest + 0.011 * rest, 0.2),
        attenuation=spread(0.095 * crops + 0.03 * forest + 0.033 * rest, 0.15),
        soil_level=-13.0 + 1.5 * forest + generator.normal(0.0, 0.6, surface.cell_count),
        soil_sensitivity=spread(14.0, 0.15),
        soil_curvature=spread(12.0, 0.3),
        temperature_slope=spread(0.015, 0.6),
        roughness_amplitude=spread(0.08 * crops + 0.04 * (1.0 - crops), 0.5),
        roughness_day=generator.normal(300.0, 20.0, surface.cell_count),
    )
