"""``dalearn parity``: the land model against stored SURFEX runs, freely from their initial state."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dalearn.errors import InputError
from dalearn.experiments.parity_run import Comparison, run_blocks
from dalearn.experiments.parity_series import SeriesRecorder
from dalearn.experiments.progress import Progress
from dalearn.experiments.reference_batch import batch_cases
from dalearn.experiments.reference_case import ReferenceCase, read_reference_case
from dalearn.experiments.water_budget import WaterBudget
from dalearn.land.model import LandModel
from dalearn.tree import to

logger = logging.getLogger("dalearn")

DRIFT = "water_budget_drift"
DTYPES = {"float64": torch.float64, "float32": torch.float32}

Result = dict[str, Any]


def run_parity(
    path: Path | str,
    *,
    dtype: str = "float64",
    compiled: bool = True,
    progress: bool = True,
    limit: int | None = None,
    figures: Path | None = None,
) -> Result:
    """Run a stored case from its initial state and compare every output step.

    Args:
        path: a case file, see ``read_reference_case``.
        dtype: of the model, ``float64`` or ``float32``.
        compiled: compile the blocks of the model.
        progress: show a bar or write log lines.
        limit: number of output steps to run; all of them when None.
        figures: folder for the overlays of both series, one PNG per patch; none when None.

    Returns:
        ``{"case", "dtype", "variables": {NAME: {"rmse", "bias", "max_abs", "r", "n", "reference_max"}},
        "water_budget_residual"}``: bias is model - reference, ``n`` counts the compared values over time, layers and
        patches, the residual is the largest absolute one of any step and column in kg m-2 s-1; None where undefined.

    Raises:
        InputError: a file that is not a case or asks for what is not modelled; in float64 also a quantity that is
            defined on one side only.
    """
    case = read_reference_case(path)
    recorder = SeriesRecorder(case) if figures is not None else None
    (result,) = compare_cases(
        [case],
        dtype=dtype,
        compiled=compiled,
        progress=progress,
        limit=limit,
        recorders=[] if recorder is None else [recorder],
    )
    drift = result.pop(DRIFT)
    logger.info("%s: the water budget is open by %.1e of the precipitation after the whole run", case.name, drift)
    if recorder is not None and figures is not None:
        for written in recorder.draw(figures):
            logger.info("figure %s", written)
    return result


@torch.no_grad()
def compare_cases(
    cases: Sequence[ReferenceCase],
    *,
    dtype: str = "float64",
    compiled: bool = True,
    progress: bool = True,
    limit: int | None = None,
    first: int = 0,
    recorders: Sequence[SeriesRecorder] = (),
) -> list[Result]:
    """``run_parity`` for cases that run as one batch, whose ``batch_key`` is the same.

    The results hold ``water_budget_drift`` too: what of the precipitation of the whole run is neither stored nor lost,
    as a share of it, in the worst column.
    ``first`` is the first output step to be run; after the first of all, from the stored state before it.
    ``recorders``, one per case if any, take the series.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r} is not known, choose one of {', '.join(DTYPES)}")
    batch = batch_cases(cases)
    model = LandModel(to(batch.parameters, dtype=DTYPES[dtype]), cases[0].options.land, compiled=compiled)
    start = batch.initial if first == 0 else batch.state(first - 1)
    state = model.prepare_state(to(start, dtype=DTYPES[dtype]))
    last = cases[0].row_count if limit is None else min(first + limit, cases[0].row_count)
    comparisons = [Comparison(case, strict=dtype == "float64") for case in cases]
    budget = WaterBudget(state, model.parameters, model.options.time_step)
    label = cases[0].name if len(cases) == 1 else f"{len(cases)} cases"
    with Progress(label, last - first, "output steps") if progress else nullcontext() as bar:
        on_row = bar.update if bar is not None else None
        for block in run_blocks(model, batch, state, first, last, budget, on_row):
            for number, comparison in enumerate(comparisons):
                columns = {name: values[..., batch.columns(number)] for name, values in block.values.items()}
                series = comparison.add(block.first, columns)
                if recorders:
                    recorders[number].add(*series)
    for comparison in comparisons:
        comparison.report_one_sided()
    return [
        {
            "case": comparison.case.name,
            "dtype": dtype,
            "variables": {name: agreement.summary() for name, agreement in comparison.agreements.items()},
            "water_budget_residual": float(budget.largest[batch.columns(number)].max()),
            DRIFT: float(_share(budget.residual, budget.precipitation)[batch.columns(number)].max()),
        }
        for number, comparison in enumerate(comparisons)
    ]


def _share(residual: Tensor, precipitation: Tensor) -> Tensor:
    """|residual| as a share of the precipitation, or in kg m-2 where nothing fell."""
    return residual.abs() / torch.where(precipitation > 0.0, precipitation, torch.ones_like(precipitation))
