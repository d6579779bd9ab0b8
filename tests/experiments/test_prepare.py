"""The stage that makes inputs: what it writes, what it depends on, what it refuses, how it goes on."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml

import dalearn.experiments.prepare as stage
from dalearn.errors import InputError
from dalearn.experiments.config import load_config
from dalearn.experiments.pipeline import Pipeline
from dalearn.forcing.prepare import write_plan

TABLE_HEADER = "DATE,Tair_min,Tair_max,Tair_mean,RG_sum,PPT_sum,RHair_min,RHair_max,RHair_mean,WS_mean"


def write_days(path: Path, first: str, count: int) -> Path:
    days = np.datetime64(first) + np.arange(count)
    rows = [
        f"{day},{10 + k % 4},{22 + k % 3},15.5,{18 + k % 5},{3.0 * (k % 4 == 0)},40,95,68,2.5"
        for k, day in enumerate(days)
    ]
    path.write_text("\n".join([TABLE_HEADER, *rows]) + "\n")
    return path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration with two tables beside it."""
    (tmp_path / "data").mkdir()
    write_days(tmp_path / "data" / "days_1.csv", "2016-06-01", 10)
    write_days(tmp_path / "data" / "days_2.csv", "2016-06-11", 10)
    place = {"latitude": 43.5, "longitude": 0.1, "altitude": 200.0}
    content = {
        "name": "site",
        "compile": False,
        "surface": {"cells": [{**place, "clay": 0.2, "sand": 0.4, "vegetation": {"GRAS": 1.0}}]},
        "prepare": {"forcing": {"format": "daily_table", "files": ["data/days_*.csv"], **place}},
        "land": {"time_step": 3600},
        "open_loop": {"start": "2016-06-01", "end": "2016-06-04"},
    }
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def edit(path: Path, **sections: Any) -> Path:
    content = yaml.safe_load(path.read_text())
    for name, changes in sections.items():
        content[name] = {**content.get(name, {}), **changes} if isinstance(changes, dict) else changes
    path.write_text(yaml.safe_dump(content))
    return path


def pipeline(path: Path) -> Pipeline:
    return Pipeline(load_config(path, run_directory=str(path.parent / "run")), ["test"])


def test_prepare_then_run(site: Path) -> None:
    run = pipeline(site)
    run.run(["inputs"])
    forcing = site.parent / "run" / "inputs" / "FORCING.nc"
    with netCDF4.Dataset(forcing) as file:
        assert file["Tair"].shape == (20 * 24 + 1, 1)
    sources = json.loads((site.parent / "run" / "provenance.json").read_text())["inputs"]
    assert [Path(item["path"]).name for item in sources] == ["days_1.csv", "days_2.csv"]
    assert all(len(item["sha256"]) == 64 and item["bytes"] > 0 for item in sources)
    before = forcing.stat().st_mtime_ns
    second = pipeline(site)
    assert second.is_done("inputs")
    assert second.config.forcing is not None
    assert (second.config.forcing.path, second.config.forcing.shortwave) == (str(forcing), "zenith")
    second.run(["open_loop"])
    assert forcing.stat().st_mtime_ns == before
    with netCDF4.Dataset(site.parent / "run" / "open_loop.nc") as file:
        assert np.isfinite(file["WG2"][:]).all()


def test_contents_count_and_places_do_not(site: Path) -> None:
    pipeline(site).run(["inputs"])
    shutil.move(site.parent / "data", site.parent / "elsewhere")
    edit(
        site,
        prepare={"forcing": {**yaml.safe_load(site.read_text())["prepare"]["forcing"], "files": ["elsewhere/*.csv"]}},
    )
    assert pipeline(site).is_done("inputs")
    table = site.parent / "elsewhere" / "days_2.csv"
    table.write_text(table.read_text().replace(",2.5", ",3.5"))
    changed = pipeline(site)
    assert not changed.is_done("inputs")
    with pytest.raises(InputError, match=r"new contents of days_2\.csv"):
        changed.run(["inputs"])
    changed.run(["inputs"], force=True)
    with netCDF4.Dataset(site.parent / "run" / "inputs" / "FORCING.nc") as file:
        assert float(file["Wind"][-1, 0]) == 3.5


def test_a_setting_counts(site: Path) -> None:
    pipeline(site).run(["inputs"])
    section = yaml.safe_load(site.read_text())["prepare"]["forcing"]
    edit(site, prepare={"forcing": {**section, "direct_shortwave": "all"}})
    with pytest.raises(InputError, match="direct_shortwave: erbs -> all"):
        pipeline(site).run(["inputs"])


