"""The part of the report on departures: do they agree with the errors that the filter was given?"""

from collections.abc import Sequence

import pandas as pd

from dalearn.evaluation.consistency import CHI_SQUARE, LARGEST_EXPECTED, LEFT_OUT, SIGNAL, SIGNAL_PER_OBSERVATION
from dalearn.evaluation.consistency_figures import draw_consistency_by_month
from dalearn.evaluation.filter_tables import filter_diagnostics, monthly_diagnostics
from dalearn.evaluation.page import Page
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.style import pretty_units

_KEYS = ("experiment", "quantity", "units", "number")
_MOMENTS = ("departure mean", "departure standard deviation", "residual mean", "residual standard deviation",
            "departure autocorrelation")  # fmt: skip
_ERRORS = ("observation error", "background error", "departure size")
_DEPARTURES = (
    "Departures (observation − forecast) and residuals (observation − analysis) of the assimilated observations. "
    "Autocorrelation: of a departure and the next one of its cell, about the mean of the cell; 0 for the best gain, "
    "above 0 where the filter leaves behind what it could have corrected. "
)
_CONSISTENCY = (
    "Consistency after Desroziers et al. (2005), standard deviations in observation space. Observation error: "
    "√⟨residual × departure⟩ against √R; background error: √⟨(departure − residual) × departure⟩ against √(H B Hᵀ); "
    "departure size: √⟨departure²⟩ against √(H B Hᵀ + R). Ratio = diagnosed / used: 1 where the errors are right, "
    "below 1 where the one given is too large, above 1 where it is too small; a mean departure that is not 0 counts "
    "as error. A dash: the mean product is negative. In the simplified filter H is the derivative with respect to the "
    "window start while the residual comes from the operator on the analysis at the window end, so the reduction that "
    "H K promises and the one found here differ even with the right errors. Left out of these means: windows of a cell "
    f"with √(H B Hᵀ + R) above {LARGEST_EXPECTED:g} times its median and √R, where the forecast amplifies any "
    "difference from step to step."
)
_SUMS = (
    "Chi-square: mean of departure² / (H B Hᵀ + R), and for all quantities together of dᵀ S⁻¹ d per observation; 1 "
    "where B and R are right, below 1 where they are too large, above 1 where they are too small. Degrees of freedom "
    "for signal: the trace of H K; per observation from 0 (the analysis ignores it) to 1 (it ignores the forecast)."
)


def add_consistency(page: Page, run: RunData, rows: Sequence[str]) -> None:
    """Departures and residuals, errors diagnosed from them, chi-square and degrees of freedom for signal."""
    table = filter_diagnostics(run, rows, page.settings.scores)
    if not len(table):
        return
    page.report.subsection("Departures and consistency")
    summary = "Departures, errors used and diagnosed, chi-square and degrees of freedom for signal."
    page.table("filter_diagnostics", table, summary, show=False)
    shown = table.assign(units=table["units"].map(pretty_units))
    of_types = shown[shown["departure mean"].notna()]
    level = f"Intervals: {100 * page.settings.scores.level:.0f} %, block bootstrap of the windows."
    page.report.table(_columns(of_types, _MOMENTS), _DEPARTURES + level)
    errors = [f"{error} {kind}" for error in _ERRORS for kind in ("used", "diagnosed", "ratio")]
    page.report.table(_columns(of_types, [LEFT_OUT, *errors]), _CONSISTENCY)
    if CHI_SQUARE not in table:
        page.absent(
            "analysis.nc holds no expected_deviation, signal, chi_square or gain: it is of an older version; "
            "consistency ratios, chi-square, degrees of freedom for signal and maps of K are left out."
        )
        return
    page.report.table(_columns(shown, (CHI_SQUARE, SIGNAL, SIGNAL_PER_OBSERVATION)), _SUMS)
    monthly = monthly_diagnostics(run, rows)
    caption = "Chi-square and degrees of freedom for signal by calendar month."
    page.table("filter_diagnostics_monthly", monthly, caption, show=False)
    figure = draw_consistency_by_month(monthly, "Chi-square and degrees of freedom for signal")
    page.figure("consistency_by_month", figure, caption)


def _columns(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The columns of the keys and of ``names`` with their intervals, without those that are not there or empty."""
    wanted = [f"{name}{end}" for name in names if name in table for end in ("", " low", " high")]
    return table[[*_KEYS, *(name for name in wanted if name in table and table[name].notna().any())]]
