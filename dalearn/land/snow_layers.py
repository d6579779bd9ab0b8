"""Snowfall and the vertical grid of the snow pack (isba_physics.md 7.2 b, c).

The number of layers is static: 12, the SURFEX default, or 3.
"""

import functools

import torch
from torch import Tensor

from dalearn.constants import HEAT_CAPACITY_ICE, LATENT_HEAT_FUSION, TRIPLE_POINT
from dalearn.errors import InputError
from dalearn.land.snow_pack import MINIMUM_DENSITY, Layers, SnowPack, layer_thickness

LAYER_COUNTS = (3, 12)
MINIMUM_DEPTH = 1.0e-6  # m, shallower snow is not solved
MIXING_DEPTH = 0.03  # m, shallower packs are uniform
# largest thickness (m) of the layers of the 12-layer grid; the three in the middle share the rest
_UPPER_LIMITS = (0.01, 0.05, 0.15, 0.5, 1.0)
_LOWER_LIMITS = (1.0, 0.5, 0.1, 0.02)


def check_layer_count(layers: int) -> None:
    """Raises InputError unless the grid is known for this number of layers."""
    if layers not in LAYER_COUNTS:
        raise InputError(f"snow layers: {layers} is not possible, choose 3 or 12")


def fresh_snow_density(air_temperature: Tensor, wind_speed: Tensor) -> Tensor:
    """Density (kg m-3) of falling snow from the air temperature (K) and the forcing wind (m s-1)."""
    windy = wind_speed > 0.0
    root = torch.where(windy, torch.sqrt(torch.where(windy, wind_speed, 1.0)), 0.0)
    return torch.clamp(109.0 + 6.0 * (air_temperature - TRIPLE_POINT) + 26.0 * root, min=MINIMUM_DENSITY)


def add_snowfall(
    pack: SnowPack, snowfall: Tensor, fresh_density: Tensor, time_step: float
) -> tuple[Layers, Tensor, Tensor]:
    """Snowfall (kg m-2 s-1) into the first layer, or in equal parts to all layers where the ground was bare.

    It arrives at the temperature of the first layer, at the triple point on bare ground.  There the order of the
    operations is that of SURFEX: rounding decides whether such snow counts as wet (7.9.3).

    Returns:
        The layers, the depth of the pack (m, ``(column,)``) and the heat that came with the snow (J m-2).
    """
    count = pack.density.shape[0]
    thickness = layer_thickness(pack)
    depth = thickness.sum(dim=0)
    first_capacity = HEAT_CAPACITY_ICE * pack.density[0] * torch.clamp(thickness[0], min=MINIMUM_DEPTH / count)
    cold = (pack.heat_content[0] + LATENT_HEAT_FUSION * pack.water_equivalent[0]) / first_capacity
    fallen_heat = snowfall * (HEAT_CAPACITY_ICE * torch.clamp(cold, max=0.0) - LATENT_HEAT_FUSION) * time_step
    fallen = snowfall * time_step
    fallen_depth = fallen / fresh_density

    falls = fallen > 0.0
    first_mass = torch.where(falls, pack.water_equivalent[0] + fallen, 1.0)
    first_thickness = thickness[0] + fallen_depth
    first_density = torch.where(falls, first_mass / torch.where(falls, first_thickness, 1.0), pack.density[0])
    first_age = torch.where(falls, pack.age[0] * pack.water_equivalent[0] / first_mass, pack.age[0])
    bare = depth <= 0.0

    def received(first: Tensor, below: Tensor, on_bare_ground: Tensor) -> Tensor:
        return torch.where(bare, on_bare_ground, torch.cat([first[None], below[1:]], dim=0))

    layers = Layers(
        thickness=received(first_thickness, thickness, fallen_depth / count),
        density=received(first_density, pack.density, fresh_density),
        heat=received(pack.heat_content[0] + fallen_heat, pack.heat_content, fallen_heat / count),
        age=received(first_age, pack.age, torch.zeros_like(first_age)),
    )
    return layers, depth + fallen_depth, fallen_heat


