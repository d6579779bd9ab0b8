"""The filter schemes beyond SODA's: each against its own definition on a model that is affine in the state."""

import dataclasses

import numpy as np
import pytest
import torch

from dalearn.assimilation.backends import model_equivalents
from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.covariance import (
    BackgroundErrorSettings,
    ModelErrorSettings,
    background_covariance,
    background_variance,
    layer_correlation,
)
from dalearn.assimilation.cycle import run_cycle
from dalearn.assimilation.forecast import integrate, states_after
from dalearn.assimilation.jacobian import window_jacobian
from dalearn.assimilation.leaves import biomass_in_proportion
from dalearn.assimilation.limits import LimitSettings
from dalearn.assimilation.propagation import analysed_covariance, diagonal_covariance, propagate
from dalearn.assimilation.quality import QualitySettings, Rejection
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.errors import InputError
from dalearn.operators import create_operator

NO_LIMITS = LimitSettings(leaf_area_index=100.0, soil_moisture=100.0)


def cycle(d, windows, observed, settings, **options):
    records, states = [], []
    end = run_cycle(
        d.model, d.grid, options.pop("state", FilterState(land=d.state)), windows, d.operators, observed, settings,
        on_window=lambda record, state: (records.append(record), states.append(state)), **options,
    )  # fmt: skip
    return end, records, states


@pytest.fixture
def affine(domain, toy):
    """The affine toy domain, two windows and both direct operators; close observations, so that no limit is hit."""
    d = domain()
    d.windows = [toy.window(3, start=f"2015-06-0{day}T09:00", seed=day) for day in (1, 2)]
    d.operators = [create_operator(name, cell_count=3) for name in ("wg2", "lai")]
    _, y = model_equivalents(d.operators, d.grid, [integrate(d.model, d.grid, d.state, d.windows[0])[0]] * 2)
    d.observed = torch.stack([y + torch.tensor([[0.01], [-0.2]]), y + torch.tensor([[-0.02], [0.3]])])
    d.observed[0, 0, 1] = torch.nan
    d.observed[1, 1, 2] = torch.nan
    return d


@pytest.mark.parametrize("steps", [None, [12, 24]])
def test_the_smoother_minimises_the_cost_function(affine, steps):
    """Its increment at the window start is the minimum of J(x0) = (x0 - xb)' B^-1 (x0 - xb) + (y_o - y)' R^-1 (...)."""
    d, settings = affine, FilterSettings(scheme="smoother", limits=NO_LIMITS)
    control = settings.control_vector
    state, parameters = d.state, d.parameters
    defined = control.defined(state, parameters)
    B = background_variance(control, state.leaf_area_index, parameters, settings.background)
    linear = window_jacobian(d.model, d.grid, state, d.windows[0], d.operators, steps=steps)

    starts = []
    d.model = _Recording(d.model, starts)
    _, records, _ = cycle(d, d.windows[:1], d.observed, settings, steps=steps)
    x = (control.of(starts[-1]) - control.of(state)).requires_grad_()
    start = control.add(state, x, biomass_in_proportion(state))
    wanted = steps or [24, 24]
    states = states_after(d.model, start, d.windows[0], d.grid.cell_of_column, wanted)
    _, y = model_equivalents(d.operators, d.grid, [states[step] for step in wanted])
    departure = torch.where(d.observed[0].isnan(), 0.0, d.observed[0] - y)
    R = torch.stack([torch.full((3,), (0.5 * 0.0875) ** 2, dtype=torch.float64), (0.2 * d.observed[0, 1]) ** 2])
    cost = 0.5 * torch.where(defined, x**2 / B, 0.0).sum() + 0.5 * (departure**2 / R).nan_to_num().sum()
    (gradient,) = torch.autograd.grad(cost, x)
    scaled = linear.jacobian * d.grid.to_columns((d.observed[0] - linear.model_equivalent) / R).unsqueeze(1)
    assert gradient[defined].abs().max() < 1e-6 * scaled.nan_to_num().abs().max()
    torch.testing.assert_close(records[0].model_analysis, y.detach(), rtol=1e-9, atol=1e-12)


class _Recording:
    """A model that keeps the states from which windows start."""

    def __init__(self, model, starts):
        self.model, self.starts, self.parameters = model, starts, model.parameters

    def with_parameters(self, parameters):
        return self.model.with_parameters(parameters)

    def prepare_state(self, state):
        self.starts.append(state)
        return self.model.prepare_state(state)

    def step(self, state, forcing, first_of_day):
        return self.model.step(state, forcing, first_of_day)


