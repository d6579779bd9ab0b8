"""Hydraulic and thermal parameters of the soil from its texture (isba_physics.md 2)."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dalearn.errors import InputError
from dalearn.land.soil_layers import (
    cumulative_roots,
    depth_weights,
    root_fractions,
    runoff_depth,
    soil_layers,
    water_depths,
)
from dalearn.land.state import SOIL_LAYERS, SoilParameters
from dalearn.land.vegetation import BARE_TYPES, TYPES

PEDOTRANSFER = ("CH78", "CO84")
SOLID_DENSITY = 2700.0  # kg m-3


class HydraulicParameters(NamedTuple):
    """Brooks-Corey parameters psi = psi_s (w/w_sat)^-b, K = K_s (w/w_sat)^(2b+3) and two water contents."""

    porosity: Tensor  # w_sat, m3 m-3
    retention_exponent: Tensor  # b
    saturated_potential: Tensor  # psi_s, m
    saturated_conductivity: Tensor  # K_s, m s-1
    wilting_point: Tensor  # at -1500 kPa, m3 m-3
    field_capacity: Tensor  # at -33 kPa, m3 m-3


def pedotransfer(clay: Tensor, sand: Tensor, relation: str = "CH78") -> HydraulicParameters:
    """Hydraulic parameters from the clay and sand fractions (0..1), any shape.

    ``CH78``: Clapp and Hornberger (1978) with the regressions of Noilhan and Lacarrere (1995),
    isba_physics.md 2.1; ``CO84``: Cosby et al. (1984), 2.2.

    Raises:
        InputError: unknown relation.
    """
    clay_root, sand_root = clay ** (1.0 / 3.0), sand ** (1.0 / 3.0)
    if relation == "CH78":
        log_conductivity = (
            1.61874 - 5.81989 * clay - 0.0907123 * sand + 5.29268 * clay**2 + 1.20332 * sand**2
        )  # of K_s in 1e-6 m s-1
        return HydraulicParameters(
            porosity=0.001 * (494.305 - 108.0 * sand),
            retention_exponent=13.7 * clay + 3.501,
            saturated_potential=-0.01 * 10.0 ** (1.85 - 0.88 * sand),
            saturated_conductivity=1e-6 * 10.0**log_conductivity,
            wilting_point=37.1342e-3 * (100.0 * clay) ** 0.5,
            field_capacity=0.2298915119
            - 0.4062575773 * sand
            + 0.0874218705 * clay
            + 0.2942558675 * sand_root
            + 0.0413771051 * clay_root,
        )
    if relation == "CO84":
        return HydraulicParameters(
            porosity=0.505 - 0.142 * sand - 0.037 * clay,
            retention_exponent=3.10 + 15.7 * clay - 0.3 * sand,
            saturated_potential=-0.01 * 10.0 ** (1.54 - 0.95 * sand + 0.63 * (1.0 - sand - clay)),
            saturated_conductivity=0.0254 / 3600.0 * 10.0 ** (-0.6 + 1.26 * sand - 0.64 * clay),
            wilting_point=0.15333 - 0.147 * sand + 0.33 * clay - 0.102 * clay**2,
            field_capacity=0.2016592588
            - 0.5785747196 * sand
            + 0.1113006987 * clay
            + 0.4305771483 * sand_root
            - 0.0080618093 * clay_root,
        )
    raise InputError(f"pedotransfer: unknown relation {relation!r}, choose one of {', '.join(PEDOTRANSFER)}")


def dry_conductivity(porosity: Tensor) -> Tensor:
    """Thermal conductivity of the dry soil in W m-1 K-1 (Johansen 1975; isba_physics.md 2.4)."""
    dry_density = SOLID_DENSITY * (1.0 - porosity)
    return (0.135 * dry_density + 64.7) / (SOLID_DENSITY - 0.947 * dry_density)


def solid_conductivity(sand: Tensor) -> Tensor:
    """Thermal conductivity of the solids in W m-1 K-1 (Peters-Lidard et al. 1998; isba_physics.md 2.4)."""
    quartz = 0.038 + 0.95 * sand
    other = torch.where(quartz > 0.20, 2.0, 3.0).to(sand.dtype)
    return torch.exp(quartz * math.log(7.7) + (1.0 - quartz) * torch.log(other))


def soil_moisture_range(clay: Tensor) -> Tensor:
    """w_fc - w_wilt in m3 m-3 from the clay fraction of the first layer (ldas_sekf.md eq. 4).

    The filter scales soil moisture with it whatever pedotransfer relation the land model uses.
    """
    percent = 100.0 * clay
    return 89.0467e-3 * percent**0.3496 - 37.1342e-3 * percent**0.5


def soil_parameters(
    clay: np.ndarray,
    sand: np.ndarray,
    type_share: np.ndarray,
    root_depth: np.ndarray,
    soil_depth: np.ndarray,
    relation: str = "CH78",
    table: Mapping[str, np.ndarray] = TYPES,
) -> SoilParameters:
    """Geometry, hydraulic and thermal parameters of every column, float64.

    ``clay``, ``sand`` (column,) 0..1, the same in all layers; ``type_share``, ``root_depth``, ``soil_depth``
    (column, 19), the share of each vegetation type in the column and its depths in m; ``table`` with the columns of
    ``vegetation.TYPES``, each (19,) or (column, 19).

    Raises:
        InputError: unknown pedotransfer relation.
    """
    never_soil = np.isin(TYPES["type"], ("ROCK", "SNOW"))
    depths = water_depths(type_share, BARE_TYPES, never_soil, root_depth, soil_depth)
    layers = soil_layers(depths.hydrological)
    rooted_share = type_share * ~BARE_TYPES
    rooted_share = rooted_share / np.maximum(rooted_share.sum(axis=1, keepdims=True), np.finfo(float).tiny)

    def mean_of_rooted(name: str) -> np.ndarray:
        values = table[name]
        return rooted_share @ values if values.ndim == 1 else (rooted_share * values).sum(axis=1)

    extinction = np.where(depths.root > 0.0, mean_of_rooted("root_extinction"), 0.5)
    cumulative = cumulative_roots(layers, depths.root, extinction, mean_of_rooted("root_linear"))
    runoff = runoff_depth(layers, cumulative, depths.hydrological)

    def tensor(values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values))

    def every_layer(values: Tensor) -> Tensor:
        return values.repeat(SOIL_LAYERS, 1)

    clay_fraction, sand_fraction = tensor(clay), tensor(sand)
    hydraulic = pedotransfer(clay_fraction, sand_fraction, relation)
    return SoilParameters(
        layer_bottom=tensor(layers.bottom),
        layer_thickness=tensor(layers.thickness),
        node_distance=tensor(layers.node_distance),
        holds_water=tensor(layers.holds_water),
        root_fraction=tensor(root_fractions(cumulative, layers)),
        porosity=every_layer(hydraulic.porosity),
        field_capacity=every_layer(hydraulic.field_capacity),
        wilting_point=every_layer(hydraulic.wilting_point),
        retention_exponent=every_layer(hydraulic.retention_exponent),
        saturated_potential=every_layer(hydraulic.saturated_potential),
        saturated_conductivity=every_layer(hydraulic.saturated_conductivity),
        dry_conductivity=every_layer(dry_conductivity(hydraulic.porosity)),
        solid_conductivity=every_layer(solid_conductivity(sand_fraction)),
        runoff_depth_weight=tensor(depth_weights(layers, runoff)),
        moisture_range=soil_moisture_range(clay_fraction),
    )
