"""The snow pack: its state and what follows from it, temperature and liquid water (isba_physics.md 7.1).

A layer carries mass, density, heat and age; heat 0 is liquid water at the triple point.  Temperature and
liquid water are not stored: both follow from the heat content, and a layer holds liquid only at the triple point.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import DENSITY_WATER, HEAT_CAPACITY_ICE, LATENT_HEAT_FUSION, TRIPLE_POINT
from dalearn.tree import tensor_dataclass

MINIMUM_DENSITY = 50.0  # kg m-3, also that of a layer without snow
MAXIMUM_DENSITY = 750.0  # kg m-3, of compaction and of the liquid water capacity
ABSENT_ALBEDO = 0.0  # carried where there is no snow, never read
_VOLUMETRIC_FUSION = LATENT_HEAT_FUSION * DENSITY_WATER  # J m-3 of liquid water


@tensor_dataclass
class SnowPack:
    """Prognostic variables of the pack per unit area of the column, not of its snow-covered part.

    Layers ``(snow_layer, column)``, top first.  A column without snow has mass 0, density 50, heat 0, age 0.
    """

    water_equivalent: Tensor  # kg m-2
    density: Tensor  # kg m-3
    heat_content: Tensor  # J m-2 (restart files hold J m-3)
    age: Tensor  # days
    albedo: Tensor  # (column,) broadband, of the end of the last step


class Layers(NamedTuple):
    """Snow layers within a step, ``(snow_layer, column)``."""

    thickness: Tensor  # m
    density: Tensor  # kg m-3
    heat: Tensor  # J m-2
    age: Tensor  # days


def empty_pack(columns: Tensor, layers: int) -> SnowPack:
    """No snow in as many columns as ``columns`` has, on its device and of its dtype."""
    zero = torch.zeros((layers, *columns.shape), dtype=columns.dtype, device=columns.device)
    return SnowPack(
        water_equivalent=zero,
        density=torch.full_like(zero, MINIMUM_DENSITY),
        heat_content=zero.clone(),
        age=zero.clone(),
        albedo=torch.full_like(columns, ABSENT_ALBEDO),
    )


def pack_from_file(
    water_equivalent: Tensor, density: Tensor, heat_density: Tensor, age: Tensor, albedo: Tensor
) -> SnowPack:
    """The pack from the variables of a restart or reference file (WSN, RSN, HSN in J m-3, SAG, ASN_VEG).

    Where there is no snow the file holds undefined values, NaN or 1e20; they are replaced.
    """
    snow = water_equivalent > 0.0
    mass = torch.where(snow, water_equivalent, 0.0)
    dense = torch.where(snow, density, MINIMUM_DENSITY)
    return SnowPack(
        water_equivalent=mass,
        density=dense,
        heat_content=torch.where(snow, heat_density, 0.0) * mass / dense,
        age=torch.where(snow, age, 0.0),
        albedo=torch.where(snow.any(dim=0), albedo, ABSENT_ALBEDO),
    )


def layer_thickness(pack: SnowPack) -> Tensor:
    """Thickness in m, ``(snow_layer, column)``, 0 without snow."""
    return pack.water_equivalent / pack.density


def heat_density(pack: SnowPack) -> Tensor:
    """Heat content in J m-3, as files hold it, ``(snow_layer, column)``; 0 without snow."""
    snow = pack.water_equivalent > 0.0
    return torch.where(snow, pack.heat_content / torch.where(snow, layer_thickness(pack), 1.0), 0.0)


def warmth(heat: Tensor, density: Tensor, thickness: Tensor) -> Tensor:
    """Temperature above the triple point (K) that ``heat`` (J m-2) would give if the layer could not melt."""
    return (heat / thickness + LATENT_HEAT_FUSION * density) / (HEAT_CAPACITY_ICE * density)


def split_warmth(warm: Tensor, density: Tensor, thickness: Tensor) -> tuple[Tensor, Tensor]:
    """Temperature (K, at most the triple point) and liquid water (m): warmth above 0 is liquid water instead."""
    liquid = torch.clamp(warm, min=0.0) * density * thickness * (HEAT_CAPACITY_ICE / _VOLUMETRIC_FUSION)
    return TRIPLE_POINT + torch.clamp(warm, max=0.0), liquid


def layer_heat(temperature: Tensor, liquid: Tensor, density: Tensor, thickness: Tensor) -> Tensor:
    """Heat content (J m-2) of layers at ``temperature`` (K) with ``liquid`` (m) water."""
    ice = HEAT_CAPACITY_ICE * (temperature - TRIPLE_POINT) - LATENT_HEAT_FUSION
    return thickness * density * ice + _VOLUMETRIC_FUSION * liquid


def liquid_capacity(density: Tensor, thickness: Tensor) -> Tensor:
    """Largest liquid water l_max (m) that a layer retains (section 7.2 e)."""
    share = 0.03 + (0.07 / 200.0) * torch.clamp(200.0 - density, min=0.0)
    return share * thickness * torch.clamp(density, max=MAXIMUM_DENSITY) / DENSITY_WATER
