"""Canopy and soil water within a land model step (isba_physics.md 1.6, step 7)."""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import DENSITY_WATER, LATENT_HEAT_SUBLIMATION, LATENT_HEAT_VAPORISATION
from dalearn.land.energy_budget import EnergyState
from dalearn.land.interception import Interception, update_interception
from dalearn.land.options import LandOptions
from dalearn.land.runoff import rain_fraction, surface_runoff
from dalearn.land.soil_water import SoilColumn, SoilWaterDemand, VapourPressures, soil_vapour_pressures, water_substep
from dalearn.land.state import LandParameters, LandState
from dalearn.land.step_heat import SnowEffect
from dalearn.land.step_start import StepStart
from dalearn.land.topmodel import hillslope_water
from dalearn.tree import map_tensors


class WaterStart(NamedTuple):
    """Everything fixed before the water sub-steps."""

    demand: SoilWaterDemand
    vapour: VapourPressures
    interception: Interception
    runoff: Tensor  # kg m-2 s-1, before infiltration


def begin_water(
    state: LandState,
    start: StepStart,
    energy: EnergyState,
    parameters: LandParameters,
    snow: SnowEffect | None = None,
    *,
    options: LandOptions,
    water_layers: int,
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
    water = WaterStart(demand, soil_vapour_pressures(energy.temperature[:water_layers]), interception, runoff)
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
