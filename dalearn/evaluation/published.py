"""Tables 3 and 4 of Corchia et al. (2023) as printed, and the same stations of a run beside them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.scores import compute_scores

# station: open-loop RMSD, EKF RMSD, open-loop R, EKF R; RMSD in dB (Table 3) and m2 m-2 (Table 4)
PUBLISHED: Mapping[str, Mapping[str, tuple[float, float, float, float]]] = {
    "sigma0": {
        "SBR": (0.45, 0.37, 0.76, 0.86), "URG": (0.37, 0.34, 0.74, 0.79), "CRD": (0.34, 0.31, 0.77, 0.82),
        "PRG": (0.70, 0.34, 0.55, 0.82), "CDM": (1.78, 0.34, 0.47, 0.90), "LHS": (1.62, 0.33, 0.53, 0.93),
        "SVN": (0.66, 0.45, 0.72, 0.83), "MNT": (0.97, 0.35, 0.39, 0.81), "SFL": (2.30, 0.34, 0.40, 0.92),
        "LZC": (0.54, 0.25, 0.30, 0.69), "MTM": (0.26, 0.21, 0.52, 0.63), "PRD": (0.98, 0.31, 0.04, 0.58),
    },
    "LAI": {
        "SBR": (0.67, 0.51, 0.75, 0.73), "URG": (0.97, 0.83, 0.67, 0.71), "CRD": (0.85, 0.73, 0.76, 0.81),
        "PRG": (1.11, 0.69, 0.65, 0.70), "CDM": (0.96, 0.41, 0.74, 0.78), "LHS": (1.30, 0.53, 0.65, 0.82),
        "SVN": (0.84, 0.76, 0.66, 0.44), "MNT": (0.99, 0.48, 0.77, 0.85), "SFL": (1.41, 0.65, 0.70, 0.60),
        "LZC": (0.51, 0.29, 0.85, 0.88), "MTM": (0.49, 0.37, 0.80, 0.84), "PRD": (0.84, 0.38, 0.75, 0.78),
    },
}  # fmt: skip
UNITS = {"sigma0": "dB", "LAI": "m2 m-2"}


def beside_published(comparison: Comparison, experiment: str, cells: Cells, minimum_count: int) -> pd.DataFrame | None:
    """The stations of the paper that are cells of the run, west to east, "paper" beside "here".

    None where no station is in the paper, the quantity has no table there, or units differ.
    """
    published = PUBLISHED.get(comparison.quantity, {})
    chosen = [cell for cell in cells.stations if cells.station[cell] in published]
    if not chosen or comparison.correlation_only or comparison.units != UNITS[comparison.quantity]:
        return None
    common = comparison.common
    base, run = (
        compute_scores(common.runs[label][:, chosen], common.observed[:, chosen], minimum_count)
        for label in (OPEN_LOOP, experiment)
    )
    paper = np.array([published[cells.station[cell]] for cell in chosen])
    unit = f" ({comparison.units})"
    columns: dict[str, Any] = {"quantity": comparison.quantity, "station": [cells.station[cell] for cell in chosen]}
    for number, (name, values) in enumerate(
        {
            f"OL RMSD{unit}": base.rmsd, f"EKF RMSD{unit}": run.rmsd, "OL R": base.correlation, "EKF R": run.correlation
        }.items()
    ):  # fmt: skip
        columns |= {f"{name}, paper": paper[:, number], f"{name}, here": values}
    return pd.DataFrame(columns)
