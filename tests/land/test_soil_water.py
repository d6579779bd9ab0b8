"""isba_physics.md 5, 11.8, 11.9, 11.13."""

import pytest
import torch

from dalearn.constants import LATENT_HEAT_VAPORISATION
from dalearn.land.runoff import dunne_runoff_of_means
from dalearn.land.soil_heat import soil_thermal
from dalearn.land.soil_water import (
    SoilColumn,
    SoilWaterDemand,
    richards,
    soil_vapour_pressures,
    vapour_conductivity,
    water_substep,
)
from dalearn.land.stress import soil_moisture_stress

DTYPE = torch.float64
EVAPORATION = 20.0 / (LATENT_HEAT_VAPORISATION * 1000.0)
TRANSPIRATION = 100.0 / (LATENT_HEAT_VAPORISATION * 1000.0)


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=DTYPE)


def example_step(soil, temperature, moisture, *, throughfall: float, ice=None, **changes) -> SoilColumn:
    """One step of 300 s of isba_physics.md 11.9."""
    ice = torch.zeros_like(moisture) if ice is None else ice
    stress = soil_moisture_stress(moisture, soil)
    demand = SoilWaterDemand(
        throughfall=tensor(throughfall / 1000.0),
        soil_evaporation=tensor(EVAPORATION),
        sublimation=tensor(0.0),
        root_uptake=stress.uptake / stress.index * TRANSPIRATION,
        excess_evaporation=tensor(0.0),
    )._replace(**changes)
    return water_substep(
        SoilColumn(temperature, moisture, ice, tensor(0.0), tensor(0.0)),
        demand,
        soil_vapour_pressures(temperature),
        tensor(1.0e5),
        soil_thermal(temperature, moisture, ice, soil).heat_capacity,
        tensor(1.0),
        soil,
        substeps=1,
        time_step=300.0,
    )


@pytest.mark.parametrize(
    ("throughfall", "expected"),
    [
        (
            0.0,
            ".149962222 .172237733 .194449790 .216656864 .238886179 .261135497 .283385178 .305529257 .327758163 "
            ".349894811",
        ),
        (2e-3, ".208403599 .172756752 .194450051"),
        (2e-2, ".338808560 .305678031 .196253812"),
    ],
)
def test_example(soil_of, profile, throughfall: float, expected: str) -> None:
    soil, (temperature, moisture) = soil_of(), profile
    assert soil_moisture_stress(moisture, soil).index.item() == pytest.approx(0.4105620839243457, rel=1e-13)
    result = example_step(soil, temperature, moisture, throughfall=throughfall)
    values = [float(word) for word in expected.split()]
    assert result.moisture[: len(values), 0].tolist() == pytest.approx(values, abs=6e-10)
    assert result.drainage.item() == pytest.approx(1.3044845816756e-4, rel=1e-12)


def test_vapour_conductivity_of_the_example(soil_of, profile) -> None:
    soil, (temperature, moisture) = soil_of(), profile
    potential = soil.saturated_potential * (moisture / soil.porosity) ** -soil.retention_exponent
    assert potential[0].item() == pytest.approx(-303.64155612, rel=1e-10)
    conductivity = vapour_conductivity(
        temperature=temperature,
        moisture=moisture,
        ice=torch.zeros_like(moisture),
        potential=potential,
        impedance=torch.ones_like(moisture),
        vapour=soil_vapour_pressures(temperature),
        surface_pressure=tensor(1.0e5),
        soil=soil,
    )
    assert conductivity[0].item() == pytest.approx(2.18252054e-15, rel=1e-8)
    assert (conductivity[8:10] == 0.0).all()


@pytest.mark.parametrize(
    ("throughfall", "moisture", "ice"),
    [
        (0.0, 0.25, 0.0),
        (2e-2, 0.25, 0.0),
        (0.5, 0.44, 0.0),
        (-1e-4, 0.25, 0.05),
        (2e-3, 0.0012, 0.0),
        (0.02, 0.30, 0.14),
    ],
)
def test_water_is_conserved(soil_of, throughfall: float, moisture: float, ice: float) -> None:
    soil = soil_of()
    temperature = torch.full((14, 1), 274.0, dtype=DTYPE)
    liquid, frozen = torch.full_like(temperature, moisture), torch.full_like(temperature, ice)
    result = example_step(
        soil, temperature, liquid, throughfall=throughfall, ice=frozen,
        root_uptake=torch.zeros((14, 1), dtype=DTYPE), sublimation=tensor(3e-9),
    )  # fmt: skip
    change = (result.moisture + result.ice - liquid - frozen) * soil.layer_thickness * soil.holds_water
    stored = 1000.0 * change.sum() / 300.0
    outflow = result.drainage + result.saturation_runoff + 1000.0 * (EVAPORATION + 3e-9)
    assert stored.item() == pytest.approx(throughfall - outflow.item(), abs=1e-14)
    assert (result.moisture[:10] >= 0.001 - 1e-15).all()
    assert (result.moisture + result.ice <= soil.porosity + 1e-12)[:10].all()
    assert (result.moisture[10:] == liquid[10:]).all()


