"""The surface map of the twin."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from dalearn.land.parameters import build_parameters
from dalearn.twin.surface import PLACES, surface_map, write_surface


def test_places_are_whole_distinct_and_inside_the_box() -> None:
    surface = surface_map()
    assert surface.cell_count == 36
    assert surface.fraction.sum(axis=1) == pytest.approx(1.0)
    assert len({(place.latitude, place.longitude) for place in PLACES}) == 36
    assert ((surface.latitude > 42.0) & (surface.latitude < 46.0)).all()
    assert ((surface.longitude > -2.0) & (surface.longitude < 4.0)).all()
    assert (surface.clay + surface.sand <= 1.0).all()
    names = [name for name in surface.name if name]
    assert len(names) == len(set(names)) == 12


def test_the_land_model_takes_the_map() -> None:
    surface = surface_map()
    grid, _ = build_parameters(surface.fraction, surface.clay, surface.sand, surface.latitude, surface.longitude)
    assert 110 <= grid.column_count <= 150
    assert np.bincount(grid.cell_of_column.numpy()).min() >= 2
    assert np.bincount(grid.cell_of_column.numpy()).max() <= 5


def test_the_file_holds_the_map(tmp_path: Path) -> None:
    surface = surface_map(PLACES[8:12])
    write_surface(tmp_path / "surface.nc", surface)
    with netCDF4.Dataset(tmp_path / "surface.nc") as file:
        assert file.Conventions == "CF-1.11"
        assert file["fraction"].dimensions == ("cell", "vegetation_type")
        assert np.array_equal(file["fraction"][:], surface.fraction)
        assert list(file["name"][:]) == ["PRG", "CDM", "LHS", ""]
        assert list(file["vegetation_type"][:3]) == ["NO", "ROCK", "SNOW"]
        assert np.isnan(np.ma.filled(file["root_depth"][:], np.nan)).all()
        assert np.array_equal(file["altitude"][:], surface.altitude)
