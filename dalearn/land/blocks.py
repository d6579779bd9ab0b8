"""The compiled blocks of one land model step, in the order in which the step calls them.

Each is a pure function of tensors and of the static ``LandOptions``; together they hold the order of
operations of isba_physics.md 1.6 and isba_ags.md 7.2.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import (
    DENSITY_WATER,
    GAS_CONSTANT_AIR,
    GAS_CONSTANT_VAPOUR,
    GRAVITY,
    HEAT_CAPACITY_AIR,
    LATENT_HEAT_SUBLIMATION,
    LATENT_HEAT_VAPORISATION,
    REFERENCE_PRESSURE,
)
from dalearn.land.energy_budget import (
    Air,
    EnergyState,
    HeatFluxes,
    SnowInfluence,
    SurfaceConditions,
    energy_substep,
    soil_surface_humidity,
)
from dalearn.land.growth import CarbonFluxes, CarbonPools, PoolRespiration, carbon_fluxes, respire
from dalearn.land.interception import Interception, canopy_capacity, update_interception, wet_fraction
from dalearn.land.jarvis import jarvis
from dalearn.land.options import LandOptions
from dalearn.land.photosynthesis import photosynthesis
from dalearn.land.radiation import moist_soil_albedo, surface_properties
from dalearn.land.runoff import rain_fraction, surface_runoff
from dalearn.land.saturation import saturation_specific_humidity
from dalearn.land.snow import SnowFluxes, SnowSurface, snow_step
from dalearn.land.snow_cover import (
    ColumnSurface,
    SnowCover,
    blended_roughness,
    column_fluxes,
    column_surface,
    heat_soil_from_snow,
    snow_fractions,
    snow_free_fluxes,
)
from dalearn.land.snow_pack import SnowPack
from dalearn.land.soil_heat import interface_conductances, soil_thermal, surface_conductance, surface_inertia
from dalearn.land.soil_water import (
    SoilColumn,
    SoilWaterDemand,
    VapourPressures,
    soil_vapour_pressures,
    water_substep,
)
from dalearn.land.state import Fluxes, Forcing, LandParameters, LandState
from dalearn.land.stress import soil_moisture_stress
from dalearn.land.topmodel import hillslope_water
from dalearn.land.turbulence import (
    drag_coefficient,
    effective_wind,
    heat_conductance,
    richardson_number,
    roughness_functions,
)
from dalearn.tree import map_tensors

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


class SnowEffect(NamedTuple):
    """What the snow does to the rest of the step."""

    influence: SnowInfluence
    fluxes: SnowFluxes
    initial_albedo: Tensor  # of the pack at step start


class WaterStart(NamedTuple):
    """Everything fixed before the water sub-steps."""

    demand: SoilWaterDemand
    vapour: VapourPressures
    interception: Interception
    runoff: Tensor  # kg m-2 s-1, before infiltration


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


def run_snow(
    state: LandState, forcing: Forcing, start: StepStart, parameters: LandParameters, *, options: LandOptions
) -> tuple[SnowPack, SnowEffect]:
    """The snow pack, and where its heat enters the soil."""
    pack, cover, soil = state.snow, start.cover, parameters.soil
    assert pack is not None
    assert cover is not None
    surface = SnowSurface(
        fraction=cover.total,
        roughness=start.conditions.roughness,
        wind_height=parameters.wind_height,
        temperature_height=parameters.temperature_height,
        soil_temperature=state.soil_temperature[0],
        soil_conductivity=start.first_conductivity,
        soil_thickness=soil.layer_thickness[0],
        soil_albedo=start.conditions.albedo,
        permanent_fraction=parameters.vegetation.permanent_snow_fraction,
        forest_fraction=parameters.vegetation.forest_fraction,
    )
    new_pack, fluxes = snow_step(pack, forcing, start.air, surface, time_step=options.time_step)
    heating = heat_soil_from_snow(
        fraction=cover.total,
        ground_heat=fluxes.ground_heat,
        correction_heat=fluxes.correction_heat,
        surface_inertia=start.conditions.surface_inertia,
        heat_capacity=start.heat_capacity,
        soil=soil,
        time_step=options.time_step,
    )
    influence = SnowInfluence(cover.total, cover.ground, cover.vegetation, heating.surface, heating.layers)
    return new_pack, SnowEffect(influence, fluxes, pack.albedo)


def run_energy_substep(
    energy: EnergyState,
    start: StepStart,
    parameters: LandParameters,
    snow: SnowEffect | None = None,
    *,
    options: LandOptions,
) -> EnergyState:
    """One sub-step of the surface energy budget."""
    return energy_substep(
        energy,
        start.conditions,
        start.air,
        parameters.wind_height,
        parameters.temperature_height,
        None if snow is None else snow.influence,
        substeps=options.energy_substeps,
        time_step=options.time_step,
    )


def begin_water(
    state: LandState,
    start: StepStart,
    energy: EnergyState,
    parameters: LandParameters,
    snow: SnowEffect | None = None,
    *,
    options: LandOptions,
) -> tuple[WaterStart, SoilColumn]:
    """Canopy reservoir, surface runoff and the demand on the soil column."""
    fluxes = energy.fluxes
    free_ground, free_leaves = (
        (1.0, 1.0) if snow is None else (1.0 - snow.influence.ground, 1.0 - snow.influence.vegetation)
    )
    reached = rain_fraction(start.rainfall, parameters.cell_size) if options.subgrid_rain else None
    interception = update_interception(
        intercepted_water=state.intercepted_water,
        capacity=start.canopy_capacity,
        vegetation_fraction=start.conditions.vegetation_fraction,
        rainfall=start.rainfall if snow is None else snow.fluxes.rain_outside,
        interception_evaporation=free_leaves * (fluxes.vegetation - fluxes.transpiration) / LATENT_HEAT_VAPORISATION,
        time_step=options.time_step,
        rain_fraction=reached,
    )
    melt = torch.zeros_like(start.rainfall) if snow is None else snow.fluxes.melt_outflow
    reaching = interception.throughfall + melt
    hillslope = None
    if options.runoff == "SGH":
        assert parameters.topography is not None
        hillslope = hillslope_water(state.soil_moisture, parameters.soil, parameters.topography)
    runoff = surface_runoff(
        interception.throughfall,
        melt,
        state.soil_moisture,
        state.soil_ice,
        parameters.soil,
        scheme=options.runoff,
        exponent=options.runoff_exponent,
        time_step=options.time_step,
        horton=options.horton,
        rain_fraction=reached,
        saturated=None if hillslope is None else hillslope.saturated,
    )
    liquid_heat = LATENT_HEAT_VAPORISATION * DENSITY_WATER
    excess = torch.zeros_like(reaching) if snow is None else snow.fluxes.excess_sublimation / DENSITY_WATER
    demand = SoilWaterDemand(
        throughfall=(reaching - runoff) / DENSITY_WATER,
        soil_evaporation=free_ground * fluxes.soil_evaporation / liquid_heat,
        sublimation=free_ground * fluxes.soil_sublimation / (LATENT_HEAT_SUBLIMATION * DENSITY_WATER),
        root_uptake=start.uptake * (free_leaves * fluxes.transpiration / liquid_heat),
        excess_evaporation=excess,
        lateral_flow=None if hillslope is None else hillslope.lateral_flow,
    )
    column = SoilColumn(
        temperature=energy.temperature,
        moisture=state.soil_moisture,
        ice=state.soil_ice,
        drainage=torch.zeros_like(reaching),
        saturation_runoff=torch.zeros_like(reaching),
    )
    water = WaterStart(demand, soil_vapour_pressures(energy.temperature), interception, runoff)
    return water, column


def run_water_substep(
    column: SoilColumn,
    water: WaterStart,
    start: StepStart,
    parameters: LandParameters,
    *,
    options: LandOptions,
    water_layers: int,
) -> SoilColumn:
    """One sub-step of soil water, freezing included, on the first ``water_layers`` layers only."""

    def shallow(layered: Tensor) -> Tensor:
        return layered[:water_layers] if layered.dim() == 2 else layered

    demand = SoilWaterDemand(*(None if field is None else shallow(field) for field in water.demand))  # type: ignore[arg-type]
    above = water_substep(
        SoilColumn(*map(shallow, column)),
        demand,
        VapourPressures(*map(shallow, water.vapour)),
        start.air.surface_pressure,
        shallow(start.heat_capacity),
        start.surface_insulation,
        map_tensors(shallow, parameters.soil),
        substeps=options.water_substeps,
        time_step=options.time_step,
    )
    return above._replace(
        temperature=torch.cat([above.temperature, column.temperature[water_layers:]], dim=0),
        moisture=torch.cat([above.moisture, column.moisture[water_layers:]], dim=0),
        ice=torch.cat([above.ice, column.ice[water_layers:]], dim=0),
    )


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
