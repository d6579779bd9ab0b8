"""The baselines recover what they are able to describe, and only from complete samples."""

import numpy as np

from dalearn.experiments.baselines import climatology, least_squares, linear


def test_linear_recovers_a_line_per_cell_despite_gaps(rng: np.random.Generator) -> None:
    predictors = np.stack([rng.uniform(0.1, 0.4, (200, 3)), rng.normal(290.0, 8.0, (200, 3))], axis=-1)
    slopes = np.array([[20.0, 0.01], [30.0, -0.02], [0.0, 0.0]])
    target = -12.0 + (predictors * slopes).sum(axis=-1)
    gappy = np.where(rng.uniform(size=target.shape) < 0.3, np.nan, target)
    predictors_with_gaps = predictors.copy()
    predictors_with_gaps[5] = np.nan
    assert np.allclose(linear(predictors_with_gaps, gappy, predictors), target, atol=1e-8)


def test_climatology_recovers_a_seasonal_cycle() -> None:
    time = np.datetime64("2007-01-01T09:00", "s") + np.arange(4 * 365) * np.timedelta64(86400, "s")
    day = (time - time.astype("datetime64[Y]")).astype("timedelta64[s]").astype(float) / 86400.0
    season = -10.0 + 0.5 * np.cos(2 * np.pi * (day - 30.0) / 365.25) + 0.2 * np.sin(4 * np.pi * day / 365.25)
    target = season[:, None]
    assert np.allclose(climatology(time[:1000], target[:1000], time), target, atol=1e-8)


def test_cells_with_too_few_samples_stay_undefined(rng: np.random.Generator) -> None:
    target = np.full((50, 2), np.nan)
    target[:, 0] = rng.normal(size=50)
    target[:2, 1] = 1.0
    coefficients = least_squares(rng.normal(size=(50, 2, 3)), target)
    assert np.isfinite(coefficients[0]).all()
    assert np.isnan(coefficients[1]).all()
