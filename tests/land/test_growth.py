"""Golden biomass sequences, respiration and the daily growth (isba_ags.md 4, 5, 7.4, 9.2)."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import xarray
from torch import Tensor

from dalearn.forcing.air import air_density
from dalearn.land.growth import (
    SMALL_BIOMASS,
    CarbonPools,
    carbon_fluxes,
    cold_start_biomass,
    daily_growth,
    floor_leaf_area_index,
    leaf_life,
    leaf_of_total,
    mean_to_depth,
    respire,
    soil_respiration,
    structural_total,
)
from dalearn.land.parameters import build_parameters
from dalearn.land.photosynthesis import reference_assimilation
from dalearn.land.state import LandParameters
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.tree import map_tensors, to

DAILY_SEQUENCES = """
TEBD 1 1.309537005 0.085046468 0.013349272 0.000221571
TEBD 2 1.463334488 0.095034679 0.023704294 0.000219945
TEBD 3 1.604819423 0.104223266 0.034772598 0.000218331
TEBD 4 1.736771812 0.112792771 0.046367690 0.000216729
TEBD 5 1.556561117 0.101089182 0.058366466 0.000215139
TEBD 6 1.469337548 0.095424542 0.057879784 0.000213560
TEBD 7 1.776330724 0.115361882 0.050075965 0.007567043
TEBD 8 1.898454214 0.123293060 0.062181779 0.007511513
C3 1 1.293753565 0.087611131 0.015836496 0.000390237
C3 2 1.437749348 0.097362318 0.026371282 0.000386473
C3 3 1.570596737 0.106358552 0.037548885 0.000382746
C3 4 1.694688300 0.114761854 0.049200439 0.000379054
C3 5 1.690692986 0.114491297 0.048676725 0.000375398
C3 6 1.561518280 0.105743772 0.048158586 0.000371778
C3 7 1.753390429 0.118737078 0.055107202 0.000368192
C3 8 1.867232218 0.126446280 0.067265957 0.000364641
GRAS 1 1.277205838 0.091503499 0.019839381 0.000421594
GRAS 2 1.408881118 0.100937177 0.030649068 0.000417528
GRAS 3 1.531016557 0.109687388 0.042027159 0.000413501
GRAS 4 1.645531656 0.117891650 0.053830084 0.000409513
GRAS 5 1.641392689 0.117595120 0.053257090 0.000405564
GRAS 6 1.516500689 0.108647420 0.052690196 0.000401652
GRAS 7 1.697925817 0.121645352 0.059585949 0.000397779
GRAS 8 1.803485825 0.129208040 0.071843544 0.000393942
"""
# after step: LAI, B1, B2, B3, R2, R3, ecosystem respiration (kg kg-1 m s-1)
HALF_HOURLY = """
TEBD 1 1.982684091 0.128763279 0.110127403 0.049783081 8.43806118e-06 5.22806551e-06 9.93868871e-08
TEBD 48 1.982684091 0.128763279 0.110127403 0.049783081 4.05026936e-04 2.50947145e-04 9.93868871e-08
TEBD 49 2.253837058 0.146373016 0.106194380 0.052383439 8.13670940e-06 5.50114710e-06 1.03637723e-07
C3 1 1.973510324 0.133643281 0.121036471 0.049667775 1.40596779e-05 5.21595651e-06 1.03053295e-07
C3 48 1.973510324 0.133643281 0.121036471 0.049667775 6.74864540e-04 2.50365912e-04 1.03053295e-07
C3 49 2.223877127 0.150597760 0.114578661 0.054109021 1.33095343e-05 5.68236241e-06 1.06657847e-07
GRAS 1 1.973510324 0.141389191 0.137551850 0.049667775 1.59781154e-05 5.21595651e-06 1.04355938e-07
GRAS 48 1.973510324 0.141389191 0.137551850 0.049667775 7.66949539e-04 2.50365912e-04 1.04355938e-07
GRAS 49 2.208728955 0.158241077 0.130380672 0.054625307 1.51451065e-05 5.73658118e-06 1.07655316e-07
"""
STARVED_LEAF_AREA = [0.31710188, *[0.30000000] * 7, 0.35710091, 0.44827221]
STARVED_LEAVES = [
    *(0.022718290, 0.017402141, 0.013311232, 0.009220323, 0.005129414),
    *(0.001038505, 0.009220323, 0.017402141, 0.025583960, 0.032115791),
]
STARVED_PASSIVE = [
    *(0.001848202, 0.003061161, 0.003040821, 0.003020616, 0.003000546),
    *(0.002980609, 0.002960804, 0.002941131, 0.002921589, 0.004552163),
]


def parameters_of(*types: str, latitude: float = 45.0) -> LandParameters:
    fractions = np.eye(len(VEGETATION_TYPES))[[VEGETATION_TYPES.index(kind) for kind in types]]
    cells = len(types)
    return build_parameters(
        fractions, np.full(cells, 0.3), np.full(cells, 0.4), np.full(cells, latitude), np.zeros(cells)
    )[1]


def pools_of(parameters: LandParameters, leaf_area: float, **changes: float | Tensor) -> CarbonPools:
    """Pools of a cold start at ``leaf_area``, with ``changes``."""
    area = torch.full_like(parameters.vegetation.latitude, leaf_area)
    biomass = cold_start_biomass(area, parameters.vegetation)
    zero = torch.zeros_like(area)
    pools = CarbonPools(area, *biomass, zero, zero, zero, zero)
    return pools._replace(**{name: value + zero for name, value in changes.items()})


@pytest.mark.parametrize("kind", ["TEBD", "C3", "GRAS"])
def test_daily_sequence_golden(kind: str) -> None:
    """isba_ags.md 5.7 (a)."""
    parameters = parameters_of(kind)
    vegetation = parameters.vegetation
    pools = pools_of(parameters, 1.0)
    lines = [line.split() for line in DAILY_SEQUENCES.strip().splitlines() if line.split()[0] == kind]
    for _, day, *numbers in lines:
        assimilation = {"5": 0.001, "6": -0.002}.get(day, 0.030)
        productivity = 0.02 if day == "6" else 0.8
        pools = pools._replace(
            daily_assimilation=torch.full_like(pools.leaf_biomass, assimilation),
            maximum_leaf_assimilation=productivity * vegetation.reference_assimilation,
            active_structural_respiration=0.004 * pools.active_structural_biomass,
            passive_structural_respiration=0.003 * pools.passive_structural_biomass,
        )
        pools = daily_growth(pools, vegetation)
        assert [value.item() for value in pools[:4]] == pytest.approx([float(x) for x in numbers], abs=2e-9)
        assert all(value.item() == 0.0 for value in pools[4:8])


@pytest.mark.parametrize("kind", ["TEBD", "C3", "GRAS"])
def test_half_hourly_golden(kind: str) -> None:
    """isba_ags.md 5.7 (b): growth in steps 1 and 49, respiration in every step."""
    parameters = parameters_of(kind, latitude=44.0)
    vegetation, soil = parameters.vegetation, parameters.soil
    area = torch.full_like(vegetation.latitude, 2.0)
    biomass = cold_start_biomass(area, vegetation)
    pools = pools_of(parameters, 2.0, passive_structural_biomass=0.05, maximum_leaf_assimilation=1e-8)
    pools = pools._replace(active_structural_biomass=biomass.active_structural)
    layer = torch.arange(1, 15, dtype=torch.float64)[:, None]
    temperature, moisture = 290.0 - 0.3 * layer, 0.14 + 0.01 * layer
    # the table has ten water layers whatever the type; the top metre and decimetre do not depend on it
    density = torch.full_like(area, 1.2)
    expected = {
        int(step): [float(x) for x in numbers]
        for name, step, *numbers in (line.split() for line in HALF_HOURLY.strip().splitlines())
        if name == kind
    }
    for step in range(1, 50):
        time = 1800.0 * (step - 1)
        gain = max(0.0, math.sin(2.0 * math.pi * time / 86400.0 - math.pi / 2.0)) * 1e-6 * 1800.0
        pools = pools._replace(
            daily_assimilation=pools.daily_assimilation + gain,
            maximum_leaf_assimilation=torch.maximum(
                pools.maximum_leaf_assimilation, 0.5 * vegetation.reference_assimilation
            ),
        )
        if step in (1, 49):
            pools = daily_growth(pools, vegetation)
        pools, respiration = respire(pools, vegetation, soil_temperature=temperature, soil=soil, time_step=1800.0)
        if step in expected:
            leaf = torch.full_like(area, 2e-8)
            fluxes = carbon_fluxes(
                pools,
                respiration,
                vegetation,
                net_assimilation=torch.zeros_like(area),
                leaf_respiration=leaf,
                soil_temperature=temperature,
                soil_moisture=moisture,
                soil=soil,
                air_density=density,
            )
            got = [value.item() for value in (*pools[:4], *pools[6:8])]
            assert got == pytest.approx(expected[step][:6], rel=3e-8)
            assert fluxes.ecosystem_respiration.item() / 1.2 == pytest.approx(expected[step][6], rel=1e-8)
            per_second = 1.0 / (0.6818181818181818 * 1800.0)
            structural = (pools.active_structural_biomass, pools.passive_structural_biomass)
            assert all(pool.item() > 0.0 for pool in structural)
            if step == 1:
                both = (pools.active_structural_respiration + pools.passive_structural_respiration) * per_second
                assert fluxes.autotrophic_respiration.item() == pytest.approx(2.4e-8 + both.item(), rel=1e-12)


def test_starved_grass_golden() -> None:
    """isba_ags.md 5.7 (c): leaves fall below the minimum while the leaf area index stays there."""
    parameters = parameters_of("GRAS")
    vegetation = parameters.vegetation
    pools = pools_of(parameters, 0.4)
    assert pools.active_structural_biomass.item() == 0.0
    histories: list[list[float]] = [[], [], []]
    for day in range(1, 11):
        pools = pools._replace(
            daily_assimilation=torch.full_like(pools.leaf_biomass, -0.006 if day <= 6 else 0.012),
            maximum_leaf_assimilation=0.1 * vegetation.reference_assimilation,
        )
        pools = daily_growth(pools, vegetation)
        for history, value in zip(
            histories, (pools.leaf_area_index, pools.leaf_biomass, pools.passive_structural_biomass), strict=True
        ):
            history.append(value.item())
    assert histories[0] == pytest.approx(STARVED_LEAF_AREA, abs=6e-9)
    assert histories[1] == pytest.approx(STARVED_LEAVES, abs=6e-10)
    assert histories[2] == pytest.approx(STARVED_PASSIVE, abs=6e-10)


@pytest.mark.parametrize(
    ("kind", "leaf", "active"),
    [("TEBD", 0.0649439209, 0.0136834917), ("C3", 0.0677185617, 0.0163975479), ("GRAS", 0.0716435019, 0.0204746969)],
)
def test_cold_start_golden(kind: str, leaf: float, active: float) -> None:
    biomass = cold_start_biomass(torch.ones(1, dtype=torch.float64), parameters_of(kind).vegetation)
    assert biomass.leaf.item() == pytest.approx(leaf, abs=6e-11)
    assert biomass.active_structural.item() == pytest.approx(active, abs=6e-11)
    assert biomass.passive_structural.item() == 0.0


def test_dilution_law() -> None:
    assert pytest.approx(0.047540042445, abs=6e-13) == SMALL_BIOMASS
    leaf = torch.tensor([SMALL_BIOMASS, 0.1, 0.8], dtype=torch.float64)
    assert structural_total(leaf)[0].item() == pytest.approx(SMALL_BIOMASS, rel=1e-14)
    torch.testing.assert_close(leaf_of_total(structural_total(leaf)), leaf, rtol=1e-14, atol=0.0)
    assert torch.equal(leaf_of_total(torch.tensor([-1.0, 0.0])), torch.zeros(2))


def test_floor_of_the_leaf_area() -> None:
    vegetation = parameters_of("GRAS", "TENE", "NO").vegetation
    floored = floor_leaf_area_index(torch.tensor([0.1, 0.1, 0.1], dtype=torch.float64), vegetation)
    assert floored.tolist() == [0.3, 1.0, 0.0]


@pytest.mark.parametrize(
    ("latitude", "expected"), [(0.0, 5.76), (30.0, 5.45130), (-44.0, 5.34087), (45.0, 5.33390), (60.0, 5.24259)]
)
def test_longevity_depends_on_latitude(latitude: float, expected: float) -> None:
    """isba_ags.md 5.4: the life time of a dense canopy grows as its leaf area over LAI*."""
    vegetation = parameters_of("GRAS", latitude=latitude).vegetation
    life = leaf_life(torch.full_like(vegetation.latitude, 6.0), vegetation.reference_assimilation, vegetation)
    assert 150.0 * 6.0 / life.item() == pytest.approx(expected, abs=5e-6)
    multilayer = leaf_life(
        torch.full_like(vegetation.latitude, 6.0), vegetation.reference_assimilation, vegetation, "multilayer"
    )
    assert 150.0 * 6.0 / multilayer.item() == pytest.approx(5.30, rel=1e-12)


@pytest.mark.parametrize(("kind", "share"), [("C3", 0.06449), ("TEBD", 0.04255), ("TENE", 0.02703)])
def test_cold_start_drop(kind: str, share: float) -> None:
    """isba_ags.md 7.4.10: after a day without assimilation the life time is at its floor."""
    parameters = parameters_of(kind)
    before = pools_of(parameters, 3.0, maximum_leaf_assimilation=1e-20)
    after = daily_growth(before, parameters.vegetation)
    assert 1.0 - after.leaf_area_index.item() / 3.0 == pytest.approx(share, abs=6e-6)


def test_growth_goes_to_the_leaves() -> None:
    """isba_ags.md 7.4.11, 7.4.12."""
    parameters = parameters_of("GRAS")
    vegetation = parameters.vegetation
    pools = pools_of(
        parameters, 2.0, daily_assimilation=0.03, maximum_leaf_assimilation=vegetation.reference_assimilation
    )
    after = daily_growth(pools, vegetation)
    senescence = 2.0 * -math.expm1(-1.0 / 150.0)
    assert after.leaf_area_index.item() == pytest.approx(2.0 - senescence + 0.285505, abs=1e-6)
    remaining = pools.leaf_biomass * math.exp(-1.0 / 150.0)
    active = structural_total(remaining) - remaining
    assert after.active_structural_biomass.item() == pytest.approx(active.item(), rel=1e-12)


def test_limited_growth_conserves_mass() -> None:
    """isba_ags.md 7.4.13: B1 + B2 - D2 - R2 = B + B2' when the structure needs more than dying leaves give."""
    parameters = parameters_of("C3")
    pools = pools_of(
        parameters,
        2.0,
        daily_assimilation=0.02,
        maximum_leaf_assimilation=parameters.vegetation.reference_assimilation,
        active_structural_biomass=0.01,
        active_structural_respiration=1e-4,
    )
    after = daily_growth(pools, parameters.vegetation)
    remaining = after.leaf_biomass.item() - 0.02 * 12.0 / 17.6
    before = pools.leaf_biomass.item() + 0.01 * math.exp(-1.0 / 150.0) - 1e-4
    assert remaining + after.active_structural_biomass.item() == pytest.approx(before, rel=1e-13)
    assert remaining < pools.leaf_biomass.item() * math.exp(-1.0 / 150.0)


