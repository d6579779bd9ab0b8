"""Configurations: what is read, and the one line that every mistake gets."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dalearn.errors import InputError
from dalearn.experiments.config import Config, load_config, settings_of, window_starts
from dalearn.experiments.read_config import build, plain
from dalearn.operators import known_operators

SITE: dict[str, Any] = {
    "name": "site",
    "land": {},
    "surface": {
        "cells": [{"latitude": 19.8, "longitude": -155.3, "clay": 0.2, "sand": 0.3, "vegetation": {"GRAS": 1.0}}]
    },
    "forcing": {"path": "FORCING.nc"},
    "observations": [
        {"name": "sigma0", "quantity": "sigma0", "path": "sigma0.nc"},
        {"name": "SWI", "quantity": "SSM", "path": "ssm.nc", "rescale": "seasonal"},
        {"name": "LAI", "quantity": "LAI", "path": "lai.nc"},
    ],
    "open_loop": {"start": "2007-01-01", "end": "2011-01-01"},
    "training": {
        "observations": "sigma0",
        "leaf_area_index": "LAI",
        "start": "2007-01-01",
        "end": "2010-01-01",
        "test_start": "2010-01-01",
        "test_end": "2011-01-01",
    },
    "assimilation": {
        "start": "2010-01-01",
        "end": "2011-01-01",
        "experiments": [
            {"name": "EKF", "observations": ["sigma0"]},
            {"name": "EKF_SWI_LAI", "observations": ["SWI", "LAI"]},
        ],
    },
}


def changed(key: str, value: Any) -> dict[str, Any]:
    """``SITE`` with one dotted key set; None removes it."""
    content = copy.deepcopy(SITE)
    *sections, last = (int(part) if part.isdigit() else part for part in key.split("."))
    place: Any = content
    for section in sections:
        place = place[section]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return content


def write(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_defaults_are_the_published_ones(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, SITE))
    assert config.training is not None
    assert config.training.predictors == ["WG2", "TG2", "LAI"]
    assert config.training.settings.epochs == 250
    assert config.assimilation is not None
    assert config.assimilation.filter.observation_error["sigma0"].scale == 0.33
    assert config.assimilation.window_start_hour == 9
    assert config.assimilation.filter.control == ("LAI", *(f"WG{layer}" for layer in range(2, 9)))


def test_paths_are_relative_to_the_configuration(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, SITE), run_directory=str(tmp_path / "elsewhere"))
    assert config.forcing is not None
    assert config.forcing.path == str(tmp_path / "FORCING.nc")
    assert config.observations[0].path == str(tmp_path / "sigma0.nc")
    assert config.run_path() == tmp_path / "elsewhere"


def test_twin_inputs_are_in_the_run_directory(tmp_path: Path) -> None:
    content = {key: value for key, value in SITE.items() if key not in ("surface", "forcing")} | {"twin": {"years": 4}}
    config = load_config(write(tmp_path, content), run_directory=str(tmp_path / "run"))
    assert config.observations[0].path == str(tmp_path / "run" / "inputs" / "sigma0.nc")


def test_run_directory_is_relative_to_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, SITE)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert load_config(path).run_path() == tmp_path / "here" / "runs" / "site"


def test_one_error_of_one_quantity_leaves_the_others_published(tmp_path: Path) -> None:
    content = changed("assimilation.filter", {"observation_error": {"sigma0": {"scale": 0.5}}})
    assimilation = load_config(write(tmp_path, content)).assimilation
    assert assimilation is not None
    assert assimilation.filter.observation_error["sigma0"].scale == 0.5
    assert assimilation.filter.observation_error["LAI"].relative_to == "observation"


def test_one_background_error_leaves_the_others_published(tmp_path: Path) -> None:
    content = changed("assimilation.filter", {"background": {"soil_moisture": {"WG2": 0.1}}})
    assimilation = load_config(write(tmp_path, content)).assimilation
    assert assimilation is not None
    assert assimilation.filter.background.soil_moisture == {"WG2": 0.1} | {f"WG{layer}": 0.2 for layer in range(3, 9)}


def test_an_experiment_may_change_the_filter(tmp_path: Path) -> None:
    content = changed("assimilation.filter", {"background": {"leaf_area_index": 0.3}})
    own = {"scheme": "smoother", "background": {"correlation_length": 0.2}}
    first = content["assimilation"]["experiments"][0]
    content["assimilation"]["experiments"] = [first, {**first, "name": "other", "filter": own}]
    assimilation = load_config(write(tmp_path, content)).assimilation
    assert assimilation is not None
    plain_filter, other = (assimilation.filter_of(experiment) for experiment in assimilation.experiments)
    assert plain_filter == assimilation.filter
    assert (other.scheme, other.background.correlation_length, other.background.leaf_area_index) == (
        "smoother",
        0.2,
        0.3,
    )
    assert other.observation_error == plain_filter.observation_error


def test_ensemble_of_the_filter(tmp_path: Path) -> None:
    section = {"scheme": "ensrf", "ensemble": {"members": 30, "seed": 5, "soil_moisture": {"WG2": 0.2}}}
    section["control"] = ["LAI", "WG2"]
    config = load_config(write(tmp_path, changed("assimilation.filter", section)))
    assert config.assimilation is not None
    settings = config.assimilation.filter
    assert settings.scheme == "ensrf"
    assert (settings.ensemble.members, settings.ensemble.seed) == (30, 5)
    assert settings.ensemble.soil_moisture == {"WG2": 0.2}
    assert settings.ensemble.correlation_time == 3.0
    assert build(Config, yaml.safe_load(yaml.safe_dump(plain(config)))) == config


@pytest.mark.parametrize(
    ("ensemble", "message"),
    [({"members": 1}, "ensemble.members is 1"), ({"soil_moisture": {"WG2": 0.1}}, "noise of WG3, .* is not set")],
)
def test_ensemble_is_checked_before_anything_runs(tmp_path: Path, ensemble: dict[str, Any], message: str) -> None:
    content = changed("assimilation.filter", {"scheme": "ensrf", "ensemble": ensemble})
    with pytest.raises(InputError, match=message):
        load_config(write(tmp_path, content))


def test_resolved_configuration_reads_back_as_itself(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, SITE))
    again = build(Config, yaml.safe_load(yaml.safe_dump(plain(config))))
    assert again == config


def test_settings_of_leave_out_paths(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, SITE))
    text = str(settings_of(config, "observations", "forcing", "land"))
    assert "sigma0" in text
    assert str(tmp_path) not in text


def test_dates_may_be_written_without_quotes(tmp_path: Path) -> None:
    text = yaml.safe_dump(SITE).replace("'2007-01-01'", "2007-01-01")
    assert "start: 2007-01-01\n" in text
    assert load_config(write(tmp_path, text)).open_loop.start == "2007-01-01"


@pytest.mark.parametrize(
    ("hour", "first", "last", "count"),
    [(0, "2010-01-01T00", "2010-12-31T00", 365), (9, "2010-01-01T09", "2010-12-30T09", 364)],
)
def test_windows_lie_inside_the_period(tmp_path: Path, hour: int, first: str, last: str, count: int) -> None:
    assimilation = load_config(write(tmp_path, changed("assimilation.window_start_hour", hour))).assimilation
    assert assimilation is not None
    starts = window_starts(assimilation)
    assert (starts[0], starts[-1], len(starts)) == (np.datetime64(first), np.datetime64(last), count)


def experiment_filter(settings: dict[str, Any]) -> dict[str, Any]:
    content = copy.deepcopy(SITE)
    content["assimilation"]["experiments"][0]["filter"] = settings
    return content


MISTAKES = {
    "unknown key of an experiment's filter": (
        experiment_filter({"schem": "ekf"}),
        "unknown key assimilation.experiments.EKF.filter.schem; did you mean",
    ),
    "unknown scheme": (
        experiment_filter({"scheme": "magic"}),
        "assimilation.experiments.EKF.filter.scheme: expected one of sekf, smoother, end_of_window, ekf, ensrf",
    ),
    "hours that do not end with the window": (
        changed("assimilation.observation_hours", [6, 12]), "[6, 12] are not ascending hours of the window"
    ),
    "hours closer than the tolerance": (
        changed("assimilation.observation_hours", [22, 24]), "3 is more than half of the 2 h between"
    ),
    "hours that the scheme cannot observe": (
        {**(hours := changed("assimilation.observation_hours", [12, 24])),
         "assimilation": {**hours["assimilation"], "filter": {"scheme": "ekf"}}},
        "ekf observes at the window end only",
    ),
    "negative correlation length": (
        changed("assimilation.filter", {"background": {"correlation_length": -0.2}}),
        "correlation_length: -0.2 is not positive",
    ),
    "unknown section": (changed("trainin", {}), "unknown key trainin; did you mean training?"),
    "unknown key": (changed("training.seed", 3), "unknown key training.seed; did you mean training.seeds?"),
    "unknown nested key": (
        changed("training.settings", {"epoch": 3}),
        "unknown key training.settings.epoch; did you mean training.settings.epochs?",
    ),
    "unknown key in a list": (changed("observations.1.quantty", "SSM"), "observations[1].quantty; did you mean"),
    "unknown key, nothing close": (changed("land.xyz", 1), "unknown key land.xyz; known here: time_step"),
    "missing key": (changed("open_loop.end", None), "key open_loop.end is missing"),
    "missing section": (changed("open_loop", None), "key open_loop is missing"),
    "missing source": (changed("forcing", None), "key forcing is missing"),
    "wrong type": (changed("training.seeds", "many"), "training.seeds: expected a whole number, got 'many'"),
    "wrong choice": (changed("land.pedotransfer", "CH87"), "land.pedotransfer: expected one of CH78, CO84"),
    "scalar for section": (changed("land", 3), "land: expected keys and values, got 3"),
    "scalar for list": (changed("observations", "sigma0.nc"), "observations: expected a list"),
    "bad date": (changed("open_loop.start", "01/02/2007"), "open_loop.start: '01/02/2007' is not a date"),
    "dates reversed": (changed("open_loop.start", "2012-01-01"), "open_loop.end: 2011-01-01 is not after start"),
    "test before training ends": (changed("training.test_start", "2009-01-01"), "training.test_start: 2009-01-01"),
    "outside the open loop": (changed("assimilation.end", "2011-06-01"), "is not inside the open loop"),
    "time step": (changed("land.time_step", 1700), "land.time_step: 1700 s does not divide the hour"),
    "output hours": (changed("open_loop.output_hours", 5), "open_loop.output_hours: 5 does not divide the day"),
    "no output at window end": (changed("open_loop.output_hours", 6), "open_loop.output_hours: no output at 9 UTC"),
    "hour": (changed("assimilation.window_start_hour", 24), "assimilation.window_start_hour: 24 is not an hour"),
    "unknown observations": (changed("training.observations", "sigma"), "no observations are called 'sigma'"),
    "wrong quantity": (changed("training.leaf_area_index", "SWI"), "training.leaf_area_index: SWI observes SSM"),
    "unknown predictor": (changed("training.predictors", ["WG2", "TG99"]), "unknown predictor 'TG99'"),
    "out of range rule": (changed("training.out_of_range", "clamp"), "training.out_of_range: 'clamp' is not known"),
    "rescaled sigma0": (changed("observations.0.rescale", "seasonal"), "observations.sigma0.rescale: only SSM"),
    "two of one name": (changed("observations.1.name", "sigma0"), "observations: name 'sigma0' is given twice"),
    "one quantity twice": (
        changed("assimilation.experiments.0.observations", ["SWI", "SWI"]),
        "assimilation.experiments.EKF.observations: name 'SSM' is given twice",
    ),
    "no operator": (changed("training", None), "EKF.observations: sigma0 needs an operator"),
    "float32 differences": (changed("dtype", "float32"), "dtype: finite differences need float64"),
    "twin and forcing": (changed("twin", {}), "surface: the twin makes its own"),
    "no path": (changed("observations.0.path", None), "observations.sigma0.path is missing"),
    "surface twice": (changed("surface.path", "surface.nc"), "surface: give either path or cells"),
    "in situ": ({**SITE, "evaluation": {"in_situ": "LAI"}}, "evaluation.in_situ: LAI observes LAI"),
    "in situ root zone": (
        {**SITE, "evaluation": {"in_situ_root_zone": "probes"}},
        "evaluation.in_situ_root_zone: no observations are called 'probes'",
    ),
    "contrast month": ({**SITE, "evaluation": {"contrast_month": 13}}, "evaluation.contrast_month: 13 is not a month"),
    "one year twice": (
        {**SITE, "evaluation": {"dry_year": 2008, "wet_year": 2008}}, "evaluation.wet_year: 2008 is the dry_year too"
    ),
    "name with a slash": (changed("name", "a/b"), "name: 'a/b' cannot name a run directory"),
    "key twice": ("name: a\nname: b\n", "key 'name' is given twice"),
    "not YAML": ("name: [a\nland: {", "not valid YAML"),
    "not a mapping": ("- a\n- b\n", "holds no keys"),
    "empty": ("", "holds no keys"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_get_one_line_naming_the_key(tmp_path: Path, mistake: str) -> None:
    content, expected = MISTAKES[mistake]
    path = write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        load_config(path)
    message = str(caught.value)
    assert expected in message
    assert message.startswith(f"{path}: ")
    assert "\n" not in message


def test_absent_and_binary_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.yaml: cannot be read"):
        load_config(tmp_path / "nothing.yaml")
    binary = tmp_path / "FORCING.nc"
    binary.write_bytes(b"\x89HDF\xff\xfe\x00")
    with pytest.raises(InputError, match=r"FORCING\.nc: not a text file"):
        load_config(binary)


def test_plugins_register_operators_of_the_user(tmp_path: Path) -> None:
    """A module beside the configuration is imported; one that is not there is named."""
    (tmp_path / "my_operators.py").write_text(
        "from dalearn.operators import ObservationOperator, register_operator\n\n\n"
        '@register_operator("test_plugin")\n'
        "class Plugin(ObservationOperator):\n"
        '    predictors = ("WG2",)\n'
        '    quantity = "SSM"\n\n'
        "    def forward(self, predictors):\n"
        "        return 2.0 * predictors[..., 0]\n"
    )
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump({**SITE, "plugins": ["my_operators"]}))
    assert load_config(path).plugins == ["my_operators"]
    assert "test_plugin" in known_operators()
    path.write_text(yaml.safe_dump({**SITE, "plugins": ["not_there"]}))
    with pytest.raises(InputError, match=r"site\.yaml: plugins: no module 'not_there'; install it or put"):
        load_config(path)


def test_keys_can_be_changed_from_outside(tmp_path: Path) -> None:
    path = tmp_path / "twin.yaml"
    path.write_text(yaml.safe_dump({"name": "a", "open_loop": {"start": "2017-01-01", "end": "2018-01-01"}}))
    words = [
        "twin.region=montpellier", "twin.areas=[ales, camargue]", "twin.sentinel1.share=0.5", "dtype=float32",
        "twin.sentinel1.inversion=own/retrieval.nc",
    ]  # fmt: skip
    config = load_config(path, changes=words)
    assert config.twin is not None
    assert config.twin.areas == ("ales", "camargue")
    assert config.twin.sentinel1 is not None
    assert config.twin.sentinel1.share == 0.5
    assert config.twin.sentinel1.inversion == str(tmp_path / "own" / "retrieval.nc")
    assert config.dtype == "float32"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("twin.areas", r"--set twin.areas: write it as key=value"),
        ("twin..areas=1", r"--set twin..areas=1: write it as key=value"),
        ("name.first=b", r"--set name.first=b: name holds no keys"),
        ("twin.areas=[ales", r"the value is not valid YAML"),
        ("twin.place=ales", r"twin.place"),
    ],
)
def test_changes_that_cannot_be_are_refused(tmp_path: Path, change: str, message: str) -> None:
    path = tmp_path / "twin.yaml"
    path.write_text(yaml.safe_dump({"name": "a", "open_loop": {"start": "2017-01-01", "end": "2018-01-01"}}))
    with pytest.raises(InputError, match=message):
        load_config(path, changes=[change])
