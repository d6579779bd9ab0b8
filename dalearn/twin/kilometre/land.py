"""The cells of a 1 km region: land cover, soil, relief, and what each cell is used for.

A cell takes after the places of the table around it, as in the coarse twin; fields, woods and slopes of a kilometre
come from random fields that belong to the region, so its map does not change with the seed of an experiment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dalearn.errors import InputError
from dalearn.twin.kilometre.region import COVERS, RICE, SPACING, VINES, Box, Region, types_of_covers
from dalearn.twin.relief import KM_PER_DEGREE, in_polygon
from dalearn.twin.surface import SurfaceMap

POWER, KERNEL = 4.0, 0.03  # of the inverse distance; degrees within which a place counts fully
MAP_SEED = 20230
FIELD_SIZE = 1.5  # cells, standard deviation of the Gaussian that smooths the random fields: 2 to 4 km across
CONTRAST = 1.1  # of the logarithm of a cover between cells, standard deviation
TEXTURE_CONTRAST = 0.15
SMALLEST_FRACTION = 0.12  # smaller fractions go to the other covers of their cell
LARGEST_WATER, LARGEST_URBAN = 0.5, 0.5  # fractions of the cell
POINTS = 5  # squared, at which the water and the towns of a cell are counted
# share of the cell from which a use gives it its name; the first that applies
LAND_USES = ("flooded", "sprinkled", "karst", "vineyard", "forest", "rain-fed")
LEAST_RICE, LEAST_IRRIGATED, LEAST_VINES, LEAST_FOREST = 0.25, 0.25, 0.4, 0.5


@dataclass(frozen=True, eq=False)
class Land:
    """All cells of the box, row by row from the north-west: ``cover`` (cell, cover) of the land of the cell; the others
    (cell,), ``masked`` reason -> bool; ``land_use`` one of ``LAND_USES``."""

    latitude: np.ndarray
    longitude: np.ndarray
    altitude: np.ndarray
    clay: np.ndarray
    sand: np.ndarray
    cover: np.ndarray
    land_use: np.ndarray
    masked: dict[str, np.ndarray]

    @property
    def kept(self) -> np.ndarray:
        """(cell,) bool."""
        return ~np.logical_or.reduce(list(self.masked.values()))


def terrain(region: Region, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Altitude (m) of points of any shape, smooth as a weather model has it."""
    height = np.full(np.shape(latitude), region.plain)
    for north, east, rise, width in region.massifs.values():
        height = height + rise * np.exp(-((_degrees_apart(region, latitude, longitude, north, east) / width) ** 2))
    return height


def land_of_region(region: Region) -> Land:
    """The whole box, what is masked included."""
    rows, columns = region.axes()
    shape = len(rows), len(columns)
    latitude, longitude = (part.ravel() for part in np.meshgrid(rows, columns, indexing="ij"))
    generator = np.random.default_rng([MAP_SEED, *region.name.encode()])
    cover, clay, sand = _around(region, latitude, longitude)
    variable = np.stack([smooth_field(generator, shape).ravel() for _ in COVERS], axis=1)
    cover = cover * np.exp(CONTRAST * variable)
    cover /= cover.sum(axis=1, keepdims=True)
    cover = np.where(cover < SMALLEST_FRACTION, 0.0, cover)
    cover /= cover.sum(axis=1, keepdims=True)
    clay = clay * np.exp(TEXTURE_CONTRAST * smooth_field(generator, shape).ravel())
    sand = np.minimum(sand * np.exp(TEXTURE_CONTRAST * smooth_field(generator, shape).ravel()), 0.95 - clay)
    smooth = terrain(region, latitude, longitude)
    rough = (5.0 + 0.12 * (smooth - region.plain)) * smooth_field(generator, shape).ravel()
    wet, built = _shares(region, latitude, longitude)
    return Land(
        latitude=latitude,
        longitude=longitude,
        altitude=np.maximum(np.round(smooth + rough), 1.0),
        clay=np.round(clay, 3),
        sand=np.round(sand, 3),
        cover=cover,
        land_use=_land_use(region, latitude, longitude, cover),
        masked={"water": wet > LARGEST_WATER, "urban": built > LARGEST_URBAN},
    )


