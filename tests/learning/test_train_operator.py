"""What a training returns."""

import logging
import sys

import netCDF4
import numpy as np
import pytest
import torch

from dalearn.errors import InputError
from dalearn.learning.record import save_training
from dalearn.learning.settings import TrainingSettings
from dalearn.learning.train import train_operator
from dalearn.operators import ObservationOperator, create_operator

QUICK = TrainingSettings(epochs=40, batch_size=32, learning_rate=1e-2, progress=False)


def rmsd(operator, predictors, target):
    with torch.no_grad():
        error = operator(torch.nan_to_num(predictors)) - target
    valid = torch.isfinite(target) & torch.isfinite(predictors).all(dim=-1)
    return (torch.where(valid, error, 0.0).square().sum(dim=0) / valid.sum(dim=0)).sqrt()


@pytest.fixture
def result(case):
    return train_operator(create_operator("network", cell_count=4), case.predictors, case.target, QUICK, time=case.time)


def test_learns(result, case):
    assert bool((result.training_rmsd[-1, :3] < 0.15).all())
    assert bool((result.training_rmsd[0, :3] > 0.2).any())
    assert bool((rmsd(result.operator, case.predictors, case.target)[:3] < 0.15).all())


def test_every_cell_has_its_best_weights(result, case):
    validation = result.validation
    reached = rmsd(result.operator, case.predictors[validation], case.target[validation])[:3]
    torch.testing.assert_close(reached, result.validation_rmsd[:, :3].amin(dim=0))
    torch.testing.assert_close(result.validation_rmsd[:, :3].argmin(dim=0) + 1, result.best_epoch[:3])
    assert len(set(result.best_epoch[:3].tolist())) > 1


def test_cells_without_enough_samples_are_flagged(result, case):
    assert result.trained.tolist() == [True, True, True, False]
    assert result.operator.trained.tolist() == [True, True, True, False]
    assert result.best_epoch[3] == 0
    assert bool(result.training_rmsd[:, 3].isnan().all())
    for weight in result.operator.state_dict().values():
        assert not bool(weight.isnan().any())
    prediction = result.operator(torch.nan_to_num(case.predictors, nan=0.2))[:, 3]
    kept = ~result.validation[:3]
    torch.testing.assert_close(prediction, case.target[:3, 3][kept].mean().expand(240))


def test_range_and_statistics_are_those_of_the_training_samples(result, case):
    kept = case.predictors[~result.validation][:, 0]
    bounds = result.operator.predictor_range
    torch.testing.assert_close(bounds.predictor_minimum[0], kept.amin(dim=0))
    torch.testing.assert_close(bounds.predictor_maximum[0], kept.amax(dim=0))
    torch.testing.assert_close(result.operator.normalisation.predictor_mean[0], kept.mean(dim=0))


def test_the_operator_passed_in_is_untouched_and_training_repeats(case):
    operator = create_operator("network", cell_count=4)
    before = operator.W1.detach().clone()
    first = train_operator(operator, case.predictors, case.target, QUICK)
    torch.rand(3)
    again = train_operator(operator, case.predictors, case.target, QUICK)
    assert torch.equal(operator.W1, before)
    assert torch.equal(first.operator.W1, again.operator.W1)
    assert not any(weight.requires_grad for weight in first.operator.parameters())


def test_without_validation_the_last_weights_stay(case):
    settings = TrainingSettings(epochs=15, batch_size=64, validation_share=0.0, progress=False)
    result = train_operator(create_operator("network", cell_count=4), case.predictors, case.target, settings)
    assert result.best_epoch.tolist() == [15, 15, 15, 0]
    assert bool(result.validation_rmsd.isnan().all())
    assert len(result.training_rmsd) == 15


def test_cell_without_validation_samples_keeps_its_last_weights(case):
    validation = np.zeros(240, dtype=bool)
    validation[40:90] = True
    result = train_operator(
        create_operator("network", cell_count=4), case.predictors, case.target, QUICK, validation=validation
    )
    assert result.best_epoch[1] == QUICK.epochs
    assert bool(result.trained[1])
    assert bool(result.validation_rmsd[:, 1].isnan().all())


def test_shared_network_is_judged_as_one(case):
    result = train_operator(create_operator("shared_network", cell_count=4), case.predictors, case.target, QUICK)
    score = result.validation_rmsd.square().nanmean(dim=1)
    assert result.best_epoch.tolist() == [int(score.argmin()) + 1] * 3 + [0]
    reached = rmsd(result.operator, case.predictors[result.validation], case.target[result.validation])
    torch.testing.assert_close(reached[:3], result.validation_rmsd[score.argmin(), :3])


def test_water_cloud_finds_its_parameters(case):
    truth = create_operator("water_cloud", cell_count=4, A=0.05, B=0.2, C=-18.0, D=50.0)
    predictors = torch.nan_to_num(case.predictors[..., [0, 2]], nan=0.2)
    with torch.no_grad():
        target = truth(predictors)
    settings = TrainingSettings(epochs=120, batch_size=32, learning_rate=5e-2, progress=False)
    result = train_operator(
        create_operator("water_cloud", cell_count=4, out_of_range="drop"), predictors, target, settings
    )
    assert bool((result.validation_rmsd.amin(dim=0) < 0.02).all())
    torch.testing.assert_close(result.operator.parameter("D"), truth.parameter("D"), rtol=0.05, atol=0.0)


