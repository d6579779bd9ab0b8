"""Every real observation file: what is prepared equals an independent reading of the stored numbers."""

import csv
import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray

from dalearn.errors import InputError
from dalearn.observations.files import read_observations
from dalearn.observations.ismn_file import read_series

SWATH = "W_XX-EUMETSAT-Darmstadt,SURFACE+SATELLITE,METOPB+ASCAT_C_EUMP_20180612035700_29742_eps_o_250_ssm_l2.nc"
REMEDHUS = "REMEDHUS_REMEDHUS_CasaGorrizo_sm_0.000000_0.050000_Stevens-Hydra-Probe_19500101_20210131.stm"
SCAN = "SCAN_SCAN_SilverSword_sm_0.304800_0.304800_Hydraprobe-Analog-C_19500101_20250617.stm"
SMOSMANIA = "SMOSMANIA_SMOSMANIA_Narbonne_sm_0.050000_0.050000_ThetaProbe-ML2X_20070101_20070131.stm"

pytestmark = pytest.mark.shared


@pytest.fixture
def readers(shared: Path) -> Path:
    return shared / "data" / "readers"


def stored(path: Path) -> xarray.Dataset:
    """The numbers as stored."""
    return xarray.open_dataset(path, mask_and_scale=False, decode_times=False, decode_coords=False)


@pytest.mark.parametrize(
    ("name", "location", "expected"),
    [
        ("H109_1436.nc", 0, {"read": 11736, "kept": 11215, "melting_or_water": 493, "undefined": 28}),
        ("H110_1324.nc", 200, None),
    ],
)
def test_hsaf_cell_file(
    readers: Path, prepare: Any, prepared: Any, name: str, location: int, expected: dict[str, int] | None
) -> None:
    raw = stored(readers / name)
    first = int(raw.row_size.values[:location].sum())
    rows = slice(first, first + int(raw.row_size.values[location]))
    position = raw.lat.values[location], raw.lon.values[location]
    counts = prepare("hsaf_cells", readers / name, *position, tolerance_km=3.0)
    assert counts["read"] == raw.sizes["obs"] == sum(counts.values()) - counts["read"]
    assert expected is None or counts == expected
    written, value = prepared(), raw.sm.values[rows].astype(float)
    np.testing.assert_array_equal(written["SSM"], np.where(value == 127, np.nan, value))
    noise = raw.sm_noise.values[rows].astype(float)
    np.testing.assert_array_equal(written["SSM_error"], np.where(noise == 127, np.nan, noise))
    since = (written["when"] - np.datetime64("1900-01-01")) / np.timedelta64(1, "s")
    np.testing.assert_allclose(since, raw.time.values[rows] * 86400.0, rtol=0, atol=0.51)
    usable = (value != 127) & np.isin(raw.ssf.values[rows], [0, 1]) & (raw.proc_flag.values[rows] == 0)
    np.testing.assert_array_equal(written["rejected"] == 0, usable)


def test_hsaf_cells_on_a_grid_of_cells(readers: Path, prepare: Any, prepared: Any) -> None:
    """All 432 grid points on 0.25 degree cells; the brute-force nearest point of a cell speaks for it."""
    raw = stored(readers / "H110_1324.nc")
    latitude, longitude = (axis.ravel() for axis in np.meshgrid(np.arange(51.0, 53.0, 0.25), np.arange(1.0, 4.0, 0.25)))
    counts = prepare("hsaf_cells", readers / "H110_1324.nc", latitude, longitude, tolerance_km=12.0)
    assert counts["read"] == 229443 == sum(counts.values()) - counts["read"]
    written = prepared()
    end = np.cumsum(raw.row_size.values)
    checked = 0
    for cell in range(0, len(latitude), 3):
        cosine = np.cos(np.deg2rad(latitude[cell]))
        away = np.hypot(raw.lat.values - latitude[cell], (raw.lon.values - longitude[cell]) * cosine) * 111.19
        near = int(np.argmin(away))
        sample = (written["cell_index"] == cell) & (written["reason"] == "kept")
        if away[near] > 11.0:
            continue
        value = raw.sm.values[end[near] - raw.row_size.values[near] : end[near]].astype(float)
        assert sample.sum() > 200
        assert set(np.unique(written["SSM"][sample])) <= set(value[value <= 100])
        checked += 1
    assert checked > 5


