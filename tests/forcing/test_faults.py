"""Faulty downloads: each gives one line that names the file, the variable and the mend, exit code 2, and no file."""

import gzip
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml

from dalearn.cli import main

from .downloads import (
    ACCUMULATED,
    HOUR,
    INSTANTANEOUS,
    LATITUDES,
    LONGITUDES,
    START,
    UNITS,
    atmosphere,
    hours,
    since_midnight,
    write_era5,
    write_table,
    write_tower,
)

COUNT = 72
Make = Callable[[Path], None]


@dataclass(frozen=True)
class Fault:
    """``make`` writes faulty files into a folder; the error must hold all of ``words``."""

    name: str
    format: str
    make: Make
    words: tuple[str, ...]
    pattern: str = "*.nc"
    wishes: tuple[tuple[str, Any], ...] = ()


def era5(folder: Path, **changes: Any) -> Path:
    times = changes.pop("times", hours(COUNT))
    fields = atmosphere(times)
    fields |= changes.pop("fields", {})
    for name in changes.pop("without", ()):
        del fields[name]
    return write_era5(folder / changes.pop("name", "era5.nc"), times, fields, **changes)


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Make:
    """ERA5 with one variable changed."""
    return lambda folder: (era5(folder, fields={name: change(np.array(atmosphere(hours(COUNT))[name]))}), None)[1]


