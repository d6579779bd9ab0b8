"""Site files with ASCAT, in situ soil moisture and leaf area index."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.observations.ascat_case import read_ascat, read_in_situ, read_leaf_area_index


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two grid points; the primary one has a good sample, one of each reject bit, one rejected without a bit."""
    path = tmp_path / "observations.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.setncatts({"lat": 19.79, "lon": -155.33, "primary_location": np.int64(1102278)})
        for name, size in (("location", 2), ("obs", 8), ("hour", 4), ("lai10", 3)):
            dataset.createDimension(name, size)
        rows = {
            "location": ("i4", "location", [1096240, 1102278], {}),
            "obs_time": ("i8", "obs", [60, 70, 20, 30, 40, 50, 10, 0], {"units": "seconds since 2007-01-02 07:00:00"}),
            "location_index": ("i1", "obs", [1, 1, 1, 1, 1, 1, 1, 0], {}),
            "sigma40": ("f4", "obs", [-9.0, -9.5, -8.0, -8.5, np.nan, -9.2, -9.4, -9.0], {"units": "dB"}),
            "sigma40_noise": ("f4", "obs", [0.1, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], {"units": "dB"}),
            "use": ("i1", "obs", [1, 1, 0, 0, 1, 0, 0, 1], {}),
            # bits: 1 processing flag, 2 topography (kept), 4 cold
            "reject": (
                "i1", "obs", [0, 2, 1, 7, 0, 4, 0, 0],
                {"flag_masks": "1 2 4", "flag_meanings": "proc_flag_nonzero topography(kept) cold"},
            ),
            "hourly_time": ("i8", "hour", [0, 1, 2, 3], {"units": "hours since 2007-01-01"}),
            "insitu_sm_005cm": ("f4", "hour", [0.2, np.nan, 0.3, 0.25], {"units": "m3 m-3"}),
            "lai_time": ("i8", "lai10", [0, 10, 20], {"units": "days since 2007-01-01"}),
            "lai": ("f4", "lai10", [2.0, 2.5, 3.0], {"units": "m2 m-2"}),
            "lai_is_observation": ("i1", "lai10", [0, 1, 0], {}),
        }  # fmt: skip
        for name, (kind, dimension, values, attributes) in rows.items():
            variable = dataset.createVariable(name, kind, (dimension,))
            variable[:] = values
            variable.setncatts(attributes)
    return path


def test_ascat_samples_of_the_primary_point(site: Path) -> None:
    observations = read_ascat(site)
    start = np.datetime64("2007-01-02T07:00:00")
    np.testing.assert_array_equal(observations.time, start + np.array([60, 70]).astype("timedelta64[s]"))
    np.testing.assert_allclose(observations.value, [-9.0, -9.5])
    np.testing.assert_allclose(observations.error, [0.1, 0.2])
    assert (observations.quantity, observations.units, observations.cell_count) == ("sigma0", "dB", 1)
    assert observations.longitude.tolist() == [-155.33]
    assert observations.counts == {
        "read": 8, "kept": 2, "proc_flag_nonzero": 2, "cold": 1, "not_used": 1, "other_location": 1, "undefined": 1
    }  # fmt: skip
    np.testing.assert_array_equal(read_ascat(site, error=0.33).error, 0.33)


def test_in_situ_soil_moisture(site: Path) -> None:
    observations = read_in_situ(site)
    np.testing.assert_allclose(observations.value, [0.2, 0.3, 0.25])
    assert observations.time[1] == np.datetime64("2007-01-01T02:00:00")
    assert np.isnan(observations.error).all()
    assert observations.counts == {"read": 4, "kept": 3, "undefined": 1}


def test_only_observed_leaf_area_counts(site: Path) -> None:
    observations = read_leaf_area_index(site)
    np.testing.assert_array_equal(observations.value, [2.5])
    np.testing.assert_array_equal(observations.error, [0.5])
    assert observations.counts == {"read": 3, "kept": 1, "not_observed": 2}


def test_faults(site: Path) -> None:
    with pytest.raises(InputError, match=r"observations\.nc: variable insitu_sm_010cm is missing"):
        read_in_situ(site, 10)
    with pytest.raises(InputError, match="ASCAT does not observe LAI; choose one of sigma0, SSM"):
        read_ascat(site, "LAI")
    with pytest.raises(InputError, match="variable ssm is missing"):
        read_ascat(site, "SSM")
    with netCDF4.Dataset(site, "a") as dataset:
        dataset.primary_location = 5
    with pytest.raises(InputError, match="primary_location is 5; name one of 1096240, 1102278"):
        read_ascat(site)
    with netCDF4.Dataset(site, "a") as dataset:
        dataset.delncattr("lat")
    with pytest.raises(InputError, match="attribute lat of the site is missing"):
        read_in_situ(site)


def test_genuine_backscatter(shared: Path) -> None:
    """Numbers of the data set's own account of the case."""
    path = shared / "data" / "cases" / "PuaAkala" / "observations.nc"
    observations = read_ascat(path)
    assert observations.counts == {"read": 10480, "kept": 5072, "other_location": 5383, "proc_flag_nonzero": 25}
    assert observations.value.mean() == pytest.approx(-9.162, abs=5e-4)
    test = observations.between(np.datetime64("2015-01-01"), np.datetime64("2019-01-01"))
    assert (len(test), len(observations) - len(test)) == (2253, 2819)
    assert read_leaf_area_index(path).counts == {"read": 432, "kept": 0, "not_observed": 432}
    in_situ = read_in_situ(path)
    assert in_situ.counts["read"] == 105192
    assert 0.0 < in_situ.value.min() < in_situ.value.max() < 1.0


def test_genuine_soil_moisture(shared: Path) -> None:
    observations = read_ascat(shared / "data" / "cases" / "FontBlanche" / "observations.nc", "SSM")
    assert observations.counts["kept"] == 1930
    assert sum(number for name, number in observations.counts.items() if name != "read") == 16779
    assert observations.units == "%"
    assert np.median(observations.error) == pytest.approx(8.0)
