"""Faulty maps: each gives one line that names the file, the variable and the mend, exit code 2, and no file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml

from dalearn.cli import main
from dalearn.land.vegetation import VEGETATION_TYPES

from .rasters import GRID, LATITUDES, LONGITUDES, land_cover, write_map, write_maps

Make = Callable[[dict[str, Path]], None]


@dataclass(frozen=True)
class Fault:
    """``make`` spoils one of the files; the error must hold all of ``words``; ``section`` changes the YAML."""

    name: str
    make: Make
    words: tuple[str, ...]
    section: tuple[tuple[str, Any], ...] = ()


def rewritten(key: str, *arguments: Any, **options: Any) -> Make:
    """One of the maps written anew."""
    return lambda files: (write_map(files[key], *arguments, **options), None)[1]


def edited(key: str, edit: Callable[[netCDF4.Dataset], object]) -> Make:
    def make(files: dict[str, Path]) -> None:
        with netCDF4.Dataset(files[key], "a") as file:
            edit(file)

    return make


def projected(file: netCDF4.Dataset) -> None:
    file.createVariable("crs", "i4", ()).grid_mapping_name = "lambert_azimuthal_equal_area"


def curved(file: netCDF4.Dataset) -> None:
    file.renameVariable("lat", "rlat")
    file.createVariable("lat", "f8", ("lat", "lon"))[:] = np.broadcast_to(LATITUDES[:, None], (28, 28))


def bytes_of(key: str, change: Callable[[bytes], bytes]) -> Make:
    return lambda files: (files[key].write_bytes(change(files[key].read_bytes())), None)[1]


def with_class(code: int) -> Make:
    classes = land_cover()
    classes[8, 8] = code
    return rewritten("land_cover", {"lccs_class": (classes, {})})


def texture(clay: Any, sand: Any, units: str = "%") -> Make:
    return rewritten("texture", {"clay": (clay, {"units": units}), "sand": (sand, {"units": units})})


def extra(key: str, **fields: Any) -> Make:
    """A further map beside the others."""
    return lambda files: (write_map(files["altitude"].parent / f"{key}.nc", fields), None)[1]


def fractions(total: float) -> Make:
    """A map of fractions of types that sum to ``total``."""

    def make(files: dict[str, Path]) -> None:
        with netCDF4.Dataset(files["land_cover"], "w") as file:
            for name, axis in (("lat", LATITUDES), ("lon", LONGITUDES)):
                file.createDimension(name, len(axis))
                file.createVariable(name, "f8", (name,))[:] = axis
            file.createDimension("type", 19)
            file.createVariable("vegetation_type", str, ("type",))[:] = np.array(VEGETATION_TYPES, dtype=object)
            file.createVariable("fraction", "f8", ("type", "lat", "lon"))[:] = total / 19.0

    return make


ELEVATION = {"elevation": (200.0, {"units": "m"})}
ECOCLIMAP = (("classes", "ecoclimap"),)
FAULTS = [
    Fault("no file", lambda files: files["altitude"].unlink(), ("dem.nc", "no such file", "prepare.surface.altitude")),
    Fault("cut short", bytes_of("land_cover", lambda data: data[: len(data) // 2]), ("cover.nc", "cut short")),
    Fault("GeoTIFF", bytes_of("land_cover", lambda data: b"II*\x00" + data), ("cover.nc", "gdal_translate")),
    Fault("no netCDF", bytes_of("texture", lambda data: b"<html>Your request is queued</html>"),
          ("texture.nc", "not a netCDF file")),
    Fault("zipped", bytes_of("altitude", lambda data: b"PK\x03\x04" + data), ("dem.nc", "unzip")),
    Fault("projected", edited("land_cover", projected), ("cover.nc", "crs", "lambert_azimuthal", "gdalwarp")),
    Fault("metres", rewritten("altitude", ELEVATION, LATITUDES * 1e5, LONGITUDES * 1e5),
          ("dem.nc", "latitude", "not degrees")),
    Fault("x and y", rewritten("altitude", ELEVATION, names=("y", "x")),
          ("dem.nc", "latitude is missing", "gdalwarp")),
    Fault("uneven rows", rewritten("altitude", ELEVATION, LATITUDES + 0.02 * (np.arange(28) == 20)),
          ("dem.nc", "latitude", "not evenly spaced")),
    Fault("map too far north", rewritten("land_cover", {"lccs_class": (land_cover(), {})}, LATITUDES + 0.5),
          ("cover.nc", "covers latitude 43.3 to 44.7", "needs 43 to 44", "prepare.surface.grid")),
    Fault("map too far west", rewritten("texture", {"clay": (0.2, {}), "sand": (0.4, {})}, LATITUDES, LONGITUDES - 0.5),
          ("texture.nc", "longitude -0.7 to 0.7", "0 to 1")),
    Fault("map too far east", rewritten("altitude", ELEVATION, LATITUDES, LONGITUDES + 0.5),
          ("dem.nc", "longitude 0.3 to 1.7")),
    Fault("unknown class", with_class(137),
          ("cover.nc", "lccs_class is 137 at 43.7750 0.2250", "esa_cci", "prepare.surface.classes")),
    Fault("another legend", lambda files: None, ("cover.nc", "lccs_class", "esa_cci", "prepare.surface.classes"),
          (("classes", "cgls_lc100"),)),
    Fault("packed classes", rewritten("land_cover", {"lccs_class": (land_cover(), {"scale_factor": 0.5})}),
          ("cover.nc", "lccs_class", "scale_factor")),
    Fault("pixels larger than cells",
          rewritten("land_cover", {"lccs_class": (10, {})}, np.arange(42.0, 45.1), np.arange(-1.0, 2.1)),
          ("cover.nc", "larger than the cells")),
    Fault("no class variable", rewritten("land_cover", {"a": (land_cover(), {}), "b": (land_cover(), {})}),
          ("cover.nc", "lccs_class is missing", "a, b")),
    Fault("all fill", rewritten("land_cover", {"lccs_class": (np.zeros((28, 28), np.uint8), {})}),
          ("cover.nc", "no cell", "4 without land cover")),
    Fault("sea", rewritten("land_cover", {"lccs_class": (np.full((28, 28), 210, np.uint8), {})}),
          ("cover.nc", "no cell", "4 water")),
    Fault("no sand", rewritten("texture", {"clay": (0.2, {})}), ("texture.nc", "sand is missing")),
    Fault("% without units", texture(20.0, 40.0, ""), ("texture.nc", "clay is 20 (no units)", "outside 0 to 1")),
    Fault("texture in other units", texture(20.0, 40.0, "m"), ("texture.nc", "clay is in m", "%")),
    Fault("two-dimensional axes", edited("altitude", curved), ("dem.nc", "latitude has 2 dimensions", "regrid")),
    Fault("swapped legends", edited("land_cover", lambda file: file.renameVariable("lccs_class",
          "discrete_classification")), ("cover.nc", "classes of cgls_lc100", "not esa_cci")),
    Fault("nothing in it", rewritten("altitude", {}), ("dem.nc", "altitude is missing", "no variable")),
    Fault("more than all", texture(60.0, 55.0), ("texture.nc", "clay and sand sum to 1.150")),
    Fault("no texture", texture(np.nan, np.nan), ("no cell", "4 without texture")),
    Fault("undeclared fill", rewritten("altitude", {"elevation": (-9999.0, {"units": "m"})}),
          ("dem.nc", "elevation is -9999", "fill value")),
    Fault("feet", rewritten("altitude", {"elevation": (600.0, {"units": "feet"})}),
          ("dem.nc", "elevation is in feet")),
    Fault("two that may be meant", rewritten("altitude", {"a": (1.0, {}), "b": (2.0, {})}),
          ("dem.nc", "altitude is missing")),
    Fault("centimetres", extra("height", canopy_height=(1800.0, {"units": "m"})),
          ("height.nc", "canopy_height is 1800"), (("tree_height", "maps/height.nc"),)),
    Fault("broadband albedo", extra("albedo", albedo=(0.2, {})), ("albedo.nc", "vegetation_albedo_visible"),
          (("albedo", "maps/albedo.nc"),)),
    Fault("classes as fractions", lambda files: None, ("cover.nc", "fraction", "ecoclimap"), ECOCLIMAP),
    Fault("fractions of 80 %", fractions(0.8), ("cover.nc", "sum to 0.800"), ECOCLIMAP),
    Fault("grid upside down", lambda files: None, ("prepare.surface.grid.latitude", "44 to 43"),
          (("grid", {**GRID, "latitude": [44.0, 43.0, 0.5]}),)),
    Fault("grid that does not fit", lambda files: None, ("prepare.surface.grid.longitude", "no multiple"),
          (("grid", {**GRID, "longitude": [0.0, 1.0, 0.3]}),)),
    Fault("share above 1", lambda files: None, ("prepare.surface.largest_urban_fraction: 15",),
          (("largest_urban_fraction", 15.0),)),
]  # fmt: skip


def configuration(folder: Path, section: dict[str, Any]) -> Path:
    maps = {"land_cover": "maps/cover.nc", "texture": "maps/texture.nc", "altitude": "maps/dem.nc", "grid": GRID}
    content = {
        "name": "faulty",
        "prepare": {"surface": {**maps, **section}},
        "forcing": {"path": "FORCING.nc"},
        "open_loop": {"start": "2016-06-02", "end": "2016-06-03"},
    }
    (folder / "FORCING.nc").write_bytes(b"")
    path = folder / "faulty.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault(fault: Fault, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fault.make(write_maps(tmp_path / "maps"))
    path = configuration(tmp_path, dict(fault.section))
    code = main(["prepare", str(path), "--run-directory", str(tmp_path / "run")])
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("dalearn: ")]
    assert code == 2, errors
    assert len(errors) == 1
    for word in fault.words:
        assert word in errors[0], errors[0]
    assert len(errors[0]) < 420
    assert not (tmp_path / "run").exists()
