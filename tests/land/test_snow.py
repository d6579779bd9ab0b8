"""Whole steps of the snow pack: golden steps of SURFEX, closure, gradients, batching (isba_physics.md 7)."""

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dalearn.errors import InputError
from dalearn.land.compilation import CompiledBlock, unpacked
from dalearn.land.energy_budget import Air
from dalearn.land.snow import SnowFluxes, SnowSurface, snow_step
from dalearn.land.snow_cover import blended_roughness, snow_fractions
from dalearn.land.snow_pack import SnowPack, empty_pack, heat_density, layer_thickness, pack_from_file
from dalearn.land.state import Forcing, LandParameters
from dalearn.land.step_start import air_of
from dalearn.land.turbulence import effective_wind, roughness_functions
from dalearn.tree import map_tensors, named_tensors, select_columns

DTYPE = torch.float64
GOLDEN = json.loads((Path(__file__).parent / "data" / "snow_golden.json").read_text())
STEPS = {case["name"]: case for case in GOLDEN["steps"]}
REMOVALS = {case["name"]: case for case in [*GOLDEN["removals"], STEPS["I_vanish_L3"]]}
FULL_STEPS = [name for name in STEPS if "final" in STEPS[name]]
Inputs = tuple[SnowPack, Forcing, Air, SnowSurface]


def scalar(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=DTYPE)


def golden_inputs(case: dict[str, Any]) -> Inputs:
    given, state = case["input"], case["state"]
    pack = SnowPack(
        water_equivalent=torch.tensor(state["SWE"], dtype=DTYPE)[:, None],
        density=torch.tensor(state["rho"], dtype=DTYPE)[:, None],
        heat_content=torch.tensor(state["H"], dtype=DTYPE)[:, None],
        age=torch.tensor(state["age"], dtype=DTYPE)[:, None],
        albedo=scalar(given.get("a_n", 0.0)),
    )
    rain = given["rain_in"] / given["p_sn"] if given["p_sn"] > 0.0 else 0.0
    forcing = Forcing(
        air_temperature=scalar(given["T_a"]),
        specific_humidity=scalar(given["q_a"]),
        surface_pressure=scalar(given["p_s"]),
        wind_speed=scalar(given["U"]),
        shortwave_down=scalar(given["SW"]),
        longwave_down=scalar(given["LW"]),
        rainfall=scalar(rain),
        snowfall=scalar(given["SR"]),
        co2_concentration=scalar(0.0),
        cosine_zenith=torch.cos(scalar(given["zenith"])),
    )
    air = Air(
        temperature=forcing.air_temperature,
        humidity=forcing.specific_humidity,
        density=scalar(given["rho_air"]),
        exner=scalar(given["Pi_a"]),
        surface_exner=scalar(given["Pi_s"]),
        surface_pressure=forcing.surface_pressure,
        wind=effective_wind(forcing.wind_speed, scalar(given["u_ref"])),
        shortwave_down=forcing.shortwave_down,
        longwave_down=forcing.longwave_down,
    )
    heights = scalar(given["u_ref"]), scalar(given["z_ref"])
    surface = SnowSurface(
        fraction=scalar(given["p_sn"]),
        roughness=roughness_functions(scalar(given["z0"]), scalar(given["z0h"]), *heights),
        wind_height=heights[0],
        temperature_height=heights[1],
        soil_temperature=scalar(given["T_soil1"]),
        soil_conductivity=scalar(given["lam_soil1"]),
        soil_thickness=scalar(given["d_1"]),
        soil_albedo=scalar(given["a_soil"]),
        permanent_fraction=scalar(given["f_perm"]),
        forest_fraction=scalar(given["f_forest"]),
    )
    return pack, forcing, air, surface


def close(value: torch.Tensor, expected: Any, name: str, rel: float = 1e-10) -> None:
    assert value.flatten().tolist() == pytest.approx(expected if isinstance(expected, list) else [expected], rel), name


