"""What Rojas-Munoz et al. (2023) report, item by item, beside the same number of this run."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.findings import Finding
from dalearn.evaluation.land_use import FLOODED, KARST
from dalearn.evaluation.relative_difference import RelativeDifferences, score_table
from dalearn.evaluation.report import format_number
from dalearn.evaluation.roles import JointRoles
from dalearn.evaluation.scores import compute_scores
from dalearn.evaluation.seasons import ALL, SEASONS
from dalearn.evaluation.station_scores import IN_SITU, PAIR, SIGNIFICANT
from dalearn.evaluation.style import pretty_units
from dalearn.evaluation.table_parts import known_mean
from dalearn.evaluation.year_contrast import ROOT_ZONE_LAYER, YearContrast

UNITS = "m3 m-3"


def find_stations(table: pd.DataFrame, satellite: str) -> list[Finding]:
    """Section 4.1, Figure S1 and Tables S1 and S2, from a ``pair_table``."""
    own = table[table[PAIR] == f"{satellite} vs. {IN_SITU}"].set_index("station")
    model = table[(table[PAIR] == f"{OPEN_LOOP} vs. {IN_SITU}") & (table["season"] == ALL)].set_index("station")
    whole = own[own["season"] == ALL]
    known = whole[whole["R"].notna()]
    if not len(known):
        return []
    significant = int((known["p-value"] < SIGNIFICANT).sum())
    better = model["R"].reindex(known.index) > known["R"]
    findings = [
        Finding(
            "Table S1", "R of S1 with the probes significant (p < 0.01) at all stations but one of 26",
            f"{significant} of {len(known)} stations", significant >= len(known) - 1,
        ),
        Finding(
            "Table S2", "the open loop correlates better with the probes than S1 does, at all stations",
            f"{int(better.sum())} of {len(known)} stations", bool(better.all()),
        ),
    ]  # fmt: skip
    of_season = {season: own.loc[own["season"] == season, "R"].median() for season in SEASONS}
    of_season = {season: value for season, value in of_season.items() if np.isfinite(value)}
    if len(of_season) > 1 and "JJA" in of_season:
        listed = _listed(of_season)
        lowest = of_season["JJA"] == min(of_season.values())
        findings.append(Finding("Figure S1", "lowest R of S1 with the probes in summer", f"median R: {listed}", lowest))
    return findings


def find_interannual(found: RelativeDifferences, roles: JointRoles) -> list[Finding]:
    """Figure 7."""
    scores = score_table(found).set_index("run")
    if roles.joint not in scores.index:
        return []
    base, joint = scores.loc[OPEN_LOOP], scores.loc[roles.joint]
    if not (np.isfinite(base["R"]) and np.isfinite(joint["R"])):
        return []
    text = ", ".join(
        f"{name} {format_number(float(base[name]))} and {format_number(float(joint[name]))}"
        for name in ("R", "RMSD", "MB")
    )
    shown = bool(joint["R"] > base["R"] and joint["RMSD"] < base["RMSD"] and abs(joint["MB"]) < abs(base["MB"]))
    paper = "relative differences of WG5: R 0.66 (OL) and 0.70 (SSM and LAI); RMSD and MB improved"
    return [Finding("Figure 7", paper, f"{OPEN_LOOP} and {roles.joint}: {text}", shown)]


def find_contrast(contrast: YearContrast, roles: JointRoles) -> list[Finding]:
    """Figures 8, 9 and 11."""
    units = pretty_units(UNITS)
    change = contrast.change[ROOT_ZONE_LAYER][OPEN_LOOP]
    drier = float(np.mean(change[np.isfinite(change)] < 0))
    findings = [
        Finding(
            "Figure 8", "July 2019 mostly drier than July 2018 in the open loop",
            f"{contrast.text}: WG5 lower in {100 * drier:.0f} % of the cells, mean "
            f"{format_number(known_mean(change))} {units}", drier > 0.5,
        )
    ]  # fmt: skip
    size = {run: known_mean(np.abs(contrast.effect(ROOT_ZONE_LAYER, run))) for run in roles.every}
    listed = _listed(size)
    if roles.moisture:
        shown = size[roles.moisture] == min(size.values())
        paper = "S1 SSM alone has little effect on the year-to-year difference of WG5, the others a greater one"
        findings.append(Finding("Figure 9", paper, f"mean absolute effect: {listed} {units}", shown))
    correlation = {run: contrast.correlation(run) for run in roles.every}
    listed = _listed(correlation)
    both = bool(roles.leaves and roles.moisture)
    separate = both and correlation[roles.leaves] < -0.5 and abs(correlation[roles.moisture]) < 0.5
    paper = "effects on LAI and WG5: R = 0.22 with SSM alone, -0.82 with LAI alone"
    findings.append(Finding("Figure 11", paper, f"R over all cells: {listed}", separate if both else None))
    return findings


def find_agreement(retrieved: Comparison, roles: JointRoles, cells: Cells, minimum_count: int) -> list[Finding]:
    """Figures 12 and 13."""
    common = retrieved.common
    correlation = {
        run: compute_scores(common.runs[run], common.observed, minimum_count).correlation
        for run in (OPEN_LOOP, *roles.every)
        if run in common.runs
    }
    means = {
        use: known_mean(correlation[OPEN_LOOP][cells.with_land_use(use)])
        for use in (KARST, FLOODED)
        if cells.with_land_use(use).any()
    }
    findings = []
    other = known_mean(correlation[OPEN_LOOP][~cells.with_land_use(KARST, FLOODED)])
    if means and np.isfinite(other):
        listed = _listed(means)
        paper = "S1 agrees less with the open loop over the karst and over the flooded Camargue"
        text = f"mean R with the open loop: {listed}, elsewhere {format_number(other)}"
        findings.append(Finding("Figure 12", paper, text, all(value < other for value in means.values())))
    flooded = cells.with_land_use(FLOODED)
    rise = {run: known_mean((values - correlation[OPEN_LOOP])[flooded]) for run, values in correlation.items()}
    rise = {run: value for run, value in rise.items() if run != OPEN_LOOP and np.isfinite(value)}
    if roles.joint in rise and len(rise) > 1:
        listed = _listed(rise)
        paper = "over the flooded Camargue both together raise R with S1 (up to 0.05), either alone in a few cells only"
        shown = rise[roles.joint] > 0 and rise[roles.joint] == max(rise.values())
        findings.append(Finding("Figures 12, 13", paper, f"mean difference in R: {listed}", shown))
    return findings


def _listed(means: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {format_number(value)}" for name, value in means.items())
