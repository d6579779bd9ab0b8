"""Tables of what the filter made of the observations: consistency, chi-square and degrees of freedom for signal."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dalearn.evaluation.consistency import (
    CHI_SQUARE,
    SIGNAL,
    SIGNAL_PER_OBSERVATION,
    Departures,
    consistency_statistics,
    departure_statistics,
    ratio_with_interval,
    signal_statistics,
)
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.scores import common_samples
from dalearn.evaluation.table_parts import ScoreSettings

ALL = "all"


def read_departures(run: RunData, quantity: str, experiment: str) -> Departures | None:
    """The assimilated observations (``Q_rejected`` = 0) of one row; None when the experiment does not use it."""
    departure, observed, analysis, flag, expected, error, signal = (
        run.of_experiment(f"{quantity}_{name}", experiment)
        for name in (
            "departure", "observed", "model_analysis", "rejected", "expected_deviation", "observation_deviation",
            "signal",
        )
    )  # fmt: skip
    if departure is None or observed is None or analysis is None:
        return None
    kept = np.ones(departure.shape, dtype=bool) if flag is None else flag == 0
    departure, residual = common_samples(np.where(kept, departure, np.nan), observed - analysis)
    kept = np.isfinite(departure)
    if not kept.any():
        return None
    others = (None if values is None else np.where(kept, values, np.nan) for values in (expected, error, signal))
    return Departures(departure, residual, *others)


def filter_diagnostics(run: RunData, quantities: Sequence[str], settings: ScoreSettings) -> pd.DataFrame:
    """One row per experiment and row of observations, and one of all together where there are several.

    The chi-square of one quantity is the mean of d^2 / (H B H^T + R); that of all is d^T S^-1 d per observation, with
    the correlations between the quantities.
    """
    rows = []
    for experiment in run.experiments:
        used = {name: read_departures(run, name, experiment) for name in quantities}
        known = {name: departures for name, departures in used.items() if departures is not None}
        for name, departures in known.items():
            row: dict[str, object] = {"experiment": experiment, "quantity": name}
            row["units"] = run.units(f"{name}_observed")
            row |= departure_statistics(departures, run.time, settings)
            row |= consistency_statistics(departures, run.time, settings)
            square = departures.normalised_square
            if square is not None:
                row |= ratio_with_interval(CHI_SQUARE, square, np.ones_like(square), run.time, settings)
            rows.append(row | signal_statistics(departures))
        chi_square = run.of_experiment("chi_square", experiment)
        if len(known) > 1 and chi_square is not None:
            names: dict[str, object] = {"experiment": experiment, "quantity": ALL, "units": ""}
            rows.append(names | _together(chi_square, list(known.values()), run.time, settings))
    return pd.DataFrame(rows)


def _together(
    chi_square: np.ndarray, known: Sequence[Departures], time: np.ndarray, settings: ScoreSettings
) -> dict[str, float]:
    number = np.stack([np.isfinite(departures.departure) for departures in known]).sum(axis=0).astype(np.float64)
    row = {"number": int(number.sum()), **ratio_with_interval(CHI_SQUARE, chi_square, number, time, settings)}
    signals = [departures.signal for departures in known if departures.signal is not None]
    total = float(sum(np.nansum(values) for values in signals))
    return row | {SIGNAL: total, SIGNAL_PER_OBSERVATION: total / row["number"]}


def monthly_diagnostics(run: RunData, quantities: Sequence[str]) -> pd.DataFrame:
    """Chi-square and degrees of freedom for signal by experiment, row of observations and calendar month (1 to 12).

    Empty when the file holds neither.
    """
    month = run.time.astype("datetime64[M]").astype(int) % 12 + 1
    frames = []
    for experiment in run.experiments:
        for name in quantities:
            departures = read_departures(run, name, experiment)
            if departures is None or departures.normalised_square is None or departures.signal is None:
                continue
            samples = pd.DataFrame(
                {
                    "month": np.broadcast_to(month[:, None], departures.departure.shape).ravel(),
                    CHI_SQUARE: departures.normalised_square.ravel(),
                    SIGNAL: departures.signal.ravel(),
                }
            ).dropna()
            grouped = samples.groupby("month")
            frame = grouped.size().rename("number").to_frame()
            frame[CHI_SQUARE] = grouped[CHI_SQUARE].mean()
            frame[SIGNAL] = grouped[SIGNAL].sum()
            frame[SIGNAL_PER_OBSERVATION] = grouped[SIGNAL].mean()
            frame = frame.reset_index()
            frame.insert(0, "experiment", experiment)
            frame.insert(1, "quantity", name)
            frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
