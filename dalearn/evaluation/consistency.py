"""Whether the errors that the filter was given agree with the departures that it met.

With d_ob = y_o - y_b (departure), d_oa = y_o - y_a (residual) and d_ab = y_a - y_b, a filter with the right B and R
has (Desroziers et al. 2005, doi:10.1256/qj.05.108, equations 1 to 3)

    <d_ob d_ob> = H B H^T + R,    <d_ab d_ob> = H B H^T,    <d_oa d_ob> = R,

a d_ob^T S^-1 d_ob whose mean is the number of observations, and departures of successive windows without correlation
(Kailath 1968, doi:10.1109/TAC.1968.1099025).
"""

from dataclasses import dataclass

import numpy as np

from dalearn.evaluation.bootstrap import bootstrap_ratio
from dalearn.evaluation.table_parts import ScoreSettings, known_deviation, known_mean, with_interval

CHI_SQUARE = "chi-square per observation"
SIGNAL = "degrees of freedom for signal"
SIGNAL_PER_OBSERVATION = f"{SIGNAL} per observation"
LEFT_OUT = "left out"
LARGEST_EXPECTED = 10.0  # expected departure over its usual size where derivatives still say something


@dataclass(frozen=True)
class Departures:
    """The assimilated observations of one experiment and row of analysis.nc, NaN where there is none.

    All (time, cell), in the units of the observation: ``departure`` y_o - y_b and ``residual`` y_o - y_a;
    ``expected`` sqrt(H B H^T + R) and ``error`` sqrt(R), the standard deviations that the filter used, None where the
    file does not hold them; ``signal`` the diagonal of H K, without units, or None.
    """

    departure: np.ndarray
    residual: np.ndarray
    expected: np.ndarray | None = None
    error: np.ndarray | None = None
    signal: np.ndarray | None = None

    @property
    def number(self) -> int:
        return int(np.isfinite(self.departure).sum())

    @property
    def normalised_square(self) -> np.ndarray | None:
        """d_ob^2 / (H B H^T + R), (time, cell); its mean is 1 where B and R are right."""
        return None if self.expected is None else (self.departure / self.expected) ** 2

    @property
    def runaway(self) -> np.ndarray:
        """Where the forecast amplifies differences so much that H says nothing beyond them, (time, cell) bool."""
        if self.expected is None or self.error is None:
            return np.zeros(self.departure.shape, dtype=bool)
        return is_runaway(self.expected, self.error)


def is_runaway(expected: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Whether sqrt(H B H^T + R) is beyond ``LARGEST_EXPECTED`` times both sqrt(R) and its own median."""
    if not np.isfinite(expected).any():
        return np.zeros(expected.shape, dtype=bool)
    return np.nan_to_num(expected) > LARGEST_EXPECTED * np.fmax(error, np.nanmedian(expected))


def departure_statistics(departures: Departures, time: np.ndarray, settings: ScoreSettings) -> dict[str, float]:
    """Mean and standard deviation of departures and residuals, and the autocorrelation of the departures."""
    result: dict[str, float] = {"number": departures.number}
    for name, values in (("departure", departures.departure), ("residual", departures.residual)):
        result |= {f"{name} mean": known_mean(values), f"{name} standard deviation": known_deviation(values)}
    product, square = successive(departures.departure)
    return result | ratio_with_interval("departure autocorrelation", product, square, time, settings)


def consistency_statistics(departures: Departures, time: np.ndarray, settings: ScoreSettings) -> dict[str, float]:
    """Errors used and diagnosed, in the units of the observation, and their ratios, with intervals.

    Each is a standard deviation, the root of a mean over windows and cells; a diagnosed one is NaN where the mean
    product is negative.  Without the errors that the filter used there are only the diagnosed ones.  A few windows with
    runaway derivatives would be all that these means show; they are left out and counted.
    """
    runaway = departures.runaway
    departure, residual = (np.where(runaway, np.nan, values) for values in (departures.departure, departures.residual))
    products = {
        "observation error": residual * departure,
        "background error": (departure - residual) * departure,
        "departure size": departure * departure,
    }
    used: dict[str, np.ndarray] = {}
    if departures.expected is not None and departures.error is not None:
        variance, of_observation = (
            np.where(runaway, np.nan, values) ** 2 for values in (departures.expected, departures.error)
        )
        used = dict(zip(products, (of_observation, variance - of_observation, variance), strict=True))
    result: dict[str, float] = {LEFT_OUT: int(runaway.sum())} if used else {}
    for name, product in products.items():
        if name in used:
            result[f"{name} used"] = _root(known_mean(used[name]))
        result[f"{name} diagnosed"] = _root(known_mean(product))
        if name in used:
            result |= ratio_with_interval(f"{name} ratio", product, used[name], time, settings, root=True)
    return result


def signal_statistics(departures: Departures) -> dict[str, float]:
    """Degrees of freedom for signal, the trace of H K over all windows, and their mean per observation."""
    if departures.signal is None:
        return {}
    total = float(np.nansum(departures.signal))
    return {SIGNAL: total, SIGNAL_PER_OBSERVATION: total / departures.number}


def ratio_with_interval(
    name: str,
    numerator: np.ndarray,
    denominator: np.ndarray,
    time: np.ndarray,
    settings: ScoreSettings,
    root: bool = False,
) -> dict[str, float]:
    """Sum of ``numerator`` over sum of ``denominator``, both (time, ...), or the ``root`` of it, with its interval.

    There is no interval with fewer than ``settings.minimum_count`` times.
    """
    both = np.isfinite(numerator) & np.isfinite(denominator)
    total = denominator[both].sum()
    value = float(numerator[both].sum() / total) if total > 0 else np.nan
    replicates = np.full(settings.resamples, np.nan)
    if both.reshape(len(both), -1).any(axis=1).sum() >= settings.minimum_count:
        replicates = bootstrap_ratio(
            numerator, denominator, time, block=settings.block_days, resamples=settings.resamples, seed=settings.seed
        )
    if root:
        value, replicates = _root(value), np.sqrt(np.where(replicates > 0, replicates, np.nan))
    return with_interval(name, value, replicates, settings)


def successive(departure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Product and mean square of each departure (time, cell) and the next one of its cell, whenever that is.

    Both (time, cell) at the earlier of the two, NaN where there is none; about the mean of the cell.  The ratio of
    their sums is the autocorrelation.
    """
    known = np.isfinite(departure)
    count = np.maximum(known.sum(axis=0), 1)
    anomaly = departure - np.where(known, departure, 0.0).sum(axis=0) / count
    order = np.argsort(~known, axis=0, kind="stable")
    packed = np.take_along_axis(anomaly, order, axis=0)
    product, square = (np.full(departure.shape, np.nan) for _ in range(2))
    np.put_along_axis(product, order[:-1], packed[:-1] * packed[1:], axis=0)
    np.put_along_axis(square, order[:-1], 0.5 * (packed[:-1] ** 2 + packed[1:] ** 2), axis=0)
    return product, square


def _root(value: float) -> float:
    return float(np.sqrt(value)) if value > 0 else np.nan