def truncated(folder: Path) -> None:
    path = era5(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def zipped(folder: Path) -> None:
    path = era5(folder)
    with zipfile.ZipFile(folder / "download.nc", "w") as archive:
        archive.write(path, "data_stream-oper_stepType-instant.nc")
    path.unlink()


def with_record(order: list[int]) -> Make:
    """ERA5 with the records in another order."""

    def make(folder: Path) -> None:
        times = hours(COUNT)
        fields = atmosphere(times)
        write_era5(folder / "era5.nc", times[order], {name: values[order] for name, values in fields.items()})

    return make


def parts_differ(folder: Path) -> None:
    times = hours(COUNT)
    fields = atmosphere(times)
    write_era5(folder / "instant.nc", times, {name: fields[name] for name in INSTANTANEOUS})
    write_era5(folder / "accum.nc", times[:-5], {name: fields[name][:-5] for name in ACCUMULATED})


def final_and_preliminary(folder: Path) -> None:
    era5(folder)
    times = hours(24, START + 60 * HOUR)
    write_era5(folder / "era5t.nc", times, atmosphere(times))


def rotated(folder: Path) -> None:
    path = era5(folder)
    with netCDF4.Dataset(path, "a") as file:
        mapping = file.createVariable("rotated_pole", "i4", ())
        mapping.grid_mapping_name = "rotated_latitude_longitude"


def projected(folder: Path) -> None:
    era5(folder, latitude=LATITUDES * 1e5, longitude=LONGITUDES * 1e5)


def land_as_era5(folder: Path) -> None:
    times = hours(COUNT)
    fields = atmosphere(times)
    summed = {name: since_midnight(fields[name], times) for name in ACCUMULATED}
    write_era5(folder / "land.nc", times, {**fields, **summed})


def as_text(folder: Path) -> None:
    (folder / "page.nc").write_text("<html>Your request is queued</html>")


def arome(folder: Path, **changes: tuple[np.ndarray | None, str]) -> None:
    """A limited-area file with names and units of its own."""
    times = hours(COUNT)
    raw = atmosphere(times)
    fields: dict[str, tuple[np.ndarray | None, str]] = {
        "t2m": (raw["t2m"], "K"), "r2": (np.full_like(raw["t2m"], 70.0), "%"), "sp": (raw["sp"], "Pa"),
        "u10": (raw["u10"], "m s-1"), "v10": (raw["v10"], "m s-1"), "ssrd": (raw["ssrd"] / 3600.0, "W m-2"),
        "strd": (raw["strd"] / 3600.0, "W m-2"), "tp": (raw["tp"] * 1000.0, "kg m-2"),
    }  # fmt: skip
    fields |= changes
    kept = {name: values for name, (values, _) in fields.items() if values is not None}
    write_era5(folder / "arome.nc", times, kept, units={name: units for name, (_, units) in fields.items()})


def table(**changes: Any) -> Make:
    return lambda folder: (write_table(folder / "days.csv", **changes), None)[1]


def edited_table(edit: Callable[[list[str]], list[str]]) -> Make:
    def make(folder: Path) -> None:
        path = write_table(folder / "days.csv")
        path.write_text("\n".join(edit(path.read_text().splitlines())) + "\n")

    return make


def cut_gzip(folder: Path) -> None:
    path = write_table(folder / "days.csv.gz")
    path.write_bytes(path.read_bytes()[:-40])


def tower(**changes: Any) -> Make:
    return lambda folder: (write_tower(folder / "tower.nc", **changes), None)[1]


def gap_in_tower(folder: Path) -> None:
    values = np.full(48 * 12, 288.0)
    values[100:110] = np.nan
    write_tower(folder / "tower.nc", series={"Tair": (values, "K")})


def surfex(folder: Path, change: Callable[[netCDF4.Dataset], None]) -> None:
    from dalearn.forcing.writer import forcing_file

    names = ("Tair", "Qair", "PSurf", "DIR_SWdown", "SCA_SWdown", "LWdown", "Rainf", "Snowf", "Wind")
    level = dict(zip(names, (288.0, 0.007, 98000.0, 200.0, 60.0, 320.0, 1e-5, 0.0, 3.0), strict=True))
    place = {
        "latitude": [43.5],
        "longitude": [0.1],
        "altitude": [200.0],
        "temperature_height": [2.0],
        "wind_height": [10.0],
    }
    static = {name: np.array(values) for name, values in place.items()}
    with forcing_file(
        folder / "FORCING.nc", start=START, step=3600, record_count=COUNT, static=static, names=names
    ) as write:
        write(0, {name: np.full((COUNT, 1), value, np.float32) for name, value in level.items()})
    with netCDF4.Dataset(folder / "FORCING.nc", "a") as file:
        change(file)


def shift_surfex(file: netCDF4.Dataset) -> None:
    times = file["time"][:]
    times[30:] += 7200.0
    file["time"][:] = times


def wet_surfex(file: netCDF4.Dataset) -> None:
    file["Rainf"][40, 0] = 3.6


def undefined_surfex(file: netCDF4.Dataset) -> None:
    file["Wind"][:] = 1e20


def of_unit(name: str, units: str) -> Make:
    return lambda folder: (era5(folder, units={**UNITS, name: units}), None)[1]


def set_at(record: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[record] = value
        return values

    return change


SITE = (("latitude", 43.5), ("longitude", 0.1), ("altitude", 200.0))
CSV = "*.csv*"

FAULTS = [
    Fault("truncated", "era5", truncated, ("era5.nc", "copy or produce it again")),
    Fault("zip", "era5", zipped, ("download.nc", "zip archive", "unzip it first")),
    Fault("not netCDF", "era5", as_text, ("page.nc", "not a netCDF file")),
    Fault("GRIB", "era5", lambda folder: (folder / "a.nc").write_bytes(b"GRIB\0\0") and None,
          ("a.nc", "cfgrib", "[grib]")),
    Fault("missing variable", "era5", lambda folder: (era5(folder, without=("d2m",)), None)[1],
          ("era5.nc", "variable d2m is missing", "download it too")),
    Fault("wrong units", "era5", of_unit("t2m", "degC"), ("era5.nc", "t2m is in degC", "ERA5 has K")),
    Fault("mean instead of sum", "era5", of_unit("ssrd", "W m**-2"), ("era5.nc", "ssrd is in W m**-2", "J m-2")),
    Fault("Celsius called K", "era5", changed("t2m", lambda t: t - 273.15), ("era5.nc", "t2m", "add 273.15")),
    Fault("hPa called Pa", "era5", changed("sp", lambda p: p / 100.0), ("era5.nc", "sp", "PSurf")),
    Fault("mm called m", "era5", changed("tp", lambda r: r * 1000.0), ("era5.nc", "tp", "Rainf", "kg m-2 s-1")),
    Fault("negative rain", "era5", changed("tp", set_at(30, -2e-3)), ("era5.nc", "tp", "cannot be negative")),
    Fault("shuffled", "era5", with_record([*range(20), 25, 20, *range(26, COUNT)]), ("era5.nc", "time", "sort")),
    Fault("duplicated", "era5", with_record([*range(20), 19, *range(20, COUNT)]), ("era5.nc", "time", "comes twice")),
    Fault("gap", "era5", with_record([*range(20), *range(22, COUNT)]), ("era5.nc", "time", "2 record(s) are missing")),
    Fault("three-hourly", "era5", with_record([*range(0, COUNT, 3)]), ("era5.nc", "time", "download every hour")),
    Fault("hours differ", "era5", parts_differ, ("accum.nc", "has no record at", "the same hours")),
    Fault("preliminary beside final", "era5", final_and_preliminary, ("era5t.nc", "is also in", "every hour once")),
    Fault("all fill", "era5", changed("t2m", lambda t: np.full_like(t, np.nan)), ("era5.nc", "t2m", "undefined")),
    Fault("one NaN", "era5", changed("strd", set_at(40, np.nan)),
          ("era5.nc", "strd", "LWdown is undefined", "fill it in")),
    Fault("rotated", "era5", rotated, ("era5.nc", "rotated_latitude_longitude", "regrid")),
    Fault("projected", "era5", projected, ("era5.nc", "latitude is", "in degrees")),
    Fault("elsewhere", "era5", lambda folder: (era5(folder, latitude=LATITUDES + 10.0), None)[1],
          ("era5.nc", "latitude of a cell", "outside the grid")),
    Fault("sums of the day in ERA5", "era5", land_as_era5, ("land.nc", "ssrd", "era5_land")),
    Fault("sums of the hour in ERA5-Land", "era5_land", lambda folder: (era5(folder), None)[1],
          ("era5.nc", "within a day", "format: era5")),
    Fault("times not UTC", "era5", changed("ssrd", lambda s: np.roll(s, 5, axis=0)), ("era5.nc", "ssrd", "at night")),
    Fault("period not covered", "era5", lambda folder: (era5(folder), None)[1], ("era5.nc", "time", "more files"),
          wishes=(("end", "2016-07-01"),)),
    Fault("no file", "era5", lambda folder: None, ("*.nc", "no such file", "prepare.forcing.files")),
    Fault("no altitude", "era5", lambda folder: (era5(folder), None)[1], ("era5.nc", "altitude", "altitude_file"),
          wishes=(("altitude_correction", True),)),
    Fault("AROME without humidity", "arome", lambda folder: arome(folder, r2=(None, "")),
          ("arome.nc", "Qair or RH or Td is missing")),
    Fault("AROME half a wind", "arome", lambda folder: arome(folder, v10=(None, "")),
          ("arome.nc", "Wind_N is missing")),
    Fault("AROME units", "arome", lambda folder: arome(folder, t2m=(atmosphere(hours(COUNT))["t2m"], "degF")),
          ("arome.nc", "t2m is in degF", "convert it")),
    Fault("Tmin above Tmax", "daily_table", table(Tair_min=(4, "31")),
          ("days.csv", "Tair_min", "Tair_max", "2016-06-05"),
          CSV, SITE),
    Fault("mean outside", "daily_table", table(Tair_mean=(4, "8")), ("days.csv", "Tair_mean 8 is not between"), CSV,
          SITE),
    Fault("humidity above 100", "daily_table", table(RHair_max=(2, "104.3")),
          ("days.csv", "RHair_max", "104.3", "1 day"),
          CSV, SITE),
    Fault("negative rain a day", "daily_table", table(PPT_sum=(2, "-1")), ("days.csv", "PPT_sum", "negative"), CSV,
          SITE),
    Fault("kelvins", "daily_table", table(Tair_min=(0, "283.1")), ("days.csv", "Tair_min", "273.15"), CSV, SITE),
    Fault("watts", "daily_table", table(RG_sum=(3, "240")), ("days.csv", "RG_sum", "0.0864"), CSV, SITE),
    Fault("more than the sun", "daily_table", table(RG_sum=(3, "48")), ("days.csv", "RG_sum", "top of the atmosphere"),
          CSV, SITE),
    Fault("empty field", "daily_table", table(WS_mean=(3, "NA")), ("days.csv", "WS_mean", "'NA'", "fill it in"), CSV,
          SITE),
    Fault("missing day", "daily_table", edited_table(lambda rows: rows[:5] + rows[6:]), ("days.csv", "DATE", "missing"),
          CSV, SITE),
    Fault("day twice", "daily_table", edited_table(lambda rows: [*rows[:5], rows[4], *rows[5:]]),
          ("days.csv", "DATE", "comes twice"), CSV, SITE),
    Fault("shuffled days", "daily_table", edited_table(lambda rows: [*rows[:5], rows[6], rows[5], *rows[7:]]),
          ("days.csv", "DATE"), CSV, SITE),
    Fault("American dates", "daily_table", table(date_style="%m-%d-%Y"), ("days.csv", "DATE", "2005-01-31"), CSV, SITE),
    Fault("missing column", "daily_table", edited_table(lambda rows: [rows[0].replace("RG_sum", "rg"), *rows[1:]]),
          ("days.csv", "column RG_sum is missing"), CSV, SITE),
    Fault("cut line", "daily_table", edited_table(lambda rows: [*rows[:-1], rows[-1][:20]]),
          ("days.csv", "line 21", "cut short"), CSV, SITE),
    Fault("cut gzip", "daily_table", cut_gzip, ("days.csv.gz", "cut short"), CSV, SITE),
    Fault("no place", "daily_table", table(), ("prepare.forcing.latitude is missing",), CSV),
    Fault("tower without offset", "alma", tower(attributes={"utc_offset_h": None}), ("tower.nc", "utc_offset_hours")),
    Fault("tower with a gap", "alma", gap_in_tower, ("tower.nc", "Tair is undefined", "fill it in")),
    Fault("tower all fill", "alma", tower(series={"LWdown": (np.full(48 * 12, np.nan), "W/m2")}),
          ("tower.nc", "LWdown is undefined in all records")),
    Fault("tower without humidity", "alma", tower(series={"Qair": (None, "")}),
          ("tower.nc", "Qair or RH or VPD is missing")),
    Fault("tower in other units", "alma", tower(series={"Wind": (np.full(48 * 12, 4.0), "knots")}),
          ("tower.nc", "Wind is in knots")),
    Fault("tower far from the cell", "alma", tower(longitude=15.5), ("tower.nc", "km from cell 0")),
    Fault("SURFEX gap", "surfex", lambda folder: surfex(folder, shift_surfex), ("FORCING.nc", "time", "missing")),
    Fault("SURFEX units", "surfex", lambda folder: surfex(folder, wet_surfex), ("FORCING.nc", "Rainf", "3.6")),
    Fault("SURFEX fill", "surfex", lambda folder: surfex(folder, undefined_surfex),
          ("FORCING.nc", "Wind is undefined")),
    Fault("SURFEX without step", "surfex",
          lambda folder: surfex(folder, lambda file: file.renameVariable("FRC_TIME_STP", "x")),
          ("FORCING.nc", "FRC_TIME_STP is missing")),
]  # fmt: skip


def configuration(folder: Path, fault: Fault) -> Path:
    alma = fault.format == "alma"
    place = {"latitude": 45.0, "longitude": 15.0} if alma else {"latitude": 43.5, "longitude": 0.1}
    content = {
        "name": "faulty",
        "surface": {"cells": [{**place, "altitude": 200.0, "clay": 0.2, "sand": 0.4, "vegetation": {"GRAS": 1.0}}]},
        "prepare": {"forcing": {"format": fault.format, "files": [f"data/{fault.pattern}"], **dict(fault.wishes)}},
        "open_loop": {"start": "2016-06-02", "end": "2016-06-03"},
    }
    path = folder / "faulty.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault(fault: Fault, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").mkdir()
    fault.make(tmp_path / "data")
    code = main(["prepare", str(configuration(tmp_path, fault)), "--run-directory", str(tmp_path / "run")])
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("dalearn: ")]
    assert code == 2, errors
    assert len(errors) == 1
    for word in fault.words:
        assert word in errors[0], errors[0]
    assert len(errors[0]) < 420
    left = [path.name for path in (tmp_path / "run").rglob("*") if path.suffix == ".nc" or "tmp" in path.name]
    assert left == []


