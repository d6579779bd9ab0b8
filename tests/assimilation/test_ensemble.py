"""The ensemble square root filter on the toy model: Kalman limit, spread, restart, order, missing data, twin."""

import dataclasses

import numpy as np
import pytest
import torch

from dalearn.assimilation.covariance import (
    BackgroundErrorSettings,
    ModelErrorSettings,
    ObservationErrorSettings,
    published_observation_errors,
)
from dalearn.assimilation.cycle import run_cycle
from dalearn.assimilation.ensemble_settings import EnsembleSettings
from dalearn.assimilation.finite import NonFiniteError
from dalearn.assimilation.limits import LimitSettings
from dalearn.assimilation.quality import QualitySettings, Rejection
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.window import ForcingWindow
from dalearn.operators import create_operator
from dalearn.tree import select_columns, tile_columns

DAYS = 4
LAYERS = tuple(f"WG{layer}" for layer in range(2, 9))
SILENT = EnsembleSettings(
    members=4, soil_moisture=dict.fromkeys(LAYERS, 0.0), leaf_area_index=0.0, initial_spread="noise"
)


def ensrf(**changes):
    ensemble = changes.pop("ensemble", EnsembleSettings(members=6))
    return FilterSettings(scheme="ensrf", ensemble=ensemble, **changes)


@pytest.fixture
def run(domain, toy):
    """The domain with four consecutive windows, two operators and observations with gaps."""
    d = domain(curvature=0.05)
    d.windows = [toy.window(3, start=f"2015-06-0{day + 1}T09:00", seed=day) for day in range(DAYS)]
    d.operators = [create_operator(name, cell_count=3) for name in ("wg2", "lai")]
    d.observed = torch.full((DAYS, 2, 3), torch.nan, dtype=torch.float64)
    d.observed[0, 0] = torch.tensor([0.15, 0.30, torch.nan])
    d.observed[2, :, :2] = torch.tensor([[0.2, 0.25], [3.0, 1.5]])
    d.observed[3, 1, 2] = 2.0
    return d


def cycle(d, settings, windows=slice(0, DAYS), state=None, observations=True, steps=None):
    kept = []
    end = run_cycle(
        d.model,
        d.grid,
        state or FilterState(land=d.state),
        d.windows[windows],
        d.operators,
        d.observed[windows] if observations else None,
        settings,
        steps=steps,
        on_window=lambda record, state: kept.append((record, state)),
    )
    return end, [record for record, _ in kept], [state for _, state in kept]


def same_state(first, second, toy):
    assert toy.same_bits(first.land, second.land)
    assert toy.same_bits(first.ensemble, second.ensemble)
    assert torch.equal(first.noise, second.noise)


