"""Melt, percolation and sublimation of the snow layers (isba_physics.md 7.3 G, H, I).

Water moves with zero enthalpy, heat content 0 being liquid water at the triple point: a cold layer freezes
what it receives.  All layers are ``(snow_layer, column)``, top first.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import (
    DENSITY_ICE,
    DENSITY_WATER,
    HEAT_CAPACITY_ICE,
    LATENT_HEAT_FUSION,
    TRIPLE_POINT,
)
from dalearn.land.snow_layers import MINIMUM_DEPTH
from dalearn.land.snow_pack import (
    MINIMUM_DENSITY,
    layer_heat,
    liquid_capacity,
    split_warmth,
    warmth,
)
from dalearn.land.snow_radiation import MINIMUM_OPTICAL_THICKNESS
from dalearn.land.soil_water import running_excess

LARGEST_SURFACE_COOLING = 15.0  # K of the first layer below the air
SHARED_DEPTH = 0.5e-6  # m, least thickness of a pack whose first layer is gone


class WetLayers(NamedTuple):
    """Layers with their temperature (K) and liquid water (m) instead of their heat."""

    thickness: Tensor
    density: Tensor
    temperature: Tensor
    liquid: Tensor


class Sublimated(NamedTuple):
    """Layers after sublimation."""

    layers: WetLayers
    excess: Tensor  # E_cor, kg m-2 s-1: vapour that the first layer could not give


def melt(layers: WetLayers) -> tuple[WetLayers, Tensor]:
    """Melt by the heat above the triple point; also the heat (J m-2) left where the ice of a layer ran out."""
    thickness, density, temperature, liquid = layers
    water = density * thickness / DENSITY_WATER
    warm = HEAT_CAPACITY_ICE * density * thickness * torch.clamp(temperature - TRIPLE_POINT, min=0.0)
    frozen = torch.clamp(water - liquid, min=0.0) * (LATENT_HEAT_FUSION * DENSITY_WATER)
    used = torch.minimum(warm, frozen)
    melted = used / (LATENT_HEAT_FUSION * DENSITY_WATER)
    capacity = liquid_capacity(density, thickness)
    # only the part of the melt that the layer can hold takes thickness away, drainage takes the rest
    shrunk = (water - torch.minimum(liquid + melted, capacity)) / (water - torch.minimum(liquid, capacity))
    thinner = torch.maximum(thickness * shrunk, water * (DENSITY_WATER / DENSITY_ICE))
    wet = WetLayers(
        thickness=thinner,
        density=water * DENSITY_WATER / thinner,
        temperature=torch.clamp(temperature, max=TRIPLE_POINT),
        liquid=liquid + melted,
    )
    return wet, (warm - used).sum(dim=0)


def percolate(layers: WetLayers, rain: Tensor) -> tuple[WetLayers, Tensor]:
    """Refreezing, drainage of what exceeds the capacity and percolation of ``rain`` (m, ``(column,)``).

    Returns:
        The layers and the water (m) that leaves the pack.
    """
    thickness, density = layers.thickness, layers.density
    floor = MINIMUM_DEPTH / thickness.shape[0]
    heat = layer_heat(layers.temperature, layers.liquid, density, thickness)
    _, liquid = split_warmth(warmth(heat, density, torch.clamp(thickness, min=floor)), density, thickness)
    capacity = liquid_capacity(density, thickness)
    drained = torch.clamp(liquid - capacity, min=0.0)
    kept = liquid - drained
    thickness = torch.clamp(thickness - drained * (DENSITY_WATER / density), min=0.0)

    entering = torch.minimum(rain, capacity.sum(dim=0))
    from_above = torch.cat([torch.zeros_like(drained[:1]), drained[:-1]], dim=0)
    passed, through = running_excess(from_above - (capacity - kept), entering)
    liquid = torch.minimum(kept + passed + from_above, capacity)

    solid = torch.clamp(thickness, min=floor)
    density = density + (liquid - kept) * (DENSITY_WATER / solid)
    temperature, liquid = split_warmth(warmth(heat, density, solid), density, thickness)
    return WetLayers(thickness, density, temperature, liquid), through + drained[-1] + (rain - entering)


def _share_out(layers: WetLayers) -> WetLayers:
    """Mass and heat of all layers but the first in equal parts to all layers."""
    count = layers.thickness.shape[0]
    rest = WetLayers(*(part[1:] for part in layers))
    heat = layer_heat(rest.temperature, rest.liquid, rest.density, rest.thickness).sum(dim=0) / count
    depth = torch.clamp(rest.thickness.sum(dim=0), min=SHARED_DEPTH)
    density = torch.clamp((rest.density * rest.thickness).sum(dim=0) / depth, min=1e-3)
    thickness = depth / count
    temperature, liquid = split_warmth(warmth(heat, density, thickness), density, thickness)
    return WetLayers(*(part.expand_as(layers.density) for part in (thickness, density, temperature, liquid)))


def sublimate(layers: WetLayers, sublimated: Tensor, air_temperature: Tensor, time_step: float) -> Sublimated:
    """Loss of ``sublimated`` (kg m-2 s-1, negative for deposition) from the first layer.

    The heat of the first layer stays, so it cools; more than 15 K below the air is taken from the layers below,
    and so is the heat that the floor of its thickness adds.
    """
    first_thickness, first_density = layers.thickness[0], layers.density[0]
    light = torch.clamp(MINIMUM_DENSITY - first_density, min=0.0) * first_thickness
    dense = torch.clamp(first_density, min=MINIMUM_DENSITY)
    left = first_thickness - torch.where(first_thickness > 0.0, sublimated * time_step / dense, 0.0)
    excess = (light + torch.clamp(-left, min=0.0) * dense) / time_step
    left = torch.clamp(left, min=0.0)

    density = torch.cat([dense[None], layers.density[1:]], dim=0)
    thickness = torch.cat([left[None], layers.thickness[1:]], dim=0)
    heat = layer_heat(layers.temperature, layers.liquid, layers.density, layers.thickness)
    warm = warmth(heat[0], dense, torch.clamp(left, min=MINIMUM_OPTICAL_THICKNESS))
    temperature, liquid = split_warmth(warm, dense, left)
    lowest = torch.clamp(air_temperature - LARGEST_SURFACE_COOLING, max=TRIPLE_POINT)
    first_heat = layer_heat(torch.maximum(temperature, lowest), liquid, dense, left)
    below = thickness[1:] / torch.clamp(thickness[1:].sum(dim=0), min=MINIMUM_OPTICAL_THICKNESS)
    heat = torch.cat([first_heat[None], heat[1:] - (first_heat - heat[0]) * below], dim=0)

    warm = warmth(heat, density, torch.clamp(thickness, min=MINIMUM_DEPTH))
    warm = warm * torch.clamp(thickness / MINIMUM_DEPTH, max=1.0)
    after = WetLayers(thickness, density, *split_warmth(warm, density, thickness))
    shared = _share_out(after)
    gone = (left <= 0.0) & (thickness[1:].sum(dim=0) > 0.0)
    return Sublimated(WetLayers(*(torch.where(gone, *pair) for pair in zip(shared, after, strict=True))), excess)
