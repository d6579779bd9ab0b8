"""In situ soil moisture of fields in one csv table: two lines of names, then one line per satellite overpass.

The first line names the columns ``<field>_<statistic>`` (high, low, med, mean), the second says ``date`` and ``SM``;
values are in m3 m-3, times in UTC.  Such a table does not say where the fields lie: it serves runs of one cell.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas

from dalearn.errors import InputError
from dalearn.observations.account import Account
from dalearn.observations.nearest import NearestCells
from dalearn.observations.points import repeated
from dalearn.observations.request import ProductRequest, in_period
from dalearn.observations.samples import Samples

MEAN = "_mean"


def read_field_table(
    request: ProductRequest, files: Sequence[Path], cells: NearestCells, account: Account
) -> Iterator[Samples]:
    """Samples of SSM: the mean of the field that ``sensor`` names, the first one by default."""
    name = f"prepare.observations.{request.name}"
    if request.quantity != "SSM":
        raise InputError(f"{name}.quantity: field_table holds SSM, not {request.quantity}")
    if len(cells.latitude) != 1:
        raise InputError(f"{files[0]}: the table does not say where its fields lie; use it in a run of one cell")
    for path in files:
        yield _samples(request, account, path)


def _samples(request: ProductRequest, account: Account, path: Path) -> Samples:
    try:
        names = pandas.read_csv(path, header=None, nrows=2, dtype=str).fillna("")
        table = pandas.read_csv(path, header=None, skiprows=2, dtype=str)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as a csv table ({' '.join(str(error).split())}); copy it again"
        ) from error
    fields = {
        str(column).removesuffix(MEAN): number for number, column in enumerate(names.loc[0]) if column.endswith(MEAN)
    }
    dates = np.flatnonzero(names.loc[1] == "date")
    if not len(dates) or not fields:
        raise InputError(f"{path}: no column date and <field>{MEAN} in the two lines of names; write them")
    field = request.sensor or next(iter(fields))
    if field not in fields:
        raise InputError(
            f"{path}: no field {field}; set prepare.observations.{request.name}.sensor to one of {', '.join(fields)}"
        )
    stamps = pandas.to_datetime(table[int(dates[0])], errors="coerce").to_numpy().astype("datetime64[s]")
    value = pandas.to_numeric(table[fields[field]], errors="coerce").to_numpy(np.float64)
    for column, wrong in ((int(dates[0]), np.isnat(stamps)), (fields[field], np.isnan(value))):
        wrong = wrong & (table[column].notna().to_numpy() | (column == dates[0]))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(f'{path}: "{table[column][row]}" in line {row + 3} is no date or number; correct it')
    again = repeated(f"{path}: date", stamps, np.zeros(len(table), np.int64), value)
    within = in_period(request, stamps)
    account.leave_out("outside_period", np.count_nonzero(~within))
    return Samples(
        source=str(path),
        variable=f"{field}{MEAN}",
        units="m3 m-3",
        time=stamps,
        cell=np.zeros(len(table), np.int64),
        value=value.astype(np.float32),
        error=np.full(len(table), np.nan, np.float32),
        rejected=np.where(again, account.code("duplicate"), 0).astype(np.int8),
    ).select(within)