@pytest.mark.parametrize("name", FULL_STEPS)
def test_golden_steps(name: str) -> None:
    case = STEPS[name]
    pack, fluxes = snow_step(*golden_inputs(case), time_step=case["input"]["Dt"])
    final, output, expected = case["final"], case["output"], case["fluxes"]
    close(pack.water_equivalent, final["SWE"], "mass")
    close(pack.density, final["rho"], "density")
    close(pack.heat_content, final["H"], "heat")
    close(pack.age, final["age"], "age")
    close(layer_thickness(pack), final["dz"], "thickness")
    close(pack.albedo, output["a_n"], "albedo")
    close(fluxes.surface_temperature, final["T"][0], "temperature")
    close(fluxes.net_radiation, expected["Rn"], "net radiation")
    close(fluxes.sensible, expected["H"], "sensible")
    close(fluxes.latent, expected["LE"], "latent")
    close(fluxes.sublimation, expected["E"], "sublimation")
    close(fluxes.surface_heat, expected["G_s"], "surface heat")
    close(fluxes.ground_heat, output["G_sn"], "ground heat")
    close(fluxes.correction_heat, output["F_c"], "correction")
    close(fluxes.melt_outflow, output["M"], "outflow")
    close(fluxes.excess_sublimation, output["E_cor_I"], "excess sublimation")
    close(fluxes.friction_velocity_squared.sqrt(), output["u_star"], "friction velocity")
    close(fluxes.surface_humidity, case["surface"]["q_si"], "humidity")


@pytest.mark.parametrize("name", REMOVALS)
def test_removal_of_the_last_snow(name: str) -> None:
    case = REMOVALS[name]
    pack, fluxes = snow_step(*golden_inputs(case), time_step=case["input"]["Dt"])
    expected = case.get("removal") or case["output"]
    close(fluxes.latent, expected["LE"], "latent")
    close(fluxes.sublimation, expected["E"], "sublimation")
    close(fluxes.melt_outflow, expected["M"], "outflow")
    close(fluxes.surface_heat, expected["G_s"], "surface heat")
    close(fluxes.ground_heat, expected["G_sn"], "ground heat")
    close(fluxes.correction_heat, expected["F_c"], "correction")
    close(fluxes.excess_sublimation, expected["E_cor"], "excess sublimation")
    assert fluxes.surface_temperature.item() == 273.16
    for (field, value), (_, empty) in zip(
        named_tensors(pack), named_tensors(empty_pack(scalar(0.0), pack.age.shape[0])), strict=True
    ):
        assert torch.equal(value, empty), field


def weather(columns: int, generator: torch.Generator, dtype: torch.dtype) -> Forcing:
    """Cold and warm, calm and windy, dry and wet, night and day."""

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(columns, generator=generator, dtype=DTYPE)

    def sometimes(value: torch.Tensor, share: float) -> torch.Tensor:
        return torch.where(uniform(0.0, 1.0) < share, value, 0.0)

    sun = torch.clamp(uniform(-0.5, 1.0), min=0.0)
    forcing = Forcing(
        air_temperature=uniform(250.0, 290.0),
        specific_humidity=uniform(5e-4, 8.5e-3),
        surface_pressure=uniform(6e4, 1e5),
        wind_speed=sometimes(uniform(0.0, 15.0), 0.9),
        shortwave_down=1000.0 * sun,
        longwave_down=uniform(150.0, 400.0),
        rainfall=sometimes(torch.exp(uniform(-20.0, -6.0)), 0.5),
        snowfall=sometimes(torch.exp(uniform(-20.0, -6.0)), 0.5),
        co2_concentration=uniform(6e-4, 8e-4),
        cosine_zenith=sun,
    )
    return map_tensors(lambda tensor: tensor.to(dtype), forcing)


def packs(columns: int, layers: int, generator: torch.Generator, dtype: torch.dtype, smooth: bool = False) -> SnowPack:
    """No snow, traces, shallow and deep packs; cold, wet and (unless ``smooth``) at the kinks in between."""

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, dtype=DTYPE)

    depth = torch.exp(-13.8 + 15.4 * uniform(columns))
    depth = torch.where(uniform(columns) < 0.15, 0.0, depth)
    share = uniform(layers, columns) + 0.05
    density = 60.0 + 600.0 * uniform(layers, columns)
    mass = share / share.sum(dim=0) * depth * density
    frozen = uniform(layers, columns) < 0.6
    liquid = 0.002 + 0.08 * uniform(layers, columns)
    if not smooth:
        rare = uniform(layers, columns)
        liquid = torch.where(rare < 0.1, 0.0, torch.where(rare < 0.15, 1.0, liquid))
    cold = -20.0 * uniform(layers, columns)
    heat = mass * torch.where(frozen, 2106.0 * cold - 3.337e5, 3.337e5 * (liquid - 1.0))
    snow = mass > 0.0
    pack = SnowPack(
        water_equivalent=mass,
        density=torch.where(snow, density, 50.0),
        heat_content=heat,
        age=torch.where(snow, 100.0 * uniform(layers, columns), 0.0),
        albedo=torch.where(depth > 0.0, 0.5 + 0.4 * uniform(columns), 0.0),
    )
    return map_tensors(lambda tensor: tensor.to(dtype), pack)


