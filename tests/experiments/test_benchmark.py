"""The benchmark: what it measures, what it leaves out, and its table."""

import numpy as np
import pytest
import torch

from dalearn.experiments import benchmark
from dalearn.experiments.benchmark import benchmark_table, run_benchmark
from dalearn.experiments.benchmark_case import START


@pytest.fixture(scope="module")
def result() -> dict:
    """Of two hours in place of a day, every call once."""
    with pytest.MonkeyPatch.context() as change:
        change.setattr(benchmark, "END", START + np.timedelta64(2, "h"))
        change.setattr(benchmark, "MINIMUM_SECONDS", 1e-9)
        return run_benchmark([8], eager_only=True, limit=1e9)


def test_every_back_end_is_measured_where_it_can_be(result):
    rows = [(row["dtype"], row["what"], row["jacobian"], row["observed"]) for row in result["rows"]]
    windows = [(backend, count) for backend in ("autograd", "finite_differences") for count in (1, 2)]
    expected = [("float32", "forward", None, None), *(("float32", "window", "autograd", n) for n in (1, 2))]
    expected += [("float64", "forward", None, None), *(("float64", "window", *window) for window in windows)]
    assert rows == expected


def test_ratios_are_those_of_the_times(result):
    for row in result["rows"]:
        assert row["cells"] == 2
        steps = row["columns"] * 4
        assert row["microseconds_per_column_step"] == pytest.approx(1e6 * row["cpu_seconds"] / steps)
        assert row["column_steps_per_second"] == pytest.approx(steps / row["seconds"])
        if row["what"] == "forward":
            assert row["faster_than_surfex"] == pytest.approx(9.5 / row["microseconds_per_column_step"])
        # LDAS-Monde was timed with 100 cells and more
        assert row["faster_than_ldas_monde"] is None


def test_the_table_has_a_line_per_row(result):
    heading, names, *lines = benchmark_table(result).splitlines()
    assert "threads" in heading
    assert len(lines) == len(result["rows"])
    assert "x SURFEX" in names
    assert lines[1].startswith("cpu float32 eager    autograd, 1 obs")


def test_what_takes_too_long_or_does_not_fit_is_left_out(monkeypatch, caplog):
    assert run_benchmark([8], dtypes=[torch.float64], eager_only=True, limit=1e-9)["rows"] == []
    monkeypatch.setattr(benchmark, "free_memory", lambda device: 1000)
    assert run_benchmark([8], dtypes=[torch.float64], eager_only=True)["rows"] == []
    assert "do not fit into the memory" in caplog.text
