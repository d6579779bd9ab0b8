"""The optional parts of a surface map: options with maps of their own, and parameters that replace the tables."""

from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.experiments.sections import LandConfig
from dalearn.experiments.surface import read_surface
from dalearn.land.albedo_cycle import ALBEDO_MAPS
from dalearn.land.topmodel import TOPOGRAPHY_MAPS
from dalearn.land.vegetation import VEGETATION_TYPES

SHUFFLED = VEGETATION_TYPES[::-1]


@pytest.fixture
def surface_map(tmp_path: Path) -> Callable[..., Path]:
    """Writes a map of one cell, half crop and half grass, with the types in another order."""

    def write(**variables: tuple[tuple[str, ...], object]) -> Path:
        fraction = np.zeros((1, 19))
        fraction[0, [SHUFFLED.index("C3"), SHUFFLED.index("GRAS")]] = 0.5
        path = tmp_path / "surface.nc"
        with netCDF4.Dataset(path, "w") as file:
            for name, size in (("cell", 1), ("vegetation_type", 19), ("decade", 36), ("layer", 14)):
                file.createDimension(name, size)
            types = file.createVariable("vegetation_type", str, ("vegetation_type",))
            types[:] = np.array(SHUFFLED, dtype=object)
            plain = {"clay": 0.2, "sand": 0.4, "latitude": 44.0, "longitude": 1.0}
            content = {name: (("cell",), value) for name, value in plain.items()}
            content |= {"fraction": (("cell", "vegetation_type"), fraction)} | variables
            for name, (dimensions, values) in content.items():
                file.createVariable(name.replace("__", "/"), "f8", dimensions)[:] = values
        return path

    return write


def test_a_plain_map_has_none_of_it(surface_map: Callable[..., Path]) -> None:
    surface = read_surface(surface_map())
    assert surface.overrides == {}
    _, parameters = surface.parameters(LandConfig())
    assert (parameters.cell_size, parameters.albedo_cycle, parameters.topography) == (None, None, None)


def test_overrides_find_their_vegetation_type(surface_map: Callable[..., Path]) -> None:
    by_type = np.full((1, 19), np.nan)
    by_type[0, SHUFFLED.index("GRAS")] = 1.5
    path = surface_map(
        overrides__mesophyll=(("cell", "vegetation_type"), by_type), overrides__porosity=(("cell",), 0.5)
    )
    _, parameters = read_surface(path).parameters(LandConfig())
    assert parameters.vegetation.mesophyll_conductance.tolist() == pytest.approx([1.75e-3, 1.5e-3])
    assert (parameters.soil.porosity == 0.5).all()


def test_unknown_overrides_are_named_with_the_known_ones(surface_map: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"surface\.nc: overrides/porosty is no parameter; known are .*porosity"):
        read_surface(surface_map(overrides__porosty=(("cell",), 0.5)))


def test_maps_of_the_options(surface_map: Callable[..., Path]) -> None:
    decades = {name: (("cell", "decade"), np.linspace(0.1, 0.2, 36)) for name in ALBEDO_MAPS}
    indices = {
        name: (("cell",), value) for name, value in zip(TOPOGRAPHY_MAPS, (4.0, 14.0, 7.2, 1.6, 1.1), strict=True)
    }
    surface = read_surface(surface_map(**decades, **indices, cell_size=(("cell",), 22.0)))
    _, parameters = surface.parameters(LandConfig(albedo="CM13", runoff="SGH"))
    assert parameters.cell_size.tolist() == [22.0, 22.0]
    assert parameters.albedo_cycle.soil_visible[:, 0].tolist() == pytest.approx(np.linspace(0.1, 0.2, 36).tolist())
    assert parameters.topography.saturated[0].tolist() == [1.0, 1.0]
    _, unused = surface.parameters(LandConfig())
    assert unused.albedo_cycle is None
    assert unused.topography is None


def test_options_without_their_maps_say_what_to_add(surface_map: Callable[..., Path]) -> None:
    surface = read_surface(surface_map())
    with pytest.raises(InputError, match=r"surface\.nc: land\.albedo CM13 needs soil_albedo_visible"):
        surface.parameters(LandConfig(albedo="CM13"))
    with pytest.raises(InputError, match=r"surface\.nc: land\.runoff SGH needs topographic_index_minimum"):
        surface.parameters(LandConfig(runoff="SGH"))
    partial = surface_map(soil_albedo_visible=(("cell", "decade"), 0.1))
    with pytest.raises(InputError, match="soil_albedo_near_infrared is missing"):
        read_surface(partial)
