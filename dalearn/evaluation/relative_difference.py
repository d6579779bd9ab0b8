"""Monthly mean relative difference to a reference year: equation 2 and Figure 7 of Rojas-Munoz et al. (2023).

    y(i, j, ref) = (mean(i, j) - mean(i, ref)) / mean(i, ref)

of month i and year j.  What differs from year to year is kept, while the different depths and soils of a probe and of a
model layer, which a ratio to the same place's own mean removes, are not.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.correlation_test import correlation_p_value
from dalearn.evaluation.scores import MINIMUM_MONTHLY_COUNT, compute_scores
from dalearn.evaluation.seasons import month_of, year_of
from dalearn.evaluation.style import MONTH_NAMES

IN_SITU = "in situ"
MINIMUM_PAIRS = 3


@dataclass(frozen=True)
class RelativeDifferences:
    """``values`` by series (in situ and every run): (year, 12, cell), NaN = unknown; ``years`` (year,) without the
    ``reference`` year."""

    reference: int
    years: np.ndarray
    values: Mapping[str, np.ndarray]


def monthly_means(
    values: np.ndarray, time: np.ndarray, minimum_count: int = MINIMUM_MONTHLY_COUNT
) -> tuple[np.ndarray, np.ndarray]:
    """Years (year,) and means of ``values`` (time, cell) in each of their months, (year, 12, cell).

    NaN where a month has fewer than ``minimum_count`` values.
    """
    year = year_of(time)
    years = np.arange(year.min(), year.max() + 1)
    group = (year - years[0]) * 12 + month_of(time) - 1
    known = np.isfinite(values)
    total, count = (np.zeros((12 * len(years), *values.shape[1:])) for _ in range(2))
    np.add.at(total, group, np.where(known, values, 0.0))
    np.add.at(count, group, known.astype(np.float64))
    mean = np.where(count >= minimum_count, total / np.maximum(count, 1.0), np.nan)
    return years, mean.reshape(len(years), 12, *values.shape[1:])


def relative_to_year(mean: np.ndarray, years: np.ndarray, reference: int) -> np.ndarray:
    """Equation 2 for ``mean`` (year, 12, ...): the same shape; NaN where the reference month is unknown or zero."""
    base = mean[list(years).index(reference)]
    base = np.where(base == 0, np.nan, base)
    return (mean - base) / base


def relative_differences(comparison: Comparison, reference: int | None = None) -> RelativeDifferences | None:
    """Equation 2 for the observations and every run of ``comparison``, on the samples common to all of them.

    ``reference``: by default the first year of the observations.  None where the observations have no second year.
    """
    common = comparison.common
    known = np.isfinite(common.observed).any(axis=1)
    if not known.any():
        return None
    time = common.time[known]
    years, observed = monthly_means(common.observed[known], time)
    reference = int(years[0]) if reference is None else reference
    if reference not in years or len(years) < 2:
        return None
    others = years != reference
    means = {IN_SITU: observed} | {
        label: monthly_means(common.runs[label][known], time)[1] for label in (OPEN_LOOP, *comparison.experiments)
    }
    values = {label: relative_to_year(mean, years, reference)[others] for label, mean in means.items()}
    if not np.isfinite(values[IN_SITU]).any():
        return None
    return RelativeDifferences(reference, years[others], values)


def difference_table(found: RelativeDifferences, stations: Mapping[int, str]) -> pd.DataFrame:
    """One row per station (index -> name), year and month with the relative difference of every series."""
    rows = []
    for cell, name in stations.items():
        for number, year in enumerate(found.years):
            for month in range(12):
                row: dict[str, object] = {"station": name, "year": int(year), "month": MONTH_NAMES[month]}
                numbers = {label: float(values[number, month, cell]) for label, values in found.values.items()}
                if np.isfinite(list(numbers.values())).any():
                    rows.append(row | numbers)
    return pd.DataFrame(rows)


def score_table(found: RelativeDifferences) -> pd.DataFrame:
    """R, p-value, ubRMSD, RMSD, MB and N of every run against the probes, over all months, years and stations."""
    observed = found.values[IN_SITU].reshape(-1, 1)
    rows = []
    for label, values in found.values.items():
        if label == IN_SITU:
            continue
        score = compute_scores(values.reshape(-1, 1), observed, MINIMUM_PAIRS)
        rows.append(
            {
                "run": label, "R": score.correlation[0], "ubRMSD": score.ubrmsd[0], "RMSD": score.rmsd[0],
                "MB": score.bias[0], "N": int(score.count[0]),
                "p-value": float(correlation_p_value(score.correlation, score.count)[0]),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
