"""The control vector x: what the filter perturbs, differentiates and corrects.

One value per control variable and column, ``(control, column)``: LAI and the liquid water of soil layers 2 to 8
by default (ldas_sekf.md 3.2).  LAI and leaf biomass always move together, in a perturbation by the same factor,
in an increment by ``biomass_per_leaf_area`` (ldas_sekf.md 1.3, 1.9, 3.3).
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from dalearn.assimilation.leaves import biomass_in_proportion, structure_along_dilution
from dalearn.errors import InputError
from dalearn.land.state import LandParameters, LandState
from dalearn.tree import tile_columns
from dalearn.variables import VARIABLES

CONTROL_NAMES = ("LAI", "WG2", "WG3", "WG4", "WG5", "WG6", "WG7", "WG8")


@dataclass(frozen=True)
class PerturbationSettings:
    """Relative size of the finite-difference perturbations (ldas_sekf.md 1.3).

    Attributes:
        soil_moisture: fraction of the soil range w_fc - w_wilt, for every layer.
        leaf_area_index: fraction of LAI at the start of the window.
    """

    soil_moisture: float = 1e-4
    leaf_area_index: float = 1e-3


@dataclass(frozen=True)
class ControlVector:
    """What the filter moves.  ``InputError`` for a name that cannot be moved, or named twice.

    Attributes:
        names: LAI and any of WG1..WG14, each once, in any order.
        structural_biomass: with LAI, the active structure stays ``unchanged`` (SURFEX) or moves ``with_leaves``, so
            that the change of LAI lasts (see ``leaves.py``).
    """

    names: tuple[str, ...] = CONTROL_NAMES
    structural_biomass: Literal["unchanged", "with_leaves"] = "unchanged"

    def __post_init__(self) -> None:
        for name in self.names:
            row = VARIABLES.get(name)
            if row is None or row.field not in ("soil_moisture", "leaf_area_index"):
                raise InputError(f"control variable {name!r} is not known: use LAI or WG1 to WG14")
        if len(set(self.names)) != len(self.names) or not self.names:
            raise InputError(f"control variables {', '.join(self.names)}: name at least one, and each only once")

    def layer(self, name: str) -> int:
        """0-based soil layer of a soil moisture control variable."""
        layer = VARIABLES[name].layer
        assert layer is not None
        return layer

    @property
    def moisture_names(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name != "LAI")

    def of(self, state: LandState) -> Tensor:
        """x, ``(control, column)``, in m2 m-2 for LAI and m3 m-3 for WG."""
        return torch.stack(
            [state.leaf_area_index if name == "LAI" else state.soil_moisture[self.layer(name)] for name in self.names]
        )

    def defined(self, state: LandState, parameters: LandParameters) -> Tensor:
        """Where x exists, bool ``(control, column)``: LAI of vegetated columns, layers that hold water."""
        vegetated = parameters.vegetation.vegetated & (state.leaf_area_index > 0)
        return torch.stack(
            [vegetated if name == "LAI" else parameters.soil.holds_water[self.layer(name)] for name in self.names]
        )

    def perturbation(self, state: LandState, parameters: LandParameters, settings: PerturbationSettings) -> Tensor:
        """Size eps of the perturbation of every x, ``(control, column)``; 0 where x is undefined (1.3)."""
        moisture = settings.soil_moisture * parameters.soil.moisture_range
        leaf_area = settings.leaf_area_index * state.leaf_area_index
        size = torch.stack([leaf_area if name == "LAI" else moisture for name in self.names])
        return torch.where(self.defined(state, parameters), size, torch.zeros_like(size))

    def perturbed_copies(self, state: LandState, size: Tensor) -> LandState:
        """The state itself followed, along the column axis, by one copy per control variable moved by ``size``."""
        count = len(self.names)
        each = torch.eye(count, dtype=size.dtype, device=size.device).unsqueeze(-1) * size.unsqueeze(1)
        increment = torch.cat([torch.zeros_like(size).unsqueeze(1), each], dim=1).flatten(1)
        copies = tile_columns(state, count + 1)
        return self.add(copies, increment, biomass_in_proportion(copies))

    def add(self, state: LandState, increment: Tensor, biomass_per_leaf_area: Tensor) -> LandState:
        """``state`` with x + ``increment`` (control, column); leaf biomass follows LAI.

        A zero increment leaves every bit of the state as it is.
        """
        changes = dict(zip(self.names, increment, strict=True))
        fields: dict[str, Tensor] = {}
        if self.moisture_names:
            rows = torch.tensor([self.layer(name) for name in self.moisture_names], device=increment.device)
            moved = torch.stack([changes[name] for name in self.moisture_names])
            fields["soil_moisture"] = state.soil_moisture.index_add(0, rows, moved)
        if "LAI" in changes:
            fields["leaf_area_index"] = state.leaf_area_index + changes["LAI"]
            fields["leaf_biomass"] = state.leaf_biomass + biomass_per_leaf_area * changes["LAI"]
            if self.structural_biomass == "with_leaves":
                fields["active_structural_biomass"] = structure_along_dilution(state, fields["leaf_biomass"])
        return replace(state, **fields)  # type: ignore[type-var, arg-type]


DEFAULT_CONTROL = ControlVector()
DEFAULT_PERTURBATION = PerturbationSettings()
