"""The end of a land model step: growth, respiration, state and fluxes (isba_physics.md 1.6, steps 8 and 9)."""

import torch

from dalearn.land.energy_budget import EnergyState
from dalearn.land.growth import CarbonFluxes, CarbonPools, PoolRespiration, carbon_fluxes, daily_growth, respire
from dalearn.land.options import LandOptions
from dalearn.land.snow_cover import ColumnSurface, SnowCover, column_fluxes, column_surface, snow_free_fluxes
from dalearn.land.snow_pack import SnowPack
from dalearn.land.soil_water import SoilColumn
from dalearn.land.state import Fluxes, LandParameters, LandState
from dalearn.land.step_heat import SnowEffect
from dalearn.land.step_start import StepStart
from dalearn.land.step_water import WaterStart
from dalearn.land.turbulence import drag_coefficient, heat_conductance, richardson_number


def grow(pools: CarbonPools, parameters: LandParameters, *, options: LandOptions) -> CarbonPools:
    """Growth and death of the leaves, once a day."""
    return daily_growth(pools, parameters.vegetation, options.canopy)


def end_step(
    pools: CarbonPools,
    start: StepStart,
    energy: EnergyState,
    water: WaterStart,
    column: SoilColumn,
    parameters: LandParameters,
    pack: SnowPack | None = None,
    snow: SnowEffect | None = None,
    *,
    options: LandOptions,
) -> tuple[LandState, Fluxes]:
    """Respiration, the new state and the fluxes of the step."""
    p, air, conditions = parameters, start.air, start.conditions
    none = torch.zeros_like(conditions.albedo)
    respiration = PoolRespiration(none, none)
    if options.leaves_grow:
        pools, respiration = respire(
            pools, p.vegetation, soil_temperature=column.temperature, soil=p.soil, time_step=options.time_step
        )
    carbon = (
        CarbonFluxes(none, none, none)
        if options.photosynthesis == "NON"
        else carbon_fluxes(
            pools,
            respiration,
            p.vegetation,
            net_assimilation=start.net_assimilation,
            leaf_respiration=start.leaf_respiration,
            soil_temperature=column.temperature,
            soil_moisture=column.moisture,
            soil=p.soil,
            air_density=air.density,
        )
    )
    surface = ColumnSurface(
        temperature=column.temperature[0],
        radiative_temperature=column.temperature[0],
        albedo=conditions.albedo,
        emissivity=conditions.emissivity,
        humidity=energy.surface_humidity,
    )
    heat = snow_free_fluxes(energy.fluxes)
    cover, melt = SnowCover(none, none, none), none
    if snow is not None:
        cover, melt = SnowCover(*snow.influence[:3]), snow.fluxes.melt_outflow
        heat = column_fluxes(energy.fluxes, snow.fluxes, cover)
        surface = column_surface(surface, snow.fluxes, snow.initial_albedo, cover)
    richardson = richardson_number(
        air_temperature=air.temperature,
        air_humidity=air.humidity,
        air_exner=air.exner,
        surface_temperature=surface.temperature,
        surface_humidity=surface.humidity,
        surface_exner=air.surface_exner,
        wind=air.wind,
        wind_height=p.wind_height,
        temperature_height=p.temperature_height,
    )
    new_state = LandState(
        soil_temperature=column.temperature,
        soil_moisture=column.moisture,
        soil_ice=column.ice,
        intercepted_water=water.interception.water,
        aerodynamic_resistance=energy.aerodynamic_resistance,
        latent_heat_flux=heat.latent,
        leaf_area_index=pools.leaf_area_index,
        leaf_biomass=pools.leaf_biomass,
        active_structural_biomass=pools.active_structural_biomass,
        passive_structural_biomass=pools.passive_structural_biomass,
        daily_assimilation=pools.daily_assimilation,
        maximum_leaf_assimilation=pools.maximum_leaf_assimilation,
        active_structural_respiration=pools.active_structural_respiration,
        passive_structural_respiration=pools.passive_structural_respiration,
        snow=pack,
        roots_and_wood=pools.roots_and_wood,
    )
    return new_state, Fluxes(
        net_radiation=heat.net_radiation,
        sensible_heat=heat.sensible,
        latent_heat=heat.latent,
        ground_heat=heat.ground,
        soil_evaporation_heat=heat.soil_evaporation,
        soil_sublimation_heat=heat.soil_sublimation,
        vegetation_evaporation_heat=heat.vegetation,
        transpiration_heat=heat.transpiration,
        interception_evaporation_heat=heat.interception,
        evaporation=heat.evaporation,
        drainage=column.drainage,
        surface_runoff=water.runoff + column.saturation_runoff,
        dripping=water.interception.dripping,
        gross_primary_production=carbon.gross_primary_production,
        autotrophic_respiration=carbon.autotrophic_respiration,
        ecosystem_respiration=carbon.ecosystem_respiration,
        surface_temperature=surface.temperature,
        radiative_temperature=surface.radiative_temperature,
        albedo=surface.albedo,
        emissivity=surface.emissivity,
        richardson_number=richardson,
        drag_coefficient=drag_coefficient(richardson, conditions.roughness),
        heat_exchange_coefficient=heat_conductance(richardson, air.wind, conditions.roughness) / air.wind,
        snow_sublimation_heat=heat.snow_sublimation,
        snow_melt=melt,
        snow_fraction=cover.total,
        snow_fraction_ground=cover.ground,
        snow_fraction_vegetation=cover.vegetation,
    )
