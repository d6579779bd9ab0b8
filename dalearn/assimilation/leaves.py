"""How biomass follows the leaf area that the filter perturbs or corrects (ldas_sekf.md 1.3, 1.9, 3.3; isba_ags.md 4.2).

SURFEX moves leaf biomass alone.  While leaves grow and lack structure, the nitrogen dilution law shares leaf and active
structural biomass anew every midnight: of more leaves 20 to 50 % remain, of fewer leaves most, because then the
structure suffices.  Structure that moves along the same law keeps both.
"""

import torch
from torch import Tensor

from dalearn.grid import Grid
from dalearn.land.growth import structural_total
from dalearn.land.state import LandState

# kg m-2 per m2 m-2 for patches 1..12, the XALPH defaults of SURFEX v8.1 (ldas_sekf.md 2.1)
SURFEX_BIOMASS_PER_LEAF_AREA = (
    0.0, 0.0, 0.0, 0.08203445, 0.07496252, 0.06846970, 0.06771856, 0.09744689, 0.09744689, 0.07164350, 0.17686594,
    0.07164350,
)  # fmt: skip


def biomass_in_proportion(state: LandState) -> Tensor:
    """Leaf biomass per leaf area that scales both by the same factor, kg m-2, ``(column,)`` (1.3)."""
    leafy = state.leaf_area_index > 0
    leaf_area = torch.where(leafy, state.leaf_area_index, torch.ones_like(state.leaf_area_index))
    return torch.where(leafy, state.leaf_biomass / leaf_area, torch.zeros_like(leaf_area))


def surfex_biomass_per_leaf_area(grid: Grid, like: Tensor) -> Tensor:
    """SURFEX's own table XALPH for every column, ``(column,)`` with the dtype and device of ``like``."""
    table = torch.tensor(SURFEX_BIOMASS_PER_LEAF_AREA, dtype=like.dtype, device=like.device)
    return table[grid.patch_of_column.to(like.device) - 1]


def structure_along_dilution(state: LandState, leaf_biomass: Tensor) -> Tensor:
    """Active structural biomass that goes with a new ``leaf_biomass``, kg m-2, ``(column,)``.

    The dilution law wants a total N(B1) of leaves and active structure for the leaves B1.  A total below it is
    shared anew at midnight, c total^(1 - a) of it going to the leaves: it keeps its share q of what the law wants, so
    that r times the leaves are still r times the leaves after midnight.  What exceeds the law is no leaves' concern
    and stays as it is::

        B2' = B2 + q (N(B1') - N(B1)) - (B1' - B1),   q = min(1, (B1 + B2) / N(B1)),   N(B1) = max(B1, (B1/c)^(1/(1-a)))

    Small plants, where the law wants no structure (N = B1), get none.  Unchanged leaves leave every bit of the
    structure as it is.
    """
    leaves, structure = torch.clamp(state.leaf_biomass, min=0.0), state.active_structural_biomass
    moved = torch.clamp(leaf_biomass, min=0.0)
    wanted = _wanted_total(leaves)
    leafy = wanted > 0.0
    share = torch.clamp(torch.where(leafy, leaves + structure, 1.0) / torch.where(leafy, wanted, 1.0), max=1.0)
    return torch.clamp(structure + share * (_wanted_total(moved) - wanted) - (moved - leaves), min=0.0)


def _wanted_total(leaf_biomass: Tensor) -> Tensor:
    """Leaves and active structure that the dilution law gives to leaves >= 0: the leaves alone where they are few."""
    total = structural_total(leaf_biomass)
    return torch.where(total > leaf_biomass, total, leaf_biomass)
