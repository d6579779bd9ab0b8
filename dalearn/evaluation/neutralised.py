"""How much each predictor of a trained operator matters: Figure 3 of Corchia et al. (2023).

The paper (section 2.7) imposes "a constant mean value of each predictor, one at a time, on the simulations of the
previously trained NN": no predictor is removed and nothing is trained again.  Here the mean is that of the training
samples of the cell, and the score is the RMSD with one predictor neutralised minus the RMSD with all of them, so that
it is positive where the changes of the predictor in time carry information.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dalearn.evaluation.bootstrap import mean_over_cells
from dalearn.evaluation.cells import VEGETATION_CLASSES, Cells
from dalearn.evaluation.maps import MapPanel, draw_maps, maps_make_sense, shared_span
from dalearn.evaluation.page import Page
from dalearn.evaluation.scores import Scores, common_samples, compute_scores
from dalearn.evaluation.style import quantity_label, with_units
from dalearn.evaluation.table_parts import ScoreSettings, identity_columns, known_mean, with_interval

ALL = "all predictors"
# In the order of the panels of the paper.
_PLAIN_NAMES = {"WG2": "surface soil moisture", "LAI": "leaf area index", "TG2": "surface soil temperature"}


@dataclass(frozen=True)
class NeutralisedTest:
    """Predictions of one period with every predictor as it is (``ALL``) and with each held at its mean.

    ``period`` "training" or "test"; ``time`` (time,) datetime64 ascending; ``observed`` (time, cell), NaN = missing;
    ``predictions`` ``ALL`` or the name of the neutralised predictor -> (time, cell), in ``units``.
    """

    period: str
    quantity: str
    units: str
    time: np.ndarray
    observed: np.ndarray
    predictions: Mapping[str, np.ndarray]

    @property
    def predictors(self) -> list[str]:
        """The neutralised predictors, those of the paper first and in its order."""
        return sorted((name for name in self.predictions if name != ALL), key=_place_in_paper)


def increase_of_rmsd(test: NeutralisedTest, minimum_count: int) -> dict[str, np.ndarray]:
    """RMSD with the predictor neutralised minus RMSD with all predictors, by predictor, (cell,), on common samples."""
    rmsd = {name: score.rmsd for name, score in _scores(test, minimum_count).items()}
    return {name: rmsd[name] - rmsd[ALL] for name in test.predictors}


def sensitivity_table(test: NeutralisedTest, cells: Cells, settings: ScoreSettings) -> pd.DataFrame:
    """Means over the cells by predictor and vegetation class; the difference with its bootstrap interval.

    The last column counts the cells where this predictor matters most.
    """
    scores = _scores(test, settings.minimum_count)
    observed, *arrays = common_samples(test.observed, *test.predictions.values())
    drawn = settings.replicates(dict(zip(test.predictions, arrays, strict=True)), observed, test.time)
    increase = np.stack([scores[name].rmsd - scores[ALL].rmsd for name in test.predictors])
    known = np.isfinite(increase).all(axis=0)
    most = np.where(known, np.where(known, increase, 0.0).argmax(axis=0), -1)
    unit, rows = f" ({test.units})", []
    for position, name in enumerate(test.predictors):
        for label, chosen in _groups(cells):
            row: dict[str, object] = {"period": test.period, "predictor": name, "vegetation class": label}
            row["cells"] = int(np.isfinite(increase[position, chosen]).sum())
            row["number"] = int(scores[ALL].count[chosen].sum())
            row[f"RMSD, all predictors{unit}"] = known_mean(scores[ALL].rmsd[chosen])
            row[f"RMSD, neutralised{unit}"] = known_mean(scores[name].rmsd[chosen])
            replicates = mean_over_cells((drawn[name].rmsd - drawn[ALL].rmsd)[:, chosen])
            row |= with_interval(f"RMSD difference{unit}", known_mean(increase[position, chosen]), replicates, settings)
            row["cells where it matters most"] = int((most[chosen] == position).sum())
            rows.append(row)
    return pd.DataFrame(rows)


def cell_table(test: NeutralisedTest, cells: Cells, minimum_count: int) -> pd.DataFrame:
    """RMSD of every cell with all predictors and the difference when each of them is neutralised, in the units."""
    scores, frame = _scores(test, minimum_count), identity_columns(cells)
    frame = frame.assign(period=test.period, units=test.units, number=scores[ALL].count, RMSD=scores[ALL].rmsd)
    return frame.assign(
        **{f"RMSD difference, {name}": values for name, values in increase_of_rmsd(test, minimum_count).items()}
    )


def add_neutralised(page: Page, tests: Sequence[NeutralisedTest]) -> None:
    """Tables, and maps of the last period of ``tests``."""
    page.report.subsection("Predictors neutralised one at a time")
    settings = page.settings.scores
    level = f"{100 * settings.level:.0f} %"
    page.table(
        "neutralised_predictors",
        pd.concat([sensitivity_table(test, page.cells, settings) for test in tests], ignore_index=True),
        "As in Corchia et al. (2023), Figure 3, as numbers: RMSD when one predictor is held at its mean minus RMSD "
        f"with all predictors, means over the cells, with {level} block-bootstrap intervals. Positive: the predictor "
        "carries information. The trained operator is used as it is; the mean is that of the training samples of the "
        "cell.",
    )
    frames = [cell_table(test, page.cells, settings.minimum_count) for test in tests]
    page.table("neutralised_cells", pd.concat(frames), "Neutralised predictors: every cell.", show=False)
    test = tests[-1]
    if maps_make_sense(page.cells):
        caption = (
            f"As in Corchia et al. (2023), Figure 3, {test.period} period: increase of the RMSD of {test.quantity} "
            "when one predictor is held at its mean, on the same colours. The caption of the paper names both "
            "periods; the table has both."
        )
        figure = draw_maps(sensitivity_panels(test, settings.minimum_count), page.cells)
        page.figure(f"neutralised_{test.quantity}", figure, caption)


def sensitivity_panels(test: NeutralisedTest, minimum_count: int) -> list[MapPanel]:
    """One map per predictor on shared colours from 0 (no effect)."""
    increase = increase_of_rmsd(test, minimum_count)
    span = shared_span(list(increase.values()))
    label = with_units(f"increase of {quantity_label(test.quantity)} RMSD", test.units)
    return [
        MapPanel(
            f"{letter}) {_PLAIN_NAMES.get(name, name)}", values, label, span=None if span is None else (0.0, span[1])
        )
        for letter, (name, values) in zip("abcdefgh", increase.items(), strict=False)
    ]


def _place_in_paper(name: str) -> int:
    return list(_PLAIN_NAMES).index(name) if name in _PLAIN_NAMES else len(_PLAIN_NAMES)


def _scores(test: NeutralisedTest, minimum_count: int) -> dict[str, Scores]:
    observed, *arrays = common_samples(test.observed, *test.predictions.values())
    return {
        name: compute_scores(values, observed, minimum_count)
        for name, values in zip(test.predictions, arrays, strict=True)
    }


def _groups(cells: Cells) -> list[tuple[str, np.ndarray]]:
    """(label, indices) of the vegetation classes present, and of all cells."""
    names = np.array(cells.vegetation_class)
    present = [name for name in (*VEGETATION_CLASSES, "") if (names == name).any()]
    groups = [(name or "unknown", np.flatnonzero(names == name)) for name in present]
    return [*(groups if len(groups) > 1 else []), ("all", np.arange(cells.count))]
