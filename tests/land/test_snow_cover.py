"""Snow fractions, roughness, the heat given to the soil and aggregation (isba_physics.md 3.2, 3.4, 7.6, 7.7)."""

import json
from pathlib import Path

import pytest
import torch

from dalearn.land.energy_budget import HeatFluxes
from dalearn.land.snow import SnowFluxes
from dalearn.land.snow_cover import (
    ColumnSurface,
    SnowCover,
    blended_roughness,
    column_fluxes,
    column_surface,
    heat_soil_from_snow,
    snow_fractions,
)
from dalearn.land.snow_pack import SnowPack, empty_pack
from dalearn.land.turbulence import drag_coefficient, heat_conductance, richardson_number, roughness_functions

DTYPE = torch.float64
GOLDEN = json.loads((Path(__file__).parent / "data" / "snow_golden.json").read_text())


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=DTYPE)


def uniform_pack(mass: float, depth: float) -> SnowPack:
    layer = torch.full((3, 1), mass / 3.0, dtype=DTYPE)
    return SnowPack(
        water_equivalent=layer,
        density=torch.full_like(layer, mass / depth),
        heat_content=-3.337e5 * layer,
        age=torch.zeros_like(layer),
        albedo=tensor(0.8),
    )


@pytest.mark.parametrize(
    ("veg", "z0v", "mass", "depth", "expected"),
    [
        (0.95, 0.0716492424113, 1.4089362951, 0.00985885270818,
         (0.985885270818, 0.0267827140995, 0.0747378419354, 0.0644858478221, 0.00620644969065)),
        (0.95, 0.0733544303073, 0.245153958566, 0.0016677461897,
         (0.16677461897, 0.00452650812246, 0.0126389136648, 0.0721128986489, 0.00716518680577)),
        (0.95, 0.0603539975639, 0.0885407383178, 0.000668107771738,
         (0.0668107771738, 0.00220907280358, 0.00543915802209, 0.0599015300339, 0.0059747938379)),
        (0.95, 0.00650030010151, 479.779456071, 1.12139961446,
         (1, 0.971833374554, 0.973241705826, 0.00107912299723, 0.000107139569697)),
        (0.95, 1.95, 1.290465006, 0.0054855500985,
         (0.54855500985, 0.000562304159063, 0.0279619394436, 1.94929507777, 0.189654009495)),
    ],
)  # fmt: skip
def test_fractions_and_roughness(
    veg: float, z0v: float, mass: float, depth: float, expected: tuple[float, ...]
) -> None:
    cover = snow_fractions(uniform_pack(mass, depth), tensor(veg), tensor(z0v))
    lengths = blended_roughness(tensor(z0v), cover.total, tensor(2.0), tensor(1.5))
    values = [cover.ground.item(), cover.vegetation.item(), cover.total.item(), *(z.item() for z in lengths)]
    assert values == pytest.approx(expected, rel=1e-10)


def test_without_snow_nothing_is_covered() -> None:
    roughness = tensor(0.01, 2.0, 2.6).requires_grad_()
    cover = snow_fractions(empty_pack(tensor(0.0, 0.0, 0.0), 12), tensor(0.0, 0.95, 1.0), roughness)
    lengths = blended_roughness(roughness, cover.total, tensor(2.0, 2.0, 2.0), tensor(2.0, 2.0, 2.0))
    assert all((part == 0.0).all() for part in cover)
    assert torch.equal(lengths[0], roughness)
    assert torch.equal(lengths[1], 0.1 * roughness)
    (gradient,) = torch.autograd.grad(lengths[0].sum() + lengths[1].sum() + sum(p.sum() for p in cover), roughness)
    assert gradient.isfinite().all(), "roughness equal to the forcing height included"


