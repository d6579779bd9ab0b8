"""Surface energy budget, one sub-step of at most 300 s (isba_physics.md 3.6, 3.8, 3.9, 4)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import (
    HEAT_CAPACITY_AIR,
    LATENT_HEAT_SUBLIMATION,
    LATENT_HEAT_VAPORISATION,
    MAXIMUM_STOMATAL_RESISTANCE,
    MINIMUM_SOIL_MOISTURE,
    STEFAN_BOLTZMANN,
)
from dalearn.land.saturation import saturation_humidity_and_slope
from dalearn.land.soil_heat import diffuse_heat
from dalearn.land.tridiagonal import stack_layers
from dalearn.land.turbulence import Roughness, heat_conductance, richardson_number


class Air(NamedTuple):
    """The atmosphere during a step; ``(column,)``."""

    temperature: Tensor  # K
    humidity: Tensor  # kg kg-1
    density: Tensor  # kg m-3
    exner: Tensor  # at the forcing height
    surface_exner: Tensor
    surface_pressure: Tensor  # Pa
    wind: Tensor  # effective wind, m s-1
    shortwave_down: Tensor  # W m-2
    longwave_down: Tensor  # W m-2


class SurfaceConditions(NamedTuple):
    """What stays constant over the energy sub-steps of one step; ``(column,)`` unless said otherwise."""

    vegetation_fraction: Tensor
    albedo: Tensor
    emissivity: Tensor
    roughness: Roughness
    ground_inertia: Tensor  # C_G, K m2 J-1
    surface_inertia: Tensor  # C_T, K m2 J-1
    frozen_fraction: Tensor  # of the first layer
    ice_share: Tensor  # w_i / (w + w_i) of the first layer
    liquid_humidity: Tensor  # h_u before the dew rules
    ice_humidity: Tensor  # h_ui before the dew rules
    stomatal_resistance: Tensor  # s m-1
    stress: Tensor  # F2
    available_interception: Tensor  # water on the canopy plus rain of the step, kg m-2
    surface_conductance: Tensor  # W m-2 K-1
    conductances: Tensor  # (layer - 1, column) W m-2 K-1
    capacities: Tensor  # (layer, column) W m-2 K-1, of a sub-step


class SnowInfluence(NamedTuple):
    """What a snow pack does to the surface during a step; ``(column,)`` unless said otherwise."""

    total: Tensor  # p_sn
    ground: Tensor  # p_sng
    vegetation: Tensor  # p_snv
    surface_heating: Tensor  # p_sn G_sn + F_cor,1, W m-2
    layer_heating: Tensor  # (layer, column) F_cor, W m-2


class HeatFluxes(NamedTuple):
    """Fluxes per unit area, W m-2, upward positive except net radiation; ``(column,)``."""

    net_radiation: Tensor
    sensible: Tensor
    soil_evaporation: Tensor
    soil_sublimation: Tensor
    vegetation: Tensor
    transpiration: Tensor


class EnergyState(NamedTuple):
    """What a sub-step hands to the next one."""

    temperature: Tensor  # (layer, column) K
    aerodynamic_resistance: Tensor  # s m-1
    wet_fraction: Tensor  # shrinks when the canopy dries, never recovers within the step
    surface_humidity: Tensor  # kg kg-1, of the composite surface
    fluxes: HeatFluxes  # mean over the step so far: sum of sub-steps / number of sub-steps


def soil_surface_humidity(
    moisture: Tensor, ice: Tensor, porosity: Tensor, field_capacity: Tensor
) -> tuple[Tensor, Tensor]:
    """Relative humidities h_u (liquid) and h_ui (ice) of the first layer before the dew rules (section 3.6)."""
    unfrozen_capacity = field_capacity * (porosity - ice) / porosity
    frozen_capacity = field_capacity * torch.clamp(porosity - moisture, min=MINIMUM_SOIL_MOISTURE) / porosity
    safe_capacity = torch.clamp(unfrozen_capacity, min=1e-6)
    liquid = torch.clamp((moisture - MINIMUM_SOIL_MOISTURE) / safe_capacity, min=0.0, max=1.0)
    frozen = torch.clamp(ice / frozen_capacity, max=1.0)
    return 0.5 * (1.0 - torch.cos(math.pi * liquid)), 0.5 * (1.0 - torch.cos(math.pi * frozen))


def _dew_rules(humidity: Tensor, saturation: Tensor, air_humidity: Tensor) -> tuple[Tensor, Tensor]:
    """No evaporation through a surface drier than the air, condensation at the potential rate (section 3.6)."""
    drier = humidity * saturation < air_humidity
    evaporating = saturation > air_humidity
    blocked = drier & evaporating
    value = torch.where(blocked, air_humidity / saturation, torch.where(drier, 1.0, humidity))
    return value, torch.where(blocked, 0.0, torch.ones_like(humidity))


def _halstead(wet: Tensor, resistance: Tensor, stomatal: Tensor, exchange: Tensor, evaporating: Tensor) -> Tensor:
    coefficient = wet + (1.0 - wet) * (resistance + stomatal * (1.0 - evaporating)) * exchange
    return torch.where(coefficient < 1e-12, 0.0, coefficient)


def energy_substep(
    energy: EnergyState,
    conditions: SurfaceConditions,
    air: Air,
    wind_height: Tensor,
    temperature_height: Tensor,
    snow: SnowInfluence | None = None,
    *,
    substeps: int,
    time_step: float,
) -> EnergyState:
    """Advance temperatures by ``time_step / substeps`` seconds and add this sub-step's share of the fluxes.

    Linearised about the temperature at sub-step start, solved implicitly with the soil column.  Conduction
    enters the surface equation with C_G while the surface fluxes enter with C_T, as in SURFEX (section 4.3).
    """
    c = conditions
    dt = time_step / substeps
    veg = c.vegetation_fraction
    free, free_ground, free_leaves = (
        (1.0, 1.0, 1.0) if snow is None else (1.0 - snow.total, 1.0 - snow.ground, 1.0 - snow.vegetation)
    )
    surface_temperature = energy.temperature[0]
    saturation, slope = saturation_humidity_and_slope(surface_temperature, air.surface_pressure)
    h_liquid, d_liquid = _dew_rules(c.liquid_humidity, saturation, air.humidity)
    h_ice, d_ice = _dew_rules(c.ice_humidity, saturation, air.humidity)
    evaporating = (saturation >= air.humidity).to(saturation.dtype)
    unstressed = 1.0 - c.stress

    def conductance_of(resistance: Tensor) -> Tensor:
        return 1.0 / (resistance + c.stomatal_resistance) - evaporating * unstressed / (
            resistance + MAXIMUM_STOMATAL_RESISTANCE
        )

    old_resistance = energy.aerodynamic_resistance
    halstead = _halstead(
        energy.wet_fraction, old_resistance, c.stomatal_resistance, conductance_of(old_resistance), evaporating
    )
    soil_humidity = (1.0 - c.ice_share) * h_liquid + c.ice_share * h_ice
    surface_humidity = ((1.0 - veg) * soil_humidity + veg * halstead) * saturation + veg * (
        1.0 - halstead
    ) * air.humidity
    richardson = richardson_number(
        air_temperature=air.temperature,
        air_humidity=air.humidity,
        air_exner=air.exner,
        surface_temperature=surface_temperature,
        surface_humidity=surface_humidity,
        surface_exner=air.surface_exner,
        wind=air.wind,
        wind_height=wind_height,
        temperature_height=temperature_height,
    )
    resistance = 1.0 / heat_conductance(richardson, air.wind, c.roughness)
    exchange = conductance_of(resistance)
    halstead = _halstead(energy.wet_fraction, resistance, c.stomatal_resistance, exchange, evaporating)

    # the canopy cannot lose more water than it holds during the whole step
    drive = free_leaves * air.density * veg * (saturation - air.humidity)
    # evaporation less transpiration, h_v / R_a - (1 - delta) A_v, is delta / R_a; the difference of the two would leave
    # a rounding error where the leaves are dry, and its derivative below is large
    demand = time_step * drive * energy.wet_fraction / resistance
    short = (evaporating > 0.5) & (demand > 0.0) & (c.available_interception < demand)
    supply = torch.clamp(c.available_interception / torch.where(short, demand, 1.0), min=0.01, max=1.0)
    wet = torch.where(short, energy.wet_fraction * supply, energy.wet_fraction)
    halstead = torch.where(short, _halstead(wet, resistance, c.stomatal_resistance, exchange, evaporating), halstead)

    liquid = LATENT_HEAT_VAPORISATION * (1.0 - veg) * (1.0 - c.frozen_fraction) * d_liquid
    frozen = LATENT_HEAT_SUBLIMATION * (1.0 - veg) * c.frozen_fraction * d_ice
    leaves = LATENT_HEAT_VAPORISATION * veg * halstead
    weight_surface = free_leaves * leaves + free_ground * (liquid * h_liquid + frozen * h_ice)
    weight_air = free_leaves * leaves + free_ground * (liquid + frozen)

    transfer = air.density / resistance
    emission = c.emissivity * STEFAN_BOLTZMANN * surface_temperature**3
    latent_slope = transfer * weight_surface * slope
    sensible_slope = HEAT_CAPACITY_AIR * transfer
    absorbed = air.shortwave_down * (1.0 - c.albedo) + c.emissivity * air.longwave_down
    conduction = c.surface_conductance * c.ground_inertia
    z_a = (
        1.0 / dt
        + c.surface_inertia * (free * (4.0 * emission + sensible_slope / air.surface_exner) + latent_slope)
        + conduction
    )
    z_b = 1.0 / dt + c.surface_inertia * (free * 3.0 * emission + latent_slope)
    gained = free * (sensible_slope * air.temperature / air.exner + absorbed) - transfer * (
        weight_surface * saturation - weight_air * air.humidity
    )
    z_c = c.surface_inertia * (gained if snow is None else gained + snow.surface_heating)
    temperature = diffuse_heat(
        energy.temperature,
        (z_b * surface_temperature + z_c) / z_a,
        conduction / z_a,
        c.conductances,
        c.capacities,
        None if snow is None else snow.layer_heating,
    )

    new = temperature[0]
    humidity = saturation + slope * (new - surface_temperature)
    deficit = humidity - air.humidity
    now = HeatFluxes(
        net_radiation=absorbed - emission * (4.0 * new - 3.0 * surface_temperature),
        sensible=sensible_slope * (new / air.surface_exner - air.temperature / air.exner),
        soil_evaporation=transfer * liquid * (h_liquid * humidity - air.humidity),
        soil_sublimation=transfer * frozen * (h_ice * humidity - air.humidity),
        vegetation=transfer * leaves * deficit,
        transpiration=evaporating * (1.0 - wet) * LATENT_HEAT_VAPORISATION * air.density * veg * deficit * exchange,
    )
    mean = HeatFluxes(*(total + part / substeps for total, part in zip(energy.fluxes, now, strict=True)))
    return EnergyState(stack_layers(temperature), resistance, wet, surface_humidity, mean)
