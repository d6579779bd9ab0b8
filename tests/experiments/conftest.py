"""A small real experiment: three cells and twelve days of summer, run eagerly."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dalearn.forcing.writer import write_forcing
from dalearn.observations.files import write_observations
from dalearn.observations.observations import Observations
from dalearn.twin.weather import generate_weather

LATITUDE = np.array([43.6, 44.1, 43.4])
LONGITUDE = np.array([-0.4, 0.6, 1.9])
START = np.datetime64("2015-06-01T00:00", "s")
DAYS = 12
DAY = np.timedelta64(86400, "s")

COVER = ({"C3": 0.6, "GRAS": 0.4}, {"GRAS": 1.0}, {"C3": 1.0})

CONFIG: dict[str, Any] = {
    "name": "small",
    "compile": False,
    "surface": {
        "cells": [
            {
                "name": ("URG", "", "SFL")[cell],
                "latitude": float(LATITUDE[cell]),
                "longitude": float(LONGITUDE[cell]),
                "clay": 0.2,
                "sand": 0.35,
                "vegetation": COVER[cell],
            }
            for cell in range(3)
        ]
    },
    "forcing": {"path": "FORCING.nc"},
    "land": {"time_step": 3600},
    "observations": [
        {"name": "sigma0", "quantity": "sigma0", "path": "sigma0.nc"},
        {"name": "LAI", "quantity": "LAI", "path": "lai.nc"},
        {"name": "stations", "quantity": "SSM", "path": "in_situ.nc"},
    ],
    "open_loop": {
        "start": "2015-06-01",
        "end": "2015-06-13",
        "spin_up": {"start": "2015-06-01", "end": "2015-06-03", "repetitions": 2},
        "block_days": 2,
    },
    "training": {
        "observations": "sigma0",
        "start": "2015-06-01",
        "end": "2015-06-08",
        "test_start": "2015-06-08",
        "test_end": "2015-06-13",
        "settings": {"epochs": 5, "minimum_samples": 5},
    },
    "assimilation": {
        "start": "2015-06-08",
        "end": "2015-06-13",
        "experiments": [{"name": "EKF", "observations": ["sigma0"]}, {"name": "EKF_LAI", "observations": ["LAI"]}],
        "block_days": 1,
    },
    "evaluation": {"in_situ": "stations", "jacobians": False},
}

Configure = Callable[..., Path]


def observe(path: Path, quantity: str, units: str, hours: float, level: float, spread: float, seed: int) -> None:
    """Plausible observations of all cells every ``hours`` hours from 9 UTC on."""
    count = int(24 * DAYS / hours)
    seconds = (9 * 3600 + np.arange(count) * int(hours * 3600)).astype("timedelta64[s]")
    value = level + spread * np.random.default_rng(seed).standard_normal(3 * count)
    observations = Observations(
        quantity=quantity,
        units=units,
        time=np.repeat(START + seconds, 3),
        cell=np.tile(np.arange(3), count),
        value=value,
        error=np.full(3 * count, spread),
        latitude=LATITUDE,
        longitude=LONGITUDE,
    )
    write_observations(path, observations)


@pytest.fixture(scope="session")
def small_inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with forcing and observations."""
    folder = tmp_path_factory.mktemp("inputs")
    weather = generate_weather(
        LATITUDE, LONGITUDE, np.full(3, 150.0), START.astype("datetime64[D]"), DAYS + 1, 3, (1.0,)
    )
    write_forcing(folder / "FORCING.nc", weather)
    observe(folder / "sigma0.nc", "sigma0", "dB", 12.0, -11.0, 0.33, 1)
    observe(folder / "lai.nc", "LAI", "m2 m-2", 72.0, 1.5, 0.2, 2)
    observe(folder / "in_situ.nc", "SSM", "m3 m-3", 6.0, 0.25, 0.02, 3)
    return folder


@pytest.fixture
def configure(small_inputs: Path, tmp_path: Path) -> Configure:
    """Write the small configuration, with dotted keys changed, where its inputs are; returns its path."""

    def write(**changes: Any) -> Path:
        content = copy.deepcopy(CONFIG)
        for key, value in changes.items():
            *sections, last = key.split("__")
            place = content
            for section in sections:
                place = place.setdefault(section, {})
            place[last] = value
        path = small_inputs / f"{tmp_path.name}.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write
