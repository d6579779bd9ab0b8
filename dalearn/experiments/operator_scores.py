"""Scores of a trained operator, as the mean over its seeds, and of its baselines, on the same test samples."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dalearn.evaluation.bootstrap import Replicates, mean_over_cells
from dalearn.evaluation.scores import common_samples, compute_scores
from dalearn.evaluation.table_parts import ScoreSettings, known_mean, with_interval


def operator_scores(
    name: str,
    members: Sequence[np.ndarray],
    baselines: Mapping[str, np.ndarray],
    observed: np.ndarray,
    time: np.ndarray,
    units: str,
    settings: ScoreSettings,
) -> pd.DataFrame:
    """One row for the mean over the seeds of operator ``name``, one per seed, one per baseline.

    ``members`` (one per seed), ``baselines`` and ``observed`` are (sample, cell), ``time`` (sample,).  Scores are
    means over cells, with block-bootstrap intervals; the mean over seeds is that of the scores, not of the
    predictions.  The last columns are the difference in RMSD from each baseline, negative where the row is better.
    """
    runs = {f"{name}, seed {seed}": values for seed, values in enumerate(members)} | dict(baselines)
    reference, *arrays = common_samples(observed, *runs.values())
    runs = dict(zip(runs, arrays, strict=True))
    replicates = settings.replicates(runs, reference, time)
    scores = {label: compute_scores(values, reference, settings.minimum_count) for label, values in runs.items()}
    rmsd = {label: score.rmsd for label, score in scores.items()}
    correlation = {label: score.correlation for label, score in scores.items()}

    mean = f"{name}, mean of {len(members)} seeds"
    seeds = list(runs)[: len(members)]
    rmsd[mean] = np.mean([rmsd[label] for label in seeds], axis=0)
    correlation[mean] = np.mean([correlation[label] for label in seeds], axis=0)
    replicates[mean] = Replicates(
        np.mean([replicates[label].rmsd for label in seeds], axis=0),
        np.mean([replicates[label].correlation for label in seeds], axis=0),
    )

    rows = []
    for label in [mean, *runs] if len(members) > 1 else runs:
        row: dict[str, object] = {"operator": label, "number": int(np.isfinite(reference).sum())}
        for score, values, sampled in (
            (f"RMSD ({units})", rmsd[label], replicates[label].rmsd),
            ("R", correlation[label], replicates[label].correlation),
        ):
            row |= with_interval(score, known_mean(values), mean_over_cells(sampled), settings)
        for baseline in baselines:
            difference = mean_over_cells(replicates[label].rmsd - replicates[baseline].rmsd)
            value = known_mean(rmsd[label] - rmsd[baseline])
            row |= with_interval(f"RMSD - {baseline} ({units})", value, difference, settings)
        rows.append(row)
    return pd.DataFrame(rows)
