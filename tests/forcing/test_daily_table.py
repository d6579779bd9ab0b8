"""Daily tables over the hours: what is in the table is kept, what is invented stays possible."""

import csv
import gzip
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.forcing.daily_cycle import rain_course, temperature_course, vapour_course
from dalearn.forcing.daily_table import DailyTables
from dalearn.forcing.prepare import Cells, plan_forcing, write_plan
from dalearn.forcing.reader import read_forcing
from dalearn.forcing.series import ForcingSeries
from dalearn.forcing.solar_phase import solar_phase
from dalearn.forcing.table import read_table

from .downloads import write_table

FONTBLANCHE = {"latitude": 43.2408, "longitude": 5.6787, "altitude": 436.0}
PUECHABON = {"latitude": 43.7413, "longitude": 3.5957, "altitude": 271.0}
REAL = [
    ("provence/FontBlanche_safran_daily_2005_2020.csv.gz", FONTBLANCHE),
    ("frpue/safran_daily_1999_2020.csv.gz", PUECHABON),
]


def source(path: Path, site: dict[str, float], utc_offset: float = 0.0) -> DailyTables:
    return DailyTables([path], **site, utc_offset=utc_offset, temperature_height=2.0, wind_height=10.0)


def prepared(tables: DailyTables, path: Path, **wishes: object) -> ForcingSeries:
    points = tables.points
    cells = Cells(points.latitude, points.longitude, points.altitude)
    write_plan(plan_forcing(tables, cells, **wishes), path)  # type: ignore[arg-type]
    return read_forcing(path)


def columns_of(path: Path, separator: str = ",") -> dict[str, np.ndarray]:
    """An independent reading of a table."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        rows = list(csv.DictReader(file, delimiter=separator))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "DATE"}


def days_of(series: ForcingSeries, name: str) -> np.ndarray:
    """(day, 24): the hours that end each day's steps, without the opening record."""
    return series.records[name][1:, 0].astype(np.float64).reshape(-1, 24)


@pytest.mark.parametrize(("name", "site"), REAL)
def test_real_tables_are_conserved(name: str, site: dict[str, float], shared: Path, tmp_path: Path) -> None:
    path = shared / "data" / name
    series = prepared(source(path, site), tmp_path / "FORCING.nc")
    table = columns_of(path)
    temperature = days_of(series, "Tair") - 273.15
    np.testing.assert_allclose(temperature.min(axis=1), table["Tair_min"], atol=3e-5)
    np.testing.assert_allclose(temperature.max(axis=1), table["Tair_max"], atol=3e-5)
    # the mean is met unless it is closer to an extreme than 1/24 of the range
    width = table["Tair_max"] - table["Tair_min"]
    share = (table["Tair_mean"] - table["Tair_min"]) / np.where(width > 0, width, 1.0)
    possible = (share > 0.05) & (share < 0.95) & (width > 0)
    assert possible.mean() > 0.98
    np.testing.assert_allclose(temperature.mean(axis=1)[possible], table["Tair_mean"][possible], atol=3e-5)
    assert np.abs(temperature.mean(axis=1) - table["Tair_mean"]).max() < 0.2
    rain = (days_of(series, "Rainf") + days_of(series, "Snowf")).sum(axis=1) * 3600.0
    np.testing.assert_allclose(rain, table["PPT_sum"], atol=2e-5)
    shortwave = (days_of(series, "DIR_SWdown") + days_of(series, "SCA_SWdown")).sum(axis=1) * 3600.0 / 1e6
    np.testing.assert_allclose(shortwave, table["RG_sum"], rtol=1e-5)
    np.testing.assert_allclose(days_of(series, "Wind").mean(axis=1), table["WS_mean"], rtol=1e-5)
    # humidity: the daily mean is that of the table, no hour is above saturation
    vapour = _vapour_pressure(days_of(series, "Qair"), days_of(series, "PSurf"))
    relative = 100.0 * vapour / _saturation(temperature + 273.15)
    np.testing.assert_allclose(relative.mean(axis=1), table["RHair_mean"], atol=0.01)
    assert relative.max() < 100.01
    hours, total = series.times, series.records["DIR_SWdown"][:, 0] + series.records["SCA_SWdown"][:, 0]
    assert abs(solar_phase(hours, 3600, total, site["latitude"], site["longitude"])) < 5.0
    # the curve has no cliffs: 95 % of the hours change by less than 3 K, at midnight too
    change = np.abs(np.diff(series.records["Tair"][:, 0].astype(np.float64)))
    assert np.percentile(change, 95) < 3.0
    assert np.percentile(change[24::24], 95) < 4.0


