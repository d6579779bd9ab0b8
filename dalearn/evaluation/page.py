"""What a section of the evaluation writes to: tables, figures and the report of one run directory."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.report import Report
from dalearn.evaluation.style import pretty_units, save_figure
from dalearn.evaluation.table_parts import ScoreSettings, write_table
from dalearn.evaluation.year_contrast import ContrastSettings

CORCHIA, ROJAS_MUNOZ = "Corchia et al. (2023)", "Rojas-Munoz et al. (2023)"


@dataclass(frozen=True)
class EvaluationSettings:
    """How a run is evaluated.

    ``in_situ_tolerance_hours``: in situ samples this near to a window end are averaged.
    ``satellite_tolerance_hours``: the same for satellite observations that no experiment assimilated.
    ``window_end_hour`` (UTC) is used only where there is no analysis.nc to tell.
    ``series_cells``: cells whose time series are drawn; empty = the station where the open loop is worst.
    ``satellite_name``: what tables and figures call the satellite soil moisture.
    ``contrast``: the month and the two years that are compared; ``reference_year`` of relative differences, None for
    the first.
    """

    scores: ScoreSettings = field(default_factory=ScoreSettings)
    in_situ_tolerance_hours: float = 1.5
    satellite_tolerance_hours: float = 12.0
    window_end_hour: int = 9
    series_cells: tuple[int, ...] = ()
    satellite_name: str = "satellite"
    contrast: ContrastSettings = field(default_factory=ContrastSettings)
    reference_year: int | None = None


@dataclass
class Page:
    """The report being built, and the files written so far by name.

    ``map_spans``: colours of the RMSD maps of each quantity, the same in all figures.  ``paper``: which the sections
    common to all runs are compared with.
    """

    directory: Path
    cells: Cells
    settings: EvaluationSettings
    report: Report
    tables: dict[str, Path] = field(default_factory=dict)
    figures: dict[str, Path] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    key_numbers: list[dict[str, Any]] = field(default_factory=list)
    map_spans: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    paper: str = CORCHIA

    def as_in(self, paper: str, item: str, text: str) -> str:
        """``text`` as the caption of an ``item`` of ``paper``, or by itself where the run is not about that paper."""
        return f"As in {paper}, {item}: {text}" if paper == self.paper else text[:1].upper() + text[1:]

    def table(self, name: str, frame: pd.DataFrame, caption: str, show: bool = True) -> None:
        """Write ``tables/<name>.csv`` and show it in the report (long tables are only written)."""
        self.tables[name] = write_table(frame, self.directory / "tables" / f"{name}.csv")
        if show:
            self.report.table(frame, caption)
        else:
            self.report.paragraph(f"{caption} In tables/{name}.csv, {len(frame)} rows.")

    def figure(self, name: str, figure: Figure, caption: str) -> None:
        """Write ``figures/<name>.png`` and show it in the report."""
        self.figures[name] = save_figure(figure, self.directory / "figures" / f"{name}.png")
        self.report.figure(self.figures[name], caption)

    def summarise(self) -> None:
        """Write ``tables/key_numbers.csv`` and show it at the top of the report."""
        if not self.key_numbers:
            return
        frame = pd.DataFrame(self.key_numbers)
        self.tables["key_numbers"] = write_table(frame, self.directory / "tables" / "key_numbers.csv")
        level = f"{100 * self.settings.scores.level:.0f} %"
        self.report.summary_table(
            frame.assign(units=frame["units"].map(pretty_units)),
            "Each run beside the open loop on the same samples, means over cells. Reading: better or worse than the "
            f"open loop where the {level} block-bootstrap interval of the difference does not contain 0, not told "
            "apart where it does. An analysis fits observations it has assimilated; only its forecast, other "
            "observations and the truth of a twin test it.",
        )

    def absent(self, sentence: str) -> None:
        """Say in the report which input was not there."""
        self.missing.append(sentence)
        self.report.missing(sentence)
