"""Plots, 100 m pixels and cells, on examples worked out by hand."""

import math

import numpy as np
import pytest

from dalearn.observations.files import read_observations, write_observations
from dalearn.retrieval.aggregate import block_numbers, cell_means, observations_of_cells, plot_means

NAN = float("nan")


def test_backscatter_is_averaged_in_linear_power():
    """Plot 0: -10 and -20 dB are 0.1 and 0.01, mean 0.055; plot 1 has one pixel of three with NDVI."""
    predictors = {
        "sigma0_VV": np.array([[-10.0, -20.0, -12.0, -12.0, -12.0, -5.0]]),
        "NDVI": np.array([[0.2, 0.4, 0.3, NAN, NAN, 0.3]]),
        "incidence_angle": np.array([[38.0, 40.0, 39.0, 39.0, 39.0, 39.0]]),
    }
    plot = np.array([0, 0, 1, 1, 1, -1])
    means = plot_means(predictors, plot, 2)
    assert means["sigma0_VV"][0, 0] == pytest.approx(10.0 * math.log10(0.055))
    assert means["NDVI"][0, 0] == pytest.approx(0.3)
    assert means["incidence_angle"][0, 0] == pytest.approx(39.0)
    assert all(np.isnan(values[0, 1]) for values in means.values())
    assert plot_means(predictors, plot, 2, least_share=0.3)["sigma0_VV"][0, 1] == pytest.approx(-12.0)


def test_blocks_leave_incomplete_ones_out():
    expected = [[0, 0, 1, 1, -1], [0, 0, 1, 1, -1], [-1] * 5]
    assert block_numbers(3, 5, 2).tolist() == expected


def test_cells_take_crops_and_grass_only():
    """Cell 0: crop, grass, forest, crop; cell 1: only forest; cell 2: of three crop pixels one is valid at time 1."""
    cover = np.array([40, 30, 111, 40, 111, 111, 40, 40, 40, 40])
    cell = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, -1])
    moisture = np.array(
        [
            [0.10, 0.20, 0.50, 0.30, 0.40, 0.40, 0.10, 0.20, NAN, 0.9],
            [0.10, NAN, 0.50, 0.30, 0.40, 0.40, NAN, 0.20, NAN, 0.9],
        ]
    )
    error = np.where(np.isfinite(moisture), 0.05, NAN)
    error[0, 0] = 0.03
    means = cell_means(moisture, error, cover, cell, 3)
    assert means.wanted.tolist() == [3, 0, 3]
    assert means.number.tolist() == [[3, 0, 2], [2, 0, 1]]
    assert means.quality.tolist() == [[0, 1, 0], [0, 1, 2]]
    np.testing.assert_allclose(means.moisture, [[0.20, NAN, 0.15], [0.20, NAN, NAN]])
    np.testing.assert_allclose(means.spread[:, 0], [math.sqrt(2.0 / 300.0), 0.10])
    assert means.error[0, 0] == pytest.approx(math.sqrt((0.0009 + 2 * 0.0025) / 3.0))
    strict = cell_means(moisture, error, cover, cell, 3, classes=(40,), valid_fraction=0.9)
    assert strict.quality.tolist() == [[0, 1, 2], [0, 1, 2]]
    assert strict.moisture[0, 0] == pytest.approx(0.20)


def test_cells_become_an_observation_file(tmp_path):
    moisture = np.array([[0.10, 0.30, 0.20], [NAN, NAN, 0.25]])
    means = cell_means(moisture, np.full((2, 3), 0.05), np.full(3, 40), np.array([0, 0, 1]), 2)
    time = np.array(["2018-05-01T06:00:00", "2018-05-07T06:00:00"], "datetime64[s]")
    observations = observations_of_cells(means, time, np.array([43.6, 43.6]), np.array([3.8, 3.81]))
    assert observations.counts == {"read": 4, "kept": 3, "too_few_valid": 1}
    write_observations(tmp_path / "ssm.nc", observations)
    read = read_observations(tmp_path / "ssm.nc", "SSM")
    np.testing.assert_allclose(read.value, [0.20, 0.20, 0.25])
    assert read.cell.tolist() == [0, 1, 1]
    np.testing.assert_allclose(read.error, 0.05)
    assert (read.time == time[[0, 0, 1]]).all()
