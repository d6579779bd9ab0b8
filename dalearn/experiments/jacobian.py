"""Comparison of the Jacobian back ends on windows of an experiment."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from dalearn.assimilation.comparison import compare_jacobians
from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.settings import FilterSettings
from dalearn.experiments.open_loop import DAY
from dalearn.experiments.setup import Setup
from dalearn.experiments.subset import Subset
from dalearn.land.model import LandModel
from dalearn.land.state import LandState
from dalearn.operators import ObservationOperator

logger = logging.getLogger("dalearn")

Comparison = dict[str, Any]


def compare_window(
    setup: Setup,
    model: LandModel,
    state: LandState,
    start: np.datetime64,
    operators: Sequence[ObservationOperator],
    part: Subset | None = None,
) -> Comparison:
    """Agreement and cost of the two back ends on the window from ``start``; see ``compare_jacobians``.

    ``part`` restricts it to some of the cells.
    """
    section = setup.config.assimilation
    settings = section.filter if section is not None else FilterSettings()
    grid, window = setup.grid, setup.window(start, start + DAY)
    if part is not None:
        grid, model, state = part.grid, part.model(model), part.state(state)
        window, operators = part.window(window), part.operators(operators)
    return compare_jacobians(
        model,
        grid,
        model.prepare_state(state),
        window,
        list(operators),
        ControlVector(settings.control),
        perturbation=settings.perturbation,
        chunk_cells=settings.chunk_cells,
    )


def combine(comparisons: Sequence[Comparison]) -> Comparison:
    """Several windows as one: the largest error, the median of the medians, the mean share of kinks and cost."""

    def over(reduce: Any, *path: str) -> float | None:
        values = []
        for comparison in comparisons:
            item: Any = comparison
            for key in path:
                item = item[key]
            values.append(item)
        known = [value for value in values if value is not None]
        return float(reduce(known)) if known else None

    first = comparisons[0]
    return {
        "columns": first["columns"],
        "dtype": first["dtype"],
        "agreement": {
            name: {
                "max_rel": over(max, "agreement", name, "max_rel"),
                "median_rel": over(np.median, "agreement", name, "median_rel"),
                "kink_share": over(np.mean, "agreement", name, "kink_share"),
            }
            for name in first["agreement"]
        },
        "cost": {
            backend: {key: over(np.mean, "cost", backend, key) for key in first["cost"][backend]}
            for backend in first["cost"]
        },
    }
