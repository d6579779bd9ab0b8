"""The training range: clip, extrapolate, refuse, drop; counting."""

import math

import pytest
import torch

from dalearn.errors import InputError
from dalearn.operators import create_operator

INSIDE, OUTSIDE = 3.0, 7.0


@pytest.fixture(params=["clip", "extrapolate", "refuse", "drop"])
def operator(request):
    """LAI operator of two cells trained on 1..5 (cell 0) and 2..6 (cell 1)."""
    operator = create_operator("lai", cell_count=2, out_of_range=request.param)
    predictors = torch.tensor([[[1.0], [2.0]], [[5.0], [6.0]]], dtype=torch.float64)
    operator.fit_statistics(predictors, torch.zeros(2, 2, dtype=torch.float64))
    return operator


def cells(first, second, **options):
    return torch.tensor([[first], [second]], dtype=torch.float64, **options)


def test_range_is_per_cell(operator):
    assert operator.in_range(cells(1.5, 1.5)).tolist() == [True, False]
    assert operator.in_range(cells(5.5, 5.5)).tolist() == [False, True]
    assert operator.in_range(cells(5.0, 2.0)).tolist() == [True, True]


def test_forward_bounds_under_clip_and_extrapolates_otherwise(operator):
    expected = [5.0, INSIDE] if operator.out_of_range == "clip" else [OUTSIDE, INSIDE]
    assert operator(cells(OUTSIDE, INSIDE)).tolist() == expected


def test_derivative_is_zero_outside_under_clip_only(operator):
    predictors = cells(OUTSIDE, INSIDE, requires_grad=True)
    (gradient,) = torch.autograd.grad(operator(predictors).sum(), predictors)
    assert gradient.squeeze(1).tolist() == ([0.0, 1.0] if operator.out_of_range == "clip" else [1.0, 1.0])


def test_check_says_where_the_operator_may_be_used(operator):
    if operator.out_of_range == "refuse":
        with pytest.raises(InputError, match=r"cell 0: predictor LAI = 7 is outside the training range \[1, 5\]"):
            operator.check(cells(OUTSIDE, INSIDE))
        assert operator.check(cells(INSIDE, INSIDE)).tolist() == [True, True]
    else:
        expected = [operator.out_of_range in ("clip", "extrapolate"), True]
        assert operator.check(cells(OUTSIDE, INSIDE)).tolist() == expected


def test_untrained_cells_and_undefined_predictors_are_unusable(operator):
    operator.trained[1] = False
    assert operator.check(cells(INSIDE, INSIDE)).tolist() == [True, False]
    assert operator.check(cells(math.nan, INSIDE)).tolist() == [False, False]


def test_only_check_counts(operator):
    operator(cells(OUTSIDE, INSIDE))
    assert operator.report().summary().startswith("training range never checked")


@pytest.mark.parametrize("rule", ["clip", "extrapolate", "drop"])
def test_report_counts_per_cell_and_predictor(rule):
    operator = create_operator("network", cell_count=2, predictors=["WG2", "LAI"], out_of_range=rule)
    corners = torch.tensor([[[0.1, 1.0]] * 2, [[0.3, 5.0]] * 2], dtype=torch.float64)
    operator.fit_statistics(corners, torch.tensor([[-10.0, -9.0], [-8.0, -7.0]], dtype=torch.float64))
    for soil_moisture in (0.2, 0.35, 0.4, math.nan):
        operator.check(torch.tensor([[soil_moisture, 2.0], [0.2, 6.0]], dtype=torch.float64))
    report = operator.report()
    assert report.evaluated.tolist() == [3, 4]
    assert report.outside.tolist() == [[2, 0], [0, 4]]
    assert report.share_per_predictor == {"WG2": pytest.approx(2 / 7), "LAI": pytest.approx(4 / 7)}
    assert report.share_per_cell.tolist() == pytest.approx([1 / 3, 1 / 2])
    assert "WG2 28.57 %" in report.summary()
    operator.predictor_range.reset()
    assert operator.report().evaluated.tolist() == [0, 0]


def test_cell_without_samples_has_no_bounds():
    operator = create_operator("lai", cell_count=2)
    target = torch.tensor([[1.0, math.nan], [1.0, math.nan]], dtype=torch.float64)
    operator.fit_statistics(torch.ones(2, 2, 1, dtype=torch.float64), target)
    assert operator.in_range(cells(2.0, 2.0)).tolist() == [False, True]
    assert operator(cells(2.0, 2.0)).tolist() == [1.0, 2.0]


def test_rule_can_be_changed_and_is_checked():
    operator = create_operator("lai", cell_count=1)
    operator.out_of_range = "drop"
    assert operator.options()["out_of_range"] == "drop"
    with pytest.raises(InputError, match="choose one of clip, extrapolate, refuse, drop"):
        operator.out_of_range = "ignore"
    with pytest.raises(InputError, match="choose one of clip, extrapolate, refuse, drop"):
        create_operator("lai", cell_count=1, out_of_range="ignore")


def test_a_range_can_be_widened(fitted, draw):
    operator = fitted(create_operator("network", cell_count=2))
    bounds = operator.predictor_range
    lower, upper = bounds.predictor_minimum.clone(), bounds.predictor_maximum.clone()
    more = draw(operator, 3)
    more[0, 0, 2], more[1, 1, 0], more[2] = upper[0, 2] + 1.0, lower[1, 0] - 0.05, torch.nan
    more[1, 0] = torch.nan
    bounds.widen(more)
    assert bounds.predictor_maximum[0, 2] == upper[0, 2] + 1.0
    assert bounds.predictor_minimum[1, 0] == lower[1, 0] - 0.05
    assert bool((bounds.predictor_maximum >= upper).all())
    assert bool((bounds.predictor_minimum <= lower).all())
    bounds.widen(torch.full((1, 2, 3), torch.nan, dtype=torch.float64))
    assert bounds.predictor_maximum[0, 2] == upper[0, 2] + 1.0, "missing values widen nothing"
