"""Surface soil moisture of Sentinel-1 over the truth, made as the product is (S2MP; ``docs/retrieval.md``).

Every cell has some plots of 100 m, each on one of its land covers.  Their backscatter follows from the moisture and the
leaves of that column of the truth by the forward model of the inversion, with a roughness of their own and noise; the
inversion makes moisture of it, and the plots of crops and herbaceous vegetation are averaged over the cell.  Not
retrieved: forests, vineyards and orchards (the woody types that stand for them), bare land, straw cereals while their
stems grow, and frozen soil.  The paper (2.3) does not count dense summer crops among these, so an NDVI beyond the range
of the inversion is taken as its limit.

Karst: a part of the plot is rock under thin soil, from which the more comes back the drier the soil is (subsurface
scattering), so the response is weak, noisy, and in the dry season inverted.  The inversion knows nothing of it.
"""

from dataclasses import dataclass

import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.observations.observations import Observations, concatenate
from dalearn.retrieval.aggregate import HERBACEOUS_AND_CROPS, cell_means, observations_of_cells
from dalearn.retrieval.backscatter import plot_backscatter
from dalearn.retrieval.inversion import Inversion
from dalearn.twin.irrigation import day_of_year
from dalearn.twin.kilometre.sentinel1_settings import Sentinel1Settings
from dalearn.twin.settings import TwinSettings
from dalearn.twin.surface import SurfaceMap
from dalearn.twin.truth_run import Snapshots

FREEZING = 273.15  # K
HERBACEOUS, CROPS, OTHER = *HERBACEOUS_AND_CROPS, 0  # codes of CGLS-LC100, and all the others
COVER_OF_PATCH = {7: CROPS, 8: CROPS, 9: CROPS, 10: HERBACEOUS, 11: HERBACEOUS}
STRAW_CEREALS = 7  # patch
ROWS_PER_BLOCK = 2_000_000  # plots in a block of images
DRIEST = 0.02  # m3 m-3, of the forward model


@dataclass(frozen=True, eq=False)
class Plots:
    """Plots, all (plot,): the ``cell`` and ``column`` they lie in, their CGLS ``cover``, whether they bear ``straw``
    cereals or lie on ``karst``, ``rms_height`` (cm), ``moisture_factor`` and ``incidence`` (degrees)."""

    cell: np.ndarray
    column: np.ndarray
    cover: np.ndarray
    straw: np.ndarray
    karst: np.ndarray
    rms_height: np.ndarray
    moisture_factor: np.ndarray
    incidence: np.ndarray


def passes(settings: TwinSettings) -> np.ndarray:
    """Times of the images that could be, (pass,) datetime64[s]."""
    radar = settings.sentinel1
    assert radar is not None
    days = np.arange(settings.first_day + radar.interval - 1, settings.end, radar.interval)
    return days.astype("datetime64[s]") + np.timedelta64(round(radar.hour * 3600.0), "s")


def nearest_hours(times: np.ndarray) -> np.ndarray:
    """The whole hours nearest to ``times``."""
    return (times + np.timedelta64(1800, "s")).astype("datetime64[h]").astype("datetime64[s]")


def draw_plots(settings: TwinSettings, surface: SurfaceMap, grid: Grid, generator: np.random.Generator) -> Plots:
    """``settings.sentinel1.plots`` plots in every cell, on its columns by their fractions."""
    radar = settings.sentinel1
    assert radar is not None
    cells, count = surface.cell_count, radar.plots
    fraction = grid.fraction.numpy()
    before = np.cumsum(fraction) - fraction
    first = np.searchsorted(grid.cell_of_column.numpy(), np.arange(cells))
    # places spread evenly over the fractions of the cell, so that a tenth of it has a plot of ten
    place = (np.arange(count)[None, :] + generator.random((cells, 1))) / count
    column = np.searchsorted(before, (before[first][:, None] + place * (1.0 - 1e-9)).ravel(), side="right") - 1
    cell = np.repeat(np.arange(cells), count)
    patch = grid.patch_of_column.numpy()[column]
    use = np.full(cells, "", object) if surface.land_use is None else surface.land_use
    west, east = float(surface.longitude.min()), float(surface.longitude.max())
    across = (surface.longitude - west) / max(east - west, 1e-6)
    return Plots(
        cell=cell,
        column=column,
        cover=np.vectorize(lambda number: COVER_OF_PATCH.get(int(number), OTHER))(patch),
        straw=(patch == STRAW_CEREALS) & (use[cell] != "flooded"),
        karst=use[cell] == "karst",
        rms_height=generator.uniform(*radar.rms_height, len(cell)),
        moisture_factor=np.exp(radar.moisture_spread * generator.standard_normal(len(cell))),
        incidence=(radar.incidence[0] + (radar.incidence[1] - radar.incidence[0]) * across)[cell],
    )


