"""Faulty observation files: one line naming the file, the variable and the mend, and nothing half-written."""

import gzip
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest

from dalearn.errors import InputError

Make = Callable[[Any], Path | list[Path]]
LAND_COVER_MISSING = "no_such_cover.nc"


def edited(make: Callable[[Any], Path], *edits: Callable[[netCDF4.Dataset], None]) -> Make:
    """A faultless file, opened and changed."""

    def made(products: Any) -> Path:
        path = make(products)
        with netCDF4.Dataset(path, "a") as dataset:
            for edit in edits:
                edit(dataset)
        return path

    return made


def numbers(name: str, values: Any, where: Any = slice(None)) -> Callable[[netCDF4.Dataset], None]:
    def edit(dataset: netCDF4.Dataset) -> None:
        dataset[name].set_auto_maskandscale(False)
        dataset[name][where] = values

    return edit


def attributes(name: str, **values: Any) -> Callable[[netCDF4.Dataset], None]:
    return lambda dataset: dataset[name].setncatts(values)


def without(name: str) -> Callable[[netCDF4.Dataset], None]:
    return lambda dataset: dataset.renameVariable(name, f"hidden_{name}x")


def text(change: Callable[[str], str], make: Callable[[Any], Path] = lambda products: products.ismn()) -> Make:
    """A text file whose content is changed."""

    def made(products: Any) -> Path:
        path = make(products)
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()).decode()).encode()))
        else:
            path.write_text(change(path.read_text()))
        return path

    return made


def cut(make: Callable[[Any], Path], share: float = 0.6) -> Make:
    def made(products: Any) -> Path:
        path = make(products)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        return path

    return made


def zipped(make: Callable[[Any], Path]) -> Make:
    """The file in a zip archive that keeps its name."""

    def made(products: Any) -> Path:
        path = make(products)
        content = path.read_bytes()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(path.name, content)
        return path

    return made


def transposed(layer: str, make: Callable[[Any], Path]) -> Make:
    """The layer with its last two dimensions in the wrong order."""

    def made(products: Any) -> Path:
        path = make(products)
        with netCDF4.Dataset(path, "a") as dataset:
            old = dataset[layer]
            old.set_auto_maskandscale(False)
            dimensions = (*old.dimensions[:-2], old.dimensions[-1], old.dimensions[-2])
            values, kind = np.swapaxes(old[:], -1, -2), old.dtype
            described = {key: old.getncattr(key) for key in old.ncattrs()}
            dataset.renameVariable(layer, "hidden")
            new = dataset.createVariable(layer, kind, dimensions, fill_value=described.pop("_FillValue", None))
            new.set_auto_maskandscale(False)
            new.setncatts(described)
            new[:] = values
        return path

    return made


def two(first: Callable[[Any], Path], second: Callable[[Any], Path]) -> Make:
    return lambda products: [first(products), second(products)]


def hsaf(products: Any) -> Path:
    return products.hsaf()


def indexed(products: Any) -> Path:
    return products.hsaf(indexed=True)


def swath(products: Any) -> Path:
    return products.swath()


def table(products: Any) -> Path:
    return products.table()


def lai(products: Any) -> Path:
    return products.lai()


def ssm(products: Any) -> Path:
    return products.ssm()


def swi(products: Any) -> Path:
    return products.swi()


def s1(products: Any) -> Path:
    return products.sentinel1()


def utm(products: Any) -> Path:
    return products.sentinel1_utm()


def uneven(products: Any) -> Path:
    axis = products.west_to_east.copy()
    axis[3] += 0.02
    return products.raster("LAI_20170610.nc", {"LAI": ("u1", np.full((8, 8), 60), {})}, products.north_to_south, axis)


def wrong_stamp(products: Any) -> Path:
    layers = {"Band1": ("u1", np.full((8, 8), 100), products.s2mp)}
    return products.raster("undated.nc", layers, products.north_to_south, products.west_to_east, None)


