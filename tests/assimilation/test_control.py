"""The control vector: ldas_sekf.md 1.3, 3.2, 3.3."""

import pytest
import torch

from dalearn.assimilation.control import (
    CONTROL_NAMES,
    ControlVector,
    PerturbationSettings,
)
from dalearn.assimilation.leaves import biomass_in_proportion, surfex_biomass_per_leaf_area
from dalearn.errors import InputError
from dalearn.tree import select_columns


def test_default_is_the_published_control_vector():
    assert ControlVector().names == ("LAI", "WG2", "WG3", "WG4", "WG5", "WG6", "WG7", "WG8") == CONTROL_NAMES


@pytest.mark.parametrize("names", [("LAI", "TG2"), ("wg2",), ("WG15",), ("LAI", "LAI"), ()])
def test_unknown_or_repeated_names(names):
    with pytest.raises(InputError):
        ControlVector(names)


def test_values_come_from_the_named_layers(domain):
    state = domain().state
    x = ControlVector(("WG5", "LAI", "WG1")).of(state)
    torch.testing.assert_close(x[0], state.soil_moisture[4])
    torch.testing.assert_close(x[1], state.leaf_area_index)
    torch.testing.assert_close(x[2], state.soil_moisture[0])


def test_perturbation_sizes(domain):
    d = domain()
    control = ControlVector()
    eps = control.perturbation(d.state, d.parameters, PerturbationSettings())
    torch.testing.assert_close(eps[0], 1e-3 * d.state.leaf_area_index)
    assert eps[0, 3] == 0, "bare soil has no LAI to perturb"
    assert eps[1].tolist() == pytest.approx([1e-4 * 0.0875] * 6)
    shallow = eps[:, 4].tolist()
    assert shallow[1:6] == pytest.approx([1e-4 * 0.0875] * 5)
    assert shallow[6:] == [0.0, 0.0], "layers below the water column are not perturbed"


def test_a_vegetated_column_without_leaves_has_no_leaf_area_to_perturb(toy):
    """Gotcha 6: eps = 0 would give 0/0."""
    parameters = toy.parameters(1)
    state = toy.state(parameters)
    bare = ControlVector(("LAI",)).add(state, -state.leaf_area_index.unsqueeze(0), biomass_in_proportion(state))
    assert bare.leaf_area_index.item() == 0
    assert not ControlVector(("LAI",)).defined(bare, parameters).any()
    assert biomass_in_proportion(bare).item() == 0


def test_copies_move_one_variable_each(domain, toy):
    d = domain()
    control = ControlVector(("LAI", "WG2", "WG8"))
    eps = control.perturbation(d.state, d.parameters, PerturbationSettings())
    copies = control.perturbed_copies(d.state, eps)
    control_run = select_columns(copies, slice(0, 6))
    assert toy.same_bits(control_run, d.state)
    for number in range(3):
        moved = control.of(select_columns(copies, slice(6 * (number + 1), 6 * (number + 2)))) - control.of(d.state)
        expected = torch.zeros_like(eps)
        expected[number] = eps[number]
        torch.testing.assert_close(moved, expected, rtol=1e-9, atol=1e-15)
    leafy = select_columns(copies, slice(6, 12))
    torch.testing.assert_close(leafy.leaf_biomass, 1.001 * d.state.leaf_biomass)
    torch.testing.assert_close(leafy.leaf_area_index, 1.001 * d.state.leaf_area_index)


def test_no_increment_changes_no_bit(domain, toy):
    d = domain()
    control = ControlVector()
    same = control.add(d.state, torch.zeros(8, 6, dtype=torch.float64), torch.full((6,), 0.07))
    assert toy.same_bits(same, d.state)


def test_increment_moves_leaf_biomass_by_the_given_ratio(domain):
    d = domain()
    increment = torch.zeros(8, 6, dtype=torch.float64)
    increment[0], increment[3] = 0.5, -0.01
    ratio = torch.tensor([0.07, 0.08, 0.2, 0.0, 0.1, 0.05], dtype=torch.float64)
    after = ControlVector().add(d.state, increment, ratio)
    torch.testing.assert_close(after.leaf_area_index - d.state.leaf_area_index, increment[0])
    torch.testing.assert_close(after.leaf_biomass - d.state.leaf_biomass, 0.5 * ratio)
    torch.testing.assert_close(after.soil_moisture[3] - d.state.soil_moisture[3], increment[3])
    assert torch.equal(after.soil_moisture[[0, 1, 2, 4]], d.state.soil_moisture[[0, 1, 2, 4]])
    assert torch.equal(after.active_structural_biomass, d.state.active_structural_biomass)


def test_surfex_table(toy):
    grid = toy.grid([list(range(1, 13))], [[1 / 12] * 12])
    table = surfex_biomass_per_leaf_area(grid, torch.ones(1, dtype=torch.float64))
    assert table[:3].tolist() == [0.0, 0.0, 0.0]
    assert table[[3, 6, 10]].tolist() == pytest.approx([0.08203445, 0.06771856, 0.17686594])
