"""How biomass follows the leaf area that the filter perturbs or corrects (ldas_sekf.md 1.3, 1.9, 3.3; isba_ags.md 4.2).

SURFEX moves leaf biomass alone.  While leaves grow, the nitrogen dilution law shares leaf and active structural
biomass anew every midnight, so that most of an increment of LAI goes to the structure and is lost.  Structure that
moves along the same law keeps it.
"""

import torch
from torch import Tensor

from dalearn.grid import Grid
from dalearn.land.growth import DILUTION_EXPONENT
from dalearn.land.state import LandState

# kg m-2 per m2 m-2 for patches 1..12, the XALPH defaults of SURFEX v8.1 (ldas_sekf.md 2.1)
SURFEX_BIOMASS_PER_LEAF_AREA = (
    0.0, 0.0, 0.0, 0.08203445, 0.07496252, 0.06846970, 0.06771856, 0.09744689, 0.09744689, 0.07164350, 0.17686594,
    0.07164350,
)  # fmt: skip
SMALLEST_RATIO = 1e-3  # of leaf biomass after and before, where the structure still follows


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

    By the dilution law the leaves of a total mass B are c B^(1 - a): the total that gives r times the leaves is
    B r^(1 / (1 - a)).  LAI multiplied by r stays multiplied by r when leaves and structure are shared anew, whether
    or not the state lies on the law.  Unchanged leaves leave every bit of the structure as it is.
    """
    leaves, structure = state.leaf_biomass, state.active_structural_biomass
    leafy = leaves > 0
    ratio = leaf_biomass / torch.where(leafy, leaves, torch.ones_like(leaves))
    ratio = torch.clamp(torch.where(leafy, ratio, torch.ones_like(ratio)), min=SMALLEST_RATIO)
    growth = torch.expm1(torch.log(ratio) / (1.0 - DILUTION_EXPONENT))
    moved = structure + (leaves + structure) * growth - (leaf_biomass - leaves)
    return torch.where(leafy, torch.clamp(moved, min=0.0), structure)