def _vapour_pressure(humidity: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    ratio = 287.0597 / 461.5250
    return humidity * pressure / (ratio + (1.0 - ratio) * humidity)


def _saturation(temperature: np.ndarray) -> np.ndarray:
    return 611.21 * np.exp(17.502 * (temperature - 273.16) / (temperature - 32.19))


def test_against_another_disaggregation_of_the_same_table(shared: Path, tmp_path: Path) -> None:
    """Font-Blanche: daily sums are equal; the mean course of the day and the yearly means are close."""
    path = shared / "data" / "provence" / "FontBlanche_safran_daily_2005_2020.csv.gz"
    start, end = np.datetime64("2005-01-01", "s"), np.datetime64("2014-01-01", "s")
    series = prepared(source(path, FONTBLANCHE), tmp_path / "FORCING.nc", start=start, end=end)
    with netCDF4.Dataset(shared / "data" / "cases" / "FontBlanche" / "FORCING.nc") as file:
        other = {name: np.asarray(file[name][:, 0], np.float64) for name in series.records if name in file.variables}
        assert len(file["time"]) == series.record_count
    ours = {name: values[:, 0].astype(np.float64) for name, values in series.records.items()}
    for records in (ours, other):
        records["SWdown"] = records["DIR_SWdown"] + records["SCA_SWdown"]
        records["Precip"] = records["Rainf"] + records["Snowf"]

    def by_hour(values: np.ndarray) -> np.ndarray:
        return values[1:].reshape(-1, 24).mean(axis=0)

    for name, tolerance in (("SWdown", 1e-3), ("Precip", 1e-8)):
        np.testing.assert_allclose(
            ours[name][1:].reshape(-1, 24).mean(axis=1), other[name][1:].reshape(-1, 24).mean(axis=1), atol=tolerance
        )
    assert np.abs(by_hour(ours["Tair"]) - by_hour(other["Tair"])).max() < 1.6
    assert abs(ours["Tair"].mean() - other["Tair"].mean()) < 0.02
    assert np.corrcoef(ours["Tair"], other["Tair"])[0, 1] > 0.98
    assert abs(ours["Qair"].mean() / other["Qair"].mean() - 1.0) < 0.01
    assert abs(ours["PSurf"].mean() - other["PSurf"].mean()) < 5.0
    # theirs is about 10 W m-2 high, by the account of whoever made it
    assert -12.0 < ours["LWdown"].mean() - other["LWdown"].mean() < 0.0
    # theirs is the sun AT the stamp, ours the mean of the hour before: half an hour apart
    place = FONTBLANCHE["latitude"], FONTBLANCHE["longitude"]
    phases = [solar_phase(series.times, 3600, records["SWdown"], *place) for records in (ours, other)]
    assert abs(phases[0] - phases[1] - 30.0) < 3.0


def test_long_wave_against_a_tower(shared: Path, tmp_path: Path) -> None:
    """Puechabon 2007-2012, monthly means: no month of the year is off by more than 10 W m-2."""
    path = shared / "data" / "frpue" / "safran_daily_1999_2020.csv.gz"
    start, end = np.datetime64("2007-01-01", "s"), np.datetime64("2013-01-01", "s")
    series = prepared(source(path, PUECHABON), tmp_path / "FORCING.nc", start=start, end=end)
    with (shared / "data" / "frpue" / "fluxnet2015_monthly_2007_2012.csv").open() as file:
        measured = np.array([float(row["LW_IN_F"]) for row in csv.DictReader(file)])
    month = (series.times[:-1].astype("datetime64[M]") - np.datetime64("2007-01")).astype(int)
    means = np.bincount(month, series.records["LWdown"][1:, 0].astype(np.float64)) / np.bincount(month)
    assert len(means) == len(measured) == 72
    assert abs((means - measured).mean()) < 6.0
    assert np.abs((means - measured).reshape(6, 12).mean(axis=0)).max() < 10.0


def test_both_styles_and_local_days(tmp_path: Path) -> None:
    english = write_table(tmp_path / "a.csv.gz")
    french = write_table(tmp_path / "b.csv", separator=";", date_style="%d/%m/%Y")
    first, second = (source(path, FONTBLANCHE).read(slice(0, 481)) for path in (english, french))
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
    hawaii = {"latitude": 19.8, "longitude": -155.3, "altitude": 1949.0}
    local = source(english, hawaii, utc_offset=-10.0)
    assert local.times[0] == np.datetime64("2016-06-01T10:00")
    shortwave = local.read(slice(0, 481))["SWdown"][:, 0].astype(np.float64)
    np.testing.assert_allclose(
        shortwave[1:].reshape(-1, 24).sum(axis=1) * 0.0036, columns_of(french, ";")["RG_sum"], rtol=1e-5
    )
    assert abs(solar_phase(local.times, 3600, shortwave, 19.8, -155.3)) < 5.0
    with pytest.raises(InputError, match="about -10"):
        source(english, hawaii)


def test_several_files_in_any_order(tmp_path: Path) -> None:
    whole = write_table(tmp_path / "whole.csv", 20)
    lines = whole.read_text().splitlines()
    parts = []
    for name, rows in (("2.csv", lines[11:]), ("1.csv", lines[1:11])):
        parts.append(tmp_path / name)
        parts[-1].write_text("\n".join([lines[0], *rows]) + "\n")
    one, other = read_table([whole]), read_table(parts)
    np.testing.assert_array_equal(one.date, other.date)
    np.testing.assert_array_equal(one.columns["Tair_mean"], other.columns["Tair_mean"])


def test_what_a_curve_cannot_meet_it_approaches() -> None:
    """Means at the extremes, and days without a range."""
    smallest, largest = np.array([5.0, 5.0, 5.0, 5.0]), np.array([15.0, 15.0, 5.0, 15.0])
    mean = np.array([5.0, 15.0, 5.0, 10.0])
    curve, _ = temperature_course(smallest, largest, mean, np.full(4, 5.0), 12.0)
    np.testing.assert_allclose(curve.min(axis=1), smallest)
    np.testing.assert_allclose(curve.max(axis=1), largest)
    np.testing.assert_allclose(curve.mean(axis=1), [5.0 + 10.0 / 24.0, 15.0 - 10.0 / 24.0, 5.0, 10.0], atol=1e-3)


def test_rain_falls_in_one_event_that_depends_on_the_day_alone() -> None:
    date = np.arange("2005-01-01", "2007-01-01", dtype="datetime64[D]")
    amount = np.where(np.arange(len(date)) % 2 == 0, np.linspace(0.1, 180.0, len(date)), 0.0)
    course = rain_course(amount, date)
    np.testing.assert_allclose(course.sum(axis=1), amount, rtol=1e-12)
    assert (course >= 0.0).all()
    wet = (course > 0.0).sum(axis=1)
    np.testing.assert_array_equal(wet[::2], np.minimum(np.ceil(2.0 * np.sqrt(amount[::2])), 24))
    edges = np.diff((course > 0.0).astype(int), axis=1, prepend=0, append=0)
    assert (np.abs(edges).sum(axis=1)[::2] == 2).all()
    np.testing.assert_array_equal(course[100:110], rain_course(amount[100:110], date[100:110]))
    centre = (course[::2] * np.arange(24)).sum(axis=1)[:40] / amount[::2][:40]
    assert np.std(centre) > 3.0  # light showers come at all hours


def test_vapour_never_exceeds_saturation() -> None:
    saturation = np.linspace(600.0, 2400.0, 48).reshape(2, 24)
    for wanted in (0.3, 0.9, 1.0):
        vapour = vapour_course(saturation, np.full(2, wanted))
        assert (vapour <= saturation).all()
        np.testing.assert_allclose((vapour / saturation).mean(axis=1), wanted, atol=1e-9)