def test_linear_reaches_the_closed_form(case):
    settings = TrainingSettings(epochs=100, batch_size=32, learning_rate=1e-2, progress=False, validation_share=0.0)
    trained = train_operator(create_operator("linear", cell_count=4), case.predictors, case.target, settings)
    closed = create_operator("linear", cell_count=4)
    closed.fit(case.predictors, case.target, settings.minimum_samples)
    expected = rmsd(closed, case.predictors, case.target)[:3]
    torch.testing.assert_close(rmsd(trained.operator, case.predictors, case.target)[:3], expected, rtol=0.01, atol=0.0)


def test_single_precision(case):
    operator = create_operator("network", cell_count=4, dtype=torch.float32)
    result = train_operator(operator, case.predictors, case.target, QUICK)
    assert result.operator.W1.dtype == torch.float32
    assert bool((result.validation_rmsd[:, :3].amin(dim=0) < 0.2).all())


def test_nothing_to_train_is_said_plainly(case):
    with pytest.raises(InputError, match="'wg2' has no parameters"):
        train_operator(create_operator("wg2", cell_count=4), case.predictors[..., :1], case.target, QUICK)
    with pytest.raises(InputError, match="periods overlap"):
        train_operator(create_operator("network", cell_count=4), case.predictors, case.target * np.nan, QUICK)
    with pytest.raises(ValueError, match=r"\(sample, 2, 3\)"):
        train_operator(create_operator("network", cell_count=2), case.predictors, case.target, QUICK)


def test_a_diverging_cell_is_named(case):
    class Overflowing(ObservationOperator):
        predictors = ("WG2", "TG2", "LAI")
        quantity = "sigma0"

        def __init__(self, cell_count, **options):
            super().__init__(cell_count, **options)
            self.slope = self.cell_parameter(torch.tensor([1.0, 1.0, 1e200]))

        def forward(self, predictors):
            return predictors[..., 0] * self.slope

    with pytest.raises(InputError, match="cell 2 is not finite in epoch 1"):
        train_operator(Overflowing(3), case.predictors[:, :3], case.target[:, :3], QUICK)


def test_weights_shared_between_cells_must_be_declared(case):
    class Undeclared(ObservationOperator):
        predictors = ("WG2", "TG2", "LAI")
        quantity = "sigma0"

        def __init__(self, cell_count, **options):
            super().__init__(cell_count, **options)
            self.slope = torch.nn.Parameter(torch.ones(3, dtype=self.dtype))

        def forward(self, predictors):
            return predictors @ self.slope

    with pytest.raises(ValueError, match="independent_cells = False"):
        train_operator(Undeclared(4), case.predictors, case.target, QUICK)


def test_progress_is_logged_without_the_chatter_of_the_trainer(case, caplog, capsys):
    settings = TrainingSettings(epochs=20, batch_size=64)
    with caplog.at_level(logging.INFO):
        train_operator(create_operator("network", cell_count=4), case.predictors, case.target, settings)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 10
    assert all(line.startswith("epoch ") and "dB" in line for line in lines)
    assert capsys.readouterr().out == ""


def test_progress_bar_on_a_terminal(case, capsys, caplog, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with caplog.at_level(logging.INFO):
        train_operator(
            create_operator("network", cell_count=4), case.predictors, case.target, TrainingSettings(epochs=5)
        )
    assert "training: " in capsys.readouterr().err
    assert caplog.records == []


def test_training_can_go_on_from_a_trained_operator(result, case):
    further = train_operator(result.operator, case.predictors, case.target, QUICK, time=case.time)
    assert bool((further.validation_rmsd[0, :3] < result.validation_rmsd[0, :3]).all())
    assert not torch.equal(further.operator.W1, result.operator.W1)


def test_csv_log_on_request(case, tmp_path):
    settings = TrainingSettings(epochs=3, batch_size=64, progress=False, log_directory=str(tmp_path))
    train_operator(create_operator("network", cell_count=4), case.predictors, case.target, settings)
    (metrics,) = tmp_path.rglob("metrics.csv")
    assert "validation_rmsd" in metrics.read_text()


def test_the_course_of_a_training_is_written(result, tmp_path):
    save_training(result, tmp_path / "training.nc", latitude=np.arange(4.0), longitude=np.arange(4.0))
    with netCDF4.Dataset(tmp_path / "training.nc") as file:
        assert file["validation_rmsd"].dimensions == ("epoch", "cell")
        assert file["validation_rmsd"].units == "dB"
        np.testing.assert_array_equal(file["best_epoch"][:], result.best_epoch.numpy())


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("learning_rate", -1.0), ("validation_share", 0.9), ("accelerator", "tpu"), ("weight_decay", -1)],
)
def test_settings_are_checked(name, value):
    with pytest.raises(InputError, match=name):
        TrainingSettings(**{name: value})
