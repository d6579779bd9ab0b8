"""Interval of a mean over two crossed factors, such as cells and noise seeds.

The values of one cell share its truth and its model error, those of one noise seed at one time share nothing but the
draw of the generator; resampling all values one by one would take them for independent.  The pigeonhole bootstrap
(Owen 2007, doi:10.1214/07-AOAS122) draws rows and columns independently, with replacement, and takes every value as
often as its row times its column; it is somewhat conservative.
"""

import numpy as np

from dalearn.evaluation.bootstrap import LEVEL, interval

RESAMPLES = 4000


def crossed_interval(
    values: np.ndarray, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> tuple[float, float, float]:
    """Mean of ``values`` (row, column) and the lower and upper end of its interval, in their units.

    ``seed`` fixes the draws.  A single row or column counts as fixed: it adds nothing to the width.
    """
    values = np.asarray(values, dtype=np.float64)
    generator = np.random.default_rng(seed)
    rows, columns = (
        generator.multinomial(count, np.full(count, 1.0 / count), size=resamples) / count for count in values.shape
    )
    estimate = values.mean()
    lower, upper = interval(np.einsum("br,rc,bc->b", rows, values, columns), estimate, level)
    return float(estimate), float(lower), float(upper)


def crossed_draws(
    shape: tuple[int, int], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of drawn rows and columns that broadcast to (resample, row, column), for statistics other than the mean.

    ``values[rows, columns]`` is every value as often as its row times its column; NaN is drawn like any other.
    """
    generator = np.random.default_rng(seed)
    rows, columns = (generator.integers(0, count, (resamples, count)) for count in shape)
    return rows[:, :, None], columns[:, None, :]
