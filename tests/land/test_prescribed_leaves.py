"""Models that do not grow leaves: photosynthesis AST and NON (isba_ags.md 5.10, 10.1; isba_physics.md 3.9)."""

import dataclasses

import numpy as np
import pytest
import torch

from dalearn.errors import InputError
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.parameters import DECADES, build_parameters
from dalearn.land.state import Fluxes, Forcing, LandParameters, LandState
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.land.window import FORCING_FIELDS, ForcingWindow, decade_of
from dalearn.tree import map_tensors, named_tensors, to

DTYPE = torch.float64
COUNT = len(VEGETATION_TYPES)
DAY = {
    "air_temperature": 291.0,
    "specific_humidity": 0.008,
    "surface_pressure": 9.9e4,
    "wind_speed": 3.0,
    "shortwave_down": 550.0,
    "longwave_down": 330.0,
    "rainfall": 0.0,
    "snowfall": 0.0,
    "co2_concentration": 7.5e-4,
    "cosine_zenith": 0.6,
}
NIGHT = DAY | {"shortwave_down": 0.0, "cosine_zenith": 0.0, "air_temperature": 280.0}
FROST = NIGHT | {"air_temperature": 262.0, "specific_humidity": 0.001, "longwave_down": 220.0}
HEAT = DAY | {"air_temperature": 312.0, "shortwave_down": 950.0, "specific_humidity": 0.005}


def climatology() -> np.ndarray:
    """Leaf area of the types, (19, 36): from 0 to 5 through the year, more for each type."""
    season = 2.5 * (1.0 - np.cos(2.0 * np.pi * np.arange(DECADES) / DECADES))
    return season[None] * np.linspace(0.4, 1.0, COUNT)[:, None]


def parameters_of(fractions: np.ndarray | None = None, leaf_area: np.ndarray | None = None) -> LandParameters:
    fractions = np.eye(COUNT) if fractions is None else fractions
    cells = len(fractions)
    if leaf_area is None:
        leaf_area = np.broadcast_to(climatology(), (cells, COUNT, DECADES))
    return build_parameters(
        fractions,
        np.linspace(0.05, 0.5, cells),
        np.linspace(0.9, 0.2, cells),
        np.full(cells, 44.0),
        np.zeros(cells),
        leaf_area_index=leaf_area,
    )[1]


def weather(values: dict[str, float], decade: int | None, columns: int = COUNT) -> Forcing:
    tensors = {name: torch.full((columns,), value, dtype=DTYPE) for name, value in values.items()}
    return Forcing(**tensors, decade=None if decade is None else decade - 1)


def model_of(photosynthesis: str, parameters: LandParameters | None = None, **options: int) -> LandModel:
    parameters = parameters_of() if parameters is None else parameters
    return LandModel(parameters, LandOptions(photosynthesis=photosynthesis, **options), compiled=False)


def start_of(model: LandModel, kelvin: float = 288.0) -> LandState:
    columns = model.parameters.wind_height
    return model.initial_state(temperature=torch.full_like(columns, kelvin))


@pytest.mark.parametrize(
    ("day", "decade"),
    [
        ("1987-01-01", 1),
        ("1987-01-10", 1),
        ("1987-01-11", 2),
        ("1987-01-20T23:30", 2),
        ("1987-01-21", 3),
        ("1987-01-31", 3),
        ("1988-02-29", 6),
        ("1987-03-01", 7),
        ("1987-12-31T23:59", 36),
    ],
)
def test_decades(day: str, decade: int) -> None:
    assert decade_of(np.datetime64(day)) == decade - 1


def test_a_window_tells_the_decade_of_the_start_of_the_step() -> None:
    values = torch.zeros(3, len(FORCING_FIELDS), 2, dtype=torch.float32)
    window = ForcingWindow(values, np.datetime64("2007-06-10T23:00"), 1800.0, (False, False, True))
    assert [window.forcing(step).decade for step in range(3)] == [15, 15, 16]


def test_climatology_of_a_patch_is_the_mean_of_its_types() -> None:
    fractions = np.zeros((1, COUNT))
    shares = {"TEBD": 0.3, "SHRB": 0.1, "C3": 0.4, "NO": 0.2}
    for kind, share in shares.items():
        fractions[0, VEGETATION_TYPES.index(kind)] = share
    leaf_area = np.full((1, COUNT, DECADES), np.nan)
    for kind, value in (("TEBD", 4.0), ("SHRB", 2.0), ("C3", 1.5)):
        leaf_area[0, VEGETATION_TYPES.index(kind)] = value
    of_patches = parameters_of(fractions, leaf_area).leaf_area_climatology
    assert of_patches.shape == (DECADES, 3)
    assert of_patches[17].tolist() == pytest.approx([0.0, 3.5, 1.5])
    leaf_area[0, VEGETATION_TYPES.index("C3"), 4] = np.nan
    with pytest.raises(InputError, match="leaf_area_index: cell 0 has nan for C3 in decade 5"):
        parameters_of(fractions, leaf_area)
    with pytest.raises(InputError, match=r"leaf_area_index: has shape \(1, 19\)"):
        parameters_of(fractions, leaf_area[..., 0])


