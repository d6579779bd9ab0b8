"""The cycle on the toy model: open loop, restart, records, guards."""

import dataclasses

import numpy as np
import pytest
import torch

from dalearn.assimilation import forecast
from dalearn.assimilation.covariance import ObservationErrorSettings
from dalearn.assimilation.cycle import run_cycle
from dalearn.assimilation.finite import NonFiniteError
from dalearn.assimilation.forecast import Record, integrate
from dalearn.assimilation.limits import LimitSettings
from dalearn.assimilation.quality import QualitySettings, Rejection
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.errors import InputError
from dalearn.operators import create_operator

DAYS = 4


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


def cycle(d, windows=slice(0, DAYS), state=None, observations=True, settings=None):
    records = []
    end = run_cycle(
        d.model,
        d.grid,
        FilterState(land=state or d.state),
        d.windows[windows],
        d.operators,
        d.observed[windows] if observations else None,
        settings,
        on_window=lambda record, state: records.append((record, state)),
    )
    return end.land, [record for record, _ in records], [state.land for _, state in records]


@pytest.mark.parametrize("columns", [2, 3, 4])
def test_a_domain_in_parts_is_the_whole(run, toy, monkeypatch, columns):
    record = Record(("WG2", "LAI"), every=2)
    assert run.grid.column_count > columns
    state, series = integrate(run.model, run.grid, run.state, run.windows[0], record)
    monkeypatch.setattr(forecast, "COLUMNS_AT_ONCE", columns)
    state_in_parts, series_in_parts = integrate(run.model, run.grid, run.state, run.windows[0], record)
    assert toy.same_bits(state_in_parts, state)
    for name, values in series.items():
        assert torch.equal(series_in_parts[name], values), name


def test_open_loop_is_a_plain_run(run, toy):
    state = run.state
    for window in run.windows:
        state, _ = integrate(run.model, run.grid, run.model.prepare_state(state), window)
    end, records, _ = cycle(run, observations=False)
    assert toy.same_bits(end, state)
    assert len(records) == DAYS
    assert all((record.increment["WG2"] == 0).all() for record in records)
    run.observed.fill_(torch.nan)
    nothing_observed, _, _ = cycle(run)
    assert toy.same_bits(nothing_observed, end)


def test_windows_without_observations_cost_one_forecast(run):
    cycle(run, windows=slice(0, 2))
    assert run.model.runs == [6 * 9] * 24 + [6] * 24


@pytest.mark.parametrize("jacobian", ["finite_differences", "autograd"])
@pytest.mark.parametrize("stop", [1, 2, 3])
def test_restart_is_bit_identical(run, toy, jacobian, stop):
    settings = FilterSettings(jacobian=jacobian)
    end, records, states = cycle(run, settings=settings)
    again, rest, _ = cycle(run, windows=slice(stop, DAYS), state=states[stop - 1], settings=settings)
    assert toy.same_bits(again, end)
    for record, other in zip(rest, records[stop:], strict=True):
        assert all(torch.equal(record.analysis[name], other.analysis[name]) for name in record.analysis)
        torch.testing.assert_close(record.jacobian, other.jacobian, rtol=0, atol=0, equal_nan=True)


def test_records_are_consistent(run):
    _, records, states = cycle(run)
    for number, (record, state) in enumerate(zip(records, states, strict=True)):
        assert record.time == run.windows[number].times[-1]
        assert record.quantities == ("SSM", "LAI")
        for name in ("LAI", "WG2", "WG8"):
            torch.testing.assert_close(record.analysis[name] - record.forecast[name], record.increment[name])
        torch.testing.assert_close(record.analysis["WG1"], record.forecast["WG1"], rtol=0, atol=0)
        torch.testing.assert_close(record.model_forecast[0], record.forecast["WG2"])
        torch.testing.assert_close(record.model_analysis[1], run.grid.cell_mean(state.leaf_area_index))
        torch.testing.assert_close(record.departure, run.observed[number] - record.model_forecast, equal_nan=True)
        missing = run.observed[number].isnan()
        assert ((record.rejected == Rejection.MISSING) == missing).all()
        assert (record.rejected[~missing] == Rejection.ASSIMILATED).all()
    assert records[2].rejections["LAI"]["assimilated"] == 2
    assert records[1].jacobian.isnan().all()
    assert records[0].jacobian.shape == (2, 8, 3)
    assert records[0].increment["WG2"][2] == records[0].increment["LAI"][2] == 0
    assert records[0].increment["WG2"][0] < 0 < records[0].increment["WG2"][1]