def fields(products: Any) -> Path:
    path = products.folder / "fields.csv"
    path.write_text(",,1_high,1_mean\n,date,SM,SM\n0,2017-03-24 05:17:15,0.3,0.2\n1,2017-03-25 17:06:21,0.3,wet\n")
    return path


def empty_zip(products: Any) -> Path:
    return products.zipped()


def zip_without_soil_moisture(products: Any) -> Path:
    path = products.folder / "note.txt"
    path.write_text("nothing")
    return products.zipped(path)


def empty_folder(products: Any) -> Path:
    folder = products.folder / "empty"
    folder.mkdir()
    return folder


def damaged_zip(products: Any) -> Path:
    path = products.zipped(products.ismn())
    path.write_bytes(path.read_bytes()[:200])
    return path


def binary(products: Any) -> Path:
    path = products.ismn()
    path.write_bytes(b"\x89HDF\0\0\0\0" * 100)
    return path


@dataclass(frozen=True)
class Fault:
    """What is wrong, how it is made, and what the line must say (regular expressions, all of them)."""

    name: str
    format: str
    make: Make
    says: tuple[str, ...]
    wishes: dict[str, Any] = field(default_factory=dict)
    where: tuple[float, float] = (43.1, 1.1)


NEAR_HSAF = (43.0, 1.0)
SIGMA0 = {"quantity": "sigma0"}

