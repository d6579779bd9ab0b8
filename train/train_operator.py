"""Train an observation operator from an open loop and observations of its cells.

Example::

    python train/train_operator.py --open_loop open_loop.nc --observations sigma0.nc --output trained \\
        --start 2007-01-01 --end 2015-01-01 --settings.epochs 250

writes ``trained/operator.nc`` (for the assimilation) and ``trained/training.nc`` (errors per epoch and cell).
"""

import logging
from dataclasses import asdict
from pathlib import Path

from dalearn.experiments.program import run_program
from dalearn.experiments.sections import as_time
from dalearn.learning.from_files import read_model_output, read_pairs, train_from_files
from dalearn.learning.settings import TrainingSettings
from dalearn.operators import create_operator
from dalearn.operators.base import operator_class

LOG = logging.getLogger("dalearn")
DEFAULTS = TrainingSettings()


def train(
    open_loop: Path,
    observations: Path,
    output: Path,
    start: str,
    end: str,
    operator: str = "network",
    predictors: list[str] | None = None,
    options: dict[str, int | float | str] | None = None,
    settings: TrainingSettings = DEFAULTS,
) -> None:
    """Train an observation operator on the pairs of model output and observations of a period.

    Args:
        open_loop: netCDF with the predictors (time, cell).
        observations: netCDF with the observed quantity as an indexed ragged array.
        output: directory for operator.nc and training.nc; made when absent.
        start: first day of the training period, UTC.
        end: day after the training period, UTC.
        operator: registered name of the operator.
        predictors: variable names, those of the operator when not given.
        options: further options of the operator, for example {hidden_units: 80}.
        settings: how to train.
    """
    names = tuple(predictors) if predictors else operator_class(operator).predictors
    prototype = create_operator(operator, cell_count=1, predictors=names, **(options or {}))
    model = read_model_output(open_loop, names, as_time(start, "start"), as_time(end, "end"))
    pairs = read_pairs(observations, prototype.quantity, model)
    LOG.info("%d samples of %d cells, %d unmatched", *pairs.target.shape, pairs.unmatched)
    output.mkdir(parents=True, exist_ok=True)
    untrained = create_operator(operator, cell_count=len(model.latitude), predictors=names, **(options or {}))
    provenance = {"open_loop": str(open_loop), "observations": str(observations), "period": f"{start} to {end}"}
    provenance |= {f"training_{name}": str(value) for name, value in asdict(settings).items()}
    result = train_from_files(untrained, model, pairs, output, settings, provenance)
    best = result.validation_rmsd[:, result.trained].nan_to_num(float("inf")).amin(dim=0).median()
    LOG.info(
        "%d of %d cells trained, median validation RMSD %.3f %s: %s",
        int(result.trained.sum()), len(result.trained), float(best), untrained.units, output / "operator.nc",
    )  # fmt: skip


if __name__ == "__main__":
    run_program(train)
