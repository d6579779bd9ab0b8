"""The p-value of a correlation against known values."""

import numpy as np
import pytest
from scipy import stats

from dalearn.evaluation.correlation_test import correlation_p_value


def test_tabulated_value():
    """R = 0.632 of 10 pairs is significant at 5 % (any table of critical values of R)."""
    assert correlation_p_value(np.array(0.6319), np.array(10)) == pytest.approx(0.05, abs=1e-4)


def test_las_brozas_of_the_paper():
    """R = 0.09 of some 330 samples has p = 0.1 (Rojas-Munoz et al. 2023, section 4.1)."""
    assert correlation_p_value(np.array(0.09), np.array(330)) == pytest.approx(0.1, abs=0.01)


def test_against_the_student_distribution():
    generator = np.random.default_rng(0)
    correlation, count = generator.uniform(-0.999, 0.999, 500), generator.integers(3, 1100, 500)
    statistic = np.abs(correlation) * np.sqrt((count - 2) / (1 - correlation**2))
    expected = 2 * stats.t.sf(statistic, count - 2)
    found = correlation_p_value(correlation, count)
    representable = expected > 1e-280
    np.testing.assert_allclose(found[representable], expected[representable], rtol=1e-10)
    assert (found[~representable] < 1e-270).all()


def test_ends_and_undefined():
    found = correlation_p_value(np.array([0.0, 1.0, -1.0, np.nan, 0.5]), np.array([50, 50, 50, 50, 2]))
    np.testing.assert_allclose(found[:3], [1.0, 0.0, 0.0], atol=1e-12)
    assert np.isnan(found[3:]).all()
