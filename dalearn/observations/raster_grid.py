"""Where the pixels of a raster lie: regular in latitude and longitude, or in a transverse Mercator projection."""

import re
from dataclasses import dataclass

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.observations.transverse_mercator import TransverseMercator, utm

LATITUDE_NAMES = ("lat", "latitude")
LONGITUDE_NAMES = ("lon", "longitude")
UNEVEN = 1e-3  # of a spacing


@dataclass(frozen=True, eq=False)
class RasterGrid:
    """Evenly spaced axes, ``y`` (row,) and ``x`` (column,): degrees without ``projection``, else m."""

    y: np.ndarray
    x: np.ndarray
    projection: TransverseMercator | None = None

    @property
    def dy(self) -> float:
        return float(self.y[-1] - self.y[0]) / (len(self.y) - 1)

    @property
    def dx(self) -> float:
        return float(self.x[-1] - self.x[0]) / (len(self.x) - 1)

    @property
    def wraps(self) -> bool:
        """Whether the columns go round the globe."""
        return self.projection is None and abs(abs(self.dx) * len(self.x) - 360.0) < abs(self.dx) / 2.0

    def same(self, other: "RasterGrid | None") -> bool:
        """Whether two rasters have the same pixels."""
        return (
            other is not None
            and self.projection == other.projection
            and np.array_equal(self.y, other.y)
            and np.array_equal(self.x, other.x)
        )

    def fractional_index(self, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of places (place,) in degrees, as real numbers; outside they are beyond the axes."""
        if self.projection is not None:
            x, y = self.projection.forward(latitude, longitude)
            return (y - self.y[0]) / self.dy, (x - self.x[0]) / self.dx
        middle = (self.x[0] + self.x[-1]) / 2.0
        away = (np.asarray(longitude) - middle + 180.0) % 360.0 - 180.0
        return (np.asarray(latitude) - self.y[0]) / self.dy, (middle + away - self.x[0]) / self.dx

    def positions(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude of a window of pixels, both (row, column)."""
        y, x = np.meshgrid(self.y[rows], self.x[columns], indexing="ij")
        return (y, x) if self.projection is None else self.projection.inverse(x, y)


def read_grid(dataset: netCDF4.Dataset, name: str) -> RasterGrid:
    """The grid of the last two dimensions of a variable.

    Raises InputError for axes that are missing, uneven or out of order, and for a coordinate system that is missing
    or unknown.
    """
    path, dimensions = dataset.filepath(), dataset[name].dimensions
    if len(dimensions) < 2:
        raise InputError(f"{path}: {name} has the dimensions {dimensions}; expected (time, lat, lon)")
    y, x = (_axis(dataset, name, dimension) for dimension in dimensions[-2:])
    kinds = _kind(dataset, dimensions[-2]), _kind(dataset, dimensions[-1])
    if kinds[0] == "longitude" or kinds[1] == "latitude":
        raise InputError(f"{path}: {name} has the dimensions {dimensions}; transpose it to (..., lat, lon)")
    if kinds == ("latitude", "longitude"):
        if np.abs(y).max() > 90.0 or np.abs(x).max() > 360.0:
            raise InputError(
                f"{path}: {dimensions[-2]} runs from {y[0]:g} to {y[-1]:g}, {dimensions[-1]} from {x[0]:g} to "
                f"{x[-1]:g}: no degrees; name the projection in a grid_mapping variable"
            )
        return RasterGrid(y, x)
    return RasterGrid(y, x, _projection(dataset, name, y, x))


def _axis(dataset: netCDF4.Dataset, name: str, dimension: str) -> np.ndarray:
    path = dataset.filepath()
    if dimension not in dataset.variables:
        raise InputError(f"{path}: {name} has the dimension {dimension} without coordinates; add variable {dimension}")
    values = np.ma.filled(np.ma.asarray(dataset[dimension][:]).astype(np.float64), np.nan)
    if len(values) < 2 or not np.isfinite(values).all():
        raise InputError(f"{path}: {dimension} needs at least two values, all defined; write it again")
    step = np.diff(values)
    if not (np.abs(step - step.mean()) <= UNEVEN * abs(step.mean())).all() or step.mean() == 0.0:
        raise InputError(f"{path}: {dimension} is not evenly spaced; give a raster on a regular grid")
    return values


def _kind(dataset: netCDF4.Dataset, dimension: str) -> str:
    variable = dataset[dimension]
    standard, units = str(getattr(variable, "standard_name", "")), str(getattr(variable, "units", ""))
    for kind, names, unit in (
        ("latitude", LATITUDE_NAMES, ("degrees_north", "degree_north")),
        ("longitude", LONGITUDE_NAMES, ("degrees_east", "degree_east")),
    ):
        if standard == kind or units in unit or (not standard and dimension.lower() in names):
            return kind
    return "projection"


def _projection(dataset: netCDF4.Dataset, name: str, y: np.ndarray, x: np.ndarray) -> TransverseMercator:
    path = dataset.filepath()
    mapping = str(getattr(dataset[name], "grid_mapping", "")).split(":")[0].strip()
    if mapping not in dataset.variables:
        raise InputError(
            f"{path}: {name} has no coordinate reference system (grid_mapping); add it, or latitude and longitude"
        )
    crs = dataset[mapping]
    kind = str(getattr(crs, "grid_mapping_name", ""))
    text = str(getattr(crs, "spatial_ref", getattr(crs, "crs_wkt", getattr(crs, "epsg_code", ""))))
    zones = re.findall(r"(?:EPSG\D{1,4})(32[67]\d\d)\b", text)
    if kind == "transverse_mercator" and "longitude_of_central_meridian" in crs.ncattrs():
        names = TransverseMercator.__dataclass_fields__
        found = TransverseMercator(**{key: float(crs.getncattr(key)) for key in names if key in crs.ncattrs()})
    elif kind in ("", "transverse_mercator") and zones and 1 <= int(zones[-1]) % 100 <= 60:
        found = utm(int(zones[-1]) % 100, south=zones[-1].startswith("327"))
    else:
        raise InputError(
            f"{path}: {mapping} of {name} is {kind or 'unnamed'}, which does not fit its axes or is not known; give "
            "latitude and longitude, or UTM (transverse_mercator)"
        )
    if not (np.abs(x - found.false_easting).max() < 1.5e6 and np.abs(y).max() < 1.1e7) or np.abs(x).max() <= 360.0:
        raise InputError(
            f"{path}: x runs from {x[0]:g} to {x[-1]:g}, y from {y[0]:g} to {y[-1]:g}: no metres of the "
            f"transverse_mercator that {mapping} names; correct it"
        )
    return found
