"""Stored SURFEX runs: a tiny one written here from the model itself, and segments of the real ones."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import torch

from dalearn.assimilation.finite import NonFiniteError
from dalearn.errors import InputError
from dalearn.experiments.parity import DTYPES, compare_cases, run_parity
from dalearn.experiments.parity_run import Comparison
from dalearn.experiments.parity_series import SeriesRecorder
from dalearn.experiments.parity_table import parity_table, run_folder
from dalearn.experiments.reference_batch import batch_cases, batch_key
from dalearn.experiments.reference_case import ReferenceCase, read_reference_case
from dalearn.experiments.reference_names import COMPARED_NAMES, STATE_NAMES, as_in_file, columns_of, state_columns
from dalearn.experiments.reference_snow import snow_from_file, snow_to_file
from dalearn.forcing.air import air_density
from dalearn.forcing.solar import cosine_zenith, limited_cosine
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.parameters import build_parameters
from dalearn.land.photosynthesis import with_reference_assimilation
from dalearn.land.state import Fluxes, Forcing, LandState
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.land.window import FORCING_FIELDS

START = "2015-06-01 20:00:00"
HOURS, STEP = 6, 1800.0
SITE = {"lat": 43.5, "lon": 1.3, "zs": 100.0, "clay": 0.3, "sand": 0.35, "zref": 2.0, "uref": 10.0}
MODEL = "SURFEX v8.1 ISBA DIF NIT NPATCH=12 snow 3-L (12 layers) CH78 CRUNOFF=WSAT XTSTEP_SURF=1800 s"
TYPES, PATCHES, SHARE = ("NO", "C3"), (1, 7), (0.25, 0.75)
NO_SNOW = {"WSN": 0.0, "RSN": np.nan, "HSN": np.nan, "SAG": np.nan, "ASN_VEG": np.nan}


def records() -> dict[str, np.ndarray]:
    """Hourly forcing, (record,) float32: an evening with a shower."""
    hour = np.arange(HOURS + 1)
    return {
        name: values.astype(np.float32)
        for name, values in {
            "Tair": 290.0 - 0.7 * hour,
            "Qair": 0.008 + 1e-4 * hour,
            "PSurf": np.full(HOURS + 1, 9.9e4),
            "DIR_SWdown": np.maximum(60.0 - 40.0 * hour, 0.0),
            "SCA_SWdown": np.maximum(90.0 - 40.0 * hour, 0.0),
            "LWdown": 330.0 + hour,
            "Rainf": np.where(hour == 3, 5e-4, 0.0),
            "Snowf": np.zeros(HOURS + 1),
            "Wind": 2.0 + 0.2 * hour,
            "CO2air": np.full(HOURS + 1, 7.2e-4),
        }.items()
    }


def forcing_of_step(step: int) -> Forcing:
    """By hand: half-way values in the second half of the hour, rain from the closing record."""
    hour, half = divmod(step, 2)
    stored = {name: values.astype(np.float64) for name, values in records().items()}
    now = {name: values[hour] + 0.5 * half * (values[hour + 1] - values[hour]) for name, values in stored.items()}
    time = np.datetime64(START.replace(" ", "T"), "s") + np.timedelta64(int(step * STEP), "s")
    sun = np.array([[now["DIR_SWdown"] + now["SCA_SWdown"]]])
    cosine = limited_cosine(cosine_zenith(np.array([time]), np.array([SITE["lat"]]), np.array([SITE["lon"]])), sun)
    values = {
        "air_temperature": now["Tair"],
        "specific_humidity": now["Qair"],
        "surface_pressure": now["PSurf"],
        "wind_speed": now["Wind"],
        "shortwave_down": sun.item(),
        "longwave_down": now["LWdown"],
        "rainfall": stored["Rainf"][hour + 1],
        "snowfall": stored["Snowf"][hour + 1],
        "co2_concentration": now["CO2air"],
        "cosine_zenith": cosine.item(),
    }
    return Forcing(**{name: torch.full((2,), float(value), dtype=torch.float64) for name, value in values.items()})


@torch.no_grad()
def run_model() -> tuple[LandModel, LandState, list[tuple[LandState, Fluxes]]]:
    """The model of the tiny case, its initial state, and state and fluxes after every hour."""
    fractions = np.zeros((1, len(VEGETATION_TYPES)))
    fractions[0, [VEGETATION_TYPES.index(kind) for kind in TYPES]] = SHARE
    site = (np.array([SITE[name]]) for name in ("clay", "sand", "lat", "lon"))
    _, parameters = build_parameters(fractions, *site)
    first = {name: float(values[0]) for name, values in records().items()}
    density = air_density(*(np.array(first[name]) for name in ("Tair", "Qair", "PSurf")), np.array(2.0))
    ratio = torch.full((2,), float(first["CO2air"] / density), dtype=torch.float64)
    model = LandModel(with_reference_assimilation(parameters, ratio), LandOptions(snow_layers=12), compiled=False)
    temperature = torch.tensor([288.0, 289.0], dtype=torch.float64)
    initial = state = model.initial_state(temperature=temperature, leaf_area_index=2.0)
    rows = []
    for step in range(2 * HOURS):
        state, fluxes = model.step(state, forcing_of_step(step), step == 8)  # midnight
        if step % 2:
            rows.append((state, fluxes))
    return model, initial, rows


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny case: two patches, six hours, hourly forcing and output, two model steps per hour."""
    path = tmp_path_factory.mktemp("parity") / "tiny.nc"
    model, initial, rows = run_model()
    states = list(state_columns(initial))
    names = [name for name in COMPARED_NAMES if name in states or name not in STATE_NAMES]
    series = [{k: v.numpy() for k, v in columns_of(names, *row).items()} for row in rows]
    stacked = as_in_file({name: np.stack([row[name] for row in series]) for name in names}, model.parameters)
    start = as_in_file({k: v.numpy() for k, v in state_columns(initial).items()}, model.parameters)
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts({**SITE, "model": MODEL, "start": START, "forcing_step_s": 3600.0, "output_step_s": 3600.0})
        sizes = {"forcing_time": HOURS + 1, "time": HOURS, "layer": 14, "snow_layer": 12, "patch": 2}
        for name, size in sizes.items():
            file.createDimension(name, size)

        def write(name: str, dimensions: tuple[str, ...], values: Any, dtype: Any = "f8") -> None:
            file.createVariable(name, dtype, dimensions)[:] = values

        for name, values in records().items():
            write(name, ("forcing_time",), values, "f4")
        layered = {"WG": "layer", "WGI": "layer", "TG": "layer"} | dict.fromkeys(
            ("WSN", "RSN", "HSN", "SAG"), "snow_layer"
        )
        for name in dict.fromkeys((*states, *NO_SNOW)):
            space = (*([layered[name]] if name in layered else []), "patch")
            write(f"init_{name}", space, start.get(name, NO_SNOW.get(name)))
            write(name, ("time", *space), stacked.get(name, NO_SNOW.get(name)), "f4")
        for name in set(names) - set(states) - {"CD_ISBA", "CH_ISBA"}:
            write(name, ("time", "patch"), stacked[name], "f4")
        for name in ("CD_ISBA", "CH_ISBA"):
            write(name, ("time",), stacked[name] @ np.array(SHARE), "f4")
        write("patch", ("patch",), PATCHES, "i8")
        write("par_PATCH", ("patch",), SHARE)
        write("par_DROOT_DIF", ("patch",), [np.nan, 1.5])
        write("par_DG2_DIF", ("patch",), [1.0, 1.5])
        write("par_Z0VEG", ("patch",), [0.013, 0.04])
        write("par_WSAT", ("layer",), model.parameters.soil.porosity[:, 1].numpy())
        file.createVariable("vegtype", str, ("patch",))[:] = np.array(TYPES, dtype=object)
    return path


