"""The runs over a season that the study of lasting increments compares."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from torch import Tensor

from dalearn.assimilation.covariance import BackgroundErrorSettings
from dalearn.assimilation.cycle import run_cycle
from dalearn.assimilation.record import WindowRecord
from dalearn.assimilation.scheme import FilterState
from dalearn.assimilation.settings import FilterSettings
from dalearn.experiments.increment_season import Season
from dalearn.operators import create_operator

OPEN_LOOP, SODA, LASTING = "open loop", "SODA", "lasting"
RULES: dict[str, Literal["unchanged", "with_leaves"] | None] = {
    OPEN_LOOP: None, SODA: "unchanged", LASTING: "with_leaves",
}  # fmt: skip
VARIABLES = ("LAI", "root zone")


@dataclass(frozen=True, eq=False)
class SeasonRun:
    """One run over the season.

    Attributes:
        forecast, analysis: ``VARIABLES`` -> (window, seed, place) before and after the increments, m2 m-2 and m3 m-3.
        lai_increment: size of the LAI increments where LAI was observed (window, seed, place), m2 m-2; else NaN.
        lai_chi_square: (departure / expected deviation)^2 of the observed LAI, likewise; 1 on average if B and R are
            right.
        limit_hits: how often each limit was hit, over windows and columns.
    """

    forecast: dict[str, np.ndarray]
    analysis: dict[str, np.ndarray]
    lai_increment: np.ndarray
    lai_chi_square: np.ndarray
    limit_hits: dict[str, int]


def run_rule(
    season: Season, label: str, *, leaf_area_error: float = 0.2, progress: Callable[[str, int, int], None]
) -> SeasonRun:
    """The season with the rule ``label`` of ``RULES``; ``progress`` as in ``make_season``.

    ``leaf_area_error``: of the background relative to LAI, and the same at LAI 2 for all below it.
    """
    rule, records = RULES[label], list[WindowRecord]()
    background = BackgroundErrorSettings(leaf_area_index=leaf_area_error)
    low = leaf_area_error * background.leaf_area_index_threshold
    background = replace(background, low_leaf_area_index=low)

    def keep(record: WindowRecord, _: FilterState) -> None:
        records.append(record)
        progress(label, len(records), len(season.windows))

    operators = [create_operator(name, cell_count=season.grid.cell_count) for name in ("wg2", "lai")]
    run_cycle(
        season.model,
        season.grid,
        FilterState(land=season.state),
        season.windows,
        operators,
        None if rule is None else season.observations,
        FilterSettings(structural_biomass=rule or "unchanged", background=background),
        on_window=keep,
    )
    hits: dict[str, int] = {}
    for record in records:
        for name, count in record.limit_hits.items():
            hits[name] = hits.get(name, 0) + count
    normalised = _stack([(record.departure[1] / record.expected_deviation[1]).square() for record in records])
    increments = np.abs(_stack([record.increment["LAI"] for record in records]))
    shape = len(records), season.noise_seeds, len(season.places)
    return SeasonRun(
        forecast=_series(season, [record.forecast for record in records]),
        analysis=_series(season, [record.analysis for record in records]),
        lai_increment=np.where(np.isfinite(normalised), increments, np.nan).reshape(shape),
        lai_chi_square=normalised.reshape(shape),
        limit_hits=hits,
    )


def truth_of(season: Season) -> dict[str, np.ndarray]:
    """``VARIABLES`` -> (window, 1, place)."""
    truth = {"LAI": season.truth["LAI"], "root zone": season.root_zone(season.truth)}
    return {name: values[:, None] for name, values in truth.items()}


def _series(season: Season, means: list[dict[str, Tensor]]) -> dict[str, np.ndarray]:
    values = {name: _stack([window[name] for window in means]) for name in means[0]}
    shape = len(means), season.noise_seeds, len(season.places)
    return {"LAI": values["LAI"].reshape(shape), "root zone": season.root_zone(values).reshape(shape)}


def _stack(rows: list[Tensor]) -> np.ndarray:
    return np.stack([row.cpu().numpy() for row in rows])
