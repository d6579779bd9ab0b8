"""Heat in the soil: thermal properties and conduction (isba_physics.md 2.4, 2.5, 4.3)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import (
    DENSITY_ICE,
    DENSITY_WATER,
    HEAT_CAPACITY_ICE,
    HEAT_CAPACITY_LIQUID,
    MINIMUM_SOIL_MOISTURE,
)
from dalearn.land.soil_ice import freezing_potential
from dalearn.land.state import SoilParameters

WATER_TABLE_DEPTH = 100.0  # m, no water table
_LOG_ICE_CONDUCTIVITY = math.log(2.22)
_LOG_WATER_CONDUCTIVITY = math.log(0.57)
_SOLID_HEAT_CAPACITY = 733.0 * 2700.0  # J m-3 K-1
_MAXIMUM_SURFACE_INERTIA = 1.0e-4  # K m2 J-1


class SoilThermal(NamedTuple):
    """Thermal state of the soil at step start, constant during the step."""

    conductivity: Tensor  # (layer, column) W m-1 K-1
    heat_capacity: Tensor  # (layer, column) J m-3 K-1
    frozen_fraction: Tensor  # (column,) of the water of the first layer


def thermal_water(temperature: Tensor, moisture: Tensor, ice: Tensor, soil: SoilParameters) -> tuple[Tensor, Tensor]:
    """Liquid water and ice for thermal purposes, ``(layer, column)``.

    Layers without prognostic water are extrapolated from the deepest one that has it, along the potential
    towards a far water table, their liquid limited by the freezing curve (section 2.4).
    """
    holds = soil.holds_water
    deepest = holds & ~torch.cat([holds[1:], torch.zeros_like(holds[:1])], dim=0)
    node_depth = soil.layer_bottom - 0.5 * soil.layer_thickness

    def of_deepest(layered: Tensor) -> Tensor:
        return torch.where(deepest, layered, 0.0).sum(dim=0)

    total = torch.clamp(of_deepest((moisture + ice) / soil.porosity), min=1e-3, max=1.0)
    dryness = torch.exp(-of_deepest(soil.retention_exponent) * torch.log(total))
    deepest_potential = of_deepest(soil.saturated_potential) * dryness
    deepest_depth = of_deepest(node_depth)

    distance = torch.where(holds, 1.0, node_depth - deepest_depth)
    weight = torch.clamp((WATER_TABLE_DEPTH - node_depth) / distance, min=0.0)
    below = (soil.saturated_potential + weight * deepest_potential) / (1.0 + weight)
    inverse_exponent = -1.0 / soil.retention_exponent

    def water_at(potential: Tensor) -> Tensor:
        ratio = torch.clamp(potential / soil.saturated_potential, min=1.0)
        return torch.clamp(soil.porosity * torch.exp(inverse_exponent * torch.log(ratio)), min=MINIMUM_SOIL_MOISTURE)

    all_water = water_at(below)
    liquid_limit = water_at(freezing_potential(temperature, soil.saturated_potential))
    liquid = torch.minimum(liquid_limit, all_water)
    return torch.where(holds, moisture, liquid), torch.where(holds, ice, all_water - liquid)


def soil_thermal(temperature: Tensor, moisture: Tensor, ice: Tensor, soil: SoilParameters) -> SoilThermal:
    """Conductivity (Johansen; Peters-Lidard et al. 1998) and heat capacity, section 2.4."""
    liquid, frozen = thermal_water(temperature, moisture, ice, soil)
    fraction = frozen / (frozen + torch.clamp(liquid, min=MINIMUM_SOIL_MOISTURE))
    unfrozen_porosity = (1.0 - fraction) * soil.porosity
    saturated = torch.exp(
        (1.0 - soil.porosity) * torch.log(soil.solid_conductivity)
        + (soil.porosity - unfrozen_porosity) * _LOG_ICE_CONDUCTIVITY
        + unfrozen_porosity * _LOG_WATER_CONDUCTIVITY
    )
    saturation = torch.clamp((liquid + frozen) / soil.porosity, min=0.1, max=1.0)
    kersten = (1.0 - fraction) * (torch.log10(saturation) + 1.0) + fraction * saturation
    conductivity = kersten * (saturated - soil.dry_conductivity) + soil.dry_conductivity
    # ice carries the density of ice although it is a liquid equivalent: SURFEX does so
    heat_capacity = (
        (1.0 - soil.porosity) * _SOLID_HEAT_CAPACITY
        + liquid * (HEAT_CAPACITY_LIQUID * DENSITY_WATER)
        + frozen * (HEAT_CAPACITY_ICE * DENSITY_ICE)
    )
    return SoilThermal(conductivity, heat_capacity, fraction[0])


def surface_inertia(
    first_heat_capacity: Tensor,
    first_thickness: Tensor,
    vegetation_fraction: Tensor,
    vegetation_heat_capacity: Tensor,
    intercepted_water: Tensor,
) -> tuple[Tensor, Tensor]:
    """C_G of the bare soil and C_T of the soil-vegetation composite, K m2 J-1 (section 2.5)."""
    ground = torch.clamp(1.0 / (first_thickness * first_heat_capacity), max=_MAXIMUM_SURFACE_INERTIA)
    canopy = torch.clamp(
        1.0 / (0.20 / vegetation_heat_capacity + HEAT_CAPACITY_LIQUID * intercepted_water),
        max=_MAXIMUM_SURFACE_INERTIA,
    )
    return ground, 1.0 / ((1.0 - vegetation_fraction) / ground + vegetation_fraction / canopy)


def interface_conductances(conductivity: Tensor, soil: SoilParameters) -> Tensor:
    """D_j between layers j and j+1, ``(layer - 1, column)`` in W m-2 K-1: harmonic over the half layers."""
    resistance = soil.layer_thickness / (2.0 * conductivity)
    return 1.0 / (resistance[:-1] + resistance[1:])


def surface_conductance(conductivity: Tensor, soil: SoilParameters) -> Tensor:
    """Conductance between the first two nodes seen by the surface equation, k / dzd_1 in W m-2 K-1."""
    first, second = soil.layer_thickness[0], soil.layer_thickness[1]
    depth = first + second
    mean = 1.0 / (first / (depth * conductivity[0]) + second / (depth * conductivity[1]))
    return mean / soil.node_distance[0]


def diffuse_heat(
    temperature: Tensor,
    intercept: Tensor,
    slope: Tensor,
    conductances: Tensor,
    capacities: Tensor,
    heating: Tensor | None = None,
) -> list[Tensor]:
    """One backward Euler step of conduction below a linear surface relation T_1 = intercept + slope T_2.

    Args:
        temperature: ``(layer, column)`` K at sub-step start.
        conductances: ``(layer - 1, column)`` W m-2 K-1.
        capacities: ``(layer, column)`` heat capacity times thickness over the sub-step, W m-2 K-1.
        heating: ``(layer, column)`` W m-2 given to each layer below the first, none by default.

    Returns:
        New temperatures, one ``(column,)`` tensor per layer; no heat crosses the bottom.
    """
    layers = temperature.shape[0]
    last = layers - 1
    between, capacity = conductances.unbind(0), capacities.unbind(0)
    stored = (capacities * temperature if heating is None else capacities * temperature + heating).unbind(0)
    # elimination from the bottom up: T_j = a_j + b_j T_{j-1}
    a: list[Tensor] = [stored[last]] * layers
    b: list[Tensor] = [stored[last]] * layers
    inverse = 1.0 / (capacity[last] + between[last - 1])
    a[last], b[last] = stored[last] * inverse, between[last - 1] * inverse
    for j in range(last - 1, 0, -1):
        inverse = 1.0 / (capacity[j] + between[j - 1] + between[j] * (1.0 - b[j + 1]))
        a[j] = (stored[j] + between[j] * a[j + 1]) * inverse
        b[j] = between[j - 1] * inverse
    new = [(intercept + slope * a[1]) / (1.0 - slope * b[1])]
    for j in range(1, layers):
        new.append(a[j] + b[j] * new[j - 1])
    return new
