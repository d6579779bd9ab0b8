"""Scores of the study of lasting increments: RMSE against the truth, and the difference of the rules."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dalearn.evaluation.crossed_bootstrap import crossed_interval
from dalearn.experiments.increment_runs import LASTING, OPEN_LOOP, SODA, VARIABLES, SeasonRun
from dalearn.experiments.increment_season import DAY

SEASON = "season"
UNITS = {"LAI": "m2 m-2", "root zone": "m3 m-3"}


@dataclass(frozen=True)
class Score:
    """One line of the table: means over noise seeds and cells, in the units of ``variable``.

    Attributes:
        weather: seed of the twin.
        state: ``analysis`` or ``forecast``, the state of the day before its observations.
        variable, period: LAI or root zone; the season or a month as 2015-03.
        open_loop, soda, lasting: RMSE against the truth.
        soda_bias, lasting_bias: mean of run - truth.
        difference, lower, upper: RMSE with the lasting rule - RMSE with SODA's, and its 95 % interval.
        soda_chi_square, lasting_chi_square: mean over the LAI observations of (departure / expected deviation)^2;
            NaN of the root zone and where none was observed.
        better: share of the cells whose RMSE, mean over seeds, is smaller with the lasting rule.
    """

    weather: int
    state: str
    variable: str
    period: str
    open_loop: float
    soda: float
    lasting: float
    soda_bias: float
    lasting_bias: float
    difference: float
    lower: float
    upper: float
    soda_chi_square: float
    lasting_chi_square: float
    better: float


def periods(ends: np.ndarray) -> dict[str, np.ndarray]:
    """The season and its months by name, as masks (window,); a window belongs to the month in which it begins."""
    month = (ends - DAY).astype("datetime64[M]")
    return {SEASON: np.full(len(ends), True)} | {str(name): month == name for name in np.unique(month)}


def score_season(
    weather: int, ends: np.ndarray, runs: Mapping[str, SeasonRun], truth: Mapping[str, np.ndarray]
) -> list[Score]:
    """All lines of one season; ``truth`` by variable (window, 1, place)."""
    scores = []
    for state in ("analysis", "forecast"):
        for variable in VARIABLES:
            error = {label: getattr(run, state)[variable] - truth[variable] for label, run in runs.items()}
            for period, chosen in periods(ends).items():
                rmse = {label: np.sqrt((values[chosen] ** 2).mean(axis=0)) for label, values in error.items()}
                change = rmse[LASTING] - rmse[SODA]
                difference, lower, upper = crossed_interval(change)
                scores.append(
                    Score(
                        weather=weather, state=state, variable=variable, period=period,
                        open_loop=float(rmse[OPEN_LOOP].mean()),
                        soda=float(rmse[SODA].mean()),
                        lasting=float(rmse[LASTING].mean()),
                        soda_bias=float(error[SODA][chosen].mean()),
                        lasting_bias=float(error[LASTING][chosen].mean()),
                        difference=difference, lower=lower, upper=upper,
                        soda_chi_square=_chi_square(runs[SODA], variable, chosen),
                        lasting_chi_square=_chi_square(runs[LASTING], variable, chosen),
                        better=float((change.mean(axis=0) < 0.0).mean()),
                    )
                )  # fmt: skip
    return scores


def _chi_square(run: SeasonRun, variable: str, chosen: np.ndarray) -> float:
    values = run.lai_chi_square[chosen]
    seen = np.isfinite(values)
    return float(values[seen].mean()) if variable == "LAI" and seen.any() else np.nan


def score_table(scores: list[Score], state: str = "analysis") -> str:
    """The lines of one state as a Markdown table."""
    lines = [
        "| twin | variable | period | open loop | SODA | lasting | lasting - SODA (95 %) | bias SODA / lasting | "
        "chi-square SODA / lasting | cells better |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in scores:
        if row.state != state:
            continue
        known = np.isfinite(row.soda_chi_square)
        chi_square = f"{row.soda_chi_square:.2f} / {row.lasting_chi_square:.2f}" if known else "-"
        digits = 3 if row.variable == "LAI" else 4
        lines.append(
            f"| {row.weather} | {row.variable} {UNITS[row.variable]} | {row.period} "
            f"| {row.open_loop:.{digits}f} | {row.soda:.{digits}f} | {row.lasting:.{digits}f} "
            f"| {row.difference:+.{digits}f} ({row.lower:+.{digits}f} to {row.upper:+.{digits}f}) "
            f"| {row.soda_bias:+.{digits}f} / {row.lasting_bias:+.{digits}f} | {chi_square} "
            f"| {100 * row.better:.0f} % |"
        )
    return "\n".join(lines)
