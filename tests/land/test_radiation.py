"""Surface properties from the leaf area index (isba_physics.md 3.1, 3.3, 3.4)."""

import numpy as np
import pytest
import torch
import xarray

from dalearn.errors import InputError
from dalearn.land.parameters import build_parameters
from dalearn.land.radiation import dry_soil_albedo, moist_soil_albedo, surface_properties, vegetation_height
from dalearn.land.state import VegetationParameters
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.tree import map_tensors


def vegetation_of(*types: str, sand: float = 0.37) -> VegetationParameters:
    """One cell, and so one column, for each vegetation type."""
    fractions = np.eye(len(VEGETATION_TYPES))[[VEGETATION_TYPES.index(kind) for kind in types]]
    cells = len(types)
    return build_parameters(
        fractions, np.full(cells, 0.05), np.full(cells, sand), np.full(cells, 43.0), np.zeros(cells)
    )[1].vegetation


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("kind", "leaf_area", "cover", "roughness"),
    [
        ("NO", 0.0, 0.0, 0.013),
        ("ROCK", 0.0, 0.0, 0.13),
        ("SNOW", 0.0, 0.0, 0.0013),
        ("C3", 0.5, 0.2591817793182821, 0.012933775464331596),
        ("C3", 5.0, 1.0 - np.exp(-3.0), 0.13),
        ("C4", 5.0, 1.0 - np.exp(-3.0), 0.13 * 2.5),
        ("IRR", 3.5, 1.0 - np.exp(-2.1), 0.13),
        ("GRAS", 1.1, 0.95, 0.02383333333333334),
        ("GRAS", 2.8, 0.95, 0.06066666666666668),
        ("TROG", 0.0, 0.95, 0.001),
        ("TEBD", 3.0, 0.95, 1.2999999999999998),
        ("TENE", 3.0, 0.95, 1.9500000000000004),
        ("TRBE", 5.0, 1.0, 0.13 * 17.5),
        ("SHRB", 1.0, 0.95, 0.26),
    ],
)
def test_cover_and_roughness(kind: str, leaf_area: float, cover: float, roughness: float) -> None:
    surface = surface_properties(column(leaf_area), vegetation_of(kind))
    assert surface.vegetation_fraction.item() == pytest.approx(cover, rel=1e-14)
    assert surface.roughness_length.item() == pytest.approx(roughness, rel=1e-14)


def test_emissivity() -> None:
    surface = surface_properties(column(0.0, 0.0, 0.5, 2.0, 5.0), vegetation_of("NO", "SNOW", "C3", "GRAS", "TRBE"))
    expected = [0.94, 0.99, 0.9477754533795484, 0.9685, 0.97]
    assert surface.emissivity.tolist() == pytest.approx(expected, rel=1e-14)


def test_dry_soil_albedo() -> None:
    albedo = dry_soil_albedo(column(0.37, 0.05, 0.9, 0.9), column(0.0, 0.0, 0.0, 1.0))
    assert albedo.visible.tolist() == pytest.approx([0.211, 0.20, 0.37, 0.082], rel=1e-12)
    torch.testing.assert_close(albedo.near_infrared, albedo.visible + 0.1, rtol=0.0, atol=1e-15)


def test_moist_soil_albedo() -> None:
    vegetation = vegetation_of("NO", "GRAS")
    dry = moist_soil_albedo(vegetation)
    for option, share in (("DRY", 1.0), ("WET", 0.5), ("MEAN", 0.75)):
        for got, whole in zip(moist_soil_albedo(vegetation, option), dry, strict=True):
            torch.testing.assert_close(got, share * whole, rtol=1e-15, atol=0.0)
    for moisture in (0.0, 0.3, 0.8, 1.0, 1.2):
        got = moist_soil_albedo(vegetation, "EVOL", column(moisture, moisture))
        x = min(moisture, 1.0)
        for band, whole in zip(got, dry, strict=True):
            wet = 0.5 * whole
            bracket = x + (whole - wet) / (0.25 * whole - wet)
            expected = wet + (0.25 * whole - wet) * (1.0 - x) * bracket
            torch.testing.assert_close(band, expected, rtol=1e-14, atol=0.0)


