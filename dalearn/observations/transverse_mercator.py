"""The transverse Mercator projection (UTM) of an ellipsoid, both ways.

Krueger's series to the fourth order of the third flattening: Karney (2011, doi:10.1007/s00190-011-0445-3, equations
7-11, 35, 36), accurate to less than a millimetre within some 40 degrees of the central meridian.
"""

from dataclasses import dataclass

import numpy as np

WGS84_RADIUS, WGS84_INVERSE_FLATTENING = 6378137.0, 298.257223563


@dataclass(frozen=True)
class TransverseMercator:
    """Parameters as CF names them; lengths in m, angles in degrees."""

    longitude_of_central_meridian: float
    latitude_of_projection_origin: float = 0.0
    scale_factor_at_central_meridian: float = 0.9996
    false_easting: float = 500_000.0
    false_northing: float = 0.0
    semi_major_axis: float = WGS84_RADIUS
    inverse_flattening: float = WGS84_INVERSE_FLATTENING

    @property
    def _third_flattening(self) -> float:
        return 1.0 / (2.0 * self.inverse_flattening - 1.0)

    @property
    def _radius(self) -> float:
        """Radius of the sphere whose meridian is as long, times the scale."""
        n = self._third_flattening
        rectifying = self.semi_major_axis / (1.0 + n) * (1.0 + n**2 / 4.0 + n**4 / 64.0)
        return self.scale_factor_at_central_meridian * rectifying

    @property
    def _eccentricity(self) -> float:
        flattening = 1.0 / self.inverse_flattening
        return float(np.sqrt(flattening * (2.0 - flattening)))

    @property
    def _forward_terms(self) -> tuple[float, ...]:
        n = self._third_flattening
        return (
            n / 2.0 - 2.0 * n**2 / 3.0 + 5.0 * n**3 / 16.0 + 41.0 * n**4 / 180.0,
            13.0 * n**2 / 48.0 - 3.0 * n**3 / 5.0 + 557.0 * n**4 / 1440.0,
            61.0 * n**3 / 240.0 - 103.0 * n**4 / 140.0,
            49561.0 * n**4 / 161280.0,
        )

    @property
    def _inverse_terms(self) -> tuple[float, ...]:
        n = self._third_flattening
        return (
            n / 2.0 - 2.0 * n**2 / 3.0 + 37.0 * n**3 / 96.0 - n**4 / 360.0,
            n**2 / 48.0 + n**3 / 15.0 - 437.0 * n**4 / 1440.0,
            17.0 * n**3 / 480.0 - 37.0 * n**4 / 840.0,
            4397.0 * n**4 / 161280.0,
        )

    def forward(self, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Easting and northing in m of positions in degrees."""
        north, east = self._sphere(np.deg2rad(latitude), longitude)
        origin, _ = self._sphere(np.deg2rad(self.latitude_of_projection_origin), self.longitude_of_central_meridian)
        return (
            self.false_easting + self._radius * east,
            self.false_northing + self._radius * (north - origin),
        )

    def _sphere(self, north: np.ndarray, longitude: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Northing and easting on the unit sphere of the projection."""
        away = np.deg2rad((np.asarray(longitude) - self.longitude_of_central_meridian + 180.0) % 360.0 - 180.0)
        sine, e = np.sin(north), self._eccentricity
        tangent = np.sinh(np.arctanh(sine) - e * np.arctanh(e * sine))
        xi = np.arctan2(tangent, np.cos(away))
        eta = np.arcsinh(np.sin(away) / np.hypot(tangent, np.cos(away)))
        northing, easting = xi, eta
        for order, term in enumerate(self._forward_terms, start=1):
            northing = northing + term * np.sin(2 * order * xi) * np.cosh(2 * order * eta)
            easting = easting + term * np.cos(2 * order * xi) * np.sinh(2 * order * eta)
        return northing, easting

    def inverse(self, easting: np.ndarray, northing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude in degrees of positions in m."""
        origin, _ = self._sphere(np.deg2rad(self.latitude_of_projection_origin), self.longitude_of_central_meridian)
        xi = (np.asarray(northing) - self.false_northing) / self._radius + origin
        eta = (np.asarray(easting) - self.false_easting) / self._radius
        north, east = xi, eta
        for order, term in enumerate(self._inverse_terms, start=1):
            north = north - term * np.sin(2 * order * xi) * np.cosh(2 * order * eta)
            east = east - term * np.cos(2 * order * xi) * np.sinh(2 * order * eta)
        conformal = np.sin(north) / np.hypot(np.sinh(east), np.cos(north))
        tangent = self._geographic(conformal)
        longitude = np.rad2deg(np.arctan2(np.sinh(east), np.cos(north))) + self.longitude_of_central_meridian
        return np.rad2deg(np.arctan(tangent)), (longitude + 180.0) % 360.0 - 180.0

    def _geographic(self, conformal: np.ndarray) -> np.ndarray:
        """Tangent of the geographic latitude from that of the conformal one, by Newton's method."""
        e = self._eccentricity
        tangent = np.asarray(conformal) / (1.0 - e**2)
        for _ in range(3):
            secant = np.hypot(1.0, tangent)
            sigma = np.sinh(e * np.arctanh(e * tangent / secant))
            found = tangent * np.hypot(1.0, sigma) - sigma * secant
            slope = (1.0 + (1.0 - e**2) * tangent**2) / ((1.0 - e**2) * secant * np.hypot(1.0, found))
            tangent = tangent + (np.asarray(conformal) - found) * slope
        return tangent


def utm(zone: int, south: bool = False) -> TransverseMercator:
    """UTM on WGS 84; ``zone`` 1 to 60."""
    return TransverseMercator(6.0 * zone - 183.0, false_northing=10_000_000.0 if south else 0.0)
