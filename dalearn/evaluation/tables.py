"""Tables of scores against observations: each function returns a pandas DataFrame with units in its column names."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dalearn.evaluation.bootstrap import interval, mean_over_cells
from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.scores import Scores, anomaly_correlation, compute_scores
from dalearn.evaluation.table_parts import ScoreSettings, identity_columns, known_mean, known_share, with_interval


def station_table(
    comparison: Comparison, experiment: str, cells: Cells, chosen: Sequence[int], settings: ScoreSettings, run: str = ""
) -> pd.DataFrame:
    """Tables 3 and 4 of Corchia et al. (2023): one row per station, open loop beside ``experiment``.

    ``chosen`` are the cells of the rows, in order.  ``run`` scores another run of the comparison than the analysis
    in the columns of the experiment (its forecast).  The differences (experiment - open loop) carry their bootstrap
    interval.
    """
    common = _columns(comparison, chosen, [OPEN_LOOP, run or experiment])
    open_loop, analysis = (
        compute_scores(values, common.observed, settings.minimum_count) for values in common.runs.values()
    )
    first, second = settings.replicates(common.runs, common.observed, common.time).values()
    frame = pd.DataFrame({"station": [cells.label(cell) for cell in chosen]})
    unit = f" ({comparison.units})"
    if not comparison.correlation_only:
        frame = frame.assign(**{f"OL RMSD{unit}": open_loop.rmsd, f"{experiment} RMSD{unit}": analysis.rmsd})
    frame = frame.assign(**{"OL R": open_loop.correlation, f"{experiment} R": analysis.correlation})
    frame = frame.assign(number=open_loop.count)
    differences = {
        "R difference": (analysis.correlation - open_loop.correlation, second.correlation - first.correlation)
    }
    if not comparison.correlation_only:
        rmsd = (analysis.rmsd - open_loop.rmsd, second.rmsd - first.rmsd)
        differences = {f"RMSD difference{unit}": rmsd, **differences}
    for name, (value, replicates) in differences.items():
        low, high = interval(replicates, settings.level)
        frame = frame.assign(**{name: value, f"{name} low": low, f"{name} high": high})
    return frame


def cell_table(comparison: Comparison, cells: Cells, settings: ScoreSettings) -> pd.DataFrame:
    """Every run in every cell, one row each: RMSD, bias, ubRMSD, R and N on the common samples."""
    common = comparison.common
    frames = []
    for label, values in common.runs.items():
        scores = compute_scores(values, common.observed, settings.minimum_count)
        frames.append(identity_columns(cells).assign(run=label, **_score_columns(scores, comparison)))
    return pd.concat(frames, ignore_index=True)


def summary_table(comparison: Comparison, settings: ScoreSettings) -> pd.DataFrame:
    """Every run over the whole domain: the mean over the cells of each score, with bootstrap intervals.

    "cells improved" is the share of the cells with a lower RMSD than the open loop (or, where only the correlation
    means something, with a higher R).
    """
    common = comparison.common
    replicates = settings.replicates(common.runs, common.observed, common.time)
    scores = {
        label: compute_scores(values, common.observed, settings.minimum_count) for label, values in common.runs.items()
    }
    base, unit = scores[OPEN_LOOP], f" ({comparison.units})"
    rows = []
    for label, score in scores.items():
        row: dict[str, object] = {"run": label, "cells": int((score.count >= settings.minimum_count).sum())}
        row["number"] = int(score.count.sum())
        drawn = {
            f"RMSD{unit}": mean_over_cells(replicates[label].rmsd),
            "R": mean_over_cells(replicates[label].correlation),
        }
        for name, values in _score_columns(score, comparison).items():
            if name in drawn:
                row |= with_interval(name, known_mean(values), drawn[name], settings)
            elif name != "number":
                row[name] = known_mean(values)
        if label != OPEN_LOOP:
            rmsd, correlation = score.rmsd - base.rmsd, score.correlation - base.correlation
            if not comparison.correlation_only:
                change = mean_over_cells(replicates[label].rmsd - replicates[OPEN_LOOP].rmsd)
                row |= with_interval(f"RMSD difference{unit}", known_mean(rmsd), change, settings)
            change = mean_over_cells(replicates[label].correlation - replicates[OPEN_LOOP].correlation)
            row |= with_interval("R difference", known_mean(correlation), change, settings)
            gain = correlation if comparison.correlation_only else -rmsd
            row["cells improved (%)"] = known_share(gain > 0, gain)
        rows.append(row)
    return pd.DataFrame(rows)


def soil_moisture_table(
    comparison: Comparison, cells: Cells, chosen: Sequence[int], settings: ScoreSettings
) -> pd.DataFrame:
    """Runs against in situ surface soil moisture: N, R, anomaly R, ubRMSD, bias, RMSD per station.

    The anomaly is the departure from a five-week moving mean.  Bias and RMSD compare a probe at one point and depth
    with a layer of a cell; R, anomaly R and ubRMSD are the scores that say something about the runs.
    """
    common = _columns(comparison, chosen, list(comparison.runs))
    replicates = settings.replicates(common.runs, common.observed, common.time)
    base = replicates[OPEN_LOOP]
    base_r = compute_scores(common.runs[OPEN_LOOP], common.observed, settings.minimum_count).correlation
    frames = []
    for label, values in common.runs.items():
        score = compute_scores(values, common.observed, settings.minimum_count)
        anomaly = anomaly_correlation(values, common.observed, common.time, minimum_count=settings.minimum_count)
        frame = pd.DataFrame({"station": [cells.label(cell) for cell in chosen], "run": label, "number": score.count})
        frame = frame.assign(R=score.correlation, **{"anomaly R": anomaly})
        if not comparison.correlation_only:
            columns = _score_columns(score, comparison)
            frame = frame.assign(**{name: columns[name] for name in columns if name not in ("number", "R")})
        if label != OPEN_LOOP:
            low, high = interval(replicates[label].correlation - base.correlation, settings.level)
            frame = frame.assign(
                **{"R difference": score.correlation - base_r, "R difference low": low, "R difference high": high}
            )
        frames.append(frame.assign(order=range(len(chosen))))
    return (
        pd.concat(frames, ignore_index=True)
        .sort_values("order", kind="stable")
        .drop(columns="order")
        .reset_index(drop=True)
    )


def _columns(comparison: Comparison, chosen: Sequence[int], labels: Sequence[str]) -> Comparison:
    """The comparison at the chosen cells for the labelled runs, on the samples common to ALL its runs."""
    common = comparison.common
    rows = np.asarray(chosen, dtype=int)
    return Comparison(
        common.quantity, common.units, common.reference, common.time, common.observed[:, rows],
        {label: common.runs[label][:, rows] for label in labels}, common.correlation_only,
    )  # fmt: skip


def _score_columns(score: Scores, comparison: Comparison) -> dict[str, np.ndarray]:
    columns = {"number": score.count, "R": score.correlation}
    if comparison.correlation_only:
        return columns
    unit = f" ({comparison.units})"
    return columns | {f"RMSD{unit}": score.rmsd, f"bias{unit}": score.bias, f"ubRMSD{unit}": score.ubrmsd}