def surroundings(pack: SnowPack, forcing: Forcing, generator: torch.Generator) -> tuple[Air, SnowSurface]:
    columns, dtype = pack.albedo.shape[0], pack.albedo.dtype

    def uniform(low: float, high: float) -> torch.Tensor:
        return (low + (high - low) * torch.rand(columns, generator=generator, dtype=DTYPE)).to(dtype)

    wind_height, temperature_height = torch.full((2, columns), 2.0, dtype=dtype).unbind(0)
    roughness = torch.exp(uniform(-6.9, 0.9))
    cover = snow_fractions(pack, uniform(0.0, 1.0), roughness)
    lengths = blended_roughness(roughness, cover.total, wind_height, temperature_height)
    surface = SnowSurface(
        fraction=cover.total,
        roughness=roughness_functions(*lengths, wind_height, temperature_height),
        wind_height=wind_height,
        temperature_height=temperature_height,
        soil_temperature=uniform(260.0, 285.0),
        soil_conductivity=uniform(0.3, 2.3),
        soil_thickness=torch.full((columns,), 0.01, dtype=dtype),
        soil_albedo=uniform(0.1, 0.3),
        permanent_fraction=torch.clamp(uniform(-2.0, 1.0), min=0.0),
        forest_fraction=torch.clamp(uniform(-1.0, 1.0), min=0.0),
    )
    heights = LandParameters(
        soil=None,  # type: ignore[arg-type]
        vegetation=None,  # type: ignore[arg-type]
        temperature_height=temperature_height,
        wind_height=wind_height,
    )
    return air_of(forcing, heights), surface


def sweep(columns: int, layers: int, dtype: torch.dtype = DTYPE, smooth: bool = False) -> Inputs:
    generator = torch.Generator().manual_seed(layers)
    pack = packs(columns, layers, generator, dtype, smooth)
    forcing = weather(columns, generator, dtype)
    return pack, forcing, *surroundings(pack, forcing, generator)


@pytest.mark.parametrize("layers", [3, 12])
def test_mass_closes(layers: int) -> None:
    pack, forcing, air, surface = sweep(2000, layers)
    new, fluxes = snow_step(pack, forcing, air, surface, time_step=1800.0)
    lost = (pack.water_equivalent - new.water_equivalent).sum(dim=0) / 1800.0
    gained = forcing.snowfall + surface.fraction * (forcing.rainfall - fluxes.sublimation)
    residual = lost + gained - fluxes.melt_outflow + fluxes.excess_sublimation
    assert residual.abs().max() < 1e-12
    torch.testing.assert_close(fluxes.rain_outside + surface.fraction * forcing.rainfall, forcing.rainfall)
    gone = (new.water_equivalent.sum(dim=0) == 0.0) & (pack.water_equivalent.sum(dim=0) > 0.0)
    assert 100 < gone.sum() < 1500, "the sweep holds packs that stay and packs that go"


@pytest.mark.parametrize("layers", [3, 12])
def test_heat_closes(layers: int) -> None:
    """Where no layer is below the thickness floors (7.3 M)."""
    pack, forcing, air, surface = sweep(2000, layers)
    new, fluxes = snow_step(pack, forcing, air, surface, time_step=1800.0)
    stored = (new.heat_content - pack.heat_content).sum(dim=0) / 1800.0
    received = fluxes.surface_heat + fluxes.fallen_heat / 1800.0 - fluxes.ground_heat - fluxes.correction_heat
    closes = (layer_thickness(new)[0] > 1e-6) & (layer_thickness(pack).sum(dim=0) > 0.05)
    assert closes.sum() > 100
    assert (stored - received)[closes].abs().max() < 2e-9


def test_nothing_happens_without_snow() -> None:
    _, forcing, air, surface = sweep(50, 12)
    pack = empty_pack(forcing.air_temperature, 12)
    forcing = map_tensors(lambda tensor: tensor.clone(), forcing)
    surface = surface._replace(fraction=torch.zeros_like(surface.fraction))
    dry = Forcing(**{**dict(named_tensors(forcing)), "snowfall": torch.zeros_like(forcing.snowfall)})
    new, fluxes = snow_step(pack, dry, air, surface, time_step=1800.0)
    for (field, after), (_, before) in zip(named_tensors(new), named_tensors(pack), strict=True):
        assert torch.equal(after, before), field
    for field in set(SnowFluxes._fields) - {"rain_outside", "surface_temperature", "surface_humidity"}:
        assert (getattr(fluxes, field) == 0.0).all(), field
    assert torch.equal(fluxes.rain_outside, dry.rainfall)
    assert (fluxes.surface_temperature == 273.16).all()


