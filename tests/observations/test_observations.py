"""Samples of observations: selection, joining, screening."""

import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.observations.observations import Observations, concatenate, screened

LATITUDE, LONGITUDE = np.array([43.0, 44.0]), np.array([0.0, 1.0])


def days(*numbers: float) -> np.ndarray:
    return np.datetime64("2007-01-01T00:00:00") + (86400 * np.array(numbers)).astype("timedelta64[s]")


def some(quantity: str = "sigma0", units: str = "dB", source: str = "a.nc") -> Observations:
    return Observations(
        quantity=quantity,
        units=units,
        time=days(0, 1, 1, 2),
        cell=np.array([0, 0, 1, 1]),
        value=np.array([-10.0, -11.0, -12.0, -13.0]),
        error=np.full(4, 0.33),
        latitude=LATITUDE,
        longitude=LONGITUDE,
        source=source,
    )


def test_every_sample_is_accounted_for() -> None:
    observations = some()
    assert observations.counts == {"read": 4, "kept": 4}
    part = observations.between(days(1)[0], days(2)[0])
    np.testing.assert_array_equal(part.value, [-11.0, -12.0])
    assert part.counts == {"read": 4, "kept": 2, "outside_period": 2}
    first_cell = part.select(part.cell == 0, "other_cell")
    assert first_cell.counts == {"read": 4, "kept": 1, "outside_period": 2, "other_cell": 1}
    assert len(first_cell) == 1
    again = first_cell.between(days(5)[0], days(6)[0])
    assert again.counts == {"read": 4, "kept": 0, "outside_period": 3, "other_cell": 1}


def test_joined_in_the_order_of_time() -> None:
    first = some().select(np.array([True, False, False, True]), "left")
    joined = concatenate([first, some(source="b.nc").between(days(1)[0], days(2)[0])])
    np.testing.assert_array_equal(joined.time, days(0, 1, 1, 2))
    np.testing.assert_array_equal(joined.value, [-10.0, -11.0, -12.0, -13.0])
    assert joined.counts == {"read": 8, "kept": 4, "left": 2, "outside_period": 2}
    assert joined.source == "a.nc, b.nc"
    with pytest.raises(InputError, match=r"b\.nc: LAI in m2 m-2 cannot be joined with sigma0 in dB of a\.nc"):
        concatenate([some(), some("LAI", "m2 m-2", "b.nc")])


def test_inconsistent_arrays() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        Observations(**{**vars(some()), "value": np.zeros(3)})
    with pytest.raises(ValueError, match="in no cell"):
        Observations(**{**vars(some()), "cell": np.array([0, 1, 2, 0])})


def screen(value: list[float], quantity: str = "sigma0", units: str = "dB", error: float = 0.3) -> Observations:
    count = len(value)
    return screened(
        source="file.nc",
        quantity=quantity,
        units=units,
        time=days(*range(count, 0, -1)),
        cell=np.zeros(count, int),
        value=np.array(value),
        error=np.full(count, error),
        reason=np.array(["snow" if number == -7.0 else "" for number in value], dtype=object),
        latitude=LATITUDE,
        longitude=LONGITUDE,
    )


def test_screening_gives_one_reason_per_sample() -> None:
    observations = screen([-10.0, np.nan, -90.0, -7.0, -11.0, -12.0])
    np.testing.assert_array_equal(observations.value, [-12.0, -11.0, -10.0])
    assert observations.counts == {"read": 6, "kept": 3, "out_of_range": 1, "snow": 1, "undefined": 1}
    assert screen([-10.0], error=0.0).counts == {"read": 1, "kept": 0, "error_not_positive": 1}
    assert screen([-10.0], error=np.nan).counts == {"read": 1, "kept": 1}


def test_percent_of_saturation_is_a_unit_of_its_own() -> None:
    observations = screen([10.0, 60.0, 120.0], "SSM", "%")
    assert observations.units == "%"
    assert observations.counts == {"read": 3, "kept": 2, "out_of_range": 1}


@pytest.mark.parametrize(
    ("value", "quantity", "units", "message"),
    [
        ([0.05, 0.1], "sigma0", "dB", r"sigma0 has a median of 0\.075 dB: looks like linear units, take 10 log10"),
        ([0.05, 0.1], "sigma0", "1", "sigma0 is in 1, expected dB: take 10 log10 of it"),
        ([25.0, 30.0], "SSM", "m3 m-3", r"SSM has a median of 27\.5 m3 m-3: looks like %"),
        ([2.0, 3.0], "LAI", "", "LAI is in no units, expected m2 m-2"),
        ([60.0, 70.0], "LAI", "m2 m-2", "LAI has a median of 65 m2 m-2, not within 0 to 15; correct the values"),
        ([60.0, 70.0], "NDVI", "1", "NDVI is not a quantity of the variable table; use sigma0, SSM or LAI"),
    ],
)
def test_wrong_units(value: list[float], quantity: str, units: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        screen(value, quantity, units)
    assert str(caught.value).startswith("file.nc: ")
