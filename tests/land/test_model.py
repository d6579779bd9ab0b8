"""The whole step: budgets, batching, gradients, and the stored SURFEX years (isba_physics.md 8.2, 11.16, 11.17)."""

import dataclasses
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import torch

from dalearn.errors import InputError
from dalearn.forcing.solar import cosine_zenith, limited_cosine
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.parameters import build_parameters
from dalearn.land.photosynthesis import with_reference_assimilation
from dalearn.land.state import Forcing, LandParameters, LandState, RootsAndWood
from dalearn.land.step_start import air_of
from dalearn.land.topmodel import TopographicIndex
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.tree import map_tensors, named_tensors, select_columns, to

DTYPE = torch.float64
SURFEX_NAMES = {
    "soil_temperature": "TG",
    "soil_moisture": "WG",
    "soil_ice": "WGI",
    "intercepted_water": "WR",
    "aerodynamic_resistance": "RESA",
    "latent_heat_flux": "LE_AGS",
    "leaf_area_index": "LAI",
    "leaf_biomass": "BIOMA1",
    "active_structural_biomass": "BIOMA2",
    "passive_structural_biomass": "BIOMA3",
    "daily_assimilation": "ANDAY",
    "maximum_leaf_assimilation": "ANFM",
    "active_structural_respiration": "RESPI2",
    "passive_structural_respiration": "RESPI3",
}
ROOT_NAMES = {
    "root_biomass": "BIOMA4",
    "wood_biomass": "BIOMA5",
    "root_wood_biomass": "BIOMA6",
    "root_respiration": "RESPI4",
}


def all_types() -> LandParameters:
    """One column for each of the 19 vegetation types."""
    cells = len(VEGETATION_TYPES)
    clay, sand = np.linspace(0.05, 0.6, cells), np.linspace(0.9, 0.2, cells)
    _, parameters = build_parameters(np.eye(cells), clay, sand, np.full(cells, 44.0), np.zeros(cells))
    return parameters


def weather(columns: int, **changes: float) -> Forcing:
    values = {
        "air_temperature": 288.0,
        "specific_humidity": 0.007,
        "surface_pressure": 9.9e4,
        "wind_speed": 3.0,
        "shortwave_down": 450.0,
        "longwave_down": 320.0,
        "rainfall": 1e-4,
        "snowfall": 0.0,
        "co2_concentration": 7.5e-4,
        "cosine_zenith": 0.6,
    } | changes
    return Forcing(**{name: torch.full((columns,), value, dtype=DTYPE) for name, value in values.items()})


NIGHT = {"shortwave_down": 0.0, "cosine_zenith": 0.0, "air_temperature": 280.0}
FROST = {**NIGHT, "air_temperature": 262.0, "specific_humidity": 0.001, "longwave_down": 220.0, "rainfall": 0.0}
HEAT = {"air_temperature": 310.0, "shortwave_down": 950.0, "specific_humidity": 0.006, "rainfall": 0.0}
STORM = {"rainfall": 1.5e-2, "wind_speed": 20.0, "shortwave_down": 50.0}
CALM_FOG = {**NIGHT, "wind_speed": 0.0, "air_temperature": 284.0, "specific_humidity": 0.0085}
WEATHER = {"day": {}, "night": NIGHT, "frost": FROST, "heat": HEAT, "storm": STORM, "calm fog": CALM_FOG}


def water(state: LandState, parameters: LandParameters) -> torch.Tensor:
    soil = parameters.soil
    layers = (state.soil_moisture + state.soil_ice) * soil.layer_thickness * soil.holds_water
    snow = 0.0 if state.snow is None else state.snow.water_equivalent.sum(dim=0)
    return 1000.0 * layers.sum(dim=0) + state.intercepted_water + snow


