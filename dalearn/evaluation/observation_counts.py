"""The account of the observations of every experiment, from the file to the analysis."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dalearn.evaluation.run_data import RunData, quantity_of

TOTALS = ("read", "matched", "assimilated")


def observation_count_table(run: RunData, rows: Sequence[str]) -> pd.DataFrame:
    """How many observations of each experiment were read, matched to a window and assimilated, and why not the others.

    ``rows`` are the rows of observations in analysis.nc.  What is not ``matched`` is in the columns "left out: reason",
    what is matched but not ``assimilated`` in "rejected: reason":

        read = left out + matched,    matched = rejected + assimilated.

    A file without ``observation_count`` has no "read" and "left out".
    """
    entries = _before_the_filter(run) or _without_account(run, rows)
    table = []
    for experiment, name, quantity, before in entries:
        of_quantity = [row for row in rows if quantity_of(row) == quantity]
        fates: dict[str, int] = {}
        for row in of_quantity:
            for reason, number in _filter_fates(run, row, experiment).items():
                fates[reason] = fates.get(reason, 0) + number
        if not before and not fates:
            continue
        line: dict[str, object] = {"experiment": experiment, "observations": name, "quantity": quantity}
        line |= {reason if reason in TOTALS else f"left out: {reason}": number for reason, number in before.items()}
        line.setdefault("matched", sum(fates.values()))
        line["assimilated"] = fates.pop("assimilated", 0)
        table.append(line | {f"rejected: {reason}": number for reason, number in fates.items()})
    frame = pd.DataFrame(table)
    if not len(frame):
        return frame
    frame = frame.drop(columns="observations") if not frame["observations"].any() else frame
    names = [name for name in frame if name in ("experiment", "observations", "quantity")]
    numbers = frame.drop(columns=names).fillna(0).astype(int)
    numbers = numbers[_ordered([name for name in numbers if name in TOTALS or numbers[name].any()])]
    return pd.concat([frame[names], numbers], axis=1)


def _ordered(names: Sequence[str]) -> list[str]:
    place = {"read": 0, "matched": 2, "assimilated": 4}
    return sorted(names, key=lambda name: place.get(name, 1 if name.startswith("left out") else 3))


def _before_the_filter(run: RunData) -> list[tuple[str, str, str, dict[str, int]]]:
    """Experiment, name of the observations, quantity, and their numbers by fate; empty without the account."""
    if run.analysis is None or "observation_count" not in run.analysis:
        return []
    counts = run.analysis["observation_count"]
    fates = [str(fate).replace("_", " ") for fate in counts["fate"].values]
    quantities = [str(name) for name in run.analysis["observation_quantity"].values]
    result = []
    for experiment in run.experiments:
        of_experiment = counts.isel(experiment=run.experiments.index(experiment)).values
        for name, quantity, numbers in zip(counts["observation"].values, quantities, of_experiment, strict=True):
            if np.isfinite(numbers).all():
                result.append(
                    (experiment, str(name), quantity, dict(zip(fates, numbers.astype(int).tolist(), strict=True)))
                )
    return result


def _without_account(run: RunData, rows: Sequence[str]) -> list[tuple[str, str, str, dict[str, int]]]:
    quantities = dict.fromkeys(quantity_of(row) for row in rows)
    return [(experiment, "", quantity, {}) for experiment in run.experiments for quantity in quantities]


def _filter_fates(run: RunData, row: str, experiment: str) -> dict[str, int]:
    """Number of observations by ``Q_rejected``; those that are missing do not count."""
    flag, meanings = run.of_experiment(f"{row}_rejected", experiment), run.flags(row)
    if flag is None or run.of_experiment(f"{row}_observed", experiment) is None:
        return {}
    values, numbers = np.unique(flag[np.isfinite(flag)].astype(int), return_counts=True)
    names = [meanings.get(value, f"flag {value}" if value else "assimilated") for value in values.tolist()]
    fates = dict(zip((name.replace("_", " ") for name in names), numbers.tolist(), strict=True))
    fates.pop("missing", None)
    return fates
