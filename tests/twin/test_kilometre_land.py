"""The cells of the 1 km regions."""

import netCDF4
import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.twin.kilometre.land import inside, kilometre_map, land_of_region
from dalearn.twin.kilometre.region import COVERS, types_of_covers
from dalearn.twin.kilometre.regions import REGIONS
from dalearn.twin.relief import in_polygon
from dalearn.twin.settings import TwinSettings
from dalearn.twin.surface import write_surface

MONTPELLIER = REGIONS["montpellier"]

# Rojas-Munoz et al. (2023, 2.3): south, north, west, east
DOMAINS = {
    "montpellier": (43.254, 44.263, 2.987, 4.379),
    "toulouse": (43.245, 45.147, 0.469, 3.112),
    "salamanca": (40.353, 42.567, -6.790, -3.924),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_the_boxes_are_those_of_the_paper(name: str) -> None:
    assert np.array(REGIONS[name].box) == pytest.approx(DOMAINS[name], abs=0.01)
    latitude, longitude = REGIONS[name].axes()
    assert np.diff(latitude) == pytest.approx(-0.01)
    assert np.diff(longitude) == pytest.approx(0.01)


@pytest.mark.parametrize("name", DOMAINS)
def test_cells_are_land_with_few_covers(name: str) -> None:
    surface = kilometre_map(REGIONS[name])
    assert surface.fraction.sum(axis=1) == pytest.approx(1.0)
    columns = (surface.fraction > 0.0).sum(axis=1)
    assert 2.0 < columns.mean() < 4.0
    assert (surface.clay + surface.sand <= 0.96).all()
    assert surface.clay.min() > 0.03
    assert set(REGIONS[name].stations) == {station for station in surface.name if station}
    assert surface.area is not None
    assert {area for area in surface.area if area} == set(REGIONS[name].areas)


def test_sea_lagoons_and_towns_are_left_out() -> None:
    land, surface = land_of_region(MONTPELLIER), kilometre_map(MONTPELLIER)
    assert len(land.latitude) == 13_900
    assert surface.cell_count == int(land.kept.sum()) == 11_790
    for corners in MONTPELLIER.waters.values():
        wet = in_polygon(surface.latitude, surface.longitude, np.array(corners))
        assert wet.mean() < 0.01  # the centre of a cell on the shore
    north, east, _ = MONTPELLIER.towns["Montpellier"]
    assert np.hypot(surface.latitude - north, surface.longitude - east).min() > 0.03


def test_ales_and_camargue_are_there_with_their_irrigation() -> None:
    surface = kilometre_map(MONTPELLIER)
    assert surface.area is not None
    assert surface.land_use is not None
    ales, camargue = surface.area == "ales", surface.area == "camargue"
    assert 850 < ales.sum() <= 900
    assert 500 < camargue.sum() < 650
    assert (surface.land_use[ales] == "sprinkled").sum() > 100
    assert (surface.land_use[ales] == "forest").sum() > 100  # contrast within one coarse pixel
    assert (surface.land_use[ales] == "rain-fed").sum() > 100
    assert (surface.land_use[camargue] == "flooded").sum() > 100
    assert (surface.land_use[surface.longitude > 4.13] != "karst").all()
    karst = surface.land_use == "karst"
    assert karst.sum() > 1000
    assert surface.latitude[karst].min() > 43.7
    assert surface.longitude[karst].max() < 3.8


@pytest.mark.parametrize("name", DOMAINS)
def test_irrigated_maize_is_in_sprinkled_cells_only(name: str) -> None:
    surface = kilometre_map(REGIONS[name])
    irrigated = surface.cover("IRR")
    assert (irrigated[surface.land_use == "sprinkled"] >= 0.25).all()
    assert not irrigated[surface.land_use != "sprinkled"].any()


def test_vines_and_rice_are_represented_by_types_of_the_model() -> None:
    cover = np.zeros((2, len(COVERS)))
    cover[0, COVERS.index("VINE")] = cover[1, COVERS.index("RICE")] = 1.0
    fraction = types_of_covers(cover)
    assert fraction.sum(axis=1) == pytest.approx(1.0)
    assert fraction[0, VEGETATION_TYPES.index("TEBD")] > 0.5
    assert fraction[1, VEGETATION_TYPES.index("C3")] == 1.0


def test_areas_are_cells_of_the_whole_with_the_stations() -> None:
    whole, some = kilometre_map(MONTPELLIER), kilometre_map(MONTPELLIER, ["ales"])
    assert whole.area is not None
    assert some.area is not None
    same = np.flatnonzero((whole.area == "ales") | (whole.name != ""))
    assert np.array_equal(some.fraction, whole.fraction[same])
    assert np.array_equal(some.altitude, whole.altitude[same])
    assert {"LGC", "VLV", "PZN"} == {name for name in some.name if name}
    outside = ~inside(MONTPELLIER.areas["ales"], some.latitude, some.longitude)
    assert sorted(some.name[outside]) == ["PZN", "VLV"]
    few = kilometre_map(MONTPELLIER, ["ales"], (5, 0))
    assert np.array_equal(few.latitude, some.latitude[[5, 0]])


def test_unknown_areas_and_cells_are_refused() -> None:
    with pytest.raises(InputError, match=r"twin.areas: montpellier has no area 'arles'; choose from ales, "):
        kilometre_map(MONTPELLIER, ["arles"])
    with pytest.raises(InputError, match=r"twin.cells: 900 is not one of the 876 cells"):
        kilometre_map(MONTPELLIER, ["ales"], (900,))
    with pytest.raises(InputError, match=r"twin.areas: transect is no 1 km region"):
        TwinSettings(areas=("ales",))


def test_the_file_says_what_the_land_is_used_for(tmp_path) -> None:
    surface = kilometre_map(MONTPELLIER, ["camargue"], (0, 1, 2))
    write_surface(tmp_path / "surface.nc", surface)
    with netCDF4.Dataset(tmp_path / "surface.nc") as file:
        assert list(file["area"][:]) == list(surface.area)
        assert list(file["land_use"][:]) == list(surface.land_use)
