"""The land model: one step of ISBA-DIF with A-gs and interactive leaf area (isba_physics.md 1.6).

``LandModel.step`` is a pure function of state, forcing and parameters.  The blocks it calls (``step_*.py``)
compile: the start of the step (thermal state, stress, stomata), snow, the energy sub-step, the canopy water, the
water sub-step, the growth of the day and the end of the step.
"""

import dataclasses
from collections.abc import Callable
from functools import cache, cached_property, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dalearn.constants import MINIMUM_SOIL_MOISTURE
from dalearn.errors import InputError
from dalearn.land.albedo_cycle import ALBEDO_MAPS, parameters_of_decade
from dalearn.land.compilation import CompiledBlock, CompiledSequence, Packed, compilation_available, unpacked
from dalearn.land.growth import (
    INITIAL_LEAF_ASSIMILATION,
    Biomass,
    cold_start_biomass,
    floor_leaf_area_index,
)
from dalearn.land.options import LandOptions
from dalearn.land.packing import Layout
from dalearn.land.roots_and_wood import no_roots_and_wood
from dalearn.land.snow_pack import empty_pack
from dalearn.land.soil_ice import maximum_liquid_water
from dalearn.land.state import Fluxes, Forcing, LandParameters, LandState
from dalearn.land.step_end import end_step, grow
from dalearn.land.step_heat import run_energy_substep, run_snow
from dalearn.land.step_start import begin_step
from dalearn.land.step_water import begin_water, run_water_substep
from dalearn.land.topmodel import TOPOGRAPHY_MAPS
from dalearn.tree import named_tensors

COLD_START_RESISTANCE = 100.0  # s m-1


class Blocks(NamedTuple):
    """The blocks of the step, compiled or not."""

    begin_step: Callable[..., Any]
    snow: Callable[..., Any]
    energy: Callable[..., Any]
    begin_water: Callable[..., Any]
    water: Callable[..., Any]
    growth: Callable[..., Any]
    end_step: Callable[..., Any]


Steps = tuple[Callable[..., Any], ...]  # without and with the growth of the day


def _functions(options: LandOptions, water_layers: int) -> tuple[Callable[..., Any], ...]:
    """The blocks in the order of ``Blocks``."""
    return (
        partial(begin_step, options=options),
        partial(run_snow, options=options),
        partial(run_energy_substep, options=options),
        partial(begin_water, options=options, water_layers=water_layers),
        partial(run_water_substep, options=options, water_layers=water_layers),
        partial(grow, options=options),
        partial(end_step, options=options),
    )


def advance(state: Any, forcing: Any, p: Any, *, block: Blocks, options: LandOptions, grows: bool) -> tuple[Any, Any]:
    """One time step, block by block: the new state and the fluxes."""
    start, energy, pools = block.begin_step(state, forcing, p)
    # a pack and its effect, or neither
    snow = block.snow(state, forcing, start, p) if options.snow_layers else ()
    for _ in range(options.energy_substeps):
        energy = block.energy(energy, start, p, *snow[1:])
    water, column = block.begin_water(state, start, energy, p, *snow[1:])
    for _ in range(options.water_substeps):
        column = block.water(column, water, start, p)
    if grows:
        pools = block.growth(pools, p)
    return block.end_step(pools, start, energy, water, column, p, *snow)  # type: ignore[no-any-return]


def _steps(block: Blocks, options: LandOptions) -> Steps:
    return tuple(partial(advance, block=block, options=options, grows=grows) for grows in (False, True))


@cache
def _compiled_steps(options: LandOptions, water_layers: int, parts: tuple[str, ...]) -> Steps:
    """Compiled steps, shared by all models of a process that differ in nothing but their columns."""
    outputs = (3, 2, 1, 2, 1, 1, 2)
    names = [f"{name} {water_layers} {parts} {options}" for name in Blocks._fields]
    blocks = Blocks(*map(CompiledBlock, _functions(options, water_layers), outputs, names))
    return tuple(CompiledSequence(step) for step in _steps(blocks, options))


