"""Window Jacobians: exact on an affine model, and both back ends against each other and against torch.func."""

import dataclasses

import pytest
import torch

from dalearn.assimilation.cell_means import column_values
from dalearn.assimilation.control import ControlVector, PerturbationSettings
from dalearn.assimilation.forecast import integrate
from dalearn.assimilation.jacobian import WindowJacobian, window_jacobian
from dalearn.assimilation.leaves import biomass_in_proportion
from dalearn.errors import InputError
from dalearn.operators import ObservationOperator, create_operator, register_operator
from dalearn.tree import to


@register_operator("test_smooth")
class SmoothOperator(ObservationOperator):
    """Non-linear in every predictor, with one parameter per cell."""

    predictors = ("WG2", "TG2", "LAI")
    quantity = "sigma0"

    def __init__(self, cell_count, **options):
        super().__init__(cell_count, **options)
        self.slope = self.cell_parameter(torch.linspace(20.0, 30.0, cell_count, dtype=torch.float64))

    def forward(self, predictors):
        soil_moisture, temperature, leaves = predictors.unbind(-1)
        return -15.0 + self.slope * soil_moisture * torch.exp(-0.1 * leaves) + 0.02 * (temperature - 285.0) ** 2


def operators(cells=3):
    return [create_operator(name, cell_count=cells) for name in ("wg2", "lai", "test_smooth")]


def exact(d, names, control):
    """H of an affine model and linear operators: finite changes of one control value in one column at a time."""
    _, base = end_means(d, d.state, names)
    ratio = biomass_in_proportion(d.state)
    H = torch.zeros(len(names), len(control.names), d.grid.column_count, dtype=torch.float64)
    for row in range(len(control.names)):
        for column in range(d.grid.column_count):
            change = torch.zeros(H.shape[1:], dtype=torch.float64)
            change[row, column] = 0.1
            _, moved = end_means(d, control.add(d.state, change, ratio), names)
            H[:, row, column] = (moved - base)[:, d.grid.cell_of_column[column]] / 0.1
    defined = control.defined(d.state, d.parameters)
    return torch.where(defined, H, torch.zeros_like(H))


def end_means(d, state, names):
    state, _ = integrate(d.model, d.grid, state, d.window)
    return state, d.grid.cell_mean(column_values(names, state))