@pytest.mark.parametrize(("quantity", "layer", "scale"), [("sigma0", "sigma40", 1e-6), ("SSM", "soil_moisture", 0.01)])
def test_eumetsat_swath(readers: Path, prepare: Any, prepared: Any, quantity: str, layer: str, scale: float) -> None:
    """Cells at nodes of the swath get the number of that node; the declared range would mask half of sigma40."""
    raw = stored(readers / SWATH)
    nothing = raw.sigma40.values == -(2**31)
    row, column = (index[::37] for index in np.nonzero(~nothing))
    latitude, longitude = raw.latitude.values[row, column] * 1e-6, raw.longitude.values[row, column] * 1e-6
    counts = prepare("eumetsat_l2", readers / SWATH, latitude, longitude, quantity=quantity, tolerance_km=0.1)
    assert counts["read"] == raw.latitude.size == 68544
    written = prepared()
    order = np.argsort(written["cell_index"])
    assert len(order) == len(row)
    np.testing.assert_allclose(written[quantity][order], raw[layer].values[row, column] * scale, rtol=1e-6)
    error = "sigma40_error" if quantity == "sigma0" else "soil_moisture_error"
    np.testing.assert_allclose(written[f"{quantity}_error"][order], raw[error].values[row, column] * scale, rtol=1e-6)
    seconds = raw.utc_line_nodes.values[row].astype("timedelta64[s]")
    np.testing.assert_array_equal(written["when"][order], np.datetime64("2000-01-01", "s") + seconds)
    # the flags of the left half lie one after the other as pairs of bytes, those of the right half are lost
    flags = np.where(column < 21, raw.proc_flag1.values[row, np.minimum(2 * column + 1, 41)], 0).astype(int)
    flags &= 0b1100 if quantity == "sigma0" else 0b11001111
    insensitive = (raw.soil_moisture_sensitivity.values[row, column] < 1_000_000) & (quantity == "SSM")
    np.testing.assert_array_equal(written["rejected"][order] > 0, (flags > 0) | insensitive)
    if quantity == "sigma0":
        assert 0.4 < (written["sigma0"] < -10.0).mean() < 0.6  # what the declared range would mask


def test_direction_of_the_swath(readers: Path, prepare: Any, prepared: Any) -> None:
    """Evening passes fly north: the latitudes say so, the attribute of as_des_pass says the contrary."""
    raw = stored(readers / SWATH)
    row, column = (index[::37] for index in np.nonzero(raw.sigma40.values != -(2**31)))
    position = raw.latitude.values[row, column] * 1e-6, raw.longitude.values[row, column] * 1e-6
    prepare("eumetsat_l2", readers / SWATH, *position, quantity="sigma0", tolerance_km=0.1, passes="ascending")
    other = prepared()["reason"][np.argsort(prepared()["cell_index"])] == "other_pass"
    northward = np.gradient(raw.latitude.values[:, 21])[row] > 0
    np.testing.assert_array_equal(other, ~northward)
    assert raw.as_des_pass.attrs["flag_meaning"] == "ascending, descending"
    assert (raw.as_des_pass.values[row][northward] == 1).mean() > 0.99
    hour = (raw.utc_line_nodes.values[row] / 3600.0 + position[1] / 15.0) % 24.0
    low = np.abs(position[0]) < 50.0
    assert 19.0 < np.median(hour[northward & low]) < 23.0
    assert 8.0 < np.median(hour[~northward & low]) < 11.0


def test_whole_swath(readers: Path, prepare: Any) -> None:
    latitude, longitude = np.meshgrid(np.arange(-59.875, 75.0, 0.25), np.arange(-179.875, 180.0, 0.25), indexing="ij")
    counts = prepare("eumetsat_l2", readers / SWATH, latitude.ravel(), longitude.ravel(), quantity="sigma0")
    assert counts["read"] == 68544 == sum(counts.values()) - counts["read"]
    assert counts["kept"] > 10_000


