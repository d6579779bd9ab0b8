"""What a stored SURFEX run and the land model both carry, by SURFEX name.

Values of the files have the column (patch) axis last and NaN where a quantity is undefined: water below the soil of a
column, LAI without vegetation.  The model carries harmless finite values there.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from dalearn.errors import InputError
from dalearn.experiments.reference_snow import snow_from_file, snow_to_file
from dalearn.land.state import OPTIONAL_PARTS, Fluxes, LandParameters, LandState, state_from_fields
from dalearn.tree import named_tensors
from dalearn.variables import VARIABLES

STARTS_AT_ZERO = "RESPI5"  # SURFEX writes it to its restart files and does not read it (isba_ags.md 9)
UNUSED_SOIL_MOISTURE = 0.2  # m3 m-3, where a column holds no water


def _names(kind: type, parts: Mapping[str, type] = MappingProxyType({})) -> dict[str, str]:
    """SURFEX name, that of a layered variable without its number -> attribute, dotted in the optional parts."""
    known = {item.name for item in fields(kind)}
    for part, of_part in parts.items():
        known |= {f"{part}.{item.name}" for item in fields(of_part)}
    names: dict[str, str] = {}
    for row in VARIABLES.values():
        if row.field in known:
            names.setdefault(row.name if row.layer is None else re.sub(r"\d+$", "", row.name), row.field)
    return names


STATE_NAMES = _names(LandState, OPTIONAL_PARTS)
FLUX_NAMES = _names(Fluxes)
# means over the patches of the cell in the files
CELL_MEAN_NAMES = {"CD_ISBA": "drag_coefficient", "CH_ISBA": "heat_exchange_coefficient"}
COMPARED_NAMES = (*STATE_NAMES, *FLUX_NAMES, *CELL_MEAN_NAMES)


def units_of(name: str) -> str:
    """Units of a name of ``COMPARED_NAMES`` as the files hold it: those of the variable table but for the snow heat."""
    if name == "HSN":
        return "J m-3"
    for key in (name, f"{name}1", name.removesuffix("_ISBA")):
        if key in VARIABLES:
            return VARIABLES[key].units
    raise KeyError(name)


def state_of(values: Mapping[str, np.ndarray], source: str, prefix: str = "") -> LandState:
    """The state that holds the float64 ``values``, SURFEX name -> (..., column), NaN where undefined.

    Raises InputError for a quantity that is missing: the variable ``prefix`` + its name of the file ``source``.
    """
    has_wood = "BIOMA4" in values
    names = {name: field for name, field in STATE_NAMES.items() if has_wood or not field.startswith("roots_and_wood.")}
    if has_wood:
        values = {STARTS_AT_ZERO: np.zeros_like(values["BIOMA4"])} | dict(values)
    for name in names:
        if name not in values:
            raise InputError(f"{source}: variable {prefix}{name} is missing; add it, the model starts from it")
    model = snow_from_file(values)
    found = {}
    for name, field in names.items():
        filled = np.nan_to_num(model[name], nan=UNUSED_SOIL_MOISTURE if name == "WG" else 0.0)
        found[field] = torch.from_numpy(np.ascontiguousarray(filled))
    return state_from_fields(found)


def state_columns(state: LandState) -> dict[str, Tensor]:
    """Everything that the state carries by SURFEX name, ``(column,)`` or ``(layer, column)``; not its absent parts."""
    carried = dict(named_tensors(state))
    return {name: carried[field] for name, field in STATE_NAMES.items() if field in carried}


def columns_of(names: Iterable[str], state: LandState, fluxes: Fluxes) -> dict[str, Tensor]:
    """The named quantities of the model, ``(column,)`` or ``(layer, column)``, by SURFEX name.

    Those of ``CELL_MEAN_NAMES`` are still per column.
    """
    carried = state_columns(state)
    return {
        name: carried[name] if name in carried else getattr(fluxes, FLUX_NAMES.get(name) or CELL_MEAN_NAMES[name])
        for name in names
    }


def as_in_file(values: Mapping[str, np.ndarray], parameters: LandParameters) -> dict[str, np.ndarray]:
    """``values`` (time, ..., column) of the model as SURFEX writes them, NaN where it has nothing."""
    holds_water = parameters.soil.holds_water.cpu().numpy()
    vegetated = parameters.vegetation.vegetated.cpu().numpy()
    exists = {"WG": holds_water, "WGI": holds_water, "LAI": vegetated}
    return {
        name: np.where(exists[name], series, np.nan) if name in exists else series
        for name, series in snow_to_file(values).items()
    }
