"""Figures are looked at by eye; these tests keep what an eye cannot: sizes, scales, places and odd inputs."""

import struct

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.transforms import Bbox

from dalearn.evaluation.boxes import draw_monthly_correlation
from dalearn.evaluation.cells import Cells
from dalearn.evaluation.consistency import CHI_SQUARE, SIGNAL_PER_OBSERVATION
from dalearn.evaluation.consistency_figures import draw_consistency_by_month, draw_gain
from dalearn.evaluation.diagnostics import (
    by_calendar_month,
    draw_increments,
    draw_innovations,
    draw_jacobian,
    draw_training,
)
from dalearn.evaluation.dots import DotPanel, draw_dots, draw_scatter
from dalearn.evaluation.maps import MapPanel, draw_maps, grid_spacing, maps_make_sense, shared_span, unwrapped
from dalearn.evaluation.scores import monthly_correlation
from dalearn.evaluation.series import SeriesPanel, draw_series
from dalearn.evaluation.style import DPI, pretty_units, save_figure, with_units

TIME = np.datetime64("2015-01-01T09", "s") + np.arange(400) * np.timedelta64(86400, "s")


def values(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def assert_written(figure, path):
    """A PNG of the size of the figure, with something drawn on it, and nothing else left behind."""
    save_figure(figure, path)
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    expected = figure.get_size_inches() * DPI
    assert abs(width - expected[0]) <= 1
    assert abs(height - expected[1]) <= 1
    assert len(data) > 8000
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.fixture
def grid_cells():
    row, column = np.divmod(np.arange(16), 4)
    station = [""] * 16
    for cell, name in ((0, "SBR"), (1, "URG"), (5, "CRD"), (6, "PRG"), (15, "PRD")):
        station[cell] = name
    return Cells(43.0 + 0.25 * row, -0.5 + 0.25 * column, station)


def test_map_is_centred_at_zero_and_has_units(grid_cells, tmp_path):
    field = values(16) - 2.0
    field[3] = np.nan
    panels = [MapPanel("a", np.abs(field), "RMSD (dB)"), MapPanel("b", field, "difference (dB)", diverging=True)]
    figure = draw_maps(panels, grid_cells)
    assert_written(figure, tmp_path / "figures" / "map.png")
    collections = [c for axes in figure.axes for c in axes.collections if isinstance(c, PolyCollection)]
    squares = [collection for collection in collections if len(collection.get_paths()) == 15]
    assert len(squares) == 2
    low, high = squares[1].get_clim()
    assert low == -high
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert "RMSD (dB)" in labels
    assert "difference (dB)" in labels


def test_panels_with_a_limit_share_their_colours(grid_cells):
    panels = [MapPanel("a", values(16), "d", True, False, 3.0), MapPanel("b", 0.1 * values(16), "d", True, False, 3.0)]
    figure = draw_maps(panels, grid_cells)
    limits = [c.get_clim() for axes in figure.axes for c in axes.collections if len(c.get_paths()) == 16]
    assert limits == [(-3.0, 3.0)] * 2


def test_station_names_do_not_overlap(tmp_path):
    generator = np.random.default_rng(2)
    cells = Cells(
        43 + generator.random(60), generator.random(60), [f"ST{number}" if number < 25 else "" for number in range(60)]
    )
    figure = draw_maps([MapPanel("a", generator.random(60), "R")], cells)
    axes = figure.axes[0]
    boxes: list[Bbox] = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) > 10
    assert not [1 for index, box in enumerate(boxes) for other in boxes[:index] if box.overlaps(other)]


def test_map_of_equal_or_missing_values_is_drawn(grid_cells, tmp_path):
    for field in (np.zeros(16), np.full(16, np.nan)):
        assert_written(draw_maps([MapPanel("a", field, "R", True)], grid_cells), tmp_path / "map.png")


@pytest.mark.parametrize("count", [1, 5])
def test_too_few_cells_make_no_map(count):
    assert not maps_make_sense(Cells(43 + 0.25 * np.arange(count), 0.25 * np.arange(count)))


def test_a_line_or_a_point_of_cells_makes_no_map(grid_cells):
    assert maps_make_sense(grid_cells)
    assert not maps_make_sense(Cells(np.full(9, 43.0), 0.25 * np.arange(9)))
    assert not maps_make_sense(Cells(np.full(9, 43.0), np.full(9, 2.0)))


