"""Roots and wood: what SURFEX option NCB adds to the growth of NIT (isba_ags.md 5.2, 5.8).

Gibelin et al. (2008), Delire et al. (2020).  Leaves and active structure grow as in ``growth``; what they and the
passive structure lose feeds the roots and, in woody columns, the wood.  Masses are kg m-2 of dry matter.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import DAY
from dalearn.land.maintenance import linear_rate, sapwood_rate, woody_rate
from dalearn.land.state import RootsAndWood, VegetationParameters

PASSIVE_LIFE_SHARE = 0.25  # life time of the passive structure, of that of leaves
GROWING_ROOT_SHARE = 0.3  # of what structure loses while trees grow; the rest becomes wood
SENESCENT_SHARE = 0.5  # of what structure loses while trees shed leaves; the rest is litter
CARBON_SHARE = 0.4  # of dry matter
HEIGHT_PER_CARBON = 2.5 * 0.75  # m per kg m-2 of carbon
SAPWOOD_PER_HEIGHT = 0.0025 / 25.0 * 0.75 * 400.0  # kg m-2 of carbon per m
LEAST_SAPWOOD, MOST_SAPWOOD = 0.05, 0.5


class LeafTurnover(NamedTuple):
    """What the daily growth of leaves and active structure leaves for the others, kg m-2; ``(column,)``."""

    gain: Tensor  # assimilation of the day
    loss: Tensor  # of the leaves
    mortality: Tensor  # part of the loss that the active structure does not take
    active_loss: Tensor  # of the active structure
    active_surplus: Tensor  # of the active structure, goes to the passive one


class RootRespiration(NamedTuple):
    """kg m-2 s-1 of dry matter; ``(column,)``."""

    roots: Tensor
    wood: Tensor


def no_roots_and_wood(columns: Tensor) -> RootsAndWood:
    """Empty pools, as at a cold start, for as many columns as ``columns`` has."""
    return RootsAndWood(**{name: torch.zeros_like(columns) for name in RootsAndWood.__annotations__})


def grow_roots_and_wood(
    pools: RootsAndWood,
    passive: Tensor,
    passive_respired: Tensor,
    turnover: LeafTurnover,
    vegetation: VegetationParameters,
) -> tuple[Tensor, RootsAndWood]:
    """The daily update of the passive structure (returned first), the roots and the wood.

    ``passive`` and what it respired during the day are kg m-2.  While leaves gain at least what they lose, all losses
    are stored; otherwise half of those of trees, and the roots take what the assimilation allows of the dead leaves.
    """
    p, woody = pools, vegetation.is_woody
    rate = DAY / vegetation.leaf_longevity
    wood_turnover = -torch.expm1(-DAY / torch.where(woody, vegetation.wood_longevity, 1.0))
    passive_loss = torch.minimum(-torch.expm1(-rate / PASSIVE_LIFE_SHARE) * passive, passive - passive_respired)
    root_loss = torch.minimum(-torch.expm1(-rate) * p.root_biomass, p.root_biomass - p.root_respiration)
    wood_loss = torch.minimum(wood_turnover * p.wood_biomass, p.wood_biomass - p.wood_respiration)

    growing = turnover.gain >= turnover.loss
    structural_loss = turnover.active_loss + passive_loss
    limited = torch.minimum(torch.clamp(0.5 * turnover.gain, min=0.0), 0.5 * turnover.mortality)
    from_leaves = torch.where(growing, turnover.mortality, limited)
    from_structure = structural_loss * torch.where(woody, GROWING_ROOT_SHARE, 1.0)
    to_wood = structural_loss * torch.where(growing, 1.0 - GROWING_ROOT_SHARE, SENESCENT_SHARE)
    to_root_wood = root_loss * torch.where(growing, 1.0, SENESCENT_SHARE)

    grown_passive = passive + turnover.active_surplus - passive_loss - passive_respired
    roots = p.root_biomass + from_leaves + torch.where(growing, from_structure, 0.0) - root_loss - p.root_respiration
    wood = p.wood_biomass + to_wood - wood_loss - p.wood_respiration
    root_wood = p.root_wood_biomass + to_root_wood - wood_turnover * p.root_wood_biomass

    grows, nothing = vegetation.vegetated, torch.zeros_like(passive)
    return torch.where(grows, grown_passive, passive), RootsAndWood(
        root_biomass=torch.where(grows, roots, p.root_biomass),
        wood_biomass=torch.where(grows & woody, wood, 0.0),
        root_wood_biomass=torch.where(grows & woody, root_wood, 0.0),
        root_respiration=nothing,
        wood_respiration=nothing,
    )


def respire_roots_and_wood(
    pools: RootsAndWood,
    other_biomass: Tensor,
    vegetation: VegetationParameters,
    *,
    surface_temperature: Tensor,
    deep_temperature: Tensor,
    time_step: float,
) -> tuple[RootsAndWood, RootRespiration]:
    """Respiration of one step added to the daily sums, which never exceed the pools (isba_ags.md 5.2).

    ``other_biomass`` is that of leaves and structure: all biomass together gives the height of a tree and that its
    sapwood.  Temperatures in K, of the surface and of the top metre.
    """
    woody = vegetation.is_woody
    root_rate = torch.where(woody, woody_rate(deep_temperature), linear_rate(deep_temperature))
    roots = torch.minimum(pools.root_respiration + pools.root_biomass * root_rate * time_step, pools.root_biomass)

    total = other_biomass + pools.root_biomass + pools.wood_biomass + pools.root_wood_biomass
    sapwood = SAPWOOD_PER_HEIGHT * HEIGHT_PER_CARBON * CARBON_SHARE * total
    has_wood = woody & (pools.wood_biomass > 0.0)
    wood_carbon = CARBON_SHARE * torch.where(has_wood, pools.wood_biomass, 1.0)
    # the bounds of the share times the wood, so that little wood does not make a steep quotient
    living = torch.minimum(torch.maximum(sapwood, LEAST_SAPWOOD * wood_carbon), MOST_SAPWOOD * wood_carbon)
    wood_loss = living / CARBON_SHARE * sapwood_rate(surface_temperature) * time_step
    wood = torch.minimum(pools.wood_respiration + wood_loss, pools.wood_biomass)
    wood = torch.where(has_wood, wood, 0.0)

    summed = RootsAndWood(
        root_biomass=pools.root_biomass,
        wood_biomass=pools.wood_biomass,
        root_wood_biomass=pools.root_wood_biomass,
        root_respiration=roots,
        wood_respiration=wood,
    )
    return summed, RootRespiration(
        (roots - pools.root_respiration) / time_step, (wood - pools.wood_respiration) / time_step
    )