@pytest.fixture
def tiny(written: Path, tmp_path: Path) -> Path:
    """A copy to be changed."""
    path = tmp_path / "tiny.nc"
    path.write_bytes(written.read_bytes())
    return path


def change(path: Path, name: str, index: Any, value: Any) -> None:
    with netCDF4.Dataset(path, "a") as file:
        file.set_auto_mask(False)
        file[name][index] = value


def set_attribute(path: Path, name: str, value: Any) -> None:
    with netCDF4.Dataset(path, "a") as file:
        file.setncattr(name, value)


def check(path: Path, **options: Any) -> dict[str, Any]:
    return run_parity(path, **{"compiled": False, "progress": False, **options})


def test_a_run_of_the_model_itself_is_reproduced(written: Path) -> None:
    """Forcing between the records, rain of the next one, midnight, and fluxes of the last step of an hour."""
    result = check(written)
    assert list(result) == ["case", "dtype", "variables", "water_budget_residual"]
    assert (result["case"], result["dtype"]) == ("tiny", "float64")
    variables = result["variables"]
    assert set(variables) >= {"WG", "TG", "LAI", "BIOMA1", "RN", "H", "LE", "DRAIN", "GPP", "R_ECO", "TS", "CD_ISBA"}
    for name, values in variables.items():
        assert set(values) == {"rmse", "bias", "max_abs", "r", "n", "reference_max"}
        if values["n"]:
            assert values["max_abs"] <= 6.1e-8 * values["reference_max"], name
    assert variables["LAI"]["n"] == HOURS, "bare soil has none"
    assert variables["WG"]["n"] == HOURS * (8 + 9), "water in 8 and 9 layers"
    assert variables["TG"]["n"] == HOURS * 2 * 14
    assert variables["RUNOFF"]["r"] is None, "constant"
    assert variables["LE"]["r"] == pytest.approx(1.0)
    assert 0.0 < result["water_budget_residual"] < 1e-9
    json.dumps(result, allow_nan=False)