def test_longitudes_are_continuous_across_the_date_line():
    np.testing.assert_allclose(np.diff(unwrapped(np.array([179.5, 179.75, -180.0, -179.75]))), 0.25)
    np.testing.assert_allclose(unwrapped(np.array([-1.0, 0.0, 1.0])), [-1.0, 0.0, 1.0])
    np.testing.assert_allclose(unwrapped(np.array([359.0, 0.0, 1.0])), [-1.0, 0.0, 1.0])
    assert grid_spacing(np.array([43.0, 43.25, 44.0, 44.25])) == 0.25
    assert grid_spacing(np.array([43.0])) == 1.0


def test_series_of_one_and_of_several_quantities(tmp_path):
    runs = {"OL": values(400), "EKF": values(400), "mine": values(400)}
    sparse = np.where(np.arange(400) % 10 == 0, 0.0, np.nan)
    panels = [SeriesPanel("LAI", "m2 m-2", TIME, runs, sparse, values(400)), SeriesPanel("SSM", "m3 m-3", TIME, runs)]
    figure = draw_series(panels, "URG")
    assert_written(figure, tmp_path / "series.png")
    assert [axes.get_ylabel() for axes in figure.axes] == ["LAI (m² m⁻²)", "SSM (m³ m⁻³)"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["truth", "open loop", "EKF", "mine", "observations"]


def test_monthly_boxes_show_quartiles_or_the_few_values(tmp_path):
    observed = values(400, 6)
    monthly = {
        name: monthly_correlation(observed + noise * np.roll(observed, 1, axis=0), observed, TIME)
        for name, noise in (("OL", 1.0), ("EKF", 0.5))
    }
    figure = draw_monthly_correlation(monthly, "title")
    assert_written(figure, tmp_path / "boxes.png")
    ticks = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert ticks[0] == "Jan\n(12)"
    assert ticks[11] == "Dec\n(6)"
    one = {"OL": monthly_correlation(observed[:, :1] + 1, observed[:, :1], TIME)}
    assert not draw_monthly_correlation(one, "title").axes[0].patches


def test_monthly_means_and_quartiles():
    field = np.where(TIME.astype("datetime64[M]").astype(int)[:, None] % 12 == 2, [[1.0, 2.0, 3.0, np.nan]], np.nan)
    assert by_calendar_month(field, TIME)[2] == 2.0
    assert by_calendar_month(field, TIME, "lower")[2] == 1.0
    assert np.isnan(by_calendar_month(field, TIME)[[0, 1, 3]]).all()


def test_diagnostic_figures_have_units(tmp_path):
    fields = {"LAI": values(400, 3), "WG2": values(400, 3), "WG8": values(400, 3)}
    figure = draw_jacobian(fields, TIME, "sigma0", "dB", ["crops", "forest", "crops"], "title")
    assert_written(figure, tmp_path / "figure.png")
    assert "dB per m³ m⁻³" in figure.axes[0].get_ylabel()
    assert "dB per m² m⁻²" in figure.axes[1].get_ylabel()
    fields["WG2"][:50] = 0.0
    figure = draw_increments({"EKF": fields, "other": {"WG2": values(400, 3)}}, TIME, "title")
    assert_written(figure, tmp_path / "figure.png")
    figure = draw_innovations({"open loop": values(400, 3), "none": np.full((4, 3), np.nan)}, "sigma0", "dB", "title")
    assert_written(figure, tmp_path / "figure.png")
    assert "(dB)" in figure.axes[0].get_xlabel()
    losses = {"training": np.exp(-np.arange(20.0))[:, None] * [1.0, np.nan] + 0.1, "validation": np.ones(20)}
    assert_written(draw_training(losses, "loss (dB²)", "title"), tmp_path / "figure.png")


def test_figures_of_consistency_and_gain(grid_cells, tmp_path):
    """A map where the cells fill an area, the seasonal cycle where they do not."""
    gains = {name: values(400, 16) for name in ("LAI", *(f"WG{layer}" for layer in range(2, 9)))}
    gains["WG4"][:, 0] = np.nan
    figure = draw_gain(gains, TIME, "sigma0", "dB", grid_cells, "title")
    panels = [axes.get_title(loc="left") for axes in figure.axes[:4]]
    assert panels == ["a) LAI", "b) WG2, 1-4 cm", "c) WG4, 10-20 cm", "d) WG6, 40-60 cm"]
    assert "(m² m⁻² per dB)" in figure.axes[4].get_xlabel()
    assert "(10⁻³ m³ m⁻³ per dB)" in figure.axes[5].get_xlabel()
    (squares,) = [drawn for drawn in figure.axes[1].collections if isinstance(drawn, PolyCollection)]
    assert np.asarray(squares.get_array()) == pytest.approx(1e3 * gains["WG2"].mean(axis=0))
    assert_written(figure, tmp_path / "figure.png")
    single = {name: field[:, :1] for name, field in gains.items() if name in ("LAI", "WG2")}
    figure = draw_gain(single, TIME, "LAI", "m2 m-2", Cells([43.0], [1.0], ["SFL"], ["crops"]), "title")
    assert "m³ m⁻³ per m² m⁻²" in figure.axes[0].get_ylabel()
    assert "m² m⁻² per m² m⁻²" in figure.axes[1].get_ylabel()
    assert_written(figure, tmp_path / "figure.png")
    table = pd.DataFrame(
        {"experiment": ["EKF", "EKF", "other"], "quantity": ["sigma0", "LAI", "LAI"], "month": [1, 12, 3],
         CHI_SQUARE: [0.8, 1.2, 2.0], SIGNAL_PER_OBSERVATION: [0.1, 0.2, 0.3]}
    )  # fmt: skip
    figure = draw_consistency_by_month(table, "title")
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "χ² per observation", "degrees of freedom for signal\nper observation"
    ]  # fmt: skip
    lines = figure.axes[0].get_lines()[:3]
    assert [np.flatnonzero(np.isfinite(line.get_ydata())).tolist() for line in lines] == [[0], [11], [2]]
    assert_written(figure, tmp_path / "figure.png")


