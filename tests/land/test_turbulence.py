"""isba_physics.md 11.5 and the limits of the stability functions."""

import pytest
import torch

from dalearn.land.turbulence import (
    drag_coefficient,
    effective_wind,
    heat_conductance,
    richardson_number,
    roughness_functions,
)


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


ROUGHNESS = roughness_functions(tensor(0.1), tensor(0.01), tensor(10.0), tensor(2.0))
GOLDEN = [
    (-1.0, 0.04646788889615, 0.0195538992717),
    (-0.1, 0.02675520083418, 0.0103697380330),
    (0.0, 0.01967241077608, 0.0075444678805),
    (0.1, 0.00693394338223, 0.0041533069534),
    (0.2, 0.00375238585860, 0.0031250209170),
]


@pytest.mark.parametrize(("richardson", "conductance", "drag"), GOLDEN)
def test_golden(richardson: float, conductance: float, drag: float) -> None:
    ri, wind = tensor(richardson), tensor(3.0)
    assert heat_conductance(ri, wind, ROUGHNESS).item() == pytest.approx(conductance, rel=1e-11)
    assert drag_coefficient(ri, ROUGHNESS).item() == pytest.approx(drag, rel=1e-11)


def test_neutral_limit_from_both_sides() -> None:
    wind = tensor(3.0, 3.0)
    below, above = heat_conductance(tensor(-1e-12, 1e-12), wind, ROUGHNESS)
    assert below.item() == pytest.approx(above.item(), rel=1e-6)


def test_gradients_are_finite_at_neutrality() -> None:
    ri = tensor(-0.2, 0.0, 0.2).requires_grad_()
    total = heat_conductance(ri, tensor(1.0, 1.0, 1.0), ROUGHNESS).sum() + drag_coefficient(ri, ROUGHNESS).sum()
    (gradient,) = torch.autograd.grad(total, ri)
    assert gradient.isfinite().all()


def test_wind_has_a_floor_that_depends_on_the_height() -> None:
    torch.testing.assert_close(effective_wind(tensor(0.0, 0.0, 5.0), tensor(10.0, 2.0, 10.0)), tensor(1.0, 0.2, 5.0))


def test_richardson_number_is_capped_and_signed() -> None:
    def ri(surface: float) -> float:
        return richardson_number(
            air_temperature=tensor(290.0),
            air_humidity=tensor(0.008),
            air_exner=tensor(1.0),
            surface_temperature=tensor(surface),
            surface_humidity=tensor(0.008),
            surface_exner=tensor(1.0),
            wind=tensor(2.0),
            wind_height=tensor(10.0),
            temperature_height=tensor(2.0),
        ).item()

    assert ri(250.0) == 0.2
    assert ri(290.0) == 0.0
    assert ri(300.0) < 0.0
