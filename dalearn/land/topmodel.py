"""Runoff from saturated valleys and lateral flow to the river (CRUNOFF='SGH').

TOPMODEL (Beven and Kirkby 1979) with the topographic indices of a cell distributed as a three-parameter gamma
function (Sivapalan et al. 1987), as in ISBA (Habets and Saulnier 2001; Decharme et al. 2006) and for the multilayer
soil of SURFEX v8.1 (routines init_top, isba_sgh_update, hydro_soildif).  The saturated fraction and the lateral
flow are tabulated once against the soil moisture of the cell, and interpolated at every step.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dalearn.errors import InputError
from dalearn.grid import PATCH_COUNT, Grid
from dalearn.land.runoff import runoff_depth
from dalearn.land.state import SoilParameters, Topography

ROWS = 100
TOPOGRAPHY_MAPS = {
    "topographic_index_minimum": "minimum",
    "topographic_index_maximum": "maximum",
    "topographic_index_mean": "mean",
    "topographic_index_deviation": "deviation",
    "topographic_index_skewness": "skewness",
}
MAXIMUM_DEFICIT = 4.0  # D0 / M: the largest deficit in units of its decay factor
SMALLEST_SKEWNESS = 0.2
SMALLEST_DEVIATION_OF_UNSKEWED = 1.0
DRY_CONDUCTIVITY = 1e-4 / 86400.0  # m s-1, 0.1 mm a day


@dataclass(frozen=True)
class TopographicIndex:
    """Statistics of ln(a / tan(slope)) in each cell, (cell,); NaN where there is no topography.

    Those of a 2 m grid, as the PGD step of SURFEX holds them after its regressions (TI_MIN, TI_MAX, TI_MEAN, TI_STD,
    TI_SKEW).
    """

    minimum: np.ndarray
    maximum: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    skewness: np.ndarray

    def check(self) -> None:
        """InputError for a cell whose indices contradict each other."""
        defined = np.isfinite(self.mean)
        consistent = (self.minimum < self.mean) & (self.mean < self.maximum) & (self.deviation > 0.0)
        wrong = defined & ~(consistent & np.isfinite(self.skewness))
        if wrong.any():
            raise InputError(
                f"topographic_index_*: cell {int(np.flatnonzero(wrong)[0])} needs minimum < mean < maximum, a positive "
                "deviation and a skewness; correct it, or leave the mean undefined for no topography"
            )


class HillslopeWater(NamedTuple):
    """What the topography does in one step."""

    saturated: Tensor  # (column,) fraction
    lateral_flow: Tensor  # (layer, column) m s-1 without ice


class _Tables(NamedTuple):
    moisture: Tensor
    saturated: Tensor
    outflow: Tensor


def dry_limit(clay: Tensor, sand: Tensor, relation: str) -> Tensor:
    """Moisture at which the conductivity is 0.1 mm a day, where the deficit is largest (isba_physics.md 2.1, 2.2)."""
    if relation == "CH78":
        return 0.0890467 * (100.0 * clay) ** 0.3496
    return 0.1537 - 0.1233 * sand + 0.2685 * clay ** (1.0 / 3.0)


def dry_limit_of_properties(soil: SoilParameters) -> Tensor:
    """The same from given hydraulic properties of the first layer, as SURFEX does where they do not follow texture."""
    exponent = 1.0 / (2.0 * soil.retention_exponent[0] + 3.0)
    return soil.porosity[0] * (DRY_CONDUCTIVITY / soil.saturated_conductivity[0]) ** exponent


def topography(
    index: TopographicIndex, grid: Grid, soil: SoilParameters, *, clay: np.ndarray, dry: Tensor
) -> Topography:
    """The tables of every column, float64.

    Args:
        clay: clay fraction of each column, for the anisotropy of the conductivity (Fan et al. 2006).
        dry: ``dry_limit`` of each column.

    Raises:
        InputError: indices that contradict each other.
    """
    index.check()
    cell = grid.cell_of_column
    depth = runoff_depth(soil)
    part = grid.fraction * depth * soil.runoff_depth_weight.sum(dim=0)

    def over_cell(values: Tensor) -> Tensor:
        return torch.zeros(grid.cell_count, dtype=torch.float64).index_add(0, cell, values)

    cell_depth = over_cell(part)
    porosity = over_cell(grid.fraction * depth * (soil.runoff_depth_weight * soil.porosity).sum(dim=0)) / cell_depth
    limit = over_cell(part * dry) / cell_depth
    tables = saturation_tables(index, porosity, limit, cell_depth)

    columns = torch.arange(grid.column_count)
    first = torch.searchsorted(cell.contiguous(), torch.arange(grid.cell_count))[cell]
    count = torch.bincount(cell, minlength=grid.cell_count)[cell]
    rank = torch.arange(PATCH_COUNT)[:, None]
    exists = rank < count
    neighbour = torch.where(exists, first + rank - columns, 0)
    weight = torch.where(exists, (grid.fraction * depth)[columns + neighbour] / cell_depth[cell], 0.0)
    clay_fraction = torch.from_numpy(np.ascontiguousarray(clay))
    anisotropy = 1.55 + 32.85 * clay_fraction + 65.637 * clay_fraction**2
    return Topography(
        moisture=tables.moisture[:, cell],
        saturated=tables.saturated[:, cell],
        outflow=tables.outflow[:, cell],
        anisotropy=anisotropy.repeat(len(soil.porosity), 1),
        # kept as a number of the common dtype, so that columns can be tiled, selected and packed like any other
        neighbour=neighbour.to(torch.float64),
        neighbour_weight=weight,
    )


def saturation_tables(index: TopographicIndex, porosity: Tensor, dry: Tensor, depth: Tensor) -> _Tables:
    """Soil moisture (descending), saturated fraction and outflow, each (row, cell).

    ``porosity``, ``dry`` and ``depth`` (cell,): mean porosity, mean dry limit (m3 m-3), depth (m).
    """
    defined = torch.from_numpy(np.isfinite(index.mean))

    def tensor(values: np.ndarray, where_undefined: float) -> Tensor:
        return torch.where(defined, torch.from_numpy(np.asarray(values, dtype=np.float64)), where_undefined)

    lowest, highest = tensor(index.minimum, 4.0), tensor(index.maximum, 12.0)
    mean, skewness = tensor(index.mean, 7.0), tensor(index.skewness, 1.0)
    deviation = tensor(index.deviation, 1.5)
    unskewed = skewness <= SMALLEST_SKEWNESS
    deviation = torch.where(unskewed, torch.clamp(deviation, min=SMALLEST_DEVIATION_OF_UNSKEWED), deviation)
    scale = 0.5 * torch.clamp(skewness, min=SMALLEST_SKEWNESS) * deviation
    shape = (deviation / scale) ** 2
    offset = mean - shape * scale

    shift = torch.clamp(-(lowest - offset) / scale, min=0.0)
    low, high = (lowest - offset) / scale + shift, (highest - offset) / scale + shift

    def below(position: Tensor) -> Tensor:
        return torch.special.gammainc(shape.expand_as(position), position)

    def density(position: Tensor) -> Tensor:
        """exp(-y) y^shape / Gamma(shape)."""
        return torch.exp(torch.xlogy(shape.expand_as(position), position) - position - torch.lgamma(shape))

    whole = below(high) - below(low)
    rows = torch.arange(ROWS, dtype=torch.float64)[:, None]
    threshold = lowest + rows * (highest - lowest) / (ROWS - 1)
    wet_end = torch.clamp((threshold - offset) / scale + shift, min=low, max=high)
    dry_end = torch.clamp((threshold - MAXIMUM_DEFICIT - offset) / scale + shift, min=low, max=high)
    saturated = torch.clamp((below(high) - below(wet_end)) / whole, min=0.0)
    driest = torch.clamp((below(dry_end) - below(low)) / whole, min=0.0)
    between = 1.0 - saturated - driest
    some = between != 0.0
    centre = offset + scale * (shape - shift + (density(dry_end) - density(wet_end)) / torch.where(some, between, 1.0))
    centre = torch.minimum(torch.maximum(centre, threshold - MAXIMUM_DEFICIT), threshold)
    deficit = torch.where(some, between * (threshold - centre) + driest * MAXIMUM_DEFICIT, 0.0)
    deficit = torch.clamp(deficit, min=0.0, max=MAXIMUM_DEFICIT)
    decay = (porosity - dry) * depth / MAXIMUM_DEFICIT
    moisture = porosity - decay * deficit / depth
    outflow = between * decay * torch.exp(-threshold)

    ends = [
        torch.cat([top[None], table[1:-1], bottom[None]])
        for table, top, bottom in (
            (moisture, porosity, dry),
            (saturated, torch.ones_like(dry), torch.zeros_like(dry)),
            (outflow, torch.zeros_like(dry), torch.zeros_like(dry)),
        )
    ]
    moisture, saturated, outflow = _straight_wet_end(_Tables(*ends), porosity)
    none = saturated <= 0.0
    moisture, outflow = torch.where(none, dry, moisture), torch.where(none, 0.0, outflow)
    none = moisture <= dry
    saturated, outflow = torch.where(none, 0.0, saturated), torch.where(none, 0.0, outflow)
    level = porosity + (dry - porosity) * rows / (ROWS - 1)
    return _Tables(
        torch.where(defined, moisture, level),
        torch.where(defined, saturated, 0.0),
        torch.where(defined, outflow, 0.0),
    )


def _straight_wet_end(tables: _Tables, porosity: Tensor) -> _Tables:
    """Rows at full saturation below the first, where the mean deficit is rounded away, laid on a straight line."""
    moisture, saturated, outflow = tables
    full = moisture >= porosity
    # the first row that is not full
    first = torch.argmax((~full).to(torch.int64), dim=0, keepdim=True)
    needed = full[1] & (torch.arange(ROWS)[:, None] > 0) & (torch.arange(ROWS)[:, None] < first)
    base = [table.gather(0, first) for table in tables]
    along = (saturated - base[1]) / torch.where(base[1] < 1.0, 1.0 - base[1], 1.0)
    straight = base[0] + along * (porosity - base[0]), base[2] + along * (outflow[:1] - base[2])
    return _Tables(torch.where(needed, straight[0], moisture), saturated, torch.where(needed, straight[1], outflow))


def hillslope_water(moisture: Tensor, soil: SoilParameters, topography: Topography) -> HillslopeWater:
    """Saturated fraction and lateral flow from the liquid water at step start, ``(layer, column)`` m3 m-3."""
    weight = soil.runoff_depth_weight
    own = (weight * torch.where(soil.holds_water, moisture, 0.0)).sum(dim=0)
    here = torch.arange(own.shape[0], device=own.device)
    others = own[here + topography.neighbour.round().to(torch.int64)]
    of_cell = (topography.neighbour_weight * others).sum(dim=0)

    table = topography.moisture
    rows = torch.arange(table.shape[0] - 1, device=table.device)[:, None]
    upper = torch.where(table[:-1] > of_cell, rows, 0).amax(dim=0, keepdim=True)
    inside = (of_cell < table[0]) & (of_cell > table[-1])
    wet, dry = table.gather(0, upper)[0], table.gather(0, upper + 1)[0]
    share = (of_cell - dry) / torch.where(wet > dry, wet - dry, 1.0)

    def interpolated(values: Tensor) -> Tensor:
        at_wet, at_dry = values.gather(0, upper)[0], values.gather(0, upper + 1)[0]
        return torch.where(inside, at_dry + share * (at_wet - at_dry), 0.0)

    saturated = torch.where(of_cell >= table[0], 1.0, interpolated(topography.saturated))
    flow = topography.anisotropy * soil.saturated_conductivity[0] * interpolated(topography.outflow) * weight
    return HillslopeWater(saturated, torch.where(soil.holds_water, flow, 0.0))
