"""On which years observations are rescaled to the open loop, with and without a training section."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dalearn.errors import InputError
from dalearn.experiments.config import Config, load_config
from dalearn.experiments.observations import read_rescaled
from dalearn.experiments.open_loop_data import OpenLoopData
from dalearn.experiments.setup import Setup
from dalearn.io import TimeSeriesWriter
from dalearn.observations.files import write_observations
from dalearn.observations.observations import Observations

LATITUDE, LONGITUDE = np.array([43.5]), np.array([3.5])
DAYS = np.arange("2017-01-01", "2020-01-01", dtype="datetime64[D]")
TIME = DAYS.astype("datetime64[s]") + np.timedelta64(18, "h")

CONTENT: dict[str, Any] = {
    "name": "rescaling",
    "surface": {"cells": [{"latitude": 43.5, "longitude": 3.5, "clay": 0.2, "sand": 0.4, "vegetation": {"C3": 1.0}}]},
    "forcing": {"path": "FORCING.nc"},
    "observations": [{"name": "S1", "quantity": "SSM", "path": "s1.nc", "rescale": "seasonal"}],
    "open_loop": {"start": "2017-01-01", "end": "2020-01-01", "output_hours": 6},
    "assimilation": {
        "start": "2018-01-01", "end": "2020-01-01", "window_start_hour": 18,
        "experiments": [{"name": "SSM", "observations": ["S1"]}],
    },
}  # fmt: skip


def model() -> np.ndarray:
    """WG2 of the open loop (day,): drier from 2018 on."""
    wave = 0.05 * np.sin(np.arange(len(DAYS)) / 5.0)
    return 0.2 + wave - 0.08 * (np.datetime64("2018-01-01") <= DAYS)


def frozen() -> np.ndarray:
    """(day,) bool: frost in February."""
    return DAYS.astype("datetime64[M]").astype(int) % 12 == 1


def config_of(folder: Path, **changes: Any) -> Config:
    content = {**CONTENT, "observations": [{**CONTENT["observations"][0], **changes}]}
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    return load_config(folder / "config.yaml", run_directory=str(folder / "run"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    observed = 0.1 + 2.0 * (model() + 0.08 * (np.datetime64("2018-01-01") <= DAYS) - 0.2)
    observed = np.where(frozen(), 0.5, observed)  # frost spoils the retrieval
    write_observations(
        tmp_path / "s1.nc",
        Observations(
            quantity="SSM", units="m3 m-3", time=TIME, cell=np.zeros(len(TIME), int), value=observed,
            error=np.full(len(TIME), 0.05), latitude=LATITUDE, longitude=LONGITUDE,
        ),
    )  # fmt: skip
    with TimeSeriesWriter(tmp_path / "open_loop.nc", ["WG2", "TG2"], LATITUDE, LONGITUDE) as writer:
        temperature = np.where(frozen(), 270.0, 285.0)
        writer.append(TIME, {"WG2": model()[:, None], "TG2": temperature[:, None]})
    return tmp_path


def rescaled(folder: Path, **changes: Any) -> np.ndarray:
    """(sample,) of the days of July 2018 and 2019."""
    setup = Setup(config_of(folder, **changes), folder)
    result = read_rescaled(setup, "S1", OpenLoopData(folder / "open_loop.nc"))
    assert result.units == "m3 m-3"
    july = (result.time.astype("datetime64[M]").astype(int) % 12 == 6) & (result.time >= np.datetime64("2018-01-01"))
    return result.value[july]


def july() -> np.ndarray:
    return (DAYS.astype("datetime64[M]").astype(int) % 12 == 6) & (np.datetime64("2018-01-01") <= DAYS)


def test_without_training_the_period_is_that_of_the_assimilation(folder: Path) -> None:
    assert config_of(folder).rescaling_period("S1") == ("2018-01-01", "2020-01-01")
    assert rescaled(folder) == pytest.approx(model()[july()], abs=1e-6)


def test_a_period_of_its_own_comes_first(folder: Path) -> None:
    period = {"rescale_start": "2017-01-01", "rescale_end": "2018-01-01"}
    assert rescaled(folder, **period) == pytest.approx(model()[july()] + 0.08, abs=1e-6)


def test_frozen_pairs_do_not_count(folder: Path) -> None:
    setup = Setup(config_of(folder), folder)
    result = read_rescaled(setup, "S1", OpenLoopData(folder / "open_loop.nc"))
    day = np.searchsorted(DAYS, result.time.astype("datetime64[D]"))
    march = (result.time.astype("datetime64[M]").astype(int) % 12 == 2) & (result.time >= np.datetime64("2018-01-01"))
    assert march.sum() == 62
    assert result.value[march] == pytest.approx(model()[day[march]], abs=1e-6)  # spoilt days of February would show


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rescale_start": "2017-01-01"}, "observations.S1: give both rescale_start and rescale_end"),
        ({"rescale_start": "2018-01-01", "rescale_end": "2017-01-01"}, "rescale_end: 2017-01-01 is not after"),
        ({"rescale_start": "2016-01-01", "rescale_end": "2018-01-01"}, "observations.S1.rescale: 2016-01-01 to"),
        ({"rescale": "none", "rescale_start": "2017-01-01", "rescale_end": "2018-01-01"}, "nothing is rescaled"),
    ],
)
def test_wrong_periods_are_refused(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        config_of(tmp_path, **changes)


def test_too_few_pairs_are_an_error(folder: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be rescaled: too few pairs with the open loop in 2017-01-01 to"):
        rescaled(folder, rescale_start="2017-01-01", rescale_end="2017-01-20")
