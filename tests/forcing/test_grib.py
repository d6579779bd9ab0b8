"""GRIB through cfgrib, where it is installed: the same forcing as from netCDF."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dalearn.forcing.open_source import SiteSettings, open_source

from .downloads import ACCUMULATED, HOUR, LATITUDES, LONGITUDES, START, atmosphere, hours

eccodes = pytest.importorskip("eccodes", exc_type=ImportError)
pytest.importorskip("cfgrib", exc_type=ImportError)

CELL = (np.array([43.5]), np.array([-0.25]))
ROW, COLUMN = int(np.argmin(np.abs(LATITUDES - 43.5))), int(np.argmin(np.abs(LONGITUDES + 0.25)))
SHORT = {"t2m": "2t", "d2m": "2d", "u10": "10u", "v10": "10v"}
COUNT = 30


def write_field(file: Any, name: str, values: np.ndarray, base: np.datetime64, steps: tuple[int, int] | None) -> None:
    """One GRIB 1 message of ECMWF; ``steps`` from and to hours after ``base`` for a sum, or None."""
    message = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib1")
    moment = base.astype(object)
    keys = {
        "centre": "ecmf", "table2Version": 228 if name == "fdir" else 128,
        "dataDate": int(moment.strftime("%Y%m%d")), "dataTime": moment.hour * 100,
        "Ni": len(LONGITUDES), "Nj": len(LATITUDES), "bitsPerValue": 24,
        "latitudeOfFirstGridPointInDegrees": LATITUDES[0], "latitudeOfLastGridPointInDegrees": LATITUDES[-1],
        "longitudeOfFirstGridPointInDegrees": LONGITUDES[0] % 360.0,
        "longitudeOfLastGridPointInDegrees": LONGITUDES[-1], "iDirectionIncrementInDegrees": 0.25,
        "jDirectionIncrementInDegrees": 0.25, "shortName": SHORT.get(name, name),
    }  # fmt: skip
    if steps is not None:
        keys |= {"stepType": "accum" if name in ACCUMULATED else "instant", "stepRange": f"{steps[0]}-{steps[1]}"}
    for key, value in keys.items():
        eccodes.codes_set(message, key, float(value) if isinstance(value, np.floating) else value)
    eccodes.codes_set_values(message, np.ascontiguousarray(values, np.float64).ravel())
    eccodes.codes_write(message, file)
    eccodes.codes_release(message)


def compare(path: Path, kind: str, raw: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    with open_source(kind, [path], *CELL, SiteSettings()) as source:
        values = source.read(slice(0, len(source.times)))
        east = (source.points.longitude + 180.0) % 360.0 - 180.0
        node = int(np.argmin(np.hypot(source.points.latitude - CELL[0], east - CELL[1])))
        for name, series in {"Tair": raw["t2m"][:, ROW, COLUMN], **expected}.items():
            np.testing.assert_allclose(values[name][:, node], series, rtol=2e-5, atol=2e-4 * np.abs(series).max())


def test_era5(tmp_path: Path) -> None:
    """Sums come from forecasts of 06 and 18 UTC, each over its own hour."""
    raw = atmosphere(hours(COUNT))
    path = tmp_path / "era5.grib"
    with path.open("wb") as file:
        for row, time in enumerate(hours(COUNT)):
            into = (time.astype(object).hour - 6) % 12 or 12
            for name, values in raw.items():
                if name in ACCUMULATED:
                    write_field(file, name, values[row], time - into * HOUR, (into - 1, into))
                else:
                    write_field(file, name, values[row], time, None)
    at = {name: values[:, ROW, COLUMN] / 3600.0 for name, values in raw.items()}
    compare(path, "era5", raw, {"LWdown": at["strd"], "SCA_SWdown": at["ssrd"] - at["fdir"], "Snowf": 1e3 * at["sf"]})


def test_forecast_of_a_limited_area_model(tmp_path: Path) -> None:
    """Sums from the base time of the forecast are taken apart."""
    raw = {name: values[1:] for name, values in atmosphere(hours(COUNT)).items()}
    path = tmp_path / "arome.grib"
    with path.open("wb") as file:
        for row in range(COUNT - 1):
            for name in ("t2m", "d2m", "sp", "u10", "v10"):
                write_field(file, name, raw[name][row], START, (row + 1, row + 1))
            for name in ("ssrd", "strd", "tp"):
                write_field(file, name, raw[name][: row + 1].sum(axis=0), START, (0, row + 1))
    at = {name: values[:, ROW, COLUMN] / 3600.0 for name, values in raw.items()}
    compare(path, "arome", raw, {"LWdown": at["strd"], "SWdown": at["ssrd"], "Precip": 1e3 * at["tp"]})
