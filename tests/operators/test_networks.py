"""The per-cell and the shared network, and their normalisation."""

import pytest
import torch

from dalearn.errors import InputError
from dalearn.operators import create_operator

DOUBLE = torch.float64


def test_parameters_have_the_published_layout():
    operator = create_operator("network", cell_count=5)
    shapes = {name: tuple(weight.shape) for name, weight in operator.named_parameters()}
    assert shapes == {"W1": (5, 3, 40), "b1": (5, 40), "W2": (5, 40), "b2": (5,)}


@pytest.mark.parametrize(("layers", "units", "activation"), [(1, 40, "relu"), (2, 7, "tanh"), (3, 5, "gelu")])
def test_batched_equals_a_loop_over_ordinary_networks(layers, units, activation, draw, fitted):
    operator = fitted(
        create_operator("network", cell_count=4, hidden_layers=layers, hidden_units=units, activation=activation)
    )
    predictors = draw(operator, 9)
    modules = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "gelu": torch.nn.GELU}
    normal = operator.normalisation
    for cell in range(4):
        parts, inputs = [], 3
        for number in range(1, layers + 1):
            parts += [torch.nn.Linear(inputs, units, dtype=DOUBLE), modules[activation]()]
            parts[-2].weight.data = getattr(operator, f"W{number}").data[cell].T
            parts[-2].bias.data = getattr(operator, f"b{number}").data[cell]
            inputs = units
        parts.append(torch.nn.Linear(units, 1, dtype=DOUBLE))
        parts[-1].weight.data = getattr(operator, f"W{layers + 1}").data[cell].unsqueeze(0)
        parts[-1].bias.data = getattr(operator, f"b{layers + 1}").data[cell].unsqueeze(0)
        inside = predictors[:, cell].clamp(
            operator.predictor_range.predictor_minimum[cell], operator.predictor_range.predictor_maximum[cell]
        )
        score = torch.nn.Sequential(*parts)((inside - normal.predictor_mean[cell]) / normal.predictor_std[cell])
        expected = normal.target_mean[cell] + normal.target_std[cell] * score.squeeze(1)
        torch.testing.assert_close(operator(predictors)[:, cell], expected, rtol=1e-12, atol=1e-12)


def test_initial_weights_belong_to_the_cell_not_to_the_subset():
    domain = create_operator("network", cell_count=6, seed=3)
    part = create_operator("network", cell_count=2, seed=3, cell_identifiers=[4, 1])
    for name, weight in part.named_parameters():
        assert torch.equal(weight, dict(domain.named_parameters())[name][[4, 1]])
    other = create_operator("network", cell_count=6, seed=4)
    assert not torch.equal(other.W1, domain.W1)
    assert not torch.equal(domain.W1[0], domain.W1[1])


def test_normalisation_is_per_cell_and_ignores_missing_samples(rng):
    operator = create_operator("network", cell_count=2, predictors=["WG2"])
    predictors = torch.from_numpy(rng.normal(size=(50, 2, 1)) * [[1.0], [5.0]])
    target = torch.from_numpy(rng.normal(size=(50, 2)))
    target[:20, 1] = torch.nan
    predictors[0, 0, 0] = torch.nan
    operator.fit_statistics(predictors, target)
    normal = operator.normalisation
    for cell, kept in ((0, slice(1, None)), (1, slice(20, None))):
        torch.testing.assert_close(normal.predictor_mean[cell, 0], predictors[kept, cell, 0].mean())
        torch.testing.assert_close(normal.predictor_std[cell, 0], predictors[kept, cell, 0].std(correction=0))
        torch.testing.assert_close(normal.target_mean[cell], target[kept, cell].mean())
        torch.testing.assert_close(normal.target_std[cell], target[kept, cell].std(correction=0))


def test_a_predictor_that_never_varied_has_no_influence(draw):
    operator = create_operator("network", cell_count=2, out_of_range="drop")
    predictors = draw(operator, 30)
    predictors[:, 0, 1] = 285.1
    operator.fit_statistics(predictors, predictors[..., 0] * 3.0)
    assert operator.normalisation.predictor_std[0, 1] == 0.0
    sample = predictors[0].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(operator(sample).sum(), sample)
    assert bool(torch.isfinite(gradient).all())
    assert gradient[0, 1] == 0.0
    assert gradient[1, 1] != 0.0


@pytest.mark.parametrize("name", ["network", "linear"])
def test_cells_without_samples_predict_a_mean_and_are_flagged(name, draw):
    operator = create_operator(name, cell_count=3)
    predictors = draw(operator, 30)
    target = torch.linspace(-12.0, -8.0, 30, dtype=DOUBLE).unsqueeze(1).repeat(1, 3)
    target[:, 1] = torch.nan
    target[5:, 2] = torch.nan
    operator.fit_statistics(predictors, target, minimum_samples=10)
    assert operator.trained.tolist() == [True, False, False]
    sample = predictors[3].clone().requires_grad_()
    prediction = operator(sample)
    torch.testing.assert_close(prediction[1], torch.cat([target[:, 0], target[:5, 2]]).mean())
    torch.testing.assert_close(prediction[2], target[:5, 2].mean())
    (gradient,) = torch.autograd.grad(prediction.sum(), sample)
    assert gradient[1:].abs().max() == 0.0


def test_shared_network_is_one_network_with_pooled_statistics(draw, fitted):
    operator = fitted(create_operator("shared_network", cell_count=4, hidden_units=6))
    assert operator.W1.shape == (3, 6)
    assert operator.normalisation.predictor_mean.shape == (1, 3)
    predictors = draw(operator, 5).clamp(
        operator.predictor_range.predictor_minimum.amax(dim=0), operator.predictor_range.predictor_maximum.amin(dim=0)
    )
    everywhere = predictors[:, :1].expand(-1, 4, -1)
    result = operator(everywhere)
    torch.testing.assert_close(result, result[:, :1].expand(-1, 4))
    assert operator.select_cells([1, 3])(everywhere[:, :2]).shape == (5, 2)


@pytest.mark.parametrize("options", [{"hidden_layers": 0}, {"hidden_units": 0}, {"activation": "step"}])
def test_impossible_layouts_are_refused(options):
    with pytest.raises(InputError, match=r"hidden_layers|unknown activation"):
        create_operator("network", cell_count=1, **options)


def test_identifiers_must_fit_the_cells():
    with pytest.raises(ValueError, match="2 cell identifiers for 3 cells"):
        create_operator("network", cell_count=3, cell_identifiers=[0, 1])