@pytest.mark.parametrize("name", WEATHER)
@pytest.mark.parametrize("runoff", ["WSAT", "DT92"])
def test_water_budget_closes_at_every_step(name: str, runoff: str) -> None:
    parameters = all_types()
    model = LandModel(parameters, LandOptions(runoff=runoff), compiled=False)
    temperature = torch.full((19,), 275.0 if name == "frost" else 286.0, dtype=DTYPE)
    state = model.initial_state(temperature=temperature, soil_wetness=0.8, leaf_area_index=2.5)
    forcing = weather(19, **WEATHER[name])
    for step in range(30):
        new, fluxes = model.step(state, forcing, step == 10)
        gained = (water(new, parameters) - water(state, parameters)) / model.options.time_step
        lost = fluxes.evaporation + fluxes.drainage + fluxes.surface_runoff
        torch.testing.assert_close(gained, forcing.rainfall - lost, rtol=0.0, atol=2e-12)
        state = new
    for field, values in named_tensors(state):
        assert values.isfinite().all(), field


@pytest.mark.parametrize("name", ["day", "frost", "storm"])
@pytest.mark.parametrize("runoff", ["WSAT", "DT92", "SGH"])
def test_water_budget_closes_with_uneven_rain_horton_runoff_and_topography(name: str, runoff: str) -> None:
    cells = len(VEGETATION_TYPES)
    shares = 0.7 * np.eye(cells) + 0.3 * np.roll(np.eye(cells), 1, axis=1)
    clay, sand, latitude = np.linspace(0.05, 0.6, cells), np.linspace(0.9, 0.2, cells), np.full(cells, 44.0)
    index = {"minimum": 4.0, "maximum": 14.0, "mean": 7.2, "deviation": 1.6, "skewness": 1.1}
    _, parameters = build_parameters(
        shares, clay, sand, latitude, np.zeros(cells), cell_size=np.full(cells, 25.0),
        topographic_index=TopographicIndex(**{key: np.full(cells, value) for key, value in index.items()}),
    )  # fmt: skip
    columns = parameters.wind_height.shape[0]
    options = LandOptions(runoff=runoff, horton=True, subgrid_rain=True)
    model = LandModel(parameters, options, compiled=False)
    temperature = torch.full((columns,), 275.0 if name == "frost" else 286.0, dtype=DTYPE)
    state = model.initial_state(temperature=temperature, soil_wetness=1.0, leaf_area_index=2.5)
    forcing = weather(columns, **WEATHER[name])
    run_off = torch.zeros(columns, dtype=DTYPE)
    for _ in range(12):
        new, fluxes = model.step(state, forcing, False)
        gained = (water(new, parameters) - water(state, parameters)) / model.options.time_step
        lost = fluxes.evaporation + fluxes.drainage + fluxes.surface_runoff
        torch.testing.assert_close(gained, forcing.rainfall - lost, rtol=0.0, atol=2e-12)
        state, run_off = new, run_off + fluxes.surface_runoff
    if name == "storm":
        assert (run_off > 0.0).all()
    for field, values in named_tensors(state):
        assert values.isfinite().all(), field


SNOWFALL = {**FROST, "snowfall": 1.2e-3, "air_temperature": 269.0}
THAW = {"air_temperature": 281.0, "rainfall": 4e-4, "shortwave_down": 300.0}
SUNNY_FROST = {**FROST, "shortwave_down": 350.0, "cosine_zenith": 0.4}


@pytest.mark.parametrize("layers", [3, 12])
@pytest.mark.parametrize("runoff", ["WSAT", "DT92"])
def test_water_budget_closes_while_snow_falls_lies_and_melts(layers: int, runoff: str) -> None:
    parameters = all_types()
    model = LandModel(parameters, LandOptions(runoff=runoff, snow_layers=layers), compiled=False)
    state = model.initial_state(temperature=torch.full((19,), 275.0, dtype=DTYPE), soil_wetness=0.8)
    deepest = torch.zeros(19, dtype=DTYPE)
    for step in range(50):
        forcing = weather(19, **(SNOWFALL if step < 12 else SUNNY_FROST if step < 20 else THAW))
        new, fluxes = model.step(state, forcing, step == 15)
        gained = (water(new, parameters) - water(state, parameters)) / model.options.time_step
        lost = fluxes.evaporation + fluxes.drainage + fluxes.surface_runoff
        fallen = forcing.rainfall + forcing.snowfall
        torch.testing.assert_close(gained, fallen - lost, rtol=0.0, atol=2e-12)
        state = new
        deepest = torch.maximum(deepest, state.snow.water_equivalent.sum(dim=0))
    assert (deepest > 15.0).all(), "everything that fell lay on the ground"
    assert (state.snow.water_equivalent.sum(dim=0) < 0.6 * deepest).all(), "and melts"
    for field, values in named_tensors(state):
        assert values.isfinite().all(), field