def test_a_trace_of_snow_on_bare_ground_is_water_at_once() -> None:
    pack, forcing, air, surface = golden_inputs(STEPS["C_first_fall_L3"])
    forcing = Forcing(**{**dict(named_tensors(forcing)), "snowfall": scalar(1e-7)})
    new, fluxes = snow_step(pack, forcing, air, surface, time_step=900.0)
    assert (new.water_equivalent == 0.0).all()
    assert fluxes.melt_outflow.item() == pytest.approx(1e-7, rel=1e-12)
    assert fluxes.latent.item() == 0.0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("layers", [3, 12])
def test_reverse_mode_is_finite_in_any_state(layers: int, dtype: torch.dtype) -> None:
    """No snow, first snow, traces, melting, vanishing and deep packs, rain, calm air, at the kinks too."""
    inputs = sweep(1500, layers, dtype)
    flat, structure = torch.utils._pytree.tree_flatten(inputs)
    leaves = [tensor.requires_grad_() for tensor in flat]
    pack, fluxes = snow_step(*torch.utils._pytree.tree_unflatten(leaves, structure), time_step=1800.0)
    for name, value in [*named_tensors(pack), *fluxes._asdict().items()]:
        assert value.dtype == dtype, name
        assert value.isfinite().all(), name
        gradients = torch.autograd.grad(value.sum(), leaves, retain_graph=True, allow_unused=True)
        for number, gradient in enumerate(gradients):
            assert gradient is None or gradient.isfinite().all(), (name, number)


@pytest.mark.parametrize("layers", [3, 12])
def test_autograd_equals_central_differences(layers: int) -> None:
    """Derivative of a random combination of all results along a random direction, column by column."""
    inputs = sweep(300, layers, smooth=True)
    # the first layer of the first snow on bare ground is at the triple point within rounding: a kink (7.9.3)
    columns = inputs[0].water_equivalent.sum(dim=0) > 0.0
    inputs = tuple(
        select_columns(part, columns) if not isinstance(part, tuple) else _select(part, columns) for part in inputs
    )
    flat, structure = torch.utils._pytree.tree_flatten(inputs)
    generator = torch.Generator().manual_seed(1)
    directions = [1e-3 * t.abs() * torch.randn(t.shape, generator=generator, dtype=DTYPE) for t in flat]
    weights = torch.randn(4 * layers + 15, 1, generator=generator, dtype=DTYPE)

    def combined(distance: torch.Tensor) -> torch.Tensor:
        moved = [t + distance * direction for t, direction in zip(flat, directions, strict=True)]
        pack, fluxes = snow_step(*torch.utils._pytree.tree_unflatten(moved, structure), time_step=1800.0)
        rows = [pack.water_equivalent, pack.density, pack.heat_content / 1e5, pack.age, pack.albedo[None]]
        return (weights * torch.cat([*rows, torch.stack(tuple(fluxes))])).sum(dim=0)

    zero = torch.zeros(int(columns.sum()), dtype=DTYPE, requires_grad=True)
    (gradient,) = torch.autograd.grad(combined(zero).sum(), zero)
    with torch.no_grad():
        errors = []
        for step in (1e-4, 1e-5, 1e-6):
            difference = (combined(zero + step) - combined(zero - step)) / (2.0 * step)
            errors.append((difference - gradient).abs() / (difference.abs() + gradient.abs() + 1e-3))
    assert gradient.abs().median() > 1e-2
    assert torch.stack(errors).min(dim=0).values.max() < 1e-4


def _select(part: Any, columns: torch.Tensor) -> Any:
    """The chosen columns of a named tuple of tensors, nested ones included."""
    return type(part)(*(_select(t, columns) if isinstance(t, tuple) else t[..., columns] for t in part))


def test_a_column_does_not_see_its_neighbours() -> None:
    pack, forcing, air, surface = sweep(40, 12)
    together, _ = snow_step(pack, forcing, air, surface, time_step=1800.0)
    for column in (0, 7, 23, 39):
        one = torch.arange(40) == column
        alone, _ = snow_step(
            select_columns(pack, one), select_columns(forcing, one), _select(air, one), _select(surface, one),
            time_step=1800.0,
        )  # fmt: skip
        for (field, a), (_, b) in zip(named_tensors(alone), named_tensors(together), strict=True):
            torch.testing.assert_close(a, b[..., one], rtol=1e-12, atol=1e-12, msg=lambda text, f=field: f"{f}: {text}")


