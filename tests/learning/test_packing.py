"""Samples moved together, patience, and operators with a penalty."""

import dataclasses

import numpy as np
import torch

from dalearn.learning.packing import pack_samples
from dalearn.learning.settings import TrainingSettings
from dalearn.learning.train import train_operator
from dalearn.operators import create_operator

SETTINGS = TrainingSettings(epochs=60, batch_size=32, learning_rate=0.01, minimum_samples=20, progress=False)


def test_every_complete_sample_is_kept_once_and_in_order(rng):
    predictors, target = rng.normal(size=(30, 4, 2)), rng.normal(size=(30, 4))
    target[rng.uniform(size=(30, 4)) < 0.5] = np.nan
    predictors[3, 2, 1] = np.nan
    target[:, 3] = np.nan
    validation = rng.uniform(size=30) < 0.3
    packed = pack_samples(predictors, target, validation)
    complete = np.isfinite(target) & np.isfinite(predictors).all(axis=-1)
    for cell in range(4):
        for chosen in (False, True):
            rows = complete[:, cell] & (validation == chosen)
            there = np.isfinite(packed.target[:, cell]) & (packed.validation == chosen)
            np.testing.assert_array_equal(packed.target[there, cell], target[rows, cell])
            np.testing.assert_array_equal(packed.predictors[there, cell], predictors[rows, cell])
    assert len(packed.target) == sum(
        (complete & (validation == chosen)[:, None]).sum(0).max() for chosen in (False, True)
    )
    assert len(packed.target) < 30


def test_packed_samples_train_the_same_operator(case):
    """All samples in one batch: their order does not matter."""
    settings = dataclasses.replace(SETTINGS, batch_size=1000, epochs=20)
    validation = np.arange(len(case.target)) % 5 == 0
    packed = pack_samples(case.predictors.numpy(), case.target.numpy(), validation)
    operator = create_operator("network", cell_count=4)
    apart = train_operator(operator, case.predictors, case.target, settings, validation=validation)
    together = train_operator(
        operator,
        torch.from_numpy(packed.predictors),
        torch.from_numpy(packed.target),
        settings,
        validation=packed.validation,
    )
    assert torch.equal(apart.trained, together.trained)
    known = apart.trained
    torch.testing.assert_close(
        apart.operator(case.predictors[:20].nan_to_num())[:, known],
        together.operator(case.predictors[:20].nan_to_num())[:, known],
        rtol=1e-6, atol=1e-6,
    )  # fmt: skip


def test_patience_ends_the_training_and_leaves_cells_independent(case):
    arguments = {"settings": SETTINGS, "time": case.time, "patience": 4}
    operator = create_operator("network", cell_count=4)
    joint = train_operator(operator, case.predictors, case.target, **arguments)
    full = train_operator(operator, case.predictors, case.target, SETTINGS, time=case.time)
    assert len(joint.training_rmsd) < len(full.training_rmsd)
    for cell in (0, 2):
        alone = create_operator("network", cell_count=1, cell_identifiers=[cell])
        one = train_operator(alone, case.predictors[:, [cell]], case.target[:, [cell]], **arguments)
        assert int(one.best_epoch[0]) == int(joint.best_epoch[cell])
        assert len(one.training_rmsd) == int(one.best_epoch[0]) + 5
        torch.testing.assert_close(one.operator.W1[0], joint.operator.W1[cell])


def test_shrinkage_holds_the_cells_together(case):
    deviation = {}
    for shrinkage in (0.0, 1e6):
        operator = create_operator(
            "hierarchical_network", cell_count=4, shrinkage=shrinkage, hidden_units=[8, 6], embedding=2
        )
        result = train_operator(operator, case.predictors, case.target, SETTINGS, time=case.time)
        deviation[shrinkage] = float(result.operator.deviation[result.trained].abs().mean())
        assert result.trained.tolist() == [True, True, True, False]
    assert deviation[1e6] < 0.05 * deviation[0.0]


def test_training_fits_the_error_on_samples_set_aside(case):
    operator = create_operator("hierarchical_network", cell_count=4, hidden_units=[8, 6], embedding=2)
    result = train_operator(operator, case.predictors, case.target, SETTINGS, time=case.time)
    predictors, target = case.predictors[result.validation], case.target[result.validation]
    known = torch.isfinite(target) & torch.isfinite(predictors).all(-1) & result.trained
    filled = predictors.nan_to_num()
    error = (result.operator(filled) - target)[known]
    predicted = result.operator.error_deviation(filled)[known]
    assert 0.8 < float((error / predicted).square().mean()) < 1.25
