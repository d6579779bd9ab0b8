"""Light inside the canopy, level by level.

``three_point``: the extinction of Calvet et al. (1998), integrated with three Gauss points (isba_ags.md 3.1).
``multilayer``: the clumped ten-layer transfer of Carrer et al. (2013), with sunlit and shaded leaves
(isba_ags.md 3.3).  The level axis comes first; the first level is at the canopy bottom.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from dalearn.land.state import VegetationParameters

CANOPY_SCHEMES = ("three_point", "multilayer")

PAR_SHARE = 0.48  # of global radiation
MINIMUM_COSINE = 0.01
SOLAR_CONSTANT = 1370.0  # W m-2

GAUSS_POINTS = (0.1127016653792583, 0.5, 0.8872983346207417)
GAUSS_WEIGHTS = (5.0 / 18.0, 8.0 / 18.0, 5.0 / 18.0)
DIFFUSE_EXTINCTION = 0.8
DIRECT_EXTINCTION = 0.5  # spherical leaf angles
LEAF_SCATTERING = 0.9442719  # reduces the extinction, for a leaf albedo of 0.2
DIFFUSE_HALF_COSINE = 0.25

# Ten-point Gauss-Legendre abscissae, the first one replaced by the ground; used as layer bottoms.
LAYER_BOTTOMS = (
    0.0,
    0.06746831665550774,
    0.16029521585048778,
    0.2833023029353764,
    0.4255628305091844,
    0.5744371694908156,
    0.7166976970646236,
    0.8397047841495122,
    0.9325316833444923,
    0.9869532642585859,
)
LAYERS = len(LAYER_BOTTOMS)
LAYER_THICKNESS = tuple(top - bottom for bottom, top in zip(LAYER_BOTTOMS, (*LAYER_BOTTOMS[1:], 1.0), strict=True))
LOWEST_UPPER_LAYER = next(index for index, bottom in enumerate(LAYER_BOTTOMS) if bottom > 0.8)
LEAF_SINGLE_SCATTERING = 0.15  # in PAR
UPPER_CROWN = (2.0, 2.0)  # k and xi of the crown shape
LOWER_CROWN = (1.0, 7.0)
CLEAR_SKY_TRANSMISSION = math.exp(-0.1)
MINIMUM_LEAF_AREA = 1e-4


class CanopyLight(NamedTuple):
    """What the leaves of each level absorb, per unit leaf area; ``(level, column)``."""

    weights: Tensor  # (level, 1), share of the leaf area
    sunlit: Tensor  # PAR, W m-2
    shaded: Tensor | None  # PAR, W m-2; none where leaves are not told apart
    sunlit_share: Tensor | None  # share of the leaves of the level
    leaf_area_above: Tensor | None  # m2 m-2, over the middle of the level


def three_point_light(leaf_area_index: Tensor, shortwave: Tensor, cosine_zenith: Tensor) -> CanopyLight:
    """PAR at three levels from the global radiation in W m-2 (isba_ags.md 3.1)."""
    cosine = torch.clamp(cosine_zenith, min=MINIMUM_COSINE)
    points = leaf_area_index.new_tensor(GAUSS_POINTS)[:, None]
    depth = leaf_area_index * (1.0 - points) * LEAF_SCATTERING
    diffuse = DIFFUSE_HALF_COSINE / (DIFFUSE_HALF_COSINE + cosine)
    absorbed_above = diffuse * torch.expm1(-DIFFUSE_EXTINCTION * depth) + (1.0 - diffuse) * torch.expm1(
        -DIRECT_EXTINCTION * depth / cosine
    )
    light = PAR_SHARE * torch.clamp(shortwave, min=0.0) * (1.0 + absorbed_above)
    weights = leaf_area_index.new_tensor(GAUSS_WEIGHTS)[:, None]
    return CanopyLight(weights, sunlit=light, shaded=None, sunlit_share=None, leaf_area_above=None)


def multilayer_light(
    leaf_area_index: Tensor,
    shortwave: Tensor,
    cosine_zenith: Tensor,
    vegetation: VegetationParameters,
    soil_albedo: Tensor,
) -> CanopyLight:
    """PAR absorbed by the sunlit and shaded leaves of ten layers (isba_ags.md 3.3).

    ``shortwave`` is the global radiation in W m-2, ``soil_albedo`` the visible one without snow.  Where the leaf
    area is below the shading threshold of the patch all leaves count as sunlit.
    """
    cosine = torch.clamp(cosine_zenith, min=MINIMUM_COSINE)
    par = PAR_SHARE * torch.clamp(shortwave, min=0.0)
    leaf_area = leaf_area_index
    leaf_albedo = vegetation.vegetation_albedo_visible

    root = math.sqrt(1.0 - LEAF_SINGLE_SCATTERING)
    direct_absorption = 1.0 - (1.0 - root) / (1.0 + 2.0 * cosine * root)
    diffuse_absorption = 1.0 - (1.0 - root) / (1.0 + root)
    upper = _clumping(cosine, vegetation.clumping_upper, *UPPER_CROWN)
    lower = _clumping(cosine, vegetation.clumping_lower, *LOWER_CROWN)

    sky = _sky_diffuse_fraction(shortwave, cosine)
    fractions = []
    transmissions = []
    transmitted = torch.ones_like(leaf_area)
    for layer in reversed(range(LAYERS)):
        if layer >= LOWEST_UPPER_LAYER:
            direct, diffuse = upper
            passed = torch.exp(-(1.0 - LAYER_BOTTOMS[layer]) * direct * leaf_area)
            scattered = (1.0 - passed) / (1.0 - (1.0 - cosine) * passed)
            fraction = torch.clamp(scattered + sky, max=1.0)
        else:
            direct, diffuse = lower
        area = LAYER_THICKNESS[layer] * leaf_area
        passed_direct = torch.exp(-0.5 * direct_absorption * direct * area / cosine)
        passed_diffuse = torch.exp(-diffuse_absorption * diffuse * area)
        transmitted = transmitted * ((1.0 - fraction) * passed_direct + fraction * passed_diffuse)
        fractions.append(fraction)
        transmissions.append(transmitted)

    # From the top down: what lies above each layer, absorbed in total, then what each layer adds.
    transmission = torch.stack(transmissions)
    diffuse_above = torch.stack([torch.zeros_like(leaf_area), *fractions[:-1]])
    total = (1.0 - leaf_albedo) * (1.0 - transmission) * par
    _, lower_diffuse = lower
    from_soil = (1.0 - leaf_albedo) ** 2 * soil_albedo * par * transmitted
    from_soil = -from_soil * torch.expm1(-diffuse_absorption * lower_diffuse * leaf_area)
    total = torch.clamp(torch.cat([total[:-1], (total[-1] + from_soil)[None]]), min=0.0)
    absorbed = torch.clamp(torch.diff(total, dim=0, prepend=torch.zeros_like(total[:1])), min=0.0)

    thickness = leaf_area.new_tensor(LAYER_THICKNESS[::-1])[:, None]
    per_leaf = absorbed / (thickness * torch.clamp(leaf_area, min=MINIMUM_LEAF_AREA))
    has_shade = leaf_area >= vegetation.shading_leaf_area_index
    sunlit = torch.where(has_shade, ((1.0 - diffuse_above) / transmission + diffuse_above) * per_leaf, per_leaf)
    middle = leaf_area.new_tensor(
        [0.5 * thick + low for low, thick in zip(LAYER_BOTTOMS, LAYER_THICKNESS, strict=True)]
    )
    return CanopyLight(
        weights=thickness.flip(0),
        sunlit=sunlit.flip(0),
        shaded=(diffuse_above * per_leaf).flip(0),
        sunlit_share=torch.where(has_shade, transmission, 1.0).flip(0),
        leaf_area_above=(1.0 - middle[:, None]) * leaf_area,
    )


def _clumping(cosine: Tensor, coefficient: Tensor, shape: float, width: float) -> tuple[Tensor, Tensor]:
    """Clumping factors for direct and for diffuse light."""
    zenith = torch.arccos(torch.clamp(cosine, max=1.0))
    directional = torch.exp(-shape * zenith ** (3.8 - 0.461 * width))
    return 1.0 / (1.0 + coefficient * directional), (1.0 + 0.5 * coefficient) / (1.0 + coefficient)


def _sky_diffuse_fraction(shortwave: Tensor, cosine: Tensor) -> Tensor:
    """Diffuse fraction of the radiation above the canopy, from its ratio to that outside the atmosphere."""
    ratio = torch.clamp(shortwave, min=0.0) / SOLAR_CONSTANT / cosine
    q = torch.clamp(ratio, max=0.8)
    partly_cloudy = 0.9511 + q * (-0.1604 + q * (4.388 + q * (-16.64 + q * 12.34)))
    clear = (1.0 - CLEAR_SKY_TRANSMISSION) / (1.0 - (1.0 - cosine) * CLEAR_SKY_TRANSMISSION)
    fraction = torch.where(ratio < 0.22, 1.0 - 0.09 * ratio, torch.where(ratio < 0.8, partly_cloudy, clear))
    return torch.where(shortwave > 0.0, fraction, 0.0)
