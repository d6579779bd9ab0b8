"""ASCAT soil moisture extracted at grid points, in one csv table (gzip or plain).

Columns ``gpi`` (grid point), ``lat``, ``lon``, ``time`` (UTC), ``ssm_pct`` (% of saturation), optionally
``ssm_noise_pct``, ``proc_flag``, ``ssf``, ``orbit`` (A or D), ``topo``, ``wetland`` (%).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas

from dalearn.errors import InputError
from dalearn.observations.account import Account, reject
from dalearn.observations.ascat import ascat_codes, check_quantity
from dalearn.observations.nearest import NearestCells
from dalearn.observations.points import check_position, overpasses, place, repeated
from dalearn.observations.request import ProductRequest, in_period
from dalearn.observations.samples import Samples

REQUIRED = ("gpi", "lat", "lon", "time", "ssm_pct")
FIELDS = {"proc_flag": "processing_flag", "ssf": "surface_state", "topo": "topography", "wetland": "wetland"}


def read_ascat_table(
    request: ProductRequest, files: Sequence[Path], cells: NearestCells, account: Account
) -> Iterator[Samples]:
    """Samples of SSM (% of saturation) at the grid points of the cells."""
    check_quantity(request)
    if request.quantity != "SSM":
        raise InputError(
            f"prepare.observations.{request.name}.quantity: a table holds SSM, not {request.quantity}; set it to SSM"
        )
    tables = [_table(path) for path in files]
    points = pandas.concat([table[["gpi", "lat", "lon"]] for table in tables]).drop_duplicates("gpi").sort_values("gpi")
    places = place(request, cells, points["lat"].to_numpy(), points["lon"].to_numpy())
    blocks, distance = [], []
    for path, table in zip(files, tables, strict=True):
        of_point = np.searchsorted(points["gpi"].to_numpy(), table["gpi"].to_numpy())
        block, use = _block(request, account, path, table, places.cell[of_point])
        if request.aggregate == "mean":
            blocks.append(block)
            distance.append(places.distance[of_point[use]])
        else:
            reject(block.rejected, ~places.primary[of_point[use]], account.code("other_location"))
            yield block
    yield from overpasses(request, account, blocks, distance)


def _table(path: Path) -> pandas.DataFrame:
    try:
        table = pandas.read_csv(path)
    except (OSError, EOFError, ValueError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read as a csv table ({reason}); copy or write it again") from error
    for name in REQUIRED:
        if name not in table:
            present = ", ".join(map(str, table.columns))
            raise InputError(f"{path}: column {name} is missing; add it (the table has {present})")
    for name in table.columns.intersection([*REQUIRED, *FIELDS, "ssm_noise_pct"]).drop("time"):
        numbers = pandas.to_numeric(table[name], errors="coerce")
        wrong = numbers.isna() & table[name].notna()
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(f'{path}: {name} is "{table[name][row]}" in line {row + 2}; give a number or nothing')
        table[name] = numbers
    check_position(str(path), table["lat"].to_numpy(), table["lon"].to_numpy())
    return table


def _block(
    request: ProductRequest, account: Account, path: Path, table: pandas.DataFrame, cell: np.ndarray
) -> tuple[Samples, np.ndarray]:
    """The samples of the table that lie in a cell and in the period, and their rows."""
    time = pandas.to_datetime(table["time"], errors="coerce").to_numpy().astype("datetime64[s]")
    if np.isnat(time).any():
        row = int(np.argmax(np.isnat(time)))
        raise InputError(f'{path}: time is "{table["time"][row]}" in line {row + 2}; write it as 2007-01-31 21:04:01')
    again = repeated(f"{path}: time", time, table["gpi"].to_numpy(), table["ssm_pct"].to_numpy())
    inside, within = cell >= 0, in_period(request, time)
    account.leave_out("outside_domain", np.count_nonzero(~inside))
    account.leave_out("outside_period", np.count_nonzero(inside & ~within))
    use = np.flatnonzero(inside & within)
    fields = {name: table[column].to_numpy(float)[use] for column, name in FIELDS.items() if column in table}
    if "orbit" in table:
        fields["descending"] = np.where(table["orbit"].to_numpy()[use] == "D", 1.0, 0.0)
    fields["latitude"] = table["lat"].to_numpy()[use]
    noise = table["ssm_noise_pct"].to_numpy() if "ssm_noise_pct" in table else np.full(len(table), np.nan)
    block = Samples(
        source=str(path),
        variable="ssm_pct",
        units="%",
        time=time[use],
        cell=cell[use],
        value=table["ssm_pct"].to_numpy()[use].astype(np.float32),
        error=noise[use].astype(np.float32),
        rejected=ascat_codes(request, account, str(path), fields, {}),
    )
    block.rejected[again[use]] = account.code("duplicate")
    return block, use