def test_records_of_any_subset_of_the_observations(run):
    """Window 0: SSM in cells 0 and 1; 1: nothing; 2: both in cells 0 and 1; 3: LAI in cell 2."""
    _, records, _ = cycle(run)
    assert records[1].chi_square.isnan().all()
    assert records[1].gain.isnan().all()
    for number in (0, 2, 3):
        record, used = records[number], ~run.observed[number].isnan()
        for values in (record.signal, record.expected_deviation, record.observation_deviation):
            assert (values.isfinite() == used).all()
        assert (record.gain.isfinite() == used.unsqueeze(1)).all()
        assert (record.chi_square.isfinite() == used.any(dim=0)).all()
        assert (record.expected_deviation > record.observation_deviation)[used].all()
        assert ((record.signal > 0) & (record.signal < 1))[used].all()
    alone = (records[0].departure[0] / records[0].expected_deviation[0])[:2].square()
    torch.testing.assert_close(records[0].chi_square[:2], alone)
    ratio = (records[0].observation_deviation[0] / records[0].expected_deviation[0])[:2].square()
    torch.testing.assert_close(records[0].signal[0, :2], 1 - ratio)


def test_cell_means_skip_soil_that_is_not_there(run):
    """WG7 and WG8 of cell 2 are means over two of its three patches."""
    _, records, states = cycle(run)
    weights = torch.tensor([0.25, 0.25], dtype=torch.float64) / 0.5
    expected = (states[-1].soil_moisture[7, [3, 5]] * weights).sum()
    assert records[-1].analysis["WG8"][2].item() == pytest.approx(expected.item())


def test_analysis_draws_to_the_observation(run):
    _, records, _ = cycle(run)
    for record in (records[0], records[2]):
        used = record.rejected == 0
        before = (run.observed[records.index(record)] - record.model_forecast)[used].abs()
        after = (run.observed[records.index(record)] - record.model_analysis)[used].abs()
        assert (after < before).all()


def test_leaf_biomass_choice(run):
    settings = FilterSettings(leaf_biomass="surfex", limits=LimitSettings(leaf_area_index=0.1))
    for chosen, ratio in ((FilterSettings(limits=settings.limits), 0.07), (settings, 0.06771856)):
        _, _, states = cycle(run, windows=slice(2, 3), settings=chosen)
        forecast, _ = integrate(run.model, run.grid, run.model.prepare_state(run.state), run.windows[2])
        moved = states[0].leaf_area_index[0] - forecast.leaf_area_index[0]
        assert moved.abs() > 1e-3
        assert (states[0].leaf_biomass[0] - forecast.leaf_biomass[0]).item() == pytest.approx(ratio * moved.item())


def test_frozen_and_departure_rejections_change_nothing(run, toy):
    frozen = dataclasses.replace(run.state, soil_ice=torch.full_like(run.state.soil_ice, 0.01))
    open_loop, _, _ = cycle(run, state=frozen, observations=False)
    end, records, _ = cycle(run, state=frozen)
    assert records[0].rejections["SSM"]["frozen"] == 2
    torch.testing.assert_close(end.soil_moisture, open_loop.soil_moisture, rtol=1e-13, atol=0)

    strict = FilterSettings(quality=QualitySettings(maximum_departure={"SSM": 1e-6, "LAI": 1e-6}))
    _, records, _ = cycle(run, settings=strict)
    assert records[2].rejections["SSM"]["departure"] == records[2].rejections["LAI"]["departure"] == 2