FAULTS = [
    # H SAF cell files
    Fault("cut short", "hsaf_cells", cut(hsaf), (r"H121\.nc", "cut short or damaged", "copy or produce it again")),
    Fault("in a zip archive", "hsaf_cells", zipped(hsaf), (r"H121\.nc", "zip archive", "unzip it first")),
    Fault("units of time", "hsaf_cells", edited(hsaf, attributes("time", units="days")),
          (r"H121\.nc: time", 'units "days"', "hours since")),
    Fault("time goes back", "hsaf_cells", edited(hsaf, numbers("time", 40000.0, 3)),
          (r"H121\.nc: time goes back to 2009-07-08T00:00:00", "sort it")),
    Fault("time goes back, indexed", "hsaf_cells", edited(indexed, numbers("time", 40000.0, 6)),
          (r"H121\.nc: time goes back", "sort it")),
    Fault("one time with two values", "hsaf_cells", edited(hsaf, numbers("time", 40000.4, 1)),
          (r"H121\.nc: time has two different values", "sort it, one sample a time")),
    Fault("undefined time", "hsaf_cells", edited(hsaf, numbers("time", np.nan, 2)),
          (r"H121\.nc: time is undefined", "give every time")),
    Fault("no value", "hsaf_cells", edited(hsaf, without("surface_soil_moisture")),
          (r"H121\.nc", "surface_soil_moisture or .* is missing", "add it")),
    Fault("no latitude", "hsaf_cells", edited(hsaf, without("lat")), (r"H121\.nc", "latitude or lat is missing")),
    Fault("no row_size", "hsaf_cells", edited(hsaf, without("row_size")), (r"H121\.nc", "row_size or locationIndex")),
    Fault("rows do not add up", "hsaf_cells", edited(hsaf, numbers("row_size", [6, 5, 0])),
          (r"H121\.nc: row_size adds up to 11, the file has 12", "copy it again")),
    Fault("index of locations", "hsaf_cells", edited(indexed, numbers("locationIndex", 7, 2)),
          (r"H121\.nc: locationIndex runs from 0 to 7 with 3 locations", "copy it again")),
    Fault("latitude of 430", "hsaf_cells", edited(hsaf, numbers("lat", 430.0, 0)),
          (r"H121\.nc: latitude is 430", "degrees")),
    Fault("linear backscatter", "hsaf_cells", edited(hsaf, numbers("backscatter40", 0.1)),
          (r"H121\.nc: backscatter40", "linear units", "10 log10"), SIGMA0),
    Fault("units of backscatter", "hsaf_cells", edited(hsaf, attributes("backscatter40", units="1")),
          (r"H121\.nc: backscatter40", "in 1, expected dB", "10 log10"), SIGMA0),
    Fault("fill values alone", "hsaf_cells", edited(hsaf, numbers("surface_soil_moisture", -999999.0)),
          (r"H121\.nc: SSM: no usable sample", "12 undefined|6 undefined", "fill values only")),
    Fault("flags alone", "hsaf_cells", edited(hsaf, numbers("processing_flag", 1)),
          (r"H121\.nc: SSM: no usable sample", "processing_flag", "check its flags")),
    Fault("far away", "hsaf_cells", hsaf,
          (r"H121\.nc: SSM: no usable sample", "outside_domain", "15 km"), {}, (10.0, 10.0)),
    Fault("another period", "hsaf_cells", hsaf, (r"H121\.nc", "12 outside_period", "choose a period"),
          {"start": "2015-01-01"}),
    Fault("not a date", "hsaf_cells", hsaf,
          ("prepare.observations.product: tomorrow is not a date",), {"start": "tomorrow"}),
    Fault("no snow probability", "hsaf_cells", edited(hsaf, without("snow_cover_probability")),
          (r"H121\.nc has no snow_probability", "leave it out"), {"largest": {"snow": 50}}),
    Fault("unknown mask", "hsaf_cells", hsaf,
          ("largest: clouds is not known", "choose of snow"), {"largest": {"clouds": 1}}),
    Fault("a quantity that ASCAT has not", "hsaf_cells", hsaf,
          ("does not observe LAI", "choose one of"), {"quantity": "LAI"}),
    Fault("a swath as a cell file", "hsaf_cells", swath, (r"swath\.nc", "time")),
    # EUMETSAT swaths
    Fault("cut short", "eumetsat_l2", cut(swath), (r"swath\.nc", "cut short or damaged")),
    Fault("no sigma40", "eumetsat_l2", edited(swath, without("sigma40")),
          (r"swath\.nc", "sigma40.* is missing"), SIGMA0),
    Fault("no time", "eumetsat_l2", edited(swath, without("utc_line_nodes")), (r"swath\.nc", "utc_line_nodes or time")),
    Fault("lines in disorder", "eumetsat_l2", edited(swath, numbers("utc_line_nodes", 0, 2)),
          (r"swath\.nc: utc_line_nodes goes back at line 2", "sort"), SIGMA0),
    Fault("dimensions in the wrong order", "eumetsat_l2", transposed("sigma40", swath),
          (r"swath\.nc: sigma40 has the dimensions \('numCells', 'numRows'\)", "transpose"), SIGMA0),
    Fault("fill values alone", "eumetsat_l2", edited(swath, numbers("sigma40", -(2**31))),
          (r"swath\.nc: sigma0: no usable sample", "undefined"), SIGMA0),
    Fault("flags alone", "eumetsat_l2", edited(swath, numbers("proc_flag1", 8)),
          (r"swath\.nc: sigma0: no usable sample", "processing_flag"), SIGMA0),
    Fault("not netCDF", "eumetsat_l2", binary, (r"\.stm", "not a netCDF file|cut short or damaged")),
    # tables
    Fault("cut short", "ascat_table", cut(table), (r"ascat\.csv\.gz: cannot be read", "copy or write it again")),
    Fault("no column", "ascat_table", text(lambda content: content.replace("ssm_pct", "soil"), table),
          (r"ascat\.csv\.gz: column ssm_pct is missing", "add it")),
    Fault("shuffled", "ascat_table",
          text(lambda content: "\n".join([*content.split("\n")[:2], *content.split("\n")[:1:-1]]), table),
          (r"ascat\.csv\.gz: time goes back", "sort it"), {}, NEAR_HSAF),
    Fault("a word for a number", "ascat_table", text(lambda content: content.replace("20.0,4.0", "wet,4.0", 1), table),
          (r'ascat\.csv\.gz: ssm_pct is "wet" in line 3', "give a number")),
    Fault("times that are none", "ascat_table",
          text(lambda content: content.replace("2012-01-02", "2012-13-42"), table),
          (r'ascat\.csv\.gz: time is "2012-13-42 09:30:00" in line 3', "write it as")),
    Fault("values of 500 %", "ascat_table", text(lambda content: content.replace("0.0,4.0", "00.0,4.0"), table),
          (r"ascat\.csv\.gz: ssm_pct", "not within 0 to 100|no usable"), {}, NEAR_HSAF),
    # Copernicus LAI
    Fault("cut short", "cgls_lai", cut(lai), (r"c_gls_LAI.*\.nc", "cut short or damaged")),
    Fault("no LAI", "cgls_lai", edited(lai, without("LAI")), (r"c_gls_LAI.*\.nc", "LAI is missing")),
    Fault("another scale", "cgls_lai", edited(lai, attributes("LAI", scale_factor=0.004)),
          (r"c_gls_LAI.*\.nc: LAI has the scale factor 0.004", "expected 1/30")),
    Fault("fill values alone", "cgls_lai", edited(lai, numbers("LAI", 255)),
          (r"c_gls_LAI.*: LAI: no usable", "undefined")),
    Fault("flags alone", "cgls_lai", edited(lai, numbers("LAI", 254)),
          (r"c_gls_LAI.*: LAI: no usable", "1 flag_value")),
    Fault("sea alone", "cgls_lai", edited(lai, numbers("QFLAG", 1)), (r"c_gls_LAI.*: LAI: no usable", "1 sea")),
    Fault("dimensions in the wrong order", "cgls_lai", transposed("LAI", lai),
          (r"c_gls_LAI.*: LAI has the dimensions \('time', 'lon', 'lat'\)", "transpose")),
    Fault("uneven longitudes", "cgls_lai", uneven, (r"LAI_20170610\.nc: lon is not evenly spaced", "regular grid")),
    Fault("degrees beyond the pole", "cgls_lai", edited(lai, numbers("lat", 93.0 - 0.05 * np.arange(8))),
          (r"c_gls_LAI.*: lat runs from 93", "no degrees", "projection")),
    Fault("one date twice", "cgls_lai",
          two(lai, lambda products: products.lai("c_gls_LAI_201706100000_GLOBE_PROBAV_V2.0.1.nc")),
          (r"V2\.0\..*holds the same date 20170610", "give one of the two")),
    Fault("far away", "cgls_lai", lai,
          (r"c_gls_LAI.*: LAI: the raster covers latitudes 43.0", "none of the cells"), {}, (10.0, 10.0)),
    Fault("LAI in floats", "cgls_lai",
          lambda products: products.raster("LAI_20170610.nc", {"LAI": ("f4", np.full((8, 8), 2.0), {})},
                                           products.north_to_south, products.west_to_east),
          (r"LAI_20170610\.nc: LAI holds float32, not the bytes", "as published")),
    Fault("a quantity of another product", "cgls_lai", lai, ("cgls_lai holds LAI, not SSM",), {"quantity": "SSM"}),
    # Copernicus soil moisture
    Fault("wrong units", "cgls_ssm", edited(ssm, attributes("ssm", units="m3 m-3")),
          (r"c_gls_SSM.*: ssm is in m3 m-3, expected %", "as published")),
    Fault("fill values alone", "cgls_ssm", edited(ssm, numbers("ssm", 255)),
          (r"c_gls_SSM.*: SSM: no usable", "undefined")),
    Fault("flags alone", "cgls_ssm", edited(ssm, numbers("ssm", 253)), (r"c_gls_SSM.*: SSM: no usable", "slope_mask")),
    Fault("one time twice", "cgls_ssm", two(ssm, lambda products: products.ssm("copy.nc")),
          (r"time 2017-06-01T00:00:00 is also in", "every date once")),
    Fault("in a zip archive", "cgls_ssm", zipped(ssm), (r"c_gls_SSM.*zip archive", "unzip it first")),
    Fault("another calendar", "cgls_ssm", edited(ssm, attributes("time", calendar="noleap")),
          (r"c_gls_SSM.*: time uses the noleap calendar", "convert")),
    Fault("another T", "cgls_swi", swi,
          (r"c_gls_SWI.*: variable SWI_001 is missing", r"time_scale .*\(5, 20\)"), {"time_scale": 1}),
    Fault("few measurements", "cgls_swi", edited(swi, numbers("QFLAG_005", 10)),
          (r"c_gls_SWI.*: SSM: no usable", "few_measurements"), {"time_scale": 5}),
    # Sentinel-1
    Fault("no units", "sentinel1_raster", edited(s1, attributes("Band1", units="")),
          (r"S2MP_20170601\.nc: Band1 has no units", "vol.% with scale_factor 0.2")),
    Fault("no scale factor", "sentinel1_raster", edited(s1, lambda dataset: dataset["Band1"].delncattr("scale_factor")),
          (r"S2MP_20170601\.nc: Band1 holds whole numbers without scale_factor", "0.2")),
    Fault("estimates nowhere", "sentinel1_raster", edited(s1, numbers("Band1", 0)),
          (r"S2MP.*: SSM: no usable", "no_estimate")),
    Fault("no date", "sentinel1_raster", wrong_stamp,
          (r"undated\.nc: variable time is missing", "the name holds no date")),
    Fault("no coordinate reference system", "sentinel1_raster",
          edited(utm, lambda dataset: dataset["Band1"].delncattr("grid_mapping")),
          (r"S2MP_20170602\.nc: Band1 has no coordinate reference system", "add it")),
    Fault("a projection that is not known", "sentinel1_raster",
          lambda products: products.sentinel1_utm(crs={"grid_mapping_name": "lambert_conformal_conic"}),
          (r"S2MP_20170602\.nc: crs of Band1 is lambert_conformal_conic", "UTM")),
    Fault("degrees that are metres", "sentinel1_raster",
          lambda products: products.sentinel1_utm(crs={"grid_mapping_name": "latitude_longitude"}),
          (r"S2MP_20170602\.nc: crs of Band1 is latitude_longitude", "does not fit its axes")),
    Fault("another zone", "sentinel1_raster",
          lambda products: products.sentinel1_utm(crs={"spatial_ref": 'AUTHORITY["EPSG","32635"]'}),
          (r"S2MP_20170602\.nc: SSM: the raster covers .* longitudes 24", "coordinate reference system")),
    Fault("axes that are no metres", "sentinel1_raster",
          edited(utm, numbers("x", np.arange(60.0)), numbers("y", np.arange(60.0))),
          (r"S2MP_20170602\.nc: x runs from 0 to 59", "no metres")),
    Fault("land cover not there", "sentinel1_raster", s1,
          ("no_such_cover.nc: cannot be read",), {"land_cover": LAND_COVER_MISSING}),
    # ISMN
    Fault("a line cut short", "ismn", text(lambda content: content[:-20]), (r"\.stm: line 5 is", "download it again")),
    Fault("a value that is none", "ismn", text(lambda content: content.replace("0.22", "0.2x")),
          (r'\.stm: line 3 is "2012/01/01 01:00 0.2x', "correct it")),
    Fault("shuffled", "ismn", text(lambda content: content.replace("01:00 0.22", "05:00 0.22")),
          (r"\.stm: time goes back to 2012-01-01T02:00:00", "sort it")),
    Fault("one time with two values", "ismn", text(lambda content: content.replace("01:00 0.22", "00:00 0.22")),
          (r"\.stm: time has two different values", "copy it again")),
    Fault("no header", "ismn", text(lambda content: "hello\n" + content),
          (r"\.stm: line 1 is not a header", "ISMN file")),
    Fault("empty", "ismn", text(lambda content: ""), (r"\.stm: soil moisture: the file is empty", "download it again")),
    Fault("not text", "ismn", binary, (r"\.stm: not a text file", "give ISMN data")),
    Fault("no good flag", "ismn", text(lambda content: content.replace(" G ", " U ")),
          (r"\.stm: SSM: no usable", "flag_U")),
    Fault("moisture in %", "ismn", text(lambda content: content.replace(" 0.2", " 2")),
          (r"\.stm: soil moisture", "looks like %")),
    Fault("position of 430", "ismn", text(lambda content: content.replace("43.00000", "430.0000")),
          (r"\.stm: latitude is 430", "degrees")),
    Fault("empty archive", "ismn", empty_zip, (r"ismn\.zip: no soil moisture file", "download the data again")),
    Fault("archive of something else", "ismn", zip_without_soil_moisture, (r"ismn\.zip: no soil moisture file",)),
    Fault("damaged archive", "ismn", damaged_zip, (r"ismn\.zip: not a readable zip archive", "download it again")),
    Fault("empty folder", "ismn", empty_folder, ("empty: no soil moisture file",)),
    Fault("no such file", "ismn", lambda products: products.folder / "absent.stm",
          (r"absent\.stm: cannot be read", "correct")),
    Fault("no file at all", "ismn", lambda products: [], ("prepare.observations.product.files: none found",)),
    # tables of fields
    Fault("no names", "field_table", table, (r"ascat\.csv\.gz: no column date", "write them")),
    Fault("a word for a number", "field_table", fields,
          (r'fields\.csv: "wet" in line 4 is no date or number', "correct it")),
    # wishes that a format cannot fulfil
    Fault("snow of a probe", "ismn", lambda products: products.ismn(), ("largest: files of format ismn do not tell",),
          {"largest": {"snow": 1}}),
    Fault("passes of LAI", "cgls_lai", lai, ("passes: files of format cgls_lai do not tell",), {"passes": "ascending"}),
    Fault("bilinear points", "hsaf_cells", hsaf,
          ("bilinear is for rasters, not hsaf_cells",), {"aggregate": "bilinear"}),
    Fault("land cover of LAI", "cgls_lai", lai, ("land_cover: only sentinel1_raster",), {"land_cover": "x.nc"}),
]  # fmt: skip