def test_every_output_step_counts(tiny: Path) -> None:
    with netCDF4.Dataset(tiny) as file:
        stored = file["WG"][3, 4, 1]
    change(tiny, "WG", (3, 4, 1), stored + 0.01)
    values = check(tiny)["variables"]["WG"]
    assert values["max_abs"] == pytest.approx(0.01, rel=1e-4)
    assert values["bias"] == pytest.approx(-0.01 / values["n"], rel=1e-3)
    assert values["rmse"] == pytest.approx(0.01 / np.sqrt(values["n"]), rel=1e-3)
    assert check(tiny, limit=3)["variables"]["WG"]["max_abs"] < 1e-7, "the changed hour is the fourth"


def test_defined_on_one_side_only(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    change(tiny, "WG", (2, 5, 1), np.nan)
    message = (
        r"tiny\.nc: WG is defined on one side only at 2015-06-01T23:00 UTC, layer 6, patch 7: model 0\.\d+, .* nan"
    )
    with pytest.raises(InputError, match=message):
        check(tiny)
    complete = HOURS * (8 + 9)
    assert check(tiny, dtype="float32")["variables"]["WG"]["n"] == complete - 1
    assert "WG left out where it is defined on one side only, 1 values" in caplog.text


def test_float32_drifts_little(written: Path) -> None:
    case = read_reference_case(written)
    results = [compare_cases([case], dtype=dtype, compiled=False, progress=False)[0] for dtype in DTYPES]
    double, single = (result["variables"] for result in results)
    budget = [result["water_budget_drift"] for result in results]
    assert budget[0] < 1e-12
    assert 0.0 < budget[1] < 1e-4
    assert 1e-6 < single["TG"]["max_abs"] < 1e-3
    assert single["TG"]["rmse"] > double["TG"]["rmse"]
    with pytest.raises(InputError, match="dtype 'float16' is not known, choose one of float64, float32"):
        check(written, dtype="float16")


def test_a_number_that_is_not_finite_stops_the_run(written: Path) -> None:
    case = read_reference_case(written)
    columns = {name: np.zeros((2, 14, 2) if name in ("WG", "WGI", "TG") else (2, 2)) for name in case.compared}
    columns |= {name: np.zeros((2, 12, 2)) for name in ("WSN", "RSN", "HSN") if name in case.compared}
    columns["LE"][1, 1] = np.inf
    with pytest.raises(NonFiniteError, match=r"LE of the model is inf at 2015-06-01T22:00 UTC, patch 7"):
        Comparison(case, strict=False).add(0, columns)


def test_cases_run_side_by_side_as_they_do_alone(written: Path, tiny: Path) -> None:
    set_attribute(tiny, "clay", 0.15)
    set_attribute(tiny, "lat", 50.0)
    cases = [read_reference_case(path) for path in (written, tiny)]
    together = compare_cases(cases, compiled=False, progress=False)
    for result, path in zip(together, (written, tiny), strict=True):
        for name, values in check(path)["variables"].items():
            other = result["variables"][name]
            assert other["n"] == values["n"]
            for statistic in ("rmse", "max_abs") if values["n"] else ():
                assert other[statistic] == pytest.approx(values[statistic], rel=1e-6, abs=1e-10), name
    other = dataclasses.replace(cases[0], start=cases[0].start + np.timedelta64(3600, "s"))
    assert batch_key(other) != batch_key(cases[0])
    with pytest.raises(ValueError, match="same options"):
        batch_cases([cases[0], other])


def test_a_stored_row_is_a_state_to_start_from(written: Path) -> None:
    (result,) = compare_cases([read_reference_case(written)], compiled=False, progress=False, first=3, limit=2)
    assert result["variables"]["TG"]["n"] == 2 * 2 * 14
    assert result["variables"]["TG"]["max_abs"] < 1e-4


def test_wind_turns_between_the_records(tiny: Path) -> None:
    """Components are interpolated where the direction is known: a turning wind is weaker half-way."""
    with netCDF4.Dataset(tiny, "a") as file:
        file.createVariable("Wind_DIR", "f4", ("forcing_time",))[:] = 90.0 * np.arange(HOURS + 1)
    speed = read_reference_case(tiny).window(0, 1).values[:, FORCING_FIELDS.index("wind_speed"), 0]
    assert speed.tolist() == pytest.approx([2.0, np.hypot(1.0, 1.1)], rel=1e-6)


def test_parameters_of_the_file_are_checked(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_reference_case(tiny)
    assert caplog.text == ""
    change(tiny, "par_WSAT", 2, 0.5)
    read_reference_case(tiny)
    assert "par_WSAT differs from that of the model by up to 0.0" in caplog.text


def test_snow_of_the_files_and_of_the_model() -> None:
    """Heat per volume in the files and per area in the model; nothing where there is no snow."""
    stored = {
        "WSN": np.array([[10.0, 0.0], [5.0, 0.0]]),
        "RSN": np.array([[100.0, np.nan], [250.0, np.nan]]),
        "HSN": np.array([[-4.0e7, np.nan], [-9.0e7, np.nan]]),
        "SAG": np.array([[1.0, np.nan], [2.0, np.nan]]),
        "ASN_VEG": np.array([0.8, np.nan]),
        "LAI": np.array([1.0, 2.0]),
    }
    model = snow_from_file(stored)
    assert all(np.isfinite(values).all() for values in model.values())
    np.testing.assert_allclose(model["HSN"], [[-4.0e6, 0.0], [-1.8e6, 0.0]])
    np.testing.assert_array_equal(model["RSN"][:, 1], 50.0)
    for name, values in snow_to_file(model).items():
        np.testing.assert_allclose(values, stored[name], err_msg=name)
    assert snow_from_file({"LAI": stored["LAI"]}).keys() == snow_to_file({"LAI": stored["LAI"]}).keys() == {"LAI"}


def remove(path: Path, name: str) -> None:
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable(name, f"not_{name}")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: remove(path, "Qair"), r"tiny\.nc: variable Qair is missing"),
        (lambda path: remove(path, "init_TG"), r"tiny\.nc: variable init_TG is missing"),
        (lambda path: change(path, "Wind", 3, np.nan), r"tiny\.nc: forcing Wind is undefined at record 3"),
        (lambda path: change(path, "vegtype", 1, "CORN"), r"vegtype 'CORN' is not known; the known ones are NO, ROCK"),
        (lambda path: change(path, "vegtype", 1, "GRAS"), r"patch is \[1, 7\] with vegtype \['NO', 'GRAS'\]"),
        (lambda path: change(path, "par_PATCH", 0, 0.5), r"tiny\.nc: fraction: those of cell 0 sum to 1\.25"),
        (lambda path: set_attribute(path, "start", "first of June"), r'tiny\.nc: attribute start is "first of June"'),
        (lambda path: set_attribute(path, "output_step_s", 2700.0), r"output_step_s is 2700, not a multiple"),
        (lambda path: set_attribute(path, "output_step_s", 7200.0), r"the forcing ends at .* before the stored series"),
        (lambda path: set_attribute(path, "model", "NIT XTSTEP_SURF=2400 s"), r"not a multiple of the model step"),
        (lambda path: set_attribute(path, "model", "CCPSURF=HUM"), r"option CCPSURF=HUM is not modelled"),
        (lambda path: set_attribute(path, "clay", 40.0), r"tiny\.nc: clay: cell 0 has 40; give 0\.\.1"),
    ],
)
def test_bad_cases_say_what_is_wrong(tiny: Path, damage: Any, message: str) -> None:
    damage(tiny)
    with pytest.raises(InputError, match=message):
        check(tiny)


