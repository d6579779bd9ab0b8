"""Assimilation, respiration and stomatal conductance of a leaf (isba_ags.md 1; Jacobs et al. 1996, Calvet et
al. 1998).

CO2 is a mass mixing ratio (kg kg-1) and assimilation a flux divided by the air density (kg kg-1 m s-1).
``LeafState`` holds what does not depend on the light; ``exchange`` then costs one exponential per level.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.land.state import VegetationParameters
from dalearn.land.stress import DroughtResponse

DARK_RESPIRATION_SHARE = 1.0 / 9.0
DIFFUSIVITY_RATIO = 1.6  # of water vapour to CO2
MOLAR_MASS_RATIO = 1.606  # of air to water vapour, rounded as in SURFEX
MINIMUM_STOMATAL_CONDUCTANCE = 1e-5  # m s-1, for CO2
MINIMUM_CO2_EXCESS = 1e-6  # kg kg-1, of ambient CO2 over the compensation point
TINY = 1e-12
SATURATION = 100.0  # exp(-100) vanishes beside 1


class LeafState(NamedTuple):
    """A leaf before it is lit; ``(column,)``."""

    maximum_assimilation: Tensor  # Am, light-saturated net assimilation, kg kg-1 m s-1
    residual_assimilation: Tensor  # r Amin, the part that does not pass the stomata, kg kg-1 m s-1
    light_use_efficiency: Tensor  # epsilon / rho, kg J-1 m3 kg-1
    co2_drop: Tensor  # ambient minus internal CO2, kg kg-1
    transpiration_factor: Tensor  # 1 + k + k^2, drag of the water vapour leaving the stomata on the CO2
    cuticular_conductance: Tensor  # gc, m s-1
    is_open: Tensor  # bool, false where no water at all is left


class LeafExchange(NamedTuple):
    """Fluxes of a lit leaf per unit leaf area; shape of the light."""

    net_assimilation: Tensor  # An, kg kg-1 m s-1
    dark_respiration: Tensor  # Rd, kg kg-1 m s-1
    conductance: Tensor  # gs for water vapour, cuticle included, m s-1


def temperature_response(value: Tensor, temperature: Tensor, q10_log: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """``value`` at 25 C brought to the leaf ``temperature`` in C, falling off below ``low`` and above ``high``."""
    growth = torch.exp(0.1 * q10_log * (temperature - 25.0))
    return (
        value * growth / ((1.0 + torch.exp(0.3 * (low - temperature))) * (1.0 + torch.exp(0.3 * (temperature - high))))
    )


def leaf_state(
    *,
    vegetation: VegetationParameters,
    drought: DroughtResponse,
    is_open: Tensor,
    temperature: Tensor,
    deficit: Tensor,
    co2_mixing_ratio: Tensor,
    air_density: Tensor | float,
) -> LeafState:
    """Light-independent part of isba_ags.md 1.3-1.6.

    ``temperature`` in C; saturation ``deficit`` at the leaf in kg kg-1; ``co2_mixing_ratio`` of the air in kg kg-1;
    ``air_density`` in kg m-3; all ``(column,)``.
    """
    mesophyll = temperature_response(
        drought.mesophyll_conductance,
        temperature,
        vegetation.conductance_q10_log,
        vegetation.conductance_temperature_low,
        vegetation.conductance_temperature_high,
    )
    capacity = (
        temperature_response(
            vegetation.maximum_assimilation,
            temperature,
            vegetation.assimilation_q10_log,
            vegetation.assimilation_temperature_low,
            vegetation.assimilation_temperature_high,
        )
        / air_density
    )
    compensation = vegetation.compensation_point * torch.exp(
        0.1 * vegetation.compensation_q10_log * (temperature - 25.0)
    )
    cuticular = vegetation.cuticular_conductance

    total = torch.clamp(cuticular + mesophyll, min=TINY)
    minimum_ratio = torch.clamp(torch.minimum(cuticular / total, drought.unsaturated_ratio), min=TINY)
    maximum_deficit = drought.maximum_deficit
    reached = torch.clamp(deficit / torch.where(maximum_deficit > 0.0, maximum_deficit, 1.0), max=1.0)
    reached = torch.where(maximum_deficit > 0.0, reached, 1.0)
    ratio = drought.unsaturated_ratio * (1.0 - reached) + minimum_ratio * reached

    ambient = torch.maximum(co2_mixing_ratio, compensation + MINIMUM_CO2_EXCESS)
    excess = ambient - compensation
    internal = ratio * ambient + (1.0 - ratio) * compensation
    internal_excess = ratio * excess
    drop = (1.0 - ratio) * excess

    minimum_assimilation = mesophyll * cuticular * excess / total
    saturated = -capacity * torch.expm1(-mesophyll * internal_excess / capacity)
    drag = DIFFUSIVITY_RATIO * MOLAR_MASS_RATIO * deficit * (ambient + internal) / (2.0 * drop)
    return LeafState(
        maximum_assimilation=torch.maximum(saturated, minimum_assimilation),
        residual_assimilation=reached * minimum_assimilation,
        light_use_efficiency=vegetation.quantum_efficiency
        / air_density
        * internal_excess
        / (internal + 2.0 * compensation),
        co2_drop=drop,
        transpiration_factor=1.0 + drag + drag * drag,
        cuticular_conductance=cuticular,
        is_open=is_open,
    )


def exchange(leaf: LeafState, light: Tensor, dark_respiration: Tensor) -> LeafExchange:
    """Fluxes of a leaf that absorbs ``light`` (PAR, W m-2; any leading axes) and respires ``dark_respiration``.

    isba_ags.md 1.5, 1.6 in closed form: the three passes of the transpiration-CO2 interaction are a geometric
    series, and the gross CO2 flux through the stomata is chi (Am - r Amin).
    """
    gross_capacity = leaf.maximum_assimilation + dark_respiration
    supply = leaf.light_use_efficiency * light
    # Bounding the exponent keeps the derivative finite where the leaf assimilates nothing.
    exponent = supply / torch.maximum(gross_capacity, supply / SATURATION + 1e-30)
    lit_share = -torch.expm1(-exponent)
    through_stomata = lit_share * (leaf.maximum_assimilation - leaf.residual_assimilation)
    stomatal = torch.clamp(through_stomata / leaf.co2_drop, min=MINIMUM_STOMATAL_CONDUCTANCE)
    conductance = DIFFUSIVITY_RATIO * stomatal * leaf.transpiration_factor + leaf.cuticular_conductance
    return LeafExchange(
        net_assimilation=lit_share * gross_capacity - dark_respiration,
        dark_respiration=dark_respiration,
        conductance=torch.where(leaf.is_open, conductance, 0.0),
    )