def observe_sentinel1(
    snapshots: Snapshots,
    surface: SurfaceMap,
    plots: Plots,
    inversion: Inversion,
    settings: TwinSettings,
    generator: np.random.Generator,
) -> Observations:
    """SSM (m3 m-3) of the cells at the passes; ``snapshots`` are those of ``nearest_hours(passes)``."""
    radar = settings.sentinel1
    assert radar is not None
    times = passes(settings)[: len(snapshots.time)]
    there = np.flatnonzero(generator.random(len(times)) < radar.share)
    if not len(there):
        raise InputError(
            f"twin.sentinel1: no image between {settings.first_day} and {settings.end}; lengthen the period or lower "
            "the interval"
        )
    block = max(ROWS_PER_BLOCK // max(len(plots.cell), 1), 1)
    wanted = np.isin(plots.cover, HERBACEOUS_AND_CROPS)
    few = np.bincount(plots.cell[wanted], minlength=surface.cell_count) < radar.least_plots
    cell = np.where(few[plots.cell], -1, plots.cell)
    parts = []
    for first in range(0, len(there), block):
        rows = there[first : first + block]
        moisture, error = _retrieve(
            snapshots, rows, times[rows], plots, wanted & (cell >= 0), inversion, radar, generator
        )
        means = cell_means(moisture, error, plots.cover, cell, surface.cell_count, valid_fraction=radar.valid_share)
        parts.append(observations_of_cells(means, times[rows], surface.latitude, surface.longitude))
    return concatenate(parts)


def ndvi_of_leaves(leaf_area_index: np.ndarray, radar: Sentinel1Settings) -> np.ndarray:
    """NDVI of a 100 m plot, margins of the fields included (form of Baret and Guyot 1991)."""
    return radar.ndvi_full + (radar.ndvi_soil - radar.ndvi_full) * np.exp(-radar.ndvi_extinction * leaf_area_index)


def backscatter_of_plots(
    moisture: np.ndarray, ndvi: np.ndarray, plots: Plots, number: np.ndarray, radar: Sentinel1Settings
) -> np.ndarray:
    """sigma0 VV (dB) without noise of the plots ``number`` (sample,), with ``moisture`` and ``ndvi`` (sample,)."""
    angle, height = torch.from_numpy(plots.incidence[number]), torch.from_numpy(plots.rms_height[number])
    sigma0 = plot_backscatter(torch.from_numpy(moisture), torch.from_numpy(ndvi), angle, height, "VV").numpy()
    rock = 10.0 ** (radar.karst_level / 10.0) * np.exp(-moisture / radar.karst_depth)
    mixed = (1.0 - radar.karst_share) * 10.0 ** (sigma0 / 10.0) + radar.karst_share * rock
    return np.where(plots.karst[number], 10.0 * np.log10(mixed), sigma0)


def _retrieve(
    snapshots: Snapshots,
    rows: np.ndarray,
    times: np.ndarray,
    plots: Plots,
    wanted: np.ndarray,
    inversion: Inversion,
    radar: Sentinel1Settings,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Moisture and error (row, plot) of the images ``rows``, NaN where nothing is retrieved."""
    shape = len(rows), len(plots.cell)
    days = np.array([day_of_year(time.astype("datetime64[D]")) for time in times])
    growing = (days >= radar.stem_start) & (days < radar.stem_end)
    thawed = snapshots.values["TG2"][rows][:, plots.column] > FREEZING
    row, number = np.nonzero(wanted & thawed & ~(growing[:, None] & plots.straw))
    moisture, error = np.full(shape, np.nan), np.full(shape, np.nan)
    if not len(row):
        return moisture, error
    cells = int(plots.cell[-1]) + 1
    image = radar.calibration * generator.standard_normal((len(rows), 1))
    common = image + radar.cell_noise * generator.standard_normal((len(rows), cells))
    noise, of_ndvi, of_rock = generator.standard_normal((3, *shape))[:, row, number]
    at = rows[row], plots.column[number]
    truth = np.clip(snapshots.values["WG2"][at].astype(float) * plots.moisture_factor[number], DRIEST, 0.6)
    ndvi = ndvi_of_leaves(snapshots.values["LAI"][at].astype(float), radar)
    sigma0 = backscatter_of_plots(truth, ndvi, plots, number, radar)
    sigma0 += (
        common[row, plots.cell[number]]
        + radar.noise * noise
        + np.where(plots.karst[number], radar.karst_noise * of_rock, 0.0)
    )
    at_ndvi = inversion.predictors.index("NDVI")
    lowest, highest = float(inversion.minimum[at_ndvi]), float(inversion.maximum[at_ndvi])
    observed = {
        "sigma0_VV": sigma0,
        "NDVI": np.clip(ndvi + radar.ndvi_noise * of_ndvi, lowest, highest),
        "incidence_angle": plots.incidence[number],
    }
    found = inversion(torch.from_numpy(np.stack([observed[name] for name in inversion.predictors], axis=-1)))
    moisture[row, number], error[row, number] = found[0].numpy(), found[1].numpy()
    return moisture, error
