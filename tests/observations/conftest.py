"""Small product files in the documented layouts, and requests for them."""

import gzip
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest

from dalearn.experiments.prepare_sections import PrepareObservationsConfig
from dalearn.observations.prepare import prepare_observations

Prepare = Callable[..., dict[str, int]]


def request_of(format: str, **wishes: Any) -> PrepareObservationsConfig:
    quantity = "LAI" if format == "cgls_lai" else "SSM"
    return PrepareObservationsConfig(
        **{"name": "product", "quantity": quantity, "format": format, "files": ["x"], **wishes}
    )


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    """``prepare(format, files, latitude, longitude, **wishes)`` writes ``prepared.nc``; returns the counts."""

    def run(format: str, files: Any, latitude: Any, longitude: Any, **wishes: Any) -> dict[str, int]:
        files = [files] if isinstance(files, Path) else files
        where = np.atleast_1d(np.asarray(latitude, float)), np.atleast_1d(np.asarray(longitude, float))
        return prepare_observations(request_of(format, **wishes), files, *where, tmp_path / "prepared.nc")

    return run


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """What the last ``prepare`` wrote: plain arrays by name, ``reason`` as words, and the global attributes."""

    def read() -> dict[str, Any]:
        with netCDF4.Dataset(tmp_path / "prepared.nc") as dataset:
            dataset.set_auto_mask(False)
            arrays: dict[str, Any] = {name: variable[:] for name, variable in dataset.variables.items()}
            words = np.array(dataset["rejected"].flag_meanings.split())
            arrays["reason"] = words[arrays["rejected"]]
            arrays["when"] = np.datetime64("1970-01-01T00:00:00", "s") + arrays["time"].astype("timedelta64[s]")
            return {**arrays, "attributes": {key: dataset.getncattr(key) for key in dataset.ncattrs()}}

    return read


def variable(
    dataset: netCDF4.Dataset,
    name: str,
    kind: str,
    dimensions: tuple[str, ...],
    values: Any,
    attributes: Mapping[str, Any] | None = None,
    fill: Any = None,
) -> None:
    """A variable whose stored numbers are ``values``."""
    created = dataset.createVariable(name, kind, dimensions, fill_value=fill)
    created.set_auto_maskandscale(False)
    created.setncatts(attributes or {})
    created[:] = values


