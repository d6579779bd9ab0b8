"""Golden numbers and limits of the leaf (isba_ags.md 1.8, 7.4)."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from dalearn.land.leaf import exchange, leaf_state
from dalearn.land.parameters import build_parameters
from dalearn.land.state import VegetationParameters
from dalearn.land.stress import DroughtResponse, drought_response
from dalearn.land.vegetation import VEGETATION_TYPES, ppm_to_mixing_ratio


def vegetation_of(*types: str) -> VegetationParameters:
    """One cell, and so one column, for each vegetation type."""
    fractions = np.eye(len(VEGETATION_TYPES))[[VEGETATION_TYPES.index(kind) for kind in types]]
    cells = len(types)
    return build_parameters(fractions, np.full(cells, 0.3), np.full(cells, 0.4), np.full(cells, 45.0), np.zeros(cells))[
        1
    ].vegetation


def leaf_case(kind: str, light: float, deficit: float) -> tuple[float, float, float]:
    """The leaf of isba_ags.md 1.8: 25 C parameters without their temperature response."""
    vegetation = vegetation_of(kind)
    zero = torch.zeros_like(vegetation.compensation_q10_log)
    # A flat response: no Q10, and limits so far away that both factors are 1.
    vegetation = dataclasses.replace(
        vegetation,
        compensation_q10_log=zero,
        conductance_q10_log=zero,
        assimilation_q10_log=zero,
        conductance_temperature_low=zero - 1e3,
        assimilation_temperature_low=zero - 1e3,
        conductance_temperature_high=zero + 1e3,
        assimilation_temperature_high=zero + 1e3,
    )
    one = torch.ones_like(zero)
    leaf = leaf_state(
        vegetation=vegetation,
        drought=drought_response(one, vegetation),
        is_open=one > 0.0,
        temperature=25.0 * one,
        deficit=deficit * one,
        co2_mixing_ratio=ppm_to_mixing_ratio(400.0) * one,
        air_density=1.2,
    )
    flux = exchange(leaf, light * one, leaf.maximum_assimilation / 9.0)
    return flux.net_assimilation.item(), flux.conductance.item(), flux.dark_respiration.item()


@pytest.mark.parametrize(
    ("kind", "light", "deficit", "expected"),
    [
        ("C3", 500.0, 0.0, (7.078136754e-07, 4.225791606e-02, 7.878849927e-08)),
        ("C3", 200.0, 0.005, (5.460140159e-07, 6.543104223e-03, 6.462839584e-08)),
        ("C3", 0.0, 0.005, (-6.462839584e-08, 2.668322060e-04, 6.462839584e-08)),
        ("C3", 100.0, 0.02, (1.089248585e-07, 2.666739471e-04, 1.310756576e-08)),
        ("C3", 500.0, 0.2, (1.179678870e-07, 2.750994289e-04, 1.310756576e-08)),
        ("C4", 500.0, 0.0, (1.271583873e-06, 8.599041969e-03, 1.445435946e-07)),
        ("C4", 200.0, 0.005, (9.700496590e-07, 5.512086300e-03, 1.381160654e-07)),
        ("C4", 0.0, 0.005, (-1.381160654e-07, 1.663198274e-04, 1.381160654e-07)),
    ],
)
def test_leaf_golden(kind: str, light: float, deficit: float, expected: tuple[float, float, float]) -> None:
    assert leaf_case(kind, light, deficit) == pytest.approx(expected, rel=1e-9)


def test_leaf_in_the_dark_respires() -> None:
    net, conductance, respiration = leaf_case("C3", 0.0, 0.0)
    assert net == -respiration
    assert conductance == pytest.approx(1.6e-5 + 2.5e-4, rel=1e-14)


def test_leaf_light_limits() -> None:
    net, _, respiration = leaf_case("C3", 1e6, 0.005)
    assert net == pytest.approx(9.0 * respiration, rel=1e-12)
    dim = [leaf_case("C3", light, 0.005)[0] for light in (0.0, 1e-3)]
    ambient, compensation = ppm_to_mixing_ratio(400.0), ppm_to_mixing_ratio(45.0)
    share = 0.005 / ((math.exp((math.log(1.75) - 2.381) / -0.6103)) * 1e-3)
    ratio = 0.95 * (1.0 - share) + 0.125 * share
    internal = compensation + ratio * (ambient - compensation)
    efficiency = 1.7e-8 / 1.2 * (internal - compensation) / (internal + 2.0 * compensation)
    assert (dim[1] - dim[0]) / 1e-3 == pytest.approx(efficiency, rel=1e-3)


def test_compensation_point_doubles_its_q10() -> None:
    """Gamma(35 C) = 67.5 ppm for C3: at that CO2 concentration a leaf takes up nothing."""
    vegetation = vegetation_of("C3")
    one = torch.ones(1, dtype=torch.float64)
    leaf = leaf_state(
        vegetation=vegetation,
        drought=DroughtResponse(vegetation.mesophyll_conductance, vegetation.herbaceous_f0, one),
        is_open=one > 0.0,
        temperature=35.0 * one,
        deficit=0.0 * one,
        co2_mixing_ratio=ppm_to_mixing_ratio(67.5) * one,
        air_density=1.2,
    )
    # the excess over the compensation point is at its floor of 1e-6 kg kg-1
    assert leaf.co2_drop.item() == pytest.approx(0.05 * 1e-6, rel=1e-9)