@pytest.mark.parametrize(("backend", "tolerance"), [("finite_differences", 1e-8), ("autograd", 1e-12)])
def test_exact_on_an_affine_model(domain, backend, tolerance):
    d = domain()
    control = ControlVector()
    linear = window_jacobian(d.model, d.grid, d.state, d.window, operators()[:2], control, backend=backend)
    expected = exact(d, ("WG2", "LAI"), control)
    assert expected.abs().amax(dim=(1, 2)).min() > 0.01
    torch.testing.assert_close(linear.jacobian, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("backend", ["finite_differences", "autograd"])
def test_forecast_and_model_equivalent_are_those_of_a_plain_run(domain, backend):
    d = domain(curvature=0.05)
    linear = window_jacobian(d.model, d.grid, d.state, d.window, operators(), backend=backend)
    state, means = end_means(d, d.state, ("WG2", "LAI"))
    for name, values in vars(state).items():
        torch.testing.assert_close(getattr(linear.forecast, name), values, rtol=1e-14, atol=0)
    torch.testing.assert_close(linear.model_equivalent[:2], means, rtol=1e-14, atol=0)
    assert not linear.jacobian.requires_grad
    assert not linear.model_equivalent.requires_grad
    assert not linear.forecast.soil_moisture.requires_grad


def test_undefined_entries_have_no_derivative(domain):
    d = domain(curvature=0.05)
    for backend in ("finite_differences", "autograd"):
        H = window_jacobian(d.model, d.grid, d.state, d.window, operators(), backend=backend).jacobian
        assert (H[:, 0, 3] == 0).all(), "LAI of the bare patch"
        assert (H[:, 6:, 4] == 0).all(), "WG7 and WG8 of the shallow soil"
        assert (H[0, 1] != 0).all(), "bare soil is analysed too"
        assert torch.isfinite(H).all()


def test_backends_agree_on_a_smooth_model(domain):
    """Section 10.13 f."""
    d = domain(curvature=0.05)
    fd = window_jacobian(d.model, d.grid, d.state, d.window, operators()).jacobian
    ad = window_jacobian(d.model, d.grid, d.state, d.window, operators(), backend="autograd").jacobian
    error = (fd - ad).abs() / ad.abs().amax(dim=(1, 2), keepdim=True)
    assert 0 < error.max() < 1e-3


def test_finite_differences_are_one_sided_and_first_order(domain):
    """Ten times the perturbation makes ten times the error."""
    d = domain(curvature=0.05)
    ad = window_jacobian(d.model, d.grid, d.state, d.window, operators(), backend="autograd").jacobian
    errors = []
    for scale in (1.0, 10.0):
        size = PerturbationSettings(1e-4 * scale, 1e-3 * scale)
        fd = window_jacobian(d.model, d.grid, d.state, d.window, operators(), perturbation=size).jacobian
        errors.append((fd - ad)[2].abs().max())
    assert errors[1] / errors[0] == pytest.approx(10.0, rel=0.1)


def test_autograd_equals_torch_func(domain):
    d = domain(curvature=0.05)
    control = ControlVector()
    ad = window_jacobian(d.model, d.grid, d.state, d.window, operators(), control, backend="autograd").jacobian
    ratio = biomass_in_proportion(d.state)
    x0 = control.of(d.state)

    def equivalents(x):
        state, _ = integrate(d.model, d.grid, control.add(d.state, x - x0, ratio), d.window)
        return torch.stack(
            [o(d.grid.cell_mean(column_values(o.predictors, state)).movedim(0, -1)) for o in operators()]
        )

    full = torch.func.jacrev(equivalents)(x0)  # (observation, cell, control, column)
    own = full[:, d.grid.cell_of_column, :, torch.arange(6)].permute(1, 2, 0)
    own = torch.where(control.defined(d.state, d.parameters), own, torch.zeros_like(own))
    torch.testing.assert_close(ad, own, rtol=1e-12, atol=1e-14)
    other = full.clone()
    other[:, d.grid.cell_of_column, :, torch.arange(6)] = 0
    assert (other == 0).all(), "cells are independent"


def test_one_batch_gives_what_perturbing_one_patch_alone_gives(domain):
    """The operator is not linear, so the patches of a cell must be moved one at a time."""
    d = domain(curvature=0.05)
    control = ControlVector(("LAI", "WG2"))
    operator = operators()[2]
    fd = window_jacobian(d.model, d.grid, d.state, d.window, [operator], control).jacobian
    eps = control.perturbation(d.state, d.parameters, PerturbationSettings())
    ratio = biomass_in_proportion(d.state)

    def equivalent(state):
        _, means = end_means(d, state, operator.predictors)
        return operator(means.movedim(0, -1))

    y = equivalent(d.state)
    for row in range(2):
        for column in range(6):
            if eps[row, column] == 0:
                continue
            alone = torch.zeros_like(eps)
            alone[row, column] = eps[row, column]
            y_moved = equivalent(control.add(d.state, alone, ratio))
            h = (y_moved - y)[d.grid.cell_of_column[column]] / eps[row, column]
            assert fd[0, row, column].item() == pytest.approx(h.item(), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("backend", ["finite_differences", "autograd"])
@pytest.mark.parametrize("chunk_cells", [1, 2])
def test_chunks_give_the_same(domain, backend, chunk_cells):
    d = domain(curvature=0.05)
    whole = window_jacobian(d.model, d.grid, d.state, d.window, operators(), backend=backend)
    parts = window_jacobian(d.model, d.grid, d.state, d.window, operators(), backend=backend, chunk_cells=chunk_cells)
    torch.testing.assert_close(parts.jacobian, whole.jacobian, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(parts.model_equivalent, whole.model_equivalent, rtol=1e-13, atol=0)
    torch.testing.assert_close(parts.forecast.soil_moisture, whole.forecast.soil_moisture, rtol=1e-13, atol=0)


@pytest.mark.parametrize("backend", ["finite_differences", "autograd"])
def test_permuting_cells_permutes_the_jacobian(domain, toy, backend):
    """Section 10.13 e: swap the cells (1 patch, 3 patches) of the domain."""
    d = domain(curvature=0.05)
    H = window_jacobian(d.model, d.grid, d.state, d.window, operators(), backend=backend).jacobian
    order = torch.tensor([3, 4, 5, 0, 1, 2])
    swapped_cells = [2, 0, 1]
    grid = toy.grid([[1, 5, 8], [7, 10], [4]], [[0.25, 0.5, 0.25], [0.7, 0.3], [1.0]])
    parameters = toy.parameters(
        6, vegetated=[False, True, True, True, True, True], water_layers=[10, 6, 10, 10, 10, 14]
    )
    window = dataclasses.replace(d.window, values=d.window.values[..., swapped_cells])
    state = dataclasses.replace(d.state, **{name: value[..., order] for name, value in vars(d.state).items()})
    model = toy.model(parameters, 0.05)
    swapped = [operator.select_cells(swapped_cells) for operator in operators()]
    permuted = window_jacobian(model, grid, state, window, swapped, backend=backend).jacobian
    torch.testing.assert_close(permuted, H[..., order], rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("backend", ["finite_differences", "autograd"])
def test_observation_inside_the_window(domain, backend):
    d = domain(curvature=0.05)
    early = window_jacobian(d.model, d.grid, d.state, d.window, operators(), backend=backend, steps=[6, 24, 12])
    first_hours = dataclasses.replace(d.window, values=d.window.values[:6], first_of_day=d.window.first_of_day[:6])
    short = window_jacobian(d.model, d.grid, d.state, first_hours, operators(), backend=backend)
    whole = window_jacobian(d.model, d.grid, d.state, d.window, operators(), backend=backend)
    torch.testing.assert_close(early.jacobian[0], short.jacobian[0])
    torch.testing.assert_close(early.jacobian[1], whole.jacobian[1])
    torch.testing.assert_close(early.forecast.soil_moisture, whole.forecast.soil_moisture)
    assert (early.model_equivalent[2] != whole.model_equivalent[2]).all()


def test_one_batch_per_window(domain):
    """Finite differences step (controls + 1) x columns at once; tiled parameters are made once."""
    d = domain()
    jacobian = WindowJacobian(d.grid, operators())
    jacobian(d.model, d.state, d.window)
    assert d.model.runs == [6 * 9] * 24
    tiled = jacobian._chunks(d.model, d.state, d.window)[0].tiled_model()
    jacobian(d.model, d.state, d.window)
    assert jacobian._chunks(d.model, d.state, d.window)[0].tiled_model() is tiled


def test_float32(domain):
    d = domain(curvature=0.05, dtype=torch.float32)
    double = domain(curvature=0.05)
    single = [operator.float() for operator in operators()]
    with pytest.raises(InputError, match="finite differences need a float64 model"):
        window_jacobian(d.model, d.grid, d.state, d.window, single)
    with pytest.raises(InputError, match="'wg2' is torch\\.float32"):
        window_jacobian(double.model, double.grid, double.state, double.window, single)
    H = window_jacobian(d.model, d.grid, d.state, d.window, single, backend="autograd").jacobian
    assert H.dtype == torch.float32
    reference = window_jacobian(
        double.model, double.grid, to(d.state, dtype=torch.float64), double.window, operators(), backend="autograd"
    )
    torch.testing.assert_close(H.double(), reference.jacobian, rtol=1e-3, atol=1e-4)


def test_a_float32_operator_on_a_float64_model(domain):
    d = domain(curvature=0.05)
    H = window_jacobian(d.model, d.grid, d.state, d.window, [operators()[2].float()], backend="autograd").jacobian
    assert H.dtype == torch.float64
    reference = window_jacobian(d.model, d.grid, d.state, d.window, [operators()[2]], backend="autograd").jacobian
    torch.testing.assert_close(H, reference, rtol=1e-3, atol=1e-4)


def test_bad_choices(domain):
    d = domain()
    with pytest.raises(InputError, match="finite_differences, autograd"):
        WindowJacobian(d.grid, operators(), backend="fd")
    with pytest.raises(InputError, match="chunk_cells"):
        WindowJacobian(d.grid, operators(), chunk_cells=0)


def test_a_predictor_that_is_not_in_the_state(domain):
    d = domain()
    operator = create_operator("linear", cell_count=3, predictors=("Tair",), quantity="sigma0")
    with pytest.raises(InputError, match="Tair is not a variable of the land model state"):
        window_jacobian(d.model, d.grid, d.state, d.window, [operator])
