"""Soil moisture at stations, pair by pair: Tables 2, S1 and S2 and Figure S1 of Rojas-Munoz et al. (2023).

Model against probe, satellite against probe and satellite against model, all on the samples that all of them have, at
the window ends, by season.  Each difference is the first of a pair minus the second.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dalearn.evaluation.bootstrap import interval
from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.correlation_test import correlation_p_value
from dalearn.evaluation.scores import MINIMUM_MONTHLY_COUNT, common_samples, compute_scores
from dalearn.evaluation.seasons import ALL, season_masks
from dalearn.evaluation.table_parts import ScoreSettings

IN_SITU = "in situ"
COLD = 277.15  # K: the paper leaves out samples below 4 degrees C at 5 cm (caption of Figure 6)
SIGNIFICANT = 0.01
PAIR = "comparison"


@dataclass(frozen=True)
class StationSeries:
    """``series`` name -> (time, station) m3 m-3: in situ, the satellite product as retrieved (``satellite`` is its
    name), and every run; ``cells`` (station,) indices.  ``left_out`` samples of the probes were cold."""

    time: np.ndarray
    cells: Sequence[int]
    series: dict[str, np.ndarray]
    satellite: str
    left_out: int = 0

    @property
    def runs(self) -> list[str]:
        return [name for name in self.series if name not in (IN_SITU, self.satellite)]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Those of Table 2 first, then the analyses."""
        other = [name for name in self.runs if name != OPEN_LOOP]
        first = [(OPEN_LOOP, IN_SITU), (self.satellite, IN_SITU), (self.satellite, OPEN_LOOP)]
        return first + [(name, IN_SITU) for name in other] + [(self.satellite, name) for name in other]

    def common(self) -> "StationSeries":
        """The same with NaN wherever one of the series is missing."""
        values = dict(zip(self.series, common_samples(*self.series.values()), strict=True))
        return StationSeries(self.time, self.cells, values, self.satellite, self.left_out)


def station_series(
    in_situ: Comparison, retrieved: Comparison, satellite: str, temperature: np.ndarray | None
) -> StationSeries | None:
    """The series at every cell with in situ observations.

    ``retrieved`` holds the product as it was retrieved; ``temperature`` (time, cell) K of the upper soil in the open
    loop, by which cold samples are left out.  None where no cell has both.
    """
    known = np.isfinite(in_situ.observed).any(axis=0) & np.isfinite(retrieved.observed).any(axis=0)
    chosen = [int(cell) for cell in np.flatnonzero(known)]
    if not chosen:
        return None
    labels = [OPEN_LOOP, *(name for name in in_situ.experiments if name in retrieved.runs)]
    probes = in_situ.observed[:, chosen]
    cold = np.zeros(probes.shape, dtype=bool) if temperature is None else temperature[:, chosen] < COLD
    left_out = int((cold & np.isfinite(probes)).sum())
    series = {IN_SITU: np.where(cold, np.nan, probes), satellite: retrieved.observed[:, chosen]}
    series |= {label: in_situ.runs[label][:, chosen] for label in labels}
    return StationSeries(in_situ.time, chosen, series, satellite, left_out)


def pair_table(stations: StationSeries, cells: Cells, settings: ScoreSettings, units: str) -> pd.DataFrame:
    """R with its p-value, ubRMSD, RMSD, MB and N of every pair at every station in every season.

    The p-value is that of independent samples.  "R low" and "R high" are the ends of the block-bootstrap interval of
    all seasons together, which knows of the memory of the soil.
    """
    common = stations.common()
    masks = season_masks(common.time)
    frames = []
    for first, second in common.pairs:
        for season, chosen in masks.items():
            minimum = settings.minimum_count if season == ALL else MINIMUM_MONTHLY_COUNT
            score = compute_scores(common.series[first][chosen], common.series[second][chosen], minimum)
            frame = pd.DataFrame(
                {
                    "station": [cells.label(cell) for cell in common.cells], "season": season,
                    PAIR: f"{first} vs. {second}", "R": score.correlation, "R low": np.nan, "R high": np.nan,
                    "p-value": correlation_p_value(score.correlation, score.count),
                    f"ubRMSD ({units})": score.ubrmsd, f"RMSD ({units})": score.rmsd, f"MB ({units})": score.bias,
                    "N": score.count,
                }
            )  # fmt: skip
            if season == ALL:
                drawn = settings.replicates({first: common.series[first]}, common.series[second], common.time)[first]
                frame["R low"], frame["R high"] = interval(drawn.correlation, score.correlation, settings.level)
            frames.append(frame.assign(order=range(len(common.cells))))
    table = pd.concat(frames, ignore_index=True)
    return table.sort_values("order", kind="stable").drop(columns="order").reset_index(drop=True)


def station_means(table: pd.DataFrame) -> pd.DataFrame:
    """``pair_table`` by pair and season: means over the stations, and how many of them have p < 0.01."""
    rows = []
    for (pair, season), group in table.groupby([PAIR, "season"], sort=False):
        scored = group[group["R"].notna()]
        row: dict[str, object] = {PAIR: pair, "season": season, "stations": len(scored)}
        numbers = [name for name in group if str(name).startswith(("R", "ubRMSD", "MB")) and name not in _ENDS]
        row |= {str(name): scored[name].mean() for name in numbers}
        row["N"] = int(scored["N"].sum())
        rows.append(row | {f"stations with p < {SIGNIFICANT}": int((scored["p-value"] < SIGNIFICANT).sum())})
    return pd.DataFrame(rows)


_ENDS = ("R low", "R high")