@pytest.mark.parametrize(
    ("format", "pattern", "layer", "wishes"),
    [
        ("cgls_ssm", "c_gls_SSM1km_*.nc", "ssm", {}),
        ("cgls_swi", "c_gls_SWI1km_*.nc", "SWI_005", {"time_scale": 5, "valid_fraction": 0.05}),
        ("cgls_swi", "c_gls_SWI1km_*.nc", "SWI_040", {"time_scale": 40, "valid_fraction": 0.05}),
    ],
)
def test_copernicus_soil_moisture(
    readers: Path, prepare: Any, prepared: Any, format: str, pattern: str, layer: str, wishes: dict[str, Any]
) -> None:
    """Cells at pixel centres get the pixel; bytes above 200 are flags."""
    files = sorted(readers.glob(pattern))
    assert len(files) == 2
    raw = [stored(file) for file in files]
    row, column = (axis.ravel()[::13] for axis in np.meshgrid(np.arange(448), np.arange(448), indexing="ij"))
    latitude, longitude = raw[0].lat.values[row], raw[0].lon.values[column]
    counts = prepare(format, files, latitude, longitude, **wishes)
    numbers = np.concatenate([one[layer].values[0, row, column] for one in raw]).astype(float)
    assert counts["read"] == len(numbers) == sum(counts.values()) - counts["read"]
    written = prepared()
    np.testing.assert_array_equal(written[layer.split("_")[0].upper().replace("SWI", "SSM")],
                                  np.where(numbers <= 200, numbers * 0.5, np.nan).astype("f4"))  # fmt: skip
    assert counts["kept"] == (numbers <= 200).sum() == (written["rejected"] == 0).sum()
    for number, reason in ((251, "water_mask"), (252, "sensitivity_mask"), (255, "undefined")):
        assert counts.get(reason, 0) == (numbers == number).sum()
    when = np.datetime64("1970-01-01T12:00:00") + (np.array([one.time.values[0] for one in raw]) * 86400).astype(
        "m8[s]"
    )
    np.testing.assert_array_equal(np.unique(written["when"]), when)
    if format == "cgls_ssm":
        noise = np.concatenate([one.ssm_noise.values[0, row, column] for one in raw]).astype(float)
        np.testing.assert_array_equal(written["SSM_error"], np.where(noise <= 200, noise * 0.5, np.nan).astype("f4"))


def test_block_means_of_copernicus_ssm(readers: Path, prepare: Any, prepared: Any) -> None:
    path = readers / "c_gls_SSM1km_201706010000_CEURO_S1CSAR_V1.1.1.nc"
    raw = stored(path)
    latitude, longitude = (
        axis.ravel() for axis in np.meshgrid(np.arange(41.25, 44.9, 0.5), np.arange(-0.75, 2.9, 0.5), indexing="ij")
    )
    prepare("cgls_ssm", path, latitude, longitude, aggregate="mean", valid_fraction=0.2)
    written = prepared()
    kept = 0
    for cell in range(len(latitude)):
        rows = np.abs(raw.lat.values - latitude[cell]) < 0.25
        columns = np.abs(raw.lon.values - longitude[cell]) < 0.25
        numbers = raw.ssm.values[0][np.ix_(rows, columns)].astype(float)
        valid = numbers <= 200
        at = written["cell_index"] == cell
        assert at.sum() == 1
        assert (written["reason"][at][0] == "kept") == (valid.mean() >= 0.2)
        if valid.any():
            np.testing.assert_allclose(written["SSM"][at][0], numbers[valid].mean() * 0.5, rtol=1e-5)
            noise = raw.ssm_noise.values[0][np.ix_(rows, columns)].astype(float)[valid] * 0.5
            np.testing.assert_allclose(written["SSM_error"][at][0], np.sqrt((noise**2).mean()), rtol=1e-5)
        kept += valid.mean() >= 0.2
    assert kept >= 5


def test_a_file_of_fill_values_alone(readers: Path, prepare: Any, tmp_path: Path) -> None:
    path = readers / "c_gls_SSM1km_201706020000_CEURO_S1CSAR_V1.1.1.nc"
    with pytest.raises(InputError, match=r"20170602.*no usable sample .*undefined.*fill values only"):
        prepare("cgls_ssm", path, 43.0, 1.0)
    assert not (tmp_path / "prepared.nc").exists()