def test_prescribed_photosynthesis_is_that_of_the_same_leaves_grown() -> None:
    """AST is NIT with another leaf area index: one step of each from the same leaves."""
    prescribed, grown = model_of("AST"), model_of("NIT")
    state = dataclasses.replace(start_of(grown), leaf_area_index=prescribed.parameters.leaf_area_climatology[13])
    new, fluxes = prescribed.step(start_of(prescribed), weather(DAY, 14), False)
    expected, grown_fluxes = grown.step(state, weather(DAY, None), False)
    assert torch.equal(new.leaf_area_index, state.leaf_area_index)
    assert (new.leaf_area_index[3:] > 1.0).all()
    for name in ("soil_temperature", "soil_moisture", "daily_assimilation", "maximum_leaf_assimilation"):
        assert torch.equal(getattr(new, name), getattr(expected, name)), name
    same = {field.name for field in dataclasses.fields(Fluxes)} - {"autotrophic_respiration", "ecosystem_respiration"}
    for name in same:
        assert torch.equal(getattr(fluxes, name), getattr(grown_fluxes, name)), name
    assert (fluxes.gross_primary_production[3:] > 0.0).all()
    soil = grown_fluxes.ecosystem_respiration - grown_fluxes.autotrophic_respiration
    structure = fluxes.ecosystem_respiration - fluxes.autotrophic_respiration
    assert (structure >= soil).all(), "the structure, of which there is none here, respires with NIT"


@pytest.mark.parametrize("photosynthesis", ["AST", "NON"])
def test_leaves_follow_the_calendar_and_nothing_grows(photosynthesis: str) -> None:
    model = model_of(photosynthesis)
    state = start_of(model)
    for decade in (1, 18, 19):
        state, fluxes = model.step(state, weather(DAY, decade), True)
        assert torch.equal(state.leaf_area_index, model.parameters.leaf_area_climatology[decade - 1])
        if decade > 1:
            assert (fluxes.transpiration_heat[3:] > 1.0).all()
    biomass = (state.leaf_biomass, state.active_structural_biomass, state.passive_structural_biomass)
    assert not any(value.any() for value in biomass)
    assert model.prepare_state(state) is state


def test_without_photosynthesis_there_is_no_carbon() -> None:
    model = model_of("NON")
    state, fluxes = model.step(start_of(model), weather(DAY, 18), False)
    for value in (
        fluxes.gross_primary_production,
        fluxes.autotrophic_respiration,
        fluxes.ecosystem_respiration,
        state.daily_assimilation,
    ):
        assert not value.any()


def test_what_a_prescribed_model_needs() -> None:
    model = model_of("AST")
    with pytest.raises(InputError, match=r"land\.photosynthesis AST.*decade"):
        model.step(start_of(model), weather(DAY, None), False)
    without = LandModel(
        dataclasses.replace(model.parameters, leaf_area_climatology=None), model.options, compiled=False
    )
    with pytest.raises(InputError, match="leaf_area_climatology"):
        without.step(start_of(model), weather(DAY, 3), False)
    with pytest.raises(InputError, match=r"land\.photosynthesis NCB"):
        model_of("NCB").step(start_of(model_of("NIT")), weather(DAY, None), False)
    with pytest.raises(InputError, match=r"land\.photosynthesis NIT"):
        model_of("NIT").step(start_of(model_of("NCB")), weather(DAY, None), False)
    with pytest.raises(InputError, match=r"land\.photosynthesis.*NIT, NCB, AST, NON"):
        LandOptions(photosynthesis="AGS")


CORNERS = {"ordinary": {}, "dry": {"soil_wetness": -0.6}, "frozen": {"temperature": 262.0}}


@pytest.mark.parametrize("photosynthesis", ["NCB", "AST", "NON"])
@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("snow_layers", [0, 3])
def test_reverse_mode_is_finite_in_corner_states(photosynthesis: str, corner: str, snow_layers: int) -> None:
    """For every prognostic and every parameter; the first decade has no leaves."""
    settings = {"temperature": 286.0, "soil_wetness": 0.5} | CORNERS[corner]
    plain = parameters_of()
    masks = {name for name, tensor in named_tensors(plain) if tensor.dtype == torch.bool}
    parameters = map_tensors(
        lambda tensor: tensor if tensor.dtype == torch.bool else tensor.clone().requires_grad_(), plain
    )
    model = model_of(photosynthesis, parameters, snow_layers=snow_layers)
    with torch.no_grad():
        temperature = torch.full((COUNT,), settings.pop("temperature"), dtype=DTYPE)
        start = model.initial_state(temperature=temperature, **settings)
    for values, decade in ((DAY, 18), (NIGHT, 1), (FROST, 1), (HEAT, 18)):
        leaves = map_tensors(lambda tensor: tensor.clone().requires_grad_(), start)
        state, fluxes = model.step(leaves, weather(values, decade), True)
        total = sum(t.sum() for _, t in named_tensors(state)) + sum(t.sum() for _, t in named_tensors(fluxes))
        wanted = [*named_tensors(leaves), *(pair for pair in named_tensors(parameters) if pair[0] not in masks)]
        gradients = torch.autograd.grad(total, [tensor for _, tensor in wanted], allow_unused=True)
        for (field, _), gradient in zip(wanted, gradients, strict=True):
            assert gradient is None or gradient.isfinite().all(), field


def test_float32_follows_float64() -> None:
    for photosynthesis in ("NCB", "AST", "NON"):
        double = model_of(photosynthesis)
        single = LandModel(to(double.parameters, dtype=torch.float32), double.options, compiled=False)
        state = start_of(double)
        small = to(state, dtype=torch.float32)
        for step in range(6):
            forcing = weather(DAY, 16)
            state, _ = double.step(state, forcing, step == 3)
            small, _ = single.step(small, to(forcing, dtype=torch.float32), step == 3)
        for name in ("soil_temperature", "soil_moisture", "leaf_area_index"):
            got, expected = getattr(small, name), getattr(state, name)
            assert got.dtype == torch.float32
            torch.testing.assert_close(got.double(), expected, rtol=1e-4, atol=2e-4)
