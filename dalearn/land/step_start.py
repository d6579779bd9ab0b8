"""The start of a land model step: surface properties, thermal state, water stress and stomata (isba_physics.md 1.6)."""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import GAS_CONSTANT_AIR, GAS_CONSTANT_VAPOUR, GRAVITY, HEAT_CAPACITY_AIR, REFERENCE_PRESSURE
from dalearn.land.energy_budget import Air, EnergyState, HeatFluxes, SurfaceConditions, soil_surface_humidity
from dalearn.land.growth import CarbonPools
from dalearn.land.interception import canopy_capacity, wet_fraction
from dalearn.land.jarvis import jarvis
from dalearn.land.options import LandOptions
from dalearn.land.photosynthesis import photosynthesis
from dalearn.land.radiation import moist_soil_albedo, surface_properties
from dalearn.land.saturation import saturation_specific_humidity
from dalearn.land.snow_cover import SnowCover, blended_roughness, snow_fractions
from dalearn.land.soil_heat import interface_conductances, soil_thermal, surface_conductance, surface_inertia
from dalearn.land.state import Forcing, LandParameters, LandState
from dalearn.land.stress import soil_moisture_stress
from dalearn.land.turbulence import effective_wind, roughness_functions

_KAPPA = GAS_CONSTANT_AIR / HEAT_CAPACITY_AIR
_VIRTUAL = GAS_CONSTANT_VAPOUR / GAS_CONSTANT_AIR - 1.0


class StepStart(NamedTuple):
    """Everything fixed at the start of a step."""

    air: Air
    conditions: SurfaceConditions
    cover: SnowCover | None  # None without a snow scheme
    first_conductivity: Tensor  # W m-1 K-1, of the first soil layer
    heat_capacity: Tensor  # (layer, column) J m-3 K-1
    uptake: Tensor  # (layer, column) share of transpiration drawn from each layer
    surface_insulation: Tensor  # (column,) freezing factor of the first layer
    canopy_capacity: Tensor  # kg m-2
    rainfall: Tensor  # kg m-2 s-1
    net_assimilation: Tensor  # kg kg-1 m s-1
    leaf_respiration: Tensor  # kg kg-1 m s-1


def air_of(forcing: Forcing, parameters: LandParameters) -> Air:
    """Density, Exner functions and effective wind of the forcing (section 1.4)."""
    f, height = forcing, parameters.temperature_height
    pressure_scale = f.air_temperature * GAS_CONSTANT_AIR * (1.0 + _VIRTUAL * f.specific_humidity)
    density = f.surface_pressure / (pressure_scale + height * GRAVITY)
    pressure = f.surface_pressure - density * height * GRAVITY
    return Air(
        temperature=f.air_temperature,
        humidity=f.specific_humidity,
        density=density,
        exner=torch.exp(_KAPPA * torch.log(pressure / REFERENCE_PRESSURE)),
        surface_exner=torch.exp(_KAPPA * torch.log(f.surface_pressure / REFERENCE_PRESSURE)),
        surface_pressure=f.surface_pressure,
        wind=effective_wind(f.wind_speed, parameters.wind_height),
        shortwave_down=f.shortwave_down,
        longwave_down=f.longwave_down,
    )


