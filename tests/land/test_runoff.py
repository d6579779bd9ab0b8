"""isba_physics.md 5.8: Horton runoff, uneven rain, and their sum with Dunne runoff."""

import math

import pytest
import torch

from dalearn.land.runoff import (
    dunne_runoff,
    horton_runoff,
    infiltration_capacity,
    rain_fraction,
    saturated_fraction,
    surface_runoff,
)

DTYPE = torch.float64


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=DTYPE)


def test_rain_covers_small_cells_and_part_of_large_ones() -> None:
    rain, size = tensor(0.0, 1e-3, 1e-3, 1e-3), tensor(30.0, 10.0, 15.0, 50.0)
    share = rain_fraction(rain, size)
    assert share[:2].tolist() == [0.0, 1.0]
    for got, km in zip(share[2:].tolist(), (15.0, 50.0), strict=True):
        assert got == pytest.approx(1.0 - math.exp(-(0.2 + 0.5 * math.exp(-0.01 * km)) * 3.6))
    assert rain_fraction(rain).tolist() == [0.0, 1.0, 1.0, 1.0]


def test_infiltration_capacity_of_the_first_ten_centimetres(soil_of) -> None:
    soil = soil_of()
    moisture = torch.full((14, 1), 0.25, dtype=DTYPE)
    moisture[:3, 0] = tensor(0.15, 0.2, 0.3)
    moisture[3:] = 0.01
    ice = torch.zeros_like(moisture)
    ice[1] = 0.05
    expected = 0.0
    for layer, thickness in enumerate((0.01, 0.03, 0.06)):
        w, w_i = moisture[layer, 0].item(), ice[layer, 0].item()
        b, psi, conductivity = (
            getattr(soil, name)[layer, 0].item()
            for name in ("retention_exponent", "saturated_potential", "saturated_conductivity")
        )
        s = min(1.0, w / (soil.porosity[layer, 0].item() - w_i))
        phi = 10.0 ** (-6.0 * w_i / (w_i + w))
        expected += thickness * phi * conductivity * (b * psi * (s - 1.0) / thickness + 1.0)
    assert infiltration_capacity(moisture, ice, soil).item() == pytest.approx(1000.0 * expected / 0.1, rel=1e-12)
    torch.testing.assert_close(
        infiltration_capacity(moisture.float(), ice.float(), soil_of()), infiltration_capacity(moisture, ice, soil),
        rtol=1e-5, atol=0.0, check_dtype=False,
    )  # fmt: skip


def test_horton_runoff() -> None:
    rain, melt, capacity, wet = tensor(3e-3, 1e-4, -1e-5), tensor(0.0, 2e-3, 0.0), tensor(1e-3), tensor(0.25)
    even = horton_runoff(rain, melt, capacity, saturated=wet)
    torch.testing.assert_close(even, tensor(0.75 * 2e-3, 0.75 * 1e-3, 0.0))
    mu = tensor(0.4)
    uneven = horton_runoff(rain, melt, capacity, saturated=wet, rain_fraction=mu)
    of_rain = [9e-6 / (4e-4 + 3e-3), 1e-8 / (4e-4 + 1e-4), 0.0]
    torch.testing.assert_close(uneven, 0.75 * (tensor(*of_rain) + tensor(0.0, 1e-3, 0.0)))
    # water that drips after the rain runs off whole
    late = horton_runoff(tensor(2e-5), tensor(0.0), capacity, saturated=wet, rain_fraction=tensor(0.0))
    torch.testing.assert_close(late, tensor(0.75 * 2e-5))


def test_horton_runoff_is_taken_from_the_dunne_input_and_ignores_ice_in_both(soil_of) -> None:
    soil = soil_of()
    moisture, ice = torch.full((14, 1), 0.30, dtype=DTYPE), torch.full((14, 1), 0.05, dtype=DTYPE)
    through, melt, mu, common = tensor(4e-3), tensor(1e-3), tensor(1.0), {"exponent": 0.5, "time_step": 1800.0}
    total = surface_runoff(through, melt, moisture, ice, soil, scheme="DT92", horton=True, rain_fraction=mu, **common)
    dry_ice = torch.zeros_like(ice)
    wet = saturated_fraction(moisture, dry_ice, soil, exponent=0.5)
    intense = horton_runoff(through, melt, infiltration_capacity(moisture, ice, soil), saturated=wet, rain_fraction=mu)
    assert intense.item() > 0.0
    expected = intense + dunne_runoff(through + melt - intense, moisture, dry_ice, soil, **common)
    torch.testing.assert_close(total, expected, rtol=1e-14, atol=0.0)
    assert saturated_fraction(moisture, ice, soil, exponent=0.5) > wet


@pytest.mark.parametrize("scheme", ["WSAT", "DT92", "SGH"])
def test_no_runoff_of_negative_input(soil_of, scheme: str) -> None:
    moisture = torch.full((14, 1), 0.44, dtype=DTYPE)
    runoff = surface_runoff(
        tensor(-3e-3), tensor(2e-3), moisture, torch.zeros_like(moisture), soil_of(), scheme=scheme, exponent=0.5,
        time_step=1800.0, horton=True, rain_fraction=tensor(0.0), saturated=tensor(0.5),
    )  # fmt: skip
    assert runoff.item() == 0.0


def test_topographic_scheme_sheds_water_from_the_saturated_part(soil_of) -> None:
    moisture = torch.full((14, 1), 0.3, dtype=DTYPE)
    common = {"scheme": "SGH", "exponent": 0.5, "time_step": 1800.0, "saturated": tensor(0.2)}
    runoff = surface_runoff(tensor(1e-4), tensor(3e-4), moisture, torch.zeros_like(moisture), soil_of(), **common)
    torch.testing.assert_close(runoff, tensor(0.2 * 4e-4))
