"""What operators say a change of soil moisture and leaf area does to the signal: size, sign, smoothness, and the truth.

The filter uses nothing else of an operator but its value and these two derivatives.
"""

from collections.abc import Callable

import numpy as np
import torch

from dalearn.experiments.study_run import PREDICTION_CHUNK, StudyRun
from dalearn.learning.collocation import Collocation
from dalearn.operators import ObservationOperator
from dalearn.twin.backscatter import draw_backscatter
from dalearn.twin.build import random_streams, twin_surface

VARIABLES = ("WG2", "LAI")
STEP = {"WG2": 0.01, "LAI": 0.2}  # over which an increment moves the state, m3 m-3 and m2 m-2
UNITS = {"WG2": "m3 m-3", "LAI": "m2 m-2"}

Arrays = dict[str, np.ndarray]


def operator_derivatives(operator: ObservationOperator, predictors: np.ndarray) -> Arrays:
    """d y / d variable (sample, cell) at ``predictors`` (sample, cell, n), by variable; NaN where one is missing."""
    index = [operator.predictors.index(name) for name in VARIABLES]
    parts = []
    for start in range(0, len(predictors), PREDICTION_CHUNK):
        part = torch.from_numpy(predictors[start : start + PREDICTION_CHUNK]).to(operator.dtype)
        known = torch.isfinite(part).all(dim=-1) & operator.trained
        moved = part.nan_to_num().requires_grad_()
        with torch.enable_grad():
            gradient = torch.autograd.grad(operator(moved).sum(), moved)[0]
        parts.append(torch.where(known.unsqueeze(-1), gradient, torch.nan)[..., index])
    values = torch.cat(parts).double().numpy()
    return {name: values[..., number] for number, name in enumerate(VARIABLES)}


def true_derivatives(run: StudyRun, predictors: np.ndarray, time: np.ndarray) -> Arrays | None:
    """Those of the operator that made the observations of a twin, at WG2, TG2, LAI (sample, cell, 3); else None."""
    settings = run.setup.config.twin
    if settings is None:
        return None
    surface = twin_surface(settings)
    backscatter = draw_backscatter(surface, random_streams(settings.seed)["backscatter"])
    day = (time.astype("datetime64[D]") - time.astype("datetime64[Y]").astype("datetime64[D]")).astype(float) + 1.0

    def signal(moisture: np.ndarray, leaves: np.ndarray) -> np.ndarray:
        return backscatter.sigma0(moisture, predictors[..., 1], leaves, day[:, None])

    moisture, leaves = predictors[..., 0], predictors[..., 2]
    return {
        "WG2": _slope(lambda change: signal(moisture + change, leaves), 1e-5),
        "LAI": _slope(lambda change: signal(moisture, leaves + change), 1e-4),
    }


def _slope(function: Callable[[float], np.ndarray], step: float) -> np.ndarray:
    return (function(step) - function(-step)) / (2.0 * step)


def jacobian_row(operator: ObservationOperator, samples: Collocation, truth: Arrays | None) -> dict[str, float]:
    """One row of the table, over all samples and cells where ``samples`` has an observation.

    Per variable: the mean derivative and, with the ``truth`` (sample, cell), its mean and the RMS difference; the share
    of samples with the wrong sign (negative for WG2 where there is no truth); and the roughness, the RMS change of the
    derivative from one side of a step of ``STEP`` to the other relative to its RMS.
    """
    seen = np.isfinite(samples.target)
    here = operator_derivatives(operator, samples.predictors)
    row: dict[str, float] = {}
    for name in VARIABLES:
        position = operator.predictors.index(name)
        sides = []
        for sign in (-1.0, 1.0):
            moved = samples.predictors.copy()
            moved[..., position] += 0.5 * sign * STEP[name]
            sides.append(operator_derivatives(operator, moved)[name][seen])
        values = here[name][seen]
        known = np.isfinite(values)
        size = np.sqrt(np.mean(values[known] ** 2))
        row[f"d/d{name} ({operator.units} per {UNITS[name]})"] = float(values[known].mean())
        if truth is not None:
            true = truth[name][seen]
            known = known & np.isfinite(true)
            row[f"d/d{name} true ({operator.units} per {UNITS[name]})"] = float(true[known].mean())
            row[f"d/d{name} RMSD ({operator.units} per {UNITS[name]})"] = float(
                np.sqrt(np.mean((values[known] - true[known]) ** 2))
            )
            row[f"d/d{name} wrong sign (%)"] = 100.0 * float((values[known] * true[known] < 0).mean())
        elif name == "WG2":
            row[f"d/d{name} wrong sign (%)"] = 100.0 * float((values[known] < 0).mean())
        change = (sides[1] - sides[0])[known]
        row[f"d/d{name} roughness (%)"] = 100.0 * float(np.sqrt(np.mean(change**2)) / size) if size > 0 else np.nan
    return row