def test_without_snow_the_snow_scheme_changes_nothing() -> None:
    parameters = all_types()
    plain, snowy = (LandModel(parameters, LandOptions(snow_layers=n), compiled=False) for n in (0, 3))
    temperature = torch.full((19,), 286.0, dtype=DTYPE)
    a, b = plain.initial_state(temperature=temperature), snowy.initial_state(temperature=temperature)
    for step in range(5):
        a, _ = plain.step(a, weather(19), step == 2)
        b, _ = snowy.step(b, weather(19), step == 2)
    for (field, x), (_, y) in zip(named_tensors(a), named_tensors(b), strict=False):
        torch.testing.assert_close(x, y, rtol=1e-13, atol=1e-15, msg=lambda text, f=field: f"{f}: {text}")


def test_state_and_model_must_agree_on_snow() -> None:
    parameters = all_types()
    state = LandModel(parameters, compiled=False).initial_state(temperature=torch.full((19,), 286.0, dtype=DTYPE))
    with pytest.raises(InputError, match="differ in snow"):
        LandModel(parameters, LandOptions(snow_layers=3), compiled=False).step(state, weather(19), False)
    with pytest.raises(InputError, match="choose one of 0, 3, 12"):
        LandOptions(snow_layers=5)


@pytest.mark.parametrize("name", ["SNOWFALL", "THAW", "SUNNY_FROST"])
@pytest.mark.parametrize("snowy_steps", [0, 1, 6])
def test_reverse_mode_is_finite_with_snow(name: str, snowy_steps: int) -> None:
    model = LandModel(all_types(), LandOptions(snow_layers=3), compiled=False)
    start = model.initial_state(temperature=torch.full((19,), 272.0, dtype=DTYPE), leaf_area_index=1.5)
    for _ in range(snowy_steps):
        start, _ = model.step(start, weather(19, **SNOWFALL), False)
    leaves = map_tensors(lambda tensor: tensor.clone().requires_grad_(), start)
    state = leaves
    for _ in range(2):
        state, fluxes = model.step(state, weather(19, **globals()[name]), True)
    total = sum(t.sum() for _, t in named_tensors(state)) + sum(t.sum() for _, t in named_tensors(fluxes))
    names, tensors = zip(*named_tensors(leaves), strict=True)
    for field, gradient in zip(names, torch.autograd.grad(total, tensors, allow_unused=True), strict=True):
        assert gradient is None or gradient.isfinite().all(), field


def test_a_column_does_not_see_its_neighbours() -> None:
    parameters = all_types()
    forcing = weather(19)
    model = LandModel(parameters, compiled=False)
    state = model.initial_state(temperature=torch.linspace(272.0, 300.0, 19, dtype=DTYPE))
    together, _ = model.step(state, forcing, True)
    for column in (0, 3, 7, 18):
        one = slice(column, column + 1)
        alone, _ = model.with_parameters(select_columns(parameters, one)).step(
            select_columns(state, one), select_columns(forcing, one), True
        )
        for (field, a), (_, b) in zip(named_tensors(alone), named_tensors(select_columns(together, one)), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13, msg=lambda text, f=field: f"{f}: {text}")


def test_leaves_grow_only_in_the_first_step_of_the_day() -> None:
    model = LandModel(all_types(), compiled=False)
    state = model.initial_state(temperature=torch.full((19,), 290.0, dtype=DTYPE), leaf_area_index=2.0)
    later, _ = model.step(state, weather(19), False)
    torch.testing.assert_close(later.leaf_area_index, state.leaf_area_index, rtol=0.0, atol=0.0)
    assert (later.daily_assimilation[3:] > 0.0).all()
    midnight, _ = model.step(later, weather(19), True)
    assert (midnight.leaf_area_index[3:] != later.leaf_area_index[3:]).all()
    assert (midnight.daily_assimilation == 0.0).all()
    assert (midnight.leaf_area_index[:3] == 0.0).all(), "nothing grows on bare soil, rock and snow"


