"""Training from several initial weights at once."""

import pytest
import torch

from dalearn.learning.ensemble import train_ensemble
from dalearn.learning.settings import TrainingSettings
from dalearn.learning.train import train_operator
from dalearn.operators import create_operator

QUICK = TrainingSettings(epochs=15, batch_size=64, progress=False)


@pytest.mark.parametrize("name", ["network", "shared_network"])
def test_each_member_is_the_training_from_its_seed(name, case):
    operator = create_operator(name, cell_count=4)
    results = train_ensemble(operator, case.predictors, case.target, QUICK, seeds=(3, 8), time=case.time)
    for seed, result in zip((3, 8), results, strict=True):
        alone = train_operator(
            create_operator(name, cell_count=4, seed=seed), case.predictors, case.target, QUICK, time=case.time
        )
        predictors = torch.nan_to_num(case.predictors, nan=0.2)
        torch.testing.assert_close(result.operator(predictors), alone.operator(predictors), rtol=1e-9, atol=1e-9)
        assert torch.equal(result.best_epoch, alone.best_epoch)
        assert result.validation_rmsd.shape == (15, 4)
    assert not torch.equal(results[0].operator.W1, results[1].operator.W1)
