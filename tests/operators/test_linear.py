"""The linear operator."""

import torch

from dalearn.operators import create_operator


def test_closed_form_recovers_a_line_per_cell(draw):
    operator = create_operator("linear", cell_count=3, out_of_range="drop")
    predictors = draw(operator, 40)
    slope = torch.tensor([[8.0, 0.02, -0.5], [20.0, 0.0, 0.3], [-3.0, -0.01, 0.0]], dtype=torch.float64)
    target = (predictors * slope).sum(dim=-1) + torch.tensor([-15.0, -12.0, 4.0], dtype=torch.float64)
    holes = target.clone()
    holes[::3, 1] = torch.nan
    operator.fit(predictors, holes)
    torch.testing.assert_close(operator(predictors), target, rtol=1e-10, atol=1e-10)


def test_closed_form_equals_least_squares(draw, rng):
    operator = create_operator("linear", cell_count=1)
    predictors = draw(operator, 40)
    target = torch.from_numpy(rng.normal(size=(40, 1)))
    operator.fit(predictors, target)
    design = torch.cat([predictors[:, 0], torch.ones(40, 1, dtype=torch.float64)], dim=1)
    expected = design @ torch.linalg.lstsq(design, target, driver="gelsd").solution
    torch.testing.assert_close(operator(predictors), expected, rtol=1e-7, atol=1e-7)


def test_constant_and_repeated_predictors_are_harmless(draw):
    operator = create_operator("linear", cell_count=1)
    predictors = draw(operator, 40)
    predictors[..., 1] = 280.0
    predictors[..., 2] = 3.0 * predictors[..., 0]
    target = 2.0 * predictors[..., 0] - 9.0
    operator.fit(predictors, target)
    torch.testing.assert_close(operator(predictors), target, rtol=1e-9, atol=1e-9)