def test_albedo_options_are_checked() -> None:
    vegetation = vegetation_of("NO")
    with pytest.raises(InputError, match="unknown option 'DAMP', choose one of DRY"):
        surface_properties(column(0.0), vegetation, "DAMP")
    with pytest.raises(InputError, match="needs the moisture"):
        surface_properties(column(0.0), vegetation, "EVOL")


def test_gradients_match_differences() -> None:
    types = ("C3", "C4", "GRAS", "TEBD", "NO")
    vegetation = vegetation_of(*types)
    area = column(1.5, 2.0, 3.0, 2.0, 0.0).requires_grad_()
    moisture = column(0.4, 0.5, 0.6, 0.7, 0.8)
    surface = surface_properties(area, vegetation, "EVOL", moisture)
    high, low = (surface_properties(area.detach() + step, vegetation, "EVOL", moisture) for step in (1e-6, -1e-6))
    for value, above, below in zip(surface, high, low, strict=True):
        (gradient,) = torch.autograd.grad(value.sum(), area, retain_graph=True)
        torch.testing.assert_close(gradient, (above - below) / 2e-6, rtol=1e-8, atol=1e-10)


def test_height_stays_finite_in_single_precision() -> None:
    vegetation = vegetation_of("C3", "C4", "GRAS")
    area = torch.tensor([0.0, 60.0, 60.0], requires_grad=True)
    height = vegetation_height(area, vegetation)
    (gradient,) = torch.autograd.grad(height.sum(), area)
    assert height.isfinite().all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("case", "step", "expected"),
    [
        ("bare_hapex", 9001, (0.0, 0.013, 0.94, 0.261)),
        ("c3_hapex", 5591, (0.80245460649, 0.0704174222365, 0.964073638195, 0.183425941485)),
        ("c3_hapex", 1888, (0.466625845981, 0.0197082469092, 0.953998775379, 0.155249908478)),
        ("c3_hapex", 7680, (0.958943838222, 0.13, 0.968768315147, 0.196555388027)),
    ],
)
def test_steps_with_intermediate_values(shared, case: str, step: int, expected: tuple[float, ...]) -> None:
    """isba_physics.md 11.17."""
    with xarray.open_dataset(shared / "reference" / "surfex" / f"{case}.nc", decode_times=False) as data:
        area = data["LAI"].values[step - 1, 0].astype(np.float64) if case.startswith("c3") else 0.0
        sand = float(data.attrs["sand"])
        kind = "C3" if case.startswith("c3") else "NO"
    surface = surface_properties(column(float(area)), vegetation_of(kind, sand=sand))
    assert [value.item() for value in surface] == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("case", "kind", "option"),
    [
        ("c3_hapex", "C3", "DRY"),
        ("grass_itamp2003", "GRAS", "DRY"),
        ("broadleaf_hapex", "TEBD", "DRY"),
        ("conifer_eses1999", "TENE", "DRY"),
        ("option_grass_dt92", "GRAS", "EVOL"),
        ("option_c3_trml", "C3", "DRY"),
    ],
)
def test_year_of_a_stored_run(shared, case: str, kind: str, option: str) -> None:
    """Cover and roughness follow the stored leaf area; the albedo matches where no snow lies."""
    with xarray.open_dataset(shared / "reference" / "surfex" / f"{case}.nc", decode_times=False) as data:
        rows = {name: data[name].values[:, 0].astype(np.float64) for name in ("LAI", "VEG", "Z0VEG", "TALB", "PSN")}
        moisture = torch.from_numpy(data["WG"].values[:, 0, 0].astype(np.float64) / data["par_WSAT"].values[0])
        sand = float(data.attrs["sand"])
    area = torch.from_numpy(rows["LAI"])
    vegetation = map_tensors(lambda tensor: tensor.expand(len(area)), vegetation_of(kind, sand=sand))
    surface = surface_properties(area, vegetation, option, moisture)
    np.testing.assert_allclose(surface.vegetation_fraction.numpy(), rows["VEG"], rtol=2e-7)
    np.testing.assert_allclose(surface.roughness_length.numpy(), rows["Z0VEG"], rtol=3e-7)
    # a row holds the albedo its step used, of the state of the row before
    bare = rows["PSN"][1:] == 0.0
    np.testing.assert_allclose(surface.albedo.numpy()[:-1][bare], rows["TALB"][1:][bare], rtol=2e-7)