def test_window_end_moves_only_what_is_observed(affine):
    """With H = d y(t1) / d x(t1) and a diagonal B an observation of WG2 moves WG2 alone, at the cost of one run."""
    d = affine
    d.observed[:, 1] = torch.nan
    d.model.runs.clear()
    _, records, _ = cycle(d, d.windows[:1], d.observed, FilterSettings(scheme="end_of_window"))
    assert d.model.runs == [6] * 24
    increment = records[0].increment
    assert (increment["WG2"][[0, 2]] > 0).all()
    assert increment["WG2"][1] == 0
    assert all((increment[name] == 0).all() for name in increment if name != "WG2")
    expected = records[0].expected_deviation[0, 0] ** 2
    b, r = (0.4 * 0.0875) ** 2, (0.5 * 0.0875) ** 2
    assert expected.item() == pytest.approx(b * (0.7**2 + 0.3**2) + r)
    assert records[0].signal[0, 0].item() == pytest.approx(1.0 - r / expected.item())


def test_correlated_layers_move_together(affine):
    """B_23 / B_22 of the increment of WG3 per increment of WG2; LAI stays."""
    d = affine
    d.observed[:, 1] = torch.nan
    soil = d.parameters.soil
    bottom = torch.tensor([0.01, 0.04, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2, 3, 5, 8, 12], dtype=torch.float64)
    soil.layer_bottom.copy_(bottom.unsqueeze(1))
    soil.layer_thickness.copy_(torch.diff(bottom, prepend=bottom.new_zeros(1)).unsqueeze(1))
    settings = FilterSettings(scheme="end_of_window", background=BackgroundErrorSettings(correlation_length=0.2))
    _, records, _ = cycle(d, d.windows[:1], d.observed, settings)
    increment = records[0].increment
    rho = np.exp(-(0.07 - 0.025) / 0.2)
    assert (increment["WG3"] / increment["WG2"])[0].item() == pytest.approx(rho * 0.2 / 0.4)
    assert (increment["WG3"][[0, 2]] > increment["WG6"][[0, 2]]).all()
    assert (increment["LAI"] == 0).all()
    control = ControlVector()
    correlation = layer_correlation(control, d.parameters, 0.2)
    assert torch.linalg.eigvalsh(correlation.permute(2, 0, 1)).min() > 0
    assert (correlation[0, 1:] == 0).all()
    assert torch.equal(correlation.diagonal().mT, torch.ones(8, 6, dtype=torch.float64))


def test_a_vanishing_correlation_length_is_the_diagonal(affine):
    d = affine
    length = BackgroundErrorSettings(correlation_length=1e-9)
    d.parameters.soil.layer_bottom.copy_(torch.arange(1, 15, dtype=torch.float64).unsqueeze(1))
    plain, correlated = (
        cycle(d, d.windows, d.observed, FilterSettings(background=background))[0]
        for background in (BackgroundErrorSettings(), length)
    )
    torch.testing.assert_close(plain.land.soil_moisture, correlated.land.soil_moisture, rtol=1e-12, atol=0)


