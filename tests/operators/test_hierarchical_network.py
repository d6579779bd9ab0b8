"""The hierarchical network: its equation, its shrinkage, its error and their derivatives."""

import pytest
import torch

from dalearn.errors import InputError
from dalearn.operators import create_operator
from dalearn.operators.predicted_error import LARGEST_RATIO, PredictedError

DOUBLE = torch.float64
SMALL = {"hidden_units": [6, 5], "embedding": 2}


@pytest.fixture
def unlike(fitted):
    """A fitted operator of four cells that all differ."""
    operator = fitted(create_operator("hierarchical_network", cell_count=4, **SMALL))
    with torch.no_grad():
        for parameter in (operator.deviation, operator.offset, operator.error.level, operator.error.curvature):
            parameter.normal_(0.0, 0.3)
        operator.error.slope.normal_(0.0, 0.1)
    return operator


def test_it_is_the_equation(unlike, draw):
    predictors = draw(unlike, 7)
    normal, silu = unlike.normalisation, torch.nn.functional.silu
    for cell in range(4):
        inside = predictors[:, cell].clamp(
            unlike.predictor_range.predictor_minimum[cell], unlike.predictor_range.predictor_maximum[cell]
        )
        z = (inside - normal.predictor_mean[0]) / normal.predictor_std[0]
        first = silu(z @ unlike.W1 + unlike.embedding[cell] @ unlike.embedding_weight + unlike.b1)
        second = silu(first @ unlike.W2 + unlike.b2)
        score = second @ (unlike.head + unlike.deviation[cell]) + unlike.offset[cell]
        expected = unlike.target_mean[cell] + unlike.target_std * score
        torch.testing.assert_close(unlike(predictors)[:, cell], expected, rtol=1e-12, atol=1e-12)


def test_statistics_are_means_of_cells_and_the_spread_within_them(rng):
    operator = create_operator("hierarchical_network", cell_count=3, predictors=["WG2"], **SMALL)
    predictors = torch.from_numpy(rng.normal(0.25, 0.05, (80, 3, 1)))
    target = torch.from_numpy(rng.normal([-12.0, -9.0, -6.0], 0.7, (80, 3)))
    target[:30, 1] = torch.nan
    operator.fit_statistics(predictors, target)
    torch.testing.assert_close(operator.target_mean, target.nanmean(dim=0))
    within = (target - target.nanmean(dim=0)).square().nanmean().sqrt()
    torch.testing.assert_close(operator.target_std, within)
    assert operator.sample_count.tolist() == [80.0, 50.0, 80.0]


def test_the_penalty_shrinks_cells_with_few_samples_more():
    operator = create_operator("hierarchical_network", cell_count=2, shrinkage=6.0, embedding_shrinkage=2.0, **SMALL)
    with torch.no_grad():
        operator.target_std.fill_(0.5)
        operator.sample_count.copy_(torch.tensor([10.0, 100.0]))
        operator.deviation.fill_(0.2)
        operator.embedding.fill_(0.1)
    expected = 0.25 * (6.0 * 5 * 0.04 + 2.0 * 2 * 0.01) / torch.tensor([10.0, 100.0], dtype=DOUBLE)
    torch.testing.assert_close(operator.penalty(), expected)


def test_cells_can_be_chosen(unlike, draw):
    predictors = draw(unlike, 9)
    part = unlike.select_cells([3, 1, 3])
    torch.testing.assert_close(part(predictors[:, [3, 1, 3]]), unlike(predictors)[:, [3, 1, 3]])
    deviation = unlike.error_deviation(predictors)[:, [3, 1, 3]]
    torch.testing.assert_close(part.error_deviation(predictors[:, [3, 1, 3]]), deviation)


def test_initial_embeddings_belong_to_the_cell(draw):
    domain = create_operator("hierarchical_network", cell_count=6, seed=3, **SMALL)
    part = create_operator("hierarchical_network", cell_count=2, seed=3, cell_identifiers=[4, 1], **SMALL)
    assert torch.equal(part.embedding, domain.embedding[[4, 1]])
    assert torch.equal(part.W2, domain.W2)
    assert not torch.equal(create_operator("hierarchical_network", cell_count=6, seed=4, **SMALL).W1, domain.W1)


def test_the_predicted_error_has_the_right_derivatives(unlike, draw):
    predictors = draw(unlike, 3).requires_grad_()
    parameters = (unlike.error.level, unlike.error.slope, unlike.error.curvature)

    def deviation(values, *_):
        return unlike.error_deviation(values)

    assert torch.autograd.gradcheck(deviation, (predictors, *parameters))


def test_the_error_outside_the_training_range_is_that_of_its_edge(unlike):
    bounds = unlike.predictor_range
    edge, beyond = bounds.predictor_maximum.clone(), bounds.predictor_maximum + torch.tensor([0.2, 30.0, 4.0])
    assert torch.equal(unlike.error_deviation(beyond), unlike.error_deviation(edge))


def test_a_known_error_is_found(rng):
    count, level = 4000, torch.tensor([0.3, 0.5], dtype=DOUBLE)
    score = torch.from_numpy(rng.normal(size=(count, 2, 3)))
    sigma = level * torch.exp(0.15 * score[..., 2] - 0.05 * score[..., 0] ** 2)
    valid = torch.from_numpy(rng.uniform(size=(count, 2)) < 0.8)
    error = torch.where(valid, sigma * torch.from_numpy(rng.normal(size=(count, 2))), torch.nan)
    predicted = PredictedError(2, 3, torch.float32)
    predicted.fit(score, error, valid)
    usual = score.abs().amax(dim=-1) < 1.0
    ratio = (predicted(score.float()).double() / sigma)[usual].detach()
    assert 0.95 < float(ratio.min()) <= float(ratio.max()) < 1.05
    extreme = (predicted(torch.full((2, 3), 50.0)) / predicted.level.exp()).detach()
    assert float(extreme.max()) <= LARGEST_RATIO * 1.001
    assert float(extreme.min()) >= 0.999 / LARGEST_RATIO


def test_cells_without_samples_get_the_common_error(rng):
    score = torch.from_numpy(rng.normal(size=(900, 3, 1)))
    error = 0.4 * torch.from_numpy(rng.normal(size=(900, 3)))
    valid = torch.ones(900, 3, dtype=torch.bool)
    valid[:, 2] = False
    predicted = PredictedError(3, 1, DOUBLE)
    predicted.fit(score, error, valid)
    assert predicted(torch.zeros(3, 1, dtype=DOUBLE))[2].item() == pytest.approx(0.4, rel=0.05)
    before = predicted.level.clone()
    predicted.fit(score, error, torch.zeros_like(valid))
    assert torch.equal(predicted.level, before), "nothing to fit, nothing changes"


def test_operators_without_an_error_say_so(draw):
    operator = create_operator("linear", cell_count=2)
    with pytest.raises(InputError, match=r"'linear' does not predict its error: set observation_error\.sigma0"):
        operator.error_deviation(draw(operator, 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"hidden_units": []}, "at least 1"), ({"embedding": 0}, "at least 1"), ({"shrinkage": -1.0}, "not be negative")],
)
def test_options_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        create_operator("hierarchical_network", cell_count=2, **options)
