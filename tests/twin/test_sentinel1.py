"""Soil moisture of Sentinel-1 over a truth: when it looks, what it leaves out, what karst does to it."""

from dataclasses import replace

import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.grid import Grid
from dalearn.land.parameters import build_parameters
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.observations.observations import Observations
from dalearn.retrieval.inversion_file import load_inversion
from dalearn.twin.kilometre.build import SHIPPED_INVERSION
from dalearn.twin.kilometre.sentinel1 import (
    backscatter_of_plots,
    draw_plots,
    ndvi_of_leaves,
    nearest_hours,
    observe_sentinel1,
    passes,
)
from dalearn.twin.kilometre.sentinel1_settings import Sentinel1Settings
from dalearn.twin.settings import TwinSettings
from dalearn.twin.surface import SurfaceMap
from dalearn.twin.truth_run import Snapshots

SETTINGS = TwinSettings(region="montpellier", start="2017-01-01", years=1, sentinel1=Sentinel1Settings(share=1.0))
COVERS = (
    {"GRAS": 1.0},
    {"C3": 1.0},
    {"TEBD": 0.6, "NO": 0.4},
    {"TENE": 0.95, "GRAS": 0.05},
    {"C3": 1.0},
    {"GRAS": 1.0},
)
USES = ("rain-fed", "rain-fed", "vineyard", "forest", "flooded", "karst")
GRASS, CEREALS, VINES, FOREST, RICE, KARST = range(6)


def a_surface() -> SurfaceMap:
    fraction = np.zeros((6, len(VEGETATION_TYPES)))
    for row, cover in enumerate(COVERS):
        for name, share in cover.items():
            fraction[row, VEGETATION_TYPES.index(name)] = share
    return SurfaceMap(
        name=np.full(6, "", object), latitude=np.linspace(43.5, 44.0, 6), longitude=np.linspace(3.0, 4.0, 6),
        altitude=np.zeros(6), clay=np.full(6, 0.2), sand=np.full(6, 0.4), fraction=fraction,
        area=np.full(6, "", object), land_use=np.array(USES, object),
    )  # fmt: skip


SURFACE = a_surface()
GRID: Grid = build_parameters(SURFACE.fraction, SURFACE.clay, SURFACE.sand, SURFACE.latitude, SURFACE.longitude)[0]


def seen(settings: TwinSettings, moisture: np.ndarray, **others: float) -> Observations:
    """What is observed of columns that all have ``moisture`` (pass,)."""
    values = {"WG2": moisture, "TG2": np.full(len(moisture), 290.0), "LAI": np.full(len(moisture), 1.0)}
    values |= {name: np.full(len(moisture), value) for name, value in others.items()}
    columns = {name: np.repeat(series[:, None], GRID.column_count, axis=1) for name, series in values.items()}
    snapshots = Snapshots(nearest_hours(passes(settings))[: len(moisture)], columns)
    plots = draw_plots(settings, SURFACE, GRID, np.random.default_rng(1))
    return observe_sentinel1(
        snapshots, SURFACE, plots, load_inversion(SHIPPED_INVERSION), settings, np.random.default_rng(2)
    )


def course(settings: TwinSettings) -> np.ndarray:
    """A wet winter and a dry summer."""
    days = (passes(settings).astype("datetime64[D]") - settings.first_day).astype(float)
    return 0.2 + 0.12 * np.cos(2.0 * np.pi * days / 365.0)


WHOLE_YEAR = seen(SETTINGS, course(SETTINGS))


def of_cell(observations: Observations, cell: int) -> tuple[np.ndarray, np.ndarray]:
    here = observations.cell == cell
    return observations.time[here], observations.value[here]


def test_a_cell_is_seen_every_six_days_before_18_utc() -> None:
    time, value = of_cell(WHOLE_YEAR, GRASS)
    assert (np.diff(time) == np.timedelta64(6, "D")).all()
    hour = (time - time.astype("datetime64[D]")).astype("timedelta64[m]").astype(float) / 60.0
    assert hour == pytest.approx(17.8)
    assert (nearest_hours(time) - time <= np.timedelta64(30, "m")).all()
    assert len(time) == 60
    assert WHOLE_YEAR.units == "m3 m-3"
    assert np.isfinite(WHOLE_YEAR.error).all()
    assert ((value >= 0.02) & (value <= 0.4)).all()


def test_some_images_are_missing() -> None:
    settings = replace(SETTINGS, sentinel1=Sentinel1Settings(share=0.5))
    time, _ = of_cell(seen(settings, course(settings)), GRASS)
    assert 20 <= len(time) <= 40


