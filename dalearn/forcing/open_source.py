"""The source of each forcing format."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dalearn.errors import InputError
from dalearn.forcing.arome import AromeFiles
from dalearn.forcing.daily_table import DailyTables
from dalearn.forcing.era5 import Era5
from dalearn.forcing.grib import unpacked
from dalearn.forcing.source import ForcingSource
from dalearn.forcing.surfex import SurfexFiles
from dalearn.forcing.tower import TowerFile


@dataclass(frozen=True)
class SiteSettings:
    """What a file may leave unsaid: degrees, m, and hours ahead of UTC; None where unknown."""

    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    temperature_height: float = 2.0
    wind_height: float = 10.0
    utc_offset: float | None = None


@contextmanager
def open_source(
    kind: str,
    paths: Sequence[Path],
    latitude: np.ndarray,
    longitude: np.ndarray,
    settings: SiteSettings,
) -> Iterator[ForcingSource]:
    """The files ``paths`` of the format ``kind`` around the cells (cell,), ready to be read.

    Raises InputError, one line with file, variable and mend.
    """
    heights = {"temperature_height": settings.temperature_height, "wind_height": settings.wind_height}
    if kind == "surfex":
        yield SurfexFiles(paths, **heights)
    elif kind in ("era5", "era5_land"):
        with unpacked(paths) as files:
            yield Era5(files, latitude, longitude, land=kind == "era5_land", **heights)
    elif kind == "arome":
        with unpacked(paths, forecast=True) as files:
            yield AromeFiles(files, latitude, longitude, **heights)
    elif kind == "alma":
        yield TowerFile(paths, utc_offset=settings.utc_offset, altitude=settings.altitude, **heights)
    elif kind == "daily_table":
        for name in ("latitude", "longitude", "altitude"):
            if getattr(settings, name) is None:
                raise InputError(f"prepare.forcing.{name} is missing; a daily table does not say where it is, add it")
        assert settings.latitude is not None
        assert settings.longitude is not None
        assert settings.altitude is not None
        yield DailyTables(
            paths,
            latitude=settings.latitude,
            longitude=settings.longitude,
            altitude=settings.altitude,
            utc_offset=settings.utc_offset or 0.0,
            **heights,
        )
    else:
        raise InputError(f"prepare.forcing.format: {kind!r} is not known")