def test_large_ensemble_is_the_kalman_filter(domain):
    """The toy is affine: mean and covariance of many members are those of M B M^T and its analysis."""
    d = domain()
    d.windows = [d.window]
    d.operators = [create_operator(name, cell_count=3) for name in ("wg2", "lai")]
    d.observed = torch.tensor([[[0.21, 0.25, torch.nan], [2.0, torch.nan, 1.9]]], dtype=torch.float64)
    common = {
        "background": BackgroundErrorSettings(
            soil_moisture=dict.fromkeys(LAYERS, 0.2), leaf_area_index=0.1, low_leaf_area_index=0.1
        ),
        "observation_error": {
            "SSM": ObservationErrorSettings(0.2, "soil_range"),
            "LAI": ObservationErrorSettings(0.1),
        },
    }
    exact = FilterSettings(
        scheme="ekf", jacobian="autograd", model_error=ModelErrorSettings(soil_moisture=0.0, leaf_area_index=0.0),
        **common,
    )  # fmt: skip
    members = 8000
    settings = ensrf(ensemble=EnsembleSettings(members=members), **common)
    (expected, (of_exact,), _), (end, (record,), _) = cycle(d, exact), cycle(d, settings)

    noise = 5 / members**0.5  # five standard errors of a mean, in units of the spread
    for k in range(2):
        used = of_exact.rejected[k] == 0
        assert torch.equal(record.rejected[k] == 0, used)
        size = of_exact.expected_deviation[k]
        assert ((record.departure[k] - of_exact.departure[k]).abs() < noise * size)[used].all()
        torch.testing.assert_close(record.expected_deviation[k][used], size[used], rtol=noise, atol=0)
        torch.testing.assert_close(record.signal[k][used], of_exact.signal[k][used], rtol=0, atol=2 * noise)
    x = d.model.parameters, settings.control_vector
    spread = end.ensemble.soil_moisture.unflatten(-1, (members, -1)).std(dim=1)
    variance = d.grid.from_slots(torch.diagonal(expected.covariance).mT.unflatten(0, (8, -1)))
    leaves = end.ensemble.leaf_area_index.unflatten(-1, (members, -1)).std(dim=0)
    defined = x[1].defined(end.land, x[0])
    of_ensemble = torch.stack([leaves, *spread[1:8]])
    torch.testing.assert_close(of_ensemble[defined], variance.sqrt()[defined], rtol=noise, atol=0)
    assert (of_ensemble[~defined] == 0).all()
    difference = x[1].of(end.land) - x[1].of(expected.land)
    assert (difference.abs() <= 2 * noise * variance.sqrt())[defined].all()
    # sampling error of P_xy / S, bounded by |y'| <= sqrt(S)
    deviation = torch.stack([record.forecast_spread[name] for name in record.control])
    bound = noise * deviation / of_exact.expected_deviation.unsqueeze(1)
    assert (record.gain.isnan() == of_exact.gain.isnan()).all()
    assert ((record.gain - of_exact.gain).abs() <= bound)[~of_exact.gain.isnan()].all()


def test_spread_after_one_observation_is_exact(run):
    """The analysis variance of an observed variable is (1 - K) P, without any sampling error."""
    run.observed[:] = torch.nan
    run.observed[0, 1] = torch.tensor([2.5, 2.0, 1.5])
    _, (record, *_), _ = cycle(run, ensrf())
    P = record.forecast_spread["LAI"].square()
    R = record.observation_deviation[1].square()
    torch.testing.assert_close(record.expected_deviation[1].square(), P + R)
    torch.testing.assert_close(record.analysis_spread["LAI"].square(), (1 - P / (P + R)) * P)
    torch.testing.assert_close(record.signal[1], P / (P + R))
    torch.testing.assert_close(record.increment["LAI"], P / (P + R) * record.departure[1])
    torch.testing.assert_close(record.chi_square, record.departure[1].square() / (P + R))


def test_silent_ensemble_is_the_open_loop(run, toy):
    """No noise, no inflation: all members are the one run, and no observation moves them."""
    open_loop, records, _ = cycle(run, FilterSettings(), observations=False)
    for observations in (False, True):
        end, others, _ = cycle(run, ensrf(ensemble=SILENT), observations=observations)
        assert toy.same_bits(end.land, open_loop.land)
        assert toy.same_bits(end.ensemble, tile_columns(open_loop.land, 4))
        for record, other in zip(records, others, strict=True):
            assert all(torch.equal(record.analysis[name], other.analysis[name]) for name in record.analysis)
            assert all((spread == 0).all() for spread in other.analysis_spread.values())
            torch.testing.assert_close(other.model_forecast, record.model_forecast, rtol=0, atol=0)


