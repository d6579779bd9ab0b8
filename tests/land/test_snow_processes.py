"""The processes of the snow pack one by one, against their golden intermediates (isba_physics.md 7.2, 7.3, 7.5)."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dalearn.land.snow_compaction import compact, drift
from dalearn.land.snow_energy import snow_conductivity
from dalearn.land.snow_layers import add_snowfall, fresh_snow_density, grid_thickness, mix, regrid, remap
from dalearn.land.snow_pack import Layers, SnowPack, empty_pack, layer_heat, liquid_capacity, split_warmth, warmth
from dalearn.land.snow_radiation import light_in_snow, optical_diameter, snow_albedo
from dalearn.land.snow_water import WetLayers, melt, percolate, sublimate

DTYPE = torch.float64
STEPS = {
    case["name"]: case
    for case in json.loads((Path(__file__).parent / "data" / "snow_golden.json").read_text())["steps"]
}
SNOWFALLS = [name for name in STEPS if "fall" in STEPS[name]]
KEPT = [name for name in STEPS if "fall" not in STEPS[name] and STEPS[name]["input"]["SR"] == 0.0]
MELTS = [name for name in STEPS if "melt" in STEPS[name]]


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=DTYPE)


def layered(case: dict[str, Any], stage: str, name: str) -> torch.Tensor:
    return tensor(*case[stage][name])[:, None]


def close(value: torch.Tensor, expected: list[float], name: str, rel: float = 1e-10) -> None:
    assert value.flatten().tolist() == pytest.approx(expected, rel=rel, abs=1e-22), name


def initial(case: dict[str, Any]) -> Layers:
    """The layers before the grid is renewed."""
    if "fall" in case:
        return Layers(*(layered(case, "fall", name) for name in ("dz", "rho", "H", "age")))
    mass, density = layered(case, "state", "SWE"), layered(case, "state", "rho")
    return Layers(mass / density, density, layered(case, "state", "H"), layered(case, "state", "age"))


def renewed(case: dict[str, Any]) -> Layers:
    """The layers on the grid of the step."""
    stage = case["regrid"]
    names = ("dz", "rho", "H", "age")
    if all(name in stage for name in names):
        return Layers(*(layered(case, "regrid", name) for name in names))
    return initial(case)


def temperatures(case: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    return layered(case, "T_l", "T"), layered(case, "T_l", "l")


@pytest.mark.parametrize(
    ("density", "age", "permanent", "pressure", "expected"),
    [
        (109, 0, 0, 100000, (0.00017552739771, 0.92, 0.695970400086, 0.512720438268, 0.84037141908)),
        (250, 10, 0, 100000, (0.0010896875, 0.869529368018, 0.391639608644, 0.190792271852, 0.714873550856)),
        (250, 40, 0, 75000, (0.0013396875, 0.787226719281, 0.336333176868, 0.161331504925, 0.642467458226)),
        (400, 3, 0.5, 80000, (0.002796, 0.875304573013, 0.3, 0.126956834818, 0.694622793625)),
        (550, 400, 1, 75000, (0.002796, 0.806530626653, 0.3, 0.126956834818, 0.645793291709)),
        (80, 0.25, 0, 40000, (0.0001770056, 0.919583333333, 0.695113084615, 0.511433647326, 0.839792606222)),
    ],
)
def test_albedo(density: float, age: float, permanent: float, pressure: float, expected: tuple[float, ...]) -> None:
    """isba_physics.md 11.12 and the golden table 1.1."""
    snow = tensor(density), tensor(age), tensor(permanent)
    albedo = snow_albedo(*snow, tensor(pressure))
    values = [optical_diameter(*snow).item(), *albedo.bands.flatten().tolist(), albedo.total.item()]
    assert values == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("density", "temperature", "pressure", "expected"),
    [
        (250, 263.16, 1e5, 0.1983960564),
        (100, 263.16, 1e5, 0.06379862423),
        (109, 273.16, 1e5, 0.125251905104),
        (250, 269.16, 1e5, 0.225692261298),
        (250, 265.16, 75000, 0.22008445818),
        (400, 261.16, 80000, 0.431433316534),
        (550, 257.16, 75000, 0.744450047641),
    ],
)
def test_conductivity(density: float, temperature: float, pressure: float, expected: float) -> None:
    value = snow_conductivity(tensor(density), tensor(temperature), tensor(pressure))
    assert value.item() == pytest.approx(expected, rel=5e-10)


def test_liquid_capacity() -> None:
    capacity = liquid_capacity(tensor(109, 300, 350, 550, 750), tensor(0.1, 0.2, 0.3, 0.4, 0.5))
    close(capacity, [0.000674165, 0.0018, 0.00315, 0.0066, 0.01125], "capacity")


def test_grid_of_three_layers() -> None:
    depth = tensor(0.02, 0.035, 0.04, 0.15, 0.5, 3.0)
    expected = torch.tensor(
        [
            [0.02 / 3, 0.02 / 3, 0.02 / 3],
            [0.01, 0.015, 0.01],
            [0.01, 0.02, 0.01],
            [0.0375, 0.075, 0.0375],
            [0.05, 0.203, 0.247],
            [0.05, 0.5, 2.45],
        ],
        dtype=DTYPE,
    )
    torch.testing.assert_close(grid_thickness(depth, 3).T, expected, rtol=1e-12, atol=0.0)


def test_grid_of_twelve_layers() -> None:
    depth = tensor(0.02, 0.1, 0.5, 1.2, 3.0, 8.0, 20.0)
    upper_middle = {
        0.5: [0.01, *[0.5 / 12] * 4, 0.0535, 0.0713333333, 0.0535, *[0.5 / 12] * 3, 0.02],
        1.2: [0.01, 0.05, 0.1, 0.1, 0.1, 0.156, 0.208, 0.156, 0.1, 0.1, 0.1, 0.02],
        3.0: [0.01, 0.05, 0.15, 0.25, 0.25, 0.501, 0.668, 0.501, 0.25, 0.25, 0.1, 0.02],
        8.0: [0.01, 0.05, 0.15, 0.5, 8 / 12, 1.601, 2.1346666667, 1.601, 8 / 12, 0.5, 0.1, 0.02],
        20.0: [0.01, 0.05, 0.15, 0.5, 1, 5.001, 6.668, 5.001, 1, 0.5, 0.1, 0.02],
    }
    grid = grid_thickness(depth, 12)
    torch.testing.assert_close(grid.sum(dim=0), depth, rtol=1e-14, atol=0.0)
    for column, value in enumerate(depth.tolist()):
        expected = upper_middle.get(value, [value / 12] * 12)
        close(grid[:, column], expected, str(value), rel=1e-9)


@pytest.mark.parametrize("name", SNOWFALLS)
def test_snowfall(name: str) -> None:
    case = STEPS[name]
    given, state = case["input"], case["state"]
    pack = SnowPack(
        water_equivalent=tensor(*state["SWE"])[:, None],
        density=tensor(*state["rho"])[:, None],
        heat_content=tensor(*state["H"])[:, None],
        age=tensor(*state["age"])[:, None],
        albedo=tensor(0.8),
    )
    fresh = fresh_snow_density(tensor(given["T_a"]), tensor(given["U"]))
    layers, depth, heat = add_snowfall(pack, tensor(given["SR"]), fresh, given["Dt"])
    torch.testing.assert_close(layers.thickness.sum(dim=0), depth, rtol=1e-14, atol=0.0)
    for value, key in zip(layers, ("dz", "rho", "H", "age"), strict=True):
        close(value, case["fall"][key], key)
    assert heat.item() == pytest.approx(sum(case["fall"]["H"]) - sum(state["H"]), rel=1e-9)


def test_fresh_snow_is_not_lighter_than_the_minimum_and_calm_air_has_a_derivative() -> None:
    wind = tensor(0.0, 0.0, 4.0).requires_grad_()
    density = fresh_snow_density(tensor(240.0, 272.16, 272.16), wind)
    close(density, [50.0, 103.0, 155.0], "density")
    density.sum().backward()
    assert wind.grad is not None
    close(wind.grad, [0.0, 0.0, 6.5], "derivative")


@pytest.mark.parametrize("name", [*SNOWFALLS, *KEPT])
def test_grid_of_the_step(name: str) -> None:
    case = STEPS[name]
    layers = regrid(initial(case), initial(case).thickness.sum(dim=0))
    for value, key in zip(layers, ("dz", "rho", "H", "age"), strict=True):
        if key in case["regrid"]:
            close(value, case["regrid"][key], key)
    temperature, liquid = split_warmth(
        warmth(layers.heat, layers.density, layers.thickness), layers.density, layers.thickness
    )
    close(temperature, case["T_l"]["T"], "temperature")
    assert liquid.flatten().tolist() == pytest.approx(case["T_l"]["l"], rel=1e-8, abs=1e-15)


@pytest.mark.parametrize("count", [3, 12])
def test_remapping_and_mixing_conserve(count: int) -> None:
    generator = torch.Generator().manual_seed(count)
    uniform = torch.rand(4, count, 50, generator=generator, dtype=DTYPE)
    layers = Layers(0.01 + uniform[0], 100.0 + 400.0 * uniform[1], -1e7 * uniform[2], 50.0 * uniform[3])
    depth = layers.thickness.sum(dim=0)
    mass = (layers.density * layers.thickness).sum(dim=0)
    for other in (remap(layers, grid_thickness(depth, count)), mix(layers, depth)):
        torch.testing.assert_close(other.thickness.sum(dim=0), depth)
        torch.testing.assert_close((other.density * other.thickness).sum(dim=0), mass)
        torch.testing.assert_close(other.heat.sum(dim=0), layers.heat.sum(dim=0))
    same = remap(layers, layers.thickness)
    for before, after in zip(layers, same, strict=True):
        torch.testing.assert_close(before, after, rtol=1e-9, atol=1e-12)


def test_twelve_layers_keep_a_grid_that_is_good_enough() -> None:
    depth = tensor(1.2)
    good = grid_thickness(depth, 12)
    scale = torch.ones(12, 1, dtype=DTYPE)
    for first, renews in ((1.4, False), (1.6, True), (0.6, False), (0.4, True)):
        scale[0], scale[6] = first, 1.0 - 0.01 * (first - 1.0) / 0.208  # the same depth
        thickness = good * scale
        layers = Layers(thickness, torch.full_like(thickness, 300.0), -1e8 * thickness, torch.zeros_like(thickness))
        changed = not torch.equal(regrid(layers, depth).thickness, thickness)
        assert changed == renews, first


@pytest.mark.parametrize("name", STEPS)
def test_compaction(name: str) -> None:
    case = STEPS[name]
    layers = compact(renewed(case), *temperatures(case), case["input"]["Dt"])
    close(layers.thickness, case["compaction"]["dz"], "thickness")
    close(layers.density, case["compaction"]["rho"], "density")


@pytest.mark.parametrize("name", [name for name in STEPS if "drift" in STEPS[name]])
def test_drift(name: str) -> None:
    case = STEPS[name]
    given = case["input"]
    start = renewed(case)._replace(
        thickness=layered(case, "compaction", "dz"), density=layered(case, "compaction", "rho")
    )
    layers = drift(start, tensor(given["U"]), tensor(given["f_forest"]), given["Dt"])
    close(layers.thickness, case["drift"]["dz"], "thickness")
    close(layers.density, case["drift"]["rho"], "density")
    torch.testing.assert_close(layers.thickness * layers.density, start.thickness * start.density, rtol=1e-14, atol=0.0)


@pytest.mark.parametrize("name", [name for name in STEPS if "drift" in STEPS[name]])
def test_light(name: str) -> None:
    case = STEPS[name]
    given, expected = case["input"], case["radiation"]
    density = layered(case, "drift", "rho")
    light = light_in_snow(
        bands=tensor(*expected["bands"])[:, None],
        thickness=torch.clamp(layered(case, "drift", "dz"), min=1e-4),
        density=density,
        age=renewed(case).age,
        shortwave_down=tensor(given["SW"]),
        soil_albedo=tensor(given["a_soil"]),
        permanent_fraction=tensor(given["f_perm"]),
        cosine_zenith=torch.cos(tensor(given["zenith"])),
    )
    assert light.downward.flatten().tolist() == pytest.approx(expected["R"], rel=1e-9, abs=1e-16)
    assert light.transmitted.item() == pytest.approx(expected["light"], rel=1e-9, abs=1e-12)
    temperature, _ = temperatures(case)
    close(snow_conductivity(density, temperature, tensor(given["p_s"])), expected["lam"], "conductivity")


@pytest.mark.parametrize("name", MELTS)
def test_melt(name: str) -> None:
    case = STEPS[name]
    temperature, liquid = layered(case, "solve", "T"), layered(case, "T_l", "l")
    temperature = torch.cat([tensor(case["fluxes"]["T1"])[None], temperature[1:]])
    start = WetLayers(layered(case, "drift", "dz"), layered(case, "drift", "rho"), temperature, liquid)
    layers, unused = melt(start)
    for value, key in zip(layers, ("dz", "rho", "T", "l"), strict=True):
        assert value.flatten().tolist() == pytest.approx(case["melt"][key], rel=1e-9, abs=1e-15), key
    assert unused.item() / case["input"]["Dt"] == pytest.approx(case["melt"]["XS_m"], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", MELTS)
def test_percolation(name: str) -> None:
    case = STEPS[name]
    given = case["input"]
    start = WetLayers(*(layered(case, "melt", key) for key in ("dz", "rho", "T", "l")))
    layers, outflow = percolate(start, tensor(given["rain_in"] * given["Dt"] / 1000.0))
    for value, key in zip(layers, ("dz", "rho", "T", "l"), strict=True):
        assert value.flatten().tolist() == pytest.approx(case["refreeze"][key], rel=1e-8, abs=1e-14), key
    assert 1000.0 * outflow.item() / given["Dt"] == pytest.approx(case["refreeze"]["M"], rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("name", [name for name in MELTS if name != "H_sublim_top_gone_L3"])
def test_sublimation(name: str) -> None:
    case = STEPS[name]
    given, expected = case["input"], case["sublimation"]
    start = WetLayers(*(layered(case, "refreeze", key) for key in ("dz", "rho", "T", "l")))
    lost = tensor(given["p_sn"] * case["fluxes"]["E"])
    layers, excess = sublimate(start, lost, tensor(given["T_a"]), given["Dt"])
    close(layers.thickness, expected["dz"], "thickness")
    close(layers.density, expected["rho"], "density")
    heat = layer_heat(layers.temperature, layers.liquid, layers.density, layers.thickness)
    close(heat, expected["H"], "heat", rel=1e-9)
    assert excess.item() == expected["E_cor"]


def test_more_water_than_the_pack_holds_runs_through() -> None:
    """Rain beyond the capacity of all layers leaves at once, the rest fills them from the top."""
    thickness, density = tensor(0.1, 0.1, 0.1)[:, None], tensor(300.0, 300.0, 300.0)[:, None]
    wet = WetLayers(thickness, density, torch.full_like(density, 273.16), torch.zeros_like(density))
    capacity = liquid_capacity(density, thickness).flatten()
    for rain in (0.5 * capacity[0], capacity[0] + 0.5 * capacity[1], capacity.sum() + 0.01):
        layers, outflow = percolate(wet, rain[None])
        held = layers.liquid.flatten()
        expected = torch.minimum(capacity, torch.clamp(rain - tensor(0, 1, 2) * capacity, min=0.0))
        torch.testing.assert_close(held, expected, rtol=1e-12, atol=1e-15)
        torch.testing.assert_close(held.sum() + outflow[0], rain)


def test_the_first_snow_is_exact() -> None:
    """Rounding decides whether snow on bare ground counts as wet: nothing may be added to that of SURFEX (7.9.3)."""
    pack = empty_pack(torch.zeros(500, dtype=DTYPE), 12)
    generator = torch.Generator().manual_seed(3)
    uniform = torch.rand(2, 500, generator=generator, dtype=DTYPE)
    snowfall, fresh = 1e-4 * uniform[0] + 1e-6, 60.0 + 100.0 * uniform[1]
    layers, depth, _ = add_snowfall(pack, snowfall, fresh, 1800.0)
    assert torch.equal(depth, snowfall * 1800.0 / fresh)
    assert torch.equal(layers.density, fresh.expand(12, 500))
    mixed = regrid(layers, depth)
    heat, mass = torch.zeros(500, dtype=DTYPE), torch.zeros(500, dtype=DTYPE)
    for _ in range(12):
        heat = heat + snowfall * -3.337e5 * 1800.0 / 12
        mass = mass + fresh * (depth / 12)
    for value, expected in zip(mixed, (depth / 12, mass / depth, heat / 12, 0.0 * depth), strict=True):
        assert torch.equal(value, expected.expand(12, 500))
    wet = warmth(mixed.heat, mixed.density, mixed.thickness)[0]
    assert (wet.abs() < 1e-11).all()
    assert 50 < (273.16 + wet < 273.16).sum() < 450, "both branches occur"
