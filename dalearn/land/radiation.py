"""Surface properties that follow from the leaf area index: cover, roughness, emissivity, albedo.

Snow-free values (isba_physics.md 3.1, 3.3, 3.4; isba_ags.md 6.6).  The land model renews the leaf area index
in the first step of a UTC day and uses the properties of the new one from the next step on.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.errors import InputError
from dalearn.land.state import VegetationParameters

ALBEDO_SCHEMES = ("DRY", "WET", "MEAN", "EVOL", "CM13")
CROP_EXTINCTION = 0.6
VEGETATION_EMISSIVITY = 0.97
ROUGHNESS_PER_HEIGHT = 0.13
GRASS_LEAF_AREA_PER_HEIGHT = 6.0  # m2 m-2 per m
CROP_LEAF_AREA_OFFSET, CROP_LEAF_AREA_SCALE = 3.5, 1.3
MINIMUM_HEIGHT = 0.001  # m
MINIMUM_ROUGHNESS = 0.001  # m


class SurfaceProperties(NamedTuple):
    """Snow-free properties of the composite surface; ``(column,)``."""

    vegetation_fraction: Tensor  # veg, -
    roughness_length: Tensor  # z0v for momentum, m; a tenth of it for heat
    emissivity: Tensor  # -
    albedo: Tensor  # broadband, -


class SoilAlbedo(NamedTuple):
    """Soil albedo in the two bands."""

    visible: Tensor
    near_infrared: Tensor


def dry_soil_albedo(sand: Tensor, vegetated_fraction: Tensor) -> SoilAlbedo:
    """Albedo of the dry soil (isba_physics.md 3.3).

    ``sand`` 0..1 of the first layer; ``vegetated_fraction`` of the whole cell: 1 minus its bare soil, rock and
    permanent snow, the same for all its patches.
    """
    brightness = 0.05 + torch.clamp(0.30 * sand, min=0.10)
    visible = 0.05 + brightness * (1.0 - 0.9 * vegetated_fraction**2)
    return SoilAlbedo(visible, visible + 0.10)


def moist_soil_albedo(
    vegetation: VegetationParameters, option: str = "DRY", relative_moisture: Tensor | None = None
) -> SoilAlbedo:
    """Albedo of the soil as it is, from that of the dry soil (isba_physics.md 3.3).

    ``option`` is SURFEX's CALBEDO: DRY, WET (half of the dry albedo), MEAN, EVOL, which follows
    ``relative_moisture``, w_1 / w_sat of the first layer, or CM13, for which the parameters already hold the
    albedo of the ten days.

    Raises:
        InputError: unknown option, or EVOL without the soil moisture.
    """
    dry = SoilAlbedo(vegetation.soil_albedo_visible_dry, vegetation.soil_albedo_near_infrared_dry)
    if option in ("DRY", "CM13"):
        return dry
    if option == "WET":
        return SoilAlbedo(0.5 * dry.visible, 0.5 * dry.near_infrared)
    if option == "MEAN":
        return SoilAlbedo(0.75 * dry.visible, 0.75 * dry.near_infrared)
    if option == "EVOL" and relative_moisture is not None:
        moisture = torch.clamp(relative_moisture, max=1.0)
        # wet + (0.25 dry - wet)(1 - x)[x + (dry - wet)/(0.25 dry - wet)] with wet = dry/2
        factor = 0.5 + (1.0 - moisture) * (0.5 - 0.25 * moisture)
        return SoilAlbedo(factor * dry.visible, factor * dry.near_infrared)
    if option == "EVOL":
        raise InputError("soil albedo: EVOL needs the moisture of the first soil layer")
    raise InputError(f"soil albedo: unknown option {option!r}, choose one of {', '.join(ALBEDO_SCHEMES)}")


def vegetation_cover(leaf_area_index: Tensor, vegetation: VegetationParameters) -> Tensor:
    """Fraction of the ground covered by vegetation: grows with the leaf area of crops, fixed otherwise."""
    return torch.where(vegetation.is_crop, -torch.expm1(-CROP_EXTINCTION * leaf_area_index), vegetation.fixed_cover)


def vegetation_height(leaf_area_index: Tensor, vegetation: VegetationParameters) -> Tensor:
    """Height of the vegetation, or of the obstacles of a bare surface, in m."""
    crop = torch.minimum(
        torch.exp((leaf_area_index - CROP_LEAF_AREA_OFFSET) / CROP_LEAF_AREA_SCALE), vegetation.maximum_crop_height
    )
    grass = leaf_area_index / GRASS_LEAF_AREA_PER_HEIGHT
    height = torch.where(vegetation.is_crop, crop, torch.where(vegetation.is_grass, grass, vegetation.fixed_height))
    return torch.clamp(height, min=MINIMUM_HEIGHT)


def surface_properties(
    leaf_area_index: Tensor,
    vegetation: VegetationParameters,
    soil_albedo: str = "DRY",
    relative_moisture: Tensor | None = None,
) -> SurfaceProperties:
    """Cover, roughness length, emissivity and albedo without snow from the leaf area index (column,).

    A bare column keeps the roughness of its type: 0.013 m bare soil, 0.13 m rock, 0.0013 m permanent snow.

    Raises:
        InputError: see ``moist_soil_albedo``.
    """
    cover = vegetation_cover(leaf_area_index, vegetation)
    roughness = torch.clamp(
        ROUGHNESS_PER_HEIGHT * vegetation_height(leaf_area_index, vegetation), min=MINIMUM_ROUGHNESS
    )
    emissivity = VEGETATION_EMISSIVITY * cover + (1.0 - cover) * vegetation.bare_emissivity
    soil = moist_soil_albedo(vegetation, soil_albedo, relative_moisture)
    of_soil = 0.5 * (soil.near_infrared + soil.visible)
    of_vegetation = 0.5 * (vegetation.vegetation_albedo_near_infrared + vegetation.vegetation_albedo_visible)
    albedo = (1.0 - cover) * of_soil + cover * of_vegetation
    return SurfaceProperties(cover, roughness, emissivity, albedo)
