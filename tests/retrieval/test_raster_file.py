"""Rasters of a synthetic scene: retrieved, prepared on 1 km cells by the ordinary reader, and what is refused."""

import netCDF4
import numpy as np
import pytest
import torch

from dalearn.errors import InputError
from dalearn.experiments.prepare_sections import PrepareObservationsConfig
from dalearn.observations.files import read_observations
from dalearn.observations.prepare import prepare_observations
from dalearn.retrieval.backscatter import plot_backscatter
from dalearn.retrieval.database import DatabaseSettings, make_database
from dalearn.retrieval.inversion import InversionSettings, train_inversion
from dalearn.retrieval.raster_file import retrieve_raster

PIXEL = 0.001  # degrees, about 100 m
COUNT = 20
CENTRES = np.array([0.005, 0.015])  # of the 1 km cells, from the corner
SPEED = DatabaseSettings(samples=6000)


@pytest.fixture(scope="module")
def inversion():
    return train_inversion(make_database(SPEED), SPEED, InversionSettings(starts=1, iterations=30))


def true_moisture() -> np.ndarray:
    """(time, row, column): dry, then wet in the east."""
    moisture = np.full((2, COUNT, COUNT), 0.08)
    moisture[1, :, COUNT // 2 :] = 0.30
    return moisture


def write_scene(path, *, per_pixel=1, noise=0.7, seed=3, **changes):
    """A scene of ``COUNT`` by ``COUNT`` 100 m pixels, each of ``per_pixel`` squared radar pixels."""
    rng = np.random.default_rng(seed)
    moisture = np.repeat(np.repeat(true_moisture(), per_pixel, axis=1), per_pixel, axis=2)
    ndvi = np.full(moisture.shape[1:], 0.35)
    sigma0 = plot_backscatter(
        torch.from_numpy(moisture), torch.from_numpy(ndvi), torch.tensor(38.0), torch.tensor(1.5), "VV"
    ).numpy()
    fields = {"sigma0_VV": sigma0 + noise * rng.standard_normal(sigma0.shape), "NDVI": ndvi,
              "incidence_angle": np.full(ndvi.shape, 38.0)}  # fmt: skip
    fields |= {name: values for name, values in changes.items() if values is not None}
    for name in [name for name, values in changes.items() if values is None]:
        del fields[name]
    with netCDF4.Dataset(path, "w") as dataset:
        step = PIXEL / per_pixel
        axis = (np.arange(COUNT * per_pixel) + 0.5) * step
        for name, start in (("lat", 43.0), ("lon", 3.0)):
            dataset.createDimension(name, len(axis))
            dataset.createVariable(name, "f8", (name,))[:] = start + axis
            dataset[name].units = "degrees_north" if name == "lat" else "degrees_east"
        dataset.createDimension("time", 2)
        dataset.createVariable("time", "f8", ("time",))[:] = [0.0, 6.0]
        dataset["time"].units = "days since 2018-05-01 06:00:00"
        for name, values in fields.items():
            axes = ("time", "lat", "lon")[-np.ndim(values) :]
            dataset.createVariable(name, "f8", axes, fill_value=np.nan)[:] = values


def write_cover(path):
    """Crops, with forest in the north of the western half."""
    cover = np.full((COUNT, COUNT), 40, np.int16)
    cover[COUNT // 2 + 2 :, : COUNT // 2] = 111
    with netCDF4.Dataset(path, "w") as dataset:
        for name, start in (("lat", 43.0), ("lon", 3.0)):
            dataset.createDimension(name, COUNT)
            dataset.createVariable(name, "f8", (name,))[:] = start + (np.arange(COUNT) + 0.5) * PIXEL
        dataset.createVariable("land_cover", "i2", ("lat", "lon"))[:] = cover


def test_scene_to_observation_file(inversion, tmp_path):
    """10 m-like pixels -> 100 m -> 1 km cells; the mean of a cell recovers its moisture to a few hundredths."""
    write_scene(tmp_path / "scene.nc", per_pixel=2)
    write_cover(tmp_path / "cover.nc")
    counts = retrieve_raster(inversion, tmp_path / "scene.nc", tmp_path / "plots.nc", block=2)
    assert counts["retrieved"] >= 0.98 * 2 * COUNT**2
    with netCDF4.Dataset(tmp_path / "plots.nc") as dataset:
        assert dataset["SSM"].shape == (2, COUNT, COUNT)
        np.testing.assert_allclose(dataset["lat"][:2], [43.0005, 43.0015])
    latitude, longitude = (values.ravel() for values in np.meshgrid(43.0 + CENTRES, 3.0 + CENTRES, indexing="ij"))
    section = PrepareObservationsConfig(
        name="plots", quantity="SSM", format="sentinel1_raster", files=["plots.nc"], aggregate="mean",
        land_cover=str(tmp_path / "cover.nc"), land_cover_classes=[30, 40],
    )  # fmt: skip
    prepare_observations(section, [tmp_path / "plots.nc"], latitude, longitude, tmp_path / "ssm.nc")
    read = read_observations(tmp_path / "ssm.nc", "SSM")
    assert len(read) == 8
    truth = np.where((read.time > np.datetime64("2018-05-03")) & (longitude[read.cell] > 3.01), 0.30, 0.08)
    assert np.abs(read.value - truth).max() < 0.05
    assert (read.error > 0.02).all()
    assert (read.error < 0.08).all()


def test_bands_of_rows_do_not_show(inversion, tmp_path, monkeypatch):
    write_scene(tmp_path / "scene.nc", per_pixel=3)
    whole = retrieve_raster(inversion, tmp_path / "scene.nc", tmp_path / "whole.nc", block=3)
    monkeypatch.setattr("dalearn.retrieval.raster_file.PIXELS_AT_ONCE", 7 * 3 * COUNT)
    parts = retrieve_raster(inversion, tmp_path / "scene.nc", tmp_path / "parts.nc", block=3)
    assert parts == whole
    with netCDF4.Dataset(tmp_path / "whole.nc") as one, netCDF4.Dataset(tmp_path / "parts.nc") as many:
        for name in ("SSM", "SSM_error", "quality"):
            np.testing.assert_array_equal(np.ma.filled(one[name][:], -1), np.ma.filled(many[name][:], -1))


def test_a_priori_from_the_file(inversion, tmp_path):
    known = np.zeros((2, COUNT, COUNT))
    known[1, :, COUNT // 2 :] = 2.0
    write_scene(tmp_path / "scene.nc", noise=0.0, a_priori_class=known)
    retrieve_raster(inversion, tmp_path / "scene.nc", tmp_path / "none.nc")
    retrieve_raster(inversion, tmp_path / "scene.nc", tmp_path / "known.nc", a_priori="file")
    with netCDF4.Dataset(tmp_path / "none.nc") as without, netCDF4.Dataset(tmp_path / "known.nc") as given:
        np.testing.assert_array_equal(without["SSM"][0], given["SSM"][0])
        assert (given["SSM"][1, :, COUNT // 2 :] >= 0.2).all()
        assert not np.array_equal(without["SSM"][1], given["SSM"][1])


def test_holes_are_told(inversion, tmp_path):
    ndvi = np.full((COUNT, COUNT), 0.35)
    ndvi[:5], ndvi[5:10] = np.nan, 0.9
    write_scene(tmp_path / "scene.nc", noise=0.0, NDVI=ndvi)
    counts = retrieve_raster(inversion, tmp_path / "scene.nc", tmp_path / "plots.nc")
    assert counts["missing"] == counts["ndvi_out_of_range"] == 2 * 5 * COUNT
    with netCDF4.Dataset(tmp_path / "plots.nc") as dataset:
        assert np.isnan(np.ma.filled(dataset["SSM"][:, :10], np.nan)).all()


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"NDVI": None}, {}, "NDVI is missing"),
        ({"sigma0_VV": np.full((2, COUNT, COUNT), 0.05)}, {}, "looks like linear power"),
        ({"NDVI": np.full((COUNT, COUNT), 0.9)}, {}, "no pixel gives a soil moisture"),
        ({}, {"block": 15}, "block 15 leaves none"),
        ({}, {"a_priori": "moist"}, "use none, dry, wet or file"),
        ({}, {"a_priori": "file"}, "a_priori_class is missing"),
        ({}, {"a_priori": "file", "block": 2}, "1 with an a-priori class from the file"),
    ],
)
def test_what_it_refuses(inversion, tmp_path, changes, options, message):
    write_scene(tmp_path / "scene.nc", **changes)
    with pytest.raises(InputError, match=message):
        retrieve_raster(inversion, tmp_path / "scene.nc", tmp_path / "plots.nc", **options)
    assert not (tmp_path / "plots.nc").exists()