def test_pool_respiration_rates() -> None:
    """isba_ags.md 7.4.14."""
    parameters = parameters_of("GRAS", "TEBD")
    pools = pools_of(parameters, 1.0, active_structural_biomass=1.0, passive_structural_biomass=1.0)
    for temperature, column, share in ((298.16, 0, 0.010022), (288.0, 1, 0.0034247)):
        profile = torch.full((14, 2), temperature, dtype=torch.float64)
        summed, _ = respire(
            pools, parameters.vegetation, soil_temperature=profile, soil=parameters.soil, time_step=86400.0
        )
        assert summed.active_structural_respiration[column].item() == pytest.approx(share, abs=6e-7)


def test_soil_respiration_closed_form() -> None:
    """isba_ags.md 7.4.15."""
    one = torch.ones(1, dtype=torch.float64)
    assert soil_respiration(2.0 * one, 0.2 * one, 298.16 * one).item() / 1.2 == pytest.approx(1.782e-7, rel=1e-12)


def test_means_stop_at_the_water_column() -> None:
    soil = parameters_of("ROCK", "NO", "GRAS").soil
    middle = soil.layer_bottom - 0.5 * soil.layer_thickness
    assert mean_to_depth(middle, soil, 1.0).tolist() == pytest.approx([0.1, 0.5, 0.5], rel=1e-12)
    assert mean_to_depth(middle, soil, 0.1).tolist() == pytest.approx([0.05] * 3, rel=1e-12)
    # 0.15 m cuts the fourth layer in half
    share = torch.zeros_like(middle)
    share[3] = 1.0
    assert mean_to_depth(share, soil, 0.15).tolist() == pytest.approx([1.0 / 3.0] * 3, rel=1e-12)