def grid_thickness(depth: Tensor, count: int) -> Tensor:
    """Thickness (m, ``(snow_layer, column)``) of the layers of a pack of ``depth`` m, top first."""
    if count == 3:
        thin = torch.clamp(depth / 3.0, max=0.01)
        first = torch.where(depth <= 0.04, thin, torch.clamp(0.25 * depth, max=0.05))
        deep = torch.clamp(0.34 * (depth - 0.05) + 0.05, max=0.5)
        second = torch.where(depth <= 0.04, depth - 2.0 * thin, torch.where(depth <= 0.20, 0.5 * depth, deep))
        return torch.stack([first, second, depth - first - second], dim=0)
    limit = depth.new_tensor(_UPPER_LIMITS + _LOWER_LIMITS)[:, None]
    outer = torch.minimum(limit, depth / 12.0)
    upper, lower = outer[: len(_UPPER_LIMITS)], outer[len(_UPPER_LIMITS) :]
    rest = depth - outer.sum(dim=0)
    sixth = torch.maximum(0.3 * rest, upper[-1])
    eighth = torch.maximum(0.3 * rest, lower[0])
    middle = torch.stack([sixth, rest - sixth - eighth, eighth], dim=0)
    return torch.cat([upper, middle, lower], dim=0)


def _with_top(bottom: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(bottom[:1]), bottom[:-1]], dim=0)


def remap(layers: Layers, thickness: Tensor) -> Layers:
    """The layers on another grid of the same depth: mass and heat by overlap, age weighted by the mass."""
    old = torch.cumsum(layers.thickness, dim=0)
    # one common lower boundary, so that rounding loses nothing of the last layer
    new = torch.cat([torch.cumsum(thickness[:-1], dim=0), old[-1:]], dim=0)
    upper = torch.maximum(_with_top(old)[None], _with_top(new)[:, None])
    overlap = torch.clamp(torch.minimum(old[None], new[:, None]) - upper, min=0.0)
    mass = (overlap * layers.density[None]).sum(dim=1)
    heat = (overlap * (layers.heat / layers.thickness)[None]).sum(dim=1)
    aged = (overlap * (layers.density * layers.age)[None]).sum(dim=1)
    return Layers(thickness, mass / thickness, heat, aged / mass)


def mix(layers: Layers, depth: Tensor) -> Layers:
    """A uniform pack of ``depth`` m; its age is the plain mean over the layers, as in SURFEX."""
    count = layers.thickness.shape[0]
    # added up from the top, in the order of SURFEX whatever the number of columns (see ``add_snowfall``)
    amounts = torch.stack([layers.density * layers.thickness, layers.heat], dim=1)
    mass, heat = functools.reduce(torch.add, amounts.unbind(0)).unbind(0)
    uniform = (depth / count, mass / depth, heat / count, layers.age.mean(dim=0))
    return Layers(*(part.expand_as(layers.thickness) for part in uniform))


def regrid(layers: Layers, depth: Tensor) -> Layers:
    """Layers of suitable thickness for a pack of ``depth`` m, ``(column,)``.

    Uniform below 3 cm, else on the grid of ``grid_thickness``; the one of 12 layers is renewed only where the
    first, second or last layer is off its thickness by half.
    """
    count = layers.thickness.shape[0]
    target = grid_thickness(depth, count)
    renewed = remap(layers, target)
    if count == 12:
        ratio = layers.thickness / target
        off = (ratio < 0.5) | (ratio > 1.5)
        renew = off[0] | off[1] | off[-1]
        renewed = Layers(*(torch.where(renew, *pair) for pair in zip(renewed, layers, strict=True)))
    thin = depth < MIXING_DEPTH
    return Layers(*(torch.where(thin, *pair) for pair in zip(mix(layers, depth), renewed, strict=True)))
