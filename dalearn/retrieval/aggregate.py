"""From pixels of the radar to plots or 100 m pixels, and from these to the cells of a run (Rojas-Munoz et al. 2023).

The inputs of the inversion are averaged first, over a plot or a 100 m pixel of the land cover map: backscatter in
linear power, which removes speckle without a bias, NDVI and incidence arithmetically.  The moisture of the 100 m pixels
of cropland and herbaceous vegetation is then averaged over the cell of about 1 km.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dalearn.observations.observations import Observations

HERBACEOUS_AND_CROPS = (30, 40)  # codes of CGLS-LC100
CELL_QUALITY = ("kept", "no_wanted_cover", "too_few_valid")


def mean_of_groups(
    values: np.ndarray, group: np.ndarray, count: int, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means (row, group) of ``values`` (row, sample) where ``valid``, NaN for none, and their numbers.

    ``group`` (sample,) from 0 to ``count`` - 1, negative for none.
    """
    rows = len(values)
    valid = valid & (group >= 0)
    index = (np.arange(rows)[:, None] * count + group)[valid]
    number = np.bincount(index, minlength=rows * count).reshape(rows, count)
    total = np.bincount(index, values[valid].astype(np.float64), minlength=rows * count).reshape(rows, count)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan), number


def plot_means(
    predictors: dict[str, np.ndarray], plot: np.ndarray, count: int, least_share: float = 0.5
) -> dict[str, np.ndarray]:
    """Predictors of plots (row, plot) from those of pixels (row, pixel), by the names of the inversion.

    ``plot`` (pixel,) is the number of the plot, negative for none.  Only pixels with all predictors count; a plot
    where they are less than ``least_share`` of its pixels is NaN.
    """
    valid = np.logical_and.reduce([np.isfinite(values) for values in predictors.values()])
    size = np.bincount(plot[plot >= 0], minlength=count)
    result = {}
    for name, values in predictors.items():
        power = name.startswith("sigma0")
        linear = 10.0 ** (np.where(valid, values, 0.0) / 10.0) if power else values
        mean, number = mean_of_groups(linear, plot, count, valid)
        mean = np.where((number > 0) & (number >= least_share * size), mean, np.nan)
        result[name] = 10.0 * np.log10(mean) if power else mean
    return result


def block_numbers(rows: int, columns: int, block: int) -> np.ndarray:
    """(row, column) number of the square of ``block`` by ``block`` pixels, row by row; -1 in incomplete ones."""
    row, column = np.arange(rows) // block, np.arange(columns) // block
    down, across = rows // block, columns // block
    numbers = row[:, None] * across + column
    return np.where((row[:, None] < down) & (column < across), numbers, -1)


@dataclass(frozen=True, eq=False)
class CellMeans:
    """Moisture of cells (row, cell).

    ``moisture`` and ``error`` in m3 m-3, NaN where there is none; ``spread`` standard deviation between the pixels;
    ``number`` of pixels used; ``wanted`` (cell,) pixels of the land covers that count; ``quality`` int8 codes of
    ``CELL_QUALITY``.
    """

    moisture: np.ndarray
    error: np.ndarray
    spread: np.ndarray
    number: np.ndarray
    wanted: np.ndarray
    quality: np.ndarray


def cell_means(
    moisture: np.ndarray,
    error: np.ndarray,
    cover: np.ndarray,
    cell: np.ndarray,
    count: int,
    classes: Sequence[int] = HERBACEOUS_AND_CROPS,
    valid_fraction: float = 0.5,
) -> CellMeans:
    """Means over the pixels of each ``cell`` (pixel,), negative for none, whose ``cover`` (pixel,) is in ``classes``.

    ``moisture`` and ``error`` (row, pixel) in m3 m-3, NaN = none.  A cell needs ``valid_fraction`` of its wanted
    pixels.  Its error is the root mean square of those of its pixels, not less for being many: neighbours share the
    errors of the model and of NDVI.
    """
    cell = np.where(np.isin(cover, classes), cell, -1)
    wanted = np.bincount(cell[cell >= 0], minlength=count)
    valid = np.isfinite(moisture)
    mean, number = mean_of_groups(moisture, cell, count, valid)
    of_pixel = np.take(np.where(np.isfinite(mean), mean, 0.0), np.maximum(cell, 0), axis=1)
    spread = np.sqrt(mean_of_groups(np.square(np.where(valid, moisture - of_pixel, 0.0)), cell, count, valid)[0])
    squared, _ = mean_of_groups(np.square(error), cell, count, valid)
    few = (number == 0) | (number < valid_fraction * wanted)
    quality = np.where(wanted == 0, 1, np.where(few, 2, 0)).astype(np.int8)
    rejected = quality > 0
    return CellMeans(
        np.where(rejected, np.nan, mean),
        np.where(rejected, np.nan, np.sqrt(squared)),
        np.where(rejected, np.nan, spread),
        number,
        wanted,
        quality,
    )


def observations_of_cells(
    means: CellMeans, time: np.ndarray, latitude: np.ndarray, longitude: np.ndarray
) -> Observations:
    """The kept cells as observations of SSM, for ``write_observations``; ``time`` (row,) datetime64[s] UTC."""
    row, cell = np.nonzero(means.quality == 0)
    counts = {"read": means.quality.size}
    for code, name in enumerate(CELL_QUALITY):
        counts[name] = int(np.count_nonzero(means.quality == code))
    return Observations(
        quantity="SSM",
        units="m3 m-3",
        time=np.asarray(time).astype("datetime64[s]")[row],
        cell=cell,
        value=means.moisture[row, cell],
        error=means.error[row, cell],
        latitude=latitude,
        longitude=longitude,
        counts={name: number for name, number in counts.items() if number or name in ("read", "kept")},
    )
