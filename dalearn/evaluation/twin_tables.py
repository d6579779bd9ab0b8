"""Tables of a twin experiment: scores of every run against the truth that made the observations."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dalearn.evaluation.cells import VEGETATION_CLASSES, Cells
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.scores import compute_scores
from dalearn.evaluation.table_parts import ScoreSettings, identity_columns, known_share


def twin_table(comparisons: Sequence[Comparison], cells: Cells, settings: ScoreSettings) -> pd.DataFrame:
    """Scores against the truth of a twin, one row per quantity, run and cell; RMSD change in percent."""
    frames = []
    for comparison in comparisons:
        common = comparison.common
        base = compute_scores(common.runs[OPEN_LOOP], common.observed, settings.minimum_count).rmsd
        for label, values in common.runs.items():
            score = compute_scores(values, common.observed, settings.minimum_count)
            frame = identity_columns(cells).assign(quantity=comparison.quantity, units=comparison.units, run=label)
            change = 100.0 * (score.rmsd / np.where(base > 0, base, np.nan) - 1.0)
            frames.append(
                frame.assign(
                    number=score.count,
                    RMSD=score.rmsd,
                    bias=score.bias,
                    ubRMSD=score.ubrmsd,
                    R=score.correlation,
                    **{"RMSD change (%)": change},
                )
            )
    return pd.concat(frames, ignore_index=True)


def twin_summary(table: pd.DataFrame) -> pd.DataFrame:
    """``twin_table`` by quantity, run and dominant vegetation class: means over cells, and the cells improved."""
    rows = []
    for (quantity, run), group in table.groupby(["quantity", "run"], sort=False):
        classes = [name for name in (*VEGETATION_CLASSES, "") if (group["vegetation class"] == name).any()]
        for name in [*classes, "all"]:
            part = group if name == "all" else group[group["vegetation class"] == name]
            rows.append(
                {
                    "quantity": quantity, "units": part["units"].iloc[0], "run": run,
                    "vegetation class": name or "unknown", "cells": int(part["RMSD"].notna().sum()),
                    "RMSD": part["RMSD"].mean(), "bias": part["bias"].mean(), "ubRMSD": part["ubRMSD"].mean(),
                    "R": part["R"].mean(), "RMSD change (%)": part["RMSD change (%)"].mean(),
                    "cells improved (%)": np.nan if run == OPEN_LOOP
                    else known_share(part["RMSD change (%)"].to_numpy() < 0, part["RMSD"].to_numpy()),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)
