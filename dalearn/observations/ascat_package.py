"""ASCAT level 2 files in BUFR and EPS native format (and others it knows) through the optional package ``ascat``.

Level 1 holds the backscatter of three beams at their own incidence angles: without the slope that level 2 brings it
cannot be moved to 40 degrees, so such files are refused.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dalearn.errors import InputError, MissingExtraError
from dalearn.observations.account import Account
from dalearn.observations.ascat import FIELD_NAMES, NOISE_SUFFIXES, UNITS, VALUE_NAMES, check_quantity
from dalearn.observations.nearest import NearestCells
from dalearn.observations.packed import FLOAT_FILL, INTEGER_FILLS
from dalearn.observations.request import ProductRequest
from dalearn.observations.samples import Samples
from dalearn.observations.swath import LEVEL_2_BITS, Swath, on_cells_of_swath


def read_ascat_package(
    request: ProductRequest, files: Sequence[Path], cells: NearestCells, account: Account
) -> Iterator[Samples]:
    """Samples of sigma0 (dB) or SSM (% of saturation), one per cell and overpass.

    Files are taken in the order of their names, which begin alike and hold the time.  Raises MissingExtraError
    without the package, InputError for a file that it cannot read.
    """
    check_quantity(request)
    last: dict[float, np.datetime64] = {}
    for path in sorted(files, key=lambda path: path.name):
        yield from on_cells_of_swath(request, cells, account, _swath(request, path, _read(path)), last)


def _read(path: Path) -> Any:
    """The records of a file under the generic names of the package, a structured array."""
    try:
        from ascat.eumetsat.level2 import AscatL2File
    except ImportError as error:
        raise MissingExtraError("ascat", "obs", f"{path}: ASCAT in BUFR or EPS format") from error
    if not path.is_file():
        raise InputError(f"{path}: cannot be read (no such file); correct the path")
    try:
        records = AscatL2File(str(path)).read()
    except Exception as error:  # whatever its decoders raise, the mend is the same
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path}: ascat cannot read it as level 2 ({reason}); give BUFR (.bfr) or EPS (.nat) files"
        ) from error
    return records[0] if isinstance(records, tuple) else records


def _swath(request: ProductRequest, path: Path, records: Any) -> Swath:
    names = records.dtype.names or ()
    name = next((name for name in VALUE_NAMES[request.quantity] if name in names), None)
    if name is None or "time" not in names:
        raise InputError(
            f"{path}: no {request.quantity} in the file, it has {', '.join(names)}; level 1 has no backscatter at 40 "
            "degrees, give level 2"
        )
    noise = next((name + suffix for suffix in NOISE_SUFFIXES if name + suffix in names), None)
    fields = {
        field: _numbers(records[found])
        for field, aliases in FIELD_NAMES.items()
        if (found := next((alias for alias in aliases if alias in names), None)) and records[found].ndim == 1
    }
    if "sat_track_azi" in names:  # as_des_pass has not the same sense in all formats of the package
        azimuth = _numbers(records["sat_track_azi"]) % 360.0
        fields["descending"] = ((azimuth > 90.0) & (azimuth < 270.0)).astype(np.float64)
    return Swath(
        source=str(path),
        variable=name,
        units=UNITS[request.quantity],
        time=np.asarray(records["time"]).astype("datetime64[s]"),
        value=_numbers(records[name]),
        noise=_numbers(records[noise]) if noise else np.full(len(records), np.nan),
        fields=fields,
        meanings={},
        held_bits=LEVEL_2_BITS,
    )


def _numbers(column: np.ndarray) -> np.ndarray:
    """A column as float64, NaN where it is masked or filled."""
    column = np.ma.asarray(column)
    fill = INTEGER_FILLS.get(f"{column.dtype.kind}{column.dtype.itemsize}", FLOAT_FILL)
    values = np.ma.filled(column, fill).astype(np.float64)
    return np.where((values == fill) | ~np.isfinite(values), np.nan, values)