def test_float32_follows_float64() -> None:
    parameters = all_types()
    double = LandModel(parameters, compiled=False)
    single = LandModel(to(parameters, dtype=torch.float32), compiled=False)
    state = double.initial_state(temperature=torch.full((19,), 288.0, dtype=DTYPE))
    small = to(state, dtype=torch.float32)
    for step in range(24):
        forcing = weather(19, **(NIGHT if step > 12 else {}))
        state, _ = double.step(state, forcing, False)
        small, _ = single.step(small, to(forcing, dtype=torch.float32), False)
    assert small.soil_moisture.dtype == torch.float32
    torch.testing.assert_close(to(small, dtype=DTYPE).soil_moisture, state.soil_moisture, rtol=0.0, atol=2e-5)
    torch.testing.assert_close(to(small, dtype=DTYPE).soil_temperature, state.soil_temperature, rtol=0.0, atol=2e-2)


CORNERS = {
    "dry": {"soil_wetness": -0.6},
    "saturated": {"soil_wetness": 3.0},
    "frozen": {"temperature": 262.0},
    "melting point": {"temperature": 273.16},
    "no leaves": {"leaf_area_index": 0.0},
    "ordinary": {},
}


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("name", WEATHER)
def test_reverse_mode_is_finite_in_corner_states(corner: str, name: str) -> None:
    settings = {"temperature": 286.0, "soil_wetness": 0.5, "leaf_area_index": 1.5} | CORNERS[corner]
    parameters = map_tensors(lambda t: t.clone().requires_grad_() if t.is_floating_point() else t, all_types())
    model = LandModel(parameters, compiled=False)
    temperature = torch.full((19,), settings.pop("temperature"), dtype=DTYPE)
    start = model.initial_state(temperature=temperature, **settings)
    if corner == "no leaves":
        start = dataclasses.replace(start, leaf_area_index=torch.zeros(19, dtype=DTYPE))
    leaves = map_tensors(lambda tensor: tensor.detach().clone().requires_grad_(), start)
    state, fluxes = model.step(leaves, weather(19, **WEATHER[name]), True)
    total = sum(t.sum() for _, t in named_tensors(state)) + sum(t.sum() for _, t in named_tensors(fluxes))
    named = [*named_tensors(leaves), *((n, t) for n, t in named_tensors(parameters) if t.requires_grad)]
    names, tensors = zip(*named, strict=True)
    gradients = torch.autograd.grad(total, tensors, allow_unused=True)
    for field, gradient in zip(names, gradients, strict=True):
        assert gradient is None or gradient.isfinite().all(), field


def test_autograd_equals_central_differences_over_six_hours() -> None:
    parameters = select_columns(all_types(), torch.tensor([0, 3, 4, 6, 7, 9]))
    model = LandModel(parameters, compiled=False)
    start = model.initial_state(temperature=torch.full((6,), 290.0, dtype=DTYPE), soil_wetness=0.5, leaf_area_index=2.3)
    forcing = weather(6, rainfall=0.0)

    def final(moisture: torch.Tensor) -> torch.Tensor:
        state = dataclasses.replace(start, soil_moisture=moisture)
        for _ in range(12):
            state, _ = model.step(state, forcing, False)
        return state.soil_moisture[1]

    moisture = start.soil_moisture.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(final(moisture).sum(), moisture)
    for layer in range(4):
        step = torch.zeros_like(moisture)
        step[layer] = 1e-6
        with torch.no_grad():
            difference = (final(moisture + step) - final(moisture - step)) / 2e-6
        torch.testing.assert_close(gradient[layer], difference, rtol=1e-4, atol=1e-6)


def test_unknown_options_name_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"land\.runoff.*WSAT, DT92, SGH"):
        LandOptions(runoff="VIC")
    with pytest.raises(InputError, match="does not divide a day"):
        LandOptions(time_step=1700.0)


