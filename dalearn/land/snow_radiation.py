"""Albedo of the snow and the light absorbed in it, in three bands (isba_physics.md 7.2 a, g and 7.5)."""

from typing import NamedTuple

import torch
from torch import Tensor

BAND_WEIGHTS = (0.71, 0.21, 0.08)  # share of the incoming light: visible, near infrared 1 and 2
LARGEST_DIAMETER = 2.796e-3  # m
MINIMUM_OPTICAL_THICKNESS = 1.0e-4  # m, floor of the layer thickness in conduction and radiation


class SnowAlbedo(NamedTuple):
    """Albedo per band, ``(band, column)``, and their weighted mean, ``(column,)``."""

    bands: Tensor
    total: Tensor


class Light(NamedTuple):
    """Light in the pack, W m-2."""

    downward: Tensor  # (snow_layer, column) R, negative: light below each layer
    transmitted: Tensor  # (column,) absorbed by the soil


def _band_weights(like: Tensor) -> Tensor:
    return like.new_tensor(BAND_WEIGHTS)[:, None]


def optical_diameter(density: Tensor, age: Tensor, permanent_fraction: Tensor) -> Tensor:
    """Optical grain diameter (m) from density (kg m-3) and age (days)."""
    square = density * density
    aged = torch.clamp((1.0 - permanent_fraction) * age, max=15.0)
    return torch.clamp(1.6e-4 + 1.1e-13 * square * square + 0.5e-4 * aged, max=LARGEST_DIAMETER)


def snow_albedo(density: Tensor, age: Tensor, permanent_fraction: Tensor, surface_pressure: Tensor) -> SnowAlbedo:
    """Albedo of snow of ``density`` (kg m-3) and ``age`` (days) in its first layer, all ``(column,)``.

    ``permanent_fraction`` is the share of the permanent snow type in the column; pressure in Pa.
    """
    diameter = optical_diameter(density, age, permanent_fraction)
    root = torch.sqrt(diameter)
    time_scale = 60.0 + 840.0 * permanent_fraction
    ageing = 0.2 * torch.clamp(surface_pressure / 87000.0, min=0.5, max=1.5) * torch.clamp(age, max=365.0) / time_scale
    visible = torch.clamp(torch.clamp(0.96 - 1.58 * root, max=0.92) - ageing, min=0.6)
    near = torch.clamp(0.90 - 15.4 * root, min=0.3)
    small = torch.clamp(diameter, max=2.3e-3)
    far = torch.clamp(346.3 * small - 32.31 * torch.sqrt(small) + 0.88, min=0.0)
    bands = torch.stack([visible, near, far], dim=0)
    return SnowAlbedo(bands, (_band_weights(bands) * bands).sum(dim=0))


def light_in_snow(
    *,
    bands: Tensor,
    thickness: Tensor,
    density: Tensor,
    age: Tensor,
    shortwave_down: Tensor,
    soil_albedo: Tensor,
    permanent_fraction: Tensor,
    cosine_zenith: Tensor,
) -> Light:
    """Extinction of the light that the surface does not reflect.

    Args:
        bands: albedo per band, ``(band, column)``.
        thickness: m, not below ``MINIMUM_OPTICAL_THICKNESS``; with ``density`` (kg m-3) and ``age`` (days)
            ``(snow_layer, column)``.
        shortwave_down: W m-2; with the snow-free broadband ``soil_albedo``, the permanent snow fraction and the
            cosine of the zenith angle ``(column,)``.
    """
    scaled = density / torch.sqrt(optical_diameter(density, age, permanent_fraction))
    visible = torch.clamp(1.92e-3 * scaled, min=40.0)
    near = torch.clamp(1.098e-2 * scaled, min=100.0)
    extinction = torch.stack([visible, near, torch.full_like(near, 2000.0)], dim=0)
    slant = (1.0 - permanent_fraction) + permanent_fraction / torch.clamp(cosine_zenith, min=0.01)
    path = slant * torch.cumsum(extinction * thickness, dim=1)
    entering = _band_weights(bands) * (1.0 - bands)
    left = (entering[:, None] * torch.exp(-path)).sum(dim=0)
    downward = -shortwave_down * left
    bottom = downward[-1:] * (1.0 - soil_albedo)
    return Light(torch.cat([downward[:-1], bottom], dim=0), -bottom[0])
