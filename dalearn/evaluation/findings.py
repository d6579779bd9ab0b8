"""What Corchia et al. (2023) report, item by item, beside the same number of this run.

The paper's side is quoted from its text; ``shown`` says whether this run has the same sign or count, without any
claim that the numbers should be equal: the paper's model, land and observations are others.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from dalearn.evaluation.cells import VEGETATION_CLASSES, Cells
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.monthly_table import MEDIAN_DIFFERENCE
from dalearn.evaluation.neutralised import NeutralisedTest, increase_of_rmsd
from dalearn.evaluation.operator_test import OperatorTest
from dalearn.evaluation.report import format_number
from dalearn.evaluation.scores import Scores, common_samples, compute_scores
from dalearn.evaluation.statements import only_summer
from dalearn.evaluation.style import pretty_units
from dalearn.evaluation.table_parts import known_mean

DRIVERS = ("WG2", "LAI", "TG2")  # in the order of their influence in the paper


@dataclass(frozen=True)
class Finding:
    """``item`` of the paper, what it says, what this run gives; ``shown`` None where there is no yes or no."""

    item: str
    paper: str
    this_run: str
    shown: bool | None


def findings_table(findings: Sequence[Finding]) -> pd.DataFrame:
    frame = pd.DataFrame([asdict(finding) for finding in findings])
    words = {True: "yes", False: "no", None: ""}
    frame["shown"] = [words[finding.shown] for finding in findings]
    return frame.rename(columns={"this_run": "this run", "shown": "shown here"})


def find_drivers(test: NeutralisedTest, cells: Cells, minimum_count: int) -> list[Finding]:
    """Figure 3: the order of the predictors, and where LAI matters most."""
    increase = increase_of_rmsd(test, minimum_count)
    means = {name: known_mean(increase[name]) for name in DRIVERS if name in increase}
    if len(means) < len(DRIVERS) or not np.isfinite(list(means.values())).all():
        return []
    units = pretty_units(test.units)
    listed = ", ".join(f"{name} {format_number(value)}" for name, value in means.items())
    found = [
        Finding(
            "Figure 3",
            "SSM drives sigma0 most, then LAI; temperature has a smaller influence",
            f"mean increase of RMSD when neutralised: {listed} {units}",
            means["WG2"] > means["LAI"] > means["TG2"],
        )
    ]
    by_class = class_means(increase["LAI"], cells)
    if len(by_class) > 1 and "crops" in by_class:
        listed = ", ".join(f"{name} {format_number(value)}" for name, value in by_class.items())
        shown = by_class["crops"] == max(by_class.values())
        found.append(Finding("Figure 3", "LAI matters most over C3 crops", f"LAI neutralised: {listed} {units}", shown))
    return found


def find_test_rmsd(test: OperatorTest, minimum_count: int) -> list[Finding]:
    """Figure 4: shares of the cells with an RMSD of 0.3 to 0.4 dB and above."""
    if test.quantity != "sigma0":
        return []
    observed, predicted = common_samples(test.observed, next(iter(test.predictions.values())))
    rmsd = compute_scores(predicted, observed, minimum_count).rmsd
    return [
        Finding(
            "Figure 4",
            "RMSD of 0.3 to 0.4 dB in about 45 % of the cells, above 0.4 dB in about 15 %",
            f"0.3 to 0.4 dB in {_share((rmsd >= 0.3) & (rmsd <= 0.4), rmsd)}, above in {_share(rmsd > 0.4, rmsd)}",
            None,
        )
    ]


def find_backscatter(comparison: Comparison, experiment: str, cells: Cells, minimum_count: int) -> list[Finding]:
    """Figure 5 and Table 3."""
    base, run = _scores(comparison, OPEN_LOOP, minimum_count), _scores(comparison, experiment, minimum_count)
    difference, unit = run.rmsd - base.rmsd, pretty_units(comparison.units)
    found = [
        Finding(
            "Figure 5a",
            "hardly any cell above 0.4 dB in the analysis",
            f"{experiment}: {_share(run.rmsd > 0.4, run.rmsd)}, open loop: {_share(base.rmsd > 0.4, base.rmsd)}",
            None,
        ),
        Finding(
            "Figure 5b",
            "RMSD reduced in all cells",
            _count(difference < 0, difference),
            _all(difference < 0, difference),
        ),
    ]
    found += _by_class("Figure 5b", "largest reduction where there are C3 crops", difference, cells, unit)
    stations = cells.stations
    if stations:
        rises = run.correlation - base.correlation
        text = (
            f"RMSD lower at {_count(difference[stations] < 0, difference[stations])}, R higher at "
            f"{_count(rises[stations] > 0, rises[stations])}"
        )
        shown = _all(difference[stations] < 0, difference[stations]) and _all(rises[stations] > 0, rises[stations])
        found.append(Finding("Table 3", "RMSD lower and R higher at all 12 stations", text, shown))
    return found


def find_leaves(
    comparison: Comparison, experiment: str, retrievals: str, cells: Cells, minimum_count: int
) -> list[Finding]:
    """Figures 6 and 7 and Table 4, against the observed LAI."""
    base, run = _scores(comparison, OPEN_LOOP, minimum_count), _scores(comparison, experiment, minimum_count)
    difference, unit = run.rmsd - base.rmsd, pretty_units(comparison.units)
    lower = difference < 0
    found = [
        Finding(
            "Figure 6b",
            "RMSD reduced over most of the domain",
            _count(lower, difference),
            bool(lower.sum() > np.isfinite(difference).sum() / 2),
        )
    ]
    found += _by_class("Figure 6b", "LAI over agricultural areas more affected", difference, cells, unit)
    stations = cells.stations
    if stations:
        rises = run.correlation - base.correlation
        text = (
            f"RMSD lower at {_count(lower[stations], difference[stations])}, R higher at "
            f"{_count(rises[stations] > 0, rises[stations])}"
        )
        paper = "RMSD lower at all 12 stations, R higher at 9 of them"
        found.append(Finding("Table 4", paper, text, _all(lower[stations], difference[stations])))
    crops = np.array([name == "crops" for name in cells.vegetation_class])
    runs = [OPEN_LOOP, experiment, *([retrievals] if retrievals in comparison.runs else [])]
    summer = only_summer(comparison)
    bias = {name: known_mean(_scores(summer, name, minimum_count).bias[crops]) for name in runs}
    if np.isfinite(list(bias.values())).all():
        listed = ", ".join(f"{name} {format_number(value)}" for name, value in bias.items())
        smallest = abs(bias[experiment]) == min(abs(value) for value in bias.values())
        paper = "positive summer bias of the open loop (CDM), almost removed by EKF, less so by EKF_SWI_LAI"
        text = f"mean bias over crops, June to August: {listed} {unit}"
        found.append(Finding("Figure 7", paper, text, bool(bias[OPEN_LOOP] > 0 and smallest)))
    return found


def find_wetness(comparison: Comparison, experiment: str, minimum_count: int) -> list[Finding]:
    """Figure 8: R with the satellite soil wetness."""
    base, run = _scores(comparison, OPEN_LOOP, minimum_count), _scores(comparison, experiment, minimum_count)
    difference = run.correlation - base.correlation
    higher = difference > 0
    return [
        Finding(
            "Figure 8",
            "larger R in most cells",
            f"{_count(higher, difference)}; mean difference {format_number(known_mean(difference))}",
            bool(higher.sum() > np.isfinite(difference).sum() / 2),
        )
    ]


def find_months(monthly: pd.DataFrame, experiment: str, retrievals: str) -> list[Finding]:
    """Figure 9: medians and lower quartiles of the monthly R."""
    table = {str(run): rows.set_index("month") for run, rows in monthly.groupby("run")}
    if experiment not in table or OPEN_LOOP not in table or MEDIAN_DIFFERENCE not in monthly:
        return []
    others = [name for name in (OPEN_LOOP, retrievals) if name in table]
    months = table[experiment].index

    def highest(column: str) -> tuple[int, str]:
        above = np.logical_and.reduce(
            [(table[experiment][column] > table[name][column].reindex(months)).to_numpy() for name in others]
        )
        lost = ", ".join(months[~above])
        return int(above.sum()), f"{above.sum()} of {len(months)} months" + (f" (not in {lost})" if lost else "")

    (medians, in_medians), (quartiles, in_quartiles) = highest("median R"), highest("25 % R")
    return [
        Finding(
            "Figure 9",
            "median R of EKF above the others in 10 of 12 months (not in Sep, Nov)",
            f"{experiment} above {' and '.join(others)} in {in_medians}",
            medians >= 10,
        ),
        Finding(
            "Figure 9",
            "25 % percentile of R of EKF above the others in all months",
            f"{experiment} above {' and '.join(others)} in {in_quartiles}",
            quartiles == len(months),
        ),
    ]


def class_means(values: np.ndarray, cells: Cells) -> dict[str, float]:
    """Mean of ``values`` (cell,) by vegetation class, where there is one."""
    names = np.array(cells.vegetation_class)
    means = {name: known_mean(values[names == name]) for name in VEGETATION_CLASSES}
    return {name: value for name, value in means.items() if np.isfinite(value)}


def _by_class(item: str, paper: str, difference: np.ndarray, cells: Cells, unit: str) -> list[Finding]:
    by_class = class_means(difference, cells)
    if len(by_class) < 2 or "crops" not in by_class:
        return []
    listed = ", ".join(f"{name} {format_number(value)}" for name, value in by_class.items())
    shown = by_class["crops"] == min(by_class.values())
    return [Finding(item, paper, f"mean difference in RMSD: {listed} {unit}", shown)]


def _scores(comparison: Comparison, run: str, minimum_count: int) -> Scores:
    common = comparison.common
    return compute_scores(common.runs[run], common.observed, minimum_count)


def _share(chosen: np.ndarray, values: np.ndarray) -> str:
    known = np.isfinite(values).sum()
    return f"{100 * chosen.sum() / known:.0f} % of the cells" if known else "no cell with enough samples"


def _count(chosen: np.ndarray, values: np.ndarray) -> str:
    return f"{chosen.sum()} of {np.isfinite(values).sum()}"


def _all(chosen: np.ndarray, values: np.ndarray) -> bool:
    known = np.isfinite(values)
    return bool(known.any()) and bool(chosen[known].all())
