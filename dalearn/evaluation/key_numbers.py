"""The key numbers at the top of the report: every run against the open loop, saying what the interval allows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dalearn.evaluation.cells import VEGETATION_CLASSES
from dalearn.evaluation.comparison import FORECAST, OPEN_LOOP, Comparison
from dalearn.evaluation.report import format_number
from dalearn.evaluation.tables import count_improved


def key_rows(
    comparison: Comparison,
    summary: pd.DataFrame,
    table: pd.DataFrame,
    against: Mapping[str, str],
    score: str,
    quantity: str = "",
) -> list[dict[str, Any]]:
    """One row per run of ``against``: its score, the open loop's, the difference and how to read it.

    ``summary`` and ``table`` are the ``summary_table`` and ``cell_table`` of the comparison, ``against`` maps the
    runs to report to what they are compared with in words, ``score`` is "RMSD" or "R".
    """
    column = f"{score} ({comparison.units})" if score == "RMSD" else score
    difference = f"RMSD difference ({comparison.units})" if score == "RMSD" else "R difference"
    records = {str(row["run"]): row for row in summary.to_dict("records")}
    rows = []
    for run, reference in against.items():
        row = records.get(run)
        if row is None or not row["cells"]:
            continue
        low, high = row[f"{difference} low"], row[f"{difference} high"]
        rows.append(
            {
                "quantity": quantity or comparison.quantity,
                "run": run if run.endswith(FORECAST) else f"{run} analysis",
                "against": reference,
                "score": score,
                "units": comparison.units if score == "RMSD" else "",
                "open loop": records[OPEN_LOOP][column],
                "run's": row[column],
                "difference": row[difference],
                "difference low": low,
                "difference high": high,
                "cells improved": improved_by_class(table[table["run"] == run]),
                "reading": judge(low, high, larger_is_better=score == "R"),
            }
        )
    return rows


def improved_by_class(table: pd.DataFrame) -> str:
    """ "crops 12/12, forest 10/12" for the rows of one run; classes without a score are left out."""
    parts = []
    for name in (*VEGETATION_CLASSES, ""):
        scored, improved = count_improved(table[table["vegetation class"] == name])
        if scored:
            parts.append(f"{name} {improved}/{scored}".strip())
    return ", ".join(parts)


def judge(low: float, high: float, larger_is_better: bool) -> str:
    """Better, worse, or not told apart from the open loop: what the interval of a difference allows to say."""
    if not np.isfinite([low, high]).all():
        return "too few samples"
    if low <= 0 <= high:
        return "not told apart"
    return "better" if (low > 0) == larger_is_better else "worse"


def count_cells(count: int) -> str:
    """ "1 cell" or "36 cells"."""
    return f"{format_number(count)} cell" + ("" if count == 1 else "s")


def format_interval(values: Sequence[float]) -> str:
    """-0.17 [-0.19, -0.14] of (value, low, high), or the value alone where there is no interval."""
    value, low, high = values
    if not np.isfinite([low, high]).all():
        return format_number(value)
    return f"{format_number(value)} [{format_number(low)}, {format_number(high)}]"
