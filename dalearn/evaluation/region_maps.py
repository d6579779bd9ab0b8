"""Maps of large domains and of their sub-domains: Figures 8 to 10, 12 and 13 of Rojas-Munoz et al. (2023).

Cells on a regular grid are drawn as one image, others as rectangles.  What is not a cell of the run is hatched.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import ListedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.land_use import OUTLINED, land_use_colours
from dalearn.evaluation.maps import (
    MapPanel,
    draw_maps,
    draw_stations,
    format_latitude,
    format_longitude,
    grid_spacing,
    panel_colours,
    unwrapped,
)
from dalearn.evaluation.regions import Raster, Region, areas_of, map_regions, raster_of
from dalearn.evaluation.style import BLACK, lay_out, styled

PANEL_WIDTH = {1: 5.4, 2: 5.0, 3: 4.2}
NARROW = 3.7
MANY_CELLS = 1000  # drawn as an image
BAR_HEIGHT, TITLE_HEIGHT = 0.75, 0.55  # inches


@dataclass(frozen=True)
class ClassPanel:
    """A map of names: ``names`` (cell,), "" where there is none; ``classes`` in the order of the legend."""

    title: str
    names: Sequence[str]
    classes: Sequence[str]


Row = tuple[Region, Sequence[MapPanel | ClassPanel | None]]


def same_panels(regions: Sequence[Region], panels: Sequence[MapPanel | ClassPanel | None]) -> list[Row]:
    """The same panels for every region, one row each."""
    return [(region, panels) for region in regions]


def draw_cell_maps(panels: Sequence[MapPanel], cells: Cells, columns: int | None = None) -> Figure:
    """``draw_maps``, or one row of maps per sub-domain where the cells between them are not in the run."""
    regions = map_regions(cells)
    if len(regions) == 1 and cells.count <= MANY_CELLS:
        return draw_maps(panels, cells, columns)
    columns = columns or len(panels)
    chunks = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    return draw_region_maps([row for chunk in chunks for row in same_panels(regions, chunk)], cells)


@styled
def draw_region_maps(rows: Sequence[Row], cells: Cells, title: str = "", marked: bool = False) -> Figure:
    """One row of maps per region; panels repeated in the row below share its colour bar.

    ``marked`` outlines the karst and flooded cells and numbers them as in the paper.  Sub-domains are boxes on a map
    of the whole domain; stations are named triangles.
    """
    columns = max(len(panels) for _, panels in rows)
    width = PANEL_WIDTH.get(columns, NARROW)
    frames = [_Frame(cells, region) for region, _ in rows]
    heights = [
        0.84 * width * frame.shape + TITLE_HEIGHT + BAR_HEIGHT * _has_bars(rows, number)
        for number, frame in enumerate(frames)
    ]
    figure = Figure(figsize=(width * columns, sum(heights) + 0.5 * bool(title)), layout="constrained")
    grid = figure.add_gridspec(len(rows), columns, height_ratios=heights)
    drawn: list[tuple[Axes, _Frame]] = []
    for number, ((region, panels), frame) in enumerate(zip(rows, frames, strict=True)):
        for column, panel in enumerate(panels):
            if panel is None:
                continue
            axes = figure.add_subplot(grid[number, column])
            first = number == 0 or panel is not _panel(rows, number - 1, column)
            name = f"{region.name}: {panel.title}" if region.name and column == 0 else panel.title
            axes.set_title(name if first else region.name if column == 0 else "")
            frame.prepare(axes, labelled=column == 0)
            last = panel is not _panel(rows, number + 1, column)
            if isinstance(panel, ClassPanel):
                _draw_classes(axes, frame, panel)
                if last:
                    free = number + 1 < len(rows) and _panel(rows, number + 1, column) is None
                    place = figure.add_subplot(grid[number + 1, column]) if free else axes
                    _draw_legend(place, frame, panel, below=not free)
            else:
                _draw_values(figure, axes, frame, panel, bar=last)
            if marked:
                _draw_outlines(axes, frame, cells)
            if not region.name:
                _draw_boxes(axes, cells)
            drawn.append((axes, frame))
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    renderer = FigureCanvasAgg(figure).get_renderer()
    lay_out(figure)
    for axes, _ in drawn:
        draw_stations(axes, renderer, unwrapped(cells.longitude), cells)
    return figure


class _Frame:
    """Where the cells of a region lie on an axes."""

    def __init__(self, cells: Cells, region: Region) -> None:
        self.cells = region.cells
        self.longitude, self.latitude = unwrapped(cells.longitude)[self.cells], cells.latitude[self.cells]
        self.size = grid_spacing(self.longitude), grid_spacing(self.latitude)
        self.raster: Raster | None = raster_of(cells, self.cells)
        self.west, self.east = self.longitude.min() - self.size[0], self.longitude.max() + self.size[0]
        self.south, self.north = self.latitude.min() - self.size[1], self.latitude.max() + self.size[1]
        self.aspect = 1.0 / np.cos(np.radians(np.clip((self.south + self.north) / 2, -80.0, 80.0)))
        self.shape = float(np.clip((self.north - self.south) * self.aspect / (self.east - self.west), 0.3, 1.7))

    def prepare(self, axes: Axes, labelled: bool) -> None:
        axes.set(xlim=(self.west, self.east), ylim=(self.south, self.north), aspect=self.aspect)
        axes.patch.set(facecolor="#F4F4F4", hatch="////", edgecolor="#CCCCCC")
        for axis, formatter in ((axes.xaxis, format_longitude), (axes.yaxis, format_latitude)):
            axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
            axis.set_major_formatter(FuncFormatter(formatter))
        axes.tick_params(labelsize=8.5, labelleft=labelled)
        for side in ("top", "right"):
            axes.spines[side].set_visible(True)

    def draw(self, axes: Axes, values: np.ndarray, norm: Normalize, colours: str | ListedColormap) -> ScalarMappable:
        """``values`` (cell of the region,) as an image, or as rectangles where the cells form no grid."""
        if self.raster is not None:
            raster = self.raster
            image = np.ma.masked_invalid(raster.image(values))
            return axes.pcolormesh(raster.longitude, raster.latitude, image, norm=norm, cmap=colours, rasterized=True)
        known = np.isfinite(values)
        corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) * self.size
        centres = np.stack([self.longitude, self.latitude], axis=-1)[known, None]
        squares = PolyCollection(list(centres + corners), array=values[known], norm=norm, cmap=colours)
        squares.set(edgecolors="face", linewidths=0.3)
        axes.add_collection(squares)
        return squares


def _panel(rows: Sequence[Row], number: int, column: int) -> MapPanel | ClassPanel | None:
    if number >= len(rows) or column >= len(rows[number][1]):
        return None
    return rows[number][1][column]


def _has_bars(rows: Sequence[Row], number: int) -> bool:
    return any(panel is not None and panel is not _panel(rows, number + 1, column)
               for column, panel in enumerate(rows[number][1]))  # fmt: skip


def _draw_values(figure: Figure, axes: Axes, frame: _Frame, panel: MapPanel, bar: bool) -> None:
    norm, colours, extend = panel_colours(panel)
    drawn = frame.draw(axes, np.asarray(panel.values, dtype=np.float64)[frame.cells], norm, colours)
    if bar:
        scale = figure.colorbar(drawn, ax=axes, location="bottom", shrink=0.9, aspect=26, pad=0.03, extend=extend)
        scale.set_label(panel.label, fontsize=9)
        scale.locator = MaxNLocator(5)
        scale.update_ticks()
        scale.ax.tick_params(labelsize=8.5)
        scale.outline.set_visible(False)


def _draw_classes(axes: Axes, frame: _Frame, panel: ClassPanel) -> None:
    known = land_use_colours(list(panel.classes))
    names = [panel.names[cell] for cell in frame.cells]
    number = np.array([panel.classes.index(name) if name in known else np.nan for name in names], dtype=np.float64)
    palette = ListedColormap([to_rgba(known[name]) for name in panel.classes])
    frame.draw(axes, number, Normalize(-0.5, len(panel.classes) - 0.5), palette)


def _draw_legend(axes: Axes, frame: _Frame, panel: ClassPanel, below: bool) -> None:
    """The classes that occur in the region, ``below`` the map or on axes of their own."""
    known = land_use_colours(list(panel.classes))
    here = {panel.names[cell] for cell in frame.cells}
    handles = [Patch(facecolor=known[name], label=name) for name in panel.classes if name in here]
    if below:
        axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, fontsize=9)
    else:
        axes.axis("off")
        axes.legend(handles=handles, loc="upper left", fontsize=10)


def _draw_outlines(axes: Axes, frame: _Frame, cells: Cells) -> None:
    """Black borders of the cells of the paper's numbered areas, and their numbers."""
    if frame.raster is None:
        return
    for use, number in OUTLINED.items():
        inside = cells.with_land_use(use)[frame.cells]
        if not inside.any():
            continue
        axes.add_collection(LineCollection(list(frame.raster.outline(inside)), colors=BLACK, linewidths=1.1))
        centre = np.argmin(
            np.hypot(
                frame.longitude[inside] - np.median(frame.longitude[inside]),
                frame.latitude[inside] - np.median(frame.latitude[inside]),
            )
        )
        axes.annotate(
            number, (frame.longitude[inside][centre], frame.latitude[inside][centre]), ha="center", va="center",
            fontsize=11, fontweight="bold", path_effects=[withStroke(linewidth=2.6, foreground="white")],
        )  # fmt: skip


def _draw_boxes(axes: Axes, cells: Cells) -> None:
    for area in areas_of(cells):
        if not area.name:
            continue
        frame = _Frame(cells, area)
        axes.add_patch(
            Rectangle(
                (frame.west, frame.south), frame.east - frame.west, frame.north - frame.south, fill=False,
                edgecolor=BLACK, linewidth=1.2,
            )
        )  # fmt: skip
        axes.annotate(
            area.name, (frame.west, frame.north), (3, -3), textcoords="offset points", fontsize=8.5, va="top",
            path_effects=[withStroke(linewidth=2.2, foreground="white")],
        )  # fmt: skip