def observing(site: Path, monkeypatch: pytest.MonkeyPatch, error: str | None = None) -> list[SimpleNamespace]:
    """Two products whose reader is replaced; returns its calls."""
    import sys

    calls: list[SimpleNamespace] = []

    def prepare_observations(
        section: Any, files: list[Path], latitude: np.ndarray, longitude: np.ndarray, path: Path
    ) -> dict[str, int]:
        calls.append(SimpleNamespace(name=section.name, files=files, latitude=latitude, path=path))
        if error is not None and section.name == error:
            raise InputError("bad.csv: time: sort it")
        from dalearn.observations.files import write_observations
        from dalearn.observations.observations import Observations

        time = np.datetime64("2016-06-02T09:00", "s") + np.arange(5) * np.timedelta64(1, "D")
        write_observations(
            path,
            Observations(
                quantity="SSM", units="%", time=time, cell=np.zeros(5, int), value=np.full(5, 40.0),
                error=np.full(5, 5.0), latitude=latitude, longitude=longitude,
            ),
        )  # fmt: skip
        return {"read": 7, "kept": 5, "frozen": 2}

    monkeypatch.setitem(
        sys.modules, "dalearn.observations.prepare", SimpleNamespace(prepare_observations=prepare_observations)
    )
    section = yaml.safe_load(site.read_text())["prepare"]
    product = {"quantity": "SSM", "format": "ascat_table", "files": ["data/days_*.csv"]}
    edit(
        site,
        prepare={**section, "observations": [{"name": "one", **product}, {"name": "two", **product}]},
        observations=[
            {"name": "one", "quantity": "SSM"},
            {"name": "again", "quantity": "SSM", "path": "one.nc"},
        ],
    )
    return calls


def test_observations_are_made_and_found(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = observing(site, monkeypatch)
    run = pipeline(site)
    run.run(["inputs"])
    inputs = site.parent / "run" / "inputs"
    assert [call.name for call in calls] == ["one", "two"]
    assert [path.name for path in calls[0].files] == ["days_1.csv", "days_2.csv"]
    assert [call.path for call in calls] == [inputs / "one.nc", inputs / "two.nc"]
    np.testing.assert_array_equal(calls[0].latitude, [43.5])
    assert [observation.path for observation in run.config.observations] == [str(inputs / "one.nc")] * 2


def test_a_folder_is_handed_on_as_such(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the contents of its files in the fingerprint."""
    calls = observing(site, monkeypatch)
    section = yaml.safe_load(site.read_text())["prepare"]
    product = {**section["observations"][0], "files": ["data"]}
    edit(site, prepare={**section, "observations": [product]})
    pipeline(site).run(["inputs"])
    assert calls[0].files == [site.parent / "data"]
    (site.parent / "data" / "days_1.csv.note").write_text("new")
    assert not pipeline(site).is_done("inputs")


def test_an_interrupted_stage_keeps_what_it_finished(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = observing(site, monkeypatch, error="two")
    with pytest.raises(InputError, match="sort it"):
        pipeline(site).run(["inputs"])
    inputs = site.parent / "run" / "inputs"
    assert sorted(path.name for path in inputs.iterdir()) == ["FORCING.nc", "one.nc"]
    times = {path.name: path.stat().st_mtime_ns for path in inputs.iterdir()}
    calls = observing(site, monkeypatch)
    monkeypatch.setattr(stage, "_prepare_forcing", lambda *_: pytest.fail("made twice"))
    pipeline(site).run(["inputs"])
    assert [call.name for call in calls] == ["two"]
    assert all((inputs / name).stat().st_mtime_ns == time for name, time in times.items())


def test_a_kill_while_writing_leaves_no_file(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any) -> None:
        def stop(records: int) -> None:
            raise KeyboardInterrupt

        write_plan(*arguments[:3], stop)

    monkeypatch.setattr(stage, "write_plan", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pipeline(site).run(["inputs"])
    assert list((site.parent / "run" / "inputs").iterdir()) == []
    monkeypatch.setattr(stage, "write_plan", write_plan)
    pipeline(site).run(["inputs"])
    assert (site.parent / "run" / "inputs" / "FORCING.nc").is_file()


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"forcing": {"path": "my/FORCING.nc"}}, "forcing.path: prepare makes it"),
        ({"open_loop": {"start": "2016-06-01", "end": "2016-07-01"}}, "is not inside the forcing to be made"),
        ({"surface": {"path": "map.nc", "cells": []}}, "map.nc"),
        ({"observations": [{"name": "SSM", "quantity": "SSM"}]}, r"observations\.SSM\.path is missing"),
    ],
)
def test_contradictions(sections: dict[str, Any], words: str, site: Path) -> None:
    with pytest.raises(InputError, match=words):
        pipeline(edit(site, **sections)).run(["inputs"])
    assert not (site.parent / "run").exists()


def test_the_resolved_configuration_can_be_run(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """config.yaml of a run directory says the same, there and for another directory."""
    observing(site, monkeypatch)
    pipeline(site).run(["inputs"])
    resolved = site.parent / "run" / "config.yaml"
    assert Pipeline(load_config(resolved, run_directory=str(site.parent / "run")), ["test"]).is_done("inputs")
    other = load_config(resolved, run_directory=str(site.parent / "other"))
    assert other.forcing is not None
    paths = [other.forcing.path, *(observation.path for observation in other.observations)]
    assert {str(Path(path or "").parent) for path in paths} == {str(site.parent / "other" / "inputs")}


def test_only_what_the_user_wrote_holds_wildcards(tmp_path: Path, site: Path) -> None:
    """A folder called [1] is not a pattern."""
    folder = tmp_path / "runs [1]*"
    folder.mkdir()
    shutil.copytree(tmp_path / "data", folder / "data")
    shutil.copy(site, folder)
    pipeline(folder / "site.yaml").run(["inputs"])
    section = yaml.safe_load(site.read_text())["prepare"]["forcing"]
    (folder / "deeper").mkdir()
    shutil.copy(site, folder / "deeper")
    edit(folder / "deeper" / "site.yaml", prepare={"forcing": {**section, "files": ["../data/days_[12].csv"]}})
    assert len(pipeline(folder / "deeper" / "site.yaml").inputs) == 2
