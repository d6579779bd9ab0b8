"""Maps of one value per cell: Figures 4, 5, 6 and 8 of Corchia et al. (2023).

Cells are drawn as rectangles of the grid spacing on latitude and longitude, stretched by cos(latitude); nothing is
downloaded, so there is no coastline.  What is not a cell of the run is hatched.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Bbox

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.style import DIVERGING, SEQUENTIAL, lay_out, styled

MINIMUM_MAP_CELLS = 6
_MANY = 20


@dataclass(frozen=True)
class MapPanel:
    """One map: ``values`` (cell,), NaN = no value; ``label`` of the colour bar with units; ``diverging`` centres
    the colours at 0, blue below and red above, or the other way round with ``reverse``; ``limit`` fixes the largest
    magnitude of diverging colours, ``span`` both ends of the others, so that panels and figures can be compared."""

    title: str
    values: np.ndarray
    label: str
    diverging: bool = False
    reverse: bool = False
    limit: float | None = None
    span: tuple[float, float] | None = None


def shared_span(fields: Sequence[np.ndarray]) -> tuple[float, float] | None:
    """Lowest and highest colour of several maps of one quantity: 2 % of all their values may lie beyond each end."""
    known = np.concatenate([values[np.isfinite(values)] for values in fields] or [np.empty(0)])
    if not known.size:
        return None
    low, high = np.quantile(known, [0.02, 0.98]) if known.size > _MANY else (known.min(), known.max())
    return float(low), float(high)


def maps_make_sense(cells: Cells) -> bool:
    """Whether the cells fill an area: a map of a single pixel or of a line of cells shows nothing."""
    positions = {(round(lat, 4), round(lon, 4)) for lat, lon in zip(cells.latitude, cells.longitude, strict=True)}
    latitudes, longitudes = {lat for lat, _ in positions}, {lon for _, lon in positions}
    return len(positions) >= MINIMUM_MAP_CELLS and len(latitudes) > 1 and len(longitudes) > 1


@styled
def draw_maps(panels: Sequence[MapPanel], cells: Cells, columns: int | None = None) -> Figure:
    """Maps, ``columns`` side by side (by default all), with a colour bar below each; stations are named triangles."""
    longitude = unwrapped(cells.longitude)
    width, height = grid_spacing(longitude), grid_spacing(cells.latitude)
    west, east = longitude.min() - width, longitude.max() + width
    south, north = cells.latitude.min() - height, cells.latitude.max() + height
    aspect = 1.0 / np.cos(np.radians(np.clip((south + north) / 2, -80.0, 80.0)))
    shape = np.clip((north - south) * aspect / (east - west), 0.35, 1.6)
    columns = columns or len(panels)
    rows = -(-len(panels) // columns)
    panel_width = {1: 5.4, 2: 5.0}.get(columns, 4.4)
    size = (panel_width * columns, rows * (panel_width * 0.88 * shape + 1.5))
    figure = Figure(figsize=size, layout="constrained")
    every = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    for axes in every[len(panels) :]:
        axes.remove()
    drawn = every[: len(panels)]
    for axes, panel in zip(drawn, panels, strict=True):
        axes.set(xlim=(west, east), ylim=(south, north), aspect=aspect)
        axes.set_title(panel.title)
        axes.patch.set(facecolor="#F4F4F4", hatch="////", edgecolor="#CCCCCC")
        norm, colours, extend = panel_colours(panel)
        corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
        centres = np.stack([longitude, cells.latitude], axis=-1)[:, None]
        known = np.isfinite(panel.values)
        squares = PolyCollection(
            list((centres + corners * [width, height])[known]), array=panel.values[known], norm=norm, cmap=colours,
            edgecolors="face", linewidths=0.3,
        )  # fmt: skip
        axes.add_collection(squares)
        bar = figure.colorbar(squares, ax=axes, location="bottom", shrink=0.8, aspect=28, pad=0.02, extend=extend)
        bar.set_label(panel.label)
        bar.locator = MaxNLocator(6)
        bar.update_ticks()
        bar.outline.set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(format_longitude))
        axes.yaxis.set_major_formatter(FuncFormatter(format_latitude))
        for side in ("top", "right"):
            axes.spines[side].set_visible(True)
    renderer = FigureCanvasAgg(figure).get_renderer()
    lay_out(figure)
    for axes in drawn:
        draw_stations(axes, renderer, longitude, cells)
    return figure


def unwrapped(longitude: np.ndarray) -> np.ndarray:
    """Longitudes without a jump: degrees east counted on from the widest gap between cells."""
    longitude = np.asarray(longitude, dtype=np.float64)
    ordered = np.unique(longitude % 360.0)
    gap = np.diff(np.append(ordered, ordered[0] + 360.0))
    start = ordered[(int(gap.argmax()) + 1) % len(ordered)]
    shifted = start + (longitude - start) % 360.0
    return shifted - 360.0 * np.floor((shifted.mean() + 180.0) / 360.0)


def grid_spacing(coordinate: np.ndarray) -> float:
    """Most common distance between neighbouring coordinates, in degrees."""
    steps = np.diff(np.unique(np.round(coordinate, 4)))
    if not steps.size:
        return 1.0
    values, counts = np.unique(np.round(steps, 3), return_counts=True)
    return float(max(values[counts.argmax()], 1e-3))


def panel_colours(panel: MapPanel) -> tuple[Normalize, str, str]:
    """Normalisation, colour map and which ends of the bar are open: 2 % of the cells may lie beyond each end."""
    known = panel.values[np.isfinite(panel.values)]
    if not known.size:
        known = np.zeros(1)
    low, high = panel.span or shared_span([known]) or (0.0, 0.0)
    if panel.diverging:
        high = panel.limit or max(abs(low), abs(high), 1e-9)
        low = -high
    colours = SEQUENTIAL if not panel.diverging else DIVERGING.removesuffix("_r") if panel.reverse else DIVERGING
    norm = Normalize(low, high if high > low else low + 1e-6)
    below, above = known.min() < low - 1e-9, known.max() > high + 1e-9
    return norm, colours, "both" if below and above else "min" if below else "max" if above else "neither"


def draw_stations(axes: Axes, renderer: RendererAgg, longitude: np.ndarray, cells: Cells) -> None:
    """Triangles, and each name at the first of eight places around it that is free; a name without one is left out."""
    stations = cells.stations
    if not stations:
        return
    axes.plot(
        longitude[stations], cells.latitude[stations], linestyle="none", marker="^", markersize=6,
        markerfacecolor="black", markeredgecolor="white", markeredgewidth=0.8,
    )  # fmt: skip
    inside = axes.get_window_extent()
    markers = axes.transData.transform(np.stack([longitude[stations], cells.latitude[stations]], axis=-1))
    half = axes.figure.dpi * 3.5 / 72
    taken = [Bbox.from_bounds(x - half, y - half, 2 * half, 2 * half) for x, y in markers]
    for number, cell in enumerate(stations):
        others = taken[:number] + taken[number + 1 :]
        for x, y, horizontal, vertical in _PLACES:
            text = axes.annotate(
                cells.station[cell], (longitude[cell], cells.latitude[cell]), (x, y), textcoords="offset points",
                ha=horizontal, va=vertical, fontsize=7.5, color="black",
                path_effects=[withStroke(linewidth=2.2, foreground="white")],
            )  # fmt: skip
            text.set_in_layout(False)
            box = text.get_window_extent(renderer)
            if inside.containsx(box.x0) and inside.containsx(box.x1) and inside.containsy(box.y0) and inside.containsy(
                box.y1
            ) and not any(box.overlaps(other) for other in others):  # fmt: skip
                taken.append(box)
                break
            text.remove()


_PLACES = (
    (0, 6, "center", "bottom"), (0, -6, "center", "top"), (6, 0, "left", "center"), (-6, 0, "right", "center"),
    (5, 5, "left", "bottom"), (-5, 5, "right", "bottom"), (5, -5, "left", "top"), (-5, -5, "right", "top"),
)  # fmt: skip


def format_longitude(value: float, _: object = None) -> str:
    value = (value + 180.0) % 360.0 - 180.0
    return f"{abs(value):g}°" + ("E" if value > 0 else "W" if value < 0 else "")


def format_latitude(value: float, _: object = None) -> str:
    return f"{abs(value):g}°" + ("N" if value > 0 else "S" if value < 0 else "")