def test_without_observations_members_run_with_their_noise(run, toy):
    """Every member is what it would be alone, and noise is all that tells it from the open loop."""
    settings = ensrf(ensemble=EnsembleSettings(members=3, initial_spread="noise"))
    end, records, states = cycle(run, settings, observations=False)
    assert run.model.runs == [3 * 6] * 24 * DAYS, "one batch for all members"
    few, _, few_states = cycle(run, ensrf(ensemble=EnsembleSettings(members=2, initial_spread="noise")),
                               windows=slice(0, 1), observations=False)  # fmt: skip
    alone = tile_columns(states[0].ensemble, 1)
    assert toy.same_bits(few.ensemble, select_columns(alone, slice(0, 12)))
    assert torch.equal(few_states[0].noise, states[0].noise[:, :12])
    nothing = torch.full_like(run.observed, torch.nan)
    run.observed = nothing
    same_state(cycle(run, settings)[0], end, toy)
    assert all(record.jacobian.isnan().all() for record in records)
    assert records[3].forecast_spread["LAI"].min() > records[0].forecast_spread["LAI"].min() > 0
    w, vegetation = end.ensemble.soil_moisture, run.parameters.vegetation
    assert ((w >= 0.001) & (w <= 0.45)).all()
    bare = end.ensemble.leaf_area_index.unflatten(-1, (3, -1))[:, ~vegetation.vegetated]
    assert (bare == 0).all()


def test_noise_moves_biomass_in_proportion(run):
    loud = EnsembleSettings(
        members=5, soil_moisture=dict.fromkeys(LAYERS, 50.0), leaf_area_index=5.0, initial_spread="noise"
    )
    run.windows = [dataclasses.replace(run.windows[0], values=run.windows[0].values[:2], first_of_day=(False, False))]
    _, _, (state,) = cycle(run, ensrf(ensemble=loud), windows=slice(0, 1), observations=False)
    leaves = state.ensemble.leaf_area_index.unflatten(-1, (5, -1))
    assert leaves.min(dim=0).values[[0, 1, 2, 4, 5]].max() < 0.5, "cut at the smallest LAI of the patch"
    ratio = state.ensemble.leaf_biomass.unflatten(-1, (5, -1))[:, [0, 1, 2, 4, 5]] / leaves[:, [0, 1, 2, 4, 5]]
    torch.testing.assert_close(ratio, torch.full_like(ratio, 0.07), rtol=0.02, atol=0)


def test_noise_adds_up_along_its_correlation(run, toy):
    """A land surface that stays as it is shows eq. 18: x moves by W s q, and q is what the state carries."""

    class Still(toy.model):
        def with_parameters(self, parameters):
            return Still(parameters)

        def step(self, state, forcing, first_of_day):
            return state, super().step(state, forcing, first_of_day)[1]

    run.model = Still(run.parameters)
    starts = [np.datetime64("2015-06-01T09:00") + np.timedelta64(12 * number, "h") for number in range(3)]
    run.windows = [toy.window(3, steps=12, start=str(start)) for start in starts]
    days, phi = 0.5, 1 / (1 + 0.5 / 3)
    for initial, first in (("noise", 0.02 * 0.0875), ("background", 0.2 * 0.0875)):
        ensemble = EnsembleSettings(members=40, initial_spread=initial)
        _, _, states = cycle(run, ensrf(ensemble=ensemble), windows=slice(0, 3), observations=False)
        row = 3  # WG4
        before = torch.cat([run.state.soil_moisture[row]] * 40)
        for number, state in enumerate(states):
            size = first if number == 0 else days * 0.02 * 0.0875
            torch.testing.assert_close(state.ensemble.soil_moisture[row] - before, size * state.noise[row])
            before = state.ensemble.soil_moisture[row]
        q = torch.stack([state.noise for state in states])
        assert abs(q.var() - 1) < 0.06
        assert abs((q[1] * q[0]).mean() - phi) < 0.06
        assert abs((q[2] * q[0]).mean() - phi**2) < 0.06
    white = EnsembleSettings(members=40, correlation_time=0.0)
    _, _, states = cycle(run, ensrf(ensemble=white), windows=slice(0, 2), observations=False)
    moved = states[1].ensemble.soil_moisture[row] - states[0].ensemble.soil_moisture[row]
    torch.testing.assert_close(moved, 0.02 * 0.0875 * states[1].noise[row])
    assert abs((states[1].noise * states[0].noise).mean()) < 0.08


