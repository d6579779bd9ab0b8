"""Files of the International Soil Moisture Network: header + values and CEOP, old and new.

* header + values: one line ``CSE network station lat lon elevation from to sensor``, then ``date time value flag
  [provider flag]``;
* CEOP in separate files: 15 columns, the value in the 13th, its flag in the 14th;
* the old CEOP: all depths of a station in one file, ``... elevation - depth temperature flag moisture flag``.

The dates in a file name are those of the query, not of the data.  Sensor names hold spaces and underscores, so names
are split from the right.  Lines may end as on any system, the oldest included (a lone carriage return).
"""

import re
from dataclasses import dataclass, replace

import numpy as np

from dalearn.errors import InputError

_NUMBER = r"[-+]?\d+(?:\.\d*)?"
_NAME = re.compile(
    rf"(?P<cse>.+?)_(?P<network>.+?)_(?P<station>.+)_(?P<variable>[a-z]+)_(?P<first>{_NUMBER})_(?P<last>{_NUMBER})_"
    r"(?P<sensor>.+)_(?P<start>\d{8})_(?P<end>\d{8})\.stm",
    re.IGNORECASE,
)
_HEADER = re.compile(
    rf"\s*(?P<cse>\S+)\s+(?P<network>\S+)\s+(?P<station>.+?)\s+(?P<latitude>{_NUMBER})\s+(?P<longitude>{_NUMBER})\s+"
    rf"(?P<elevation>{_NUMBER})\s+(?P<first>{_NUMBER})\s+(?P<last>{_NUMBER})\s+(?P<sensor>\S.*?)\s*"
)
_LONE_MINUS = re.compile(r"\s-\s+(?=\d)")
_DATE = re.compile(r"\d{4}/\d{2}/\d{2}")
SOIL_MOISTURE = "sm"
LOWEST_VALUE = -99.0  # -9999 and -999.99 stand for nothing


@dataclass(frozen=True, eq=False)
class Series:
    """One sensor: depths in m, ``time`` (sample,) datetime64[s] UTC, ``value`` (sample,) m3 m-3, ``flag`` (sample,)."""

    source: str
    network: str
    station: str
    latitude: float
    longitude: float
    depth: tuple[float, float]
    sensor: str
    time: np.ndarray
    value: np.ndarray
    flag: np.ndarray

    def __len__(self) -> int:
        return len(self.time)


def variable_of(name: str) -> str:
    """The variable in a file name (``sm``, ``ts``, ...); soil moisture for a name that does not tell."""
    match = _NAME.fullmatch(name)
    return match["variable"].lower() if match else SOIL_MOISTURE


def read_series(source: str, name: str, text: str) -> list[Series]:
    """The series of a file called ``name`` with the content ``text``; ``source`` is for messages.

    Raises InputError naming the line that does not fit.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise InputError(f"{source}: soil moisture: the file is empty; download it again")
    if _DATE.match(lines[0][1].strip()):
        return _ceop(source, name, lines)
    return [_header_and_values(source, lines)]


def _header_and_values(source: str, lines: list[tuple[int, str]]) -> Series:
    match = _HEADER.fullmatch(lines[0][1])
    if match is None:
        raise InputError(
            f"{source}: line 1 is not a header (network, station, lat, lon, elevation, depths, sensor) and no CEOP "
            "line; give an ISMN file in header+values or CEOP format"
        )
    rows = [_split(source, number, line, (4, 5)) for number, line in lines[1:]]
    return Series(
        source=source,
        network=match["network"],
        station=match["station"],
        latitude=float(match["latitude"]),
        longitude=float(match["longitude"]),
        depth=(float(match["first"]), float(match["last"])),
        sensor=match["sensor"],
        **_columns(source, lines[1:], rows, 2, 3),
    )


def _split(source: str, number: int, line: str, lengths: tuple[int, ...]) -> list[str]:
    words = line.split()
    if len(words) not in lengths or not _DATE.fullmatch(words[0]):
        raise InputError(
            f'{source}: line {number} is "{line.strip()[:60]}", not date, time, value and flag; it is cut short or '
            "damaged, download it again"
        )
    return words


def _columns(
    source: str, lines: list[tuple[int, str]], rows: list[list[str]], value: int, flag: int
) -> dict[str, np.ndarray]:
    """Times, values and flags of the rows that were split."""
    times, values = np.empty(len(rows), "datetime64[s]"), np.empty(len(rows))
    try:
        times[:] = [f"{row[0].replace('/', '-')}T{row[1]}" for row in rows]
        values[:] = [float(row[value]) for row in rows]
    except ValueError:
        for (number, line), row in zip(lines, rows, strict=True):
            try:
                np.datetime64(f"{row[0].replace('/', '-')}T{row[1]}", "s")
                float(row[value])
            except ValueError as error:
                raise InputError(
                    f'{source}: line {number} is "{line.strip()[:60]}" ({error}); correct it or download the file again'
                ) from error
        raise
    values[values < LOWEST_VALUE] = np.nan
    return {"time": times, "value": values, "flag": np.array([row[flag] for row in rows], dtype=str)}


def _ceop(source: str, name: str, lines: list[tuple[int, str]]) -> list[Series]:
    first = lines[0][1].split()
    if len(first) < 14:
        raise InputError(
            f"{source}: line 1 has {len(first)} columns, a CEOP line 15; it is cut short, download it again"
        )
    described = _NAME.fullmatch(name)
    place = dict(
        source=source, network=first[5], station=first[6], latitude=_position(source, first[7]),
        longitude=_position(source, first[8]), sensor=described["sensor"] if described else "unknown",
    )  # fmt: skip
    if not _is_old(first):
        rows = [_split(source, number, line, (14, 15)) for number, line in lines]
        depth = float(rows[0][10]), float(rows[0][11])
        return [Series(**place, depth=depth, **_columns(source, lines, rows, 12, 13))]  # type: ignore[arg-type]
    # the minus sign stands for "below the ground", not for a negative depth
    rows = [_split(source, number, _LONE_MINUS.sub(" ", line), (15,)) for number, line in lines]
    rows = [[*row[:10], row[10].lstrip("-"), *row[11:]] for row in rows]
    columns = _columns(source, lines, rows, 13, 14)
    depth_of_row = np.array([float(row[10]) for row in rows])
    whole = Series(**place, depth=(0.0, 0.0), **columns)  # type: ignore[arg-type]
    return [
        replace(
            whole,
            depth=(float(depth), float(depth)),
            **{key: column[depth_of_row == depth] for key, column in columns.items()},
        )
        for depth in np.unique(depth_of_row)
    ]


def _is_old(words: list[str]) -> bool:
    """Whether a CEOP line is of the old kind, whose 13th column is the flag of the soil temperature."""
    words = [word for word in words if word != "-"]
    return len(words) == 15 and not re.fullmatch(_NUMBER, words[12])


def _position(source: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{source}: line 1 has the position {text}; give degrees in columns 8 and 9") from error
