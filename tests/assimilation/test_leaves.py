"""Structure that follows leaves: what is left of a change of LAI after the daily growth of the land model."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dalearn.assimilation.control import ControlVector, PerturbationSettings
from dalearn.assimilation.leaves import biomass_in_proportion, structure_along_dilution
from dalearn.land.growth import DRY_MATTER_PER_CO2, SMALL_BIOMASS, CarbonPools, daily_growth, structural_total
from dalearn.land.parameters import build_parameters
from dalearn.land.vegetation import VEGETATION_TYPES

KINDS = ("TEBD", "TENE", "C3", "C4", "GRAS")
FACTORS = (0.7, 0.999, 1.001, 1.3)
# total of leaves and structure over that of the dilution law, and the assimilation of the day over the leaves
REGIMES = {
    "short of structure": (0.93, 0.06),
    "far short of structure": (0.8, 0.06),
    "on the law": (1.0, 0.06),
    "more structure than needed": (2.0, 0.06),
    "senescent, on the law": (1.0, -0.005),
    "senescent, short of structure": (0.9, -0.005),
    "senescent, more structure than needed": (2.0, -0.005),
}


@pytest.fixture(scope="module")
def vegetation():
    fractions = np.zeros((len(KINDS), len(VEGETATION_TYPES)))
    for cell, kind in enumerate(KINDS):
        fractions[cell, VEGETATION_TYPES.index(kind)] = 1.0
    site = (np.full(len(KINDS), value) for value in (0.2, 0.4, 44.0, 1.0))
    return build_parameters(fractions, *site)[1].vegetation


def leaves_and_structure(vegetation, leaf_area, share):
    """State with a total of ``share`` times what the dilution law gives to the leaves."""
    leaves = leaf_area * vegetation.biomass_per_leaf_area
    total = share * torch.maximum(leaves, structural_total(leaves))
    return state_of(leaves, torch.clamp(total - leaves, min=0.0))


def state_of(leaves, structure):
    return SimpleNamespace(leaf_biomass=leaves, active_structural_biomass=structure)


def night(vegetation, leaves, structure, assimilated, respired=0.004):
    """LAI after the daily growth of a day that assimilated ``assimilated`` kg m-2 of dry matter."""
    zero = torch.zeros_like(leaves)
    pools = CarbonPools(
        leaf_area_index=leaves / vegetation.biomass_per_leaf_area,
        leaf_biomass=leaves,
        active_structural_biomass=structure,
        passive_structural_biomass=zero,
        daily_assimilation=assimilated / DRY_MATTER_PER_CO2,
        maximum_leaf_assimilation=0.7 * vegetation.reference_assimilation,
        active_structural_respiration=respired * structure,
        passive_structural_respiration=zero,
    )
    return daily_growth(pools, vegetation).leaf_area_index


def retained(vegetation, state, factor, gain, rule):
    """Share of a change of LAI by ``factor`` that is left after midnight."""
    assimilated = gain * state.leaf_biomass
    moved = factor * state.leaf_biomass
    structure = structure_along_dilution(state, moved) if rule == "with_leaves" else state.active_structural_biomass
    control = night(vegetation, state.leaf_biomass, state.active_structural_biomass, assimilated)
    change = (factor - 1.0) * state.leaf_biomass / vegetation.biomass_per_leaf_area
    return (night(vegetation, moved, structure, assimilated) - control) / change


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("regime", REGIMES)
def test_a_change_of_leaf_area_lasts_in_every_regime(vegetation, regime, factor):
    share, gain = REGIMES[regime]
    for leaf_area in (2.0, 4.0):
        kept = retained(vegetation, leaves_and_structure(vegetation, leaf_area, share), factor, gain, "with_leaves")
        assert (kept > 0.85).all(), (leaf_area, kept)
        assert (kept < 1.05).all(), (leaf_area, kept)


def test_surfex_loses_increments_but_keeps_decrements(vegetation):
    """Where structure is short; noise that is as often above as below zero thus pulls LAI down."""
    state = leaves_and_structure(vegetation, 2.5, 0.95)
    up = retained(vegetation, state, 1.3, 0.06, "unchanged")
    down = retained(vegetation, state, 0.7, 0.06, "unchanged")
    assert (up < 0.5).all()
    assert (down > 0.8).all()
    both = [retained(vegetation, state, factor, 0.06, "with_leaves") for factor in (1.3, 0.7)]
    torch.testing.assert_close(both[0], both[1], atol=0.02, rtol=0.0)


@pytest.mark.parametrize("share", [0.8, 0.95, 1.0])
@pytest.mark.parametrize("factor", FACTORS)
def test_the_factor_is_exact_without_turnover_and_respiration(vegetation, share, factor):
    """Then midnight only shares leaves and structure anew: r times the leaves stay r times the leaves."""
    lasting = dataclasses.replace(vegetation, leaf_longevity=torch.full_like(vegetation.leaf_longevity, 1e25))
    state = leaves_and_structure(lasting, 3.0, share)
    moved = factor * state.leaf_biomass
    structure = structure_along_dilution(state, moved)
    nothing = torch.zeros_like(moved)
    before = night(lasting, state.leaf_biomass, state.active_structural_biomass, nothing, respired=0.0)
    after = night(lasting, moved, structure, nothing, respired=0.0)
    torch.testing.assert_close(after, factor * before, rtol=1e-12, atol=0.0)


def test_structure_on_the_law_stays_on_it_and_an_excess_stays_the_same():
    leaves = torch.tensor([0.1, 0.2, 0.4], dtype=torch.float64)
    for excess in (0.0, 0.05, 1.0):
        state = state_of(leaves, structural_total(leaves) - leaves + excess)
        for factor in FACTORS:
            structure = structure_along_dilution(state, factor * leaves)
            torch.testing.assert_close(structure, structural_total(factor * leaves) - factor * leaves + excess)


def test_small_plants_get_no_structure():
    """The law wants none below SMALL_BIOMASS; what is there stays."""
    leaves = torch.tensor([0.0, 1e-9, 0.3, 0.6], dtype=torch.float64) * SMALL_BIOMASS
    for structure in (0.0, 0.01):
        state = state_of(leaves, torch.full_like(leaves, structure))
        for factor in FACTORS:
            torch.testing.assert_close(
                structure_along_dilution(state, factor * leaves), state.active_structural_biomass, rtol=0.0, atol=1e-17
            )


@pytest.mark.parametrize("share", [0.8, 1.0, 2.0])
def test_the_way_back_is_the_way_there(vegetation, share):
    state = leaves_and_structure(vegetation, 3.0, share)
    there = state_of(1.25 * state.leaf_biomass, structure_along_dilution(state, 1.25 * state.leaf_biomass))
    back = structure_along_dilution(there, state.leaf_biomass)
    torch.testing.assert_close(back, state.active_structural_biomass, rtol=1e-12, atol=1e-15)


def test_a_deficit_of_leaves_at_the_floor_swallows_an_increment(vegetation):
    """LAI is at its minimum, leaf biomass below it: growth refills the biomass first, whatever the rule (4.2, 5.6)."""
    leaves = 0.5 * vegetation.minimum_leaf_area_index * vegetation.biomass_per_leaf_area
    state = state_of(leaves, torch.zeros_like(leaves))
    kept = retained(vegetation, state, 1.5, 0.0, "with_leaves")
    assert torch.equal(kept, torch.zeros_like(kept))


CORNERS = {
    "bare": (0.0, 0.0),
    "leaves without structure": (0.15, 0.0),
    "structure without leaves": (0.0, 0.1),
    "biomass below zero": (-0.01, 0.02),
    "hardly any leaves": (1e-12, 0.0),
    "where the law begins": (SMALL_BIOMASS, 0.0),
    "short of structure": (0.2, 0.1),
    "more than needed": (0.2, 1.0),
}


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gradients_are_finite_and_unchanged_leaves_change_no_bit(corner, dtype):
    values = [torch.tensor([value], dtype=dtype, requires_grad=True) for value in CORNERS[corner]]
    state = state_of(*values)
    assert torch.equal(structure_along_dilution(state, state.leaf_biomass.detach().clone()), values[1])
    for factor in (0.0, 0.5, 1.0, 2.0):
        moved = (factor * values[0]).detach().requires_grad_()
        structure = structure_along_dilution(state, moved)
        assert (structure >= 0.0).all()
        gradients = torch.autograd.grad(structure.sum(), [*values, moved], materialize_grads=True)
        assert all(gradient.isfinite().all() for gradient in gradients), (corner, factor, gradients)


@pytest.mark.parametrize("share", [0.8, 0.97, 1.5])
@pytest.mark.parametrize("factor", FACTORS)
def test_gradients_equal_differences(vegetation, share, factor):
    state = leaves_and_structure(vegetation, 2.5, share)
    inputs = [state.leaf_biomass, state.active_structural_biomass, factor * state.leaf_biomass]
    inputs = [value.detach().requires_grad_() for value in inputs]
    assert torch.autograd.gradcheck(lambda a, b, c: structure_along_dilution(state_of(a, b), c), inputs, eps=1e-7)


def test_the_control_vector_moves_structure_with_leaves(domain, toy):
    """In the perturbed copies as in the increment, and no bit for no increment."""
    d = domain()
    control = ControlVector(structural_biomass="with_leaves")
    zero = torch.zeros(8, 6, dtype=torch.float64)
    assert toy.same_bits(control.add(d.state, zero, torch.full((6,), 0.07)), d.state)
    eps = control.perturbation(d.state, d.parameters, PerturbationSettings())
    copies = control.perturbed_copies(d.state, eps)
    moved = structure_along_dilution(d.state, 1.001 * d.state.leaf_biomass)
    torch.testing.assert_close(copies.active_structural_biomass[6:12], moved)
    assert torch.equal(copies.active_structural_biomass[12:18], d.state.active_structural_biomass)
    increment = zero.clone()
    increment[0] = 0.4
    after = control.add(d.state, increment, biomass_in_proportion(d.state))
    torch.testing.assert_close(
        after.active_structural_biomass, structure_along_dilution(d.state, after.leaf_biomass), rtol=0.0, atol=0.0
    )
