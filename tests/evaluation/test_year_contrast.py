"""A month of a dry and of a wet year."""

import numpy as np
import pytest
import xarray as xr

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import OPEN_LOOP
from dalearn.evaluation.contrast_section import contrast_table
from dalearn.evaluation.roles import JointRoles
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.year_contrast import ContrastSettings, contrast_years

TIME = np.arange(np.datetime64("2017-06-01T18", "ns"), np.datetime64("2020-01-01"), np.timedelta64(1, "D"))
LEVEL = {2017: 0.25, 2018: 0.3, 2019: 0.2}


@pytest.fixture
def run(tmp_path):
    """WG5 in July follows ``LEVEL``, the analysis adds 0.01 x cell in 2019; other months are absurd."""
    year, month = TIME.astype("datetime64[Y]").astype(int) + 1970, TIME.astype("datetime64[M]").astype(int) % 12 + 1
    water = np.where(month == 7, [LEVEL[number] for number in year], 9.0)[:, None] * np.ones(3)
    added = (np.where(year == 2019, 0.01, 0.0)[:, None] * np.arange(3)).astype(float)
    open_loop = xr.Dataset({name: (("time", "cell"), water) for name in ("WG5", "LAI")}, {"time": TIME})
    both = xr.Dataset(
        {"WG5": (("experiment", "time", "cell"), [water + added]), "LAI": (("experiment", "time", "cell"), [water])},
        {"time": TIME, "experiment": ["both"]},
    )
    return RunData(tmp_path, TIME.astype("datetime64[s]"), 3, open_loop, both, None)


def test_driest_and_wettest_july(run):
    found = contrast_years(run, ["both"], ContrastSettings())
    assert (found.dry, found.wet, found.text) == (2019, 2018, "Jul 2019 − Jul 2018")
    np.testing.assert_allclose(found.change["WG5"][OPEN_LOOP], -0.1)
    np.testing.assert_allclose(found.effect("WG5", "both"), [0.0, 0.01, 0.02], atol=1e-12)
    np.testing.assert_allclose(found.effect("LAI", "both"), 0.0, atol=1e-12)


def test_years_of_the_configuration(run):
    found = contrast_years(run, ["both"], ContrastSettings(dry_year=2017))
    assert (found.dry, found.wet) == (2017, 2018)
    found = contrast_years(run, ["both"], ContrastSettings(dry_year=2018, wet_year=2019))
    np.testing.assert_allclose(found.change["WG5"][OPEN_LOOP], 0.1)
    found = contrast_years(run, ["both"], ContrastSettings(wet_year=2019))
    assert (found.dry, found.wet) == (2017, 2019)


def test_what_cannot_be_contrasted(run):
    assert contrast_years(run, ["both"], ContrastSettings(dry_year=2016)).startswith(
        "Contrast of two years: Jul 2016 is not in the run; it has Jul of 2017, 2018, 2019"
    )
    assert "no WG5 of none" in contrast_years(
        RunData(run.path, run.time, 3, run.open_loop, run.analysis.assign_coords(experiment=["none"]).drop_vars("WG5"),
                None), ["none"], ContrastSettings()
    )  # fmt: skip
    first = RunData(run.path, run.time[:100], 3, run.open_loop, run.analysis.isel(time=slice(100)), None)
    assert contrast_years(first, ["both"], ContrastSettings()) == (
        "Contrast of two years: the run has Jul of 2017 only."
    )


def test_table_by_area_and_land_use(run):
    found = contrast_years(run, ["both"], ContrastSettings())
    cells = Cells([43.0, 43.1, 43.2], [4.0] * 3, area=["a", "a", ""], land_use=["karst", "flooded", "flooded"])
    table = contrast_table(found, JointRoles(joint="both"), cells).set_index(["area", "land use"])
    column = table["both effect on WG5 (m3 m-3)"]
    assert column.loc[("all", "all")] == pytest.approx(0.01)
    assert column.loc[("a", "all")] == pytest.approx(0.005)
    assert column.loc[("a", "flooded")] == pytest.approx(0.01)
