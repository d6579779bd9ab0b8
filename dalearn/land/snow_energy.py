"""Energy budget of the snow surface and heat conduction in the pack (isba_physics.md 7.2 h, 7.3 A to E).

Only sublimation is computed, with the latent heat of ice; liquid water on the snow does not evaporate.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import (
    HEAT_CAPACITY_AIR,
    HEAT_CAPACITY_ICE,
    LATENT_HEAT_SUBLIMATION,
    STEFAN_BOLTZMANN,
    TRIPLE_POINT,
)
from dalearn.land.energy_budget import Air
from dalearn.land.saturation import saturation_humidity_and_slope
from dalearn.land.snow_radiation import Light
from dalearn.land.turbulence import Roughness, drag_coefficient, heat_conductance, richardson_number

SNOW_EMISSIVITY = 0.99


class SnowExchange(NamedTuple):
    """Exchange of the snow surface with the air, from its temperature at step start; ``(column,)``."""

    conductance: Tensor  # 1 / R_a, m s-1
    drag: Tensor  # C_D, -
    humidity: Tensor  # saturation over ice, kg kg-1
    slope: Tensor  # of the humidity with temperature, kg kg-1 K-1


class SnowHeat(NamedTuple):
    """What the energy budget of the pack yields; fluxes in W m-2 per unit area of snow, ``(column,)``."""

    temperature: Tensor  # (snow_layer, column) K, above the triple point where energy is left for melt
    net_radiation: Tensor
    sensible: Tensor
    evaporation: Tensor  # kg m-2 s-1
    surface: Tensor  # G_s = Rn - H - LE
    ground: Tensor  # G0, conducted to the soil
    capping: Tensor  # G1 - G0: change of G0 were the last layer at most at the triple point


def snow_conductivity(density: Tensor, temperature: Tensor, surface_pressure: Tensor) -> Tensor:
    """Thermal conductivity (W m-1 K-1), vapour diffusion included (Yen 1981; Sun et al. 1999)."""
    dry = 2.22 * torch.exp(1.88 * torch.log(density / 1000.0))
    vapour = -0.06023 - 2.5425 / (temperature - 289.99)
    return dry + torch.clamp(vapour * (1.0e5 / surface_pressure), min=0.0)


def snow_exchange(
    temperature: Tensor, air: Air, roughness: Roughness, wind_height: Tensor, temperature_height: Tensor
) -> SnowExchange:
    """Exchange coefficients (section 3.8) over snow of surface ``temperature`` (K), not above the triple point."""
    humidity, slope = saturation_humidity_and_slope(temperature, air.surface_pressure)
    richardson = richardson_number(
        air_temperature=air.temperature,
        air_humidity=air.humidity,
        air_exner=air.exner,
        surface_temperature=temperature,
        surface_humidity=humidity,
        surface_exner=air.surface_exner,
        wind=air.wind,
        wind_height=wind_height,
        temperature_height=temperature_height,
    )
    return SnowExchange(
        conductance=heat_conductance(richardson, air.wind, roughness),
        drag=drag_coefficient(richardson, roughness),
        humidity=humidity,
        slope=slope,
    )


def _eliminate(
    between: list[Tensor], capacity: Tensor, right: Tensor, ground: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """Coefficients of T_j = a_j + b_j T_{j-1}, j >= 1, from the bottom up; the first entry of each is not used."""
    layers = capacity.shape[0]
    own, given = capacity.unbind(0), right.unbind(0)
    a: list[Tensor] = [ground] * (layers + 1)
    b: list[Tensor] = [torch.zeros_like(ground)] * (layers + 1)
    for j in range(layers - 1, 0, -1):
        inverse = 1.0 / (own[j] + between[j - 1] + between[j] * (1.0 - b[j + 1]))
        a[j] = (given[j] + between[j] * a[j + 1]) * inverse
        b[j] = between[j - 1] * inverse
    return a[:layers], b[:layers]


def solve_snow_heat(
    *,
    temperature: Tensor,
    thickness: Tensor,
    density: Tensor,
    albedo: Tensor,
    light: Light,
    exchange: SnowExchange,
    air: Air,
    soil_temperature: Tensor,
    soil_conductivity: Tensor,
    soil_thickness: Tensor,
    time_step: float,
) -> SnowHeat:
    """One implicit step of the surface and of all layers, linearised about the temperature at step start.

    Args:
        temperature: K at step start, with the floored ``thickness`` (m) and ``density`` (kg m-3)
            ``(snow_layer, column)``.
        albedo: broadband, used in this step, ``(column,)``.
        soil_temperature, soil_conductivity, soil_thickness: of the first soil layer (K, W m-1 K-1, m).

    The comparisons with the triple point are exact: a wet surface has exactly that temperature (7.9.3).
    """
    conductivity = snow_conductivity(density, temperature, air.surface_pressure)
    resistance = thickness / (2.0 * conductivity)
    below = torch.cat([resistance[1:], (soil_thickness / (2.0 * soil_conductivity))[None]], dim=0)
    between = list((1.0 / (resistance + below)).unbind(0))
    heat_capacity = HEAT_CAPACITY_ICE * density * thickness
    capacity = heat_capacity / time_step
    absorbed = light.downward - torch.cat([light.downward[:1], light.downward[:-1]], dim=0)
    a, b = _eliminate(between, capacity, capacity * temperature + absorbed, soil_temperature)

    old = temperature[0]
    inertia = 1.0 / heat_capacity[0]
    transfer = air.density * exchange.conductance
    emission = SNOW_EMISSIVITY * STEFAN_BOLTZMANN * old**3
    incoming = (1.0 - albedo) * air.shortwave_down + SNOW_EMISSIVITY * air.longwave_down
    deficit = exchange.humidity - air.humidity
    latent_slope = LATENT_HEAT_SUBLIMATION * transfer * exchange.slope
    sensible_slope = HEAT_CAPACITY_AIR * transfer
    air_heat = sensible_slope * (air.temperature / air.exner)
    slope = 4.0 * emission + latent_slope + sensible_slope / air.surface_exner
    constant = air_heat + incoming + light.downward[0] - LATENT_HEAT_SUBLIMATION * transfer * deficit
    z_a = 1.0 / time_step + inertia * (slope + between[0])
    z_b = 1.0 / time_step + inertia * (3.0 * emission + latent_slope)
    intercept, share = (z_b * old + inertia * constant) / z_a, inertia * between[0] / z_a
    surface = (intercept + share * a[1]) / (1.0 - share * b[1])

    melting = surface > TRIPLE_POINT
    wet = old >= TRIPLE_POINT
    capped = torch.clamp(surface, max=TRIPLE_POINT)
    new = [torch.where(wet, capped, surface)]
    for j in range(1, len(a)):
        new.append(a[j] + b[j] * new[j - 1])
    conducted = between[0] * (new[0] - new[1])

    change = capped - old
    net_radiation = incoming - emission * (old + 4.0 * change)
    sensible = sensible_slope * (capped / air.surface_exner) - air_heat
    evaporation = transfer * (deficit + exchange.slope * change)
    into_snow = net_radiation - sensible - LATENT_HEAT_SUBLIMATION * evaporation
    # what the fluxes at the triple point give more than those at the solved temperature warms the first layer
    first_melt = surface + slope * (surface - capped) * inertia * time_step
    later_melt = TRIPLE_POINT + inertia * time_step * (into_snow + light.downward[0] - conducted)
    new[0] = torch.where(melting, torch.where(wet, later_melt, first_melt), surface)

    last = new[-1]
    ground = between[-1] * (last - soil_temperature)
    capped_ground = between[-1] * (torch.clamp(last, max=TRIPLE_POINT) - soil_temperature)
    capping = capped_ground - ground
    new[-1] = last - capping / capacity[-1]
    return SnowHeat(torch.stack(new, dim=0), net_radiation, sensible, evaporation, into_snow, ground, capping)
