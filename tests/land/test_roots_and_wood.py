"""Roots and wood of photosynthesis NCB: golden sequence, mass, respiration, gradients (isba_ags.md 5.2, 5.7, 5.8)."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from dalearn.land.growth import CarbonPools, cold_start_biomass, daily_growth, respire
from dalearn.land.maintenance import linear_rate, sapwood_rate, woody_rate
from dalearn.land.parameters import build_parameters
from dalearn.land.roots_and_wood import no_roots_and_wood
from dalearn.land.state import LandParameters, RootsAndWood
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.tree import named_tensors, to

# day: LAI, B1 .. B6 of a deciduous broadleaf forest
TREE_SEQUENCE = """
1 1.309537005 0.085046468 0.013349272 0.000221571 0.000369373 0.000040540 0.000000000
2 1.463334488 0.095034679 0.023704294 0.000217087 0.000385552 0.000083747 0.000001602
3 1.604819423 0.104223266 0.034772598 0.000212693 0.000415083 0.000158340 0.000003275
4 1.736771812 0.112792771 0.046367690 0.000208388 0.000458809 0.000266480 0.000005076
5 1.556561117 0.101089182 0.058366466 0.000204170 0.000455901 0.000368812 0.000006071
6 1.469337548 0.095424542 0.057879784 0.000200037 0.000453011 0.000497118 0.000007059
7 1.776330724 0.115361882 0.050075965 0.007551038 0.001033554 0.000651523 0.000009024
8 1.898454214 0.123293060 0.062181779 0.007398198 0.001131234 0.000894618 0.000013507
"""
ROOTS = ("root_biomass", "wood_biomass", "root_wood_biomass")


def parameters_of(*types: str) -> LandParameters:
    fractions = np.eye(len(VEGETATION_TYPES))[[VEGETATION_TYPES.index(kind) for kind in types]]
    cells = len(types)
    return build_parameters(fractions, np.full(cells, 0.3), np.full(cells, 0.4), np.full(cells, 45.0), np.zeros(cells))[
        1
    ]


def pools_of(parameters: LandParameters, leaf_area: float, **changes: float | Tensor) -> CarbonPools:
    area = torch.full_like(parameters.vegetation.latitude, leaf_area)
    zero = torch.zeros_like(area)
    pools = CarbonPools(
        area, *cold_start_biomass(area, parameters.vegetation), zero, zero, zero, zero, no_roots_and_wood(zero)
    )
    return pools._replace(**{name: value + zero for name, value in changes.items()})


def roots_of(columns: Tensor, **values: float) -> RootsAndWood:
    return RootsAndWood(
        **{name: torch.full_like(columns, values.get(name, 0.0)) for name in RootsAndWood.__annotations__}
    )


def test_daily_sequence_golden() -> None:
    """isba_ags.md 5.7 (a), NCB."""
    parameters = parameters_of("TEBD")
    vegetation = parameters.vegetation
    pools = pools_of(parameters, 1.0)
    for line in TREE_SEQUENCE.strip().splitlines():
        day, *numbers = line.split()
        roots = pools.roots_and_wood
        assert roots is not None
        pools = pools._replace(
            daily_assimilation=torch.full_like(pools.leaf_biomass, {"5": 0.001, "6": -0.002}.get(day, 0.030)),
            maximum_leaf_assimilation=(0.02 if day == "6" else 0.8) * vegetation.reference_assimilation,
            active_structural_respiration=0.004 * pools.active_structural_biomass,
            passive_structural_respiration=0.003 * pools.passive_structural_biomass,
            roots_and_wood=RootsAndWood(
                root_biomass=roots.root_biomass,
                wood_biomass=roots.wood_biomass,
                root_wood_biomass=roots.root_wood_biomass,
                root_respiration=0.002 * roots.root_biomass,
                wood_respiration=1e-4 * roots.wood_biomass,
            ),
        )
        pools = daily_growth(pools, vegetation)
        roots = pools.roots_and_wood
        assert roots is not None
        got = [value.item() for value in (*pools[:4], *(getattr(roots, name) for name in ROOTS))]
        assert got == pytest.approx([float(x) for x in numbers], abs=2e-9)
        assert all(value.item() == 0.0 for value in (*pools[4:8], roots.root_respiration, roots.wood_respiration))


@pytest.mark.parametrize("assimilation", [0.03, 0.001, -0.002])
def test_herbs_store_in_the_roots_only_while_they_grow(assimilation: float) -> None:
    """isba_ags.md 5.8: no wood; roots take what structure loses while growing, else what dying leaves give."""
    parameters = parameters_of("C3", "GRAS")
    vegetation = parameters.vegetation
    pools = pools_of(
        parameters,
        1.5,
        daily_assimilation=assimilation,
        maximum_leaf_assimilation=0.8 * vegetation.reference_assimilation,
        passive_structural_biomass=0.05,
        passive_structural_respiration=1e-4,
        active_structural_respiration=2e-4,
    )
    columns = pools.leaf_biomass
    pools = pools._replace(roots_and_wood=roots_of(columns, root_biomass=0.2, root_respiration=3e-4))
    after = daily_growth(pools, vegetation)
    plain = daily_growth(pools._replace(roots_and_wood=None), vegetation)
    assert torch.equal(after.leaf_area_index, plain.leaf_area_index)
    assert torch.equal(after.active_structural_biomass, plain.active_structural_biomass)
    roots = after.roots_and_wood
    assert roots is not None
    assert torch.equal(roots.wood_biomass, torch.zeros(2, dtype=torch.float64))
    assert torch.equal(roots.root_wood_biomass, torch.zeros(2, dtype=torch.float64))

    kept = 0.2 * math.exp(-1.0 / 150.0) - 3e-4
    passive = 0.05 * math.exp(-4.0 / 150.0) - 1e-4
    gained = roots.root_biomass - kept
    if assimilation == 0.03:
        everything = pools.leaf_biomass + pools.active_structural_biomass + 0.05 + 0.2
        before = everything + assimilation * 12.0 / 17.6 - 2e-4 - 1e-4 - 3e-4
        left = after.leaf_biomass + after.active_structural_biomass + after.passive_structural_biomass
        torch.testing.assert_close(
            left + roots.root_biomass, before - 0.2 * -math.expm1(-1.0 / 150.0), rtol=1e-13, atol=0.0
        )
    else:
        limit = max(0.5 * assimilation * 12.0 / 17.6, 0.0)
        torch.testing.assert_close(gained, torch.full_like(gained, limit), rtol=1e-9, atol=1e-15)
        torch.testing.assert_close(
            after.passive_structural_biomass, torch.full_like(gained, passive), rtol=1e-13, atol=0.0
        )


def test_nothing_is_lost_while_a_tree_grows_but_old_wood() -> None:
    parameters = parameters_of("TEBD", "TENE", "TRBE")
    vegetation = parameters.vegetation
    pools = pools_of(
        parameters,
        3.0,
        daily_assimilation=0.03,
        maximum_leaf_assimilation=vegetation.reference_assimilation,
        passive_structural_biomass=0.3,
    )
    wood = roots_of(pools.leaf_biomass, root_biomass=0.5, wood_biomass=8.0, root_wood_biomass=3.0)
    after = daily_growth(pools._replace(roots_and_wood=wood), vegetation)
    assert after.roots_and_wood is not None
    new = sum(getattr(after.roots_and_wood, name) for name in ROOTS) + sum(after[1:4])
    old = 11.5 + sum(pools[1:4]) + 0.03 * 12.0 / 17.6
    lost = -11.0 * torch.expm1(-1.0 / (365.0 * torch.tensor([40.0, 50.0, 30.0], dtype=torch.float64)))
    torch.testing.assert_close(old - new, lost, rtol=1e-11, atol=1e-14)


def test_respiration_of_a_step() -> None:
    """isba_ags.md 5.2, NCB: rates, the living part of the wood, and no pool respiring more than it holds."""
    parameters = parameters_of("TEBD", "GRAS")
    zero = torch.zeros(2, dtype=torch.float64)
    pools = pools_of(parameters, 1.0, active_structural_biomass=1.0, passive_structural_biomass=0.4)
    pools = pools._replace(roots_and_wood=roots_of(zero, root_biomass=0.6, wood_biomass=2.0, root_wood_biomass=1.0))
    temperature = torch.full((14, 2), 288.0, dtype=torch.float64)
    summed, respired = respire(
        pools, parameters.vegetation, soil_temperature=temperature, soil=parameters.soil, time_step=1800.0
    )
    roots = summed.roots_and_wood
    assert roots is not None
    linear = 1.19e-4 / 86400.0 * (1.0 + 0.16 * (288.0 - 273.16)) * 1800.0
    woody = 1.25 / (365.0 * 86400.0) * 1800.0
    assert summed.active_structural_respiration[0].item() == pytest.approx(woody, rel=1e-13)
    assert summed.passive_structural_respiration.tolist() == pytest.approx([0.4 * linear] * 2, rel=1e-13)
    assert roots.root_respiration.tolist() == pytest.approx([0.6 * woody, 0.6 * linear], rel=1e-13)
    total = pools.leaf_biomass[0].item() + 1.0 + 0.4 + 0.6 + 2.0 + 1.0
    height = 2.5 * 0.75 * 0.4 * total
    share = 0.0025 / 25.0 * height * 0.75 * 400.0 / (0.4 * 2.0)
    assert 0.05 < share < 0.5
    assert roots.wood_respiration[0].item() == pytest.approx(2.0 * share * woody / 100.0, rel=1e-13)
    assert roots.wood_respiration[1].item() == 0.0
    above = summed.active_structural_respiration + summed.passive_structural_respiration
    torch.testing.assert_close(respired.above_ground * 1800.0 * 12.0 / 17.6, above)
    torch.testing.assert_close(respired.other * 1800.0 * 12.0 / 17.6, roots.root_respiration + roots.wood_respiration)

    long, _ = respire(pools, parameters.vegetation, soil_temperature=temperature, soil=parameters.soil, time_step=1e12)
    assert long.roots_and_wood is not None
    assert torch.equal(long.passive_structural_respiration, pools.passive_structural_biomass)
    assert torch.equal(long.roots_and_wood.root_respiration, roots.root_biomass)
    assert long.roots_and_wood.wood_respiration.tolist() == [2.0, 0.0]


@pytest.mark.parametrize(("wood", "share"), [(1e-9, 0.5), (100.0, 0.05)])
def test_living_share_of_the_wood_is_bounded(wood: float, share: float) -> None:
    parameters = parameters_of("TEBD")
    pools = pools_of(parameters, 1.0)
    pools = pools._replace(roots_and_wood=roots_of(pools.leaf_biomass, wood_biomass=wood))
    if share == 0.05:
        # the height follows from all biomass, so heavy wood alone keeps a fixed share above the bound
        pools = pools._replace(leaf_biomass=pools.leaf_biomass - 0.9 * wood)
    temperature = torch.full((14, 1), 288.0, dtype=torch.float64)
    summed, _ = respire(
        pools, parameters.vegetation, soil_temperature=temperature, soil=parameters.soil, time_step=1800.0
    )
    assert summed.roots_and_wood is not None
    expected = wood * share * 0.0125 / (365.0 * 86400.0) * 1800.0
    assert summed.roots_and_wood.wood_respiration.item() == pytest.approx(expected, rel=1e-12)


def test_rates() -> None:
    assert linear_rate(torch.tensor([273.16, 266.0], dtype=torch.float64)).tolist() == [1.19e-4 / 86400.0, 0.0]
    both = woody_rate(torch.tensor(280.0)) / sapwood_rate(torch.tensor(280.0))
    assert both.item() == pytest.approx(100.0, rel=1e-6)


SITUATIONS = {
    "growing": {"daily_assimilation": 0.03},
    "senescent": {"daily_assimilation": 0.001, "active_structural_biomass": 0.2},
    "starving": {"daily_assimilation": -0.02, "leaf_biomass": 0.02, "leaf_area_index": 1.1},
    "limited": {"daily_assimilation": 0.03, "active_structural_biomass": 0.001},
    "shedding structure": {"daily_assimilation": 0.03, "active_structural_biomass": 2.0},
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_gradients_match_differences(situation: str) -> None:
    """Of a day: growth, then the respiration of a step."""
    parameters = parameters_of("TEBD", "C3", "GRAS", "TENE", "NO")
    vegetation = parameters.vegetation
    pools = pools_of(
        parameters,
        2.3,
        maximum_leaf_assimilation=0.6 * vegetation.reference_assimilation,
        passive_structural_biomass=0.1,
        active_structural_respiration=1e-4,
        passive_structural_respiration=2e-4,
    )
    zero = torch.zeros_like(pools.leaf_biomass)
    start = pools._replace(
        **{name: value + zero for name, value in SITUATIONS[situation].items()},
        roots_and_wood=roots_of(
            zero,
            root_biomass=0.3,
            wood_biomass=2.0,
            root_wood_biomass=0.9,
            root_respiration=1e-4,
            wood_respiration=2e-5,
        ),
    )
    temperature = torch.full((14, 5), 290.0, dtype=torch.float64)
    kept = start.roots_and_wood
    assert kept is not None

    def day(*values: Tensor) -> Tensor:
        fields = dict(zip(("passive_structural_biomass", "daily_assimilation"), values[:2], strict=True))
        roots = RootsAndWood(**dict(zip(RootsAndWood.__annotations__, values[2:], strict=True)))
        grown = daily_growth(start._replace(**fields, roots_and_wood=roots), vegetation)
        summed, respired = respire(
            grown, vegetation, soil_temperature=temperature, soil=parameters.soil, time_step=1800.0
        )
        assert summed.roots_and_wood is not None
        below = [tensor for _, tensor in named_tensors(summed.roots_and_wood)]
        return torch.stack([summed.passive_structural_biomass, *below, 1e4 * respired.other])

    values = [start.passive_structural_biomass, start.daily_assimilation, *(t for _, t in named_tensors(kept))]
    inputs = [value.clone().requires_grad_() for value in values]
    gradients = torch.autograd.grad(day(*inputs).sum(), inputs, materialize_grads=True)
    for position, gradient in enumerate(gradients):
        step = 1e-6
        above, below = ([*values] for _ in range(2))
        above[position], below[position] = values[position] + step, values[position] - step
        difference = (day(*above) - day(*below)).sum(dim=0) / (2.0 * step)
        torch.testing.assert_close(gradient, difference, rtol=1e-6, atol=2e-7, msg=f"input {position}")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_empty_and_exhausted_pools_have_finite_gradients(dtype: torch.dtype) -> None:
    parameters = parameters_of(*VEGETATION_TYPES)
    vegetation, soil = to(parameters.vegetation, dtype=dtype), to(parameters.soil, dtype=dtype)
    area = torch.full_like(vegetation.latitude, 0.4)
    for leaf in (0.0, 0.02, 1.0):
        for held, respired in ((0.0, 0.0), (1e-12, 0.0), (0.1, 0.1), (0.1, 0.2), (30.0, 1e-3)):
            for kelvin in (240.0, 273.16, 300.0):
                scalars = (leaf, 0.5 * leaf, held, 0.01, 1e-7, respired, respired)
                plain = [area, *(torch.full_like(area, value) for value in scalars)]
                below = [torch.full_like(area, value) for value in (held, held, held, respired, respired)]
                inputs = [value.clone().requires_grad_() for value in (*plain, *below)]
                roots = RootsAndWood(**dict(zip(RootsAndWood.__annotations__, inputs[8:], strict=True)))
                pools = CarbonPools(*inputs[:8], roots)
                temperature = torch.full((14, len(area)), kelvin, dtype=dtype, requires_grad=True)
                summed, flux = respire(
                    daily_growth(pools, vegetation),
                    vegetation,
                    soil_temperature=temperature,
                    soil=soil,
                    time_step=1800.0,
                )
                assert summed.roots_and_wood is not None
                outputs = [*summed[:8], *(tensor for _, tensor in named_tensors(summed.roots_and_wood)), *flux]
                assert all(value.isfinite().all() for value in outputs)
                gradients = torch.autograd.grad(
                    sum(value.sum() for value in outputs), [*inputs, temperature], materialize_grads=True
                )
                assert all(gradient.isfinite().all() for gradient in gradients)
