"""Tables of observation operators and of what the filter made of the observations."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dalearn.evaluation.bootstrap import mean_over_cells
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.scores import common_samples, compute_scores
from dalearn.evaluation.table_parts import ScoreSettings, known_deviation, known_mean, with_interval


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


def innovation_table(run: RunData, quantity: str) -> pd.DataFrame:
    """Departures of each experiment that assimilates ``quantity``: before the increment and after it.

    Only observations that were assimilated count (``Q_rejected`` = 0).  The diagnosed observation error is
    sqrt(mean(departure x residual)) of Desroziers et al. (2005, doi:10.1256/qj.05.108); it equals the error the
    filter was given when that error and B are right.
    """
    unit = f" ({run.units(f'{quantity}_observed')})"
    rows = []
    for experiment in run.experiments:
        pair = departures(run, quantity, experiment)
        if pair is None:
            continue
        departure, residual = pair
        product = known_mean(departure * residual)
        rows.append(
            {
                "experiment": experiment,
                "number": int(np.isfinite(departure).sum()),
                f"departure mean{unit}": known_mean(departure),
                f"departure standard deviation{unit}": known_deviation(departure),
                f"residual mean{unit}": known_mean(residual),
                f"residual standard deviation{unit}": known_deviation(residual),
                f"diagnosed observation error{unit}": np.sqrt(product) if product > 0 else np.nan,
            }
        )
    return pd.DataFrame(rows)


def departures(run: RunData, quantity: str, experiment: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Observation - forecast and observation - analysis of the assimilated observations, both (time, cell).

    None when the experiment does not assimilate ``quantity``.
    """
    departure = run.of_experiment(f"{quantity}_departure", experiment)
    observed = run.of_experiment(f"{quantity}_observed", experiment)
    analysis = run.of_experiment(f"{quantity}_model_analysis", experiment)
    if departure is None or observed is None or analysis is None:
        return None
    flag = run.of_experiment(f"{quantity}_rejected", experiment)
    kept = np.ones(departure.shape, dtype=bool) if flag is None else flag == 0
    departure, residual = common_samples(np.where(kept, departure, np.nan), observed - analysis)
    return (departure, residual) if np.isfinite(departure).any() else None


def rejection_table(run: RunData, quantities: Sequence[str]) -> pd.DataFrame:
    """Observations of each experiment by fate: how many were assimilated and how many rejected, by reason."""
    rows = []
    for quantity in quantities:
        meanings = run.flags(quantity)
        for experiment in run.experiments:
            flag = run.of_experiment(f"{quantity}_rejected", experiment)
            observed = run.of_experiment(f"{quantity}_observed", experiment)
            if flag is None or observed is None:
                continue
            present = flag[np.isfinite(observed) & np.isfinite(flag)].astype(int)
            row: dict[str, object] = {"quantity": quantity, "experiment": experiment, "observations": present.size}
            row["assimilated"] = int((present == 0).sum())
            for value in np.unique(present[present != 0]):
                row[meanings.get(int(value), f"flag {value}").replace("_", " ")] = int((present == value).sum())
            rows.append(row)
    frame = pd.DataFrame(rows).fillna(0)
    return frame.astype({name: int for name in frame if name not in ("quantity", "experiment")})