def kilometre_map(region: Region, areas: Sequence[str] = (), cells: Sequence[int] = ()) -> SurfaceMap:
    """The surface map of the cells that are kept; with ``areas`` only those and the cells of the stations.

    ``cells`` are indices into that selection; all when empty.  InputError for an area or a cell that there is not.
    """
    unknown = [name for name in areas if name not in region.areas]
    if unknown:
        raise InputError(f"twin.areas: {region.name} has no area {unknown[0]!r}; choose from {', '.join(region.areas)}")
    land = land_of_region(region)
    area, name = np.full(len(land.latitude), "", object), np.full(len(land.latitude), "", object)
    for label, box in region.areas.items():
        area[inside(box, land.latitude, land.longitude)] = label
    for station, (north, east) in region.stations.items():
        apart = np.hypot(land.latitude - north, land.longitude - east)
        name[np.argmin(np.where(land.kept, apart, np.inf))] = station
    wanted = land.kept & (np.isin(area, list(areas)) | (name != "")) if areas else land.kept
    chosen = np.flatnonzero(wanted)
    if any(not 0 <= cell < len(chosen) for cell in cells):
        wrong = next(cell for cell in cells if not 0 <= cell < len(chosen))
        raise InputError(f"twin.cells: {wrong} is not one of the {len(chosen)} cells, choose from 0..{len(chosen) - 1}")
    if cells:
        chosen = chosen[list(cells)]
    return SurfaceMap(
        name=name[chosen],
        latitude=land.latitude[chosen],
        longitude=land.longitude[chosen],
        altitude=land.altitude[chosen],
        clay=land.clay[chosen],
        sand=land.sand[chosen],
        fraction=types_of_covers(_as_seen(land.cover, land.land_use)[chosen]),
        area=area[chosen],
        land_use=land.land_use[chosen],
    )


def inside(box: Box, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Whether points lie in a box."""
    south, north, west, east = box
    return (latitude > south) & (latitude < north) & (longitude > west) & (longitude < east)


def smooth_field(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Standard normal numbers (row, column), white noise under a Gaussian of ``FIELD_SIZE`` cells; periodic."""
    frequency = [np.fft.fftfreq(size) for size in shape]
    squared = frequency[0][:, None] ** 2 + frequency[1][None, :] ** 2
    response = np.exp(-2.0 * (np.pi * FIELD_SIZE) ** 2 * squared)
    field = np.fft.ifft2(np.fft.fft2(generator.standard_normal(shape)) * response).real
    return field / np.sqrt((response**2).mean())


def _around(region: Region, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``COVERS`` (cell, cover), clay and sand (cell,) between the places around each cell, weighted by distance."""
    north, east, texture, cover = region.places()
    apart = _degrees_apart(region, latitude[:, None], longitude[:, None], north, east)
    weight = (apart**2 + KERNEL**2) ** (-POWER / 2.0)
    weight /= weight.sum(axis=1, keepdims=True)
    clay, sand = (weight @ texture).T
    return weight @ cover, clay, sand


def _land_use(region: Region, latitude: np.ndarray, longitude: np.ndarray, cover: np.ndarray) -> np.ndarray:
    share = {name: cover[:, column] for column, name in enumerate(COVERS)}
    on_karst = np.zeros(len(latitude), bool)
    for corners in region.karst:
        on_karst |= in_polygon(latitude, longitude, np.array(corners))
    conditions = [
        share[RICE] >= LEAST_RICE,
        share["IRR"] >= LEAST_IRRIGATED,
        on_karst,
        share[VINES] >= LEAST_VINES,
        share["TEBD"] + share["TENE"] >= LEAST_FOREST,
    ]
    return np.select(conditions, LAND_USES[:-1], LAND_USES[-1]).astype(object)


def _as_seen(cover: np.ndarray, land_use: np.ndarray) -> np.ndarray:
    """``cover`` with maize that nobody irrigates where a cell is not known for sprinklers: so all IRR is irrigated."""
    seen = cover.copy()
    dry = land_use != "sprinkled"
    irrigated, maize = COVERS.index("IRR"), COVERS.index("C4")
    seen[dry, maize] += seen[dry, irrigated]
    seen[dry, irrigated] = 0.0
    return seen


def _shares(region: Region, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of water and of towns (cell,)."""
    offset = SPACING * ((np.arange(POINTS) + 0.5) / POINTS - 0.5)
    north, east = (part.ravel()[None, :] for part in np.meshgrid(offset, offset, indexing="ij"))
    at = latitude[:, None] + north, longitude[:, None] + east
    wet, built = np.zeros(at[0].shape, bool), np.zeros(at[0].shape, bool)
    for corners in region.waters.values():
        wet |= in_polygon(*at, np.array(corners))
    for town_north, town_east, radius in region.towns.values():
        built |= _degrees_apart(region, *at, town_north, town_east) * KM_PER_DEGREE < radius
    return wet.mean(axis=1), built.mean(axis=1)


def _degrees_apart(
    region: Region,
    latitude: np.ndarray,
    longitude: np.ndarray,
    north: float | np.ndarray,
    east: float | np.ndarray,
) -> np.ndarray:
    """Distance in degrees of latitude."""
    middle = 0.5 * (region.box[0] + region.box[1])
    return np.hypot(latitude - north, (longitude - east) * np.cos(np.radians(middle)))
