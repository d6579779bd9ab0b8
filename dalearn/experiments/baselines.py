"""What a learned operator has to beat: the day of the year alone, and a straight line in its own predictors.

Both are least-squares fits per cell on the training samples.  Arrays: ``predictors`` (sample, cell, n), ``target``
(sample, cell) NaN = missing, ``time`` (sample,) datetime64.
"""

import numpy as np

HARMONICS = 2


def seasonal_predictors(time: np.ndarray) -> np.ndarray:
    """Sine and cosine of the year and of its half, (sample, 4)."""
    day = (time.astype("datetime64[s]") - time.astype("datetime64[Y]").astype("datetime64[s]")).astype(np.float64)
    angle = 2.0 * np.pi * day / (365.25 * 86400.0)
    waves = [wave(number * angle) for number in range(1, HARMONICS + 1) for wave in (np.cos, np.sin)]
    return np.stack(waves, axis=-1)


def least_squares(predictors: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Intercept and slopes per cell, (cell, 1 + n); NaN where there are fewer samples than coefficients."""
    cells, count = predictors.shape[1:]
    coefficients = np.full((cells, count + 1), np.nan)
    for cell in range(cells):
        known = np.isfinite(target[:, cell]) & np.isfinite(predictors[:, cell]).all(axis=-1)
        if known.sum() > count:
            design = np.column_stack([np.ones(known.sum()), predictors[known, cell]])
            coefficients[cell] = np.linalg.lstsq(design, target[known, cell], rcond=None)[0]
    return coefficients


def predict(coefficients: np.ndarray, predictors: np.ndarray) -> np.ndarray:
    """The straight line of ``least_squares`` at ``predictors``, (sample, cell)."""
    return coefficients[:, 0] + np.einsum("scn,cn->sc", predictors, coefficients[:, 1:])


def linear(predictors: np.ndarray, target: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Predictions (sample, cell) at the predictors ``at`` of a line fitted to the training samples.

    Predictors are centred and scaled for the fit, which keeps kelvins and m3 m-3 on one footing.
    """
    known = np.isfinite(target)[..., None] & np.isfinite(predictors)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, predictors, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, predictors - mean, 0.0) ** 2).sum(axis=0) / count)
    spread = np.where(spread > 0, spread, 1.0)
    return predict(least_squares((predictors - mean) / spread, target), (at - mean) / spread)


def climatology(time: np.ndarray, target: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Predictions (sample, cell) at the times ``at`` of the mean seasonal cycle of the training samples."""
    cells = target.shape[1]
    train, test = (np.repeat(seasonal_predictors(moment)[:, None], cells, axis=1) for moment in (time, at))
    return predict(least_squares(train, target), test)
