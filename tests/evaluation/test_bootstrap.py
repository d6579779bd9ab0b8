import numpy as np
import pytest

from dalearn.evaluation.bootstrap import block_weights, bootstrap_scores, interval, mean_over_cells
from dalearn.evaluation.scores import compute_scores


def daily(count):
    return np.datetime64("2015-01-01T09", "s") + np.arange(count) * np.timedelta64(86400, "s")


def autoregressive(generator, count, cells, memory):
    noise = generator.standard_normal((count, cells))
    values = np.empty_like(noise)
    values[0] = noise[0]
    for step in range(1, count):
        values[step] = memory * values[step - 1] + np.sqrt(1 - memory**2) * noise[step]
    return values


def test_weights_are_whole_blocks_and_treat_every_sample_alike():
    weights = block_weights(np.arange(120.0), 10.0, 4000, seed=5)
    assert weights.shape == (4000, 120)
    np.testing.assert_array_equal(weights.sum(axis=1), 120)
    assert np.all(weights >= 0)
    np.testing.assert_array_equal(weights, np.round(weights))
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.08)
    # neighbours are drawn together, samples two blocks apart are not
    correlation = np.corrcoef(weights.T)
    assert correlation[50, 51] > 0.8
    assert abs(correlation[50, 75]) < 0.2


def test_blocks_in_days_follow_irregular_times():
    positions = np.array([0.0, 1.0, 2.0, 50.0, 51.0, 99.0])
    weights = block_weights(positions, 5.0, 2000, seed=2)
    correlation = np.corrcoef(weights.T)
    assert correlation[0, 1] > 0.6
    assert abs(correlation[1, 3]) < 0.15


def test_replicates_equal_scores_of_the_resampled_series():
    generator = np.random.default_rng(4)
    observation = autoregressive(generator, 200, 2, 0.7) * 0.02 + 0.3
    prediction = observation + 0.01 * generator.standard_normal((200, 2))
    observation[generator.random((200, 2)) < 0.2] = np.nan
    observation[:, 1] *= 1e-6
    prediction[:, 1] *= 1e-6
    weights = block_weights(np.arange(200.0), 20, 7, seed=9).astype(int)
    replicates = bootstrap_scores({"network": prediction}, observation, block=20, resamples=7, seed=9)["network"]
    for resample in range(7):
        rows = np.repeat(np.arange(200), weights[resample])
        expected = compute_scores(prediction[rows], observation[rows])
        np.testing.assert_allclose(replicates.rmsd[resample], expected.rmsd, rtol=1e-9)
        np.testing.assert_allclose(replicates.correlation[resample], expected.correlation, rtol=1e-9)


def test_interval_covers_the_true_correlation():
    generator = np.random.default_rng(11)
    cells, count, true = 150, 600, 0.7
    first = autoregressive(generator, count, cells, 0.8)
    second = true * first + np.sqrt(1 - true**2) * autoregressive(generator, count, cells, 0.8)
    estimate = compute_scores(first, second).correlation
    replicates = bootstrap_scores({"p": first}, second, daily(count), block=30, resamples=300)["p"]
    low, high = interval(replicates.correlation, estimate)
    assert 0.85 < np.mean((low < true) & (true < high)) <= 1.0
    # single-sample blocks forget the memory of the series and are too sure of themselves
    narrow = bootstrap_scores({"p": first}, second, daily(count), block=1, resamples=300)["p"]
    narrow_low, narrow_high = interval(narrow.correlation, estimate)
    assert np.median(high - low) > 1.5 * np.median(narrow_high - narrow_low)


def test_differences_are_paired():
    generator = np.random.default_rng(6)
    observation = autoregressive(generator, 400, 1, 0.8)
    shared = observation + autoregressive(generator, 400, 1, 0.8)
    better = observation + 0.95 * (shared - observation)
    replicates = bootstrap_scores({"a": shared, "b": better}, observation, daily(400), resamples=200)
    rmsd = {name: compute_scores(values, observation).rmsd for name, values in (("a", shared), ("b", better))}
    low, high = interval(replicates["b"].rmsd - replicates["a"].rmsd, rmsd["b"] - rmsd["a"])
    own_low, own_high = interval(replicates["a"].rmsd, rmsd["a"])
    assert high[0] < 0
    assert high[0] - low[0] < 0.2 * (own_high[0] - own_low[0])


def test_seed_fixes_the_draws_and_empty_cells_stay_empty():
    generator = np.random.default_rng(8)
    observation = generator.standard_normal((100, 2))
    observation[10:, 1] = np.nan
    prediction = observation + 1
    once = bootstrap_scores({"p": prediction}, observation, resamples=20, block=5, seed=1)["p"]
    again = bootstrap_scores({"p": prediction}, observation, resamples=20, block=5, seed=1)["p"]
    np.testing.assert_array_equal(once.rmsd, again.rmsd)
    assert np.all(np.isnan(once.rmsd[:, 1]))
    low, high = interval(once.rmsd, np.ones(2))
    assert np.isnan(low[1])
    assert np.isnan(high[1])
    np.testing.assert_allclose(mean_over_cells(once.rmsd), 1.0)


def test_no_observation_at_all_gives_nan():
    nothing = np.full((30, 2), np.nan)
    replicates = bootstrap_scores({"p": np.zeros((30, 2))}, nothing, resamples=5)["p"]
    assert np.all(np.isnan(replicates.correlation))
    assert np.all(np.isnan(mean_over_cells(replicates.rmsd)))


def test_a_block_longer_than_the_period_still_resamples():
    generator = np.random.default_rng(8)
    observation = generator.standard_normal((60, 1))
    replicates = bootstrap_scores({"p": observation + generator.standard_normal((60, 1))}, observation, block=1000)
    low, high = interval(replicates["p"].rmsd, np.median(replicates["p"].rmsd, axis=0))
    assert high[0] > low[0]
    with pytest.raises(ValueError, match="blocks of length"):
        block_weights(np.arange(10.0), 0.0, 5, seed=0)


def test_interval_without_bias_is_the_percentile_interval():
    replicates = np.random.default_rng(1).permutation(np.arange(1001.0))[:, None]
    low, high = interval(replicates, np.array([500.0]), level=0.9)
    np.testing.assert_allclose([low[0], high[0]], [50.0, 950.0], atol=1.0)
    assert interval(replicates[:, 0], 500.0)[0].shape == ()


def test_interval_moves_towards_an_estimate_off_the_median():
    replicates = np.random.default_rng(1).standard_normal((2000, 2))
    low, high = interval(replicates, np.array([0.0, 1.0]))
    assert low[1] > low[0] + 0.5
    assert high[1] > high[0] + 0.5
    # some missing replicates do not matter, a missing estimate does
    replicates[:100, 0] = np.nan
    low, high = interval(replicates, np.array([0.0, np.nan]))
    np.testing.assert_allclose([low[0], high[0]], [-1.96, 1.96], atol=0.15)
    assert np.isnan(low[1])