def begin_step(
    state: LandState, forcing: Forcing, parameters: LandParameters, *, options: LandOptions
) -> tuple[StepStart, EnergyState, CarbonPools]:
    """Surface properties, thermal state, water stress and stomata, all from the state at step start."""
    p, soil, vegetation = parameters, parameters.soil, parameters.vegetation
    lai = state.leaf_area_index
    air = air_of(forcing, p)
    relative_moisture = state.soil_moisture[0] / soil.porosity[0]
    surface = surface_properties(lai, vegetation, options.albedo, relative_moisture)
    veg = surface.vegetation_fraction
    thermal = soil_thermal(state.soil_temperature, state.soil_moisture, state.soil_ice, soil)
    stress = soil_moisture_stress(state.soil_moisture, soil)
    roughness, heat_roughness = surface.roughness_length, 0.1 * surface.roughness_length
    cover = None if state.snow is None else snow_fractions(state.snow, veg, roughness)
    if cover is not None:
        roughness, heat_roughness = blended_roughness(roughness, cover.total, p.wind_height, p.temperature_height)
    free_leaves = 1.0 if cover is None else 1.0 - cover.vegetation
    capacity = canopy_capacity(vegetation.interception_coefficient, veg, lai)
    wet = wet_fraction(state.intercepted_water, capacity, lai, roughness)
    if options.photosynthesis == "NON":
        leaves = jarvis(
            vegetation=vegetation,
            leaf_area_index=lai,
            stress_index=stress.index,
            air_temperature=air.temperature,
            saturation_humidity=saturation_specific_humidity(air.temperature, air.surface_pressure),
            specific_humidity=air.humidity,
            shortwave_down=air.shortwave_down,
        )
    else:
        leaves = photosynthesis(
            vegetation=vegetation,
            leaf_area_index=lai,
            stress_index=stress.index,
            surface_temperature=state.soil_temperature[0],
            saturation_humidity=saturation_specific_humidity(state.soil_temperature[0], air.surface_pressure),
            specific_humidity=air.humidity,
            air_density=air.density,
            shortwave_down=air.shortwave_down,
            cosine_zenith=forcing.cosine_zenith,
            co2_concentration=forcing.co2_concentration,
            latent_heat_flux=state.latent_heat_flux,
            aerodynamic_resistance=state.aerodynamic_resistance,
            wet_fraction=wet,
            snow_fraction=0.0 if cover is None else cover.vegetation,
            canopy=options.canopy,
            soil_albedo_visible=moist_soil_albedo(vegetation, options.albedo, relative_moisture).visible,
        )
    h_liquid, h_ice = soil_surface_humidity(
        state.soil_moisture[0], state.soil_ice[0], soil.porosity[0], soil.field_capacity[0]
    )
    ground, composite = surface_inertia(
        thermal.heat_capacity[0],
        soil.layer_thickness[0],
        veg,
        vegetation.vegetation_heat_capacity,
        state.intercepted_water,
    )
    conditions = SurfaceConditions(
        vegetation_fraction=veg,
        albedo=surface.albedo,
        emissivity=surface.emissivity,
        roughness=roughness_functions(roughness, heat_roughness, p.wind_height, p.temperature_height),
        ground_inertia=ground,
        surface_inertia=composite,
        frozen_fraction=thermal.frozen_fraction,
        ice_share=state.soil_ice[0] / (state.soil_moisture[0] + state.soil_ice[0]),
        liquid_humidity=h_liquid,
        ice_humidity=h_ice,
        stomatal_resistance=leaves.stomatal_resistance,
        stress=stress.index,
        available_interception=state.intercepted_water + options.time_step * free_leaves * veg * forcing.rainfall,
        surface_conductance=surface_conductance(thermal.conductivity, soil),
        conductances=interface_conductances(thermal.conductivity, soil),
        capacities=thermal.heat_capacity * soil.layer_thickness * (options.energy_substeps / options.time_step),
    )
    none = torch.zeros((len(HeatFluxes._fields), *lai.shape), dtype=lai.dtype, device=lai.device)
    pools = CarbonPools(
        leaf_area_index=lai,
        leaf_biomass=state.leaf_biomass,
        active_structural_biomass=state.active_structural_biomass,
        passive_structural_biomass=state.passive_structural_biomass,
        daily_assimilation=state.daily_assimilation + leaves.net_assimilation * air.density * options.time_step,
        maximum_leaf_assimilation=torch.maximum(state.maximum_leaf_assimilation, leaves.mean_leaf_assimilation),
        active_structural_respiration=state.active_structural_respiration,
        passive_structural_respiration=state.passive_structural_respiration,
        roots_and_wood=state.roots_and_wood,
    )
    insulation = (1.0 - 0.2 * veg) * torch.clamp(1.0 - lai / 30.0, min=0.0, max=1.0)
    start = StepStart(
        air=air,
        conditions=conditions,
        cover=cover,
        first_conductivity=thermal.conductivity[0],
        heat_capacity=thermal.heat_capacity,
        uptake=stress.uptake / torch.clamp(stress.index, min=1e-12),
        surface_insulation=torch.where(vegetation.vegetated, insulation, 1.0),
        canopy_capacity=capacity,
        rainfall=forcing.rainfall,
        net_assimilation=leaves.net_assimilation,
        leaf_respiration=leaves.leaf_respiration,
    )
    energy = EnergyState(
        temperature=state.soil_temperature,
        aerodynamic_resistance=state.aerodynamic_resistance,
        wet_fraction=wet,
        surface_humidity=torch.zeros_like(lai),
        fluxes=HeatFluxes(*none.unbind(0)),
    )
    return start, energy, pools
