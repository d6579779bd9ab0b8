"""Densification of the snow by its weight and by the wind (isba_physics.md 7.2 e, f).

Both keep the mass, the temperature and the liquid water of a layer.
"""

import torch
from torch import Tensor

from dalearn.constants import DAY, GRAVITY, TRIPLE_POINT
from dalearn.land.snow_pack import MAXIMUM_DENSITY, MINIMUM_DENSITY, Layers, liquid_capacity

VISCOSITY = 7.62237e6  # Pa s
DRIFT_TIME_SCALE = 2.0 * DAY  # s
DRIFT_DENSITY = 350.0  # kg m-3, the wind compacts snow up to it
GUST_FACTOR = 1.25


def compact(layers: Layers, temperature: Tensor, liquid: Tensor, time_step: float) -> Layers:
    """Settling under the weight of the snow above, slower when cold, faster when wet."""
    density = layers.density
    mass = density * layers.thickness
    above = torch.cumsum(mass, dim=0) - mass
    load = torch.cat([0.5 * mass[:1], above[1:]], dim=0)
    wetness = torch.clamp(liquid / torch.clamp(liquid_capacity(density, layers.thickness), min=1e-10), max=1.0)
    cold = torch.clamp((TRIPLE_POINT - temperature).abs(), max=5.0)
    viscosity = VISCOSITY * torch.exp(0.023 * density + 0.1 * cold) * (density / 250.0) / (1.0 + 10.0 * wetness)
    growth = torch.where(density < MAXIMUM_DENSITY, 1.0 + time_step * GRAVITY * load / viscosity, 1.0)
    return layers._replace(thickness=layers.thickness / growth, density=density * growth)


def drift(layers: Layers, wind_speed: Tensor, forest_fraction: Tensor, time_step: float) -> Layers:
    """Compaction by drifting snow, down to the first layer that the wind cannot move.

    ``wind_speed`` (m s-1) is that of the forcing; trees shelter the snow.
    """
    thickness, density = layers.thickness, layers.density
    wind = GUST_FACTOR * (1.0 - 0.85 * forest_fraction) * wind_speed
    mobility = 1.25 - (1.25e-3 / 0.295) * torch.clamp(density - MINIMUM_DENSITY, min=0.0)
    index = mobility - (2.868 * torch.exp(-0.085 * wind) - 1.0)
    moves = torch.cumprod((index > 0.0).to(density.dtype), dim=0) * (density < DRIFT_DENSITY).to(density.dtype)
    rate = torch.clamp(index, min=0.0) * (time_step / (DRIFT_TIME_SCALE * GUST_FACTOR))
    gain = (moves * rate * (DRIFT_DENSITY - density)).unbind(0)
    limit = torch.clamp(density, min=DRIFT_DENSITY).unbind(0)
    burial = 0.05 * (3.25 - index)
    own, lower = (burial * thickness).unbind(0), (burial * thickness * density).unbind(0)

    depth = torch.zeros_like(wind)
    compacted: list[Tensor] = []
    for j, before in enumerate(density.unbind(0)):
        depth = depth + own[j]
        after = torch.minimum(limit[j], before + gain[j] * torch.exp(-100.0 * depth))
        depth = depth + lower[j] / after
        compacted.append(after)
    after = torch.stack(compacted, dim=0)
    return layers._replace(thickness=thickness * density / after, density=after)
