"""Which network: the twelve architectures of Figure 2 of Corchia et al. (2023) on the open loop of a run.

Example::

    python train/architecture_study.py runs/corchia2023

trains each for all cells of the run in one batch and writes ``tables/architecture_study.csv`` (quantiles over cells),
``tables/architecture_study_cells.csv`` and ``figures/architecture_study.png`` into the run directory, where ``dalearn
evaluate`` finds them.  What is trained is kept under ``studies/``; a killed study goes on there.
"""

import dataclasses
import logging
import time
from pathlib import Path

import torch

from dalearn.evaluation.architecture_figure import draw_architectures
from dalearn.evaluation.style import quantity_label, save_figure
from dalearn.evaluation.table_parts import ScoreSettings, write_table
from dalearn.experiments.architecture_study import (
    LAYERS,
    PATIENCE,
    PUBLISHED,
    UNITS,
    Architecture,
    architecture_tables,
    study_architectures,
)
from dalearn.experiments.program import run_program
from dalearn.experiments.study_run import open_study

LOG = logging.getLogger("dalearn")


def study(
    run_directory: Path,
    layers: list[int] | None = None,
    neurons: list[int] | None = None,
    epochs: int | None = None,
    patience: int | None = PATIENCE,
    threads: int = 1,
) -> None:
    """Train and compare networks of different size on the open loop in a run directory.

    Args:
        run_directory: of a run whose open loop is done.
        layers: numbers of hidden layers; 1 and 2 when not given.
        neurons: per layer; 10, 20, 40, 100, 150 and 200 when not given.
        epochs: at most so many; those of the run when not given.
        patience: a cell is done when so many epochs in a row did not improve its validation error; null for all epochs.
        threads: of the CPU.
    """
    torch.set_num_threads(threads)
    begin = time.monotonic()
    run = open_study(run_directory)
    settings = dataclasses.replace(run.training.settings, **({"epochs": epochs} if epochs else {}))
    architectures = [Architecture(layer, units) for layer in layers or LAYERS for units in neurons or UNITS]
    scores, test = study_architectures(run, architectures, settings, patience)
    reference = PUBLISHED.name if PUBLISHED.name in scores else architectures[0].name
    summary, cells = architecture_tables(
        scores, architectures, test, len(run.training.predictors), run.units, ScoreSettings(), reference
    )
    quantity = run.setup.config.observation(run.training.observations).quantity
    title = f"{quantity_label(quantity)} networks, one per cell: {int(summary['cells'].max())} cells"
    figure = draw_architectures(cells, run.units, title, reference, run.observation_error)
    for name in ("tables", "figures"):
        (run_directory / name).mkdir(exist_ok=True)
    write_table(cells, run_directory / "tables" / "architecture_study_cells.csv")
    save_figure(figure, run_directory / "figures" / "architecture_study.png")
    path = write_table(summary, run_directory / "tables" / "architecture_study.csv")
    LOG.info("%s: %.0f s", path, time.monotonic() - begin)


if __name__ == "__main__":
    run_program(study, positional=True)
