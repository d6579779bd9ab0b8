"""Compare SODA's LAI increments with increments that last, over a season of the twin on crops.

Example::

    python train/increment_study.py --output increments

runs the twin, the open loop and both filters for every weather seed and writes ``scores.csv`` (what it prints),
``cells.csv`` (RMSE of every cell and noise seed), ``study.json`` (settings, scores, limits) and ``season.png``.
"""

import csv
import dataclasses
import json
import logging
import time
from pathlib import Path

import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.evaluation.increment_figure import IncrementPanel, draw_increments
from dalearn.evaluation.style import save_figure
from dalearn.experiments.increment_runs import RULES, VARIABLES, SeasonRun, run_rule, truth_of
from dalearn.experiments.increment_scores import score_season, score_table
from dalearn.experiments.increment_season import SeasonSettings, make_season
from dalearn.experiments.program import run_program
from dalearn.experiments.progress import Progress

LOG = logging.getLogger("dalearn")
DEFAULTS = SeasonSettings()
QUICK = SeasonSettings(
    largest_count=2, twin_start="2015-04-14", spin_up=0, start="2015-04-18", days=11, noise_seeds=2
)  # fmt: skip


def study(
    output: Path,
    weather_seeds: list[int] | None = None,
    settings: SeasonSettings = DEFAULTS,
    leaf_area_error: float = 0.2,
    compile: bool = True,
    quick: bool = False,
) -> None:
    """Open loop, SODA's rule and the lasting rule over the same season, scored against the truth.

    Args:
        output: directory for the results; made when absent.
        weather_seeds: seeds of the twin, each with its own weather and model errors; 3 and 4 when not given.
        settings: cells, period and observations.
        leaf_area_error: background error of LAI in the filters, relative to LAI.
        compile: compile the land model.
        quick: two cells and eleven days instead of ``settings``, to see the program run.
    """
    settings, seeds = QUICK if quick else settings, weather_seeds or ([3] if quick else [3, 4])
    if settings.days < 1 or settings.noise_seeds < 1:
        raise InputError("settings: give at least one day and one noise seed")
    torch.set_num_threads(1)  # hundreds of columns: one thread is faster than two
    output.mkdir(parents=True, exist_ok=True)
    scores, panels, cells, summary = [], [], [], {}
    begin = time.process_time()
    for seed in seeds:
        with Progress(f"twin {seed}", 1, "days") as bar:

            def show(what: str, done: int, total: int, bar: Progress = bar, seed: int = seed) -> None:
                bar.label, bar.done = f"twin {seed}: {what}", done - 1
                bar.set_total(total)
                bar.update()

            season = make_season(settings, seed, compiled=compile, progress=show)
            runs = {label: run_rule(season, label, leaf_area_error=leaf_area_error, progress=show) for label in RULES}
        truth = truth_of(season)
        scores += score_season(seed, settings.ends, runs, truth)
        panels.append(panel_of(seed, settings, runs, truth))
        cells += rows_of_cells(seed, season.places, runs, truth)
        summary[seed] = {
            label: {"lai_increment": float(np.nanmean(run.lai_increment)), **run.limit_hits}
            for label, run in runs.items()
            if RULES[label] is not None
        }
    record = {
        "settings": dataclasses.asdict(settings),
        "leaf_area_error": leaf_area_error,
        "scores": [dataclasses.asdict(row) for row in scores],
        "increments": summary,
        "cpu_seconds": time.process_time() - begin,
    }
    write(output, record, cells)
    save_figure(draw_increments(panels, "LAI increments: SODA's rule and one that lasts"), output / "season.png")
    print(score_table(scores))
    for seed, of_rules in summary.items():
        for label, values in of_rules.items():
            print(f"twin {seed}, {label}: " + ", ".join(f"{name} {value:.3g}" for name, value in values.items()))
    LOG.info("%s: %.0f s of CPU", output, time.process_time() - begin)


def panel_of(
    seed: int, settings: SeasonSettings, runs: dict[str, SeasonRun], truth: dict[str, np.ndarray]
) -> IncrementPanel:
    """The season of one twin, for the figure."""

    def error(run: SeasonRun, name: str) -> np.ndarray:
        return np.sqrt(((run.analysis[name] - truth[name]) ** 2).mean(axis=(1, 2)))

    return IncrementPanel(
        name=f"twin {seed}",
        time=settings.ends,
        truth=truth["LAI"].mean(axis=(1, 2)),
        leaf_area={label: run.analysis["LAI"].mean(axis=(1, 2)) for label, run in runs.items()},
        leaf_area_error={label: error(run, "LAI") for label, run in runs.items()},
        root_zone_error={label: error(run, "root zone") for label, run in runs.items()},
    )


def rows_of_cells(
    seed: int, places: list[str], runs: dict[str, SeasonRun], truth: dict[str, np.ndarray]
) -> list[dict[str, str | int | float]]:
    """RMSE of the analyses over the season for every cell, noise seed and run."""
    rows = []
    for label, run in runs.items():
        rmse = {name: np.sqrt(((run.analysis[name] - truth[name]) ** 2).mean(axis=0)) for name in VARIABLES}
        for noise, cell in np.ndindex(rmse["LAI"].shape):
            values = {name: float(rmse[name][noise, cell]) for name in VARIABLES}
            rows.append({"twin": seed, "cell": places[cell], "noise_seed": noise, "run": label} | values)
    return rows


def write(output: Path, record: dict, cells: list[dict]) -> None:
    """The tables and the record of the study."""
    for name, rows in {"scores.csv": record["scores"], "cells.csv": cells}.items():
        with (output / name).open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    (output / "study.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    run_program(study)
