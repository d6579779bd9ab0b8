"""The place in the report of the architecture study (Figure 2 of Corchia et al. 2023).

It comes from a program that trains many operators and leaves a table and a figure in the run directory.
"""

import pandas as pd
from pandas.errors import EmptyDataError, ParserError

from dalearn.errors import InputError
from dalearn.evaluation.page import Page

NAME = "architecture_study"


def add_architectures(page: Page) -> None:
    """Show ``tables/architecture_study.csv`` and ``figures/architecture_study.png`` where they are."""
    table = page.directory / "tables" / f"{NAME}.csv"
    figure = page.directory / "figures" / f"{NAME}.png"
    if not table.exists() and not figure.exists():
        return
    page.report.subsection("Architectures")
    caption = "As in Corchia et al. (2023), Figure 2: architectures of the network, RMSD over the cells."
    if table.exists():
        try:
            frame = pd.read_csv(table)
        except (EmptyDataError, ParserError, UnicodeDecodeError) as error:
            raise InputError(f"{table}: not a table ({error}); delete it or make it again") from error
        page.tables[NAME] = table
        page.report.table(frame, caption)
    if figure.exists():
        page.figures[NAME] = figure
        page.report.figure(figure, caption)
