"""Significance of a correlation: the p-value of Pearson's R, as Rojas-Munoz et al. (2023) give it for every station.

Under no correlation, (n - 2) R^2 / (1 - R^2) of n independent normal pairs has the F distribution with 1 and n - 2
degrees of freedom, so p = I_x((n - 2) / 2, 1 / 2) with x = 1 - R^2 and I the regularised incomplete beta function
(DLMF 8.17, https://dlmf.nist.gov/8.17).  Samples of soil moisture are not independent: the true p-value is larger.
"""

import math

import numpy as np

_TERMS = 400
_TINY = 1e-300


def correlation_p_value(correlation: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Two-sided p-value of Pearson's ``correlation`` (...) of ``count`` (...) independent pairs, same shape.

    NaN where R is undefined or there are fewer than three pairs.
    """
    correlation, count = np.broadcast_arrays(np.asarray(correlation, dtype=np.float64), np.asarray(count))
    known = np.isfinite(correlation) & (count > 2)
    squared = np.clip(np.where(known, correlation, 0.0) ** 2, 0.0, 1.0)
    freedom = np.where(known, count - 2, 1).astype(np.float64)
    return np.where(known, _incomplete_beta(freedom / 2, 0.5, 1.0 - squared, squared), np.nan)


def _incomplete_beta(a: np.ndarray, b: float, x: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """I_x(a, b) with ``rest`` = 1 - x, which keeps its digits where x is close to 1."""
    direct = x < (a + 1) / (a + b + 2)
    first, second = np.where(direct, a, b), np.where(direct, b, a)
    low, high = np.where(direct, x, rest), np.where(direct, rest, x)
    gamma = np.vectorize(math.lgamma, otypes=[float])
    with np.errstate(divide="ignore"):
        exponent = gamma(a + b) - gamma(a) - gamma(b) + first * np.log(low) + second * np.log(high)
    part = np.exp(exponent) / first / _continued_fraction(first, second, low)
    return np.clip(np.where(direct, part, 1.0 - part), 0.0, 1.0)


def _continued_fraction(a: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    """1 + d1 / (1 + d2 / (1 + ...)) of DLMF 8.17.22, by the method of Lentz; converges fast for x < (a+1) / (a+b+2)."""
    value = np.ones_like(x)
    numerator, denominator = value, np.zeros_like(x)
    for term in range(1, _TERMS):
        m = term // 2
        if term % 2:
            step = -(a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1)) * x
        else:
            step = m * (b - m) / ((a + 2 * m - 1) * (a + 2 * m)) * x
        denominator = 1.0 / _away_from_zero(1.0 + step * denominator)
        numerator = _away_from_zero(1.0 + step / numerator)
        factor = numerator * denominator
        value = value * factor
        if np.all(np.abs(factor - 1.0) < 1e-15):
            break
    return value


def _away_from_zero(values: np.ndarray) -> np.ndarray:
    return np.where(np.abs(values) < _TINY, _TINY, values)
