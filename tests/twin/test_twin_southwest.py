"""The 247 cells of Corchia et al. (2023): masks, land cover and soil where they belong."""

import numpy as np
import pytest

from dalearn.land.parameters import build_parameters
from dalearn.twin.land_cover import SMALLEST_FRACTION, land_of_cells, regions
from dalearn.twin.relief import altitude_of, in_polygon, is_town, is_water
from dalearn.twin.southwest import CELL_COUNT, STATIONS, southwest_box, southwest_map

BOX = southwest_box()
MAP = southwest_map()


def cell_at(latitude: float, longitude: float) -> int:
    """The cell of the map that holds a place."""
    inside = (np.abs(MAP.latitude - latitude) < 0.125) & (np.abs(MAP.longitude - longitude) < 0.125)
    assert inside.sum() == 1, f"{latitude} {longitude} is masked"
    return int(np.argmax(inside))


def why_masked(latitude: float, longitude: float) -> set[str]:
    inside = (np.abs(BOX.latitude - latitude) < 0.125) & (np.abs(BOX.longitude - longitude) < 0.125)
    return {reason for reason, masked in BOX.masked.items() if masked[inside].any()}


def test_the_masks_keep_the_cells_of_the_paper() -> None:
    assert len(BOX.latitude) == 384
    assert BOX.latitude[[0, -1]].tolist() == [45.875, 42.125]
    assert BOX.longitude[[0, -1]].tolist() == [-1.875, 3.875]
    assert {reason: int(masked.sum()) for reason, masked in BOX.masked.items()} == {
        "water": 57, "urban": 2, "topography": 80,
    }  # fmt: skip
    assert int(BOX.kept.sum()) == MAP.cell_count == CELL_COUNT == 247


@pytest.mark.parametrize(
    ("place", "reasons"),
    [
        ((44.40, -1.80), {"water"}),  # off Biscarrosse
        ((42.60, 3.70), {"water"}),  # gulf of Lion
        ((43.60, 1.45), {"urban"}),  # Toulouse
        ((44.84, -0.60), {"urban"}),  # Bordeaux
        ((42.90, 0.10), {"topography"}),  # Pic du Midi
        ((42.55, 1.55), {"topography"}),  # Andorra
        ((44.42, 3.76), {"topography"}),  # Mont Lozere
        ((43.85, 0.90), set()),  # Lomagne
        ((44.20, -0.80), set()),  # Landes
    ],
)
def test_the_masks_are_where_they_belong(place: tuple[float, float], reasons: set[str]) -> None:
    assert why_masked(*place) == reasons


def test_water_town_and_height_of_places() -> None:
    sea = np.array([45.0, 43.0, 44.0]), np.array([-1.5, 3.9, 0.0])
    assert is_water(*sea).tolist() == [True, True, False]
    assert is_town(np.array([44.84, 44.3]), np.array([-0.6, -0.6])).tolist() == [True, False]
    height = altitude_of(np.array([44.2, 43.45, 45.08, 42.7]), np.array([-0.9, 1.85, 2.75, 0.2]))
    assert height[0] < 100.0 < height[1] < 300.0 < 900.0 < height[2] < 1500.0 < height[3] < 3000.0


def test_a_polygon_may_be_hollow() -> None:
    corners = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [2.0, 1.0], [0.0, 4.0]])
    north, east = np.array([0.5, 3.0, 3.0, 3.0, -1.0]), np.array([2.0, 2.0, 0.3, 3.8, 2.0])
    assert in_polygon(north, east, corners).tolist() == [True, False, True, True, False]


def test_fractions_are_whole() -> None:
    assert MAP.fraction.sum(axis=1) == pytest.approx(1.0)
    assert MAP.fraction[MAP.fraction > 0.0].min() >= SMALLEST_FRACTION
    assert 1000 <= (MAP.fraction > 0.0).sum() <= 1400
    _, _, texture, cover = regions()
    assert cover.sum(axis=1) == pytest.approx(1.0)
    assert (texture.sum(axis=1) < 1.0).all()
    assert (MAP.clay + MAP.sand < 1.0).all()


@pytest.mark.parametrize(
    ("place", "types", "least"),
    [
        ((44.40, -0.70), ("TENE",), 0.6),  # Haute Lande
        ((43.40, 1.80), ("C3",), 0.7),  # Lauragais
        ((45.70, -0.20), ("C3",), 0.5),  # Charente
        ((42.15, -0.60), ("C3",), 0.6),  # Aragon
        ((43.65, -0.80), ("C4", "IRR"), 0.4),  # Chalosse
        ((43.40, -0.60), ("C4", "IRR"), 0.3),  # Bearn
        ((44.65, 2.60), ("GRAS",), 0.6),  # Aubrac
        ((45.80, 1.15), ("GRAS",), 0.5),  # Limousin
        ((43.10, 0.40), ("GRAS",), 0.35),  # Lannemezan
        ((44.90, 1.10), ("TEBD",), 0.5),  # Perigord noir
        ((43.10, -1.60), ("TEBD",), 0.5),  # Baztan
        ((45.60, 3.60), ("TENE",), 0.3),  # Livradois
    ],
)
def test_every_region_has_its_land_cover(place: tuple[float, float], types: tuple[str, ...], least: float) -> None:
    assert MAP.cover(*types)[cell_at(*place)] >= least


def test_pines_grow_on_sand_and_cereals_on_clay() -> None:
    pines, cereals = MAP.cover("TENE") > 0.6, MAP.cover("C3") > 0.7
    assert MAP.sand[pines].min() > 0.7
    assert MAP.sand[cereals].max() < 0.35
    assert MAP.clay[cereals].min() > 0.2
    assert MAP.clay[pines].max() < 0.1


def test_the_stations_of_the_paper_are_in_their_cells() -> None:
    assert set(MAP.name) - {""} == set(STATIONS)
    assert len(STATIONS) == 12
    for name, (latitude, longitude) in STATIONS.items():
        assert MAP.name[cell_at(latitude, longitude)] == name


def test_the_land_model_takes_the_map() -> None:
    grid, _ = build_parameters(MAP.fraction, MAP.clay, MAP.sand, MAP.latitude, MAP.longitude)
    assert grid.cell_count == 247
    patches = np.bincount(grid.patch_of_column.numpy())
    assert {number for number, count in enumerate(patches) if count} == {1, 4, 5, 7, 8, 9, 10, 12}
    assert np.bincount(grid.cell_of_column.numpy()).max() <= 7


def test_a_cell_takes_after_the_nearest_region() -> None:
    north, east, texture, cover = regions()
    chosen = [0, 35, 60]
    fraction, clay, sand = land_of_cells(north[chosen], east[chosen])
    assert np.abs(fraction - cover[chosen]).max() < 0.06
    assert np.stack([clay, sand], axis=1) == pytest.approx(texture[chosen], abs=0.02)


def test_some_cells_can_be_selected() -> None:
    part = MAP.select((5, 3))
    assert part.latitude.tolist() == MAP.latitude[[5, 3]].tolist()
    assert np.array_equal(part.fraction, MAP.fraction[[5, 3]])
