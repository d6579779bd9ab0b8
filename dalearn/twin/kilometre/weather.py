"""The weather of a 1 km region: on an AROME-like grid of 1/40 degree, brought to the cells by what `prepare` uses.

What is random is drawn every ``DRAWN`` degrees, about the effective resolution of such a model (several grid lengths),
and interpolated to the nodes of the 1/40 degree grid; the records follow from it there, with the altitude of the nodes,
block by block as they are asked for.  Memory holds what was drawn and one block.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cached_property

import numpy as np
import torch

from dalearn.forcing.prepare import Cells, ForcingPlan, block_on_cells, plan_forcing
from dalearn.forcing.series import ForcingSeries
from dalearn.forcing.source import Points
from dalearn.land.window import ForcingWindow
from dalearn.regular_grid import RegularGrid, Weights, bilinear
from dalearn.twin.kilometre.land import terrain
from dalearn.twin.kilometre.region import Region
from dalearn.twin.settings import TwinSettings
from dalearn.twin.surface import SurfaceMap
from dalearn.twin.truth import daily_rain_factor
from dalearn.twin.weather import (
    LAPSE_RATE,
    TEMPERATURE_HEIGHT,
    WIND_HEIGHT,
    Days,
    DrawnWeather,
    draw_weather,
)
from dalearn.variables import VARIABLES

DRAWN = 0.1  # degrees
NODES_PER_DEGREE = 40
LARGEST_RATE = (VARIABLES["Rainf"].valid_range or (0.0, np.inf))[1]  # kg m-2 s-1
HOUR, DAY = np.timedelta64(3600, "s"), np.timedelta64(1, "D")
BLOCK_DAYS = 10  # of the truth
HEIGHTS = {"temperature_height": TEMPERATURE_HEIGHT, "wind_height": WIND_HEIGHT}


class KilometreWeather:
    """The weather on the nodes around the cells; a ``ForcingSource``.

    ``drawn`` at the places where it was drawn, of which ``weights`` interpolate to the ``used`` nodes of ``points``;
    ``rain_factor`` (day, place) makes the rain of a forecast out of the true one.  Nodes that no cell needs are NaN.
    """

    step = 3600

    def __init__(
        self,
        drawn: DrawnWeather,
        points: Points,
        used: np.ndarray,
        weights: Weights,
        rain_factor: np.ndarray | None = None,
    ) -> None:
        self.label = "weather of the twin"
        self.times = drawn.start.astype("datetime64[s]") + np.arange(drawn.hours) * HOUR
        self.drawn, self.points, self.used, self.weights, self.rain_factor = drawn, points, used, weights, rain_factor

    def with_rain_factor(self, rain_factor: np.ndarray) -> "KilometreWeather":
        """The same weather with other rain: of each day, by a factor (day, place)."""
        return KilometreWeather(self.drawn, self.points, self.used, self.weights, rain_factor)

    def read(self, rows: slice) -> dict[str, np.ndarray]:
        """See ``ForcingSource``."""
        local, hours = self._at_nodes(rows)
        records = local.records(hours)
        angle = np.deg2rad(records.pop("Wind_DIR"))
        speed = records.pop("Wind")
        records |= {"Wind_E": -speed * np.sin(angle), "Wind_N": -speed * np.cos(angle)}
        del records["CO2air"]  # the run has it from its settings
        return {name: self._on_grid(values) for name, values in records.items()}

    def origin(self, name: str, row: int) -> str:
        """See ``ForcingSource``."""
        return f"{self.label}: {name}"

    def mean_temperature(self, days: int) -> np.ndarray:
        """Mean air temperature (K) of the first ``days`` days at the nodes, NaN where not used."""
        mean = self.drawn.days.mean_temperature[:days].mean(axis=0)
        return self._on_grid(self.weights(mean) - LAPSE_RATE * self._rise, np.float64)

    @cached_property
    def _rise(self) -> np.ndarray:
        """From the altitude between the places where the weather was drawn to that of the node (node,), m."""
        return self.points.altitude[self.used] - self.weights(self.drawn.altitude)

    def _at_nodes(self, rows: slice) -> tuple[DrawnWeather, slice]:
        """What was drawn, at the nodes, of the days around ``rows``; and the place of the rows among its hours."""
        drawn = self.drawn
        first = max(rows.start // 24 - 1, 0)  # a daily value reaches from noon to noon
        last = min((rows.stop - 1) // 24 + 2, len(drawn.days.cloud_score))
        kept = slice(24 * first, min(24 * last, drawn.hours))
        daily = {field.name: self.weights(getattr(drawn.days, field.name)[first:last]) for field in fields(Days)}
        for name in ("mean_temperature", "dew_point"):
            daily[name] -= LAPSE_RATE * self._rise
        rainfall = drawn.rainfall[kept]
        if self.rain_factor is not None:
            ended = np.maximum(np.arange(kept.start, kept.stop) - 1, 0) // 24  # the day in which the rain fell
            rainfall = np.minimum(rainfall * self.rain_factor[ended], LARGEST_RATE)  # a cloudburst may be doubled
        local = DrawnWeather(
            start=drawn.start + np.timedelta64(kept.start, "h"),
            latitude=self.points.latitude[self.used],
            longitude=self.points.longitude[self.used],
            altitude=self.points.altitude[self.used],
            east=self.weights(drawn.east),
            days=Days(**daily),
            rainfall=self.weights(rainfall),
            cloud_noise=self.weights(drawn.cloud_noise[kept]),
            gust_noise=self.weights(drawn.gust_noise[kept]),
        )
        return local, slice(rows.start - kept.start, rows.stop - kept.start)

    def _on_grid(self, values: np.ndarray, dtype: type = np.float32) -> np.ndarray:
        result = np.full((*values.shape[:-1], len(self.points.latitude)), np.nan, dtype)
        result[..., self.used] = values
        return result


class CellWeather:
    """The true weather on the cells: windows for the truth, made from blocks of ``BLOCK_DAYS`` days."""

    def __init__(self, plan: ForcingPlan) -> None:
        self.plan = plan
        self._block: tuple[int, ForcingSeries] | None = None  # the last one

    def window(self, start: np.datetime64, end: np.datetime64, time_step: float, dtype: torch.dtype) -> ForcingWindow:
        """See ``ForcingSeries.window``; for windows within a UTC day."""
        source = self.plan.source
        first_day = source.times[0].astype("datetime64[D]")
        number = int((start - first_day) // DAY) // BLOCK_DAYS
        if self._block is None or self._block[0] != number:
            self._block = None  # before the next one takes memory
            first = 24 * BLOCK_DAYS * number
            rows = slice(first, min(first + 24 * BLOCK_DAYS + 1, len(source.times)))
            self._block = number, self._series(rows)
        return self._block[1].window(start, end, time_step, dtype)

    def mean_temperature(self, days: int) -> np.ndarray:
        """Mean air temperature (K) of the first ``days`` days, (cell,)."""
        source = self.plan.source
        assert isinstance(source, KilometreWeather)
        at_nodes = source.mean_temperature(days)
        assert self.plan.rise is not None
        return self.plan.weights(np.nan_to_num(at_nodes)) - LAPSE_RATE * self.plan.rise

    def select(self, cells: slice) -> "CellWeather":
        """The weather of consecutive ``cells``."""
        plan = self.plan
        assert plan.rise is not None
        places = Cells(**{field.name: getattr(plan.cells, field.name)[cells] for field in fields(Cells)})
        return CellWeather(
            replace(
                plan,
                cells=places,
                weights=Weights(plan.weights.index[:, cells], plan.weights.weight[:, cells]),
                static={name: values[cells] for name, values in plan.static.items()},
                rise=plan.rise[cells],
            )
        )

    def _series(self, rows: slice) -> ForcingSeries:
        records: Mapping[str, np.ndarray] = block_on_cells(self.plan, rows)
        return ForcingSeries(
            source=self.plan.source.label,
            start=self.plan.source.times[rows.start],
            step=self.plan.source.step,
            records=records,
            **dict(self.plan.static),  # type: ignore[arg-type]
        )


def draw_region_weather(region: Region, settings: TwinSettings, anomaly: tuple[float, ...]) -> DrawnWeather:
    """What is random about the weather, on a grid of ``DRAWN`` degrees around the region."""
    grid = _grid(region.box, 1.0 / DRAWN)
    latitude, longitude = grid.nodes()
    altitude = terrain(region, latitude, longitude)
    return draw_weather(
        latitude, longitude, altitude, settings.first_day, settings.days, settings.seed, anomaly, region.climate
    )


def weather_of_cells(region: Region, drawn: DrawnWeather, surface: SurfaceMap) -> KilometreWeather:
    """The weather on the 1/40 degree nodes around the cells; the same at a node whatever the cells are."""
    box = surface.latitude.min(), surface.latitude.max(), surface.longitude.min(), surface.longitude.max()
    grid = _grid(box, NODES_PER_DEGREE)
    latitude, longitude = grid.nodes()
    around = bilinear("weather", grid, surface.latitude, surface.longitude)
    used = np.unique(around.index[around.weight > 0.0])
    number = len(latitude)
    points = Points(
        latitude,
        longitude,
        terrain(region, latitude, longitude),
        **{name: np.full(number, height) for name, height in HEIGHTS.items()},
        grid=grid,
    )
    coarse = RegularGrid(np.unique(drawn.latitude)[::-1], np.unique(drawn.longitude))
    weights = bilinear("weather", coarse, latitude[used], longitude[used])
    return KilometreWeather(drawn, points, used, weights)


def plan_cells(source: KilometreWeather, surface: SurfaceMap) -> ForcingPlan:
    """The way from the nodes to the cells: bilinear, with the altitude corrected, as `prepare` does for AROME."""
    cells = Cells(surface.latitude, surface.longitude, surface.altitude)
    return plan_forcing(source, cells, altitude_correction=True)


def seen_rain_factor(drawn: DrawnWeather, settings: TwinSettings, generator: np.random.Generator) -> np.ndarray:
    """Rain of the forecast over the true rain, (day, place); see ``daily_rain_factor``."""
    return daily_rain_factor(
        drawn.latitude,
        drawn.longitude,
        len(drawn.days.cloud_score),
        settings.rain_bias,
        settings.rain_noise,
        generator,
    )


def _grid(box: tuple[float, float, float, float], per_degree: float) -> RegularGrid:
    """The grid with nodes at whole multiples of its spacing that surrounds a box, from the north."""
    south, north, west, east = (value * per_degree for value in box)
    rows = np.arange(np.floor(north) + 1.0, np.ceil(south) - 1.5, -1.0)
    columns = np.arange(np.ceil(west) - 1.0, np.floor(east) + 1.5)
    return RegularGrid(np.round(rows / per_degree, 6), np.round(columns / per_degree, 6))
