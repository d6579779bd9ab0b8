import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.evaluation.cells import Cells, dominant_class, format_position
from dalearn.evaluation.matching import match_to_times, nearest_rows


class Samples:
    def __init__(self, time, cell, value):
        self.quantity, self.units = "SSM", "m3 m-3"
        self.time, self.cell, self.value = np.array(time, "datetime64[s]"), np.array(cell), np.array(value)


ENDS = np.array(["2015-01-01T09", "2015-01-02T09", "2015-01-03T09"], dtype="datetime64[s]")


def test_stations_run_from_west_to_east():
    cells = Cells([43.0, 44.0, 45.0], [2.0, -1.0, 0.5], station=["SFL", "SBR", ""])
    assert [cells.label(cell) for cell in cells.stations] == ["SBR", "SFL"]
    assert cells.label(2) == "45.00°N 0.50°E"
    assert cells.vegetation_class == ("", "", "")
    assert format_position(-12.5, 200.0) == "12.50°S 160.00°W"


def test_cells_of_different_lengths_are_refused():
    with pytest.raises(InputError, match="differ in length"):
        Cells([43.0, 44.0], [1.0, 2.0], station=["SFL"])


def test_dominant_class_adds_the_types_of_a_class():
    types = ["NO", "TEBD", "TENE", "C3", "C4", "GRAS"]
    fraction = np.array([[0.0, 0.2, 0.2, 0.3, 0.0, 0.3], [0.1, 0.0, 0.1, 0.3, 0.2, 0.3], [0.9, 0, 0, 0, 0, np.nan]])
    assert dominant_class(fraction, types) == ["forest", "crops", "bare"]
    with pytest.raises(InputError, match="WHEAT"):
        dominant_class(np.ones((1, 1)), ["WHEAT"])


def test_samples_near_the_window_end_are_averaged():
    samples = Samples(
        ["2015-01-01T08:00", "2015-01-01T10:30", "2015-01-01T11:00", "2015-01-02T09:00", "2015-01-02T09:00"],
        [0, 0, 0, 1, 0],
        [0.1, 0.3, 9.0, 0.25, np.nan],
    )
    matched = match_to_times(samples, ENDS, cell_count=2, tolerance_hours=1.5)
    np.testing.assert_allclose(matched, [[0.2, np.nan], [np.nan, 0.25], [np.nan, np.nan]])


def test_a_sample_belongs_to_one_window_end_only():
    samples = Samples(["2015-01-01T21:00", "2015-01-01T22:00"], [0, 0], [1.0, 2.0])
    matched = match_to_times(samples, ENDS, cell_count=1, tolerance_hours=24.0)
    np.testing.assert_array_equal(matched[:, 0], [1.0, 2.0, np.nan])


def test_samples_of_other_cells_and_other_times_are_left_out():
    samples = Samples(["2014-01-01T09", "2015-01-01T09", "2015-01-03T09", "2016-01-01T09"], [0, 5, -1, 0], np.ones(4))
    assert np.isnan(match_to_times(samples, ENDS, cell_count=1, tolerance_hours=2.0)).all()


def test_nearest_rows_keeps_the_tolerance():
    available = np.array(["2015-01-01T08", "2015-01-01T10", "2015-01-03T08"], dtype="datetime64[ns]")
    assert list(nearest_rows(ENDS, available, tolerance_hours=1.5)) == [0, -1, 2]  # the earlier of two equally near
