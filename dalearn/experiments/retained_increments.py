"""What is left of an LAI increment after 24 hours in the stored SODA windows, with either rule for the structure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.forecast import states_after
from dalearn.assimilation.jacobian import window_jacobian
from dalearn.errors import InputError
from dalearn.experiments.parity_filter import analyse_window, create_operators
from dalearn.experiments.reference_site import forcing_series, read_records, site_attributes
from dalearn.experiments.soda_case import DAY, SodaCase, read_soda_case
from dalearn.io import reading
from dalearn.land.model import LandModel
from dalearn.land.photosynthesis import with_reference_assimilation
from dalearn.land.state import LandState
from dalearn.land.window import ForcingWindow


@dataclass(frozen=True)
class Retained:
    """One vegetated patch: dLAI/dLAI of the window, the increment (m2 m-2) and the share of it left after 24 h."""

    case: str
    patch: int
    sensitivity: float
    increment: float
    share: float


@torch.no_grad()
def retained_increments(
    path: Path | str,
    structural_biomass: Literal["unchanged", "with_leaves"],
    leaf_biomass: Literal["model", "surfex"] = "surfex",
) -> list[Retained]:
    """The analysis of an LAI observation and the next day's forecast, against those without the observation.

    ``path`` a stored SODA window with its experiments ``lai`` and ``none`` and the forcing of the day after,
    ``frc2_*``; ``leaf_biomass`` per LAI increment is that of SODA's experiment or that of the model.  ``InputError``
    when the file has no experiments.
    """
    case = read_soda_case(path)
    if case.kind != "experiments":
        raise InputError(f"{path}: is a {case.kind}; give a stored window with experiments")
    windows, operators = case.windows, create_operators(case, case.windows)
    control = ControlVector(structural_biomass=structural_biomass)
    linear = window_jacobian(windows.model, windows.grid, windows.state, windows.forcing, operators, control)
    labels = case.labels("exp")
    y_obs, errors, xalph = (case.stored(f"exp_{name}")[0] for name in ("y_obs", "xerr", "xalph"))
    analyses = {}
    for label in ("lai", "none"):
        row = labels.index(label)
        ratio = torch.from_numpy(np.nan_to_num(xalph[row]))
        if leaf_biomass == "model":
            ratio = windows.model.parameters.vegetation.biomass_per_leaf_area
        analyses[label] = analyse_window(
            case, windows, linear, operators, y_obs[row], errors[row].tolist(), ratio, structural_biomass
        )
    model, forcing = _next_day(case)
    after = {label: _after(model, case, forcing, result.state) for label, result in analyses.items()}
    difference = after["lai"].leaf_area_index - after["none"].leaf_area_index
    increment: Tensor = analyses["lai"].increment[0]
    sensitivity = linear.jacobian[case.observed.index("LAI"), 0] / windows.grid.fraction
    return [
        Retained(
            case=case.name,
            patch=int(windows.grid.patch_of_column[column]),
            sensitivity=float(sensitivity[column]),
            increment=float(increment[column]),
            share=float(difference[column] / increment[column]),
        )
        for column in torch.nonzero(increment)[:, 0].tolist()
    ]


def _next_day(case: SodaCase) -> tuple[LandModel, ForcingWindow]:
    """The model as a SURFEX run that starts at the end of the window has it, and the forcing from there."""
    source = str(case.path)
    with reading(case.path) as dataset:
        site, records = site_attributes(source, dataset), read_records(dataset, "frc2_")
        step = float(DAY / np.timedelta64(1, "s")) / (len(dataset.dimensions["forcing_time"]) - 1)
    windows, start = case.windows, case.starts[0] + DAY
    series = forcing_series(source, site, start, step, records)
    forcing = series.window(start, start + DAY, windows.forcing.time_step)
    ratio = torch.from_numpy(series.first_record_co2_mixing_ratio(start))
    parameters = with_reference_assimilation(windows.model.parameters, windows.grid.to_columns(ratio))
    return windows.model.with_parameters(parameters), forcing


def _after(model: LandModel, case: SodaCase, forcing: ForcingWindow, state: LandState) -> LandState:
    steps = len(forcing)
    state = model.prepare_state(state)
    return states_after(model, state, forcing, case.windows.grid.cell_of_column, {steps})[steps]
