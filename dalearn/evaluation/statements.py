"""Statements that a run of the twin is asked to bear out, each with its mark, the number found and pass or fail.

A mark is met by the number itself, not by an end of its interval; the interval says how sure the number is.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from dalearn.evaluation.bootstrap import interval, mean_over_cells
from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison, forecast_label
from dalearn.evaluation.matching import ObservationSeries
from dalearn.evaluation.monthly_table import MEAN_DIFFERENCE, MEDIAN_DIFFERENCE
from dalearn.evaluation.operator_test import OperatorTest
from dalearn.evaluation.report import format_number
from dalearn.evaluation.scores import common_samples, compute_scores
from dalearn.evaluation.style import pretty_units
from dalearn.evaluation.table_parts import ScoreSettings, known_mean

NOISE_FLOOR_MARK = 1.10
SUMMER = (6, 7, 8)
INFORMATION = "for information"


@dataclass(frozen=True)
class Statement:
    """``mark`` says what ``value`` must be, ``met`` is None where there is no mark; ``detail`` is one sentence."""

    statement: str
    mark: str
    value: float
    units: str = ""
    low: float = np.nan
    high: float = np.nan
    met: bool | None = None
    detail: str = ""


def statement_table(statements: list[Statement]) -> pd.DataFrame:
    """One row per statement; ``result`` is "pass", "fail" or "" without a mark."""
    frame = pd.DataFrame([asdict(statement) for statement in statements])
    words = {True: "pass", False: "fail", None: ""}
    frame = frame.assign(result=[words[statement.met] for statement in statements])
    frame = frame.rename(columns={"low": "value low", "high": "value high"})
    return frame[["statement", "mark", "value", "value low", "value high", "units", "result", "detail"]]


def error_of_cells(observations: ObservationSeries, cell_count: int) -> np.ndarray:
    """Root mean square of the stated errors of the samples of each cell, (cell,); NaN without one."""
    error = np.asarray(observations.error, dtype=np.float64)
    known = np.isfinite(error)
    cell = np.asarray(observations.cell)[known]
    total = np.bincount(cell, weights=error[known] ** 2, minlength=cell_count)
    count = np.bincount(cell, minlength=cell_count)
    return np.sqrt(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def state_noise_floor(test: OperatorTest, floor: np.ndarray, settings: ScoreSettings) -> Statement | None:
    """Test RMSD of the operator that the run uses over the noise of the observations, in the median cell.

    ``floor`` (cell,): standard deviation of the observation error, in the units of ``test``.
    """
    observed, predicted = common_samples(test.observed, next(iter(test.predictions.values())))
    name = next(iter(test.predictions))
    rmsd = compute_scores(predicted, observed, settings.minimum_count).rmsd
    ratio = rmsd / floor
    if not np.isfinite(ratio).any():
        return None
    value = float(np.nanmedian(ratio))
    drawn = settings.replicates({name: predicted}, observed, test.time)[name].rmsd / floor
    known = np.isfinite(ratio)
    low, high = interval(np.nanmedian(drawn[:, known], axis=1), value, settings.level)
    inside = int((ratio[known] <= NOISE_FLOOR_MARK).sum())
    return Statement(
        f"test RMSD of the {test.quantity} operator ({name}) over the noise of the observations, median cell",
        f"at most {NOISE_FLOOR_MARK:.2f}", value, "1", float(low), float(high), value <= NOISE_FLOOR_MARK,
        f"RMSD of the median cell {format_number(float(np.nanmedian(rmsd)))} {pretty_units(test.units)}, noise "
        f"{format_number(float(np.nanmedian(floor)))}; {inside} of {known.sum()} cells within the mark.",
    )  # fmt: skip


def state_backscatter(comparison: Comparison, experiment: str, settings: ScoreSettings) -> list[Statement]:
    """Number of cells where the analysis, and for information the forecast, is closer to sigma0 than the open loop."""
    statements = []
    for run, word in ((experiment, "analysis"), (forecast_label(experiment), "forecast")):
        if run not in comparison.runs:
            continue
        difference, low, high = rmsd_differences(comparison, run, OPEN_LOOP, settings)
        known = np.isfinite(difference)
        lower = int((difference < 0).sum())
        marked = run == experiment
        statements.append(
            Statement(
                f"cells where the {experiment} {word} has a lower {comparison.quantity} RMSD than the open loop",
                f"all {known.sum()}" if marked else INFORMATION, lower, "cells",
                met=bool(known.any() and lower == known.sum()) if marked else None,
                detail=f"Interval of the difference below 0 in {(high < 0).sum()}, above 0 in {(low > 0).sum()}; "
                f"largest difference {_largest(difference)} {pretty_units(comparison.units)}.",
            )
        )  # fmt: skip
    return statements


def state_leaves_at_stations(
    truth: Comparison, experiment: str, cells: Cells, settings: ScoreSettings
) -> Statement | None:
    """Number of station cells where the analysed LAI is closer to the truth than the open loop."""
    stations = np.array(cells.stations, dtype=int)
    if not len(stations):
        return None
    difference, low, high = rmsd_differences(truth, experiment, OPEN_LOOP, settings)
    known = stations[np.isfinite(difference[stations])]
    failed = [f"{cells.label(cell)} {format_number(difference[cell])}" for cell in known if not difference[cell] < 0]
    return Statement(
        f"station cells where {experiment} has a lower LAI RMSD against the truth than the open loop",
        f"all {len(known)}", len(known) - len(failed), "cells", met=bool(len(known)) and not failed,
        detail=f"Interval of the difference below 0 in {(high[known] < 0).sum()}, above 0 in {(low[known] > 0).sum()}"
        + (f"; not lower: {', '.join(failed)} {pretty_units(truth.units)}." if failed else "."),
    )  # fmt: skip


def state_leaves_in_summer(
    truth: Comparison, experiment: str, other: str, cells: Cells, settings: ScoreSettings
) -> list[Statement]:
    """LAI RMSD against the truth of ``experiment`` minus that of ``other``, June to August, mean over crop cells."""
    crops = np.array([name == "crops" for name in cells.vegetation_class])
    at_station = np.isin(np.arange(cells.count), cells.stations)
    statements = []
    for chosen, place, marked in (
        (crops, "crop cells", True),
        (crops & at_station, "crop cells with a station", False),
    ):
        if not chosen.any():
            continue
        summer = only_summer(at_cells(truth, np.flatnonzero(chosen)))
        difference, low, high = rmsd_differences(summer, experiment, other, settings, mean=True)
        by_cell, *_ = rmsd_differences(summer, experiment, other, settings)
        means = {run: known_mean(_rmsd(summer, run, settings)) for run in (OPEN_LOOP, experiment, other)}
        value = float(difference[0])
        if not np.isfinite(value):
            continue
        statements.append(
            Statement(
                f"LAI RMSD against the truth, June to August: {experiment} minus {other}, mean over the {chosen.sum()} "
                f"{place}",
                "below 0" if marked else INFORMATION, value, truth.units, float(low[0]), float(high[0]),
                value < 0 if marked else None,
                f"{', '.join(f'{run} {format_number(mean)}' for run, mean in means.items())}; {experiment} is closer "
                f"in {(by_cell < 0).sum()} of {np.isfinite(by_cell).sum()} cells.",
            )
        )  # fmt: skip
    return statements


def state_months(monthly: pd.DataFrame, experiment: str) -> Statement | None:
    """Number of calendar months whose median R with in situ soil moisture is below that of the open loop."""
    rows = monthly[monthly["run"] == experiment]
    if MEDIAN_DIFFERENCE not in rows or not len(rows):
        return None
    worse = rows[rows[MEDIAN_DIFFERENCE] < 0]
    listed = ", ".join(
        f"{month} {format_number(value)}" for month, value in zip(worse["month"], worse[MEDIAN_DIFFERENCE], strict=True)
    )
    certain = {name: int((rows[f"{name} high"] < 0).sum()) for name in (MEDIAN_DIFFERENCE, MEAN_DIFFERENCE)}
    return Statement(
        f"months in which the median R of SSM with in situ observations is lower in {experiment} than in the open loop",
        "0", len(worse), "months", met=not len(worse),
        detail=f"{len(rows)} months{': ' + listed if listed else ''}. Whole interval below 0: of the difference of the "
        f"medians in {certain[MEDIAN_DIFFERENCE]}, of the mean difference by station and year in "
        f"{certain[MEAN_DIFFERENCE]}.",
    )  # fmt: skip


def rmsd_differences(
    comparison: Comparison, run: str, base: str, settings: ScoreSettings, mean: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RMSD of ``run`` minus that of ``base`` with the ends of its interval, (cell,), or (1,) their ``mean``."""
    common = comparison.common
    value = _rmsd(comparison, run, settings) - _rmsd(comparison, base, settings)
    runs = {name: common.runs[name] for name in (run, base)}
    drawn = settings.replicates(runs, common.observed, common.time)
    replicates = drawn[run].rmsd - drawn[base].rmsd
    if mean:
        value, replicates = np.array([known_mean(value)]), mean_over_cells(replicates)[:, None]
    low, high = interval(replicates, value, settings.level)
    return value, low, high


def only_summer(comparison: Comparison) -> Comparison:
    """The samples of June to August."""
    month = comparison.time.astype("datetime64[M]").astype(int) % 12 + 1
    return _part(comparison, np.isin(month, SUMMER), slice(None))


def at_cells(comparison: Comparison, chosen: np.ndarray) -> Comparison:
    """The comparison at the ``chosen`` cells."""
    return _part(comparison, slice(None), chosen)


def _part(comparison: Comparison, rows: np.ndarray | slice, chosen: np.ndarray | slice) -> Comparison:
    return Comparison(
        comparison.quantity, comparison.units, comparison.reference, comparison.time[rows],
        comparison.observed[rows][:, chosen],
        {label: values[rows][:, chosen] for label, values in comparison.runs.items()},
        comparison.correlation_only, comparison.notes,
    )  # fmt: skip


def _rmsd(comparison: Comparison, run: str, settings: ScoreSettings) -> np.ndarray:
    common = comparison.common
    return compute_scores(common.runs[run], common.observed, settings.minimum_count).rmsd


def _largest(values: np.ndarray) -> str:
    return format_number(float(np.nanmax(values))) if np.isfinite(values).any() else "undefined"
