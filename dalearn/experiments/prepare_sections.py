"""The section ``prepare`` of a configuration: how model-ready inputs are made from what a user downloads.

Paths are relative to the folder of the configuration file and may hold wildcards.  What is made goes to ``inputs`` in
the run directory: ``FORCING.nc``, ``surface.nc`` and ``<name>.nc`` for every product of observations, where the other
sections then look for them.
"""

from dataclasses import dataclass, field
from typing import Literal

from dalearn.errors import InputError
from dalearn.experiments.sections import check_period, check_positive, check_unique


@dataclass(kw_only=True)
class GridConfig:
    """The cells of a regular grid, given by cell centres.

    ``latitude`` and ``longitude`` are first, last and spacing in degrees; cells go from south to north, west to east.
    """

    latitude: tuple[float, float, float]
    longitude: tuple[float, float, float]

    def __post_init__(self) -> None:
        for name, low, high in (("latitude", -90.0, 90.0), ("longitude", -180.0, 360.0)):
            where = f"prepare.surface.grid.{name}"
            first, last, spacing = getattr(self, name)
            check_positive(where, spacing=spacing)
            if not low <= first <= last <= high:
                raise InputError(f"{where}: {first:g} to {last:g} is not in {low:g} to {high:g}, the lower one first")
            steps = (last - first) / spacing
            if abs(steps - round(steps)) > 1e-3:
                raise InputError(f"{where}: {first:g} to {last:g} is no multiple of the spacing {spacing:g}")
        if self.longitude[1] - self.longitude[0] + self.longitude[2] > 360.0 + 1e-6:
            raise InputError("prepare.surface.grid.longitude: goes around the globe more than once; make it smaller")


@dataclass(kw_only=True)
class PrepareForcingConfig:
    """Forcing for the cells, hourly and complete.

    Attributes:
        format: ``surfex`` (FORCING.nc), ``era5``, ``era5_land``, ``arome``, ``alma`` (towers, PLUMBER) or
            ``daily_table`` (SAFRAN-like daily values, spread over the day).
        files: of the source.
        start, end: the period to be covered, UTC; all of the files when null.
        altitude_correction: move temperature, humidity, pressure and long wave from the altitude of the source to that
            of the cell.
        altitude_file: netCDF with the altitude (or geopotential) of the source grid, where its files lack it.
        direct_shortwave: what to do with a total short wave: split it with the zenith angle (``erbs``), or take all
            as direct (``all``).
        latitude, longitude, altitude: of the site of a ``daily_table``.
        temperature_height, wind_height: m, where the files do not say.
        utc_offset_hours: of the times of a tower, where the file does not say.
    """

    format: Literal["surfex", "era5", "era5_land", "arome", "alma", "daily_table"]
    files: list[str]
    start: str | None = None
    end: str | None = None
    altitude_correction: bool = False
    altitude_file: str | None = None
    direct_shortwave: Literal["erbs", "all"] = "erbs"
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    temperature_height: float = 2.0
    wind_height: float = 10.0
    utc_offset_hours: float | None = None

    def __post_init__(self) -> None:
        _check_files("prepare.forcing", self.files)
        if self.start is not None and self.end is not None:
            check_period("prepare.forcing", self.start, self.end)
        check_positive("prepare.forcing", temperature_height=self.temperature_height, wind_height=self.wind_height)


