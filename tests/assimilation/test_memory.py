"""The number of cells worked on at a time, from the memory that is free."""

import pytest
import torch

from dalearn.assimilation import memory
from dalearn.assimilation.jacobian import WindowJacobian
from dalearn.assimilation.memory import automatic_chunk, free_memory, saved_bytes_per_column
from dalearn.land.model import LandModel
from dalearn.operators import create_operator
from tests.land.test_model import all_types, weather


@pytest.fixture
def free(monkeypatch):
    """Sets how many bytes are free."""

    def set_free(size):
        monkeypatch.setattr(memory, "free_memory", lambda device: size)

    return set_free


def test_free_memory_is_less_than_what_the_machine_has():
    assert 1 << 20 < free_memory(torch.device("cpu")) < 1 << 50


def test_free_memory_heeds_the_limit_of_the_process_group(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    assert free_memory(torch.device("cpu")) == 3000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(torch.device("cpu")) > 3000


@pytest.mark.parametrize(
    ("size", "cells"),
    [
        (1e12, 3),  # all
        (2 * 4 * 100, 2),  # 4 of the 6 columns: 2 cells
        (2 * 2 * 100, 1),
        (2, 1),  # never less than a cell
    ],
)
def test_half_of_the_free_memory_is_used(domain, free, size, cells):
    free(size)
    assert automatic_chunk(domain().grid, 100.0) == cells


def test_copies_count(domain, free):
    free(2 * 6 * 100)
    assert automatic_chunk(domain().grid, 100.0) == 3
    assert automatic_chunk(domain().grid, 100.0, copies=9) == 1


def test_chunks_are_of_equal_size(toy, free, monkeypatch):
    grid = toy.grid([[4]] * 10, [[1.0]] * 10)
    free(1e12)
    monkeypatch.setattr(memory, "CACHED_ROW", 64)
    assert automatic_chunk(grid, 1.0) == 5  # two chunks of 5, not 8 and 2
    assert automatic_chunk(grid, 1.0, item_size=4) == 10


def test_saved_bytes_do_not_depend_on_the_number_of_columns(domain):
    d = domain(curvature=0.05)
    whole = saved_bytes_per_column(d.model, d.grid, d.state, d.window)
    # the state itself has more than 40 rows
    assert 100 < whole < 20000


def test_saved_bytes_of_the_real_model_are_fewer_than_assumed_without_a_trial(toy):
    parameters = all_types()
    model = LandModel(parameters, compiled=False)
    columns = parameters.wind_height.shape[0]
    grid = toy.grid([[4]] * columns, [[1.0]] * columns)
    state = model.initial_state(temperature=torch.full((columns,), 284.0, dtype=torch.float64))

    class Steady:
        first_of_day = (False,)

        def forcing(self, step, cell_of_column):
            return weather(len(cell_of_column))

    saved = saved_bytes_per_column(model, grid, state, Steady())
    # every layer of temperature, moisture and ice, in every sub-step
    assert 8 * 3 * 14 * model.options.energy_substeps < saved < memory.LARGEST_STEP


@pytest.mark.parametrize("backend", ["finite_differences", "autograd"])
def test_a_domain_too_large_for_the_memory_is_worked_on_in_parts(domain, free, backend):
    d = domain(curvature=0.05)
    operators = [create_operator("wg2", cell_count=3)]
    free(1e12)
    whole = WindowJacobian(d.grid, operators, backend=backend)
    assert whole.chunk_size(d.model, d.state, d.window) == 3
    free(4096)
    parts = WindowJacobian(d.grid, operators, backend=backend)
    assert parts.chunk_size(d.model, d.state, d.window) == 1
    torch.testing.assert_close(
        parts(d.model, d.state, d.window).jacobian,
        whole(d.model, d.state, d.window).jacobian,
        rtol=1e-8,
        atol=1e-9,
    )
