"""Monthly correlations at stations as numbers: what the boxes of Figure 9 of Corchia et al. (2023) show.

A calendar month has one R per station and year.  Stations of one year share its weather and years of one station its
soil, so intervals come from drawing stations and years independently (``crossed_bootstrap``), the same for both runs.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dalearn.evaluation.bootstrap import interval
from dalearn.evaluation.comparison import OPEN_LOOP
from dalearn.evaluation.crossed_bootstrap import crossed_draws
from dalearn.evaluation.scores import MonthlyCorrelation
from dalearn.evaluation.style import MONTH_NAMES
from dalearn.evaluation.table_parts import ScoreSettings

MEDIAN_DIFFERENCE, MEAN_DIFFERENCE = "median R difference", "mean R difference"
_QUARTILES = {"minimum R": 0.0, "25 % R": 0.25, "median R": 0.5, "75 % R": 0.75, "maximum R": 1.0}


def monthly_table(monthly: Mapping[str, MonthlyCorrelation], settings: ScoreSettings) -> pd.DataFrame:
    """One row per calendar month with values and per run: quartiles over stations and years, and against ``OL``.

    ``median R difference`` is the median of the run minus that of the open loop (what the boxes show), ``mean R
    difference`` the mean of the differences pair by pair, ``months degraded`` how many of the pairs are negative.
    """
    rows = []
    base = monthly[OPEN_LOOP]
    number = calendar_month(base)
    for month in range(12):
        chosen = number == month
        reference = base.correlation[chosen]
        for label, result in monthly.items():
            values = result.correlation[chosen]
            known = values[np.isfinite(values)]
            if not known.size:
                continue
            row: dict[str, object] = {"month": MONTH_NAMES[month], "run": label, "number": known.size}
            row |= {name: float(np.quantile(known, share)) for name, share in _QUARTILES.items()}
            if label != OPEN_LOOP:
                row |= _differences(values, reference, settings)
            rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.astype({"months degraded": "Int64"}) if "months degraded" in frame else frame


def months_side_by_side(table: pd.DataFrame) -> pd.DataFrame:
    """One row per calendar month of a ``monthly_table``: the medians of all runs, then their differences."""
    runs = list(dict.fromkeys(table["run"]))
    parts = {run: table[table["run"] == run].set_index("month") for run in runs}
    columns = {"number": parts[OPEN_LOOP]["number"]} | {f"{run} median R": parts[run]["median R"] for run in runs}
    for run in runs:
        if run != OPEN_LOOP and MEDIAN_DIFFERENCE in table:
            for end in ("", " low", " high"):
                columns[f"{run} difference{end}"] = parts[run][f"{MEDIAN_DIFFERENCE}{end}"]
    return pd.DataFrame(columns).reset_index()


def calendar_month(monthly: MonthlyCorrelation) -> np.ndarray:
    """0 for January ... 11 for December, (month,)."""
    return (monthly.month - monthly.month.astype("datetime64[Y]")).astype(int)


def _differences(values: np.ndarray, reference: np.ndarray, settings: ScoreSettings) -> dict[str, object]:
    """The two differences of (year, station) values with their intervals."""
    both = np.isfinite(values) & np.isfinite(reference)
    if not both.any():
        return {}
    values, reference = np.where(both, values, np.nan), np.where(both, reference, np.nan)
    rows, columns = crossed_draws(values.shape, resamples=settings.resamples, seed=settings.seed)
    drawn, base = (array[rows, columns].reshape(settings.resamples, -1) for array in (values, reference))
    some = np.isfinite(drawn).any(axis=1)
    medians, means = np.full(settings.resamples, np.nan), np.full(settings.resamples, np.nan)
    medians[some] = np.nanmedian(drawn[some], axis=1) - np.nanmedian(base[some], axis=1)
    means[some] = np.nanmean(drawn[some] - base[some], axis=1)
    columns_of: dict[str, object] = {}
    for name, value, replicates in (
        (MEDIAN_DIFFERENCE, float(np.nanmedian(values) - np.nanmedian(reference)), medians),
        (MEAN_DIFFERENCE, float(np.nanmean(values - reference)), means),
    ):
        low, high = interval(replicates, value, settings.level)
        columns_of |= {name: value, f"{name} low": float(low), f"{name} high": float(high)}
    return columns_of | {"months degraded": int((values < reference).sum())}
