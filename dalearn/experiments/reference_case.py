"""Stored SURFEX runs (DESIGN.md section 7): forcing, initial state, options and the series to be reproduced."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.experiments.reference_names import COMPARED_NAMES, STATE_NAMES, state_of
from dalearn.experiments.reference_options import ReferenceOptions, reference_options
from dalearn.experiments.reference_site import (
    FORCING_NAMES,
    Patches,
    build_site,
    check_parameters,
    forcing_series,
    read_columns,
    read_records,
    site_attributes,
    stored_depths,
    utc_time,
)
from dalearn.forcing.series import ForcingSeries
from dalearn.grid import Grid
from dalearn.io import reading, require
from dalearn.land.photosynthesis import with_reference_assimilation
from dalearn.land.state import LandParameters, LandState
from dalearn.land.window import ForcingWindow


@dataclass(frozen=True, eq=False)
class ReferenceCase:
    """One stored run of one cell; its patches are columns, in the order of the file.

    Row k of the stored series is the state after ``k + 1`` output steps from ``start``, with the fluxes of the last
    model step of that output step.
    """

    path: Path
    grid: Grid
    parameters: LandParameters
    options: ReferenceOptions
    forcing: ForcingSeries
    initial: LandState
    start: np.datetime64
    output_step: int  # s
    row_count: int
    compared: tuple[str, ...]  # SURFEX names of the quantities that the file and the model both have

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def steps_per_row(self) -> int:
        """Model steps per output step."""
        return round(self.output_step / self.options.land.time_step)

    @property
    def times(self) -> np.ndarray:
        """End of every output step, (row,) datetime64[s] in UTC."""
        return self.start + np.timedelta64(self.output_step, "s") * np.arange(1, self.row_count + 1)

    def window(self, first: int, last: int) -> ForcingWindow:
        """Forcing of the model steps of the output steps ``first`` to ``last`` (exclusive)."""
        step = np.timedelta64(self.output_step, "s")
        return self.forcing.window(
            self.start + first * step,
            self.start + last * step,
            self.options.land.time_step,
            shortwave=self.options.shortwave,
        )

    def series(self, names: Iterable[str], first: int, last: int) -> dict[str, np.ndarray]:
        """Stored quantities of the rows ``first`` to ``last`` (exclusive), each (row, [layer,] patch) float32.

        Cell means are (row,).  NaN where undefined.
        """
        with reading(self.path) as dataset:
            return {name: read_columns(dataset, name, slice(first, last), np.float32) for name in names}

    def state(self, row: int) -> LandState:
        """The state of a stored row, which the file rounds to float32.

        Raises InputError for a row with snow, whose age the series do not hold.
        """
        with reading(self.path) as dataset:
            values = {name: read_columns(dataset, name, row) for name in STATE_NAMES if name in dataset.variables}
            if (read_columns(dataset, "WSN", row) > 0.0).any():
                raise InputError(f"{self.path}: there is snow at {self.times[row]}; start from a row without snow")
        values["SAG"] = np.zeros_like(values["WSN"])
        return state_of(values, str(self.path))


def read_reference_case(path: Path | str) -> ReferenceCase:
    """Read a stored SURFEX run.

    Raises InputError naming what is missing, an option that is not modelled, or what does not fit together.
    """
    path = Path(path)
    source = str(path)
    with reading(path) as dataset:
        site = site_attributes(source, dataset)
        attributes = _attributes(source, dataset, "start", "model", "forcing_step_s", "output_step_s")
        options = reference_options(source, attributes, "model")
        require(dataset, *FORCING_NAMES, "vegtype", "patch", "par_PATCH", "WG", "init_WG")
        numbers = [int(number) for number in dataset["patch"][:]]
        patches = Patches(
            numbers=numbers,
            types=[str(kind) for kind in np.atleast_1d(dataset["vegtype"][:])],
            share=read_columns(dataset, "par_PATCH")[None],
            **stored_depths(dataset, len(numbers)),
        )
        grid, parameters = build_site(source, site, patches, options.pedotransfer)
        check_parameters(source, dataset, parameters)
        initial = {
            name: read_columns(dataset, f"init_{name}") for name in STATE_NAMES if f"init_{name}" in dataset.variables
        }
        rows = len(dataset["WG"])
        compared = tuple(name for name in COMPARED_NAMES if name in dataset.variables)
        forcing = forcing_series(
            source,
            site,
            utc_time(source, "start", str(attributes["start"])),
            float(attributes["forcing_step_s"]),
            read_records(dataset),
        )
    ratio = torch.from_numpy(forcing.first_record_co2_mixing_ratio(forcing.start))
    case = ReferenceCase(
        path=path,
        grid=grid,
        parameters=with_reference_assimilation(parameters, grid.to_columns(ratio)),
        options=options,
        forcing=forcing,
        initial=state_of(initial, source, "init_"),
        start=forcing.start,
        output_step=int(float(attributes["output_step_s"])),
        row_count=rows,
        compared=compared,
    )
    _check_steps(case)
    return case


def _attributes(source: str, dataset: netCDF4.Dataset, *names: str) -> dict[str, Any]:
    """All global attributes; InputError for the first of ``names`` that is missing."""
    attributes = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
    for name in names:
        if name not in attributes:
            raise InputError(f"{source}: global attribute {name} is missing; give a stored SURFEX case")
    return attributes


def _check_steps(case: ReferenceCase) -> None:
    model = case.options.land.time_step
    if case.output_step <= 0 or case.output_step % model:
        raise InputError(
            f"{case.path}: output_step_s is {case.output_step}, not a multiple of the model step of {model:g} s"
        )
    if case.start + np.timedelta64(case.output_step, "s") * case.row_count > case.forcing.end:
        raise InputError(f"{case.path}: the forcing ends at {case.forcing.end}, before the stored series; add records")
