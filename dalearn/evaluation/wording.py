"""Sentences that say what a score shows and no more."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dalearn.evaluation.report import format_number
from dalearn.evaluation.style import pretty_units, run_name


def compare_sentence(row: Mapping[str, Any], base: Mapping[str, Any], score: str, subject: str, against: str) -> str:
    """One run against the open loop, from two rows of ``summary_table``; ``score`` is a column, "R" or "RMSD (dB)"."""
    name, _, units = score.partition(" ")
    units = pretty_units(units.strip("()"))
    unit = f" {units}" if units else ""
    difference = f"{name} difference" + (f" {score[len(name) + 1 :]}" if units else "")
    value, low, high = (row[key] for key in (difference, f"{difference} low", f"{difference} high"))
    sentence = (
        f"{subject}, {run_name(row['run'])} against {against}: {name} {format_number(row[score])}{unit}, open loop "
        f"{format_number(base[score])}{unit}; difference {format_interval(value, low, high)}{unit}, "
        f"{judge(low, high, larger_is_better=name == 'R')}"
    )
    if row["cells"] > 1:
        sentence += f"; improved in {row['cells improved (%)']:.0f} % of {row['cells']} cells"
    return sentence + "."


def format_interval(value: float, low: float, high: float) -> str:
    """-0.17 [-0.19, -0.14], or the value alone where there is no interval."""
    if not np.isfinite([low, high]).all():
        return format_number(value)
    return f"{format_number(value)} [{format_number(low)}, {format_number(high)}]"


def judge(low: float, high: float, larger_is_better: bool) -> str:
    """Better, worse, or not told apart from the open loop: what the interval of a difference allows to say."""
    if not np.isfinite([low, high]).all():
        return "no interval (too few samples)"
    if low <= 0 <= high:
        return "not told apart from the open loop (the interval contains 0)"
    return "better than the open loop" if (low > 0) == larger_is_better else "worse than the open loop"