def test_bare_columns_stay_bare() -> None:
    parameters = parameters_of("NO", "ROCK", "SNOW")
    pools = pools_of(parameters, 0.0)
    after = daily_growth(pools, parameters.vegetation)
    temperature = torch.full((14, 3), 290.0, dtype=torch.float64)
    summed, respiration = respire(
        after, parameters.vegetation, soil_temperature=temperature, soil=parameters.soil, time_step=1800.0
    )
    zero = torch.zeros_like(pools.leaf_area_index)
    for value in (*after[:8], *summed[:8], *respiration):
        assert torch.equal(value, zero)
    fluxes = carbon_fluxes(
        summed,
        respiration,
        parameters.vegetation,
        net_assimilation=zero,
        leaf_respiration=zero,
        soil_temperature=temperature,
        soil_moisture=torch.full_like(temperature, 0.3),
        soil=parameters.soil,
        air_density=zero + 1.2,
    )
    assert all(torch.equal(value, zero) for value in fluxes)


SITUATIONS = {
    "growing": {"daily_assimilation": 0.03},
    "senescent": {"daily_assimilation": -0.002, "active_structural_biomass": 0.2},
    "limited": {"daily_assimilation": 0.03, "active_structural_biomass": 0.001},
    "shedding structure": {"daily_assimilation": 0.03, "active_structural_biomass": 2.0},
    "starving": {"daily_assimilation": -0.02, "leaf_biomass": 0.02, "leaf_area_index": 1.1},
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_growth_gradients_match_differences(situation: str) -> None:
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
    pools = pools._replace(**{name: value + zero for name, value in SITUATIONS[situation].items()})
    for name in pools._fields[:8]:
        value = getattr(pools, name)
        centre = value.clone().requires_grad_()
        step = 1e-6 * value.abs().clamp(min=1e-9)
        result = daily_growth(pools._replace(**{name: centre}), vegetation)
        above = daily_growth(pools._replace(**{name: value + step}), vegetation)
        below = daily_growth(pools._replace(**{name: value - step}), vegetation)
        for output in result._fields[:4]:
            gradient = zero
            outcome = getattr(result, output)
            if outcome.requires_grad:
                (gradient,) = torch.autograd.grad(outcome.sum(), centre, retain_graph=True, materialize_grads=True)
            difference = (getattr(above, output) - getattr(below, output)) / (2.0 * step)
            scale = outcome.detach().abs() / value.abs().clamp(min=1e-9)
            assert ((gradient - difference).abs() <= 1e-6 * (difference.abs() + scale)).all(), (name, output)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_growth_stays_finite(dtype: torch.dtype) -> None:
    parameters = parameters_of(*VEGETATION_TYPES)
    vegetation = to(parameters.vegetation, dtype=dtype)
    for leaf in (-0.01, 0.0, 1e-12, 0.02, 1.0):
        for active in (0.0, 1e-9, 0.5):
            for assimilation in (-0.05, 0.0, 0.05):
                for productivity in (-1e-8, 0.0, 1e-6):
                    area = torch.full_like(vegetation.latitude, max(leaf, 0.0) * 10.0)
                    pools = CarbonPools(
                        area,
                        *(torch.full_like(area, value) for value in (leaf, active, 0.0, assimilation, productivity)),
                        torch.full_like(area, 0.1),
                        torch.full_like(area, 0.1),
                    )
                    variables = CarbonPools(*(value.clone().requires_grad_() for value in pools[:8]))
                    after = daily_growth(variables, vegetation)
                    assert all(value.isfinite().all() for value in after[:8])
                    gradients = torch.autograd.grad(
                        sum(value.sum() for value in after[:4]), variables[:8], materialize_grads=True
                    )
                    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize(
    ("case", "kind"),
    [("c3_hapex", "C3"), ("grass_hapex", "GRAS"), ("broadleaf_hapex", "TEBD"), ("conifer_eses1999", "TENE")],
)
def test_every_midnight_of_a_stored_run(shared, case: str, kind: str) -> None:
    """The daily growth of a year, each day from the stored state of the step before."""
    names = ("LAI", "BIOMA1", "BIOMA2", "BIOMA3", "ANDAY", "ANFM", "RESPI2", "RESPI3", "AN")
    with xarray.open_dataset(shared / "reference" / "surfex" / f"{case}.nc", decode_times=False) as data:
        rows = {name: torch.from_numpy(data[name].values.astype(np.float64)[..., 0]) for name in names}
        air = {name: data[name].values.astype(np.float64) for name in ("Tair", "Qair", "PSurf", "CO2air")}
        height, latitude = float(data.attrs["zref"]), float(data.attrs["lat"])
    density = torch.from_numpy(air_density(air["Tair"], air["Qair"], air["PSurf"], height))
    midnight = torch.arange(48, len(rows["LAI"]), 48)
    vegetation = map_tensors(
        lambda tensor: tensor.expand(len(midnight)), parameters_of(kind, latitude=latitude).vegetation
    )
    reference = reference_assimilation(vegetation, air["CO2air"][0] / density[:1].expand(len(midnight)))
    vegetation = dataclasses.replace(vegetation, reference_assimilation=reference)
    before = {name: values[midnight - 1] for name, values in rows.items()}
    night = rows["AN"][midnight]
    pools = CarbonPools(
        *(before[name] for name in ("LAI", "BIOMA1", "BIOMA2", "BIOMA3")),
        before["ANDAY"] + night * density[midnight] * 1800.0,
        before["ANFM"],
        before["RESPI2"],
        before["RESPI3"],
    )
    after = daily_growth(pools, vegetation)
    for got, name in zip(after, ("LAI", "BIOMA1", "BIOMA2", "BIOMA3"), strict=False):
        wanted = rows[name][midnight]
        assert ((got - wanted).abs() / wanted.abs().max()).max() < 1e-6, name
