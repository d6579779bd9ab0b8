"""How often the forecast LAI lies above all LAI that the operator was trained on: where it cannot pull LAI down.

Operators hold a predictor outside its training range at the end of it (``out_of_range: clip``), so that the derivative
there is zero: the filter sees the departure and attributes it to soil moisture alone.  Observed LAI knows harvests that
the model does not, so in summer the model is above the range over crops.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.statements import INFORMATION, SUMMER, Statement


def largest_trained(operator: Path, predictor: str) -> np.ndarray | None:
    """Upper end of the training range of ``predictor``, (cell,); None when ``operator`` is no file or lacks it."""
    if not operator.exists():
        return None
    with xr.open_dataset(operator) as dataset:
        names = [str(name) for name in dataset["predictor"].values] if "predictor" in dataset else []
        if predictor not in names or "predictor_maximum" not in dataset:
            return None
        return np.asarray(dataset["predictor_maximum"].values[:, names.index(predictor)], dtype=np.float64)


def state_above_range(run: RunData, experiment: str, operator: Path, cells: Cells) -> Statement | None:
    """Share of the June to August windows with an observed sigma0, over crop cells, whose forecast LAI is above it.

    None without crops, forecasts, observations or a training range.
    """
    highest = largest_trained(operator, "LAI")
    forecast, observed = run.of_experiment("LAI_forecast", experiment), run.of_experiment("sigma0_observed", experiment)
    crops = np.array([name == "crops" for name in cells.vegetation_class])
    if highest is None or forecast is None or observed is None:
        return None
    summer = np.isin(run.time.astype("datetime64[M]").astype(int) % 12 + 1, SUMMER)
    used = np.isfinite(forecast) & np.isfinite(observed) & summer[:, None] & crops
    if not used.any():
        return None
    above = used & (forecast > highest)
    by_cell = 100.0 * above.sum(axis=0) / np.maximum(used.sum(axis=0), 1)
    stations = [cell for cell in cells.stations if used[:, cell].any()]
    listed = ", ".join(f"{cells.label(cell)} {by_cell[cell]:.0f}" for cell in stations)
    return Statement(
        f"June to August windows with sigma0 over crop cells where the forecast LAI of {experiment} is above the "
        "training range of the operator",
        INFORMATION, 100.0 * above.sum() / used.sum(), "%",
        detail="With out_of_range: clip the operator does not respond to LAI there"
        + (f"; stations in %: {listed}." if listed else "."),
    )  # fmt: skip
