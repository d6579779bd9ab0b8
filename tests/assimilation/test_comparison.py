"""Comparison of the Jacobian back ends."""

import json
import time

import pytest
import torch

from dalearn.assimilation.comparison import compare_jacobians, relative, row_maximum
from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.cost import measure
from dalearn.operators import create_operator


def operators():
    return [create_operator(name, cell_count=3) for name in ("wg2", "lai")]


def test_structure_and_agreement_of_a_smooth_model(domain):
    d = domain(curvature=0.05)
    report = json.loads(json.dumps(compare_jacobians(d.model, d.grid, d.state, d.window, operators())))
    assert set(report) == {"columns", "dtype", "agreement", "cost"}
    assert report["columns"] == 6
    assert report["dtype"] == "float64"
    assert list(report["agreement"]) == list(ControlVector().names)
    for name, row in report["agreement"].items():
        assert set(row) == {"max_rel", "median_rel", "kink_share"}
        assert 0 <= row["median_rel"] <= row["max_rel"] < 1e-3, name
        assert row["kink_share"] == 0
    assert set(report["cost"]) == {"finite_differences", "autograd"}
    for cost in report["cost"].values():
        assert cost["seconds"] > 0
        assert cost["forward_runs"] > 0
        assert cost["peak_memory_bytes"] >= 0


def test_kinks_are_found_counted_and_left_out(domain):
    """One column starts exactly on the drainage threshold of its layer 5."""
    threshold = 0.26
    d = domain(threshold=threshold)
    moisture = torch.full_like(d.state.soil_moisture, 0.2)
    moisture[4, 1] = threshold
    d.state.soil_moisture.copy_(moisture)
    d.window.values.zero_()
    report = compare_jacobians(d.model, d.grid, d.state, d.window, [wg5()])
    assert report["agreement"]["WG5"]["kink_share"] == pytest.approx(1 / 6)
    assert report["agreement"]["WG5"]["max_rel"] < 1e-3
    strict = compare_jacobians(d.model, d.grid, d.state, d.window, [wg5()], kink_tolerance=10.0)
    assert strict["agreement"]["WG5"]["kink_share"] == 0
    assert strict["agreement"]["WG5"]["max_rel"] > 1e-3


def wg5():
    return create_operator("wg2", cell_count=3, predictors=("WG5",))


def test_a_variable_defined_nowhere_is_null(domain):
    d = domain()
    d.parameters.vegetation.vegetated.fill_(False)
    d.state.leaf_area_index.zero_()
    report = compare_jacobians(d.model, d.grid, d.state, d.window, operators()[:1])
    assert report["agreement"]["LAI"] == {"max_rel": None, "median_rel": None, "kink_share": None}
    assert report["agreement"]["WG2"]["max_rel"] < 1e-6


def test_errors_are_relative_to_the_row_of_the_cell(toy):
    grid = toy.grid([[7, 10], [4]], [[0.5, 0.5], [1.0]])
    H = torch.tensor([[[1.0, -4.0, 0.0], [2.0, 0.5, 0.0]]])
    largest = row_maximum(grid, H)
    assert largest.tolist() == [[[4.0, 4.0, 0.0]]]
    assert relative(torch.tensor([[[1.0, 0.0, 0.0]]]), largest).tolist() == [[[0.25, 0.0, 0.0]]]
    assert relative(torch.tensor([[[0.0, 0.0, 1e-9]]]), largest)[0, 0, 2] == torch.inf


def test_memory_is_the_rise_of_the_peak():
    size = 200 * 2**20
    cost = measure(lambda: torch.ones(size, dtype=torch.uint8), torch.device("cpu"))
    assert 0.9 * size < cost.peak_memory_bytes < 1.3 * size
    assert cost.seconds > 0
    small = measure(lambda: torch.ones(8), torch.device("cpu"))
    assert small.peak_memory_bytes < 0.1 * size


def test_of_several_calls_the_shortest_counts():
    pauses = iter([0.2, 0.01, 0.1])
    assert 0.01 <= measure(lambda: time.sleep(next(pauses)), torch.device("cpu"), 3).seconds < 0.1