def test_table_of_provence(shared: Path, prepare: Any, prepared: Any, tmp_path: Path) -> None:
    path = shared / "data" / "provence" / "ascat_ssm_warp55r12_fontblanche_2007_2013.csv.gz"
    counts = prepare("ascat_table", path, 43.2408, 5.6787)
    assert counts == {
        "read": 28899, "kept": 1980, "outside_domain": 16842, "other_location": 8155, "processing_flag": 1246,
        "frozen": 656, "duplicate": 20,
    }  # fmt: skip
    rows = []
    with gzip.open(path, "rt") as file:
        for row in csv.DictReader(file):
            if row["gpi"] == "2228113" and float(row["proc_flag"]) == 0 and row["ssf"] == "1.0":
                rows.append((row["time"].replace(" ", "T"), float(row["ssm_pct"]), float(row["ssm_noise_pct"])))
    rows = sorted(set(rows))
    observations = read_observations(tmp_path / "prepared.nc")
    assert observations.units == "%"
    assert observations.time.astype(str).tolist() == [row[0] for row in rows]
    assert observations.value.tolist() == [row[1] for row in rows]
    assert observations.error.tolist() == [row[2] for row in rows]


def plain_ismn(path: Path, value: int, flag: int) -> tuple[np.ndarray, list[float], list[str]]:
    """Times, values and flags by splitting the text; ``value`` and ``flag`` are columns."""
    lines = [line.split() for line in re.split(r"[\r\n]+", path.read_text()) if re.match(r"\d{4}/", line.strip())]
    times = np.array([f"{line[0].replace('/', '-')}T{line[1]}" for line in lines], "datetime64[s]")
    return times, [float(line[value]) for line in lines], [line[flag] for line in lines]


def test_remedhus(readers: Path, prepare: Any, prepared: Any) -> None:
    times, values, flags = plain_ismn(readers / REMEDHUS, 12, 13)
    counts = prepare("ismn", readers / REMEDHUS, 41.2, -5.5)
    assert counts == {"read": 19141, "kept": 18687, "flag_D03": 322, "flag_D05": 126, "flag_D08": 5, "flag_D07": 1}
    written = prepared()
    np.testing.assert_array_equal(written["when"], times)
    np.testing.assert_array_equal(written["SSM"], np.float32(values))
    np.testing.assert_array_equal(written["rejected"] == 0, np.array(flags) == "G")
    assert counts["kept"] == flags.count("G")


def test_scan(readers: Path, prepare: Any, prepared: Any) -> None:
    with pytest.raises(
        InputError, match=r"0\.3048-0\.3048 m, not within 0 to 0\.1 m; set prepare.observations.product"
    ):
        prepare("ismn", readers / SCAN, 19.76, -155.42)
    counts = prepare("ismn", readers / SCAN, 19.76, -155.42, depth=(0.3, 0.31), error=0.04)
    assert counts == {"read": 5, "kept": 2, "flag_C03": 3}
    written = prepared()
    np.testing.assert_array_equal(written["SSM"], np.float32([0.491, 0.488, 0.483, 0.49, 0.484]))
    np.testing.assert_array_equal(written["SSM_error"], np.float32(0.04))


@pytest.mark.parametrize(
    ("name", "value", "flag", "rows"),
    [(SMOSMANIA, 2, 3, 741), ("SMOSMANIA_Narbonne_header_values_2007_2012.stm", 2, 3, 719)],
)
def test_smosmania_header_and_values(readers: Path, prepare: Any, name: str, value: int, flag: int, rows: int) -> None:
    """Lines end with a lone carriage return; nothing is flagged G, so nothing is usable."""
    path = readers / name
    times, values, flags = plain_ismn(path, value, flag)
    (series,) = read_series(str(path), name, path.read_bytes().decode())
    assert len(series) == rows == len(values)
    np.testing.assert_array_equal(series.time, times)
    np.testing.assert_array_equal(series.value, values)
    assert series.flag.tolist() == flags
    assert (series.latitude, series.longitude, series.depth) == (43.15, 2.9567, (0.05, 0.05))
    with pytest.raises(InputError, match=rf"no usable sample \({rows} read, 0 kept, \d+ flag_U"):
        prepare("ismn", path, 43.15, 2.96)


