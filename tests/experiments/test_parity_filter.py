"""Stored SODA runs: a tiny one written here from the model and a filter in numpy, and the real ones."""

import json
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import torch

from dalearn.assimilation.backends import Linearisation
from dalearn.assimilation.comparison import relative, row_maximum
from dalearn.assimilation.control import DEFAULT_CONTROL
from dalearn.errors import InputError
from dalearn.experiments.parity_filter import (
    compare_experiments,
    create_operators,
    run_cycle,
    run_parity_filter,
)
from dalearn.experiments.parity_jacobian import find_kinks, linearise, name_entries
from dalearn.experiments.reference_names import as_in_file, state_columns
from dalearn.experiments.soda_case import read_soda_case
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.parameters import build_parameters
from dalearn.land.vegetation import VEGETATION_TYPES

ATTRIBUTES = {
    "lat": 43.5, "lon": 1.3, "zs": 100.0, "clay": 0.3, "sand": 0.35, "zref": 2.0, "uref": 10.0,
    "t0": "2015-05-01 09:00:00 UTC", "physics": "ISBA-DIF 14 layers, CPHOTO=NIT, snow 3-L (12 layers), CRUNOFF=WSAT",
    "timestep": "XTSTEP_SURF=3600 s = forcing step",
}  # fmt: skip
PATCHES, TYPES, ALPHA = (1, 10), ("NO", "GRAS"), np.array([0.3, 0.7])
NAMES = DEFAULT_CONTROL.names
OBSERVED = ("WG2", "LAI")
LAYERED = dict.fromkeys(("WG", "WGI", "TG"), "layer") | dict.fromkeys(("WSN", "RSN", "HSN", "SAG"), "snow_layer")
MISSING = 999.0
XERR = np.array([[0.5, 0.2], [0.5, 0.2], [0.1, 0.2]])
DEPARTURES = np.array([[-0.04, 0.5], [np.nan, 0.5], [0.2, np.nan]])  # NaN = missing
XALPH = np.array([0.0, 0.07])
KINK = (0, 4, 1)  # of H: dWG2/dWG5 of the second patch, where SODA's other perturbations are said to disagree


def write_inputs(path: Path) -> None:
    """The window of a file: initial state and forcing."""
    fractions = np.zeros((1, len(VEGETATION_TYPES)))
    fractions[0, [VEGETATION_TYPES.index(kind) for kind in TYPES]] = ALPHA
    site = (np.array([ATTRIBUTES[name]]) for name in ("clay", "sand", "lat", "lon"))
    _, parameters = build_parameters(fractions, *site)
    model = LandModel(parameters, LandOptions(snow_layers=12), compiled=False)
    temperature = torch.full((2,), 287.0, dtype=torch.float64)
    state = model.initial_state(temperature=temperature, leaf_area_index=2.5)
    hour = np.arange(25)
    sun = np.maximum(np.cos((hour - 3.0) / 24.0 * 2.0 * np.pi), 0.0)
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts(ATTRIBUTES)
        sizes = {"patch": 2, "layer": 14, "snow_layer": 12, "cv": 8, "obs": 2, "exp": 3, "forcing_time": 25}
        for name, size in sizes.items():
            file.createDimension(name, size)
        columns = {name: values.numpy() for name, values in state_columns(state).items()}
        for name, values in as_in_file(columns, parameters).items():
            dimensions = ("patch", LAYERED[name]) if name in LAYERED else ("patch",)
            file.createVariable(f"init_{name}", "f8", dimensions)[:] = values.T
        forcing = {
            "Tair": 285.0 + 6.0 * sun, "Qair": 0.006 + 0.0 * hour, "PSurf": 9.9e4 + 0.0 * hour,
            "DIR_SWdown": 500.0 * sun, "SCA_SWdown": 150.0 * sun, "LWdown": 310.0 + 0.0 * hour,
            "Rainf": np.where(hour == 9, 2e-4, 0.0), "Snowf": 0.0 * hour, "Wind": 3.0 + 0.0 * hour,
            "CO2air": 7.2e-4 + 0.0 * hour,
        }  # fmt: skip
        for name, values in forcing.items():
            file.createVariable(f"frc_{name}", "f4", ("forcing_time",))[:] = values
        file.createVariable("alpha", "f8", ("patch",))[:] = ALPHA
        file.createVariable("patch", "i8", ("patch",))[:] = PATCHES
        file.createVariable("cv", str, ("cv",))[:] = np.array(NAMES, dtype=object)
        file.createVariable("obs", str, ("obs",))[:] = np.array(OBSERVED, dtype=object)
        file.createVariable("H", "f8", ("obs", "cv", "patch"))[:] = 0.0


