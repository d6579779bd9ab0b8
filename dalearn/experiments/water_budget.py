"""The water budget of a run, step by step and as a whole (isba_physics.md 8.2)."""

import torch
from torch import Tensor

from dalearn.constants import DENSITY_WATER
from dalearn.land.state import Fluxes, Forcing, LandParameters, LandState
from dalearn.tree import to


def stored_water(state: LandState, parameters: LandParameters) -> Tensor:
    """Water, ice and snow on and in every column, ``(column,)`` kg m-2."""
    soil = parameters.soil
    thickness = soil.layer_thickness * soil.holds_water
    water = DENSITY_WATER * (thickness * (state.soil_moisture + state.soil_ice)).sum(dim=0) + state.intercepted_water
    return water if state.snow is None else water + state.snow.water_equivalent.sum(dim=0)


class WaterBudget:
    """What of the precipitation is neither stored nor lost, summed in float64 whatever the dtype of the run.

    Attributes:
        largest: largest absolute residual of a step, ``(column,)`` kg m-2 s-1.
        residual: over all steps, ``(column,)`` kg m-2.
        precipitation: over all steps, ``(column,)`` kg m-2.
    """

    def __init__(self, state: LandState, parameters: LandParameters, time_step: float) -> None:
        self.parameters = to(parameters, dtype=torch.float64)
        self.time_step = time_step
        self.stored = self._stored(state)
        self.largest = torch.zeros_like(self.stored)
        self.residual = torch.zeros_like(self.stored)
        self.precipitation = torch.zeros_like(self.stored)

    def add(self, state: LandState, forcing: Forcing, fluxes: Fluxes) -> None:
        """Take in the step that ended in ``state``."""
        before, self.stored = self.stored, self._stored(state)
        fallen = forcing.rainfall.double() + forcing.snowfall.double()
        lost = fluxes.evaporation.double() + fluxes.drainage.double() + fluxes.surface_runoff.double()
        residual = fallen - lost - (self.stored - before) / self.time_step
        self.largest = torch.maximum(self.largest, residual.abs())
        self.residual = self.residual + self.time_step * residual
        self.precipitation = self.precipitation + self.time_step * fallen

    def _stored(self, state: LandState) -> Tensor:
        return stored_water(to(state, dtype=torch.float64), self.parameters)