def test_dots_and_scatter_for_a_single_cell(tmp_path):
    rows = {"open loop": (0.5, 0.4, 0.6), "EKF": (0.4, np.nan, np.nan)}
    figure = draw_dots([DotPanel("RMSD (dB)", rows), DotPanel("R", rows)], "title", {}, ["EKF"])
    assert_written(figure, tmp_path / "dots.png")
    observed = values(300, 1)
    predictions = {"network": observed + 0.1, "linear": np.where(observed > 0, observed, np.nan)}
    (tmp_path / "dots.png").unlink()
    assert_written(draw_scatter(predictions, observed, "sigma0", "dB", "title"), tmp_path / "scatter.png")


def test_units_are_written_as_readers_expect():
    assert pretty_units("m3 m-3") == "m³ m⁻³"
    assert with_units("R", "") == "R"
    assert with_units("R", "1") == "R"


def test_maps_of_the_paper_s_grid(tmp_path):
    """247 of 16 x 24 cells of 0.25 degree: squares touch, twelve stations keep their names."""
    row, column = np.divmod(np.arange(384), 24)
    order = np.random.default_rng(1).permutation(384)[:247]
    station = np.full(384, "", dtype=object)
    station[order[::20][:12]] = [f"ST{number}" for number in range(12)]
    cells = Cells((42.125 + 0.25 * row)[order], (-1.875 + 0.25 * column)[order], station[order])
    panels = [MapPanel(name, values(247), "RMSD (dB)", span=(-1.0, 1.0)) for name in "abcde"]
    figure = draw_maps(panels, cells, columns=3)
    assert_written(figure, tmp_path / "figures" / "map.png")
    squares = [c for axes in figure.axes for c in axes.collections if len(c.get_paths()) == 247]
    assert len(squares) == 5
    assert {collection.get_clim() for collection in squares} == {(-1.0, 1.0)}
    corners = squares[0].get_paths()[0].vertices
    np.testing.assert_allclose(np.ptp(corners, axis=0), [0.25, 0.25])
    maps = [axes for axes in figure.axes if len(axes.texts) > 5]
    assert len(maps) == 5
    assert maps[0].get_position().y0 > maps[3].get_position().y1
    boxes: list[Bbox] = [text.get_window_extent() for text in maps[0].texts]
    assert not [1 for index, box in enumerate(boxes) for other in boxes[:index] if box.overlaps(other)]


def test_shared_colours_cover_several_maps():
    assert shared_span([np.array([1.0, np.nan]), np.array([3.0])]) == (1.0, 3.0)
    assert shared_span([np.array([np.nan])]) is None
    assert shared_span([]) is None
    low, high = shared_span([np.arange(101.0)])
    assert (low, high) == pytest.approx((2.0, 98.0))