def test_smosmania_old_ceop(readers: Path) -> None:
    path = readers / "SMOSMANIA_SMOSMANIA_NBN_20100304_20130801.stm"
    times, values, flags = plain_ismn(path, -2, -1)
    depths = [float(line.split()[-5]) for line in path.read_text().splitlines() if line.strip()]
    series = read_series(str(path), path.name, path.read_bytes().decode())
    assert [one.depth for one in series] == [(0.05, 0.05), (0.1, 0.1), (0.2, 0.2), (0.3, 0.3)]
    assert sum(len(one) for one in series) == len(values) == 169
    for one in series:
        at = np.array(depths) == one.depth[0]
        np.testing.assert_array_equal(one.time, times[at])
        np.testing.assert_array_equal(one.value, np.array(values)[at])
        assert one.flag.tolist() == np.array(flags)[at].tolist()


@pytest.mark.parametrize(("field", "column"), [(None, 5), ("508", 9), ("542", 13)])
def test_fields_of_mni(readers: Path, prepare: Any, prepared: Any, field: str | None, column: int) -> None:
    path = readers / "mni2017_in_situ_sm.csv"
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[2:]
    counts = prepare("field_table", path, 48.0, 12.0, sensor=field, error=0.03)
    written = prepared()
    assert counts["read"] == len(rows) == 121
    assert written["when"].astype(str).tolist() == [row[1].replace(" ", "T") for row in rows]
    np.testing.assert_array_equal(written["SSM"], np.float32([row[column] or np.nan for row in rows]))
    assert counts["kept"] == sum(bool(row[column]) for row in rows) == 121 - counts.get("undefined", 0)
    with pytest.raises(InputError, match=r"mni2017.*does not say where its fields lie"):
        prepare("field_table", path, [48.0, 49.0], [12.0, 12.0])
    with pytest.raises(InputError, match=r"no field 9; set prepare.*sensor to one of 301, 508, 542"):
        prepare("field_table", path, 48.0, 12.0, sensor="9")


@pytest.mark.parametrize("name", [REMEDHUS, SCAN, SMOSMANIA])
def test_ismn_as_the_package_reads_it(readers: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ismn")
    from dalearn.observations.ismn_package import series_of_package

    (package,) = series_of_package(readers / name)
    (own,) = read_series(name, name, (readers / name).read_bytes().decode())
    for field in ("time", "value", "flag"):
        np.testing.assert_array_equal(getattr(package, field), getattr(own, field))
    assert (package.latitude, package.longitude, package.depth) == (own.latitude, own.longitude, own.depth)


def test_swath_as_the_package_reads_it(readers: Path, prepare: Any, prepared: Any) -> None:
    pytest.importorskip("ascat")
    raw = stored(readers / SWATH)
    row, column = (index[::501] for index in np.nonzero(raw.sigma40.values != -(2**31)))
    position = raw.latitude.values[row, column] * 1e-6, raw.longitude.values[row, column] * 1e-6
    taken = []
    for format in ("eumetsat_l2", "ascat_package"):
        prepare(format, readers / SWATH, *position, tolerance_km=0.2)
        written = prepared()
        taken.append(written["SSM"][np.argsort(written["cell_index"])])
    np.testing.assert_allclose(*taken, rtol=1e-5)


def test_no_file_is_forgotten(readers: Path) -> None:
    """A new observation file in the folder needs a test here."""
    known: list[Callable[[str], bool]] = [
        lambda name: name.startswith(("H109_1436", "H110_1324", "W_XX-", "c_gls_SSM1km_20170", "c_gls_SWI1km_20170")),
        lambda name: name in (REMEDHUS, SCAN, SMOSMANIA) or name.startswith("SMOSMANIA_"),
        lambda name: name.endswith("_static_variables.csv"),  # of ISMN stations: soil and climate, no observation
        lambda name: name in ("FI-Hyy_1996-2014_FLUXNET2015_Met.nc", "FORCING_test_base.nc"),  # forcing
        lambda name: name == "mni2017_in_situ_sm.csv",
    ]
    assert [path.name for path in readers.iterdir() if not any(test(path.name) for test in known)] == []
    with netCDF4.Dataset(readers / SWATH) as dataset:
        assert abs(dataset["sigma40"].valid_min) == 10_000_000, "the wrong range that is not applied"
