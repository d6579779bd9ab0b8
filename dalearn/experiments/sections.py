"""The sections of a configuration file, one dataclass each, with the checks that concern a section alone.

Errors start with the dotted key.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from dalearn.errors import InputError


def as_time(text: str, where: str) -> np.datetime64:
    """A date or date and time in UTC; InputError naming the key ``where``."""
    try:
        return np.datetime64(text.strip().rstrip("Z"), "s")
    except ValueError as error:
        raise InputError(f"{where}: {text!r} is not a date; write it as 2007-01-01 or 2007-01-01T09:00") from error


def check_period(section: str, start: str, end: str, names: tuple[str, str] = ("start", "end")) -> None:
    """InputError unless ``start`` is before ``end``."""
    first, last = (as_time(text, f"{section}.{name}") for text, name in zip((start, end), names, strict=True))
    if first >= last:
        raise InputError(f"{section}.{names[1]}: {end} is not after {names[0]} {start}; correct one of them")


def _check_midnight(section: str, *times: str) -> None:
    for text in times:
        time = as_time(text, section)
        if time != time.astype("datetime64[D]"):
            raise InputError(f"{section}: {text} is not midnight; start and end the run at 00 UTC")


def check_positive(section: str, **values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not value > 0:
            raise InputError(f"{section}.{name}: {value} is not positive")


@dataclass(kw_only=True)
class LandConfig:
    """Physics of the land model.

    Attributes:
        time_step: s; must divide the hour.
        photosynthesis: SURFEX CPHOTO: ``NIT`` and ``NCB`` grow leaves (three and six biomass pools), ``AST`` and
            ``NON`` follow ``leaf_area_index`` of the surface; ``NON`` has Jarvis stomata and no carbon.
        pedotransfer: soil hydraulics, Clapp and Hornberger (1978) or Cosby et al. (1984).
        canopy: radiation in the canopy.
        albedo: SURFEX CALBEDO; CM13 needs albedos of every ten days in the surface map.
        runoff: SURFEX CRUNOFF; SGH needs topographic indices in the surface map.
        runoff_exponent: B of DT92.
        horton: runoff of rain beyond the infiltration capacity of the soil (SURFEX CHORT SGH).
        subgrid_rain: rain exponentially distributed over the cell (SURFEX CRAIN SGH).
        snow_layers: of the explicit snow scheme: 12 as in SURFEX, 3 for speed, 0 for none (snowfall is then an error).
        snowfall: ``as_rain`` lets snow fall as rain and leaves the snow scheme out.
        co2: ppm, where the forcing has no CO2air.
        minimum_patch_fraction: smaller patches join the largest one of their cell.
    """

    time_step: float = 1800.0
    photosynthesis: Literal["NIT", "NCB", "AST", "NON"] = "NIT"
    pedotransfer: Literal["CH78", "CO84"] = "CH78"
    canopy: Literal["three_point", "multilayer"] = "three_point"
    albedo: Literal["DRY", "WET", "MEAN", "EVOL", "CM13"] = "DRY"
    runoff: Literal["WSAT", "DT92", "SGH"] = "WSAT"
    runoff_exponent: float = 0.5
    horton: bool = False
    subgrid_rain: bool = False
    snow_layers: Literal[0, 3, 12] = 12
    snowfall: Literal["as_snow", "as_rain"] = "as_snow"
    co2: float = 400.0
    minimum_patch_fraction: float = 0.0

    def __post_init__(self) -> None:
        if self.time_step <= 0 or 3600.0 % self.time_step:
            raise InputError(f"land.time_step: {self.time_step:g} s does not divide the hour; choose for instance 1800")
        if not 0.0 <= self.minimum_patch_fraction < 1.0:
            raise InputError(f"land.minimum_patch_fraction: {self.minimum_patch_fraction} is not in 0..1")
        check_positive("land", co2=self.co2, runoff_exponent=self.runoff_exponent)


@dataclass(kw_only=True)
class CellConfig:
    """One cell written out in the configuration.

    ``vegetation`` gives the fraction of each vegetation type (ECOCLIMAP names: GRAS, C3, TEBD, ...); ``clay``,
    ``sand`` are fractions; ``root_depth``, ``soil_depth``, ``tree_height`` are in m, for all types, the typical
    values of the type when absent.  ``leaf_area_index`` is one value for all the year or 36, one for each decade of the
    year, of all types; read when ``land.photosynthesis`` is AST or NON.
    """

    latitude: float
    longitude: float
    clay: float
    sand: float
    vegetation: dict[str, float]
    name: str = ""
    altitude: float | None = None
    root_depth: float | None = None
    soil_depth: float | None = None
    tree_height: float | None = None
    leaf_area_index: list[float] | None = None

    def __post_init__(self) -> None:
        if self.leaf_area_index is not None and len(self.leaf_area_index) not in (1, 36):
            raise InputError(
                f"surface.cells.leaf_area_index: has {len(self.leaf_area_index)} values; give one or 36, "
                "one for each decade of the year"
            )


@dataclass(kw_only=True)
class SurfaceConfig:
    """The cells: a surface map ``path`` (netCDF, dims cell and vegetation_type) or ``cells`` written out."""

    path: str | None = None
    cells: list[CellConfig] = field(default_factory=list)

    def __post_init__(self) -> None:
        if (self.path is None) == (not self.cells):
            raise InputError("surface: give either path or cells")


@dataclass(kw_only=True)
class ForcingConfig:
    """The atmosphere: a SURFEX-convention forcing file, left out when ``prepare`` makes it.

    ``shortwave``: between the records, ``linear`` in time or along the course of the sun (``zenith``).
    """

    path: str | None = None
    shortwave: Literal["linear", "zenith"] = "linear"


@dataclass(kw_only=True)
class ObservationConfig:
    """One observed series.

    Attributes:
        name: how other sections refer to it.
        quantity: what is observed.
        path: the file.
        layout: ``native`` is the package's own format; ``ascat_case`` and ``in_situ_case`` are the satellite samples
            and the probes of a site file.
        depth_cm: of the probe, in a site file.
        error: standard deviation in the units of the quantity, in place of that of the file.
        hours: keep samples within ``hours_tolerance`` of these hours UTC; null keeps all.
        tolerance_km: samples further than this from all cells are left out.
        exponential_filter: time scale in days of a recursive exponential filter; null for none.
        rescale: ``seasonal`` matches mean and standard deviation to the open loop, by month.
        rescale_start, rescale_end: period of this fit; null takes the training period or, without one, that of the
            assimilation.
    """

    name: str
    quantity: Literal["sigma0", "SSM", "LAI"]
    path: str | None = None
    layout: Literal["native", "ascat_case", "in_situ_case"] = "native"
    depth_cm: int = 5
    error: float | None = None
    hours: list[float] | None = None
    hours_tolerance: float = 2.0
    tolerance_km: float = 15.0
    exponential_filter: float | None = None
    rescale: Literal["none", "seasonal"] = "none"
    rescale_start: str | None = None
    rescale_end: str | None = None

    def __post_init__(self) -> None:
        where = f"observations.{self.name}"
        check_positive(
            where,
            error=self.error,
            exponential_filter=self.exponential_filter,
            hours_tolerance=self.hours_tolerance,
            tolerance_km=self.tolerance_km,
        )
        for hour in self.hours or []:
            if not 0 <= hour < 24:
                raise InputError(f"{where}.hours: {hour:g} is not an hour of the day, 0..24")
        if self.rescale == "seasonal" and self.quantity != "SSM":
            raise InputError(f"{where}.rescale: only SSM is rescaled, {self.quantity} is not")
        if (self.rescale_start is None) != (self.rescale_end is None):
            raise InputError(f"{where}: give both rescale_start and rescale_end, or none of them")
        if self.rescale_start is not None and self.rescale_end is not None:
            if self.rescale == "none":
                raise InputError(f"{where}.rescale_start: nothing is rescaled; set rescale to seasonal or leave it out")
            check_period(where, self.rescale_start, self.rescale_end, ("rescale_start", "rescale_end"))
        if self.layout == "in_situ_case" and self.quantity != "SSM":
            raise InputError(f"{where}.layout: in_situ_case holds SSM, not {self.quantity}")


@dataclass(kw_only=True)
class SpinUpConfig:
    """The run from ``start`` to ``end`` is repeated ``repetitions`` times before the open loop."""

    start: str
    end: str
    repetitions: int = 20

    def __post_init__(self) -> None:
        check_period("open_loop.spin_up", self.start, self.end)
        _check_midnight("open_loop.spin_up", self.start, self.end)
        if self.repetitions < 1:
            raise InputError(f"open_loop.spin_up.repetitions: {self.repetitions} is less than 1; leave spin_up out")


@dataclass(kw_only=True)
class OpenLoopConfig:
    """The run without assimilation.

    ``output_hours``: cell means are written every so many hours UTC; ``block_days``: days between two restart files,
    which are all that a killed run can lose; ten days cost about what a window of the analysis costs.
    """

    start: str
    end: str
    spin_up: SpinUpConfig | None = None
    output_hours: int = 1
    block_days: int = 10

    def __post_init__(self) -> None:
        check_period("open_loop", self.start, self.end)
        _check_midnight("open_loop", self.start, self.end)
        if self.output_hours < 1 or 24 % self.output_hours:
            raise InputError(f"open_loop.output_hours: {self.output_hours} does not divide the day")
        check_positive("open_loop", block_days=self.block_days)


def check_unique(where: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{where}: name {name!r} is given twice; rename one")
