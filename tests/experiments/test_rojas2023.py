"""The experiments of Rojas-Munoz et al. (2023), a few cells and days of them, from nothing to the report."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from dalearn.cli import main
from dalearn.experiments.config import load_config
from dalearn.observations.files import read_observations
from dalearn.twin.kilometre.land import kilometre_map
from dalearn.twin.kilometre.regions import REGIONS

NAMES = ("montpellier", "toulouse", "salamanca")
DAYS = 4


def chosen() -> tuple[list[int], list[str]]:
    """Cells of Ales and Camargue, the first of each use, and Villevieille; with their uses."""
    surface = kilometre_map(REGIONS["montpellier"], ["ales", "camargue"])
    assert surface.land_use is not None
    uses = ["flooded", "sprinkled", "forest", "vineyard"]
    cells = [int(np.flatnonzero(surface.land_use == use)[0]) for use in uses]
    cells.append(int(np.flatnonzero(surface.name == "VLV")[0]))
    return cells, [str(surface.land_use[cell]) for cell in cells]


def changes() -> list[str]:
    """Four days of June, seen every day; a fit by month takes years."""
    return [
        "compile=false", "twin.areas=[ales, camargue]", f"twin.cells={chosen()[0]}", "twin.start=2019-06-20",
        f"twin.length_days={DAYS}", "twin.spin_up=0", "twin.time_step=3600", "twin.lai_interval=2",
        "twin.sentinel1={interval: 1, share: 1.0}", "twin.irrigation={sprinkler_threshold: 5.0}", "land.time_step=3600",
        "open_loop.start=2019-06-20", "open_loop.end=2019-06-24",
        "open_loop.spin_up={start: 2019-06-20, end: 2019-06-21, repetitions: 1}",
        "assimilation.start=2019-06-21", "assimilation.end=2019-06-24",
        "observations=[{name: S1, quantity: SSM, path: ssm_s1.nc}, {name: LAI, quantity: LAI, path: lai.nc}, "
        "{name: stations, quantity: SSM, path: ssm_in_situ.nc}, "
        "{name: stations_30cm, quantity: SSM, path: sm30_in_situ.nc}]",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def run(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("rojas") / "run"
    words = [word for change in changes() for word in ("--set", change)]
    path = repository / "configs" / "rojas2023_montpellier.yaml"
    assert main(["run", str(path), "--run-directory", str(directory), "--processes", "1", *words]) == 0
    return directory


def test_the_run_ends_with_a_report(run: Path) -> None:
    assert (run / "report.html").stat().st_size > 10_000
    with netCDF4.Dataset(run / "analysis.nc") as file:
        assert list(file["experiment"][:]) == ["SSM", "LAI", "SSM_LAI"]


def test_water_is_given_where_the_land_is_irrigated_and_nowhere_else(run: Path) -> None:
    with netCDF4.Dataset(run / "inputs" / "surface.nc") as file:
        uses, areas = list(file["land_use"][:]), list(file["area"][:])
    assert uses == chosen()[1]
    assert set(areas) == {"ales", "camargue", ""}
    with netCDF4.Dataset(run / "truth.nc") as file:
        given = file["IRRIGATION"][:].data.sum(axis=0)
        moisture = file["WG5"][:].data
    assert given[0] > 20.0
    assert 0.25 * 30.0 <= given[1] <= 30.0  # one turn on the irrigated part of the cell
    assert not given[2:].any()
    with netCDF4.Dataset(run / "open_loop.nc") as file:
        unaware = file["WG5"][:].data
    assert moisture[-1, 0] > unaware[-1, 0] + 0.05
    assert moisture[-1, 1] > unaware[-1, 1]


def test_observations_are_where_they_can_be(run: Path) -> None:
    s1 = read_observations(run / "inputs" / "ssm_s1.nc")
    hour = (s1.time - s1.time.astype("datetime64[D]")).astype("timedelta64[m]").astype(float) / 60.0
    assert hour == pytest.approx(17.8, abs=0.02)
    assert {0, 1} <= set(s1.cell.tolist())
    lai = read_observations(run / "inputs" / "lai.nc")
    assert set(lai.cell.tolist()) == {0, 1, 2, 3, 4}
    shallow, deep = (read_observations(run / "inputs" / f"{name}.nc") for name in ("ssm_in_situ", "sm30_in_situ"))
    assert set(shallow.cell.tolist()) == set(deep.cell.tolist()) == {2, 4}  # La Grand-Combe, Villevieille
    assert len(deep) == 2 * 8 * DAYS
    assert deep.value.std() < shallow.value.std() + 0.02


@pytest.mark.parametrize("name", NAMES)
def test_the_configurations_are_those_of_the_paper(repository: Path, name: str) -> None:
    config = load_config(repository / "configs" / f"rojas2023_{name}.yaml")
    assert config.twin is not None
    assert config.twin.region == name
    assert config.twin.sentinel1 is not None
    assert (config.twin.sentinel1.interval, config.twin.lai_interval) == (6, 10)
    spin_up, assimilation = config.open_loop.spin_up, config.assimilation
    assert spin_up is not None
    assert (spin_up.start, spin_up.end, spin_up.repetitions) == ("2017-01-01", "2018-01-01", 20)
    assert (config.open_loop.start, config.open_loop.end) == ("2017-01-01", "2020-01-01")
    assert assimilation is not None
    assert assimilation.window_start_hour == 18
    experiments = {experiment.name: experiment.observations for experiment in assimilation.experiments}
    assert experiments == {"SSM": ["S1"], "LAI": ["LAI"], "SSM_LAI": ["S1", "LAI"]}  # the paper's table 1
    assert assimilation.filter.control == ("LAI", *(f"WG{layer}" for layer in range(2, 9)))
    assert config.rescaling_period("S1") == (assimilation.start, assimilation.end)
    assert config.observation("S1").rescale == "seasonal"
    assert config.observation("LAI").rescale == "none"
