"""Liquid water in the soil: infiltration and the mixed-form Richards equation (isba_physics.md 5)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import (
    DENSITY_WATER,
    GAS_CONSTANT_VAPOUR,
    GRAVITY,
    MINIMUM_SOIL_MOISTURE,
    TRIPLE_POINT,
)
from dalearn.land.saturation import ice_saturation_vapour_pressure, saturation_vapour_pressure
from dalearn.land.soil_ice import FUSION_HEAT, SMALLEST_ICE, freeze_or_thaw
from dalearn.land.state import SoilParameters
from dalearn.land.tridiagonal import solve_tridiagonal, stack_layers

_LOG_TEN = math.log(10.0)


class SoilWaterDemand(NamedTuple):
    """Water entering and leaving the column, constant during a step; ``(column,)``, m s-1 of liquid water."""

    throughfall: Tensor  # after runoff, may be negative
    soil_evaporation: Tensor
    sublimation: Tensor
    root_uptake: Tensor  # (layer, column)
    excess_evaporation: Tensor  # snow evaporation beyond the pack, taken from the soil


class SoilColumn(NamedTuple):
    """What a water sub-step hands to the next one."""

    temperature: Tensor  # (layer, column) K
    moisture: Tensor  # (layer, column) m3 m-3
    ice: Tensor  # (layer, column) m3 m-3
    drainage: Tensor  # kg m-2 s-1, mean over the step so far
    saturation_runoff: Tensor  # kg m-2 s-1, mean over the step so far


class VapourPressures(NamedTuple):
    """Saturation vapour pressures of the layers before the water sub-steps, ``(layer, column)`` Pa."""

    over_soil: Tensor
    over_ice: Tensor


def soil_vapour_pressures(temperature: Tensor) -> VapourPressures:
    """Pressures for the vapour conductivity, from the temperatures after the energy sub-steps (section 5.4)."""
    frozen = torch.clamp(temperature, max=TRIPLE_POINT)
    return VapourPressures(saturation_vapour_pressure(temperature), ice_saturation_vapour_pressure(frozen))


def infiltrate(moisture: Tensor, capacity: Tensor, amount: Tensor, soil: SoilParameters) -> tuple[Tensor, Tensor]:
    """Fill the layers from the top with ``amount`` (m); returns the new moisture and what found no room (m)."""
    rows = []
    for j in range(moisture.shape[0]):
        room = torch.clamp(capacity[j] - moisture[j], min=0.0) * soil.layer_thickness[j]
        taken = torch.where(soil.holds_water[j], torch.minimum(amount, room), 0.0)
        rows.append(moisture[j] + taken / soil.layer_thickness[j])
        amount = amount - taken
    return stack_layers(rows), amount


def vapour_conductivity(
    *,
    temperature: Tensor,
    moisture: Tensor,
    ice: Tensor,
    potential: Tensor,
    impedance: Tensor,
    vapour: VapourPressures,
    surface_pressure: Tensor,
    soil: SoilParameters,
) -> Tensor:
    """Isothermal vapour conductivity (m s-1) after Braud et al. (1993), section 5.4.

    The weights of ice and liquid are exchanged as in SURFEX: unfrozen soil uses the pressure over ice at the
    triple point.
    """
    total = moisture + ice
    diffusivity = 2.17e-5 * (1.0e5 / surface_pressure) * torch.exp(1.88 * torch.log(temperature / 273.16))
    air = torch.minimum(soil.porosity, (soil.porosity - total) * (1.0 + total / (soil.porosity - 0.05)))
    humidity = torch.clamp(torch.exp(potential * GRAVITY / (GAS_CONSTANT_VAPOUR * temperature)), min=1e-30)
    ice_share = ice / total
    pressure = humidity * (ice_share * vapour.over_soil + (1.0 - ice_share) * vapour.over_ice)
    conductivity = impedance * 0.66 * surface_pressure * diffusivity * air * GRAVITY * pressure
    conductivity = conductivity / (
        (surface_pressure - pressure) * (GAS_CONSTANT_VAPOUR * temperature) ** 2 * DENSITY_WATER
    )
    active = (total > MINIMUM_SOIL_MOISTURE) & (total < soil.field_capacity)
    return torch.where(active, conductivity, 0.0)


def _redistribute(
    moisture: list[Tensor], increments: list[Tensor], capacity: Tensor, soil: SoilParameters
) -> tuple[list[Tensor], Tensor]:
    """Add the increments from the top, passing over-saturation down, then lift layers below the minimum with
    water from the next layer; returns the water leaving the bottom through these rules (m)."""
    holds, thickness = soil.holds_water, soil.layer_thickness
    layers = len(moisture)
    rows = list(moisture)
    carried = torch.zeros_like(moisture[0])
    for j in range(layers):
        filled = rows[j] + carried / thickness[j] + increments[j]
        excess = torch.where(holds[j], torch.clamp(filled - capacity[j], min=0.0), 0.0)
        rows[j] = torch.where(holds[j], torch.minimum(filled, capacity[j]), moisture[j])
        carried = torch.where(holds[j], excess * thickness[j], carried)
    owed = torch.zeros_like(carried)
    for j in range(layers):
        drained = rows[j] - owed / thickness[j]
        deficit = torch.clamp(MINIMUM_SOIL_MOISTURE - drained, min=0.0)
        rows[j] = torch.where(holds[j], drained + deficit, moisture[j])
        owed = torch.where(holds[j], deficit * thickness[j], owed)
    return rows, carried - owed


def _push_ice_down(ice: Tensor, soil: SoilParameters) -> tuple[Tensor, Tensor]:
    """Ice above porosity - minimum moisture moves to the next layer; returns what leaves the bottom (m)."""
    limit = soil.porosity - MINIMUM_SOIL_MOISTURE
    rows = []
    carried = torch.zeros_like(ice[0])
    for j in range(ice.shape[0]):
        holds = soil.holds_water[j]
        filled = ice[j] + carried / soil.layer_thickness[j]
        excess = torch.clamp(filled - limit[j], min=0.0)
        rows.append(torch.where(holds, filled - excess, ice[j]))
        carried = torch.where(holds, excess * soil.layer_thickness[j], carried)
    return stack_layers(rows), carried


def richards(
    *,
    temperature: Tensor,
    moisture: Tensor,
    ice: Tensor,
    impedance: Tensor,
    capacity: Tensor,
    source: Tensor,
    vapour: VapourPressures,
    surface_pressure: Tensor,
    soil: SoilParameters,
    time_step: float,
) -> tuple[Tensor, Tensor]:
    """One Crank-Nicolson step on linearised fluxes with free drainage, sections 5.3 to 5.6.

    Args:
        capacity: effective porosity, ``(layer, column)``.
        source: water gained by each layer apart from the exchange between layers, m s-1.

    Returns:
        New moisture and drainage (kg m-2 s-1).
    """
    b, dz = soil.retention_exponent, soil.layer_thickness
    liquid = torch.clamp(moisture, min=MINIMUM_SOIL_MOISTURE)
    log_saturation = torch.clamp(torch.log(liquid / capacity), max=0.0)
    potential = soil.saturated_potential * torch.exp(-b * log_saturation)
    exponent = 2.0 * b + 3.0
    conductivity = impedance * soil.saturated_conductivity * torch.exp(exponent * log_saturation)
    vapour_part = vapour_conductivity(
        temperature=temperature, moisture=moisture, ice=ice, potential=potential, impedance=impedance,
        vapour=vapour, surface_pressure=surface_pressure, soil=soil,
    )  # fmt: skip

    holds = soil.holds_water
    joined = holds[1:] & holds[:-1]
    distance = soil.node_distance[:-1]
    between = torch.sqrt(conductivity[:-1] * conductivity[1:])
    vapour_product = vapour_part[:-1] * vapour_part[1:]
    has_vapour = vapour_product > 0.0
    vapour_between = torch.where(has_vapour, torch.sqrt(torch.where(has_vapour, vapour_product, 1.0)), 0.0)
    total = between + vapour_between
    gradient = (potential[:-1] - potential[1:]) / distance
    bottom_flux = -conductivity
    bottom_slope = -exponent * conductivity / liquid
    interior_flux = -total * gradient - between
    interior_above = -exponent[:-1] * between / (2.0 * liquid[:-1]) * (gradient + 1.0) + total * b[:-1] * potential[
        :-1
    ] / (liquid[:-1] * distance)
    interior_below = -exponent[1:] * between / (2.0 * liquid[1:]) * (gradient + 1.0) - total * b[1:] * potential[1:] / (
        liquid[1:] * distance
    )

    layers = moisture.shape[0]
    zero = torch.zeros_like(moisture[0])
    flux, above, below = [], [], []
    for j in range(layers):
        if j < layers - 1:
            flux.append(torch.where(joined[j], interior_flux[j], bottom_flux[j]))
            above.append(torch.where(joined[j], interior_above[j], bottom_slope[j]))
            below.append(torch.where(joined[j], interior_below[j], 0.0))
        else:
            flux.append(bottom_flux[j])
            above.append(bottom_slope[j])
            below.append(zero)
    lower, diagonal, upper, right = [], [], [], []
    for j in range(layers):
        inflow = flux[j - 1] if j > 0 else zero
        from_above = below[j - 1] if j > 0 else zero
        lower.append(torch.where(holds[j], 0.5 * above[j - 1], 0.0) if j > 0 else zero)
        diagonal.append(dz[j] / time_step - torch.where(holds[j], 0.5 * (above[j] - from_above), 0.0))
        upper.append(torch.where(holds[j], -0.5 * below[j], 0.0))
        right.append(torch.where(holds[j], flux[j] - inflow + source[j], 0.0))
    increments = solve_tridiagonal(lower, diagonal, upper, right)

    rows, leaving = _redistribute(list(moisture.unbind(0)), increments, capacity, soil)
    drainage = leaving / time_step
    for j in range(layers):
        last = holds[j] & ~holds[j + 1] if j < layers - 1 else holds[j]
        drainage = drainage - torch.where(last, flux[j] + 0.5 * above[j] * increments[j], 0.0)
    return stack_layers(rows), DENSITY_WATER * drainage


def water_substep(
    column: SoilColumn,
    demand: SoilWaterDemand,
    vapour: VapourPressures,
    surface_pressure: Tensor,
    heat_capacity: Tensor,
    surface_insulation: Tensor,
    soil: SoilParameters,
    *,
    substeps: int,
    time_step: float,
) -> SoilColumn:
    """Infiltrate, redistribute, freeze or thaw, sublimate during ``time_step / substeps`` seconds.

    Args:
        surface_insulation: ``(column,)`` freezing factor k of the first layer, below 1 under vegetation.

    The other layered arguments are ``(layer, column)``; layers without water are returned unchanged.
    """
    dt = time_step / substeps
    dz, holds = soil.layer_thickness, soil.holds_water
    capacity = torch.clamp(soil.porosity - column.ice, min=MINIMUM_SOIL_MOISTURE)
    total = torch.clamp(column.ice + column.moisture, min=MINIMUM_SOIL_MOISTURE)
    impedance = torch.exp(-6.0 * _LOG_TEN * column.ice / total)

    moisture, surplus = infiltrate(column.moisture, capacity, torch.clamp(demand.throughfall, min=0.0) * dt, soil)
    joined = torch.cat([holds[1:], torch.zeros_like(holds[:1])], dim=0)
    stored = torch.where(joined, dz * moisture, 0.0)
    withdrawn = torch.clamp(demand.throughfall, max=0.0) - demand.excess_evaporation
    source = withdrawn * stored / stored.sum(dim=0) - demand.root_uptake
    source = torch.cat([source[:1] - demand.soil_evaporation, source[1:]], dim=0)
    moisture, drainage = richards(
        temperature=column.temperature, moisture=moisture, ice=column.ice, impedance=impedance, capacity=capacity,
        source=source, vapour=vapour, surface_pressure=surface_pressure, soil=soil, time_step=dt,
    )  # fmt: skip

    insulation = torch.cat([surface_insulation[None], torch.ones_like(column.ice[1:])], dim=0)
    changed = freeze_or_thaw(
        column.temperature, moisture, column.ice, heat_capacity=heat_capacity,
        surface_insulation=insulation, soil=soil, time_step=dt,
    )  # fmt: skip
    sublimated = changed.ice[0] - demand.sublimation * dt / dz[0]
    first_moisture = changed.moisture[0] + torch.clamp(sublimated, max=0.0)
    ice = torch.cat([torch.clamp(sublimated, min=0.0)[None], changed.ice[1:]], dim=0)
    moisture = torch.cat([first_moisture[None], changed.moisture[1:]], dim=0)
    ice, leaving = _push_ice_down(ice, soil)
    trace = (ice > 0.0) & (ice < SMALLEST_ICE)
    melted = torch.where(trace, ice, 0.0)
    return SoilColumn(
        temperature=torch.where(holds, changed.temperature - melted * FUSION_HEAT / heat_capacity, column.temperature),
        moisture=torch.where(holds, moisture + melted, column.moisture),
        ice=torch.where(holds, ice - melted, column.ice),
        drainage=column.drainage + (drainage + DENSITY_WATER * leaving / dt) / substeps,
        saturation_runoff=column.saturation_runoff + DENSITY_WATER * surplus / dt / substeps,
    )
