"""Swaths on the cells: positions that change from sample to sample.

Used by the EUMETSAT level 2 reader and by the one that goes through the package ``ascat``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from dalearn.errors import InputError
from dalearn.observations.account import Account
from dalearn.observations.ascat import UNITS, Fields, ascat_codes
from dalearn.observations.nearest import NearestCells
from dalearn.observations.points import check_position, overpasses, place
from dalearn.observations.request import ProductRequest, in_period
from dalearn.observations.samples import Samples

# Of the processing flag of level 2 the bits 0 (too few neighbours with parameters), 1 (low sensitivity), 2 (azimuthal
# noise), 3 (fore and aft beams differ), 6 and 7 (too dry, too wet) count, the first two and the last two not against
# the backscatter.  Bits 4 and 5 (slopes between beams) are set in most retrievals over land, so they say little.
LEVEL_2_BITS = {"SSM": 1 | 2 | 4 | 8 | 64 | 128, "sigma0": 4 | 8}


@dataclass(frozen=True, eq=False)
class Swath:
    """The samples of one file, all (sample,); ``fields`` and ``meanings`` as in ``ascat_codes``."""

    source: str
    variable: str
    units: str
    time: np.ndarray
    value: np.ndarray
    noise: np.ndarray
    fields: Fields
    meanings: Mapping[str, Mapping[int, str]]
    held_bits: Mapping[str, int] | None = None


def on_cells_of_swath(
    request: ProductRequest, cells: NearestCells, account: Account, swath: Swath, last: dict[float, np.datetime64]
) -> Iterator[Samples]:
    """One sample per cell and overpass.

    ``last`` time seen of each satellite: files must come in the order of time, lines read before are ``duplicate``.
    """
    latitude, longitude = swath.fields["latitude"], swath.fields["longitude"]
    placed = np.isfinite(latitude) & np.isfinite(longitude)
    if not placed.any():
        raise InputError(f"{swath.source}: latitude has no value; copy the file again")
    check_position(swath.source, latitude[placed], longitude[placed])
    places = place(request, cells, latitude, longitude)
    inside = places.cell >= 0
    within = in_period(request, swath.time)
    account.leave_out("outside_domain", np.count_nonzero(~inside))
    account.leave_out("outside_period", np.count_nonzero(inside & ~within))
    use = np.flatnonzero(inside & within)
    satellite = float(swath.fields["satellite"][0]) if "satellite" in swath.fields else 0.0
    before = last.get(satellite, np.datetime64("0001-01-01", "s"))
    last[satellite] = max(before, swath.time.max())
    fields = {name: values[use] for name, values in swath.fields.items()}
    rejected = ascat_codes(request, account, swath.source, fields, swath.meanings, swath.held_bits)
    rejected[swath.time[use] <= before] = account.code("duplicate")
    block = Samples(
        source=swath.source,
        variable=swath.variable,
        units=swath.units or UNITS[request.quantity],
        time=swath.time[use],
        cell=places.cell[use],
        value=swath.value[use].astype(np.float32),
        error=swath.noise[use].astype(np.float32),
        rejected=rejected,
    )
    yield from overpasses(request, account, [block], [places.distance[use]])
