"""Parameters that the user gives in place of those of the tables and of the texture.

A name is a column of the tables in ``vegetation``, given per vegetation type in the units of the table and averaged
like it, or a field of ``VegetationParameters`` or ``SoilParameters``, given in SI units as they are.  Where a value
is NaN the parameter stays.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.land.state import SOIL_LAYERS, SoilParameters, VegetationParameters
from dalearn.land.vegetation import TYPES, VEGETATION_TYPES

TYPE_COUNT = len(VEGETATION_TYPES)
TABLE_NAMES = tuple(name for name, values in TYPES.items() if values.dtype.kind == "f" and name != "patch")
SOIL_NAMES = (
    "porosity",
    "field_capacity",
    "wilting_point",
    "retention_exponent",
    "saturated_potential",
    "saturated_conductivity",
    "dry_conductivity",
    "solid_conductivity",
    "moisture_range",
)
# What follows from the land cover or is computed from the other parameters is no parameter to be given.
_DERIVED = ("vegetated", "is_crop", "is_grass", "latitude", "reference_assimilation")
VEGETATION_NAMES = tuple(
    field.name
    for field in dataclasses.fields(VegetationParameters)  # type: ignore[arg-type]
    if field.name not in (*_DERIVED, *TABLE_NAMES)
)
KNOWN_NAMES = (*TABLE_NAMES, *VEGETATION_NAMES, *SOIL_NAMES)


class Overrides:
    """What replaces the parameters of the columns.

    Args:
        values: name -> (cell,), (cell, 19) by vegetation type, or, of the soil, (cell, 14) by layer.
        cell: of each column, (column,).
        type_share: of each type in each column, (column, 19), summing to 1.

    Raises:
        InputError: a name that is not known, or a shape that does not fit.
    """

    def __init__(self, values: Mapping[str, np.ndarray], cell: np.ndarray, type_share: np.ndarray) -> None:
        unknown = [name for name in values if name not in KNOWN_NAMES]
        if unknown:
            raise InputError(f"overrides: unknown parameter {unknown[0]}; known are {', '.join(KNOWN_NAMES)}")
        self.type_share = type_share
        self.values = {name: self._of_columns(name, array, cell) for name, array in values.items()}

    @staticmethod
    def _of_columns(name: str, array: np.ndarray, cell: np.ndarray) -> np.ndarray:
        array = np.asarray(array, dtype=np.float64)
        shapes = [(), (TYPE_COUNT,)]
        if name in SOIL_NAMES and name != "moisture_range":
            shapes.append((SOIL_LAYERS,))
        if array.ndim == 0 or len(array) <= cell.max(initial=0) or array.shape[1:] not in shapes:
            allowed = " or ".join(f"(cell, {shape[0]})" if shape else "(cell)" for shape in shapes)
            raise InputError(f"overrides: {name} has shape {array.shape}, give {allowed}")
        return array[cell]

    def table(self) -> dict[str, np.ndarray]:
        """The tables of ``vegetation``, with (column, 19) in place of (19,) where a column of them is given."""
        table = dict(TYPES)
        for name in TABLE_NAMES:
            if name in self.values:
                given = self.values[name]
                given = given[:, None] if given.ndim == 1 else given
                table[name] = np.where(np.isnan(given), TYPES[name], given)
        return table

    def of_types(self, name: str, values: np.ndarray) -> np.ndarray:
        """``values`` (column, 19) of a depth or height, replaced where they are given."""
        if name not in self.values:
            return values
        given = self.values[name]
        given = given[:, None] if given.ndim == 1 else given
        return np.where(np.isnan(given), values, given)

    def vegetation(self, parameters: VegetationParameters) -> VegetationParameters:
        """The parameters with the given fields replaced; masks are set where the value is 0.5 or more."""
        changes = {}
        for name in VEGETATION_NAMES:
            if name in self.values:
                old = getattr(parameters, name)
                new = torch.from_numpy(self._mean(self.values[name], old.to(torch.float64).numpy()))
                changes[name] = new >= 0.5 if old.dtype == torch.bool else new
        return dataclasses.replace(parameters, **changes)  # type: ignore[type-var]

    def soil(self, parameters: SoilParameters) -> SoilParameters:
        """The parameters with the given fields replaced, in all layers unless given by layer.

        Raises InputError where no water is left between wilting point, field capacity and porosity.
        """
        changes = {}
        for name in SOIL_NAMES:
            if name in self.values:
                old, given = getattr(parameters, name).numpy(), self.values[name]
                if given.ndim == 2 and given.shape[1] == SOIL_LAYERS:
                    new = np.where(np.isnan(given.T), old, given.T)
                elif old.ndim == 1:
                    new = self._mean(given, old)
                else:
                    new = np.stack([self._mean(given, layer) for layer in old])
                changes[name] = torch.from_numpy(np.ascontiguousarray(new))
        soil = dataclasses.replace(parameters, **changes)  # type: ignore[type-var]
        ordered = (soil.wilting_point < soil.field_capacity) & (soil.field_capacity <= soil.porosity)
        ordered = ordered & (soil.wilting_point > 0.0) & (soil.porosity < 1.0)
        if changes and not bool(ordered.all()):
            raise InputError(
                "overrides: a soil without 0 < wilting_point < field_capacity <= porosity < 1; correct these"
            )
        return soil

    def _mean(self, given: np.ndarray, old: np.ndarray) -> np.ndarray:
        """(column,) from what is given (column,) or, averaged over the types of the patch, (column, 19)."""
        if given.ndim == 1:
            return np.where(np.isnan(given), old, given)
        return (self.type_share * np.where(np.isnan(given), old[:, None], given)).sum(axis=1)
