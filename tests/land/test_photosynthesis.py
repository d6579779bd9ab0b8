"""Golden numbers, gradients and corner cases of the canopy exchange (isba_ags.md 3.4, 6.2), and stored years."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import xarray
from torch import Tensor

from dalearn.errors import InputError
from dalearn.forcing.air import air_density
from dalearn.forcing.solar import cosine_zenith, limited_cosine
from dalearn.land.interception import canopy_capacity, wet_fraction
from dalearn.land.parameters import build_parameters
from dalearn.land.photosynthesis import Photosynthesis, photosynthesis, reference_assimilation
from dalearn.land.radiation import surface_properties
from dalearn.land.saturation import saturation_specific_humidity
from dalearn.land.state import VegetationParameters
from dalearn.land.stress import soil_moisture_stress
from dalearn.land.vegetation import VEGETATION_TYPES, ppm_to_mixing_ratio
from dalearn.tree import map_tensors, to

CANOPY_TYPES = ("TEBD", "BONE", "TRBE", "C3", "C4", "GRAS")
# isba_ags.md 3.4: type, case, three-point AN, RLEAF, Rs, multilayer AN, RLEAF, Rs
CANOPY_TABLE = """
TEBD 1 8.1455867e-07 1.0064120e-07 166.59540 7.3922967e-07 2.5221173e-08 183.13027
TEBD 2 5.1178729e-07 5.8628447e-08 255.03763 4.9004421e-07 1.4692573e-08 265.30487
TEBD 3 1.0308649e-07 1.1454060e-08 720.64710 1.0305114e-07 2.8704430e-09 720.80078
TEBD 4 9.6051212e-07 1.2033949e-07 138.56482 8.1091971e-07 1.5204591e-08 162.29794
TEBD 5 -4.1579703e-08 4.1579703e-08 2007.34118 -1.0420075e-08 1.0420075e-08 2007.34118
BONE 1 8.4363315e-07 1.0538680e-07 175.23449 7.6598193e-07 2.6410443e-08 194.27300
BONE 2 6.7484427e-07 8.2166416e-08 295.15626 6.2042104e-07 2.0591302e-08 322.63152
BONE 3 3.8124549e-07 4.3188027e-08 541.45448 3.6853337e-07 1.0823129e-08 560.51270
BONE 4 1.2859637e-06 1.9804988e-07 154.39255 9.9170831e-07 2.5023103e-08 205.93724
BONE 5 -4.3706710e-08 4.3706710e-08 5000.00000 -1.0953113e-08 1.0953113e-08 5000.00000
TRBE 1 5.5776901e-07 6.3965450e-08 158.83353 5.4454176e-07 1.6030052e-08 162.68973
TRBE 2 4.1822036e-07 4.7045915e-08 205.52741 4.1393885e-07 1.1789934e-08 207.58883
TRBE 3 1.3814612e-07 1.5349769e-08 509.37754 1.3814035e-07 3.8467265e-09 509.39398
TRBE 4 9.2198371e-07 1.1192995e-07 99.39457 9.0053937e-07 1.4142067e-08 102.32550
TRBE 5 -2.4394315e-08 2.4394315e-08 2006.84003 -6.1133335e-09 6.1133335e-09 2006.84003
C3 1 1.0373186e-06 1.3457095e-07 86.19059 8.7656454e-07 1.3457095e-07 98.87719
C3 2 9.9034050e-07 1.2558302e-07 70.46029 8.4865649e-07 1.2558302e-07 80.09174
C3 3 5.8001097e-07 6.6480200e-08 90.04106 5.4064866e-07 6.6480200e-08 95.46067
C3 4 1.4641466e-06 2.1886975e-07 110.89939 9.8312359e-07 2.1886975e-07 147.11798
C3 5 -6.5960588e-08 6.5960588e-08 1251.20692 -6.5960588e-08 6.5960588e-08 1251.20692
C4 1 1.6466853e-06 2.5794068e-07 106.57670 1.2584070e-06 2.5794068e-07 132.24267
C4 2 9.3431104e-07 1.1349450e-07 151.62760 8.2575507e-07 1.1349450e-07 167.82846
C4 3 6.8672698e-07 7.9378116e-08 203.90887 6.3552870e-07 7.9378116e-08 217.08475
C4 4 2.1661699e-06 3.1188758e-07 65.79597 1.5056177e-06 3.1188758e-07 88.12806
C4 5 -4.4159784e-08 4.4159784e-08 2007.38223 -4.4159784e-08 4.4159784e-08 2007.38223
GRAS 1 7.8936704e-07 9.4113834e-08 49.41804 7.0725935e-07 9.4113834e-08 54.27520
GRAS 2 4.2832035e-07 4.8086219e-08 39.45409 4.1228417e-07 4.8086219e-08 40.78633
GRAS 3 3.3465040e-07 3.7323146e-08 52.00676 3.2748818e-07 3.7323146e-08 52.98717
GRAS 4 9.8539562e-07 1.1855625e-07 17.57150 7.7139023e-07 1.1855625e-07 21.68238
GRAS 5 -4.1146783e-08 4.1146783e-08 1250.68584 -4.1146783e-08 4.1146783e-08 1250.68584
"""
# case: temperature, humidity, shortwave, zenith, leaf area index, stress index
CASES = {
    "1": (293.16, 0.008, 600.0, 0.7, 3.0, 1.0),
    "2": (293.16, 0.008, 600.0, 0.7, 3.0, 0.6),
    "3": (293.16, 0.008, 600.0, 0.7, 3.0, 0.15),
    "4": (303.16, 0.010, 900.0, 0.4, 5.0, 0.5),
    "5": (283.16, 0.006, 0.0, 2.0, 3.0, 1.0),
}
REFERENCE_ASSIMILATION = {
    "TEBD": 4.2776924e-07,
    "BONE": 4.4904465e-07,
    "TRBE": 2.7128257e-07,
    "C3": 6.8313731e-07,
    "C4": 1.6335807e-06,
    "IRR": 1.6335807e-06,
    "GRAS": 4.1446274e-07,
    "TROG": 1.3786536e-06,
    "PARK": 4.1446274e-07,
    "TRBD": 3.0906931e-07,
    "TEBE": 4.4119573e-07,
    "TENE": 4.4904465e-07,
    "BOBD": 4.2776924e-07,
    "BOND": 3.0906931e-07,
    "BOGR": 4.1446274e-07,
    "SHRB": 3.9204054e-07,
}


def vegetation_of(*types: str) -> VegetationParameters:
    """One cell, and so one column, for each vegetation type."""
    fractions = np.eye(len(VEGETATION_TYPES))[[VEGETATION_TYPES.index(kind) for kind in types]]
    cells = len(types)
    return build_parameters(fractions, np.full(cells, 0.3), np.full(cells, 0.4), np.full(cells, 45.0), np.zeros(cells))[
        1
    ].vegetation


def inputs(columns: int, case: str = "1", dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    temperature, humidity, shortwave, zenith, leaf_area, stress = CASES[case]

    def column(value: float) -> Tensor:
        return torch.full((columns,), value, dtype=dtype)

    return {
        "leaf_area_index": column(leaf_area),
        "stress_index": column(stress),
        "surface_temperature": column(temperature),
        "saturation_humidity": saturation_specific_humidity(column(temperature), column(1e5)),
        "specific_humidity": column(humidity),
        "air_density": column(1.2),
        "shortwave_down": column(shortwave),
        "cosine_zenith": column(math.cos(zenith)),
        "co2_concentration": column(1.2 * ppm_to_mixing_ratio(400.0)),
        "latent_heat_flux": column(50.0),
        "aerodynamic_resistance": column(60.0),
        "wet_fraction": column(0.0),
    }


def run(vegetation: VegetationParameters, values: dict[str, Tensor], canopy: str = "three_point") -> Photosynthesis:
    albedo = torch.full_like(values["leaf_area_index"], 0.10)
    return photosynthesis(vegetation=vegetation, **values, canopy=canopy, soil_albedo_visible=albedo)


@pytest.mark.parametrize("line", CANOPY_TABLE.strip().splitlines(), ids=lambda line: "-".join(line.split()[:2]))
@pytest.mark.parametrize("canopy", ["three_point", "multilayer"])
def test_canopy_golden(line: str, canopy: str) -> None:
    kind, case, *numbers = line.split()
    expected = [float(number) for number in numbers][slice(0, 3) if canopy == "three_point" else slice(3, 6)]
    vegetation = vegetation_of(kind)
    # the table was made with a vegetation albedo of 0.05 for every type
    vegetation = dataclasses.replace(
        vegetation, vegetation_albedo_visible=torch.full_like(vegetation.vegetation_albedo_visible, 0.05)
    )
    result = run(vegetation, inputs(1, case), canopy)
    got = [result.net_assimilation.item(), result.leaf_respiration.item()]
    assert got == pytest.approx(expected[:2], rel=6e-8)
    assert result.stomatal_resistance.item() == pytest.approx(expected[2], abs=6e-6)


@pytest.mark.parametrize("canopy", ["three_point", "multilayer"])
def test_no_water_at_all_closes_the_canopy(canopy: str) -> None:
    vegetation = vegetation_of(*CANOPY_TYPES)
    values = inputs(len(CANOPY_TYPES))
    values["stress_index"] = torch.zeros_like(values["stress_index"])
    result = run(vegetation, values, canopy)
    assert torch.equal(result.stomatal_resistance, torch.full_like(result.stomatal_resistance, 5000.0))
    assert torch.equal(result.net_assimilation, torch.zeros_like(result.net_assimilation))
    assert torch.equal(result.leaf_respiration, torch.zeros_like(result.leaf_respiration))


def test_wet_and_snow_covered_leaves_do_not_assimilate() -> None:
    vegetation = vegetation_of("GRAS")
    dry = run(vegetation, inputs(1))
    values = inputs(1)
    values["wet_fraction"] = torch.full_like(values["wet_fraction"], 0.25)
    values["snow_fraction"] = torch.full_like(values["wet_fraction"], 0.5)
    wet = run(vegetation, values)
    assert wet.net_assimilation.item() == pytest.approx(0.375 * dry.net_assimilation.item(), rel=1e-14)
    assert wet.leaf_respiration.item() == pytest.approx(0.375 * dry.leaf_respiration.item(), rel=1e-14)
    assert wet.mean_leaf_assimilation.item() == dry.mean_leaf_assimilation.item()
    assert wet.stomatal_resistance.item() == dry.stomatal_resistance.item()


@pytest.mark.parametrize("canopy", ["three_point", "multilayer"])
def test_batch_equals_single(canopy: str) -> None:
    together = run(vegetation_of(*CANOPY_TYPES), inputs(len(CANOPY_TYPES)), canopy)
    for column, kind in enumerate(CANOPY_TYPES):
        alone = run(vegetation_of(kind), inputs(1), canopy)
        for batch, single in zip(together, alone, strict=True):
            assert batch[column].item() == pytest.approx(single[0].item(), rel=1e-14)


def test_unknown_canopy() -> None:
    vegetation = vegetation_of("GRAS")
    with pytest.raises(InputError, match="unknown scheme 'big_leaf'"):
        photosynthesis(vegetation=vegetation, **inputs(1), canopy="big_leaf")
    with pytest.raises(InputError, match="soil albedo"):
        photosynthesis(vegetation=vegetation, **inputs(1), canopy="multilayer")


def test_reference_assimilation_golden() -> None:
    got = vegetation_of(*REFERENCE_ASSIMILATION).reference_assimilation.tolist()
    assert got == pytest.approx(list(REFERENCE_ASSIMILATION.values()), rel=2e-8)


DIFFERENTIABLE = (
    "leaf_area_index",
    "stress_index",
    "surface_temperature",
    "saturation_humidity",
    "specific_humidity",
    "shortwave_down",
    "co2_concentration",
    "latent_heat_flux",
    "aerodynamic_resistance",
    "wet_fraction",
)


@pytest.mark.parametrize("canopy", ["three_point", "multilayer"])
@pytest.mark.parametrize("stress", [0.1, 0.21, 0.75])
def test_gradients_match_differences(canopy: str, stress: float) -> None:
    types = (*CANOPY_TYPES, "TENE", "IRR", "TROG", "SHRB", "NO")
    vegetation = vegetation_of(*types)
    values = inputs(len(types))
    values["stress_index"] = torch.full_like(values["stress_index"], stress)
    values["leaf_area_index"] = torch.full_like(values["stress_index"], 3.3)
    values["wet_fraction"] = torch.full_like(values["wet_fraction"], 0.2)
    for name in DIFFERENTIABLE:
        centre = values[name].clone().requires_grad_()
        result = run(vegetation, values | {name: centre}, canopy)
        step = 1e-6 * values[name].abs().clamp(min=1e-3)
        above = run(vegetation, values | {name: values[name] + step}, canopy)
        below = run(vegetation, values | {name: values[name] - step}, canopy)
        for field, value in zip(result._fields, result, strict=True):
            gradient = torch.zeros_like(centre)
            if value.requires_grad:
                (gradient,) = torch.autograd.grad(value.sum(), centre, retain_graph=True, materialize_grads=True)
            difference = (getattr(above, field) - getattr(below, field)) / (2.0 * step)
            scale = value.detach().abs() / values[name].abs().clamp(min=1e-3)
            error = (gradient - difference).abs() / (scale + difference.abs() + 1e-300)
            assert error.max() < 1e-6, (name, field, error)


def corner_inputs(columns: int, dtype: torch.dtype) -> list[dict[str, Tensor]]:
    base = inputs(columns, dtype=dtype)
    corners = [{}]
    for name, extremes in {
        "leaf_area_index": (0.0, 0.3, 12.0),
        "stress_index": (0.0, 1e-30, 0.03, 0.3, 1.0),
        "surface_temperature": (210.0, 273.16, 340.0),
        "specific_humidity": (0.0, 1e-6, 0.05),
        "shortwave_down": (0.0, 1e-20, 1e-3, 1400.0),
        "cosine_zenith": (-1.0, 0.0, 0.01, 0.9999),
        "co2_concentration": (0.0, 1e-4, 5e-3),
        "latent_heat_flux": (-300.0, 900.0),
        "aerodynamic_resistance": (1.0, 1e5),
        "wet_fraction": (1.0,),
    }.items():
        corners += [{name: value} for value in extremes]
    corners += [
        {"stress_index": 0.0, "shortwave_down": 0.0},
        {"stress_index": 0.0, "leaf_area_index": 0.0, "shortwave_down": 0.0, "surface_temperature": 220.0},
        {"stress_index": 0.0, "surface_temperature": 220.0, "shortwave_down": 900.0},
        {"stress_index": 1e-12, "surface_temperature": 215.0, "shortwave_down": 1000.0},
        {"leaf_area_index": 0.0, "shortwave_down": 900.0, "cosine_zenith": 0.0},
    ]
    return [base | {name: torch.full_like(base[name], value) for name, value in corner.items()} for corner in corners]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("canopy", ["three_point", "multilayer"])
def test_values_and_gradients_stay_finite(canopy: str, dtype: torch.dtype) -> None:
    vegetation = to(vegetation_of(*VEGETATION_TYPES), dtype=dtype)
    for values in corner_inputs(len(VEGETATION_TYPES), dtype):
        values["saturation_humidity"] = saturation_specific_humidity(
            values["surface_temperature"], torch.full_like(values["air_density"], 1e5)
        )
        variables = {name: value.clone().requires_grad_() for name, value in values.items()}
        result = run(vegetation, variables, canopy)
        for value in result:
            assert value.isfinite().all()
            names = [name for name in variables if name != "cosine_zenith"]
            gradients = torch.autograd.grad(
                value.sum(), [variables[name] for name in names], retain_graph=True, materialize_grads=True
            )
            for name, gradient in zip(names, gradients, strict=True):
                assert gradient.isfinite().all(), name


def test_bare_columns_do_nothing() -> None:
    vegetation = vegetation_of("NO", "ROCK", "SNOW")
    values = inputs(3)
    values["leaf_area_index"] = torch.zeros(3, dtype=torch.float64)
    for value in run(vegetation, values):
        assert torch.equal(value, torch.zeros_like(value))


def test_single_precision_is_close() -> None:
    types = ("TEBD", "TENE", "TRBE", "C3", "C4", "GRAS", "SHRB")
    vegetation = vegetation_of(*types)
    double = run(vegetation, inputs(len(types), "2"))
    single = run(to(vegetation, dtype=torch.float32), inputs(len(types), "2", torch.float32))
    for wide, narrow in zip(double, single, strict=True):
        assert narrow.dtype == torch.float32
        torch.testing.assert_close(narrow.double(), wide, rtol=2e-4, atol=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("canopy", ["three_point", "multilayer"])
def test_compiles_without_graph_breaks(canopy: str) -> None:
    torch.compiler.reset()
    compiled = torch.compile(run, fullgraph=True, dynamic=True)
    for types in (CANOPY_TYPES, (*CANOPY_TYPES, "NO", "SHRB")):
        vegetation = vegetation_of(*types)
        values = inputs(len(types))
        stress = values["stress_index"].mul(0.5).requires_grad_()
        outcomes = []
        for function in (run, compiled):
            result = function(vegetation, values | {"stress_index": stress}, canopy)
            (gradient,) = torch.autograd.grad(1e-3 * result.stomatal_resistance.sum(), stress)
            outcomes.append((*(value.detach() for value in result), gradient))
        for eager, fused in zip(*outcomes, strict=True):
            torch.testing.assert_close(fused, eager, rtol=1e-10, atol=1e-20)


def stored_case(shared, case: str, names: tuple[str, ...], records: slice) -> tuple[dict[str, Tensor], dict]:
    """Variables of the first patch over the output steps, forcing records as columns, attributes of the file."""
    with xarray.open_dataset(shared / "reference" / "surfex" / f"{case}.nc", decode_times=False) as data:
        attributes = dict(data.attrs)
        stored = {name: torch.from_numpy(data[name].values.astype(np.float64)[..., 0]) for name in names}
        air = {
            name: data[name].values[records].astype(np.float64)
            for name in ("Tair", "Qair", "PSurf", "DIR_SWdown", "SCA_SWdown", "CO2air")
        }
    density = air_density(air["Tair"], air["Qair"], air["PSurf"], float(attributes["zref"]))
    forcing = {
        "air_density": density,
        "specific_humidity": air["Qair"],
        "surface_pressure": air["PSurf"],
        "shortwave_down": air["DIR_SWdown"] + air["SCA_SWdown"],
        "co2_concentration": air["CO2air"],
    }
    return stored | {name: torch.from_numpy(values) for name, values in forcing.items()}, attributes


@pytest.mark.parametrize(
    ("case", "kind", "expected"),
    [
        ("c3_hapex", "C3", 5.594963421862e-07),
        ("grass_hapex", "GRAS", 3.350657473950e-07),
        ("broadleaf_hapex", "TEBD", 3.513066326629e-07),
        ("conifer_eses1999", "TENE", 3.761473935108e-07),
    ],
)
def test_reference_assimilation_of_the_stored_cases(shared, case: str, kind: str, expected: float) -> None:
    """isba_ags.md 1.1: CO2 of the first forcing record divided by its density."""
    first, _ = stored_case(shared, case, (), slice(0, 1))
    got = reference_assimilation(vegetation_of(kind), first["co2_concentration"] / first["air_density"])
    assert got.item() == pytest.approx(expected, rel=1e-11)


def year_of(shared, case: str, kind: str, canopy: str = "three_point") -> tuple[Photosynthesis, dict[str, Tensor]]:
    """Every half hour of a stored year but the first, each from the stored state of the step before."""
    names = ("WG", "TG", "LAI", "LE_AGS", "RESA", "WR", "AN", "GPP", "PSNV")
    stored, attributes = stored_case(shared, case, names, slice(1, 17520))
    columns = len(stored["AN"]) - 1
    place = [np.array([float(attributes[name])]) for name in ("lat", "lon")]
    times = np.datetime64(attributes["start"].replace(" ", "T")) + np.arange(1, columns + 1) * np.timedelta64(1800, "s")
    cosine = limited_cosine(cosine_zenith(times, *place)[:, 0], stored["shortwave_down"].numpy())
    before = {name: stored[name][:-1] for name in names}

    texture = [np.array([float(attributes[name])]) for name in ("clay", "sand")]
    fractions = np.eye(len(VEGETATION_TYPES))[[VEGETATION_TYPES.index(kind)]]
    parameters = map_tensors(
        lambda tensor: tensor.expand(*tensor.shape[:-1], columns), build_parameters(fractions, *texture, *place)[1]
    )
    soil, vegetation = parameters.soil, parameters.vegetation
    moisture = torch.where(soil.holds_water, before["WG"].T, soil.wilting_point)
    surface = surface_properties(before["LAI"], vegetation)
    capacity = canopy_capacity(vegetation.interception_coefficient, surface.vegetation_fraction, before["LAI"])
    return photosynthesis(
        vegetation=vegetation,
        leaf_area_index=before["LAI"],
        stress_index=soil_moisture_stress(moisture, soil).index,
        surface_temperature=before["TG"][:, 0],
        saturation_humidity=saturation_specific_humidity(before["TG"][:, 0], stored["surface_pressure"]),
        specific_humidity=stored["specific_humidity"],
        air_density=stored["air_density"],
        shortwave_down=stored["shortwave_down"],
        cosine_zenith=torch.from_numpy(cosine),
        co2_concentration=stored["co2_concentration"],
        latent_heat_flux=before["LE_AGS"],
        aerodynamic_resistance=before["RESA"],
        wet_fraction=wet_fraction(before["WR"], capacity, before["LAI"], surface.roughness_length),
        snow_fraction=stored["PSNV"][1:],  # a row holds the fraction that its step used
        canopy=canopy,
        soil_albedo_visible=vegetation.soil_albedo_visible_dry,
    ), stored


@pytest.mark.parametrize(
    ("case", "kind", "canopy"),
    [
        ("c3_hapex", "C3", "three_point"),
        ("grass_hapex", "GRAS", "three_point"),
        ("broadleaf_hapex", "TEBD", "three_point"),
        ("conifer_eses1999", "TENE", "three_point"),
        ("option_c3_trml", "C3", "multilayer"),
    ],
)
def test_year_of_a_stored_run(shared, case: str, kind: str, canopy: str) -> None:
    result, stored = year_of(shared, case, kind, canopy)
    assert ((result.net_assimilation - stored["AN"][1:]).abs() / stored["AN"].abs().max()).max() < 2e-5
    production = (result.net_assimilation + result.leaf_respiration) * stored["air_density"]
    assert ((production - stored["GPP"][1:]).abs() / stored["GPP"].max()).max() < 2e-5


def test_steps_with_intermediate_values(shared) -> None:
    """Three steps of isba_physics.md 11.17: wet canopy, frozen soil, night."""
    result, _ = year_of(shared, "c3_hapex", "C3")
    expected = {
        5591: (4.15623068562e-07, 4.67285142765e-08, 2.65973889097e-07, 30.6834496015),
        1888: (7.00962381134e-09, 7.78847090149e-10, 6.69142296649e-09, 1308.02558862),
        7680: (-8.55810845721e-08, 8.55810845721e-08, -1.60825670121e-08, 705.296843433),
    }
    for step, values in expected.items():
        assert [value[step - 1].item() for value in result] == pytest.approx(values, rel=1e-10)