@pytest.mark.slow
def test_compiled_blocks_equal_eager_ones_for_any_number_of_columns() -> None:
    parameters = all_types()
    compiled = LandModel(parameters, compiled=True)
    for columns in (slice(0, 19), slice(3, 4), slice(5, 9)):
        part = select_columns(parameters, columns)
        eager = LandModel(part, compiled=False)
        model = compiled.with_parameters(part)
        count = part.wind_height.shape[0]
        state = eager.initial_state(temperature=torch.full((count,), 284.0, dtype=DTYPE), leaf_area_index=2.0)
        forcing = weather(count)
        a, flux_a = eager.step(*eager.step(state, forcing, False)[:1], forcing, True)
        b, flux_b = model.step(*model.step(state, forcing, False)[:1], forcing, True)
        for (field, x), (_, y) in zip(
            [*named_tensors(a), *named_tensors(flux_a)], [*named_tensors(b), *named_tensors(flux_b)], strict=True
        ):
            torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-10, msg=lambda text, f=field: f"{f}: {text}")


CHOICES = {
    "plain": LandOptions(),
    "everything": LandOptions(
        photosynthesis="NCB", canopy="multilayer", albedo="EVOL", runoff="DT92", horton=True, subgrid_rain=True,
        snow_layers=3,
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("choice", CHOICES)
def test_a_step_is_one_call_of_kernels_whatever_is_chosen(choice: str, monkeypatch, caplog) -> None:
    """No block falls back, the sequence gives the bits of its blocks, and the derivative is the eager one."""
    parameters, forcing = all_types(), weather(19, **{**WEATHER["day"], "snowfall": 1e-4 if choice != "plain" else 0.0})
    eager, model = (LandModel(parameters, CHOICES[choice], compiled=c) for c in (False, True))
    with caplog.at_level("INFO"):
        state = eager.initial_state(temperature=torch.full((19,), 284.0, dtype=DTYPE), leaf_area_index=2.0)
        recorded = model.step(state, forcing, True)
        replayed = model.step(dataclasses.replace(state), forcing, True)
        ends = []
        for each in (eager, model):
            moisture = state.soil_moisture.clone().requires_grad_()
            end, _ = each.step(dataclasses.replace(state, soil_moisture=moisture), forcing, True)
            total = sum(values.sum() for _, values in named_tensors(end) if values.requires_grad)
            ends.append((end, torch.autograd.grad(total, moisture)[0]))
    assert not [record for record in caplog.records if "without" in record.getMessage()]
    for one, other in zip(recorded, replayed, strict=True):
        for (field, x), (_, y) in zip(named_tensors(one), named_tensors(other), strict=True):
            assert torch.equal(x, y), field
    for (field, x), (_, y) in zip(named_tensors(ends[0][0]), named_tensors(recorded[0]), strict=True):
        torch.testing.assert_close(y, x.detach(), rtol=1e-9, atol=1e-10, msg=lambda text, f=field: f"{f}: {text}")
    scale = ends[0][1].abs().amax(dim=0)
    assert ((ends[1][1] - ends[0][1]).abs() <= 1e-7 * scale + 1e-9).all()


@dataclasses.dataclass(frozen=True)
class Stored:
    """A netCDF file in memory."""

    attributes: dict[str, Any]
    variables: dict[str, np.ndarray]

    def __getattr__(self, name: str) -> Any:
        return self.attributes[name]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.variables[name]


class Case:
    """One patch of a stored SURFEX year (DESIGN section 7)."""

    def __init__(self, path: Path, photosynthesis: str = "NIT") -> None:
        self.photosynthesis = photosynthesis
        with netCDF4.Dataset(path) as file:
            file.set_auto_mask(False)
            # all of it at once: a file left open would be closed by the garbage collector, at any moment
            attributes = {name: file.getncattr(name) for name in file.ncattrs()}
            self.data = Stored(attributes, {name: variable[:] for name, variable in file.variables.items()})
        self.time_step = float(self.data.forcing_step_s)
        fractions = np.zeros((1, 19))
        fractions[0, VEGETATION_TYPES.index(str(self.data["vegtype"][0]))] = 1.0
        depth, roots = float(self.data["par_DG2_DIF"][0]), float(self.data["par_DROOT_DIF"][0])
        height = float(self.data["par_Z0VEG"][0]) / 0.13
        _, self.parameters = build_parameters(
            fractions,
            np.array([self.data.clay]),
            np.array([self.data.sand]),
            np.array([self.data.lat]),
            np.array([self.data.lon]),
            root_depth=np.full((1, 19), roots if roots > 0.0 else depth),
            soil_depth=np.full((1, 19), depth),
            tree_height=np.full((1, 19), height),
            temperature_height=float(self.data.zref),
            wind_height=float(self.data.uref),
        )
        steps = (np.arange(len(self.data["Tair"])) * self.time_step).astype("timedelta64[s]")
        self.times = np.datetime64(self.data.start.replace(" ", "T")) + steps
        self.shortwave = self.data["DIR_SWdown"][:].astype(float) + self.data["SCA_SWdown"][:]
        first = self.forcing(0)
        ratio = first.co2_concentration / air_of(first, self.parameters).density
        self.parameters = with_reference_assimilation(self.parameters, ratio)
        options = LandOptions(time_step=self.time_step, photosynthesis=photosynthesis)
        self.model = LandModel(self.parameters, options, compiled=False)

    def forcing(self, step: int) -> Forcing:
        def at(name: str, record: int) -> torch.Tensor:
            return torch.tensor([float(self.data[name][record])], dtype=DTYPE)

        latitude, longitude = np.array([self.data.lat]), np.array([self.data.lon])
        cosine = cosine_zenith(self.times[step : step + 1], latitude, longitude)
        shortwave = self.shortwave[step : step + 1, None]
        return Forcing(
            air_temperature=at("Tair", step),
            specific_humidity=at("Qair", step),
            surface_pressure=at("PSurf", step),
            wind_speed=at("Wind", step),
            shortwave_down=torch.from_numpy(shortwave[0]),
            longwave_down=at("LWdown", step),
            rainfall=at("Rainf", step + 1),
            snowfall=at("Snowf", step + 1),
            co2_concentration=at("CO2air", step),
            cosine_zenith=torch.from_numpy(limited_cosine(cosine, shortwave)[0]),
        )

    def state(self, row: int) -> LandState:
        def fields(names: dict[str, str]) -> dict[str, torch.Tensor]:
            tensors = {}
            for field, name in names.items():
                stored = np.asarray(self.data[name][row, ..., 0], dtype=np.float64)
                defined = np.where(np.isfinite(stored), stored, 0.2 if name == "WG" else 0.0)
                tensors[field] = torch.from_numpy(defined.reshape(-1, 1) if stored.ndim else defined.reshape(1))
            return tensors

        if self.photosynthesis != "NCB":
            return LandState(**fields(SURFEX_NAMES))
        roots = RootsAndWood(**fields(ROOT_NAMES), wood_respiration=self.wood_respiration(row))
        return LandState(**fields(SURFEX_NAMES), roots_and_wood=roots)

    def wood_respiration(self, row: int) -> torch.Tensor:
        """RESPI5, which the file lacks, from the pools and temperatures since midnight (isba_ags.md 5.2)."""
        total = sum(float(self.data[f"BIOMA{pool}"][row, 0]) for pool in range(1, 7))
        wood = float(self.data["BIOMA5"][row, 0])
        height = 2.5 * 0.75 * 0.4 * total
        living = min(max(0.0025 / 25.0 * height * 0.75 * 400.0 / (0.4 * wood), 0.05), 0.5)
        temperature = self.data["TG"][row - row % 48 : row + 1, 0, 0].astype(np.float64)
        rate = 0.0125 / (365.0 * 86400.0) * np.exp(3500.0 * (1.0 / 288.0 - 1.0 / temperature))
        return torch.tensor([wood * living * rate.sum() * self.time_step], dtype=DTYPE)

    def has_snow(self, step: int) -> bool:
        return bool((self.data["WSN_T"][step - 1] > 0).any() or self.data["Snowf"][step + 1] > 0)

    def step(self, step: int) -> tuple[LandState, dict[str, float]]:
        """One step from the stored row before it, and the largest error of each variable against its row."""
        first = int((self.times[step] - self.times[step].astype("datetime64[D]")) / np.timedelta64(1, "s"))
        state, fluxes = self.model.step(self.state(step - 1), self.forcing(step), first < self.time_step)
        values = {name: getattr(state, field) for field, name in SURFEX_NAMES.items()}
        values |= {"LE": fluxes.latent_heat, "H": fluxes.sensible_heat, "RN": fluxes.net_radiation}
        values |= {"GPP": fluxes.gross_primary_production, "R_ECO": fluxes.ecosystem_respiration}
        if state.roots_and_wood is not None:
            values |= {name: getattr(state.roots_and_wood, field) for field, name in ROOT_NAMES.items()}
        values |= {"R_AUTO": fluxes.autotrophic_respiration}
        values |= {"DRAIN": fluxes.drainage, "EVAP": fluxes.evaporation, "RI": fluxes.richardson_number}
        errors = {}
        for name, value in values.items():
            stored = np.asarray(self.data[name][step, ..., 0], dtype=np.float64)
            difference = np.abs(value.squeeze(-1).numpy() - stored)
            if np.isfinite(difference).any():
                errors[name] = float(np.nanmax(difference))
        return state, errors


CASES = {
    **dict.fromkeys(
        ("bare_hapex", "c3_hapex", "grass_hapex", "broadleaf_hapex", "conifer_eses1999", "grass_itamp2003"), "NIT"
    ),
    "option_broadleaf_ncb": "NCB",
}
TOLERANCE = {
    "TG": 1e-4, "WG": 1e-7, "WGI": 1e-7, "WR": 1e-6, "LAI": 1e-6, "BIOMA1": 1e-7, "BIOMA2": 1e-7, "BIOMA3": 1e-7,
    "BIOMA4": 1e-7, "BIOMA5": 1e-6, "BIOMA6": 1e-6, "RESPI2": 1e-9, "RESPI3": 1e-9, "RESPI4": 1e-9, "R_AUTO": 1e-12,
    "ANDAY": 1e-8, "ANFM": 1e-12, "LE": 5e-3, "H": 5e-3, "RN": 2e-3, "GPP": 1e-12, "R_ECO": 1e-12, "DRAIN": 1e-9,
    "EVAP": 2e-9,
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_single_steps_of_a_stored_year(shared: Path, name: str) -> None:
    """From stored float32 rows all over the year, frozen soil and midnight growth included, snow excluded."""
    case = Case(shared / "reference" / "surfex" / f"{name}.nc", CASES[name])
    steps = [int(k) for k in [*np.linspace(3, 17500, 40), *(48 * np.linspace(1, 364, 12).astype(int))]]
    worst: dict[str, float] = {}
    used = 0
    for k in steps:
        if case.has_snow(k):
            continue
        used += 1
        _, errors = case.step(k)
        worst = {key: max(error, worst.get(key, 0.0)) for key, error in errors.items()}
    assert used > 30
    for key, tolerance in TOLERANCE.items():
        assert worst.get(key, 0.0) <= tolerance, (key, worst[key])


@pytest.mark.parametrize(
    ("name", "step", "expected"),
    [
        ("bare_hapex", 9001, {"TG": 300.456965436, "WG": 0.181197733727, "RESA": 44.2974146609, "LE": 149.088404197}),
        ("c3_hapex", 5591, {"TG": 289.142188856, "WG": 0.371363018204, "RESA": 27.1196905796, "LE": 404.512187281}),
        ("c3_hapex", 1888, {"TG": 270.551818411, "WG": 0.19878036379, "RESA": 60.39994573, "LE": 22.9557464379}),
        ("c3_hapex", 7680, {"TG": 284.43171769, "WG": 0.230059335373, "LAI": 5.44565262605, "LE": 1.62505851687}),
    ],
)
def test_whole_steps_of_the_specification(shared: Path, name: str, step: int, expected: dict[str, float]) -> None:
    """isba_physics.md 11.17: end values, to the printed digits."""
    state, _ = Case(shared / "reference" / "surfex" / f"{name}.nc").step(step)
    values = {
        "TG": state.soil_temperature[0],
        "WG": state.soil_moisture[0],
        "RESA": state.aerodynamic_resistance,
        "LE": state.latent_heat_flux,
        "LAI": state.leaf_area_index,
    }
    for key, value in expected.items():
        assert values[key].item() == pytest.approx(value, rel=2e-11), key