@pytest.mark.parametrize(("choice", "ratio"), [("model", 0.07), ("surfex", 0.06771856)])
def test_leaf_biomass_follows_the_increment_of_every_member(run, choice, ratio):
    settings = ensrf(leaf_biomass=choice)
    run.observed[0, 1] = 2.5
    _, _, (state,) = cycle(run, settings, windows=slice(0, 1))
    _, _, (forecast,) = cycle(run, settings, windows=slice(0, 1), observations=False)
    moved = state.ensemble.leaf_area_index - forecast.ensemble.leaf_area_index
    gained = state.ensemble.leaf_biomass - forecast.ensemble.leaf_biomass
    crop = slice(0, None, 6)
    assert moved[crop].abs().min() > 1e-4
    torch.testing.assert_close(gained[crop], ratio * moved[crop])


@pytest.mark.parametrize("precipitation", [0.0, 0.5])
@pytest.mark.parametrize("stop", [1, 2, 3])
def test_restart_is_bit_identical(run, toy, stop, precipitation):
    settings = ensrf(ensemble=EnsembleSettings(members=5, inflation=1.1, precipitation=precipitation))
    end, records, states = cycle(run, settings)
    again, rest, _ = cycle(run, settings, windows=slice(stop, DAYS), state=states[stop - 1])
    same_state(again, end, toy)
    for record, other in zip(rest, records[stop:], strict=True):
        assert all(torch.equal(record.analysis[name], other.analysis[name]) for name in record.analysis)
        torch.testing.assert_close(record.gain, other.gain, rtol=0, atol=0, equal_nan=True)


def test_permuted_cells_give_permuted_results(run):
    order, columns = [2, 0, 1], [3, 4, 5, 0, 1, 2]
    settings = ensrf(ensemble=EnsembleSettings(members=5, precipitation=0.3))
    end, records, _ = cycle(run, settings)
    grid = run.grid
    run.grid = Grid(
        latitude=grid.latitude[order],
        longitude=grid.longitude[order],
        cell_of_column=torch.tensor([0, 0, 0, 1, 1, 2]),
        patch_of_column=grid.patch_of_column[columns],
        fraction=grid.fraction[columns],
    )
    run.model = run.model.with_parameters(select_columns(run.model.parameters, torch.tensor(columns)))
    run.state = select_columns(run.state, torch.tensor(columns))
    run.windows = [
        ForcingWindow(window.values[..., order], window.start, 3600.0, window.first_of_day) for window in run.windows
    ]
    run.observed = run.observed[..., order]
    permuted, others, _ = cycle(run, settings)
    same = {"rtol": 1e-13, "atol": 1e-15}
    members = end.ensemble.soil_moisture.unflatten(-1, (5, -1))[..., columns]
    torch.testing.assert_close(permuted.ensemble.soil_moisture.unflatten(-1, (5, -1)), members, **same)
    for record, other in zip(records, others, strict=True):
        torch.testing.assert_close(other.analysis["LAI"], record.analysis["LAI"][order], **same)
        torch.testing.assert_close(other.gain, record.gain[..., order], equal_nan=True, rtol=1e-12, atol=1e-15)


def test_cells_and_kinds_without_observation_keep_their_forecast(run):
    _, records, _ = cycle(run, ensrf(ensemble=EnsembleSettings(members=6, inflation=1.5)))
    first, _, third, last = records
    for name in ("LAI", "WG2", "WG8"):
        assert first.increment[name][2] == third.increment[name][2] == 0
        assert (last.increment[name][:2] == 0).all()
        assert torch.equal(first.analysis_spread[name][2], first.forecast_spread[name][2]), "not inflated either"
        torch.testing.assert_close(first.analysis[name] - first.forecast[name], first.increment[name])
    assert (first.increment["WG2"][:2] != 0).all()
    assert (first.rejected[0] == torch.tensor([0, 0, Rejection.MISSING])).all()
    assert third.rejections["LAI"]["assimilated"] == 2
    torch.testing.assert_close(first.model_forecast[0], first.forecast["WG2"])
    torch.testing.assert_close(third.model_analysis[1], third.analysis["LAI"])
    for record in (first, third):
        used = record.rejected == 0
        before, after = record.departure, record.observed - record.model_analysis
        assert (after.abs() < before.abs())[used].all()


