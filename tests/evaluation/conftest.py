"""A made-up run directory in the format of the project, with errors of known size in the open loop."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from dalearn.evaluation.cells import Cells

LAYERS = [f"WG{layer}" for layer in range(1, 9)]
CONTROL = ["LAI", *LAYERS[1:]]
EXPERIMENTS = ["EKF", "EKF_SWI_LAI"]
CLASSES = ["crops", "forest", "grass"]


@dataclass
class Observations:
    """The attributes that the evaluation reads of an observation object."""

    quantity: str
    units: str
    time: np.ndarray
    cell: np.ndarray
    value: np.ndarray
    error: np.ndarray
    counts: dict[str, int]


@dataclass
class SyntheticRun:
    directory: Path
    cells: Cells
    time: np.ndarray
    satellite: Observations
    in_situ: Observations
    observed: np.ndarray
    prediction: dict[str, np.ndarray]
    root_zone: Observations | None = None


def make_cells(count: int, stations: dict[int, str]) -> Cells:
    side = max(1, round(np.sqrt(count)))
    row, column = np.divmod(np.arange(count), side)
    return Cells(
        latitude=43.125 + 0.25 * row,
        longitude=-0.875 + 0.25 * column,
        station=[stations.get(cell, "") for cell in range(count)],
        vegetation_class=[CLASSES[(cell // 3 + cell) % 3] for cell in range(count)],
    )


def memory(generator, shape, days):
    """Red noise with unit variance."""
    noise = generator.standard_normal(shape)
    keep = np.exp(-1.0 / days)
    result = np.empty(shape)
    result[0] = noise[0]
    for step in range(1, shape[0]):
        result[step] = keep * result[step - 1] + np.sqrt(1 - keep**2) * noise[step]
    return result


def backscatter(moisture, leaves):
    return -12.5 + 14.0 * moisture + 0.35 * leaves


def write_states(path, time, fields, cells):
    dataset = xr.Dataset({name: (("time", "cell"), values.astype("float32")) for name, values in fields.items()})
    for name in fields:
        dataset[name].attrs["units"] = "m3 m-3" if name.startswith("WG") else "K" if name.startswith("TG") else "m2 m-2"
    coordinates = {"time": time, "latitude": ("cell", cells.latitude), "longitude": ("cell", cells.longitude)}
    dataset.assign_coords(coordinates).to_netcdf(path)


@pytest.fixture(scope="session")
def make_run() -> Callable[..., SyntheticRun]:
    return build_run


@pytest.fixture(scope="session")
def make_joint_run() -> Callable[..., SyntheticRun]:
    return build_joint_run


def build_run(
    directory: Path, cells: Cells, days: int = 240, twin: bool = True, seed: int = 0, current: bool = True
) -> SyntheticRun:
    """Write open_loop.nc, analysis.nc and, for a twin, truth.nc; experiments remove part of the open loop's error.

    ``current``: analysis.nc holds gains, chi-square and signal, which older versions did not write.
    """
    directory.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    count = cells.count
    steps = 4 * days
    time = np.datetime64("2015-01-01T15", "ns") + np.arange(steps) * np.timedelta64(6, "h")
    is_window_end = (time.astype("datetime64[h]").astype(int) % 24) == 9
    ends = time[is_window_end]
    season = np.sin((np.arange(steps) / 4 - 100) * 2 * np.pi / 365.0)[:, None]
    crops = np.array([name == "crops" for name in cells.vegetation_class])
    leaves = 2.2 + 1.4 * season + 0.3 * memory(generator, (steps, count), 80) + np.array([0.6, 0.0])[crops.astype(int)]
    wet = memory(generator, (steps, count), 40)
    truth = {"LAI": np.maximum(leaves, 0.3)}
    for layer, name in enumerate(LAYERS):
        slow = memory(generator, (steps, count), 12 * (layer + 1))
        truth[name] = 0.24 - 0.05 * season + (0.055 - 0.005 * layer) * (0.7 * wet + 0.7 * slow)
    truth["TG1"] = 284.0 + 9.0 * season + np.zeros((steps, count))
    truth["TG2"] = truth["TG1"] - 0.5
    summer = np.maximum(season, 0.0)
    error = {
        "LAI": (0.25 + 1.5 * summer * crops) * np.ones((steps, count)) + 0.3 * memory(generator, (steps, count), 60)
    }
    for name in LAYERS:
        error[name] = 0.02 + 0.02 * memory(generator, (steps, count), 25)
    open_loop = {name: values + error.get(name, 0.0) for name, values in truth.items()}
    write_states(directory / "open_loop.nc", time, open_loop, cells)
    if twin:
        write_states(directory / "truth.nc", time, truth, cells)

    def at_ends(values):
        return values[is_window_end]

    shape = (len(ends), count)
    noise = 0.33
    observed = backscatter(at_ends(truth["WG2"]), at_ends(truth["LAI"])) + noise * generator.standard_normal(shape)
    observed[generator.random(shape) < 0.2] = np.nan
    leaves_observed = at_ends(truth["LAI"]) * (1 + 0.1 * generator.standard_normal(shape))
    leaves_observed[np.arange(len(ends)) % 10 != 4] = np.nan
    moisture_observed = at_ends(truth["WG2"]) + 0.03 * generator.standard_normal(shape)

    remaining = {"EKF": {"LAI": 0.4, "WG": 0.7}, "EKF_SWI_LAI": {"LAI": 0.7, "WG": 0.85}}
    data: dict[str, list[np.ndarray]] = {}

    def store(name, values):
        data.setdefault(name, []).append(values)

    for experiment in EXPERIMENTS:
        share = remaining[experiment]
        analysis, forecast = {}, {}
        for name in ["LAI", *LAYERS, "TG2"]:
            left = at_ends(error.get(name, np.zeros_like(wet)))
            kept = share.get(name[:2], share.get(name, 1.0))
            analysis[name] = at_ends(truth[name]) + kept * left
            forecast[name] = at_ends(truth[name]) + (kept + 0.08) * left
            store(name, analysis[name])
            if name != "TG2":
                store(f"{name}_forecast", forecast[name])
            if name in CONTROL:
                store(f"{name}_increment", analysis[name] - forecast[name])
        radar = experiment == "EKF"
        nothing, chi_square = np.full(shape, np.nan), np.zeros(shape)
        equivalents = {
            "sigma0": (observed, *(backscatter(s["WG2"], s["LAI"]) for s in (forecast, analysis)), radar),
            "SSM": (moisture_observed, forecast["WG2"], analysis["WG2"], not radar),
            "LAI": (leaves_observed, forecast["LAI"], analysis["LAI"], not radar),
        }
        for quantity, (values, before, after, used) in equivalents.items():
            store(f"{quantity}_observed", values if used else nothing)
            store(f"{quantity}_model_forecast", before if used or quantity == "sigma0" else nothing)
            store(f"{quantity}_model_analysis", after if used or quantity == "sigma0" else nothing)
            store(f"{quantity}_departure", values - before if used else nothing)
            flag = np.where(np.isfinite(values), 0.0, 1.0)
            flag[:2] = np.where(np.isfinite(values[:2]), 4.0, 1.0)
            flag[10] = np.where(np.isfinite(values[10]), 6.0, 1.0)
            store(f"{quantity}_rejected", flag if used else nothing)
            for name in CONTROL:
                layer = LAYERS.index(name) if name in LAYERS else 0
                slope = 0.3 if name == "LAI" else 12.0 * np.exp(-layer)
                cycle = 1 + 0.4 * at_ends(season) + 0.2 * generator.standard_normal(shape)
                store(f"jacobian_{quantity}_{name}", slope * cycle if used else nothing)
                if current:
                    kept = np.isfinite(values) & (flag == 0) & used
                    store(f"gain_{quantity}_{name}", np.where(kept, 0.02 * slope * cycle, np.nan))
            if current:
                kept = np.isfinite(values) & (flag == 0) & used
                deviation = {"sigma0": 0.33, "SSM": 0.03, "LAI": 0.3}[quantity]
                store(f"{quantity}_observation_deviation", np.where(kept, deviation, np.nan))
                store(f"{quantity}_expected_deviation", np.where(kept, 1.5 * deviation, np.nan))
                store(f"{quantity}_signal", np.where(kept, 1 - 1 / 1.5**2, np.nan))
                square = np.where(kept, ((values - before) / (1.5 * deviation)) ** 2, 0.0)
                chi_square = chi_square + square
                if quantity == "LAI":
                    store("chi_square", np.where(chi_square > 0, chi_square, np.nan))
    analysis_file = xr.Dataset(
        {name: (("experiment", "time", "cell"), np.stack(values).astype("float32")) for name, values in data.items()}
    )
    units = {"sigma0": "dB", "SSM": "m3 m-3", "LAI": "m2 m-2"}
    for quantity, unit in units.items():
        for name in ("observed", "model_forecast", "model_analysis", "departure"):
            analysis_file[f"{quantity}_{name}"].attrs["units"] = unit
        analysis_file[f"{quantity}_rejected"].attrs = {
            "flag_values": np.array([0, 1, 4, 6], dtype="int8"),
            "flag_meanings": "assimilated missing frozen departure",
        }
    states = {
        "sigma0": backscatter(open_loop["WG2"], open_loop["LAI"]),
        "SSM": open_loop["WG2"],
        "LAI": open_loop["LAI"],
    }
    for quantity, values in states.items():
        analysis_file[f"{quantity}_open_loop"] = (("time", "cell"), at_ends(values).astype("float32"))
    if current:
        fates = ["read", "bad_flag", "outside_period", "matched"]
        matched = {
            name: int(np.isfinite(values).sum())
            for name, values in (("radar", observed), ("SWI", moisture_observed), ("LAI", leaves_observed))
        }
        counts = [[-1 if (name == "radar") != radar else number for name, number in matched.items()]
                  for radar in (True, False)]  # fmt: skip
        numbers = np.array([[[n + 12, 5, 7, n] if n >= 0 else [np.nan] * 4 for n in row] for row in counts])
        analysis_file["observation_count"] = (("experiment", "observation", "fate"), numbers)
        analysis_file = analysis_file.assign_coords(
            observation=list(matched), fate=fates, observation_quantity=("observation", ["sigma0", "SSM", "LAI"])
        )
    analysis_file.assign_coords(
        experiment=EXPERIMENTS, time=ends, latitude=("cell", cells.latitude), longitude=("cell", cells.longitude)
    ).to_netcdf(directory / "analysis.nc")

    offsets = np.array([-60, 0, 60], dtype="timedelta64[m]")
    stations = np.array(cells.stations or [0])
    truth_at_ends = at_ends(truth["WG2"])[:, stations]
    values = truth_at_ends[:, :, None] + 0.02 * generator.standard_normal((len(ends), len(stations), 3))
    sample_time = np.broadcast_to((ends[:, None] + offsets)[:, None, :], values.shape).ravel()
    sample_cell = np.broadcast_to(stations[None, :, None], values.shape).ravel()
    in_situ = Observations("SSM", "m3 m-3", sample_time, sample_cell, values.ravel(), np.full(values.size, 0.02),
                           {"read": values.size + 3, "kept": values.size, "bad_flag": 3})  # fmt: skip
    satellite = Observations(
        "SSM", "m3 m-3", np.repeat(ends + np.timedelta64(90, "m"), count), np.tile(np.arange(count), len(ends)),
        moisture_observed.ravel(), np.full(moisture_observed.size, 0.03),
        {"read": moisture_observed.size, "kept": moisture_observed.size},
    )  # fmt: skip
    perfect = backscatter(at_ends(truth["WG2"]), at_ends(truth["LAI"]))
    predictions = {
        "network": perfect + 0.1 * generator.standard_normal(shape),
        "linear": perfect + 0.3 * generator.standard_normal(shape),
        "climatology": np.broadcast_to(np.nanmean(perfect, axis=0), shape) + 0.3 * at_ends(season),
    }
    return SyntheticRun(directory, cells, ends.astype("datetime64[s]"), satellite, in_situ, observed, predictions)


JOINT = {"SSM": ("SSM",), "LAI": ("LAI",), "SSM_LAI": ("SSM", "LAI")}
REMAINING = {"SSM": (0.8, 0.95), "LAI": (0.97, 0.7), "SSM_LAI": (0.7, 0.5)}  # of the error of WG2, and of WG5 and LAI


def build_joint_run(directory: Path, cells: Cells, years: int = 3, seed: int = 0) -> SyntheticRun:
    """Windows that end at 18 UTC, irrigation in the truth only, experiments with soil moisture, LAI and both."""
    directory.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    time = np.arange(np.datetime64("2017-01-01T18"), np.datetime64(f"{2017 + years}-01-01T00"), np.timedelta64(24, "h"))
    time, shape = time.astype("datetime64[ns]"), (len(time), cells.count)
    day = (time - time[0]) / np.timedelta64(1, "D")
    season = np.sin((day - 100) * 2 * np.pi / 365.25)[:, None]
    summer = np.maximum(season, 0.0)
    dry = np.array([0.0, 0.03, -0.04])[(time.astype("datetime64[Y]").astype(int) - 47) % 3][:, None]
    water = np.where(cells.with_land_use("flooded", "sprinkled"), 0.08, 0.0) * summer * (1.0 - 8.0 * dry)
    weather = memory(generator, (len(time), 1), 10)
    truth = {"LAI": 2.0 + 1.3 * season + np.zeros(shape)}
    for layer, name in enumerate(LAYERS):
        own = 0.3 * memory(generator, shape, 8 * (layer + 1))
        truth[name] = 0.22 - 0.05 * season + dry + (0.045 - 0.004 * layer) * (weather + own) + water
    error = {name: 0.02 * memory(generator, shape, 25) - water for name in LAYERS}
    error["LAI"] = 0.5 * summer + 0.3 * memory(generator, shape, 60) - 4.0 * water
    truth["TG2"], error["TG2"] = 285.0 + 9.0 * season + np.zeros(shape), np.zeros(shape)
    write_states(directory / "open_loop.nc", time, {name: truth[name] + error[name] for name in truth}, cells)
    write_states(directory / "truth.nc", time, truth, cells)
    blind = np.where(cells.with_land_use("karst"), 0.0, 0.6)
    retrieved = 0.15 + blind * (truth["WG2"] - 0.2) + 0.02 * generator.standard_normal(shape)
    retrieved[np.arange(len(time)) % 6 != 2] = np.nan
    rescaled = (retrieved - 0.15) / 0.6 + 0.2
    leaves = truth["LAI"] + 0.2 * generator.standard_normal(shape)
    leaves[np.arange(len(time)) % 10 != 4] = np.nan
    data = {}
    for name, used in JOINT.items():
        for variable in ("LAI", *LAYERS, "TG2"):
            kept = REMAINING[name][0 if variable in ("WG1", "WG2") else 1]
            data.setdefault(variable, []).append(truth[variable] + kept * error[variable])
        for quantity, values in (("SSM", rescaled), ("LAI", leaves)):
            given = values if quantity in used else np.full(shape, np.nan)
            data.setdefault(f"{quantity}_observed", []).append(given)
            data.setdefault(f"{quantity}_departure", []).append(0.1 * given)
    analysis = xr.Dataset(
        {name: (("experiment", "time", "cell"), np.stack(values).astype("float32")) for name, values in data.items()}
    )
    coordinates = {"latitude": ("cell", cells.latitude), "longitude": ("cell", cells.longitude)}
    analysis.assign_coords(experiment=list(JOINT), time=time, **coordinates).to_netcdf(directory / "analysis.nc")
    satellite = _samples("SSM", time, retrieved, np.arange(cells.count))
    stations = np.array(cells.stations)
    noise = 0.02 * generator.standard_normal((2, len(time), len(stations)))
    probes = [0.8 * truth[name][:, stations] + noise[row] for row, name in enumerate(("WG2", "WG5"))]
    in_situ, root_zone = (_samples("SSM", time, values, stations) for values in probes)
    return SyntheticRun(directory, cells, time.astype("datetime64[s]"), satellite, in_situ, retrieved, {}, root_zone)


def _samples(quantity: str, time: np.ndarray, values: np.ndarray, cells: np.ndarray) -> Observations:
    row, column = np.nonzero(np.isfinite(values))
    error, counts = np.full(len(row), 0.02), {"read": len(row), "kept": len(row)}
    return Observations(quantity, "m3 m-3", time[row], cells[column], values[row, column], error, counts)