def test_a_period_without_an_image_is_refused() -> None:
    settings = replace(SETTINGS, length_days=5)
    with pytest.raises(InputError, match=r"twin.sentinel1: no image between 2017-01-01 and 2017-01-06"):
        seen(settings, np.zeros(0))


def test_vineyards_and_forests_are_not_retrieved() -> None:
    assert set(np.unique(WHOLE_YEAR.cell)) == {GRASS, CEREALS, RICE, KARST}


def test_straw_cereals_are_not_retrieved_while_they_shoot() -> None:
    time, _ = of_cell(WHOLE_YEAR, CEREALS)
    day = (time.astype("datetime64[D]") - np.datetime64("2017-01-01")).astype(int) + 1
    radar = SETTINGS.sentinel1
    assert radar is not None
    assert not ((day >= radar.stem_start) & (day < radar.stem_end)).any()
    assert len(time) == 50
    assert len(of_cell(WHOLE_YEAR, RICE)[0]) == 60  # rice is no straw cereal of spring


def test_frozen_soil_is_not_retrieved() -> None:
    assert len(seen(SETTINGS, course(SETTINGS), TG2=271.0)) == 0


def test_dense_canopies_are_retrieved_with_less_skill() -> None:
    dense, truth = seen(SETTINGS, course(SETTINGS), LAI=6.0), course(SETTINGS)
    (time, under), (_, bare) = of_cell(dense, RICE), of_cell(WHOLE_YEAR, RICE)
    assert len(under) > 0.9 * len(bare)
    then = truth[np.searchsorted(passes(SETTINGS), time)]
    assert 0.4 < np.corrcoef(under, then)[0, 1] < np.corrcoef(bare, truth)[0, 1]


def test_the_retrieval_follows_the_truth_where_the_land_is_as_it_thinks() -> None:
    _, value = of_cell(WHOLE_YEAR, GRASS)
    truth = course(SETTINGS)
    assert np.corrcoef(value, truth)[0, 1] > 0.85
    assert np.sqrt(np.mean((value - truth) ** 2)) < 0.07


def test_karst_answers_weakly_and_the_wrong_way_round_in_the_dry_season() -> None:
    _, value = of_cell(WHOLE_YEAR, KARST)
    _, normal = of_cell(WHOLE_YEAR, GRASS)
    truth = course(SETTINGS)
    assert np.corrcoef(value, truth)[0, 1] < np.corrcoef(normal, truth)[0, 1] - 0.2
    plots = draw_plots(SETTINGS, SURFACE, GRID, np.random.default_rng(1))
    number = np.flatnonzero(plots.cell == KARST)
    radar = SETTINGS.sentinel1
    assert radar is not None

    def mean_sigma0(moisture: float) -> float:
        wet, ndvi = np.full(len(number), moisture), np.full(len(number), 0.3)
        return float(backscatter_of_plots(wet, ndvi, plots, number, radar).mean())

    assert mean_sigma0(0.04) > mean_sigma0(0.12) < mean_sigma0(0.30)


def test_plots_lie_on_the_covers_by_their_share() -> None:
    plots = draw_plots(SETTINGS, SURFACE, GRID, np.random.default_rng(0))
    assert np.array_equal(np.bincount(plots.cell), np.full(6, 10))
    patch = GRID.patch_of_column.numpy()[plots.column]
    assert np.array_equal(GRID.cell_of_column.numpy()[plots.column], plots.cell)
    assert (patch[plots.cell == VINES] == 4).sum() == 6
    assert (patch[plots.cell == FOREST] == 10).sum() <= 1
    assert plots.incidence[plots.cell == 0] == pytest.approx(34.0)
    assert plots.incidence[plots.cell == 5] == pytest.approx(42.0)


def test_ndvi_grows_with_the_leaves_and_saturates() -> None:
    ndvi = ndvi_of_leaves(np.array([0.0, 1.0, 3.0, 10.0]), Sentinel1Settings())
    assert ndvi[0] == pytest.approx(0.17)
    assert (np.diff(ndvi) > 0.0).all()
    assert ndvi[3] == pytest.approx(0.85, abs=0.01)


@pytest.mark.parametrize("wrong", [{"interval": 0}, {"share": 1.5}, {"hour": 24.0}, {"least_plots": 0}])
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match=r"twin\.sentinel1"):
        Sentinel1Settings(**wrong)
