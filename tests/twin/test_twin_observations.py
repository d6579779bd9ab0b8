"""The observations of the twin: right on average, with the errors asked for, masked where the soil is frozen."""

import numpy as np
import pytest

from dalearn.evaluation.scores import compute_scores
from dalearn.observations.observations import Observations
from dalearn.twin.backscatter import draw_backscatter
from dalearn.twin.observations import observe_in_situ, observe_lai, observe_satellite_ssm, observe_sigma0
from dalearn.twin.settings import TwinSettings
from dalearn.twin.surface import PLACES, surface_map
from dalearn.twin.truth_run import TruthRun, output_names

SETTINGS = TwinSettings(years=3)
SURFACE = surface_map(PLACES[8:14])
BACKSCATTER = draw_backscatter(SURFACE, np.random.default_rng(1))


def a_truth() -> TruthRun:
    """Smooth seasons, the same hour by hour for all variables of a kind; frozen in January."""
    time = SETTINGS.first_day.astype("datetime64[s]") + np.arange(1, 24 * SETTINGS.days + 1) * np.timedelta64(3600, "s")
    phase = 2.0 * np.pi * np.arange(len(time))[:, None] / (24.0 * 365.25) + 0.1 * np.arange(SURFACE.cell_count)
    values = {name: 0.28 + 0.1 * np.cos(phase) for name in output_names()}
    values["LAI"] = 2.0 - 1.5 * np.cos(phase)
    values["TG1"] = values["TG2"] = 285.0 - 13.0 * np.cos(phase)
    return TruthRun(time, values)


TRUTH = a_truth()


def exact(name: str, observations: Observations) -> np.ndarray:
    row = np.searchsorted(TRUTH.time, observations.time - np.timedelta64(1800, "s"))
    return TRUTH.values[name][np.clip(row, 0, len(TRUTH.time) - 1), observations.cell]


def test_sigma0_has_the_noise_of_the_radar() -> None:
    observed = observe_sigma0(TRUTH, SURFACE, BACKSCATTER, SETTINGS, np.random.default_rng(0))
    day = (observed.time.astype("datetime64[D]") - observed.time.astype("datetime64[Y]")).astype(float) + 1.0
    fields = [exact(name, observed) for name in ("WG2", "TG2", "LAI")]
    scores = compute_scores(observed.value, BACKSCATTER.sigma0(*fields, day, observed.cell))
    assert float(scores.rmsd) == pytest.approx(0.33, rel=0.03)
    assert abs(float(scores.bias)) < 0.02
    assert (observed.error == 0.33).all()
    assert -20.0 < observed.value.min() < observed.value.max() < -3.0


def test_frozen_soil_is_masked() -> None:
    observed = observe_sigma0(TRUTH, SURFACE, BACKSCATTER, SETTINGS, np.random.default_rng(0))
    assert exact("TG2", observed).min() > 273.0
    day = (observed.time.astype("datetime64[D]") - observed.time.astype("datetime64[Y]")).astype(int)
    assert (day[observed.cell == 0] > 20).all()
    assert {30, 31, 180, 181} <= set(day.tolist())


def test_lai_comes_every_ten_days_with_twenty_percent() -> None:
    observed = observe_lai(TRUTH, SURFACE, SETTINGS, np.random.default_rng(0))
    first = observed.time[observed.cell == 0]
    assert (np.diff(first) == np.timedelta64(10, "D")).all()
    assert len(first) == 110
    relative = observed.value / exact("LAI", observed) - 1.0
    assert relative.std() == pytest.approx(0.2, rel=0.1)
    assert abs(relative.mean()) < 0.03
    assert observed.error == pytest.approx(0.2 * observed.value)


def test_clouds_hide_some_leaves_and_few_leaves_are_less_certain() -> None:
    settings = TwinSettings(years=3, lai_share=0.8, lai_error_floor=0.3)
    observed = observe_lai(TRUTH, SURFACE, settings, np.random.default_rng(0))
    assert len(observed) / (110 * SURFACE.cell_count) == pytest.approx(0.8, abs=0.05)
    true = exact("LAI", observed)
    deviation = observed.value - true
    assert deviation[true < 1.2].std() == pytest.approx(0.3, rel=0.15)
    assert (deviation / true)[true > 2.0].std() == pytest.approx(0.2, rel=0.15)
    assert observed.error.min() == pytest.approx(0.3)


def test_satellite_soil_wetness_follows_the_truth_on_another_scale() -> None:
    observed = observe_satellite_ssm(TRUTH, SURFACE, SETTINGS, np.random.default_rng(0))
    assert (observed.quantity, observed.units) == ("SSM", "%")
    assert observed.value.min() >= 0.0
    assert observed.value.max() <= 100.0
    for cell in range(SURFACE.cell_count):
        here = observed.cell == cell
        assert np.corrcoef(observed.value[here], exact("WG2", observed)[here])[0, 1] > 0.9
        assert observed.value[here].mean() > 5.0


def test_probes_stand_at_the_stations_and_keep_their_bias() -> None:
    observed = observe_in_situ(TRUTH, SURFACE, SETTINGS, np.random.default_rng(0))
    assert set(observed.cell.tolist()) == set(np.flatnonzero(SURFACE.name != "").tolist())
    assert (np.diff(np.unique(observed.time)) >= np.timedelta64(3, "h")).all()
    for cell in np.unique(observed.cell):
        here = observed.cell == cell
        truth, value = exact("WG2", observed)[here], observed.value[here]
        slope, offset = np.polyfit(truth, value, 1)
        assert 0.6 < slope < 1.5
        assert (value - slope * truth - offset).std() == pytest.approx(0.015, rel=0.1)


def test_the_same_generator_gives_the_same_observations() -> None:
    twice = [observe_lai(TRUTH, SURFACE, SETTINGS, np.random.default_rng(7)) for _ in range(2)]
    assert np.array_equal(twice[0].value, twice[1].value)
