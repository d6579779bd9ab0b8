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
    VAPOUR_PRESSURE_TRIPLE_POINT,
)
from dalearn.land.saturation import saturation_vapour_pressure
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
    lateral_flow: Tensor | None = None  # (layer, column) to the river without ice, counted as drainage


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
    over_soil = saturation_vapour_pressure(temperature)
    # over ice at the triple point where it is warmer; frozen soil has the pressure over ice already
    return VapourPressures(over_soil, torch.where(temperature > TRIPLE_POINT, VAPOUR_PRESSURE_TRIPLE_POINT, over_soil))


def running_excess(amounts: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """What each layer receives when every layer passes on what it cannot keep.

    Layer j passes on max(0, received + amounts[j]) to layer j + 1, the first layer receives ``start``.

    Args:
        amounts: ``(layer, column)`` surplus (positive) or room (negative) of each layer; 0 lets everything pass.
        start: ``(column,)``, not negative.

    Returns:
        What each layer receives ``(layer, column)`` and what leaves the last one ``(column,)``.
    """
    received, passed = [], start
    for amount in amounts.unbind(0):
        received.append(passed)
        passed = torch.clamp(passed + amount, min=0.0)
    return stack_layers(received), passed


def infiltrate(moisture: Tensor, capacity: Tensor, amount: Tensor, soil: SoilParameters) -> tuple[Tensor, Tensor]:
    """Fill the layers from the top with ``amount`` (m); returns the new moisture and what found no room (m)."""
    room = torch.where(soil.holds_water, torch.clamp(capacity - moisture, min=0.0) * soil.layer_thickness, 0.0)
    received, surplus = running_excess(-room, amount)
    return moisture + torch.minimum(received, room) / soil.layer_thickness, surplus


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
    moisture: Tensor, increments: Tensor, capacity: Tensor, soil: SoilParameters
) -> tuple[Tensor, Tensor]:
    """Add the increments from the top, passing over-saturation down, then lift layers below the minimum with
    water from the next layer; returns the new moisture and the water leaving the bottom through these rules (m)."""
    holds, thickness = soil.holds_water, soil.layer_thickness
    none = torch.zeros_like(moisture[0])
    wanted = moisture + increments
    carried, surplus = running_excess(torch.where(holds, (wanted - capacity) * thickness, 0.0), none)
    filled = torch.minimum(wanted + carried / thickness, capacity)
    owed, debt = running_excess(torch.where(holds, (MINIMUM_SOIL_MOISTURE - filled) * thickness, 0.0), none)
    lifted = torch.clamp(filled - owed / thickness, min=MINIMUM_SOIL_MOISTURE)
    return torch.where(holds, lifted, moisture), surplus - debt


def _push_ice_down(ice: Tensor, soil: SoilParameters) -> tuple[Tensor, Tensor]:
    """Ice above porosity - minimum moisture moves to the next layer; returns what leaves the bottom (m)."""
    limit = soil.porosity - MINIMUM_SOIL_MOISTURE
    surplus = torch.where(soil.holds_water, (ice - limit) * soil.layer_thickness, 0.0)
    carried, leaving = running_excess(surplus, torch.zeros_like(ice[0]))
    return torch.where(soil.holds_water, torch.minimum(ice + carried / soil.layer_thickness, limit), ice), leaving


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
    log_saturation = torch.log(torch.clamp(liquid / capacity, max=1.0))
    suction = torch.exp(-b * log_saturation)
    potential = soil.saturated_potential * suction
    # S^(2 b + 3) without another exponential
    exponent = 2.0 * b + 3.0
    saturation = torch.clamp(liquid / capacity, max=1.0)
    conductivity = impedance * soil.saturated_conductivity * saturation**3 * torch.reciprocal(suction) ** 2
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

    def extended(interior: Tensor, bottom: Tensor) -> Tensor:
        """Interior values where the next layer holds water, ``bottom`` at the deepest layer that does, else 0."""
        inner = torch.cat([torch.where(joined, interior, bottom[:-1]), bottom[-1:]], dim=0)
        return torch.where(holds, inner, 0.0)

    def from_above(layered: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(layered[:1]), layered[:-1]], dim=0)

    none = torch.zeros_like(conductivity)
    flux = extended(interior_flux, bottom_flux)
    above = extended(interior_above, bottom_slope)
    below = extended(interior_below, none)
    right = torch.where(holds, flux - from_above(flux) + source, 0.0)
    increments = stack_layers(
        solve_tridiagonal(
            torch.where(holds, 0.5 * from_above(above), 0.0).unbind(0),
            (dz / time_step - torch.where(holds, 0.5 * (above - from_above(below)), 0.0)).unbind(0),
            (-0.5 * below).unbind(0),
            right.unbind(0),
        )
    )

    new, leaving = _redistribute(moisture, increments, capacity, soil)
    deepest = holds & ~torch.cat([joined, torch.zeros_like(holds[:1])], dim=0)
    through_bottom = torch.where(deepest, flux + 0.5 * above * increments, 0.0).sum(dim=0)
    return new, DENSITY_WATER * (leaving / time_step - through_bottom)


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
    lateral = None if demand.lateral_flow is None else impedance * demand.lateral_flow
    if lateral is not None:
        source = source - lateral
    source = torch.cat([source[:1] - demand.soil_evaporation, source[1:]], dim=0)
    moisture, drainage = richards(
        temperature=column.temperature, moisture=moisture, ice=column.ice, impedance=impedance, capacity=capacity,
        source=source, vapour=vapour, surface_pressure=surface_pressure, soil=soil, time_step=dt,
    )  # fmt: skip

    if lateral is not None:
        drainage = drainage + DENSITY_WATER * lateral.sum(dim=0)

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
