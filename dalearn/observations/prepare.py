"""Observation products as users download them -> one file of samples on the cells of a run."""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from dalearn.errors import InputError
from dalearn.observations.account import Account
from dalearn.observations.nearest import NearestCells
from dalearn.observations.request import ProductRequest
from dalearn.observations.sample_writer import sample_writer
from dalearn.observations.samples import Samples, screen

Reader = Callable[[ProductRequest, Sequence[Path], NearestCells, Account], Iterator[Samples]]

# format -> module, whose reader is called read_<format>; imported when it is used
FORMATS = (
    "hsaf_cells", "eumetsat_l2", "ascat_package", "ascat_table", "cgls_lai", "cgls_ssm", "cgls_swi",
    "sentinel1_raster", "ismn", "field_table",
)  # fmt: skip
OF_ASCAT = ("hsaf_cells", "eumetsat_l2", "ascat_package", "ascat_table")
RASTERS = ("cgls_lai", "cgls_ssm", "cgls_swi", "sentinel1_raster")
AVERAGES = {"sigma0": "arithmetic mean of dB"}


def prepare_observations(
    section: ProductRequest, files: list[Path], latitude: np.ndarray, longitude: np.ndarray, path: Path
) -> dict[str, int]:
    """Read the ``files`` of a product, put them on the cells and write ``path``, whole or not at all.

    ``latitude`` and ``longitude`` (cell,) degrees.  Every sample that was rejected is in the file with its value and
    reason, except those outside the cells or the period, which are only counted.  Returns how many samples were
    ``read``, ``kept`` and rejected by reason; the latter two add up to the first.

    Raises InputError, one line, when a file cannot be used or no sample is usable.
    """
    if section.format not in FORMATS:
        raise InputError(
            f"prepare.observations.{section.name}.format: {section.format} is not known; choose one of "
            f"{', '.join(FORMATS)}"
        )
    _check(section)
    if not files:
        raise InputError(f"prepare.observations.{section.name}.files: none found; name the files of the source")
    latitude, longitude = np.asarray(latitude, np.float64), np.asarray(longitude, np.float64)
    reader: Reader = getattr(import_module(f"dalearn.observations.{section.format}"), f"read_{section.format}")
    account = Account()
    attributes = {
        "title": f"{section.name}: {section.quantity} from {section.format}",
        "input_files": ", ".join(sorted(file.name for file in files))[:4000],
        "aggregation": _aggregation(section),
    }
    cells = NearestCells(latitude, longitude)
    files = list(dict.fromkeys(files))
    with sample_writer(Path(path), section.quantity, latitude, longitude, account, attributes) as writer:
        for block in screen(section, account, reader(section, files, cells, account)):
            if len(block):
                writer.append(block)
        if not account.kept:
            raise InputError(_nothing(section, files, account))
    return account.counts


def _check(section: ProductRequest) -> None:
    """Raise InputError for wishes that the format cannot fulfil."""
    where = f"prepare.observations.{section.name}"
    if section.format not in OF_ASCAT:
        for key, wish in (("largest", section.largest), ("passes", section.passes != "both")):
            if wish:
                raise InputError(f"{where}.{key}: files of format {section.format} do not tell; leave it out")
    if section.aggregate == "bilinear" and section.format not in RASTERS:
        raise InputError(f"{where}.aggregate: bilinear is for rasters, not {section.format}; take nearest or mean")
    if section.land_cover is not None and section.format != "sentinel1_raster":
        raise InputError(f"{where}.land_cover: only sentinel1_raster filters by land cover; leave it out")


def _aggregation(section: ProductRequest) -> str:
    if section.aggregate != "mean":
        return section.aggregate
    return f"mean ({AVERAGES.get(section.quantity, 'arithmetic')}), valid fraction {section.valid_fraction:g}"


def _nothing(section: ProductRequest, files: Sequence[Path], account: Account) -> str:
    where = f"{files[0]}" + (f" and {len(files) - 1} more" if len(files) > 1 else "")
    reasons = [name for name in account.counts if name not in ("read", "kept")]
    inside = [name for name in reasons if not name.startswith(("outside_", "other_"))]
    reasons = inside or reasons
    mends = {
        "outside_domain": f"no sample is within {section.tolerance_km:g} km of a cell, give files of these cells",
        "outside_period": "choose a period that overlaps",
        "undefined": "the files hold fill values only, check that the download is of this region",
    }
    mend = mends.get(reasons[0], "check its flags and the masks of the configuration") if reasons else "it is empty"
    return f"{where}: {section.quantity}: no usable sample ({account}); {mend}"
