"""One month of a dry year against the same month of a wet year: Figures 8 to 11 of Rojas-Munoz et al. (2023).

The paper takes July 2019 minus July 2018.  Only the windows of that month are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dalearn.evaluation.comparison import OPEN_LOOP
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.scores import MINIMUM_MONTHLY_COUNT, compute_scores
from dalearn.evaluation.seasons import month_of, year_of
from dalearn.evaluation.style import MONTH_NAMES

ROOT_ZONE_LAYER = "WG5"  # 0.2-0.4 m
JULY = 7
MINIMUM_CELLS = 10


@dataclass(frozen=True)
class ContrastSettings:
    """``month`` 1..12; the years, or None to take the driest and the wettest of the open loop in that month."""

    month: int = JULY
    dry_year: int | None = None
    wet_year: int | None = None


@dataclass(frozen=True)
class YearContrast:
    """``change`` variable -> run -> (cell,): mean of the month of the ``dry`` year minus that of the ``wet`` year."""

    month: int
    dry: int
    wet: int
    change: Mapping[str, Mapping[str, np.ndarray]]

    @property
    def text(self) -> str:
        """Jul 2019 − Jul 2018."""
        return f"{MONTH_NAMES[self.month - 1]} {self.dry} − {MONTH_NAMES[self.month - 1]} {self.wet}"

    def effect(self, variable: str, run: str) -> np.ndarray:
        """Change of ``run`` minus that of the open loop, (cell,): what the analysis added more in the dry year."""
        return self.change[variable][run] - self.change[variable][OPEN_LOOP]

    def correlation(self, run: str, chosen: np.ndarray | slice = slice(None)) -> float:
        """R over the ``chosen`` cells of the effects on LAI and on WG5 (Figure 11); NaN for fewer than ten."""
        water, leaves = (self.effect(name, run)[chosen][:, None] for name in (ROOT_ZONE_LAYER, "LAI"))
        return float(compute_scores(leaves, water, MINIMUM_CELLS).correlation[0])


def contrast_years(run: RunData, experiments: Sequence[str], settings: ContrastSettings) -> YearContrast | str:
    """WG5 and LAI of the open loop and ``experiments`` in the two years; a sentence where there are none."""
    name = MONTH_NAMES[settings.month - 1]
    windows = np.flatnonzero(month_of(run.time) == settings.month)
    year, count = np.unique(year_of(run.time[windows]), return_counts=True)
    year = year[count >= MINIMUM_MONTHLY_COUNT]
    for wanted in (settings.dry_year, settings.wet_year):
        if wanted is not None and wanted not in year:
            return f"Contrast of two years: {name} {wanted} is not in the run; it has {name} of {_listed(year)}."
    if len(year) < 2:
        return f"Contrast of two years: the run has {name} of {_listed(year)} only."
    open_loop = run.of_state("open_loop", ROOT_ZONE_LAYER, windows)
    if open_loop is None:
        return f"Contrast of two years: no {ROOT_ZONE_LAYER} in open_loop.nc."
    of_window = year_of(run.time[windows])
    water = {int(number): float(np.nanmean(open_loop[of_window == number])) for number in year}
    dry = settings.dry_year or min((n for n in water if n != settings.wet_year), key=water.__getitem__)
    wet = settings.wet_year or max((n for n in water if n != dry), key=water.__getitem__)
    if dry == wet:
        return f"Contrast of two years: the dry and the wet year are both {dry}; choose two."
    change: dict[str, dict[str, np.ndarray]] = {}
    for variable in (ROOT_ZONE_LAYER, "LAI"):
        fields = {OPEN_LOOP: run.of_state("open_loop", variable, windows)}
        fields |= {experiment: run.of_experiment(variable, experiment, windows) for experiment in experiments}
        if any(values is None for values in fields.values()):
            lacking = [label for label, values in fields.items() if values is None]
            return f"Contrast of two years: no {variable} of {', '.join(lacking)}."
        change[variable] = {
            label: values[of_window == dry].mean(axis=0) - values[of_window == wet].mean(axis=0)
            for label, values in fields.items()
            if values is not None
        }
    return YearContrast(settings.month, dry, wet, change)


def _listed(years: np.ndarray) -> str:
    return ", ".join(str(year) for year in years) or "no year"
