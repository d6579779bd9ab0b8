"""Cells on their grid, sub-domains, and maps of them."""

import numpy as np
import pytest
from matplotlib.collections import PolyCollection, QuadMesh

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.maps import MapPanel
from dalearn.evaluation.region_maps import ClassPanel, draw_cell_maps, draw_region_maps, same_panels
from dalearn.evaluation.regions import areas_of, map_regions, raster_of, whole


def grid(latitude, longitude, rows, columns):
    row, column = np.divmod(np.arange(rows * columns), columns)
    return latitude + 0.01 * row, longitude + 0.01 * column


@pytest.fixture
def two_areas():
    """Two blocks far apart, one with a gap, in float32 as files have them."""
    first, second = grid(43.95, 4.0, 3, 4), grid(43.4, 4.4, 2, 3)
    latitude, longitude = (np.concatenate([a, b]).astype(np.float32) for a, b in zip(first, second, strict=True))
    keep = np.arange(18) != 5
    area = np.array(["ales"] * 12 + ["camargue"] * 6)[keep]
    use = np.array(["rain-fed"] * 8 + ["karst"] * 4 + ["flooded"] * 3 + ["forest"] * 3)[keep]
    return Cells(latitude[keep], longitude[keep], area=area, land_use=use)


def test_gappy_grid_becomes_an_image(two_areas):
    ales = areas_of(two_areas)[0]
    raster = raster_of(two_areas, ales.cells)
    image = raster.image(np.arange(11.0))
    assert image.shape == (3, 4)
    assert np.isnan(image[1, 1])
    np.testing.assert_array_equal(image[~np.isnan(image)], np.arange(11.0))
    np.testing.assert_allclose(raster.latitude, [43.945, 43.955, 43.965, 43.975], atol=1e-4)
    np.testing.assert_allclose(np.diff(raster.longitude), 0.01, atol=1e-4)


def test_outline_goes_around_the_gap(two_areas):
    ales = areas_of(two_areas)[0]
    raster = raster_of(two_areas, ales.cells)
    everything = raster.outline(np.ones(11, dtype=bool))
    assert len(everything) == 2 * (3 + 4) + 4
    one = raster.outline(np.arange(11) == 0)
    assert len(one) == 4
    assert one[..., 0].min() == pytest.approx(3.995, abs=1e-4)
    assert one[..., 1].max() == pytest.approx(43.955, abs=1e-4)


def test_steps_that_are_no_fraction_of_a_thousandth():
    """1/112 degree, as satellite products have it: the last of 300 columns must not be a column off."""
    row, column = np.divmod(np.arange(600), 300)
    cells = Cells(43.0 + row / 112, 2.0 + column / 112)
    raster = raster_of(cells, np.arange(600))
    assert raster.shape == (2, 300)
    np.testing.assert_array_equal(raster.column, column)


def test_no_grid_no_image():
    generator = np.random.default_rng(0)
    assert raster_of(Cells(generator.uniform(43, 44, 30), generator.uniform(3, 4, 30)), np.arange(30)) is None
    twice = Cells([43.0, 43.0, 43.1, 43.1, 43.0], [1.0, 1.1, 1.0, 1.1, 1.0])
    assert raster_of(twice, np.arange(5)) is None
    assert raster_of(Cells([43.0, 43.0], [1.0, 1.1]), np.arange(2)) is None


def test_sub_domains_are_apart_only_where_the_rest_is_missing(two_areas):
    assert [region.name for region in map_regions(two_areas)] == ["ales", "camargue"]
    latitude, longitude = grid(43.0, 3.0, 10, 10)
    area = np.where(np.arange(100) < 20, "ales", "")
    full = Cells(latitude, longitude, area=area)
    assert [region.name for region in map_regions(full)] == [""]
    assert [region.name for region in areas_of(full)] == ["ales"]
    scattered = Cells(latitude[::7], longitude[::7], area=area[::7])
    assert [region.name for region in map_regions(scattered)] == ["ales", "elsewhere"]
    unnamed = Cells(latitude[::7], longitude[::7])
    assert [region.name for region in map_regions(unnamed)] == [""]


def meshes(figure):
    return [artist for axes in figure.axes for artist in axes.collections if isinstance(artist, QuadMesh)
            and artist.get_array().ndim == 2 and artist.get_array().shape[0] in (2, 3)]  # fmt: skip


def test_one_image_per_sub_domain_on_the_same_colours(two_areas):
    values = np.linspace(-1.0, 1.0, two_areas.count)
    panel = MapPanel("change", values, "change (m3 m-3)", diverging=True)
    figure = draw_cell_maps([panel], two_areas)
    first, second = meshes(figure)
    assert first.norm.vmin == second.norm.vmin == -first.norm.vmax
    assert first.get_array().shape == (3, 4)
    assert np.ma.getmaskarray(first.get_array())[1, 1]
    np.testing.assert_allclose(second.get_array().ravel(), values[11:])
    assert [axes.get_title(loc="left") for axes in figure.axes[:3] if axes.get_title(loc="left")] == [
        "ales: change", "camargue"
    ]  # fmt: skip


def test_irregular_cells_are_rectangles():
    generator = np.random.default_rng(0)
    cells = Cells(generator.uniform(43, 44, 30), generator.uniform(3, 4, 30))
    panel = MapPanel("values", np.where(np.arange(30) < 3, np.nan, 1.0), "1")
    figure = draw_region_maps(same_panels([whole(cells)], [panel]), cells)
    (squares,) = [artist for artist in figure.axes[0].collections if isinstance(artist, PolyCollection)]
    assert len(squares.get_paths()) == 27


def test_land_use_has_a_legend_of_what_occurs(two_areas):
    ales = areas_of(two_areas)[0]
    classes = ClassPanel("land use", two_areas.land_use, ["flooded", "rain-fed", "forest", "karst"])
    figure = draw_region_maps([(ales, [classes])], two_areas, marked=True)
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["rain-fed", "karst"]
    assert "1" in [text.get_text() for text in figure.axes[0].texts]
    beside = draw_region_maps([(ales, [classes]), (ales, [None])], two_areas)
    assert [axes.get_legend() is not None for axes in beside.axes] == [False, True]
