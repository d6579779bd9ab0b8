"""Training all cells together equals training each cell alone."""

import pytest
import torch

from dalearn.learning.settings import TrainingSettings
from dalearn.learning.train import train_operator
from dalearn.operators import create_operator

LEARNABLE = [0, 1, 2]
TOLERANCE = 1.0e-10


def operator_of(name, cells, dtype=torch.float64):
    options = {"seed": 5, "cell_identifiers": cells} if name == "network" else {}
    predictors = ["WG2", "LAI"] if name == "water_cloud" else ["WG2", "TG2", "LAI"]
    return create_operator(name, cell_count=len(cells), predictors=predictors, dtype=dtype, **options)


def columns(operator):
    return [("WG2", "TG2", "LAI").index(name) for name in operator.predictors]


@pytest.mark.parametrize("name", ["network", "linear", "water_cloud"])
def test_joint_equals_separate(name, case):
    settings = TrainingSettings(epochs=25, batch_size=32, learning_rate=5e-3, progress=False)
    whole = operator_of(name, [0, 1, 2, 3])
    predictors = case.predictors[..., columns(whole)]
    joint = train_operator(whole, predictors, case.target, settings, time=case.time)
    for cell in LEARNABLE:
        alone = train_operator(
            operator_of(name, [cell]), predictors[:, [cell]], case.target[:, [cell]], settings, time=case.time
        )
        for parameter, weight in alone.operator.named_parameters():
            together = dict(joint.operator.named_parameters())[parameter][[cell]]
            torch.testing.assert_close(together, weight, rtol=TOLERANCE, atol=TOLERANCE)
        torch.testing.assert_close(
            joint.validation_rmsd[:, [cell]], alone.validation_rmsd, rtol=TOLERANCE, atol=TOLERANCE
        )
        assert joint.best_epoch[cell] == alone.best_epoch[0]


def test_gaps_weigh_nothing(case):
    """A cell with missing samples learns what it would learn from its complete samples alone."""
    settings = TrainingSettings(epochs=60, batch_size=1000, progress=False, validation_share=0.0)
    joint = train_operator(operator_of("network", [0, 1, 2]), case.predictors[:, :3], case.target[:, :3], settings)
    present = torch.isfinite(case.target[:, 1])
    alone = train_operator(
        operator_of("network", [1]), case.predictors[present][:, [1]], case.target[present][:, [1]], settings
    )
    for parameter, weight in alone.operator.named_parameters():
        together = dict(joint.operator.named_parameters())[parameter][[1]]
        torch.testing.assert_close(together, weight, rtol=TOLERANCE, atol=TOLERANCE)
