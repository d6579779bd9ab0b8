"""Agreement of two series, in blocks."""

import numpy as np
import pytest

from dalearn.experiments.parity_statistics import Agreement


def test_blocks_give_the_statistics_of_the_whole(rng: np.random.Generator) -> None:
    reference = rng.normal(3.0, 2.0, (1000, 4))
    model = reference + rng.normal(0.1, 0.5, reference.shape)
    reference[::7, 1] = model[::7, 1] = np.nan
    agreement = Agreement()
    for rows in np.split(np.arange(1000), [1, 10, 500]):
        agreement.add(model[rows], reference[rows])
    summary = agreement.summary()
    known = np.isfinite(reference)
    difference = (model - reference)[known]
    assert summary["n"] == known.sum()
    assert summary["bias"] == pytest.approx(difference.mean(), rel=1e-12)
    assert summary["rmse"] == pytest.approx(np.sqrt(np.mean(difference**2)), rel=1e-12)
    assert summary["max_abs"] == np.abs(difference).max()
    assert summary["reference_max"] == np.abs(reference[known]).max()
    assert summary["r"] == pytest.approx(np.corrcoef(model[known], reference[known])[0, 1], rel=1e-12)


def test_correlation_of_small_changes_of_a_large_number(rng: np.random.Generator) -> None:
    changes = rng.normal(0.0, 1e-3, 4000)
    agreement = Agreement()
    for block in changes.reshape(8, -1):
        agreement.add(1e5 + 2.0 * block, 1e5 + block)
    assert agreement.summary()["r"] == pytest.approx(1.0, abs=1e-9)


def test_undefined_statistics_are_none() -> None:
    empty = Agreement()
    empty.add(np.full(3, np.nan), np.full(3, np.nan))
    assert empty.summary() == {
        "rmse": None, "bias": None, "max_abs": None, "r": None, "n": 0, "reference_max": None
    }  # fmt: skip
    constant = Agreement()
    constant.add(np.full(5, 0.1), np.full(5, 0.1))
    assert constant.summary()["r"] is None
    assert constant.summary()["rmse"] == 0.0
