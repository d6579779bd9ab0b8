"""Every scheme of the filter through the stages of an experiment, and interrupted."""

import shutil
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml

from dalearn.experiments import assimilate
from dalearn.experiments.config import load_config
from dalearn.experiments.pipeline import Pipeline
from tests.experiments.conftest import CONFIG, Configure

SCHEMES = ("sekf", "smoother", "end_of_window", "ekf", "ensrf")


def run(path: Path, directory: Path, *names: str, force: bool = False) -> None:
    Pipeline(load_config(path, run_directory=str(directory)), ["test"]).run(names, force=force)


@pytest.fixture(scope="module")
def trained(small_inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of the small experiment up to its trained operator."""
    path = small_inputs / "choices.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    directory = tmp_path_factory.mktemp("choices") / "small"
    run(path, directory, "open_loop", "train")
    return directory


def experiments(schemes: tuple[str, ...], **settings: Any) -> list[dict[str, Any]]:
    small = {"ensemble": {"members": 4}}
    return [
        {"name": scheme, "observations": ["sigma0", "LAI"], "filter": {"scheme": scheme, **small, **settings}}
        for scheme in schemes
    ]


def read(path: Path) -> dict[str, np.ndarray]:
    with netCDF4.Dataset(path) as file:
        return {name: np.ma.filled(variable[:], np.nan) for name, variable in file.variables.items()}


@pytest.mark.slow
def test_all_schemes_to_the_report(trained: Path, configure: Configure, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(trained, tmp_path / "run"))
    path = configure(assimilation__experiments=experiments(SCHEMES))
    run(path, directory, "assimilate", "evaluate", force=True)
    values = read(directory / "analysis.nc")
    assert tuple(values["experiment"]) == SCHEMES
    before = np.nanmean(np.abs(values["LAI_departure"]), axis=(1, 2))
    after = np.nanmean(np.abs(values["LAI_observed"] - values["LAI_model_analysis"]), axis=(1, 2))
    assert (after < before).all(), "every scheme draws LAI to its observations"
    assert (np.abs(values["WG2_increment"]).max(axis=(1, 2)) > 1e-6).all()
    assert len({float(value) for value in values["WG4"][:, -1, 0]}) == len(SCHEMES), "no two schemes are the same"
    assert np.isnan(values["jacobian_sigma0_WG2"][SCHEMES.index("ensrf")]).all()
    assert np.isfinite(values["gain_sigma0_WG2"]).all()
    page = (directory / "report.html").read_text()
    assert all(scheme in page for scheme in SCHEMES)


@pytest.mark.slow
def test_two_observation_hours(trained: Path, configure: Configure, tmp_path: Path) -> None:
    """Windows from 9 UTC, backscatter every 12 h: evening samples have a row of their own."""
    directory = Path(shutil.copytree(trained, tmp_path / "run"))
    path = configure(
        assimilation__experiments=experiments(("sekf", "smoother", "ensrf")),
        assimilation__observation_hours=[12, 24],
    )
    run(path, directory, "assimilate", "evaluate", force=True)
    values = read(directory / "analysis.nc")
    assert np.isfinite(values["sigma0_at_12h_observed"]).all()
    assert np.isfinite(values["sigma0_observed"]).all()
    assert not np.allclose(values["sigma0_at_12h_observed"], values["sigma0_observed"])
    assert (values["sigma0_at_12h_rejected"] == 0).all()
    fates = list(values["fate"])
    matched = values["observation_count"][0, 0, fates.index("matched")]
    assert (
        matched
        == np.isfinite(values["sigma0_observed"][0]).sum() + np.isfinite(values["sigma0_at_12h_observed"][0]).sum()
    )


class Killed(BaseException):
    """Stands for a signal that cannot be caught."""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["ekf", "ensrf"])
def test_what_is_carried_survives_an_interruption(
    trained: Path, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """The cycled covariance, and the members with their noise, are in the restart file."""
    path = configure(assimilation__experiments=experiments((scheme,)))
    whole, cut = (Path(shutil.copytree(trained, tmp_path / name)) for name in ("whole", "cut"))
    run(path, whole, "assimilate", force=True)
    original, calls = assimilate.write_cycle, []

    def write_then_die(*arguments: Any) -> None:
        original(*arguments)
        calls.append(arguments)
        if len(calls) == 2:
            raise Killed

    monkeypatch.setattr(assimilate, "write_cycle", write_then_die)
    with pytest.raises(Killed):
        run(path, cut, "assimilate", force=True)
    assert calls[-1][1].carried
    monkeypatch.setattr(assimilate, "write_cycle", original)
    run(path, cut, "assimilate")
    first, second = read(whole / "analysis.nc"), read(cut / "analysis.nc")
    for name, values in first.items():
        assert np.array_equal(values, second[name], equal_nan=values.dtype.kind == "f"), name