@dataclass(kw_only=True)
class PrepareSurfaceConfig:
    """A surface map from maps of land cover, soil and altitude.

    Attributes:
        grid: the cells.
        land_cover: raster of classes, whose legend is ``classes``: ``esa_cci``, ``cgls_lc100`` or ``ecoclimap``
            (fractions of types); see docs/surface.md.
        texture: netCDF with clay and sand, fractions or %.
        altitude: netCDF with the altitude in m.
        tree_height, albedo: optional netCDF maps, m and 1.
        c4_crop_fraction: of the rainfed crops; by latitude when null.
        fill_distance_km: how far away the texture of a cell without any may come from.
        largest_water_fraction, largest_urban_fraction, largest_altitude: cells beyond are left out.
    """

    grid: GridConfig
    land_cover: str
    texture: str
    altitude: str
    classes: Literal["esa_cci", "cgls_lc100", "ecoclimap"] = "esa_cci"
    tree_height: str | None = None
    albedo: str | None = None
    c4_crop_fraction: float | None = None
    fill_distance_km: float = 30.0
    largest_water_fraction: float = 0.5
    largest_urban_fraction: float = 0.15
    largest_altitude: float = 1500.0

    def __post_init__(self) -> None:
        for name in ("c4_crop_fraction", "largest_water_fraction", "largest_urban_fraction"):
            share = getattr(self, name)
            if share is not None and not 0.0 <= share <= 1.0:
                raise InputError(f"prepare.surface.{name}: {share} is not in 0..1")
        if not self.fill_distance_km >= 0.0:
            raise InputError(f"prepare.surface.fill_distance_km: {self.fill_distance_km} is negative")

    def files(self) -> dict[str, str]:
        """The paths by their key."""
        names = ("land_cover", "texture", "altitude", "tree_height", "albedo")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


@dataclass(kw_only=True)
class PrepareObservationsConfig:
    """One product of observations on the cells.

    Attributes:
        name: of the product; the result is ``<name>.nc``.
        quantity: what it holds.
        format: of the files; see docs/formats.md.
        files: of the source.
        start, end: the period; all of the files when null.
        error: standard deviation of every sample in the units of the quantity; that of the product when null.
        relative_error: standard deviation as a fraction of the value.
        aggregate: ``nearest`` sample, ``mean`` of the pixels in the cell, or ``bilinear`` between pixels (rasters).
        valid_fraction: least share of valid pixels for a mean.
        tolerance_km: samples further from all cells are left out.
        depth: ``[from, to]`` in m, of probes (ISMN).
        sensor: of a station with several; null takes the first in the order of the names.
        time_scale: T in days, of products that hold several (SWI).
        passes: ascending, descending or both passes of a satellite.
        largest: largest value in % of the named probabilities and fractions of the product (snow, frozen, wetland,
            topography, subsurface); samples above are rejected.
        land_cover: file of CGLS land cover for rasters of 100 m, of which only ``land_cover_classes`` count.
    """

    name: str
    quantity: Literal["sigma0", "SSM", "LAI"]
    format: Literal[
        "hsaf_cells", "eumetsat_l2", "ascat_package", "cgls_lai", "cgls_ssm", "cgls_swi", "sentinel1_raster", "ismn",
        "ascat_table", "field_table",
    ]  # fmt: skip
    files: list[str]
    start: str | None = None
    end: str | None = None
    error: float | None = None
    relative_error: float | None = None
    aggregate: Literal["nearest", "mean", "bilinear"] = "nearest"
    valid_fraction: float = 0.5
    tolerance_km: float = 15.0
    depth: tuple[float, float] | None = None
    sensor: str | None = None
    time_scale: int = 1
    passes: Literal["both", "ascending", "descending"] = "both"
    largest: dict[str, float] = field(default_factory=dict)
    land_cover: str | None = None
    land_cover_classes: list[int] = field(default_factory=lambda: [30, 40])

    def __post_init__(self) -> None:
        where = f"prepare.observations.{self.name}"
        _check_files(where, self.files)
        if self.start is not None and self.end is not None:
            check_period(where, self.start, self.end)
        check_positive(
            where, error=self.error, relative_error=self.relative_error, tolerance_km=self.tolerance_km,
            time_scale=self.time_scale,
        )  # fmt: skip
        if not 0.0 < self.valid_fraction <= 1.0:
            raise InputError(f"{where}.valid_fraction: {self.valid_fraction} is not in 0..1")


@dataclass(kw_only=True)
class PrepareConfig:
    """What to make; leave out what is at hand already."""

    forcing: PrepareForcingConfig | None = None
    surface: PrepareSurfaceConfig | None = None
    observations: list[PrepareObservationsConfig] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.forcing is None and self.surface is None and not self.observations:
            raise InputError("prepare: nothing to make; add forcing, surface or observations, or leave it out")
        check_unique("prepare.observations", [product.name for product in self.observations])


def _check_files(where: str, files: list[str]) -> None:
    if not files:
        raise InputError(f"{where}.files: none given; name the files of the source")