def test_infiltration_excess_becomes_runoff_only_when_the_column_is_full(soil_of) -> None:
    soil = soil_of()
    temperature = torch.full((14, 1), 285.0, dtype=DTYPE)
    dry = example_step(soil, temperature, torch.full_like(temperature, 0.2), throughfall=0.05)
    full = example_step(soil, temperature, soil.porosity * 0.9999, throughfall=0.05)
    assert dry.saturation_runoff.item() == 0.0
    assert full.saturation_runoff.item() > 0.04


def test_hydrostatic_profile_does_not_flow(soil_of) -> None:
    """isba_physics.md 11.8: psi rising with depth by the node distance gives no flux between layers."""
    soil = soil_of()
    depth = (soil.layer_bottom - 0.5 * soil.layer_thickness)[:, 0]
    potential = -(2.2 - depth).clamp(min=0.32)[:, None]
    moisture = soil.porosity * (potential / soil.saturated_potential) ** (-1.0 / soil.retention_exponent)
    assert (moisture[:10] > soil.field_capacity[:10]).all(), "wet enough to exclude vapour"
    new, _ = richards(
        temperature=torch.full((14, 1), 285.0, dtype=DTYPE),
        moisture=moisture,
        ice=torch.zeros_like(moisture),
        impedance=torch.ones_like(moisture),
        capacity=soil.porosity,
        source=torch.zeros_like(moisture),
        vapour=soil_vapour_pressures(torch.full((14, 1), 285.0, dtype=DTYPE)),
        surface_pressure=tensor(1.0e5),
        soil=soil,
        time_step=1.0,
    )
    torch.testing.assert_close(new[:8], moisture[:8], rtol=0.0, atol=1e-10)


@pytest.mark.parametrize("moisture", [0.001, 0.1660691, 0.32588, 0.451105])
@pytest.mark.parametrize(("temperature", "ice"), [(285.0, 0.0), (271.0, 0.0), (271.0, 0.1), (273.16, 0.02)])
def test_gradients_are_finite_in_corner_states(soil_of, moisture: float, temperature: float, ice: float) -> None:
    soil = soil_of()
    ice = min(ice, max(0.0, soil.porosity[0].item() - moisture))
    leaves = [torch.full((14, 1), value, dtype=DTYPE, requires_grad=True) for value in (temperature, moisture, ice)]
    result = example_step(
        soil, leaves[0], leaves[1], throughfall=1e-3, ice=leaves[2], root_uptake=torch.zeros((14, 1), dtype=DTYPE)
    )
    gradients = torch.autograd.grad(sum(part.sum() for part in result), leaves)
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_autograd_equals_central_differences(soil_of, profile) -> None:
    soil, (temperature, moisture) = soil_of(), profile

    def final(moisture: torch.Tensor) -> torch.Tensor:
        return example_step(soil, temperature, moisture, throughfall=1e-4).moisture[:10, 0]

    jacobian = torch.autograd.functional.jacobian(final, moisture)[:, :10, 0]
    for j in range(10):
        step = torch.zeros_like(moisture)
        step[j] = 1e-7
        difference = (final(moisture + step) - final(moisture - step)) / 2e-7
        torch.testing.assert_close(jacobian[:, j], difference, rtol=1e-5, atol=1e-7)


def test_dunne_runoff() -> None:
    """isba_physics.md 11.13; the inputs there are rounded to seven digits."""
    runoff = dunne_runoff_of_means(
        tensor(2e-3), tensor(0.3), tensor(0.451105), tensor(0.1660691), tensor(1.0), exponent=0.5, time_step=300.0
    )
    assert runoff.item() == pytest.approx(3.8220418e-4, rel=1e-6)


def test_dunne_runoff_limits() -> None:
    def runoff(water: float, moisture: float) -> float:
        return dunne_runoff_of_means(
            tensor(water), tensor(moisture), tensor(0.45), tensor(0.17), tensor(0.8), exponent=0.5, time_step=300.0
        ).item()

    assert runoff(0.0, 0.3) == 0.0
    assert runoff(-1e-3, 0.3) == 0.0
    assert runoff(1e-3, 0.15) == 0.0
    assert 0.0 < runoff(1e-3, 0.44) < 1e-3
