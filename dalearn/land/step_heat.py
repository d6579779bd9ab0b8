"""Snow and surface energy within a land model step (isba_physics.md 1.6, steps 4 and 6)."""

from typing import NamedTuple

from torch import Tensor

from dalearn.land.energy_budget import EnergyState, SnowInfluence, energy_substep
from dalearn.land.options import LandOptions
from dalearn.land.snow import SnowFluxes, SnowSurface, snow_step
from dalearn.land.snow_cover import heat_soil_from_snow
from dalearn.land.snow_pack import SnowPack
from dalearn.land.state import Forcing, LandParameters, LandState
from dalearn.land.step_start import StepStart


class SnowEffect(NamedTuple):
    """What the snow does to the rest of the step."""

    influence: SnowInfluence
    fluxes: SnowFluxes
    initial_albedo: Tensor  # of the pack at step start


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
