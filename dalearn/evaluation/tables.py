"""Tables of scores against observations: each function returns a pandas DataFrame with units in its column names."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dalearn.evaluation.bootstrap import interval, mean_over_cells
from dalearn.evaluation.cells import VEGETATION_CLASSES, Cells
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.scores import Scores, anomaly_correlation, compute_scores
from dalearn.evaluation.table_parts import ScoreSettings, identity_columns, known_mean, with_interval


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
        low, high = interval(replicates, value, settings.level)
        frame = frame.assign(**{name: value, f"{name} low": low, f"{name} high": high})
    return frame


def cell_table(comparisons: Sequence[Comparison], cells: Cells, settings: ScoreSettings) -> pd.DataFrame:
    """Every run in every cell, one row per quantity, run and cell, on the samples common to the runs.

    "RMSD change (%)" is relative to the open loop.  RMSD, bias and ubRMSD, in ``units``, are undefined where only the
    correlation means something.
    """
    frames = []
    for comparison in comparisons:
        common = comparison.common
        base = compute_scores(common.runs[OPEN_LOOP], common.observed, settings.minimum_count)
        for label, values in common.runs.items():
            score = compute_scores(values, common.observed, settings.minimum_count)
            frame = identity_columns(cells).assign(
                quantity=comparison.quantity, units=comparison.units, run=label, number=score.count, R=score.correlation
            )
            frame = frame.assign(**{"R change": score.correlation - base.correlation})
            undefined = np.nan if comparison.correlation_only else 1.0
            change = 100.0 * (score.rmsd / np.where(base.rmsd > 0, base.rmsd, np.nan) - 1.0)
            columns = {"RMSD": score.rmsd, "bias": score.bias, "ubRMSD": score.ubrmsd, "RMSD change (%)": change}
            frames.append(frame.assign(**{name: undefined * column for name, column in columns.items()}))
    return pd.concat(frames, ignore_index=True)


def class_table(table: pd.DataFrame) -> pd.DataFrame:
    """``cell_table`` by quantity, run and dominant vegetation class: means over cells, median RMSD, cells improved.

    A cell is improved when its RMSD is below that of the open loop (its R above, where there is no RMSD).
    """
    rows = []
    for (quantity, run), group in table.groupby(["quantity", "run"], sort=False):
        classes = [name for name in (*VEGETATION_CLASSES, "") if (group["vegetation class"] == name).any()]
        for name in [*classes, "all"] if len(classes) > 1 else classes:
            part = group if name == "all" else group[group["vegetation class"] == name]
            scored, improved = count_improved(part)
            row = {
                "quantity": quantity, "units": part["units"].iloc[0], "run": run,
                "vegetation class": name or "unknown", "cells": scored, "RMSD": part["RMSD"].mean(),
                "RMSD median": part["RMSD"].median(), "bias": part["bias"].mean(), "ubRMSD": part["ubRMSD"].mean(),
                "R": part["R"].mean(), "RMSD change (%)": part["RMSD change (%)"].mean(),
            }  # fmt: skip
            rows.append(row | {"cells improved": np.nan if run == OPEN_LOOP else improved})
    return pd.DataFrame(rows).astype({"cells improved": "Int64"})


def count_improved(part: pd.DataFrame) -> tuple[int, int]:
    """Cells of one run in ``cell_table`` that have a score, and those closer to the reference than the open loop."""
    if part["RMSD"].notna().any():
        return int(part["RMSD"].notna().sum()), int((part["RMSD change (%)"] < 0).sum())
    return int(part["R"].notna().sum()), int((part["R change"] > 0).sum())


def summary_table(comparison: Comparison, settings: ScoreSettings) -> pd.DataFrame:
    """Every run over the whole domain: the mean over the cells of each score, with bootstrap intervals."""
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
            value = score.correlation - base_r
            low, high = interval(replicates[label].correlation - base.correlation, value, settings.level)
            frame = frame.assign(**{"R difference": value, "R difference low": low, "R difference high": high})
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
    columns = {"number": score.count}
    if not comparison.correlation_only:
        unit = f" ({comparison.units})"
        columns |= {f"RMSD{unit}": score.rmsd, f"bias{unit}": score.bias, f"ubRMSD{unit}": score.ubrmsd}
    return columns | {"R": score.correlation}