def soda_filter(
    x: np.ndarray,
    H: np.ndarray,
    y: np.ndarray,
    observed: np.ndarray,
    xerr: np.ndarray,
    soil_range: float,
    porosity: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Gain (observation, control, patch) and increment (control, patch) of ldas_sekf.md 1.5 to 1.9, with full matrices.

    ``x`` NaN where undefined; grassland has a smallest LAI of 0.3.
    """
    exists = np.isfinite(x)
    multiplier = np.array([0.0, 0.4, *[0.2] * 6])[:, None]
    B = np.broadcast_to((multiplier * soil_range) ** 2, x.shape).copy()
    B[0] = np.where(np.nan_to_num(x[0]) >= 2.0, (0.2 * np.nan_to_num(x[0])) ** 2, 0.16)
    present = observed != MISSING
    rows = np.where(present[:, None], H.reshape(2, -1), 0.0)
    R = np.diag([(xerr[0] * soil_range) ** 2, (xerr[1] * observed[1]) ** 2])
    gain = np.diag(B.ravel()) @ rows.T @ np.linalg.inv(rows @ np.diag(B.ravel()) @ rows.T + R)
    increment = (gain @ np.where(present, observed - y, 0.0)).reshape(x.shape)
    increment[0] = np.clip(np.maximum(increment[0], 0.3 - np.nan_to_num(x[0])), -1.0, 1.0)
    increment[1:] = np.clip(np.clip(increment[1:], 0.001 - x[1:], porosity - x[1:]), -0.1, 0.1)
    return gain.T.reshape(2, *x.shape), np.where(exists, increment, 0.0)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Linearisation]:
    """The tiny window and its linearisation: bare soil and grass, 24 steps of an hour, three experiments."""
    path = tmp_path_factory.mktemp("soda") / "tiny.nc"
    write_inputs(path)
    case = read_soda_case(path)
    linear = linearise(case.windows, create_operators(case, case.windows), "finite_differences")
    soil = case.windows.model.parameters.soil
    scalars = float(soil.moisture_range[0]), float(soil.porosity[0, 0])
    H, y = linear.jacobian.numpy(), linear.model_equivalent[:, 0].numpy()
    x = DEFAULT_CONTROL.of(linear.forecast).numpy().copy()
    x[0, 0] = np.nan
    observed = np.where(np.isnan(DEPARTURES), MISSING, y + np.nan_to_num(DEPARTURES))
    results = [soda_filter(x, H, y, yo, xerr, *scalars) for yo, xerr in zip(observed, XERR, strict=True)]
    gain, increment = (np.stack(values) for values in zip(*results, strict=True))
    biomass = linear.forecast.leaf_biomass.numpy() + XALPH * increment[:, 0]
    other = np.stack([H, H])
    other[1][KINK] += 0.01 * np.abs(H[0]).max()
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("fd", 2)
        file.createVariable("fd", str, ("fd",))[:] = np.array(["x01", "neg"], dtype=object)
        file["H"][:] = H
        for name, dimensions, values in (
            ("fd_H", ("fd", "obs", "cv", "patch"), other),
            ("exp_y_obs", ("exp", "obs"), observed),
            ("exp_xerr", ("exp", "obs"), XERR),
            ("exp_xalph", ("exp", "patch"), np.tile(XALPH, (3, 1))),
            ("exp_K", ("exp", "obs", "cv", "patch"), gain),
            ("exp_incr", ("exp", "cv", "patch"), increment),
            ("exp_xa", ("exp", "cv", "patch"), x + increment),
            ("exp_bioma1", ("exp", "patch"), biomass),
        ):
            file.createVariable(name, "f8", dimensions)[:] = values
    return path, linear


@pytest.fixture
def tiny(written: tuple[Path, Linearisation], tmp_path: Path) -> Path:
    """A copy to be changed."""
    path = tmp_path / "tiny.nc"
    path.write_bytes(written[0].read_bytes())
    return path


def change(path: Path, name: str, index: Any, value: Any) -> None:
    with netCDF4.Dataset(path, "a") as file:
        file[name][index] = value


def test_a_window_of_the_model_itself_is_reproduced(written: tuple[Path, Linearisation]) -> None:
    result = run_parity_filter(written[0], progress=False)
    assert list(result) == ["case", "jacobian", "gain", "increment", "analysis"]
    differences, exact = result["jacobian"]["finite_differences"], result["jacobian"]["autograd"]
    assert differences == {"max_rel": 0.0, "max_abs": 0.0, "kinks": []}
    assert 0.0 < exact["max_rel"] < 2e-3
    assert exact["kinks"] == ["dWG2/dWG5, patch 10, 2015-05-01T09:00"]
    assert result["gain"]["max_rel"] < 1e-9
    assert result["increment"]["max_rel"] < 1e-9
    assert set(result["analysis"]) == {*NAMES, "BIOMA1"}
    assert all(values["max_abs"] < 1e-10 for values in result["analysis"].values())
    json.dumps(result, allow_nan=False)


def test_every_error_of_an_experiment_is_seen(written: tuple[Path, Linearisation], tiny: Path) -> None:
    with netCDF4.Dataset(tiny, "a") as file:
        largest = float(np.abs(file["exp_K"][1, 1]).max())
        file["exp_K"][1, 1, 0, 1] += 0.01 * largest
        moisture = np.abs(file["exp_incr"][2, 1:]).max()
        file["exp_incr"][2, 3, 0] += 0.02 * moisture
        file["exp_xa"][0, 0, 1] += 0.03
        file["exp_bioma1"][0, 1] -= 0.004
    case = read_soda_case(tiny)
    errors = compare_experiments(case, written[1], create_operators(case, case.windows)).summary()
    assert errors["gain"]["max_rel"] == pytest.approx(0.01, rel=0.02)
    assert errors["increment"]["max_rel"] == pytest.approx(0.02, rel=0.03)
    assert errors["increment"]["max_abs"] == pytest.approx(0.02 * moisture, rel=1e-6)
    assert errors["analysis"]["LAI"]["max_abs"] == pytest.approx(0.03)
    assert errors["analysis"]["BIOMA1"]["max_abs"] == pytest.approx(0.004)
    assert errors["analysis"]["WG3"]["max_abs"] < 1e-10


def set_attribute(path: Path, name: str, value: str) -> None:
    with netCDF4.Dataset(path, "a") as file:
        file.setncattr(name, value)


def rename(path: Path, kind: str, name: str) -> None:
    with netCDF4.Dataset(path, "a") as file:
        (file.renameDimension if kind == "dimension" else file.renameVariable)(name, f"not_{name}")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda path: rename(path, "dimension", "exp"),
            r"tiny\.nc: none of the dimensions date, day, exp; give a stored",
        ),
        (lambda path: rename(path, "variable", "alpha"), r"tiny\.nc: variable alpha is missing"),
        (lambda path: rename(path, "variable", "init_WR"), r"tiny\.nc: variable init_WR is missing"),
        (lambda path: rename(path, "variable", "frc_Wind"), r"tiny\.nc: variable frc_Wind is missing"),
        (lambda path: change(path, "cv", 1, "TG2"), r"cv is LAI, TG2, WG3.*only LAI, WG2, WG3"),
        (lambda path: change(path, "obs", 0, "T2M"), r"obs T2M is not known; the known ones are WG2, LAI"),
        (lambda path: change(path, "patch", 1, 13), r"patch 13 is not one of 1 to 12"),
        (lambda path: set_attribute(path, "physics", "CCPSURF=HUM"), r"tiny\.nc: option CCPSURF=HUM is not modelled"),
    ],
)
def test_bad_cases_say_what_is_wrong(tiny: Path, damage: Any, message: str) -> None:
    damage(tiny)
    with pytest.raises(InputError, match=message):
        run_parity_filter(tiny, progress=False)


def test_a_surfex_case_is_not_a_soda_case(shared: Path) -> None:
    with pytest.raises(InputError, match=r"bare_hapex\.nc: none of the dimensions date, day, exp"):
        run_parity_filter(shared / "reference" / "surfex" / "bare_hapex.nc")


@pytest.mark.parametrize("name", ["A_0501", "B_0501", "B_0220"])
def test_stored_experiments(shared: Path, name: str) -> None:
    """From the stored state: Jacobian by finite differences, gains, increments and analyses of all experiments."""
    case = read_soda_case(shared / "reference" / "soda" / f"{name}.nc")
    operators = create_operators(case, case.windows)
    linear = linearise(case.windows, operators, "finite_differences")
    stored = case.stored_columns("H")
    row = stored.abs().amax(dim=(1, 2), keepdim=True)
    assert ((linear.jacobian - stored) / row).abs().max() < 1e-5
    np.testing.assert_allclose(linear.model_equivalent[:, 0], case.stored("y_b")[0], rtol=1e-9)
    errors = compare_experiments(case, linear, operators).summary()
    assert errors["gain"]["max_rel"] < 1e-5
    assert errors["increment"]["max_rel"] < 1e-4
    assert errors["increment"]["max_abs"] < 1e-7
    assert max(values["max_abs"] for values in errors["analysis"].values()) < 1e-7


def test_stored_scan(shared: Path) -> None:
    """37 windows over a year, one with snow; kinks where the canopy is just full of water, whose capacity LAI moves."""
    case = read_soda_case(shared / "reference" / "soda" / "scan_A.nc")
    operators = create_operators(case, case.windows)
    forward, backward = (
        linearise(case.windows, operators, "finite_differences", sign=sign).jacobian for sign in (1.0, -1.0)
    )
    stored = case.stored_columns("H")
    assert (relative(forward - stored, row_maximum(case.windows.grid, stored))).max() < 1e-5
    kinks = name_entries(case, find_kinks(case, forward, backward))
    assert kinks == [f"dLAI/dLAI, patch 7, 1987-{day}T09:00" for day in ("09-08", "09-18", "12-17")]


def test_first_windows_of_the_stored_cycle(shared: Path) -> None:
    """Two windows, the second with an observation, each with the reference assimilation of its own first record."""
    case = read_soda_case(shared / "reference" / "soda" / "cycle_B.nc")
    errors, states, rows = run_cycle(case, limit=2, progress=False)
    assert len(states) == len(rows) == 2
    assert errors.gain < 1e-5
    assert 0.0 < errors.increment_absolute < 1e-8
    assert set(errors.analysis) > {*NAMES, "BIOMA1", "WG", "TG"}
    assert max(errors.analysis.values()) < 1e-6
