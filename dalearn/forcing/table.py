"""Daily tables of weather as text: read, and every fault named with its day.

Columns ``DATE`` (2005-01-31 or 31/01/2005), ``Tair_min Tair_max Tair_mean`` degC, ``RG_sum`` MJ m-2 d-1, ``PPT_sum``
mm d-1, ``RHair_mean`` (or ``RHair_min`` and ``RHair_max``) %, ``WS_mean`` m s-1; separated by commas or semicolons,
plain or gzip.
"""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dalearn.errors import InputError

REQUIRED = ("Tair_min", "Tair_max", "Tair_mean", "RG_sum", "PPT_sum", "WS_mean")
HUMIDITY = ("RHair_min", "RHair_max", "RHair_mean")
RANGES = {
    "Tair_min": (-90.0, 60.0, "degrees Celsius: subtract 273.15 from kelvins"),
    "Tair_max": (-90.0, 60.0, "degrees Celsius: subtract 273.15 from kelvins"),
    "Tair_mean": (-90.0, 60.0, "degrees Celsius: subtract 273.15 from kelvins"),
    "RG_sum": (0.0, 50.0, "MJ m-2 d-1: multiply W m-2 by 0.0864, divide J cm-2 by 100"),
    "PPT_sum": (0.0, 1500.0, "mm d-1: it cannot be negative"),
    "RHair_min": (0.0, 100.0, "%: correct the days above 100, the probe was not calibrated"),
    "RHair_max": (0.0, 100.0, "%: correct the days above 100, the probe was not calibrated"),
    "RHair_mean": (0.0, 100.0, "%: correct the days above 100, the probe was not calibrated"),
    "WS_mean": (0.0, 75.0, "m s-1: divide km h-1 by 3.6"),
}
TEMPERATURE_ROUNDING = 0.051  # K by which a rounded mean may lie outside the rounded extremes
DAY_FIRST = r"\d{1,2}/\d{1,2}/\d{4}"
YEAR_FIRST = r"\d{4}-\d{1,2}-\d{1,2}"


@dataclass(frozen=True, eq=False)
class DailyTable:
    """Days (day,) datetime64[D] without gaps and the columns by name, (day,); ``source`` names the files."""

    source: str
    date: np.ndarray
    columns: dict[str, np.ndarray]


def read_table(paths: Sequence[Path]) -> DailyTable:
    """The days of all files, in the order of their first days.

    Raises InputError, one line with file, column, day and mend, for anything that is not a complete daily record.
    """
    parts = sorted((_read(path) for path in paths), key=lambda part: part.date[0])
    date = np.concatenate([part.date for part in parts])
    source = parts[0].source if len(parts) == 1 else f"{parts[0].source} and {len(parts) - 1} more"
    _check_days(source, date)
    names = [name for name in parts[0].columns if all(name in part.columns for part in parts)]
    return DailyTable(source, date, {name: np.concatenate([part.columns[name] for part in parts]) for name in names})


def _read(path: Path) -> DailyTable:
    text = _text(path)
    header = text.partition("\n")[0]
    separator = ";" if header.count(";") > header.count(",") else ","
    names = [name.strip().strip('"') for name in header.split(separator)]
    if "DATE" not in names:
        raise InputError(f"{path}: column DATE is missing; name the columns in the first line (found {header[:60]!r})")
    lines = text.splitlines()
    for number, line in enumerate(lines[1:], start=2):
        if line.strip() and line.count(separator) != len(names) - 1:
            raise InputError(
                f"{path}: line {number} has {line.count(separator) + 1} columns instead of {len(names)}; "
                "the file may be cut short: copy it again or complete the line"
            )
    table = pd.DataFrame([line.split(separator) for line in lines[1:] if line.strip()], columns=names, dtype=str)
    if table.empty:
        raise InputError(f"{path}: DATE: the table holds no day; copy or produce it again")
    date = _dates(path, table["DATE"])
    _check_days(str(path), date)
    humidity = ("RHair_mean",) if "RHair_mean" in names else ("RHair_min", "RHair_max")
    for name in (*REQUIRED, *humidity):
        if name not in names:
            raise InputError(f"{path}: column {name} is missing; add it (the table has {', '.join(names)})")
    present = [name for name in (*REQUIRED, *HUMIDITY) if name in names]
    columns = {name: _numbers(path, name, table[name], date) for name in present}
    _check_temperatures(path, date, columns)
    return DailyTable(str(path), date, columns)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data[:2] == b"PK":
            raise InputError(f"{path}: this is a zip archive, not a table: unzip it first")
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: cut short or damaged ({error}); copy it again") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a table in UTF-8 text; save it as csv") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); correct the path or its permissions") from error


def _dates(path: Path, column: pd.Series) -> np.ndarray:
    text = column.str.strip().str.strip('"')
    for pattern, style in ((YEAR_FIRST, "%Y-%m-%d"), (DAY_FIRST, "%d/%m/%Y")):
        if text.str.fullmatch(pattern).all():
            days = pd.to_datetime(text, format=style, errors="coerce")
            break
    else:
        bad = text[~text.str.fullmatch(f"{YEAR_FIRST}|{DAY_FIRST}")]
        example = bad.iloc[0] if len(bad) else "both styles"
        raise InputError(f"{path}: DATE holds {example!r}; write all days as 2005-01-31, or all as 31/01/2005")
    if days.isna().any():
        raise InputError(f"{path}: DATE holds {text[days.isna()].iloc[0]!r}, which is no day; correct it")
    return days.to_numpy().astype("datetime64[D]")


def _check_days(source: str, date: np.ndarray) -> None:
    apart = np.diff(date).astype(np.int64)
    for wrong, problem in ((apart == 0, "comes twice; remove one"), (apart < 0, "comes too late; sort the days")):
        if wrong.any():
            raise InputError(f"{source}: DATE: {date[1:][int(np.argmax(wrong))]} {problem}")
    if (apart > 1).any():
        row = int(np.argmax(apart > 1))
        missing = int((apart - 1).sum())
        raise InputError(
            f"{source}: DATE: {missing} day(s) are missing, the first after {date[row]}; fill the gap up to "
            f"{date[row + 1]}"
        )


def _numbers(path: Path, name: str, column: pd.Series, date: np.ndarray) -> np.ndarray:
    values = pd.to_numeric(column.str.strip(), errors="coerce").to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        number = int((~np.isfinite(values)).sum())
        raise InputError(f"{path}: {name} is {column.iloc[row]!r} on {date[row]} ({number} day(s)); fill it in")
    low, high, mend = RANGES[name]
    outside = ~((values >= low) & (values <= high))
    if outside.any():
        row = int(np.argmax(outside))
        raise InputError(
            f"{path}: {name} is {values[row]:g} on {date[row]} ({int(outside.sum())} day(s) outside {low:g} to "
            f"{high:g}); give {mend}"
        )
    return values


def _check_temperatures(path: Path, date: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    smallest, largest, mean = (columns[name] for name in ("Tair_min", "Tair_max", "Tair_mean"))
    wrong = smallest > largest
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{path}: Tair_min {smallest[row]:g} is above Tair_max {largest[row]:g} on {date[row]} "
            f"({int(wrong.sum())} day(s)); correct them"
        )
    wrong = (mean < smallest - TEMPERATURE_ROUNDING) | (mean > largest + TEMPERATURE_ROUNDING)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{path}: Tair_mean {mean[row]:g} is not between Tair_min {smallest[row]:g} and Tair_max "
            f"{largest[row]:g} on {date[row]} ({int(wrong.sum())} day(s)); correct them"
        )