class LandModel:
    """ISBA-A-gs for a batch of columns.

    Args:
        parameters: of the columns to be run, all tensors on one device and of one floating dtype; with the maps
            that the options CM13 and SGH need, else InputError.
        options: physics choices and time step.
        compiled: compile the repeated blocks (with a fall-back to eager execution).
        water_layers: soil layers to be treated at least, for columns that are a part of a domain: then the blocks
            compiled for any part serve all of them.
    """

    def __init__(
        self,
        parameters: LandParameters,
        options: LandOptions | None = None,
        *,
        compiled: bool = True,
        water_layers: int = 0,
    ) -> None:
        self.parameters = parameters
        self.options = options or LandOptions()
        self.compiled = compiled
        self._current: tuple[int | None, LandParameters | Packed] | None = None
        self._layouts: dict[type, Layout] = {}
        self._last: tuple[LandState, Packed] | None = None  # the state a step returned, and the form it came in
        self._fewest_water_layers = water_layers
        if self.options.albedo == "CM13" and parameters.albedo_cycle is None:
            raise InputError(f"land.albedo: CM13 needs {', '.join(ALBEDO_MAPS)} (cell, decade) in the surface map")
        if self.options.runoff == "SGH" and parameters.topography is None:
            raise InputError(f"land.runoff: SGH needs {', '.join(TOPOGRAPHY_MAPS)} (cell) in the surface map")

    def with_parameters(self, parameters: LandParameters) -> "LandModel":
        """The same model for other columns."""
        # a part of the columns, with shallower soils, then runs in the blocks compiled for the whole
        return LandModel(parameters, self.options, compiled=self.compiled, water_layers=self.water_layers)

    @cached_property
    def water_layers(self) -> int:
        """Number of layers that the water sub-step treats: all that hold water in at least one column."""
        return max(int(self.parameters.soil.holds_water.any(dim=-1).sum()), self._fewest_water_layers)

    @cached_property
    def _steps(self) -> Steps:
        if not self.compiled:
            return _steps(Blocks(*_functions(self.options, self.water_layers)), self.options)
        # parameters of another structure lie differently in their packed form
        parts = tuple(name for name, _ in named_tensors(parameters_of_decade(self.parameters, None)))
        return _compiled_steps(self.options, self.water_layers, parts)

    def _constants(self, decade: int | None) -> LandParameters | Packed:
        """The parameters, with the albedos of the ten days, in the form the blocks take them; kept until they
        change."""
        if self.options.albedo != "CM13":
            decade = None
        elif decade is None:
            raise InputError("land.albedo: CM13 needs the date of every step; take the forcing from a ForcingWindow")
        if self._current is None or self._current[0] != decade:
            p = parameters_of_decade(self.parameters, decade)
            packed = self.compiled and compilation_available()
            self._current = decade, Packed.of(p) if packed else p
        return self._current[1]

    def initial_state(
        self, *, temperature: Tensor, soil_wetness: float = 0.6, leaf_area_index: float = 1.0
    ) -> LandState:
        """A cold start (isba_ags.md 9.1, isba_physics.md 1.7).

        Args:
            temperature: of the whole profile, ``(column,)`` K.
            soil_wetness: position between wilting point (0) and field capacity (1) of all layers.
            leaf_area_index: of vegetated columns, raised to their minimum.  Where it is prescribed instead, the first
                step replaces it, and there is no biomass.
        """
        p = self.parameters
        soil, zero = p.soil, torch.zeros_like(temperature)
        profile = temperature.expand_as(soil.porosity).clone()
        water = soil.wilting_point + soil_wetness * (soil.field_capacity - soil.wilting_point)
        water = torch.minimum(torch.clamp(water, min=MINIMUM_SOIL_MOISTURE), soil.porosity)
        liquid = torch.minimum(water, maximum_liquid_water(profile, soil))
        leaves = floor_leaf_area_index(torch.full_like(temperature, leaf_area_index), p.vegetation)
        grows = self.options.leaves_grow
        biomass = cold_start_biomass(leaves, p.vegetation) if grows else Biomass(zero, zero, zero)
        return LandState(
            soil_temperature=profile,
            soil_moisture=liquid,
            soil_ice=water - liquid,
            intercepted_water=zero.clone(),
            aerodynamic_resistance=torch.full_like(temperature, COLD_START_RESISTANCE),
            latent_heat_flux=zero.clone(),
            leaf_area_index=leaves,
            leaf_biomass=biomass.leaf,
            active_structural_biomass=biomass.active_structural,
            passive_structural_biomass=biomass.passive_structural,
            daily_assimilation=zero.clone(),
            maximum_leaf_assimilation=torch.full_like(temperature, INITIAL_LEAF_ASSIMILATION),
            active_structural_respiration=zero.clone(),
            passive_structural_respiration=zero.clone(),
            snow=empty_pack(zero, self.options.snow_layers) if self.options.snow_layers else None,
            roots_and_wood=no_roots_and_wood(zero) if self.options.photosynthesis == "NCB" else None,
        )

    def prepare_state(self, state: LandState) -> LandState:
        """What SURFEX does to any state it starts from: leaf area index not below its minimum, unless prescribed."""
        if not self.options.leaves_grow:
            return state
        floored = floor_leaf_area_index(state.leaf_area_index, self.parameters.vegetation)
        return dataclasses.replace(state, leaf_area_index=floored)

    def step(self, state: LandState, forcing: Forcing, first_of_day: bool) -> tuple[LandState, Fluxes]:
        """Advance by one time step.

        Args:
            state: at step start.
            forcing: at step start; rain and snow of the step, ``(column,)``; with the decade where the leaf area
                is prescribed.
            first_of_day: whether this is the first step of a UTC day, when leaves grow and die.

        Returns:
            The state at step end and the mean fluxes of the step.

        Raises:
            InputError: the state is that of a model with other options, or the prescribed leaf area or its date lacks.
        """
        self._check(state, forcing)
        climatology, decade = self.parameters.leaf_area_climatology, forcing.decade
        if not self.options.leaves_grow and climatology is not None:
            state = dataclasses.replace(state, leaf_area_index=climatology[decade])
        forcing = dataclasses.replace(forcing, decade=None)
        grows = first_of_day and self.options.leaves_grow
        after, fluxes = self._steps[grows](self._packed(state), self._packed(forcing), self._constants(decade))
        new_state = unpacked(after)
        if isinstance(after, Packed):
            self._last = new_state, after
        return new_state, unpacked(fluxes)

    def _packed(self, structure: Any) -> Any:
        """A state or forcing in the form the blocks take it, made once for all of them."""
        if not (self.compiled and compilation_available()):
            return structure
        if self._last is not None and self._last[0] is structure:
            return self._last[1]
        layout = self._layouts.get(type(structure))
        if layout is None:
            layout = self._layouts[type(structure)] = Layout(structure)
        return Packed(layout.pack(structure), layout)

    def _check(self, state: LandState, forcing: Forcing) -> None:
        """InputError unless state, forcing and parameters hold what the options need."""
        scheme = self.options.photosynthesis
        if (state.snow is None) != (self.options.snow_layers == 0):
            raise InputError("state and model differ in snow: start from a state made with the same land.snow_layers")
        if (state.roots_and_wood is None) != (scheme != "NCB"):
            raise InputError(
                f"state and model differ in biomass pools: start from a state made with land.photosynthesis {scheme}"
            )
        if not self.options.leaves_grow and (forcing.decade is None or self.parameters.leaf_area_climatology is None):
            raise InputError(
                f"land.photosynthesis {scheme} prescribes the leaf area: the parameters need leaf_area_climatology and "
                "the forcing the decade"
            )