def test_second_observation_matters_as_much_as_alone_when_the_first_is_missing(run, toy):
    both = run.observed.clone()
    run.observed = both.clone()
    run.observed[:, 0] = torch.nan
    one, _, _ = cycle(run, ensrf())
    run.operators, run.observed = run.operators[1:], both[:, 1:]
    alone, _, _ = cycle(run, ensrf())
    for name in ("soil_moisture", "leaf_area_index"):
        torch.testing.assert_close(getattr(one.ensemble, name), getattr(alone.ensemble, name), rtol=1e-13, atol=1e-15)


def test_inflation_scales_the_analysed_spread(run):
    run.observed[:] = torch.nan
    run.observed[0, 0, 0] = 0.22
    _, (plain, *_), _ = cycle(run, ensrf(), windows=slice(0, 1))
    _, (wide, *_), _ = cycle(run, ensrf(ensemble=EnsembleSettings(members=6, inflation=1.2)), windows=slice(0, 1))
    for name in ("WG2", "WG5"):
        ratio = wide.analysis_spread[name] / plain.analysis_spread[name]
        torch.testing.assert_close(ratio, torch.tensor([1.2, 1.0, 1.0], dtype=torch.float64))
        torch.testing.assert_close(wide.analysis[name], plain.analysis[name])


def test_limits_bound_the_mean_and_range_bounds_every_member(run):
    run.observed[:] = torch.nan
    run.observed[0, 1] = torch.tensor([9.0, 9.0, 0.01])
    exact = {"LAI": ObservationErrorSettings(0.001)} | {"SSM": published_observation_errors()["SSM"]}
    settings = ensrf(observation_error=exact, limits=LimitSettings(leaf_area_index=0.2))
    _, (record, *_), (state, *_) = cycle(run, settings, windows=slice(0, 1))
    assert record.increment["LAI"][1].item() == pytest.approx(0.2), "the only patch of the cell"
    assert record.limit_hits["leaf_area_index_increment"] == 5
    _, _, (forecast,) = cycle(run, settings, windows=slice(0, 1), observations=False)
    moved = (state.land.leaf_area_index - forecast.land.leaf_area_index).abs()
    torch.testing.assert_close(moved, torch.tensor([0.2, 0.2, 0.2, 0.0, 0.2, 0.2], dtype=torch.float64))
    free = ensrf(observation_error=exact, limits=LimitSettings(leaf_area_index=9.0))
    _, _, (state, *_) = cycle(run, free, windows=slice(0, 1))
    members = state.ensemble.leaf_area_index.unflatten(-1, (6, -1))[:, [0, 1, 2, 4, 5]]
    assert members.min().item() == pytest.approx(0.3, abs=1e-12)


def test_rejections(run):
    frozen = dataclasses.replace(run.state, soil_ice=torch.full_like(run.state.soil_ice, 0.01))
    _, (record, *_), _ = cycle(run, ensrf(), state=FilterState(land=frozen))
    assert (record.rejected[0, :2] == Rejection.FROZEN).all()
    assert all((increment == 0).all() for increment in record.increment.values())
    for quality, reason in (
        (QualitySettings(maximum_departure={"SSM": 1e-6}), Rejection.DEPARTURE),
        (QualitySettings(maximum_normalised_departure={"SSM": 1e-6}), Rejection.UNLIKELY_DEPARTURE),
    ):
        _, (record, *_), _ = cycle(run, ensrf(quality=quality))
        assert (record.rejected[0, :2] == reason).all()
        assert record.signal.isnan().all()
        assert (record.increment["WG2"] == 0).all()