@pytest.mark.parametrize("case", GOLDEN["coupling"], ids=["distributed", "direct"])
def test_heat_to_the_soil(soil_of, case: dict) -> None:
    soil = soil_of("GRAS", root_depth=1.5)
    count = len(case["C"])
    assert soil.layer_bottom[:count, 0].tolist() == pytest.approx(case["d"])
    capacity = torch.full_like(soil.layer_bottom, 2e6)
    capacity[:count, 0] = tensor(*case["C"])
    heating = heat_soil_from_snow(
        fraction=tensor(case["p_sn"]),
        ground_heat=tensor(case["G_sn"]),
        correction_heat=tensor(case["F_c"]),
        surface_inertia=tensor(case["C_T"]),
        heat_capacity=capacity,
        soil=soil,
        time_step=case["Dt"],
    )
    surface = case["p_sn"] * case["G_sn_used"] + case["F_cor"][0]
    assert heating.surface.item() == pytest.approx(surface, rel=1e-10)
    assert heating.layers[0].item() == 0.0
    assert heating.layers[1:count, 0].tolist() == pytest.approx(case["F_cor"][1:], rel=1e-10)
    assert (heating.layers[count:] == 0.0).all()
    given = case["p_sn"] * (case["G_sn"] + case["F_c"])
    assert (heating.surface + heating.layers.sum(dim=0)).item() == pytest.approx(given, rel=1e-12), "nothing is lost"


def test_aggregation() -> None:
    given, expected = GOLDEN["aggregation"]["input"], GOLDEN["aggregation"]["output"]
    value = {key: tensor(number) for key, number in given.items()}
    cover = SnowCover(value["p_sn"], value["p_sng"], value["p_snv"])
    none = tensor(0.0)
    soil = HeatFluxes(value["Rn_soil"], value["H_soil"], value["LE_g"], value["LE_gi"], value["LE_v"], value["LE_tr"])
    snow = SnowFluxes(
        net_radiation=value["Rn_snow"],
        sensible=value["H_snow"],
        latent=value["LE_snow"],
        sublimation=value["E_snow"],
        surface_heat=none,
        ground_heat=value["G_sn"],
        correction_heat=value["F_c"],
        melt_outflow=none,
        excess_sublimation=none,
        rain_outside=none,
        friction_velocity_squared=value["ustar_snow"] ** 2,
        surface_temperature=value["T_sn1_end"],
        surface_humidity=value["q_si_snow"],
        fallen_heat=none,
    )
    fluxes = column_fluxes(soil, snow, cover)
    names = {
        "net_radiation": "RN", "sensible": "H", "latent": "LE", "ground": "GFLUX", "soil_evaporation": "LEG",
        "soil_sublimation": "LEGI", "vegetation": "LEV", "transpiration": "LETR", "interception": "LER",
        "snow_sublimation": "LES", "evaporation": "EVAP",
    }  # fmt: skip
    for field, name in names.items():
        assert getattr(fluxes, field).item() == pytest.approx(expected[name], rel=1e-11, abs=1e-20), name

    snow_free = ColumnSurface(
        temperature=value["T_1_end"],
        radiative_temperature=value["T_1_end"],
        albedo=value["albedo_snowfree"],
        emissivity=value["eps_snowfree"],
        humidity=value["q_s_soil"],
    )
    surface = column_surface(snow_free, snow, value["a_n_start"], cover)
    assert surface.temperature.item() == pytest.approx(expected["TS"], rel=1e-13)
    assert surface.radiative_temperature.item() == pytest.approx(expected["TSRAD"], rel=1e-13)
    assert surface.albedo.item() == pytest.approx(expected["ALBT"], rel=1e-12)
    assert surface.emissivity.item() == pytest.approx(expected["EMIST"], rel=1e-12)
    assert surface.humidity.item() == pytest.approx(expected["QS"], rel=1e-11)

    wind = torch.clamp(value["U"], min=0.2)
    roughness = roughness_functions(value["z0"], value["z0h"], value["u_ref"], value["z_ref"])
    richardson = richardson_number(
        air_temperature=value["T_a"], air_humidity=value["q_a"], air_exner=value["Pi_a"],
        surface_temperature=surface.temperature, surface_humidity=surface.humidity, surface_exner=value["Pi_s"],
        wind=wind, wind_height=value["u_ref"], temperature_height=value["z_ref"],
    )  # fmt: skip
    assert richardson.item() == pytest.approx(expected["RI"], rel=1e-8)
    assert drag_coefficient(richardson, roughness).item() == pytest.approx(expected["CD"], rel=1e-10)
    conductance = heat_conductance(richardson, wind, roughness) / wind
    assert conductance.item() == pytest.approx(expected["CH"], rel=1e-10)
