"""Albedos that follow the calendar (CALBEDO='CM13', isba_physics.md 3.3, isba_ags.md 10)."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.land.state import AlbedoCycle, LandParameters

DECADES = 36
ALBEDO_MAPS = (
    "soil_albedo_visible",
    "soil_albedo_near_infrared",
    "vegetation_albedo_visible",
    "vegetation_albedo_near_infrared",
)


def albedo_cycle(maps: Mapping[str, np.ndarray], cell: np.ndarray, type_share: np.ndarray) -> AlbedoCycle:
    """The albedos of every column from maps (cell, 36) or (cell, 19, 36), averaged over the types of the patch.

    ``cell`` (column,) of each column; ``type_share`` (column, 19), summing to 1.  Raises InputError for a map that is
    missing, of another shape, or not in 0..1 for a type that is there.
    """
    of_columns = []
    for name in ALBEDO_MAPS:
        if name not in maps:
            raise InputError(f"{name}: missing; CALBEDO CM13 needs {', '.join(ALBEDO_MAPS)} (cell, decade)")
        values = np.asarray(maps[name], dtype=np.float64)
        types = type_share.shape[1]
        if values.shape[1:] not in ((DECADES,), (types, DECADES)):
            raise InputError(f"{name}: has shape {values.shape}, give (cell, {DECADES}) or (cell, {types}, {DECADES})")
        values = values[cell]
        if values.ndim == 3:
            present = np.where(type_share[:, :, None] > 0.0, values, 0.0)
            values = (type_share[:, :, None] * present).sum(axis=1)
        wrong = ~((values >= 0.0) & (values <= 1.0))
        if wrong.any():
            column, decade = np.argwhere(wrong)[0]
            raise InputError(
                f"{name}: cell {cell[column]} has {values[column, decade]:.6g} in decade {decade + 1}; give 0..1"
            )
        of_columns.append(torch.from_numpy(np.ascontiguousarray(values.T)))
    return AlbedoCycle(
        soil_visible=of_columns[0],
        soil_near_infrared=of_columns[1],
        vegetation_visible=of_columns[2],
        vegetation_near_infrared=of_columns[3],
    )


def parameters_of_decade(parameters: LandParameters, decade: int | None) -> LandParameters:
    """The parameters as they are in one of the 36 decades, without what changes with the decade; None leaves the
    constant albedos."""
    cycle = parameters.albedo_cycle
    parameters = dataclasses.replace(parameters, albedo_cycle=None, leaf_area_climatology=None)
    if cycle is None or decade is None:
        return parameters
    vegetation = dataclasses.replace(
        parameters.vegetation,
        soil_albedo_visible_dry=cycle.soil_visible[decade],
        soil_albedo_near_infrared_dry=cycle.soil_near_infrared[decade],
        vegetation_albedo_visible=cycle.vegetation_visible[decade],
        vegetation_albedo_near_infrared=cycle.vegetation_near_infrared[decade],
    )
    return dataclasses.replace(parameters, vegetation=vegetation)
