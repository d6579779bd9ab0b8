"""Train the neural inversion of Sentinel-1 backscatter to soil moisture on a synthetic database, and measure its skill.

Example::

    python train/train_retrieval.py --output retrieval --inversion.polarisations "[VV]"

writes ``retrieval/retrieval_VV.nc`` and ``retrieval/skill_VV.csv``, the skill on another database of the same ranges
and noise, drawn with another seed.  ``--test.soil_model empirical`` measures it on plots of another soil model.
"""

import csv
import dataclasses
import logging
from pathlib import Path

import torch

from dalearn.errors import InputError
from dalearn.experiments.program import run_program
from dalearn.files import write_whole
from dalearn.retrieval.database import DatabaseSettings, make_database
from dalearn.retrieval.inversion import InversionSettings, train_inversion
from dalearn.retrieval.inversion_file import save_inversion
from dalearn.retrieval.skill import Row, skill_table

LOG = logging.getLogger("dalearn")
DATABASE, TEST, INVERSION = DatabaseSettings(), DatabaseSettings(samples=40_000, seed=1001), InversionSettings()


def train(
    output: Path,
    database: DatabaseSettings = DATABASE,
    test: DatabaseSettings = TEST,
    inversion: InversionSettings = INVERSION,
    threads: int = 1,
) -> None:
    """Train an inversion and score it on an independent database.

    Args:
        output: folder for the inversion and its skill.
        database: what it is trained on.
        test: what it is scored on; another seed than that of the database.
        inversion: inputs and training.
        threads: of the CPU.
    """
    if test.seed == database.seed:
        raise InputError(f"test.seed is {test.seed}, the seed of the training database; take another")
    torch.set_num_threads(threads)
    trained = train_inversion(make_database(database), database, inversion)
    rows = skill_table(trained, make_database(test))
    name = "".join(inversion.polarisations)
    settings = {part: dataclasses.asdict(of) for part, of in (("database", database), ("inversion", inversion))}
    output.mkdir(parents=True, exist_ok=True)
    save_inversion(trained, output / f"retrieval_{name}.nc", settings)
    write_whole(output / f"skill_{name}.csv", lambda path: _write(path, rows))
    for row in rows:
        LOG.info("%-24s %-14s RMSE %.4f bias %+.4f R %.3f told %.4f N %d", *_shown(row))
    LOG.info("%s", output / f"retrieval_{name}.nc")


def _shown(row: Row) -> tuple[float | int | str, ...]:
    return tuple(row[name] for name in ("a_priori", "plots", "RMSE", "bias", "R", "told_error", "N"))


def _write(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(
            {key: f"{value:.5f}" if isinstance(value, float) else value for key, value in row.items()} for row in rows
        )


if __name__ == "__main__":
    run_program(train)