def test_the_same_files_without_a_fault_are_prepared(tmp_path: Path) -> None:
    """What the faults are measured against."""
    for number, (kind, make, pattern, wishes) in enumerate(
        [
            ("era5", lambda folder: era5(folder), "*.nc", ()),
            ("arome", arome, "*.nc", ()),
            ("daily_table", lambda folder: write_table(folder / "days.csv"), CSV, SITE),
            ("alma", lambda folder: write_tower(folder / "tower.nc"), "*.nc", ()),
            ("surfex", lambda folder: surfex(folder, lambda file: None), "*.nc", ()),
        ]
    ):
        folder = tmp_path / str(number)
        (folder / "data").mkdir(parents=True)
        make(folder / "data")
        fault = Fault("none", kind, lambda _: None, (), pattern, wishes)
        assert main(["prepare", str(configuration(folder, fault)), "--run-directory", str(folder / "run")]) == 0
        assert (folder / "run" / "inputs" / "FORCING.nc").is_file()


def test_real_faults_of_a_probe(shared: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The daily climate of Font-Blanche: 7 days above 100 %; with those mended, 4 days whose minimum is the larger."""
    (tmp_path / "data").mkdir()
    text = (shared / "data" / "provence" / "FontBlanche_insitu_daily_2009_2020.csv").read_text()
    fault = Fault("real", "daily_table", lambda _: None, (), CSV, SITE)
    path = configuration(tmp_path, fault)
    rows = [line.split(";") for line in text.splitlines()]
    names = rows[0]

    def run() -> str:
        (tmp_path / "data" / "days.csv.gz").write_bytes(gzip.compress("\n".join(map(";".join, rows)).encode()))
        assert main(["prepare", str(path), "--run-directory", str(tmp_path / "run")]) == 2
        return capfd.readouterr().err

    assert "RHair_max is 104.26 on 2009-01-01 (7 day(s)" in run()
    for name in ("RHair_min", "RHair_max", "RHair_mean"):
        column = names.index(name)
        for row in rows[1:]:
            row[column] = str(min(float(row[column]), 100.0))
    message = run()
    assert "is above Tair_max" in message
    assert "(4 day(s))" in message