def test_observations_before_the_window_end(run):
    """The covariance with the earlier model equivalent moves the state at the window end."""
    steps = [8, 24]
    end, records, _ = cycle(run, ensrf(), steps=steps)
    at_end, others, _ = cycle(run, ensrf())
    assert (records[0].model_forecast[0] != others[0].model_forecast[0]).all()
    assert torch.equal(records[0].model_forecast[1], others[0].model_forecast[1])
    assert (records[0].increment["WG2"][:2] != 0).all()
    first = records[0]
    gained = first.model_analysis[0] - first.model_forecast[0]
    torch.testing.assert_close(gained[:2], (first.signal[0] * first.departure[0])[:2])
    assert not torch.equal(end.land.soil_moisture, at_end.land.soil_moisture)


def test_not_finite_is_named(run):
    broken = run.state.soil_temperature.clone()
    broken[2, 4] = torch.nan
    state = FilterState(land=dataclasses.replace(run.state, soil_temperature=broken))
    with pytest.raises(NonFiniteError, match=r"TG3 is nan in cell 2 .*, patch 5 .* in the ensemble after the forecast"):
        cycle(run, ensrf(), state=state)


def test_bad_set_ups(run):
    with pytest.raises(InputError, match=r"ensemble\.members is 1"):
        cycle(run, ensrf(ensemble=EnsembleSettings(members=1)))
    _, _, states = cycle(run, ensrf(), windows=slice(0, 1))
    with pytest.raises(InputError, match="the state holds 36 columns, not those of 4 members with 6 each"):
        cycle(run, ensrf(ensemble=EnsembleSettings(members=4)), state=states[0])


def test_other_schemes_start_from_the_mean(run, toy):
    _, _, states = cycle(run, ensrf(), windows=slice(0, 1))
    end, _, _ = cycle(run, FilterSettings(), windows=slice(1, 2), state=states[0])
    plain, _, _ = cycle(run, FilterSettings(), windows=slice(1, 2), state=FilterState(land=states[0].land))
    assert end.ensemble is None
    assert end.noise is None
    assert toy.same_bits(end.land, plain.land)


@pytest.mark.parametrize(
    ("operator", "moisture", "leaves", "better"),
    [("wg2", 0.8, 1.0, ("WG1", "WG2", "WG4")), ("lai", 1.0, 0.7, ("LAI",))],
)
def test_it_beats_its_own_open_loop_in_a_twin(domain, toy, operator, moisture, leaves, better):
    """The truth starts drier or with fewer leaves; daily observations bring the ensemble mean closer."""
    d = domain(curvature=0.02)
    d.windows = [toy.window(3, start=str(np.datetime64("2015-06-01T09:00") + day), seed=day) for day in range(10)]
    d.operators = [create_operator(operator, cell_count=3)]
    truth = dataclasses.replace(
        d.state,
        soil_moisture=moisture * d.state.soil_moisture,
        leaf_area_index=leaves * d.state.leaf_area_index,
        leaf_biomass=leaves * d.state.leaf_biomass,
    )
    settings = ensrf(
        ensemble=EnsembleSettings(members=20),
        observation_error={
            "SSM": ObservationErrorSettings(0.1, "soil_range"),
            "LAI": ObservationErrorSettings(0.1, "observation"),
        },
    )
    every = slice(0, 10)
    _, true_run, _ = cycle(d, FilterSettings(observation_error=settings.observation_error), every,
                           FilterState(land=truth), observations=False)  # fmt: skip
    d.observed = torch.stack([record.model_forecast for record in true_run])
    _, open_loop, _ = cycle(d, settings, every, observations=False)
    _, analysis, _ = cycle(d, settings, every)
    for name in better:
        before, after = (
            torch.stack([r.analysis[name] - t.analysis[name] for r, t in zip(records, true_run, strict=True)])
            for records in (open_loop, analysis)
        )
        assert after.square().mean() < 0.5 * before.square().mean(), name
