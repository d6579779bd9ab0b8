"""The window Jacobian of the land model against the perturbed runs of SURFEX itself."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr

from dalearn.assimilation.control import ControlVector
from dalearn.assimilation.jacobian import window_jacobian
from dalearn.forcing.air import air_density
from dalearn.forcing.solar import cosine_zenith, limited_cosine
from dalearn.land.model import LandModel
from dalearn.land.parameters import build_parameters
from dalearn.land.photosynthesis import with_reference_assimilation
from dalearn.land.state import LandState
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.land.window import FORCING_FIELDS, ForcingWindow
from dalearn.operators import create_operator

TYPE_OF_PATCH = {1: "NO", 4: "TEBD", 7: "C3", 10: "GRAS"}
STATE_NAMES = {
    "soil_temperature": "TG", "soil_moisture": "WG", "soil_ice": "WGI", "intercepted_water": "WR",
    "aerodynamic_resistance": "RESA", "latent_heat_flux": "LE_AGS", "leaf_area_index": "LAI", "leaf_biomass": "BIOMA1",
    "active_structural_biomass": "BIOMA2", "passive_structural_biomass": "BIOMA3", "daily_assimilation": "ANDAY",
    "maximum_leaf_assimilation": "ANFM", "active_structural_respiration": "RESPI2",
    "passive_structural_respiration": "RESPI3",
}  # fmt: skip


def read_case(path):
    """Model, grid, state and forcing window of a stored SODA window."""
    with xr.open_dataset(path) as dataset:
        dataset.load()
    latitude, longitude = np.array([dataset.attrs["lat"]]), np.array([dataset.attrs["lon"]])
    fractions = np.zeros((1, len(VEGETATION_TYPES)))
    for patch, alpha in zip(dataset.patch.values, dataset.alpha.values, strict=True):
        fractions[0, list(VEGETATION_TYPES).index(TYPE_OF_PATCH[int(patch)])] = alpha
    texture = np.array([dataset.attrs["clay"]]), np.array([dataset.attrs["sand"]])
    grid, parameters = build_parameters(fractions, *texture, latitude, longitude)
    assert grid.patch_of_column.tolist() == dataset.patch.values.tolist()

    record = {name.removeprefix("frc_"): dataset[name].values.astype(float) for name in dataset if name[:4] == "frc_"}
    steps = len(record["Tair"]) - 1
    start = np.datetime64(dataset.attrs["t0"].removesuffix(" UTC").replace(" ", "T"), "s")
    times = start + np.arange(steps) * np.timedelta64(1800, "s")
    sun = (record["DIR_SWdown"] + record["SCA_SWdown"])[:-1]
    fields = {
        "air_temperature": record["Tair"][:-1],
        "specific_humidity": record["Qair"][:-1],
        "surface_pressure": record["PSurf"][:-1],
        "wind_speed": record["Wind"][:-1],
        "shortwave_down": sun,
        "longwave_down": record["LWdown"][:-1],
        "rainfall": record["Rainf"][1:],
        "snowfall": record["Snowf"][1:],
        "co2_concentration": record["CO2air"][:-1],
        "cosine_zenith": limited_cosine(cosine_zenith(times, latitude, longitude)[:, 0], sun),
    }
    values = torch.tensor(np.stack([fields[name] for name in FORCING_FIELDS], axis=1)[:, :, None])
    midnight = times == times.astype("datetime64[D]")
    window = ForcingWindow(values, start, 1800.0, tuple(midnight.tolist()))

    density = air_density(record["Tair"][0], record["Qair"][0], record["PSurf"][0], np.array(2.0))
    mixing_ratio = torch.full((grid.column_count,), float(record["CO2air"][0] / density), dtype=torch.float64)
    model = LandModel(with_reference_assimilation(parameters, mixing_ratio), compiled=False)
    stored = {field: np.nan_to_num(dataset[f"init_{name}"].values).T for field, name in STATE_NAMES.items()}
    state = {field: torch.tensor(np.ascontiguousarray(value)) for field, value in stored.items()}
    dry = torch.full_like(state["soil_moisture"], 0.2)
    state["soil_moisture"] = torch.where(parameters.soil.holds_water, state["soil_moisture"], dry)
    return SimpleNamespace(model=model, grid=grid, state=LandState(**state), window=window, dataset=dataset)


@pytest.mark.parametrize(
    ("name", "backend", "tolerance"),
    [
        ("A_0501", "finite_differences", 1e-5),
        ("B_0501", "finite_differences", 1e-5),
        ("B_0220", "finite_differences", 1e-5),
        ("B_0501", "autograd", 2e-3),
    ],
)
def test_window_jacobian(shared, name, backend, tolerance):
    case = read_case(shared / "reference" / "soda" / f"{name}.nc")
    operators = [create_operator(operator, cell_count=1) for operator in ("wg2", "lai")]
    linear = window_jacobian(case.model, case.grid, case.state, case.window, operators, backend=backend)
    np.testing.assert_allclose(linear.model_equivalent[:, 0], case.dataset.y_b.values, rtol=1e-9)
    H = np.nan_to_num(case.dataset.H.values)
    row = np.abs(H).max(axis=(1, 2), keepdims=True)
    assert np.abs(linear.jacobian.numpy() / row - H / row).max() < tolerance


@pytest.mark.parametrize("name", ["A_0501", "B_0501"])
def test_leaves_that_take_their_structure_along_last(shared, name):
    """In growth dLAI/dLAI is 0.3 to 0.45 with SODA's perturbation and about 1 with both pools, in both back ends."""
    case = read_case(shared / "reference" / "soda" / f"{name}.nc")
    operators = [create_operator(operator, cell_count=1) for operator in ("wg2", "lai")]
    rows = {}
    for backend in ("finite_differences", "autograd"):
        for rule in ("unchanged", "with_leaves"):
            control = ControlVector(structural_biomass=rule)
            arguments = case.model, case.grid, case.state, case.window, operators, control
            rows[backend, rule] = window_jacobian(*arguments, backend=backend).jacobian
    vegetated = case.model.parameters.vegetation.vegetated
    for rule, low, high in (("unchanged", 0.3, 0.45), ("with_leaves", 0.95, 1.05)):
        exact, difference = rows["autograd", rule], rows["finite_differences", rule]
        kept = (difference[1, 0] / case.grid.fraction)[vegetated]
        assert (kept > low).all()
        assert (kept < high).all()
        assert ((exact - difference).abs() / difference.abs().amax(dim=(1, 2), keepdim=True)).max() < 5e-4
    assert torch.equal(*(rows["finite_differences", rule][:, 1:] for rule in ("unchanged", "with_leaves")))