class Products:
    """Writes faultless product files; tests change them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def hsaf(self, name: str = "H121.nc", indexed: bool = False, old: bool = False, days: int = 6) -> Path:
        """Two grid points (cell 0: 43.0 N 1.0 E; the other 0.1 degree north of it) with ``days`` samples each, and a
        masked location."""
        path = self.folder / name
        with netCDF4.Dataset(path, "w") as dataset:
            dataset.createDimension("locations", 3)
            dataset.createDimension("obs", 2 * days)
            variable(dataset, "lat", "f4", ("locations",), [43.0, 43.1, -999999.0], fill=-999999.0)
            variable(dataset, "lon", "f4", ("locations",), [1.0, 1.0, -999999.0], fill=-999999.0)
            variable(dataset, "location_id", "i8", ("locations",), [100, 101, -(2**63)], fill=-(2**63))
            if indexed:
                index = np.tile([0, 1], days)
                variable(dataset, "locationIndex", "i4", ("obs",), index, {"instance_dimension": "locations"})
            else:
                index = np.repeat([0, 1], days)
                variable(dataset, "row_size", "i4", ("locations",), [days, days, -1], {"sample_dimension": "obs"}, -1)
            day = np.empty(2 * days)
            for point in (0, 1):
                day[index == point] = 40000.0 + np.arange(days) + 0.4 + point / 86400.0
            variable(dataset, "time", "f8", ("obs",), day, {"units": "days since 1900-01-01 00:00:00"})
            number = np.arange(2 * days)
            byte = {"proc": "proc_flag", "snow": "snow_prob", "frozen": "frozen_prob", "pass": "dir"} if old else {
                "proc": "processing_flag", "snow": "snow_cover_probability", "frozen": "frozen_soil_probability",
                "pass": "as_des_pass",
            }  # fmt: skip
            sigma = "sigma40" if old else "backscatter40"
            moisture = "sm" if old else "surface_soil_moisture"
            variable(dataset, sigma, "f4", ("obs",), -10.0 - 0.1 * number, {"units": "dB"}, -999999.0)
            variable(dataset, f"{sigma}_noise", "f4", ("obs",), 0.2 + 0.01 * number, {"units": "dB"}, -999999.0)
            variable(dataset, moisture, "f4", ("obs",), 20.0 + number, {"units": "percent"}, -999999.0)
            variable(dataset, f"{moisture}_noise", "f4", ("obs",), 3.0 + 0.1 * number, {"units": "percent"}, -999999.0)
            for key, kind, fill in (
                ("proc", "u1", 255),
                ("snow", "i1", -128),
                ("frozen", "i1", -128),
                ("pass", "u1", 255),
            ):
                variable(
                    dataset, byte[key], kind, ("obs",), number % 2 if key == "pass" else np.zeros(2 * days), {}, fill
                )
            variable(dataset, "ssf", "i1", ("obs",), np.ones(2 * days), {}, -128)
        return path

    def swath(self, name: str = "swath.nc", minute: int = 0) -> Path:
        """4 lines of 3 cells from 43.0 N 1.0 E in steps of 0.25 degree, sigma40 -8 to -19 dB, EUMETSAT's packing."""
        path = self.folder / name
        with netCDF4.Dataset(path, "w") as dataset:
            dataset.createDimension("numRows", 4)
            dataset.createDimension("numCells", 3)
            both = ("numRows", "numCells")
            seconds = 60 * minute + 4 * np.arange(4)
            variable(
                dataset, "utc_line_nodes", "i4", ("numRows",), seconds, {"units": "seconds since 2020-01-01 00:00:00"}
            )
            latitude, longitude = np.meshgrid(43.0 + 0.25 * np.arange(4), 1.0 + 0.25 * np.arange(3), indexing="ij")
            micro = {"scale_factor": np.float32(1e-6)}
            variable(dataset, "latitude", "i4", both, np.rint(latitude * 1e6), micro)
            variable(dataset, "longitude", "i4", both, np.rint(longitude * 1e6), micro)
            wrong = {**micro, "units": "dB", "valid_min": np.int32(-10_000_000), "valid_max": np.int32(10_000_000)}
            variable(
                dataset, "sigma40", "i4", both, -8_000_000 - 1_000_000 * np.arange(12).reshape(4, 3), wrong, -(2**31)
            )
            variable(dataset, "sigma40_error", "i4", both, np.full((4, 3), 150_000), {**micro, "units": "dB"}, -(2**31))
            variable(dataset, "as_des_pass", "i1", ("numRows",), [0, 0, 1, 1], {}, 127)
            variable(dataset, "proc_flag1", "u1", both, np.zeros((4, 3)))
            variable(dataset, "snow_cover_probability", "u1", both, 10 * np.arange(12).reshape(4, 3))
        return path

    def table(self, name: str = "ascat.csv.gz") -> Path:
        """Two grid points with 4 samples each."""
        rows = ["gpi,lat,lon,topo,wetland,time,ssm_pct,ssm_noise_pct,proc_flag,ssf,orbit"]
        for gpi, latitude in ((7, 43.0), (8, 43.1)):
            rows += [
                f"{gpi},{latitude},1.0,5,3,2012-01-0{day} 09:30:0{gpi - 7},{10 * day}.0,4.0,0.0,1.0,{'AD'[day % 2]}"
                for day in range(1, 5)
            ]
        path = self.folder / name
        path.write_bytes(gzip.compress("\n".join(rows).encode()) if name.endswith(".gz") else "\n".join(rows).encode())
        return path

    def raster(
        self,
        name: str,
        layers: Mapping[str, tuple[str, Any, Mapping[str, Any]]],
        latitude: np.ndarray,
        longitude: np.ndarray,
        day: float | None = 17318.0,
        attributes: Mapping[str, Any] | None = None,
    ) -> Path:
        """Layers (lat, lon) as name -> kind, stored numbers, attributes; a time dimension unless ``day`` is None."""
        path = self.folder / name
        with netCDF4.Dataset(path, "w") as dataset:
            dataset.setncatts(attributes or {})
            dimensions = ("lat", "lon") if day is None else ("time", "lat", "lon")
            if day is not None:
                dataset.createDimension("time", 1)
                variable(dataset, "time", "f8", ("time",), [day], {"units": "days since 1970-01-01"})
            for dimension, values in (("lat", latitude), ("lon", longitude)):
                dataset.createDimension(dimension, len(values))
                variable(dataset, dimension, "f8", (dimension,), values)
            for layer, (kind, numbers, described) in layers.items():
                rest = {key: value for key, value in described.items() if key != "_FillValue"}
                numbers = np.asarray(numbers).reshape((1,) * (day is not None) + np.shape(numbers))
                variable(dataset, layer, kind, dimensions, numbers, rest, described.get("_FillValue"))
        return path

    # 8 x 8 pixels of 0.05 degrees, north to south, around 43.2 N 1.2 E: four cells of 0.2 degrees
    north_to_south = 43.375 - 0.05 * np.arange(8)
    west_to_east = 1.025 + 0.05 * np.arange(8)
    cells = ([43.1, 43.1, 43.3, 43.3], [1.1, 1.3, 1.1, 1.3])

    def lai(
        self, name: str = "c_gls_LAI_201706100000_GLOBE_PROBAV_V2.0.2.nc", numbers: Any = None, flags: Any = None,
        small: bool = False, day: float = 17327.0,
    ) -> Path:  # fmt: skip
        """LAI of 60/30 = 2 unless ``numbers`` (8, 8) says otherwise."""
        numbers = np.full((8, 8), 60) if numbers is None else numbers
        flags = np.zeros((8, 8)) if flags is None else flags
        described = {
            "scale_factor": 1.0 / 30.0,
            "add_offset": 0.0,
            "_FillValue": 255,
            "valid_range": np.uint8([0, 210]),
        }
        layers = {"LAI": ("u1", numbers, described), "QFLAG": ("u2", flags, {"_FillValue": 65535})}
        layers = {key.lower() if small else key: layer for key, layer in layers.items()}
        return self.raster(name, layers, self.north_to_south, self.west_to_east, day)

    soil_moisture: Mapping[str, Any] = {
        "scale_factor": 0.5, "units": "%", "_FillValue": 255, "valid_range": np.uint8([0, 200]),
        "flag_values": np.uint8([241, 242, 251, 252, 253]),
        "flag_meanings": "ExceedingMin ExceedingMax WaterMask SensitivityMask SlopeMask",
    }  # fmt: skip

    def ssm(self, name: str = "c_gls_SSM1km_201706010000_CEURO_S1CSAR_V1.1.1.nc", numbers: Any = None) -> Path:
        """SSM of 30 % with a noise of 6 %."""
        numbers = np.full((8, 8), 60) if numbers is None else numbers
        layers = {
            "ssm": ("u1", numbers, self.soil_moisture),
            "ssm_noise": ("u1", np.full((8, 8), 12), self.soil_moisture),
        }
        return self.raster(name, layers, self.north_to_south, self.west_to_east)

    def swi(
        self, name: str = "c_gls_SWI_201706011200_GLOBE_ASCAT_V3.1.1.nc", quality: int = 180, state: int = 1
    ) -> Path:
        """SWI of 40 % for T = 5 and 50 % for T = 20."""
        layers = {
            "SWI_005": ("u1", np.full((8, 8), 80), self.soil_moisture),
            "SWI_020": ("u1", np.full((8, 8), 100), self.soil_moisture),
            "QFLAG_005": ("u1", np.full((8, 8), quality), self.soil_moisture),
            "SSF": ("u1", np.full((8, 8), state), {"_FillValue": 255}),
        }
        return self.raster(name, layers, self.north_to_south, self.west_to_east)

    s2mp: Mapping[str, Any] = {"units": "vol.%", "scale_factor": 0.2}

    def sentinel1(self, name: str = "S2MP_20170601.nc", numbers: Any = None, **described: Any) -> Path:
        """Moisture of 20 vol.% (the number 100)."""
        numbers = np.full((8, 8), 100) if numbers is None else numbers
        layers = {"Band1": ("u1", numbers, {**self.s2mp, **described})}
        return self.raster(name, layers, self.north_to_south, self.west_to_east, None)

    def sentinel1_utm(
        self, name: str = "S2MP_20170602.nc", crs: Mapping[str, Any] | None = None, shift: float = 0.0
    ) -> Path:
        """20 vol.% on 60 x 60 pixels of 1 km in UTM 31 N, around 43.2 N 1.2 E."""
        crs = {"grid_mapping_name": "transverse_mercator", "longitude_of_central_meridian": 3.0,
               "latitude_of_projection_origin": 0.0, "scale_factor_at_central_meridian": 0.9996,
               "false_easting": 500000.0, "false_northing": 0.0} if crs is None else crs  # fmt: skip
        path = self.folder / name
        with netCDF4.Dataset(path, "w") as dataset:
            for dimension, values in (
                ("y", 4815500.0 - 1000.0 * np.arange(60)),
                ("x", 324500.0 + 1000.0 * np.arange(60)),
            ):
                dataset.createDimension(dimension, 60)
                variable(dataset, dimension, "f8", (dimension,), values + shift, {"units": "m"})
            variable(dataset, "crs", "i4", (), 0, crs)
            variable(dataset, "Band1", "u1", ("y", "x"), np.full((60, 60), 100), {**self.s2mp, "grid_mapping": "crs"})
        return path

    def ismn(
        self, sensor: str = "Probe_5 TM", depth: float = 0.05, station: str = "Lezignan", rows: list[str] | None = None,
        latitude: float = 43.0,
    ) -> Path:  # fmt: skip
        """Header + values with four rows, the third flagged D03,D10."""
        rows = rows or [
            "2012/01/01 00:00 0.21 G M", "2012/01/01 01:00 0.22 G M", "2012/01/01 02:00 0.9 D03,D10 M",
            "2012/01/01 03:00 0.23 G M",
        ]  # fmt: skip
        name = f"NET_NET_{station}_sm_{depth:.6f}_{depth:.6f}_{sensor.replace(' ', '-')}_19500101_20250101.stm"
        path = self.folder / name
        header = f"NET  NET  {station}  {latitude:.5f}  1.00000  60.0  {depth:.2f}  {depth:.2f}  {sensor}"
        path.write_text("\n".join([header, *rows, ""]))
        return path

    def zipped(self, *files: Path, name: str = "ismn.zip") -> Path:
        path = self.folder / name
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, f"NET/station/{file.name}")
        return path


@pytest.fixture
def products(tmp_path: Path) -> Products:
    folder = tmp_path / "products"
    folder.mkdir()
    return Products(folder)