def test_other_files_are_not_cases(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.nc: cannot be read"):
        check(tmp_path / "absent.nc")
    path = tmp_path / "text.nc"
    path.write_text("no netCDF")
    with pytest.raises(InputError, match="not a netCDF file"):
        check(path)
    with netCDF4.Dataset(path, "w") as file:
        file.title = "something else"
    with pytest.raises(InputError, match=r"text\.nc: global attribute lat is missing; give a stored SURFEX"):
        check(path)


def test_figures_show_both_series(written: Path, tmp_path: Path) -> None:
    case = dataclasses.replace(read_reference_case(written), compared=("WG", "LAI", "CD_ISBA"))
    recorder = SeriesRecorder(case)
    compare_cases([case], compiled=False, progress=False, recorders=[recorder])
    bare, crop = (recorder.panels(column) for column in (0, 1))
    assert [panel.name for panel in bare] == ["WG", "CD_ISBA"], "bare soil has no LAI"
    moisture, leaves, drag = crop
    assert moisture.labels == ["layer 1", "layer 2", "layer 4", "layer 8"]
    assert moisture.model.shape == moisture.reference.shape == (HOURS, 4)
    np.testing.assert_allclose(moisture.model, moisture.reference, atol=2e-8)
    assert (leaves.labels, drag.labels) == ([""], [""])
    paths = recorder.draw(tmp_path)
    assert [path.name for path in paths] == ["parity_tiny_patch1.png", "parity_tiny_patch7.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_the_table_of_a_folder(tiny: Path) -> None:
    second = tiny.with_name("second.nc")
    second.write_bytes(tiny.read_bytes())
    change(second, "TG", (1, 0, 0), 300.0)
    broken = tiny.with_name("broken.nc")
    broken.write_bytes(tiny.read_bytes())
    set_attribute(broken, "model", "CCPSURF=HUM")
    results, refused = run_folder(tiny.parent, compiled=False, progress=False)
    assert [result["case"] for result in results] == ["second", "tiny"]
    lines = parity_table(results, refused).splitlines()
    assert lines[0] == "| variable | units | asked for | second | tiny |"
    (temperature,) = [line for line in lines if line.startswith("| TG |")]
    assert temperature.startswith("| TG | K | 1e-03 | **1")
    assert "**" not in temperature.split("|")[-2]
    (production,) = [line for line in lines if line.startswith("| GPP |")]
    assert "1e-05 of max" in production
    assert "**" not in production
    assert any(line.startswith("| water budget of a step |") for line in lines)
    assert lines[-1].startswith("broken was not run: option CCPSURF=HUM is not modelled")
    assert "asked for" not in parity_table(results, refused, "rmse")
    with pytest.raises(InputError, match=r"no \*\.nc file"):
        run_folder(tiny.parent / "nowhere")


YEAR = ("bare_hapex", "broadleaf_hapex", "c3_hapex", "grass_hapex", "mixed_hapex", "conifer_eses1999")
SEGMENTS = [
    ((*YEAR, "grass_itamp2003"), 0, 50),  # over the first midnight; snow at the start in one of them
    (YEAR[:-1], 2070, 25),  # frost and a thin first snow
    (YEAR, 120 * 48 - 3, 20),  # growth
    (("grass_hapex", "grass_itamp2003"), 205 * 48, 20),  # drought
    (("grass_alps2400",), 88, 12),  # hourly forcing and output; snow in summer
    (("option_alps_snow3layers",), 88, 12),
    (("option_c3_trml",), 140 * 48, 20),
    (("option_broadleaf_ncb",), 0, 50),
    (("option_grass_dt92",), 120 * 48, 20),
]
LIMITS = {
    "WG": 1e-6, "WGI": 1e-6, "TG": 1e-3, "LAI": 1e-5, "LE": 1e-2, "H": 1e-2, "RN": 1e-2, "WR": 1e-5, "BIOMA1": 1e-6,
    "BIOMA2": 1e-6, "BIOMA3": 1e-6, "ANDAY": 1e-7, "CD_ISBA": 1e-6, "CH_ISBA": 1e-6, "EVAP": 4e-9, "DRAIN": 1e-9,
    "RUNOFF": 1e-8, "TALB": 1e-6, "WSN": 1e-3, "RSN": 1e-2,
}  # fmt: skip


@pytest.mark.parametrize(("names", "first", "count"), SEGMENTS)
def test_segments_of_the_stored_years(shared: Path, names: tuple[str, ...], first: int, count: int) -> None:
    """From the initial state, or from a stored row, whose rounding to float32 is part of the error."""
    cases = [read_reference_case(shared / "reference" / "surfex" / f"{name}.nc") for name in names]
    for result in compare_cases(cases, compiled=False, progress=False, first=first, limit=count):
        for variable, limit in LIMITS.items():
            values = result["variables"][variable]
            assert (values["max_abs"] or 0.0) < limit, (result["case"], variable)
        production = result["variables"]["GPP"]
        assert production["max_abs"] <= 1e-5 * production["reference_max"], result["case"]
        assert result["water_budget_residual"] < 1e-9, result["case"]
        assert result["variables"]["TG"]["n"] > 0


def test_parameters_of_the_stored_years(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Layers, roots, hydraulic and vegetation parameters that SURFEX derived are those of the model's tables."""
    for path in sorted((shared / "reference" / "surfex").glob("*hapex.nc")):
        case = read_reference_case(path)
        assert isinstance(case, ReferenceCase)
        assert case.row_count == 17520
    assert "differs" not in caplog.text