@pytest.mark.parametrize("jacobian", ["finite_differences", "autograd"])
def test_the_cycled_covariance_is_the_kalman_filter(affine, jacobian):
    """Against the filter written out cell by cell with full matrices of the affine model."""
    d = affine
    settings = FilterSettings(
        scheme="ekf", jacobian=jacobian, limits=NO_LIMITS, model_error=ModelErrorSettings(0.3, 0.2)
    )
    control = settings.control_vector
    end, records, states = cycle(d, d.windows, d.observed, settings)

    state, P = d.state, None
    for number, window in enumerate(d.windows):
        state = d.model.prepare_state(state)
        M = window_jacobian(d.model, d.grid, state, window, []).forecast
        forecast = M
        transition = _transition(d, control, state, window)
        variance = background_variance(control, state.leaf_area_index, d.parameters, settings.background)
        if P is None:
            P = [np.diag(variance[:, c].flatten().numpy()) for c in _columns(d)]
        variance = background_variance(control, forecast.leaf_area_index, d.parameters, settings.background)
        q = variance * torch.tensor([0.2] + [0.3] * 7, dtype=torch.float64).square().unsqueeze(1)
        x = control.of(forecast)
        dx = torch.zeros_like(x)
        _, y = model_equivalents(d.operators, d.grid, [forecast] * 2)
        for cell, columns in enumerate(_columns(d)):
            count = len(columns)
            A = np.zeros((8 * count, 8 * count))
            for slot, column in enumerate(columns):
                A[slot::count, slot::count] = transition[:, :, column].numpy()
            P[cell] = A @ P[cell] @ A.T + np.diag(q[:, columns].flatten().numpy())
            alpha = d.grid.fraction[columns].numpy()
            H = np.zeros((2, 8 * count))
            H[0, count : 2 * count] = alpha
            H[1, :count] = alpha * d.parameters.vegetation.vegetated[columns].numpy()
            R = np.diag([(0.5 * 0.0875) ** 2, float(0.2 * d.observed[number, 1, cell]) ** 2])
            here = ~d.observed[number, :, cell].isnan().numpy()
            H, R = H[here], R[here][:, here]
            K = P[cell] @ H.T @ np.linalg.inv(H @ P[cell] @ H.T + R)
            departure = (d.observed[number, :, cell] - y[:, cell]).numpy()[here]
            dx[:, columns] = torch.from_numpy((K @ departure).reshape(8, count))
            P[cell] = P[cell] - K @ H @ P[cell]
        state = control.add(forecast, dx, d.parameters.vegetation.biomass_per_leaf_area)
        defined = control.defined(state, d.parameters)
        torch.testing.assert_close(
            torch.where(defined, control.of(states[number].land), 0.0), torch.where(defined, control.of(state), 0.0),
            rtol=2e-6, atol=1e-9,
        )  # fmt: skip
    for cell, columns in enumerate(_columns(d)):
        ours = d.grid.slot_count
        keep = [control_row * ours + slot for control_row in range(8) for slot in range(len(columns))]
        exists = np.array(
            [bool(control.defined(state, d.parameters)[row // ours, columns[row % ours]]) for row in keep]
        )
        stored = end.covariance[keep][:, keep, cell].numpy()
        np.testing.assert_allclose(
            stored[exists][:, exists], P[cell][exists][:, exists], rtol=1e-4, atol=1e-4 * P[cell].max()
        )
        assert (np.linalg.eigvalsh(stored) > -1e-12).all()
    assert records[0].gain.shape == (2, 8, 3)


def _columns(d):
    return [(d.grid.cell_of_column == cell).nonzero().flatten().tolist() for cell in range(3)]


def _transition(d, control, state, window):
    """d x(t1) / d x(t0) of each column by torch.func, which is exact."""
    ratio = biomass_in_proportion(state)

    def end(dx):
        moved, _ = integrate(d.model, d.grid, control.add(state, dx, ratio), window)
        return control.of(moved)

    zero = torch.zeros_like(control.of(state))
    full = torch.func.jacrev(end)(zero)  # (control, column, control, column)
    M = torch.stack([full[:, c, :, c] for c in range(full.shape[1])], dim=-1)
    return torch.where(control.defined(state, d.parameters), M, 0.0)


@pytest.mark.parametrize("scheme", ["smoother", "end_of_window", "ekf"])
def test_restart_is_bit_identical(affine, toy, scheme):
    d, settings = affine, FilterSettings(scheme=scheme)
    end, _, states = cycle(d, d.windows, d.observed, settings)
    again, _, _ = cycle(d, d.windows[1:], d.observed[1:], settings, state=states[0])
    assert toy.same_bits(again.land, end.land)
    assert (end.covariance is None) == (scheme != "ekf")
    if end.covariance is not None:
        assert torch.equal(again.covariance, end.covariance)


def test_the_covariance_grows_without_observations_and_shrinks_with_them(affine):
    d, settings = affine, FilterSettings(scheme="ekf")
    nothing = torch.full_like(d.observed, torch.nan)
    _, _, free = cycle(d, d.windows, nothing, settings)
    _, _, observed = cycle(d, d.windows, d.observed, settings)
    for before, after in zip(free, observed, strict=True):
        variance = torch.stack([s.covariance.diagonal().sum() for s in (before, after)])
        assert variance[1] < variance[0]


def test_joseph_form_equals_the_short_form_for_the_optimal_gain():
    random = torch.Generator().manual_seed(5)
    A = torch.randn(4, 4, 3, generator=random, dtype=torch.float64)
    P = torch.einsum("ijc,kjc->ikc", A, A) + diagonal_covariance(torch.ones(4, 3, dtype=torch.float64))
    H = torch.randn(2, 4, 3, generator=random, dtype=torch.float64)
    R = torch.tensor([[0.5], [2.0]], dtype=torch.float64).expand(2, 3)
    S = torch.einsum("kic,ijc,ljc->klc", H, P, H) + diagonal_covariance(R)
    K = torch.einsum("ijc,kjc,klc->lic", P, H, torch.linalg.inv(S.permute(2, 0, 1)).permute(1, 2, 0))
    short = P - torch.einsum("kic,kjc,jlc->ilc", K, H, P)
    torch.testing.assert_close(analysed_covariance(P, H, K, R), short)


def test_propagation_keeps_patches_apart_until_something_couples_them():
    """Two patches, two variables: a diagonal P becomes M P M' within each patch."""
    M = torch.tensor([[[[0.9], [0.5]], [[0.1], [0.2]]], [[[0.0], [0.3]], [[0.8], [1.0]]]], dtype=torch.float64)
    P = diagonal_covariance(torch.tensor([[1.0], [2.0], [3.0], [4.0]], dtype=torch.float64))
    Q = torch.full((4, 1), 0.1, dtype=torch.float64)
    moved = propagate(P, M, Q)[..., 0]
    for slot in range(2):
        own = M[:, :, slot, 0]
        expected = own @ torch.diag(torch.tensor([1.0 + slot, 3.0 + slot], dtype=torch.float64)) @ own.T
        torch.testing.assert_close(moved[slot::2, slot::2], expected + 0.1 * torch.eye(2, dtype=torch.float64))
    assert (moved[0::2, 1::2] == 0).all()


def test_several_observation_times(affine):
    """SODA's filter with WG2 observed at noon and at the window end: two rows of one quantity."""
    d = affine
    d.operators = [create_operator("wg2", cell_count=3) for _ in range(2)]
    d.observed[:, 1] = d.observed[:, 0] + 0.03
    _, records, _ = cycle(d, d.windows[:1], d.observed, FilterSettings(), steps=[3, 24])
    linear = window_jacobian(d.model, d.grid, d.state, d.windows[0], d.operators, steps=[3, 24])
    torch.testing.assert_close(records[0].model_forecast, linear.model_equivalent)
    assert (records[0].model_forecast[0] != records[0].model_forecast[1]).all()
    assert records[0].quantities == ("SSM", "SSM")
    assert records[0].rejections["SSM"]["assimilated"] == 4
    rows = d.grid.to_slots(linear.jacobian).sum(dim=-2)
    torch.testing.assert_close(records[0].jacobian, rows)
    both = (records[0].model_analysis - records[0].model_forecast)[:, [0, 2]]
    assert (both.sign() == (d.observed[0] - records[0].model_forecast)[:, [0, 2]].sign()).any()


def test_observation_times_are_checked(affine):
    d = affine
    with pytest.raises(InputError, match="observes at the window end only"):
        cycle(d, d.windows, d.observed, FilterSettings(scheme="ekf"), steps=[12, 24])
    with pytest.raises(InputError, match="1 observation times for 2 operators"):
        cycle(d, d.windows, d.observed, FilterSettings(), steps=[12])
    d.operators = [d.operators[0], d.operators[0]]
    with pytest.raises(InputError, match="one operator at each time"):
        cycle(d, d.windows, d.observed, FilterSettings(), steps=[12, 12])


def test_unlikely_departures_are_rejected(affine):
    """A departure of 4 expected standard deviations falls to a limit of 3, in its cell and for its quantity only."""
    d = affine
    _, before, _ = cycle(d, d.windows[:1], d.observed, FilterSettings())
    deviation = before[0].expected_deviation[0]
    d.observed[0, 0, 0] = before[0].model_forecast[0, 0] + 4.0 * deviation[0]
    quality = QualitySettings(maximum_normalised_departure={"SSM": 3.0})
    _, records, _ = cycle(d, d.windows[:1], d.observed, FilterSettings(quality=quality))
    assert records[0].rejected[0].tolist() == [Rejection.UNLIKELY_DEPARTURE, Rejection.MISSING, Rejection.ASSIMILATED]
    assert (records[0].rejected[1] == Rejection.ASSIMILATED).all()
    assert records[0].rejections["SSM"]["unlikely_departure"] == 1
    assert records[0].signal[0, 0].isnan()
    assert not records[0].departure[0, 0].isnan()


def test_covariances_keep_their_variances(affine):
    settings = BackgroundErrorSettings(correlation_length=0.3)
    control = ControlVector()
    leaves = affine.state.leaf_area_index
    full = background_covariance(control, leaves, affine.parameters, settings)
    torch.testing.assert_close(
        full.diagonal(dim1=0, dim2=1).mT, background_variance(control, leaves, affine.parameters, settings)
    )
    assert dataclasses.replace(settings, correlation_length=None) == BackgroundErrorSettings()
