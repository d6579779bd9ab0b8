"""The place in the report of the studies that train many operators: architectures, and operators side by side.

``train/architecture_study.py`` (Figure 2 of Corchia et al. 2023) and ``train/operator_study.py`` leave a table and a
figure each in the run directory.
"""

import pandas as pd
from pandas.errors import EmptyDataError, ParserError

from dalearn.errors import InputError
from dalearn.evaluation.page import Page

STUDIES = {
    "architecture_study": (
        "Architectures",
        "As in Corchia et al. (2023), Figure 2: architectures of the network, RMSD over the cells.",
    ),
    "operator_study": ("Operators side by side", "Observation operators trained on the same samples."),
}


def add_studies(page: Page) -> None:
    """Show ``tables/<study>.csv`` and ``figures/<study>.png`` of each study where they are.

    Raises InputError when a table cannot be read.
    """
    for name, (heading, caption) in STUDIES.items():
        table, figure = page.directory / "tables" / f"{name}.csv", page.directory / "figures" / f"{name}.png"
        if not table.exists() and not figure.exists():
            continue
        page.report.subsection(heading)
        if table.exists():
            page.tables[name] = table
            page.report.table(_read(page, name), caption)
        if figure.exists():
            page.figures[name] = figure
            page.report.figure(figure, caption)


def _read(page: Page, name: str) -> pd.DataFrame:
    path = page.directory / "tables" / f"{name}.csv"
    try:
        return pd.read_csv(path)
    except (EmptyDataError, ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a table ({error}); delete it or make it again") from error
