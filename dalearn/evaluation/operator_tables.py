"""The table of observation operators."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dalearn.evaluation.bootstrap import mean_over_cells
from dalearn.evaluation.scores import common_samples, compute_scores
from dalearn.evaluation.table_parts import ScoreSettings, known_mean, with_interval


def operator_table(
    predictions: Mapping[str, np.ndarray],
    observed: np.ndarray,
    time: np.ndarray,
    units: str,
    settings: ScoreSettings,
    reference: str = "",
) -> pd.DataFrame:
    """Operators (network, linear, climatology...) on the same samples, with intervals of scores and differences.

    ``predictions`` name -> (time, cell), ``observed`` (time, cell), ``time`` (time,) datetime64.  Scores are means
    over cells.  Differences are the operator minus ``reference``, by default the first one.
    """
    reference = reference or next(iter(predictions))
    common_observed, *arrays = common_samples(observed, *predictions.values())
    runs = dict(zip(predictions, arrays, strict=True))
    replicates = settings.replicates(runs, common_observed, time)
    scores = {name: compute_scores(values, common_observed, settings.minimum_count) for name, values in runs.items()}
    rows = []
    for name, score in scores.items():
        row: dict[str, object] = {"operator": name, "cells": int((score.count >= settings.minimum_count).sum())}
        row |= {"number": int(score.count.sum())}
        row |= with_interval(
            f"RMSD ({units})", known_mean(score.rmsd), mean_over_cells(replicates[name].rmsd), settings
        )
        row |= with_interval(
            "R", known_mean(score.correlation), mean_over_cells(replicates[name].correlation), settings
        )
        row |= {f"bias ({units})": known_mean(score.bias)}
        if name != reference:
            difference = mean_over_cells(replicates[name].rmsd - replicates[reference].rmsd)
            value = known_mean(score.rmsd - scores[reference].rmsd)
            row |= with_interval(f"RMSD - {reference} ({units})", value, difference, settings)
        rows.append(row)
    return pd.DataFrame(rows)
