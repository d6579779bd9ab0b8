import numpy as np
import pytest

from dalearn.evaluation.scores import (
    anomalies,
    anomaly_correlation,
    common_samples,
    compute_scores,
    monthly_correlation,
)


@pytest.fixture
def pair():
    generator = np.random.default_rng(1)
    observation = 0.25 + 0.05 * generator.standard_normal((400, 3))
    prediction = 0.6 * observation + 0.1 + 0.03 * generator.standard_normal((400, 3))
    observation[generator.random((400, 3)) < 0.3] = np.nan
    prediction[generator.random((400, 3)) < 0.1] = np.nan
    return prediction, observation


def daily(count):
    return np.datetime64("2015-01-01T09", "s") + np.arange(count) * np.timedelta64(86400, "s")


def test_scores_equal_a_loop_over_the_cells(pair):
    prediction, observation = pair
    scores = compute_scores(prediction, observation)
    for cell in range(3):
        keep = np.isfinite(prediction[:, cell]) & np.isfinite(observation[:, cell])
        p, o = prediction[keep, cell], observation[keep, cell]
        assert scores.count[cell] == keep.sum()
        np.testing.assert_allclose(scores.rmsd[cell], np.sqrt(np.mean((p - o) ** 2)), rtol=1e-12)
        np.testing.assert_allclose(scores.bias[cell], np.mean(p) - np.mean(o), rtol=1e-10)
        np.testing.assert_allclose(scores.ubrmsd[cell], np.std(p - o), rtol=1e-12)
        np.testing.assert_allclose(scores.correlation[cell], np.corrcoef(p, o)[0, 1], rtol=1e-12)


def test_known_values():
    observation = np.tile([[0.0], [1.0]], (20, 1))
    scores = compute_scores(3.0 + 2.0 * observation, observation)
    assert scores.bias[0] == pytest.approx(3.5)
    assert scores.rmsd[0] == pytest.approx(np.sqrt(12.5))
    assert scores.ubrmsd[0] == pytest.approx(0.5)
    assert scores.correlation[0] == pytest.approx(1.0)


def test_too_few_samples_give_no_score_but_a_count():
    observation = np.full((50, 2), np.nan)
    observation[:19, 0] = np.arange(19)
    observation[:20, 1] = np.arange(20)
    scores = compute_scores(observation + 1, observation, minimum_count=20)
    assert list(scores.count) == [19, 20]
    for values in (scores.rmsd, scores.bias, scores.ubrmsd, scores.correlation):
        assert np.isnan(values[0])
        assert np.isfinite(values[1])


@pytest.mark.parametrize("constant", [0.1, 280.3, 0.0])
def test_a_constant_series_has_no_correlation(constant):
    observation = np.random.default_rng(0).standard_normal((60, 1))
    scores = compute_scores(np.full((60, 1), constant), observation)
    assert np.isnan(scores.correlation[0])
    assert np.isfinite(scores.rmsd[0])


def test_float32_input_is_scored_in_double(pair):
    prediction, observation = (values.astype(np.float32) for values in pair)
    assert compute_scores(prediction, observation).rmsd.dtype == np.float64


def test_common_samples_share_their_gaps(pair):
    prediction, observation = common_samples(*pair)
    np.testing.assert_array_equal(np.isnan(prediction), np.isnan(observation))
    with pytest.raises(ValueError, match="different shapes"):
        common_samples(prediction, observation[:, :2])


def test_anomalies_equal_a_loop_over_the_samples(pair):
    values = pair[1]
    time = daily(400)
    result = anomalies(values, time)
    for sample in range(0, 400, 13):
        near = np.abs((time - time[sample]).astype(float)) <= 17.5 * 86400
        for cell in range(3):
            window = values[near, cell]
            window = window[np.isfinite(window)]
            if np.isfinite(values[sample, cell]) and len(window) >= 5:
                assert result[sample, cell] == pytest.approx(values[sample, cell] - window.mean(), abs=1e-12)
            else:
                assert np.isnan(result[sample, cell])


def test_anomaly_correlation_ignores_a_shared_season():
    generator = np.random.default_rng(3)
    time = daily(730)
    season = 10 * np.sin(np.arange(730) * 2 * np.pi / 365)[:, None]
    first, second = generator.standard_normal((2, 730, 1))
    assert compute_scores(season + first, season + second).correlation[0] > 0.95
    assert abs(anomaly_correlation(season + first, season + second, time)[0]) < 0.15
    assert anomaly_correlation(season + first, first, time)[0] > 0.95


def test_monthly_correlation_equals_a_loop(pair):
    prediction, observation = pair
    time = daily(400)
    result = monthly_correlation(prediction, observation, time)
    assert result.month[0] == np.datetime64("2015-01")
    assert len(result.month) == 14
    months = time.astype("datetime64[M]")
    for row, month in enumerate(result.month):
        for cell in range(3):
            keep = (months == month) & np.isfinite(prediction[:, cell]) & np.isfinite(observation[:, cell])
            assert result.count[row, cell] == keep.sum()
            if keep.sum() < 10:
                assert np.isnan(result.correlation[row, cell])
            else:
                expected = np.corrcoef(prediction[keep, cell], observation[keep, cell])[0, 1]
                assert result.correlation[row, cell] == pytest.approx(expected, abs=1e-12)


def test_times_out_of_order_are_refused(pair):
    with pytest.raises(ValueError, match="ascend"):
        anomalies(pair[0], daily(400)[::-1])
