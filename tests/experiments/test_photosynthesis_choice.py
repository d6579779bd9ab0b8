"""The choice of photosynthesis from the configuration to the model, the surface and the restart file."""

from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import torch

from dalearn.assimilation.forecast import Record, integrate
from dalearn.errors import InputError
from dalearn.experiments.config import load_config
from dalearn.experiments.restart import read_state, write_state
from dalearn.experiments.sections import CellConfig, LandConfig
from dalearn.experiments.setup import Setup
from dalearn.experiments.surface import read_surface, surface_of_cells
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.tree import map_tensors, named_tensors

MIDNIGHT = np.datetime64("2015-06-11T00:00", "s")
CELL = {"latitude": 44.0, "longitude": 1.0, "clay": 0.3, "sand": 0.4, "vegetation": {"GRAS": 0.7, "C3": 0.3}}


def setup_of(configure: Callable[..., Path], photosynthesis: str, **changes: object) -> Setup:
    path = configure(land__photosynthesis=photosynthesis, **changes)
    return Setup(load_config(path), path.parent)


@pytest.mark.parametrize("photosynthesis", ["NIT", "NCB"])
@pytest.mark.parametrize("snow_layers", [0, 3])
def test_restart_files_hold_the_parts_of_the_state(
    tmp_path: Path, configure: Callable[..., Path], photosynthesis: str, snow_layers: int
) -> None:
    setup = setup_of(configure, photosynthesis, land__snow_layers=snow_layers)
    random = torch.Generator().manual_seed(1)
    state = map_tensors(
        lambda tensor: torch.rand(tensor.shape, generator=random, dtype=torch.float64), setup.cold_start()
    )
    path = tmp_path / "restart.nc"
    write_state(path, state, MIDNIGHT, {"title": "a state"})
    again, time, attributes = read_state(path, setup.grid.column_count)
    assert (time, attributes["title"]) == (MIDNIGHT, "a state")
    assert [name for name, _ in named_tensors(again)] == [name for name, _ in named_tensors(state)]
    for (name, got), (_, expected) in zip(named_tensors(again), named_tensors(state), strict=True):
        assert torch.equal(got, expected), name
    with netCDF4.Dataset(path) as file:
        assert ("BIOMA5" in file.variables) == (photosynthesis == "NCB")
        assert ("WSN" in file.variables) == bool(snow_layers)


def test_a_restart_file_that_lost_a_pool_is_refused(tmp_path: Path, configure: Callable[..., Path]) -> None:
    setup = setup_of(configure, "NCB", land__snow_layers=0)
    path = tmp_path / "restart.nc"
    write_state(path, setup.cold_start(), MIDNIGHT, {})
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable("BIOMA6", "LOST")
    with pytest.raises(InputError, match="BIOMA6"):
        read_state(path, setup.grid.column_count)


def test_prescribed_leaves_follow_the_dates_of_the_run(configure: Callable[..., Path]) -> None:
    """Across the midnight that ends the first decade of June."""
    setup = setup_of(configure, "AST")
    with pytest.raises(InputError, match=r"leaf_area_index is missing.*AST"):
        _ = setup.model
    cells = [
        {**CELL, "latitude": lat, "longitude": lon, "leaf_area_index": [0.1 * decade for decade in range(1, 37)]}
        for lat, lon in zip(setup.forcing.latitude.tolist(), setup.forcing.longitude.tolist(), strict=True)
    ]
    setup = setup_of(configure, "AST", surface={"cells": cells})
    window = setup.window(MIDNIGHT - np.timedelta64(3, "h"), MIDNIGHT + np.timedelta64(2, "h"))
    with torch.no_grad():
        _, means = integrate(setup.model, setup.grid, setup.cold_start(), window, Record(("LAI", "GPP")))
    np.testing.assert_allclose(means["LAI"], np.array([1.6, 1.6, 1.6, 1.7, 1.7])[:, None] * np.ones(3), rtol=1e-14)


def test_models_that_grow_leaves_need_no_dates(configure: Callable[..., Path]) -> None:
    setup = setup_of(configure, "NIT")
    assert setup.model.options.photosynthesis == "NIT"
    assert setup.model.parameters.leaf_area_climatology is None


def test_leaf_area_of_cells_in_the_configuration() -> None:
    constant = CellConfig(**CELL, leaf_area_index=[2.0])
    surface = surface_of_cells("surface.cells", [constant, CellConfig(**CELL)])
    assert surface.leaf_area_index is not None
    assert (surface.leaf_area_index[0] == 2.0).all()
    with pytest.raises(InputError, match=r"surface\.cells: leaf_area_index: cell 1 has nan for C3 in decade 1"):
        surface.parameters(LandConfig(photosynthesis="NON"))
    surface.parameters(LandConfig())
    with pytest.raises(InputError, match=r"leaf_area_index: has 12 values; give one or 36"):
        CellConfig(**CELL, leaf_area_index=[1.0] * 12)


def test_leaf_area_of_a_surface_map_in_any_order_of_types(tmp_path: Path) -> None:
    path = tmp_path / "surface.nc"
    types = VEGETATION_TYPES[::-1]
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("cell", 1), ("vegetation_type", 19), ("decade", 36)):
            file.createDimension(name, size)
        file.createVariable("vegetation_type", str, ("vegetation_type",))[:] = np.array(types, dtype=object)
        for name in ("clay", "sand", "latitude", "longitude"):
            file.createVariable(name, "f8", ("cell",))[:] = CELL[name]
        fraction = file.createVariable("fraction", "f8", ("cell", "vegetation_type"))
        fraction[:] = [[CELL["vegetation"].get(kind, 0.0) for kind in types]]
        leaf_area = file.createVariable("leaf_area_index", "f8", ("cell", "vegetation_type", "decade"))
        leaf_area[:] = np.nan
        leaf_area[0, types.index("GRAS")] = np.arange(36.0)
        leaf_area[0, types.index("C3")] = 3.0
    grid, parameters = read_surface(path).parameters(LandConfig(photosynthesis="AST"))
    assert grid.patch_of_column.tolist() == [7, 10]
    assert parameters.leaf_area_climatology is not None
    assert parameters.leaf_area_climatology[5].tolist() == [3.0, 5.0]