def test_operator_rules_outside_the_training_range(run):
    bound = torch.full((3, 1), 0.1, dtype=torch.float64)
    for rule in ("clip", "drop", "refuse"):
        operator = create_operator("wg2", cell_count=3, out_of_range=rule)
        operator.predictor_range.predictor_maximum.copy_(bound)
        run.operators = [operator, run.operators[1]]
        if rule == "refuse":
            with pytest.raises(InputError, match="outside the training range"):
                cycle(run)
            continue
        _, records, _ = cycle(run)
        assert records[0].rejections["SSM"]["operator_unusable"] == (2 if rule == "drop" else 0)
        assert (records[0].increment["WG2"] == 0).all(), "clipped predictors have no derivative"
        assert operator.report().outside.sum() == 9, "one check of every cell per analysis"


def test_not_finite_names_cell_variable_and_time(run):
    broken = torch.zeros_like(run.state.soil_moisture)
    broken[2, 4] = torch.nan
    run.state = dataclasses.replace(run.state, soil_temperature=run.state.soil_temperature + broken)
    with pytest.raises(NonFiniteError, match=r"TG3 is nan in cell 2 \(44.00 N, 2.00 E\), patch 5 .* 2015-06-02T09:00"):
        cycle(run)


def test_not_finite_jacobian_is_named(run):
    class Broken(type(run.operators[0])):
        def forward(self, predictors):
            return torch.where(predictors[..., 0] > 0, predictors[..., 0], (predictors[..., 0] - 9.0).sqrt())

    run.operators[0] = Broken(3)
    with pytest.raises(NonFiniteError, match="d SSM / d LAI is nan in cell 0"):
        cycle(run, settings=FilterSettings(jacobian="autograd"))


def test_bad_set_ups(run):
    run.operators = [run.operators[0], run.operators[0]]
    with pytest.raises(InputError, match="two operators for SSM"):
        cycle(run)
    run.operators = run.operators[:1]
    with pytest.raises(InputError, match="observation error of SSM"):
        cycle(run, settings=FilterSettings(observation_error={}))


def test_recorded_forecast(run):
    state, means = integrate(run.model, run.grid, run.state, run.windows[0], Record(("WG2", "TG2", "DRAIN"), every=6))
    assert set(means) == {"WG2", "TG2", "DRAIN"}
    assert means["WG2"].shape == (4, 3)
    torch.testing.assert_close(means["WG2"][-1], run.grid.cell_mean(state.soil_moisture[1]))
    torch.testing.assert_close(means["TG2"][-1], run.grid.cell_mean(state.soil_temperature[1]))
    unrecorded, nothing = integrate(run.model, run.grid, run.state, run.windows[0])
    assert nothing == {}
    assert torch.equal(unrecorded.soil_moisture, state.soil_moisture)


@pytest.mark.parametrize(
    ("operator", "moisture", "leaves", "better"),
    [("wg2", 0.8, 1.0, ("WG1", "WG2", "WG4")), ("lai", 1.0, 0.7, ("LAI",))],
)
def test_the_filter_beats_the_open_loop_in_a_twin(domain, toy, operator, moisture, leaves, better):
    """The truth starts drier or with fewer leaves; daily observations bring the run closer."""
    d = domain(curvature=0.02)
    windows = [toy.window(3, start=str(np.datetime64("2015-06-01T09:00") + day), seed=day) for day in range(10)]
    operators = [create_operator(operator, cell_count=3)]
    true_start = dataclasses.replace(
        d.state,
        soil_moisture=moisture * d.state.soil_moisture,
        leaf_area_index=leaves * d.state.leaf_area_index,
        leaf_biomass=leaves * d.state.leaf_biomass,
    )

    accurate = FilterSettings(
        observation_error={
            "SSM": ObservationErrorSettings(0.1, "soil_range"),
            "LAI": ObservationErrorSettings(0.1, "observation"),
        }
    )

    def run(state, observed=None):
        records = []
        run_cycle(
            d.model,
            d.grid,
            FilterState(land=state),
            windows,
            operators,
            observed,
            accurate,
            on_window=lambda record, state: records.append(record),
        )
        return records

    truth = run(true_start)
    observed = torch.stack([record.model_forecast for record in truth])
    open_loop, analysis = run(d.state), run(d.state, observed)
    for name in better:
        before, after = (
            torch.stack([r.analysis[name] - t.analysis[name] for r, t in zip(records, truth, strict=True)])
            for records in (open_loop, analysis)
        )
        assert after.square().mean() < 0.5 * before.square().mean(), name
