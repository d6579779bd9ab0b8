"""Turbulent exchange between surface and atmosphere (isba_physics.md 3.8; Louis 1979 as used in ISBA)."""

from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.constants import GAS_CONSTANT_AIR, GAS_CONSTANT_VAPOUR, GRAVITY, VON_KARMAN

MAXIMUM_RICHARDSON_NUMBER = 0.2
_VIRTUAL = GAS_CONSTANT_VAPOUR / GAS_CONSTANT_AIR - 1.0


class Roughness(NamedTuple):
    """What the stability functions need from the roughness lengths, constant during a step; ``(column,)``."""

    neutral_drag: Tensor  # C_N
    heat_ratio: Tensor  # F = ln(u_ref/z0m) / ln(z_ref/z0t)
    unstable_heat: Tensor  # 15 c* C_N (z_ref/z0t)^p F
    unstable_momentum: Tensor  # B of the momentum function


def roughness_functions(
    roughness_length: Tensor, heat_roughness_length: Tensor, wind_height: Tensor, temperature_height: Tensor
) -> Roughness:
    """Neutral coefficients from the roughness lengths and the forcing heights (all m)."""
    momentum = torch.minimum(roughness_length, 0.5 * wind_height)
    heat = torch.minimum(torch.minimum(momentum, heat_roughness_length), 0.5 * temperature_height)
    mu = torch.clamp(torch.log(momentum / heat), min=0.0)
    log_wind = torch.log(wind_height / momentum)
    log_temperature = torch.log(temperature_height / heat)
    neutral_drag = (VON_KARMAN / log_wind) ** 2
    heat_ratio = log_wind / log_temperature

    c_heat = 3.2165 + mu * (4.3431 + mu * (0.5360 - mu * 0.0781))
    p_heat = 0.5802 + mu * (-0.1571 + mu * (0.0327 - mu * 0.0026))
    unstable_heat = 15.0 * c_heat * neutral_drag * torch.exp(p_heat * log_temperature) * heat_ratio

    momentum_heat = torch.minimum(momentum, heat_roughness_length)
    mu_m = torch.log(torch.clamp(momentum / momentum_heat, max=200.0))
    c_momentum = 6.8741 + mu_m * (2.6933 + mu_m * (-0.3601 + mu_m * 0.0154))
    p_momentum = 0.5233 + mu_m * (-0.0815 + mu_m * (0.0135 - mu_m * 0.0010))
    unstable_momentum = 10.0 * c_momentum * neutral_drag * torch.exp(p_momentum * log_wind)
    return Roughness(neutral_drag, heat_ratio, unstable_heat, unstable_momentum)


def effective_wind(wind_speed: Tensor, wind_height: Tensor) -> Tensor:
    """Wind speed (m s-1) not below 0.1 per metre of forcing height, 1 m s-1 at 10 m and above."""
    return torch.maximum(wind_speed, 0.1 * torch.clamp(wind_height, max=10.0))


def richardson_number(
    *,
    air_temperature: Tensor,
    air_humidity: Tensor,
    air_exner: Tensor,
    surface_temperature: Tensor,
    surface_humidity: Tensor,
    surface_exner: Tensor,
    wind: Tensor,
    wind_height: Tensor,
    temperature_height: Tensor,
) -> Tensor:
    """Bulk Richardson number, capped at 0.2; ``wind`` is the effective wind."""
    virtual_air = air_temperature / air_exner * (1.0 + _VIRTUAL * air_humidity)
    virtual_surface = surface_temperature / surface_exner * (1.0 + _VIRTUAL * surface_humidity)
    buoyancy = GRAVITY * wind_height**2 * (virtual_air - virtual_surface)
    shear = 0.5 * (virtual_air + virtual_surface) * wind**2 * temperature_height
    return torch.clamp(buoyancy / shear, max=MAXIMUM_RICHARDSON_NUMBER)


def heat_conductance(richardson: Tensor, wind: Tensor, roughness: Roughness) -> Tensor:
    """Aerodynamic conductance A_c for heat and vapour, m s-1; the resistance is 1 / A_c."""
    s = richardson * wind**2
    unstable = richardson < 0.0
    # clamped before the square roots: their slope at 0 is infinite and reverse mode meets the branch not taken
    negative = torch.clamp(torch.where(unstable, -s, torch.ones_like(s)), min=1e-30)
    positive = torch.where(unstable, torch.zeros_like(s), s)
    convective = wind + 15.0 * negative / (wind + roughness.unstable_heat * torch.sqrt(negative))
    stable = wind / (1.0 + 15.0 * positive * torch.sqrt(wind**2 + 5.0 * positive) / wind**3)
    return roughness.neutral_drag * roughness.heat_ratio * torch.where(unstable, convective, stable)


def drag_coefficient(richardson: Tensor, roughness: Roughness) -> Tensor:
    """Drag coefficient for momentum C_D."""
    unstable = richardson <= 0.0
    negative = torch.clamp(torch.where(unstable, -richardson, torch.ones_like(richardson)), min=1e-30)
    positive = torch.where(unstable, torch.zeros_like(richardson), richardson)
    convective = 1.0 + 10.0 * negative / (1.0 + roughness.unstable_momentum * torch.sqrt(negative))
    stable = 1.0 / (1.0 + 10.0 * positive / torch.sqrt(1.0 + 5.0 * positive))
    return roughness.neutral_drag * torch.where(unstable, convective, stable)