def test_a_season_keeps_a_sound_pack() -> None:
    """Snow every second step for two days, then thaw: the pack grows, ripens and goes."""
    _, forcing, air, surface = golden_inputs(STEPS["K_deep_L12"])
    pack = empty_pack(scalar(0.0), 12)
    given = dict(named_tensors(forcing)) | {"specific_humidity": scalar(0.002), "wind_speed": scalar(3.0)}
    depths = []
    for step in range(300):
        cold = step < 100
        given["snowfall"] = scalar(1e-3 if cold and step % 2 == 0 else 0.0)
        given["air_temperature"] = scalar(268.0 if cold else 283.0)
        given["shortwave_down"] = scalar(0.0 if cold else 600.0)
        given["longwave_down"] = scalar(260.0 if cold else 330.0)
        now = Forcing(**given)
        air = air._replace(
            temperature=now.air_temperature, shortwave_down=now.shortwave_down, longwave_down=now.longwave_down
        )
        cover = snow_fractions(pack, scalar(0.3), scalar(0.01))
        pack, _ = snow_step(pack, now, air, surface._replace(fraction=cover.total), time_step=1800.0)
        depths.append(layer_thickness(pack).sum().item())
        assert (pack.water_equivalent >= 0.0).all()
        assert ((pack.density >= 50.0) & (pack.density <= 917.0)).all()
        assert ((pack.albedo == 0.0) | ((pack.albedo > 0.4) & (pack.albedo < 0.95))).all()
    assert depths[99] > 0.5
    assert 0.1 < depths[150] < 0.8 * depths[99]
    assert depths[-1] == 0.0


def test_files_hold_heat_per_volume_and_undefined_values() -> None:
    given = golden_inputs(STEPS["A_cold_drift_L3"])[0]
    nan = torch.full((3, 1), float("nan"), dtype=DTYPE)

    def beside(value: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return torch.cat([value, other], dim=-1)

    read = pack_from_file(
        beside(given.water_equivalent, 0.0 * given.age),
        beside(given.density, nan),
        beside(heat_density(given), 0.0 * nan + 1e20),
        beside(given.age, nan),
        beside(given.albedo, nan[0]),
    )
    for (field, value), (_, one), (_, none) in zip(
        named_tensors(read), named_tensors(given), named_tensors(empty_pack(scalar(0.0), 3)), strict=True
    ):
        torch.testing.assert_close(value[..., :1], one, msg=field)
        assert torch.equal(value[..., 1:], none), field
    assert (heat_density(empty_pack(scalar(0.0), 3)) == 0.0).all()


def test_other_numbers_of_layers_are_refused() -> None:
    _, forcing, air, surface = golden_inputs(STEPS["A_cold_drift_L3"])
    with pytest.raises(InputError, match="choose 3 or 12"):
        snow_step(empty_pack(scalar(0.0), 5), forcing, air, surface, time_step=900.0)


@pytest.mark.slow
def test_the_step_compiles_for_any_number_of_columns() -> None:
    step = functools.partial(snow_step, time_step=1800.0)
    block = CompiledBlock(step, outputs=2)

    def rows(result: tuple[Any, Any]) -> torch.Tensor:
        pack, fluxes = result
        return torch.cat([torch.atleast_2d(values) for _, values in named_tensors(pack)] + [torch.stack(tuple(fluxes))])

    for columns in (30, 7):
        inputs = sweep(columns, 3)
        expected, found = rows(step(*inputs)), rows(tuple(map(unpacked, block(*inputs))))
        tolerance = 1e-9 * expected.abs() + 1e-7
        # a pack of a millimetre may stand at a threshold, where rounding decides: compare the others
        steady = torch.ones(columns, dtype=torch.bool)
        for seed in range(10):
            moved = rows(step(*(rounded(structure, seed) for structure in inputs)))
            steady &= ((moved - expected).abs() <= tolerance).all(dim=0)
        assert steady.sum() >= 0.9 * columns
        assert ((found - expected).abs() <= tolerance)[:, steady].all()


def rounded(structure: Any, seed: int) -> Any:
    """The structure with errors of rounding size."""
    random = torch.Generator().manual_seed(seed)

    def moved(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        return value * (1.0 + 1e-15 * torch.randn(value.shape, generator=random, dtype=value.dtype))

    if isinstance(structure, tuple):
        return type(structure)(*map(moved, structure))
    return dataclasses.replace(structure, **{name: moved(value) for name, value in named_tensors(structure)})
