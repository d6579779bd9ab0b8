"""Leaf and structural biomass, leaf area index, plant and ecosystem respiration: SURFEX options NIT and NCB
(isba_ags.md 4, 5; Calvet and Soussana 2001, Gibelin et al. 2006).

The pools lose respiration every step and are renewed once a day, in the first step of the UTC day, from the
assimilation summed since the last renewal.  Masses are kg m-2 of dry matter.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import DAY, TRIPLE_POINT
from dalearn.land.maintenance import doubling_rate, linear_rate, woody_rate
from dalearn.land.roots_and_wood import LeafTurnover, grow_roots_and_wood, respire_roots_and_wood
from dalearn.land.state import RootsAndWood, SoilParameters, VegetationParameters

DRY_MATTER_PER_CO2 = 12.0 / (44.0 * 0.40)  # kg kg-1
DILUTION_EXPONENT = 0.38  # a
DILUTION_FACTOR = 0.31425531725  # c, kg m-2; SURFEX's rounded constant
# Leaf biomass below which the dilution law leaves no active structure, c^(1/a), kg m-2.
SMALL_BIOMASS = DILUTION_FACTOR ** (1.0 / DILUTION_EXPONENT)
INITIAL_LEAF_ASSIMILATION = 1e-8  # kg kg-1 m s-1, maximum_leaf_assimilation of a cold start

DEEP_TEMPERATURE_DEPTH = 1.0  # m
TOPSOIL_DEPTH = 0.1  # m

MULTILAYER_LEAF_AREA = 5.30  # LAI* of the longevity correction, m2 m-2
LEAF_AREA_AT_EQUATOR, LEAF_AREA_PER_ATAN, SMALLEST_LEAF_AREA = 5.76, 0.64, 3.8
LONGEVITY_EXPONENT = 0.321
SHORTEST_LIFE_SHARE = 0.1  # of the potential longevity


class CarbonPools(NamedTuple):
    """The part of ``LandState`` that grows; ``(column,)``, same names and units.

    With ``roots_and_wood`` the pools are those of NCB, without those of NIT.
    """

    leaf_area_index: Tensor
    leaf_biomass: Tensor
    active_structural_biomass: Tensor
    passive_structural_biomass: Tensor
    daily_assimilation: Tensor
    maximum_leaf_assimilation: Tensor
    active_structural_respiration: Tensor
    passive_structural_respiration: Tensor
    roots_and_wood: RootsAndWood | None = None


class PoolRespiration(NamedTuple):
    """Respiration of structure, roots and wood, kg m-2 s-1 of CO2; ``(column,)``.

    Ecosystem respiration counts the first only: active structure, with NCB also passive structure (isba_ags.md 5.9).
    """

    above_ground: Tensor
    other: Tensor


class Biomass(NamedTuple):
    """Pools in kg m-2; ``(column,)``."""

    leaf: Tensor
    active_structural: Tensor
    passive_structural: Tensor


class CarbonFluxes(NamedTuple):
    """kg m-2 s-1 of CO2; ``(column,)``."""

    gross_primary_production: Tensor
    autotrophic_respiration: Tensor
    ecosystem_respiration: Tensor


def structural_total(leaf_biomass: Tensor) -> Tensor:
    """Leaf plus active structural biomass that the nitrogen dilution law gives to a leaf biomass >= 0 (4.2)."""
    return (leaf_biomass / DILUTION_FACTOR) ** (1.0 / (1.0 - DILUTION_EXPONENT))


def leaf_of_total(total: Tensor) -> Tensor:
    """Leaf biomass that the dilution law gives to a total; 0 for a total <= 0."""
    some = total > 0.0
    leaf = DILUTION_FACTOR * torch.where(some, total, 1.0) ** (1.0 - DILUTION_EXPONENT)
    return torch.where(some, leaf, 0.0)


def floor_leaf_area_index(leaf_area_index: Tensor, vegetation: VegetationParameters) -> Tensor:
    """At every model start: at least the minimum of the patch where there is vegetation, 0 elsewhere (5.6)."""
    floored = torch.maximum(leaf_area_index, vegetation.minimum_leaf_area_index)
    return torch.where(vegetation.vegetated, floored, 0.0)


def cold_start_biomass(leaf_area_index: Tensor, vegetation: VegetationParameters) -> Biomass:
    """Pools in balance with a leaf area index, the passive one empty (9.2)."""
    leaf = leaf_area_index * vegetation.biomass_per_leaf_area
    active = torch.clamp(structural_total(leaf) - leaf, min=0.0)
    return Biomass(leaf, active, torch.zeros_like(leaf))


def mean_to_depth(values: Tensor, soil: SoilParameters, depth: float) -> Tensor:
    """Mean (column,) of a soil profile (layer, column) from the surface to ``depth`` in m.

    Not deeper than the water column of each column.
    """
    water_depth = torch.where(soil.holds_water, soil.layer_bottom, 0.0).amax(dim=0)
    reached = torch.clamp(water_depth, max=depth)
    overlap = torch.minimum(
        torch.clamp(reached - soil.layer_bottom + soil.layer_thickness, min=0.0), soil.layer_thickness
    )
    return (values * overlap).sum(dim=0) / reached


def respire(
    pools: CarbonPools,
    vegetation: VegetationParameters,
    *,
    soil_temperature: Tensor,
    soil: SoilParameters,
    time_step: float,
) -> tuple[CarbonPools, PoolRespiration]:
    """Maintenance respiration of the pools during one step, added to their daily sums (5.2).

    ``pools`` are those after the daily growth, ``soil_temperature`` (layer, column) in K that at step end,
    ``time_step`` in s.
    """
    surface = soil_temperature[0]
    deep = mean_to_depth(soil_temperature, soil, DEEP_TEMPERATURE_DEPTH)
    active_rate = torch.where(vegetation.is_woody, woody_rate(surface), doubling_rate(surface))
    active = pools.active_structural_biomass * active_rate
    if pools.roots_and_wood is not None:
        return _respire_all(pools, pools.roots_and_wood, active, vegetation, surface, deep, time_step)
    passive = pools.passive_structural_biomass * doubling_rate(deep)
    summed = pools._replace(
        active_structural_respiration=pools.active_structural_respiration + active * time_step,
        passive_structural_respiration=pools.passive_structural_respiration + passive * time_step,
    )
    return summed, PoolRespiration(active / DRY_MATTER_PER_CO2, passive / DRY_MATTER_PER_CO2)


def _respire_all(
    pools: CarbonPools,
    roots_and_wood: RootsAndWood,
    active: Tensor,
    vegetation: VegetationParameters,
    surface: Tensor,
    deep: Tensor,
    time_step: float,
) -> tuple[CarbonPools, PoolRespiration]:
    """Respiration with NCB, where no pool respires more than it holds; ``active`` is that of the structure, s-1."""
    passive = pools.passive_structural_biomass * linear_rate(surface)
    active_sum = torch.minimum(
        pools.active_structural_respiration + active * time_step, pools.active_structural_biomass
    )
    passive_sum = torch.minimum(
        pools.passive_structural_respiration + passive * time_step, pools.passive_structural_biomass
    )
    summed, below = respire_roots_and_wood(
        roots_and_wood,
        pools.leaf_biomass + pools.active_structural_biomass + pools.passive_structural_biomass,
        vegetation,
        surface_temperature=surface,
        deep_temperature=deep,
        time_step=time_step,
    )
    above = active_sum - pools.active_structural_respiration + passive_sum - pools.passive_structural_respiration
    respired = PoolRespiration(
        above / (time_step * DRY_MATTER_PER_CO2), (below.roots + below.wood) / DRY_MATTER_PER_CO2
    )
    return pools._replace(
        active_structural_respiration=active_sum, passive_structural_respiration=passive_sum, roots_and_wood=summed
    ), respired


def leaf_life(
    leaf_area_index: Tensor,
    maximum_leaf_assimilation: Tensor,
    vegetation: VegetationParameters,
    canopy: str = "three_point",
) -> Tensor:
    """Effective leaf life time in days (5.4): longer in a dense canopy, shorter after a day of poor assimilation."""
    potential = vegetation.leaf_longevity / DAY
    if canopy == "multilayer":
        reference: Tensor | float = MULTILAYER_LEAF_AREA
    else:
        # The arc tangent of the latitude in radians is what SURFEX has.
        angle = torch.atan(torch.deg2rad(vegetation.latitude.abs()))
        reference = torch.clamp(LEAF_AREA_AT_EQUATOR - LEAF_AREA_PER_ATAN * angle, min=SMALLEST_LEAF_AREA)
    shading = (1e3 * vegetation.mesophyll_conductance) ** LONGEVITY_EXPONENT * leaf_area_index / reference
    productivity = torch.clamp(maximum_leaf_assimilation / vegetation.reference_assimilation, max=1.0)
    life = potential * torch.clamp(shading, min=1.0) * productivity
    return torch.maximum(life, SHORTEST_LIFE_SHARE * potential)


def daily_growth(pools: CarbonPools, vegetation: VegetationParameters, canopy: str = "three_point") -> CarbonPools:
    """Senescence, allocation and the new leaf area index (5.4-5.6; with roots and wood also 5.8).

    For the first step of each UTC day, with the assimilation of that step already added.  The daily sums and the
    daily maximum start again from 0.  The leaf biomass may fall below that of the minimum leaf area index: the
    deficit is refilled before leaves grow again.
    """
    minimum_biomass = vegetation.minimum_leaf_area_index * vegetation.biomass_per_leaf_area
    leaves = torch.clamp(pools.leaf_biomass, min=0.0)
    active, passive = pools.active_structural_biomass, pools.passive_structural_biomass
    active_respired, passive_respired = pools.active_structural_respiration, pools.passive_structural_respiration
    gain = DRY_MATTER_PER_CO2 * pools.daily_assimilation
    turnover = -torch.expm1(-DAY / vegetation.leaf_longevity)

    life = leaf_life(pools.leaf_area_index, pools.maximum_leaf_assimilation, vegetation, canopy)
    loss = torch.minimum(leaves - minimum_biomass, -leaves * torch.expm1(-1.0 / life))
    loss = torch.clamp(loss, min=0.0)
    remaining = leaves - loss
    active_loss = active * turnover

    # Growing: the structure follows the leaves; storage is what it needs from them, or gives up when negative.
    growing = gain >= loss
    grown_total = torch.maximum(remaining, structural_total(remaining))
    grown_active = grown_total - remaining
    grown_storage = grown_active - active + grown_active * turnover + active_respired
    # Senescent: the structure only loses.
    senescent_active = torch.clamp(active - active_loss - active_respired, min=0.0)

    new_active = torch.where(growing, grown_active, senescent_active)
    total = torch.where(growing, grown_total, remaining + senescent_active)
    storage = torch.where(growing, grown_storage, 0.0)
    to_passive = torch.clamp(-storage, min=0.0)
    storage = torch.clamp(storage, min=0.0)

    # Limited by mass: the structure needs more than the dying leaves give, so both shrink along the dilution law.
    limited = storage > loss
    limited_total = leaves + active - active_loss - active_respired
    limited_leaves = leaf_of_total(limited_total)
    limited_active = limited_total - limited_leaves
    limited_loss = leaves - limited_leaves
    limited_storage = limited_active - active + active_loss + active_respired
    remaining = torch.where(limited, limited_leaves, remaining)
    new_active = torch.where(limited, limited_active, new_active)
    total = torch.where(limited, limited_total, total)
    mortality = torch.clamp(torch.where(limited, limited_loss - limited_storage, loss - storage), min=0.0)

    if pools.roots_and_wood is None:
        rescued = (total <= SMALL_BIOMASS) & (life > 1.0)
        passive_gain = to_passive + torch.where(rescued, mortality, 0.0)
        new_passive = torch.clamp(passive + passive_gain - passive * turnover - passive_respired, min=0.0)
        roots_and_wood = None
    else:
        left = LeafTurnover(
            gain=gain,
            loss=torch.where(limited, limited_loss, loss),
            mortality=mortality,
            active_loss=torch.where(growing & ~limited, grown_active * turnover, active_loss),
            active_surplus=to_passive,
        )
        new_passive, roots_and_wood = grow_roots_and_wood(
            pools.roots_and_wood, passive, passive_respired, left, vegetation
        )

    new_leaves = remaining + gain
    new_leaf_area = torch.maximum(new_leaves, minimum_biomass) / vegetation.biomass_per_leaf_area
    grows = vegetation.vegetated
    nothing = torch.zeros_like(new_leaves)
    return CarbonPools(
        leaf_area_index=torch.where(grows, new_leaf_area, pools.leaf_area_index),
        leaf_biomass=torch.where(grows, new_leaves, pools.leaf_biomass),
        active_structural_biomass=torch.where(grows, new_active, active),
        passive_structural_biomass=torch.where(grows, new_passive, passive),
        daily_assimilation=nothing,
        maximum_leaf_assimilation=nothing,
        active_structural_respiration=nothing,
        passive_structural_respiration=nothing,
        roots_and_wood=roots_and_wood,
    )


def carbon_fluxes(
    pools: CarbonPools,
    respiration: PoolRespiration,
    vegetation: VegetationParameters,
    *,
    net_assimilation: Tensor,
    leaf_respiration: Tensor,
    soil_temperature: Tensor,
    soil_moisture: Tensor,
    soil: SoilParameters,
    air_density: Tensor,
) -> CarbonFluxes:
    """GPP and respiration of one step (5.9, CRESPSL='DEF').

    Evaluated after the daily growth, with the new leaf area index.  ``net_assimilation`` and ``leaf_respiration``
    are those of the step in kg kg-1 m s-1; ``soil_moisture`` (m3 m-3) and ``soil_temperature`` (K), (layer, column),
    those at step end.  Ecosystem respiration counts the soil and the plants above the ground; all are zero
    without vegetation.
    """
    leaves = leaf_respiration * air_density
    moisture = mean_to_depth(soil_moisture, soil, TOPSOIL_DEPTH)
    temperature = mean_to_depth(soil_temperature, soil, DEEP_TEMPERATURE_DEPTH)
    from_soil = soil_respiration(pools.leaf_area_index, moisture, temperature)
    return CarbonFluxes(
        gross_primary_production=(net_assimilation + leaf_respiration) * air_density,
        autotrophic_respiration=leaves + respiration.above_ground + respiration.other,
        ecosystem_respiration=torch.where(vegetation.vegetated, from_soil, 0.0) + leaves + respiration.above_ground,
    )


def soil_respiration(leaf_area_index: Tensor, moisture: Tensor, temperature: Tensor) -> Tensor:
    """CO2 from the soil in kg m-2 s-1 (Norman et al. 1992; isba_ags.md 5.9).

    ``moisture`` in m3 m-3, mean over the top 0.1 m; ``temperature`` in K, mean over the top metre.
    """
    return 4.4e-8 * (13.5 + 5.4 * leaf_area_index) * moisture * torch.exp2(0.1 * (temperature - TRIPLE_POINT - 25.0))