def test_there_are_enough() -> None:
    assert len(FAULTS) >= 40
    assert len({(fault.format, fault.name) for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.format}: {fault.name}")
def test_fault(fault: Fault, products: Any, prepare: Any, tmp_path: Path) -> None:
    files = fault.make(products)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError) as caught:
        prepare(fault.format, files, *fault.where, **fault.wishes)
    message = str(caught.value)
    for expected in fault.says:
        assert re.search(expected, message), message
    assert "\n" not in message
    assert len(message) < 600
    assert sorted(tmp_path.iterdir()) == before, "something was left behind"


def test_an_older_result_survives_a_fault(products: Any, prepare: Any, prepared: Any) -> None:
    prepare("cgls_ssm", products.ssm(), 43.1, 1.1)
    with pytest.raises(InputError):
        prepare("cgls_ssm", [products.ssm(), products.ssm("copy.nc")], 43.1, 1.1)
    assert prepared()["SSM"].tolist() == [30.0]


@pytest.mark.parametrize(
    ("format", "make"), [("hsaf_cells", hsaf), ("eumetsat_l2", swath), ("cgls_lai", lai), ("sentinel1_raster", s1)]
)
def test_the_faultless_file_is_prepared(format: str, make: Callable[[Any], Path], products: Any, prepare: Any) -> None:
    wishes = SIGMA0 if format == "eumetsat_l2" else {}
    assert prepare(format, make(products), 43.1, 1.1, **wishes)["kept"] > 0
